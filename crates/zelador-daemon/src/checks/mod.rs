//! Looking at things: the host, a route, a port, a database.
//!
//! A target goes in; what was found comes out, as facts: whether that is good or bad is decided in
//! the core. Always holds: a look ends within its timeout (processors take 200 ms if nobody looked
//! before), can be dropped at any time, and never blocks the runtime, whatever hangs.

mod aside;
mod certificate;
mod command;
mod connect;
mod disk;
pub mod far;
mod file;
mod grpc;
mod host;
mod http;
mod meters;
mod mysql;
mod name;
mod patience;
mod postgres;
mod pressure;
mod query;
mod redis;
mod replication;
#[cfg(test)]
mod rig;
mod said;
mod sqlite;
mod talk;
mod tls;
mod websocket;
mod withdraw;
mod woken;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zelador_core::probe::{Finding, ProbeOutcome, Usage};
use zelador_core::spec::{HostMeter, ProbeTarget};
use zelador_core::words;

pub use host::CpuMeter;
use patience::Patience;
use query::Query;

/// What is looked at.
#[derive(Clone, PartialEq)]
pub enum Target {
    /// The host's memory.
    Memory,
    /// The host's processors, over the next 200 ms; for longer spans see [`CpuMeter`].
    Cpu,
    /// The file systems that hold these paths. One that does not exist stands for its nearest
    /// parent that does.
    Disk {
        /// Absolute paths.
        paths: Vec<PathBuf>,
    },
    /// Another property of the host.
    Host {
        /// Which.
        meter: HostMeter,
        /// Absolute paths whose file systems matter.
        paths: Vec<PathBuf>,
    },
    /// The process tree of a run.
    Process {
        /// Its main process.
        pid: i32,
        /// What it uses, by the last sample.
        usage: Option<Usage>,
        /// How often it was restarted lately.
        restarts: u32,
    },
    /// An app, or something else that can be asked.
    Probe(Arc<ProbeTarget>),
    /// Connect and ask.
    Database {
        /// `mysql://user:password@host:port/name` (also `mariadb://`, `?socket=/path`),
        /// `postgres://…`, `redis://…`, or `sqlite:///absolute/path`.
        url: String,
        /// In place of `SELECT 1`.
        query: Option<String>,
        /// What the first value of the answer must be.
        expect: Option<String>,
    },
}

impl std::fmt::Debug for Target {
    /// URLs are shown without their passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let masked = zelador_core::redact::url;
        match self {
            Self::Memory => f.write_str("Memory"),
            Self::Cpu => f.write_str("Cpu"),
            Self::Disk { paths } => f.debug_struct("Disk").field("paths", paths).finish(),
            Self::Host { meter, .. } => f.debug_tuple("Host").field(meter).finish(),
            Self::Process { pid, .. } => f.debug_tuple("Process").field(pid).finish(),
            Self::Probe(probe) => f.debug_tuple("Probe").field(&probe.said()).finish(),
            Self::Database { url, .. } => f.debug_tuple("Database").field(&masked(url)).finish(),
        }
    }
}

/// Looks once, for at most `timeout`.
pub async fn look(target: &Target, timeout: Duration) -> ProbeOutcome {
    let begin = Instant::now();
    let patience = Patience::new(timeout);
    let finding = match target {
        Target::Memory => host::memory(),
        Target::Cpu => return CpuMeter::new().look().await,
        Target::Disk { paths } => disk::look(paths.clone(), patience).await,
        Target::Host { meter, paths } => meters::look(meter, paths.clone(), patience).await,
        Target::Process { pid, usage, restarts } => meters::process(*pid, *usage, *restarts),
        Target::Probe(probe) => ask(probe, patience).await,
        Target::Database { url, query, expect } => {
            let query = Query { text: query.as_deref(), expect: expect.as_deref() };
            database(url, &query, patience).await
        }
    };
    ProbeOutcome { finding, took: begin.elapsed() }
}

async fn ask(probe: &ProbeTarget, patience: Patience) -> Finding {
    match probe {
        ProbeTarget::Http(http) => http::look(http, patience).await,
        ProbeTarget::Tcp(talk) => talk::tcp(talk, patience).await,
        ProbeTarget::Udp(talk) => talk::udp(talk, patience).await,
        ProbeTarget::Unix(talk) => talk::unix(talk, patience).await,
        ProbeTarget::Command(command) => command::look(command, patience).await,
        ProbeTarget::Dns { name, expect } => name::look(name, expect, patience).await,
        ProbeTarget::Grpc { address, service } => grpc::look(address, service, patience).await,
        ProbeTarget::WebSocket { url, send, expect } => {
            websocket::look(url, send.as_deref(), expect.as_deref(), patience).await
        }
        ProbeTarget::File(file) => file::look(file, patience).await,
        ProbeTarget::Certificate { of } => certificate::look(of, patience).await,
        ProbeTarget::Log { paths, pattern } => file::rate::look(paths, pattern, patience).await,
        // The supervisor answers these itself, or fills in which process is meant.
        ProbeTarget::Heartbeat { .. } | ProbeTarget::Process => {
            Finding::Unavailable { detail: words!("only of an app", "só de um app") }
        }
    }
}

async fn database(url: &str, query: &Query<'_>, patience: Patience) -> Finding {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("mysql" | "mariadb") => mysql::look(url, query, patience).await,
        Some("postgres" | "postgresql") => postgres::look(url, query, patience).await,
        Some("redis" | "rediss" | "valkey" | "valkeys" | "redis+unix") => {
            redis::look(url, query, patience).await
        }
        Some("sqlite") => sqlite::look(url, query, patience).await,
        Some(other) => Finding::Unavailable {
            detail: words!(
                "`{other}` databases are not known; mysql, mariadb, postgres, redis and sqlite are",
                "bancos `{other}` não são conhecidos; mysql, mariadb, postgres, redis e sqlite são",
            ),
        },
        None => Finding::Unavailable {
            detail: words!("its URL has no scheme", "a URL não tem esquema"),
        },
    }
}
