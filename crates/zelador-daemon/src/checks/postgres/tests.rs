use zelador_testbed::postgres::Postgres;
use zelador_testbed::server::Server;

use super::*;
use crate::checks::rig::{LONG, detail_of, has_answered, no_database, slow_door, slow_phases};

async fn looked(url: &str, timeout: Duration) -> Finding {
    look(url, &Query::default(), Patience::new(timeout)).await
}

fn is_well(finding: &Finding) -> bool {
    has_answered(finding, "SELECT 1")
}

#[tokio::test]
async fn a_server_through_its_whole_life() {
    let mut server = Postgres::start();
    let (url, socket_url) = (server.url(), server.socket_url());
    let short = Duration::from_millis(700);

    // Healthy, by port and by socket, with its measures, and with options of other clients.
    let found = looked(&url, LONG).await;
    let Finding::Measured { measures, .. } = &found else { panic!("{found:?}") };
    let names: Vec<&str> = measures.iter().map(|measure| measure.name.as_str()).collect();
    assert_eq!(names, ["connect", "authenticate", "query", "connections"]);
    let used = measures[3].value;
    assert!((10.0..=30.0).contains(&used), "one of ten connections at least: {used}");
    assert!(is_well(&looked(&socket_url, LONG).await));
    assert!(is_well(&looked(&format!("{url}?schema=public&connection_limit=5"), LONG).await));

    // A server that takes long until it lets somebody in, who was connected at once.
    let door = slow_door(server.port()).await;
    let found = looked(&url.replace(&server.port().to_string(), &door.to_string()), LONG).await;
    assert_eq!(slow_phases(&found), ["authenticate"], "{found:?}");

    // A query of one's own, and what it must answer.
    let query = |text, expect| Query { text: Some(text), expect };
    let asked = async |query| look(&url, &query, Patience::new(LONG)).await;
    assert!(matches!(asked(query("SELECT 42", Some("42"))).await, Finding::Measured { .. }));
    assert_eq!(
        detail_of(asked(query("SELECT 42", Some("43"))).await),
        "SELECT 42 gave `42`, not `43`"
    );
    let wrong = detail_of(asked(query("SELECT nothing FROM nowhere", None)).await);
    assert_eq!(wrong, "ERROR 42P01: relation \"nowhere\" does not exist");

    // Wrong password, wrong database, TLS that it does not offer.
    let wrong = looked(&url.replace(Postgres::PASSWORD, "wr0ng-s3cr3t"), LONG).await;
    let detail = quoted(detail_of(wrong));
    assert_eq!(detail, "FATAL 28P01: password authentication failed for user \"ana\"");
    let detail = quoted(detail_of(looked(&url.replace("/shop", "/attic"), LONG).await));
    assert_eq!(detail, "FATAL 3D000: database \"attic\" does not exist");
    let detail = quoted(detail_of(looked(&format!("{url}?sslmode=require"), LONG).await));
    assert_eq!(detail, format!("127.0.0.1:{} offers no TLS", server.port()));

    // Out of connections: seven for clients, and three that are reserved.
    let mut guests = Vec::new();
    let full = loop {
        let config: Config = url.parse().unwrap();
        match config.connect(NoTls).await {
            Ok((client, connection)) => guests.push((client, tokio::spawn(connection))),
            Err(_) => break looked(&url, LONG).await,
        }
        assert!(guests.len() < 20, "it takes any number of clients");
    };
    assert!(detail_of(full).starts_with("FATAL 53300: "), "too many connections");
    drop(guests);

    // A slow query is waited for; one that is too slow is given up, and one whose backend is
    // killed is told.
    let slow = Query { text: Some("SELECT pg_sleep(60)"), expect: None };
    let detail = quoted(detail_of(look(&url, &slow, Patience::new(short)).await));
    assert!(
        detail.english().ends_with("but no answer to SELECT pg_sleep(60) within 700 ms"),
        "{detail}"
    );
    server.until_no_query("pg_sleep(60)").await;
    let detail = quoted(detail_of(look(&socket_url, &slow, Patience::new(short)).await));
    assert!(detail.english().ends_with("within 700 ms"), "{detail}");
    server.until_no_query("pg_sleep(60)").await;
    let slow = Query { text: Some("SELECT pg_sleep(61)"), expect: None };
    let (found, ()) = tokio::join!(look(&url, &slow, Patience::new(LONG)), async {
        server.kill_queries("pg_sleep(61)").await;
    });
    let detail = quoted(detail_of(found));
    assert!(
        detail.english().starts_with("FATAL 57P01: ")
            || detail.english().starts_with("connection closed")
    );

    // Hung, and thawed while it is waited for.
    server.freeze();
    let detail = quoted(detail_of(looked(&url, short).await));
    assert_eq!(detail, format!("not let in by 127.0.0.1:{} within 700 ms", server.port()));
    assert!(matches!(looked(&socket_url, short).await, Finding::TimedOut { .. }));
    let (slow, ()) = tokio::join!(looked(&url, LONG), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.thaw();
    });
    assert!(is_well(&slow), "{slow:?}");

    // Stopped, and back.
    server.stop();
    let detail = quoted(detail_of(looked(&url, LONG).await));
    assert_eq!(detail, format!("connection refused at 127.0.0.1:{}", server.port()));
    let detail = quoted(detail_of(looked(&socket_url, LONG).await));
    assert!(detail.english().starts_with("no socket at "), "{detail}");
    server.start_again();
    assert!(is_well(&looked(&url, LONG).await));
}

#[tokio::test]
async fn tls_is_used_where_it_is_asked_for_and_verified_where_that_is_asked_for() {
    let server = Postgres::start_with(&Postgres::TLS);
    let url = server.url();
    let found = looked(&format!("{url}?sslmode=require"), LONG).await;
    assert!(is_well(&found), "{found:?}");
    let encrypted = Query {
        text: Some("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
        expect: Some("t"),
    };
    let required = format!("{url}?sslmode=require");
    let found = look(&required, &encrypted, Patience::new(LONG)).await;
    assert!(matches!(found, Finding::Measured { .. }), "{found:?}");
    // Nobody vouches for its certificate.
    let detail = quoted(detail_of(looked(&format!("{url}?sslmode=verify-full"), LONG).await));
    assert!(detail.english().contains("certificate"), "{detail}");
    // A query over TLS is ended on the server, too.
    let slow = Query { text: Some("SELECT pg_sleep(62)"), expect: None };
    let short = Patience::new(Duration::from_millis(700));
    assert!(matches!(look(&required, &slow, short).await, Finding::TimedOut { .. }));
    server.until_no_query("pg_sleep(62)").await;
}

#[tokio::test]
async fn a_replica_tells_how_far_it_is_behind() {
    let primary = Postgres::start_with(&Postgres::PRIMARY);
    let replica = primary.replica();
    let lag = async || match looked(&replica.url(), LONG).await {
        Finding::Measured { measures, .. } => {
            measures.into_iter().find(|it| it.name == "lag").map(|it| it.value)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(lag().await, Some(0.0), "it has replayed all there is");
    let found = looked(&primary.url(), LONG).await;
    assert!(!format!("{found:?}").contains("lag"), "the primary is behind nobody: {found:?}");
    // Behind whom it is, a replica knows from the first transaction on that it replayed.
    primary.sql("CREATE ROLE follower");
    let has_it = Query {
        text: Some("SELECT count(*) FROM pg_roles WHERE rolname = 'follower'"),
        expect: Some("1"),
    };
    let limit = Instant::now() + LONG;
    while !matches!(
        look(&replica.url(), &has_it, Patience::new(LONG)).await,
        Finding::Measured { .. }
    ) {
        assert!(Instant::now() < limit, "it replays nothing");
    }
    // What comes is not replayed any more.
    replica.sql("SELECT pg_wal_replay_pause()");
    primary.sql("CREATE TABLE later AS SELECT 1");
    let limit = Instant::now() + LONG;
    while lag().await.is_none_or(|lag| lag < 1.0) {
        assert!(Instant::now() < limit, "it is never behind");
    }
    replica.sql("SELECT pg_wal_replay_resume()");
    while lag().await != Some(0.0) {
        assert!(Instant::now() < limit, "it never catches up");
    }
    // It has all that it was sent, and does not know what it misses.
    drop(primary);
    let limit = Instant::now() + LONG;
    while lag().await.is_none_or(|lag| lag <= 0.0) {
        assert!(Instant::now() < limit, "it is cut off, and says that it is not behind");
    }
}

#[tokio::test]
async fn what_is_no_server_is_told_without_the_password() {
    let (address, server) = no_database().await;
    for _ in 0..2 {
        let found = looked(&format!("postgres://ana:s3cr3t@{address}/shop"), LONG).await;
        assert!(
            matches!(&found, Finding::WrongAnswer { .. } | Finding::Refused { .. }),
            "{found:?}"
        );
        assert!(!format!("{found:?}").contains("s3cr3t"));
    }
    server.await.unwrap();
    for url in ["postgres://ana:s3cr3t@host:99999/x", "postgres://%zz:s3cr3t@x/"] {
        let found = looked(url, Duration::from_millis(200)).await;
        assert!(!format!("{found:?}").contains("s3cr3t"), "{found:?}");
    }
}
