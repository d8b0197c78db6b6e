use std::time::Duration;

use zelador_testbed::mariadb::MariaDb;
use zelador_testbed::server::Server;

use super::*;
use crate::checks::rig::{LONG, no_database, slow_door, slow_phases};

async fn looked(url: &str, timeout: Duration) -> Finding {
    match look(url, &Query::default(), Patience::new(timeout)).await {
        Finding::Measured { detail, measures } => {
            assert!(measures.iter().any(|it| it.name == "connections"), "{measures:?}");
            Finding::Answered { detail }
        }
        other => other,
    }
}

fn answered() -> Finding {
    Finding::Answered { detail: quoted("SELECT 1") }
}

fn refused(detail: String) -> Finding {
    Finding::Refused { detail: quoted(detail) }
}

/// Waits until a query with this text is at work, and ends its connection.
async fn kill(url: &str, text: &str) {
    let mut other = Conn::new(options(url).unwrap()).await.unwrap();
    let search = format!(
        "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND info LIKE '%{text}%'"
    );
    let found = loop {
        if let Some(found) = other.query_first::<u32, _>(&search).await.unwrap() {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    other.query_drop(format!("KILL CONNECTION {found}")).await.unwrap();
    other.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_server_through_its_whole_life() {
    let mut server = MariaDb::start();
    let url = server.url();
    let socket_url = server.socket_url();
    let short = Duration::from_millis(700);

    // Healthy, by port and by socket, and with options of other clients.
    assert_eq!(looked(&url, LONG).await, answered());
    assert_eq!(looked(&socket_url, LONG).await, answered());
    let of_others = format!("{url}?charset=utf8mb4&connection_limit=5");
    assert_eq!(looked(&of_others.replace("mysql:", "mariadb:"), LONG).await, answered());

    // How long each phase takes, of one that keeps clients at the door too.
    let by_default = async |url| look(url, &Query::default(), Patience::new(LONG)).await;
    let Finding::Measured { measures, .. } = by_default(&url).await else { panic!("it is well") };
    let names: Vec<&str> = measures.iter().map(|measure| measure.name.as_str()).collect();
    assert_eq!(names, ["connect", "authenticate", "query", "connections"]);
    let door = slow_door(server.port()).await;
    let found = by_default(&url.replace(&server.port().to_string(), &door.to_string())).await;
    assert_eq!(slow_phases(&found), ["authenticate"], "{found:?}");

    // Wrong password, wrong database, TLS that it does not offer.
    let found = looked(&url.replace(MariaDb::PASSWORD, "wr0ng-s3cr3t"), LONG).await;
    let Finding::Refused { detail } = &found else { panic!("{found:?}") };
    assert!(
        detail.english().starts_with("ERROR 1045 (28000): access denied for user 'ana'"),
        "{detail}"
    );
    assert!(
        !detail.english().contains("s3cr3t") && !detail.english().contains("using"),
        "{detail}"
    );
    let found = looked(&url.replace("/shop", "/attic"), LONG).await;
    let Finding::Refused { detail } = &found else { panic!("{found:?}") };
    assert!(detail.english().starts_with("ERROR 1044 (42000)"), "{detail}");
    let found = looked(&format!("{url}?require_ssl=true"), LONG).await;
    assert_eq!(found, refused(format!("127.0.0.1:{} offers no TLS", server.port())));

    // A query that is too slow is ended on the server, too; one that somebody kills is told.
    let ask = async |text, patience| {
        let query = Query { text: Some(text), expect: None };
        look(&url, &query, Patience::new(patience)).await
    };
    let found = ask("SELECT SLEEP(60)", short).await;
    let Finding::TimedOut { detail } = &found else { panic!("{found:?}") };
    assert!(
        detail.english().ends_with("but no answer to SELECT SLEEP(60) within 700 ms"),
        "{detail}"
    );
    server.until_no_query("SLEEP(60)").await;
    let (found, ()) = tokio::join!(ask("SELECT SLEEP(61)", LONG), kill(&url, "SLEEP(61)"));
    let Finding::Refused { detail } = &found else { panic!("{found:?}") };
    assert!(detail.english().starts_with("connection closed by"), "{detail}");

    // Out of connections.
    server.until_nobody_is_connected().await;
    let mut guests = Vec::new();
    let full = loop {
        match Conn::new(options(&url).unwrap()).await {
            Ok(guest) => guests.push(guest),
            Err(_) => break looked(&url, LONG).await,
        }
        assert!(guests.len() < 30, "it takes any number of clients");
    };
    let Finding::Refused { detail } = &full else { panic!("{full:?}") };
    assert!(detail.english().starts_with("ERROR 1040 (08004)"), "{detail}");
    for guest in guests {
        guest.disconnect().await.unwrap();
    }
    server.until_nobody_is_connected().await;

    // Hung.
    server.freeze();
    let found = looked(&url, short).await;
    let detail = quoted(format!("not let in by 127.0.0.1:{} within 700 ms", server.port()));
    assert_eq!(found, Finding::TimedOut { detail });
    assert!(matches!(looked(&socket_url, short).await, Finding::TimedOut { .. }));
    // A slow one: it thaws while it is waited for.
    let (slow, ()) = tokio::join!(looked(&url, LONG), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.thaw();
    });
    assert_eq!(slow, answered());

    // Stopped, and back.
    server.stop();
    let found = looked(&url, LONG).await;
    assert_eq!(found, refused(format!("connection refused at 127.0.0.1:{}", server.port())));
    let found = looked(&socket_url, LONG).await;
    assert_eq!(found, refused(format!("no socket at {}", server.socket().display())));
    server.start_again();
    assert_eq!(looked(&url, LONG).await, answered());
    assert_eq!(looked(&socket_url, LONG).await, answered());
    let broken = server.aborted_connections();
    assert!(broken > 0, "waiting for the greeting alone breaks connections off");
    for _ in 0..20 {
        assert_eq!(looked(&url, LONG).await, answered());
    }
    assert_eq!(server.aborted_connections(), broken, "each look said goodbye");
}

#[tokio::test]
async fn a_replica_tells_how_far_it_is_behind_and_why_it_follows_no_more() {
    let mut primary = MariaDb::primary();
    let replica = primary.replica();
    let found = looked(&primary.url(), LONG).await;
    assert_eq!(found, answered(), "the primary follows nobody");
    let url = replica.url();
    let lag = async || match look(&url, &Query::default(), Patience::new(LONG)).await {
        Finding::Measured { measures, .. } => {
            let lag = measures.iter().find(|it| it.name == "lag");
            lag.map(|it| it.value).ok_or_else(|| "it follows nobody".to_owned())
        }
        Finding::Impaired { detail } => Err(detail.english().to_owned()),
        other => panic!("{other:?}"),
    };
    let until = async |what: &str, holds: &dyn Fn(&Result<f64, String>) -> bool| {
        let limit = Instant::now() + LONG;
        loop {
            let seen = lag().await;
            if holds(&seen) {
                break seen;
            }
            assert!(Instant::now() < limit, "{what}: {seen:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let follows = |seen: &Result<f64, String>| *seen == Ok(0.0);
    let stopped = |seen: &Result<f64, String>| seen.is_err();
    until("it has all there is", &follows).await.unwrap();

    // Behind: it takes changes in only an hour later.
    replica.root("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=3600; START SLAVE");
    primary.root("CREATE TABLE shop.later (id INT)");
    until("it is behind", &|seen| seen.as_ref().is_ok_and(|lag| *lag >= 1.0)).await.unwrap();
    replica.root("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=0; START SLAVE");
    until("it has caught up", &follows).await.unwrap();

    // Stopped by somebody.
    replica.root("STOP SLAVE SQL_THREAD");
    let why = until("it has stopped", &stopped).await.unwrap_err();
    assert_eq!(why, "its replication has stopped");
    replica.root("START SLAVE SQL_THREAD");
    until("it goes on", &follows).await.unwrap();

    // Its primary is gone, and back.
    primary.stop();
    let why = until("it misses its primary", &stopped).await.unwrap_err();
    assert!(why.starts_with("it does not reach its primary: error "), "{why}");
    primary.start_again();
    until("it follows again", &follows).await.unwrap();

    // Stopped by what it cannot do.
    replica.root("SET GLOBAL slave_ddl_exec_mode='STRICT'; CREATE TABLE shop.twice (id INT)");
    primary.root("CREATE TABLE shop.twice (id INT)");
    let why = until("it cannot go on", &stopped).await.unwrap_err();
    assert!(why.starts_with("its replication has stopped: Error 'Table 'twice'"), "{why}");
}

#[tokio::test]
async fn what_is_no_database_server_is_told() {
    let (address, server) = no_database().await;
    let url = format!("mysql://ana:s3cr3t@{address}/shop");
    let found = looked(&url, LONG).await;
    assert!(matches!(&found, Finding::WrongAnswer { .. } | Finding::Refused { .. }), "{found:?}");
    let found = looked(&url, LONG).await;
    assert_eq!(found, refused(format!("connection closed by {address}")));
    server.await.unwrap();
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_told_without_its_password() {
    for url in ["mysql://ana:s3cr3t@host:99999/x", "mysql://", "mysql://ana:s3cr3t@/x y/\u{0}"] {
        let found = looked(url, Duration::from_millis(200)).await;
        assert!(!format!("{found:?}").contains("s3cr3t"), "{found:?}");
        assert!(!matches!(found, Finding::Answered { .. }), "{found:?}");
    }
}
