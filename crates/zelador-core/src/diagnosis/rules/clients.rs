//! Dependencies that are away, as clients, resolvers and servers say it in words of their own.

use super::{Rule, rule, with};
use crate::diagnosis::Cause::DependencyUnreachable;

pub const RULES: &[Rule] = &[
    // Cassandra: the nodes that hold the data do not answer.
    with(
        DependencyUnreachable,
        1.2,
        &[
            "writetimeoutexception",
            "readtimeoutexception",
            "cassandra timeout during",
            "not enough replicas available",
            "unavailableexception",
        ],
        &[],
        &["netty", "http"],
    ),
    // curl by number, and what clients of brokers say when the other side has fallen silent.
    rule(
        DependencyUnreachable,
        1.2,
        &["curl error 7:", "curl error 28", "curl: (7)", "curl: (28)", "error: heartbeat timeout"],
    ),
    // Clients whose other side is gone, or has become a replica.
    with(
        DependencyUnreachable,
        1.15,
        &[
            "redisconnectionexception",
            "it was not possible to connect",
            "socket closed",
            "read error on connection to",
            "network adapter could not",
            "service_unavailable/",
            "master_not_discovered",
            "empty reply from server",
            "failed reaching server",
            "mongonotconnected",
            "clientclosederror",
            "client is closed",
            "socketclosedunexpectedly",
            "read-only transaction",
            "--read-only option",
            "while resolving, resolver",
        ],
        &[],
        &["certificate", "password", "noauth", "by client"],
    ),
    // `PostgreSQL` that starts or stops, in the language of its host.
    with(
        DependencyUnreachable,
        1.15,
        &[
            "datenbanksystem startet",
            "datenbanksystem fährt",
            "banco de dados está",
            "base de datos está",
            "système de bases de données",
            "orden del administrador",
            "comando do administrador",
            "anweisung des administrators",
            "commande de l'administrateur",
        ],
        &[],
        &["heruntergefahren", "base de datos está lista"],
    ),
    rule(
        DependencyUnreachable,
        1.2,
        &[
            "connect enoent",
            "unexpected close",
            "unexpected server response",
            "heartbeattimeout",
            "missed heartbeats in the last",
        ],
    ),
    with(
        DependencyUnreachable,
        1.1,
        &[
            "did not become ready",
            "did not become available",
            "never became ready",
            "never became available",
            "did not come up",
        ],
        &[],
        &["worker", "pod"],
    ),
    rule(DependencyUnreachable, 1.2, &["connection_forced", "forced connection closure"]),
];
