//! Asking a `Redis` or `Valkey` server.
//!
//! A URL goes in; whether a new client is let in and answered comes out, with how many clients and
//! how much of its memory are in use, and how long ago a replica heard of its master. Always holds:
//! no text that comes out contains the password.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::task::JoinSet;
use tokio::time::Instant;
use zelador_core::probe::{Finding, Measure, Unit};
use zelador_core::words;
use zelador_core::words::quoted;

use super::connect::connect;
use super::patience::Patience;
use super::query::{Query, tidy};
use super::said;

/// Asks once; `url` is `redis://user:password@host:port/number`, or `redis+unix:///path`.
pub(super) async fn look(url: &str, query: &Query<'_>, patience: Patience) -> Finding {
    // The library's text may repeat the URL.
    let Ok(client) = Client::open(url) else {
        let detail = said::no_such_url("redis://user:password@host:port/number");
        return Finding::Unavailable { detail };
    };
    let info = client.get_connection_info();
    let place = info.addr().to_string();
    let password = info.redis_settings().password().map(str::to_owned);
    let hide = |text: &str| tidy(text, password.as_deref());
    let begin = Instant::now();
    let stream = match info.addr() {
        // The words for what keeps it from connecting are those of every other look.
        redis::ConnectionAddr::Tcp(host, port) => match connect(host, *port, patience).await {
            Ok(stream) => Some(stream),
            Err(finding) => return finding,
        },
        _ => None,
    };
    let reached = begin.elapsed();
    // Patience is kept here, so that what is cut off can be told from what is refused.
    let settings =
        AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let redis_settings = info.redis_settings();
    // What moves the bytes ends with the look.
    let mut moving = JoinSet::new();
    let connecting = async {
        let Some(stream) = stream else {
            return client.get_multiplexed_async_connection_with_config(&settings).await;
        };
        let made = MultiplexedConnection::new_with_config(redis_settings, stream, settings.clone());
        let (connection, bytes) = made.await?;
        moving.spawn(bytes);
        Ok(connection)
    };
    let mut connection = match patience.wait(connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return failure(&error, &place, false, hide),
        Err(_) => {
            return Finding::TimedOut { detail: said::not_let_in(&place, patience) };
        }
    };
    let let_in = begin.elapsed().saturating_sub(reached);
    let asked = Instant::now();
    let answer = match patience.wait(ask(&mut connection, query)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return failure(&error, &place, true, hide),
        Err(_) => {
            let detail = said::no_answer_to(&place, &query.said("PING"), patience);
            return Finding::TimedOut { detail };
        }
    };
    let mut measures = vec![
        Measure::span("connect", reached),
        Measure::span("authenticate", let_in),
        Measure::span("query", asked.elapsed()),
    ];
    // What a user may not see is left out.
    let info = patience.wait(redis::cmd("INFO").query_async::<String>(&mut connection)).await;
    let info = info.ok().and_then(Result::ok).unwrap_or_default();
    measures.extend(measures_in(&info));
    let found = query.judge_against("PING", Some("PONG"), Some(&answer), measures);
    match found {
        Finding::Measured { .. } if field(&info, "master_link_status") == Some("down") => {
            Finding::Impaired {
                detail: words!(
                    "it is a replica, and does not reach its master",
                    "é uma réplica, e não alcança o primário",
                ),
            }
        }
        found => found,
    }
}

async fn ask(
    connection: &mut MultiplexedConnection,
    query: &Query<'_>,
) -> Result<String, RedisError> {
    let mut words = query.text("PING").split_whitespace();
    let mut command = redis::cmd(words.next().unwrap_or("PING"));
    words.for_each(|word| {
        command.arg(word);
    });
    let value: Value = command.query_async(connection).await?;
    Ok(match value {
        Value::Nil => "nil".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::SimpleString(text) => text,
        Value::Okay => "OK".to_owned(),
        other => format!("{other:?}"),
    })
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn measures_in(info: &str) -> Vec<Measure> {
    let number = |name: &str| field(info, name)?.parse::<f64>().ok();
    let share = |name: &str, part: &str, whole: &str| {
        let (part, whole) = (number(part)?, number(whole).filter(|whole| *whole > 0.0)?);
        Some(Measure::new(name, part * 100.0 / whole, Unit::Percent))
    };
    let lag = number("master_last_io_seconds_ago").filter(|seconds| *seconds >= 0.0);
    [
        share("connections", "connected_clients", "maxclients"),
        share("memory", "used_memory", "maxmemory"),
        lag.map(|seconds| Measure::new("lag", seconds, Unit::Seconds)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn failure(
    error: &RedisError,
    place: &str,
    connected: bool,
    hide: impl Fn(&str) -> String,
) -> Finding {
    let told = error.detail().map_or_else(|| error.to_string(), str::to_owned);
    match error.kind() {
        ErrorKind::AuthenticationFailed => Finding::Refused {
            detail: words!(
                "{place} does not let us in: {told}",
                "{place} não nos deixa entrar: {told}",
            )
            .map(hide),
        },
        ErrorKind::Server(ServerErrorKind::BusyLoading) => Finding::Refused {
            detail: words!("{place} is loading its data", "{place} está carregando os dados"),
        },
        ErrorKind::Io => {
            let source = std::error::Error::source(error);
            let io = source.and_then(|source| source.downcast_ref::<std::io::Error>());
            let detail = match io {
                Some(io) if io.kind() == std::io::ErrorKind::NotFound => said::no_socket(place),
                Some(io) if io.kind() != std::io::ErrorKind::UnexpectedEof => said::at(io, place),
                _ if error.is_connection_dropped() => said::closed_by(place),
                _ => quoted(format!("{place}: {told}")),
            };
            Finding::Refused { detail: detail.map(hide) }
        }
        ErrorKind::Parse => Finding::WrongAnswer { detail: said::does_not_speak(place, "Redis") },
        _ => {
            let code = error.code().unwrap_or("ERR");
            let detail = quoted(hide(&format!("{code} {told}")));
            if connected { Finding::WrongAnswer { detail } } else { Finding::Refused { detail } }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use zelador_testbed::redis::Redis;
    use zelador_testbed::server::Server;

    use super::*;
    use crate::checks::rig::{LONG, detail_of, has_answered};

    async fn looked(url: &str, timeout: Duration) -> Finding {
        look(url, &Query::default(), Patience::new(timeout)).await
    }

    fn is_well(finding: &Finding) -> bool {
        has_answered(finding, "PING")
    }

    #[tokio::test]
    async fn a_server_through_its_whole_life() {
        through_its_whole_life(Redis::start()).await;
    }

    #[tokio::test]
    async fn a_valkey_server_through_its_whole_life() {
        through_its_whole_life(Redis::start_valkey()).await;
    }

    async fn through_its_whole_life(mut server: Redis) {
        let (url, socket_url) = (server.url(), server.socket_url());
        let place = format!("127.0.0.1:{}", server.port());
        let short = Duration::from_millis(700);

        // Healthy, by port and by socket, with its measures.
        let found = looked(&url, LONG).await;
        let Finding::Measured { measures, .. } = &found else { panic!("{found:?}") };
        let names: Vec<&str> = measures.iter().map(|measure| measure.name.as_str()).collect();
        assert_eq!(names, ["connect", "authenticate", "query", "connections", "memory"]);
        assert!(is_well(&looked(&socket_url, LONG).await));

        // A query of one's own, and what it must answer.
        let query = |text, expect| Query { text: Some(text), expect };
        let asked = async |query| look(&url, &query, Patience::new(LONG)).await;
        assert!(matches!(asked(query("SET a 7", Some("OK"))).await, Finding::Measured { .. }));
        assert!(matches!(asked(query("GET a", Some("7"))).await, Finding::Measured { .. }));
        assert_eq!(detail_of(asked(query("GET b", Some("7"))).await), "GET b gave `nil`, not `7`");
        assert!(matches!(asked(query("LPUSH a 1", None)).await, Finding::WrongAnswer { .. }));

        // Wrong password, and none.
        let detail =
            quoted(detail_of(looked(&url.replace(Redis::PASSWORD, "wr0ng-s3cr3t"), LONG).await));
        assert!(detail.english().contains("does not let us in"), "{detail}");
        assert!(!detail.english().contains("s3cr3t"), "{detail}");
        let detail = quoted(detail_of(looked(&format!("redis://{place}"), LONG).await));
        assert!(detail.english().starts_with("NOAUTH"), "{detail}");

        // Out of connections. One of our own that the server has not seen close yet counts too: a guest that
        // is turned away for it comes again.
        let mut guests = Vec::new();
        loop {
            let mut guest = tokio::net::TcpStream::connect(&place).await.unwrap();
            _ = guest.write_all(b"PING\r\n").await;
            let mut answer = [0; 64];
            let length = guest.read(&mut answer).await.unwrap_or_default();
            if answer[..length].starts_with(b"-NOAUTH") {
                guests.push(guest);
            } else if guests.len() == 10 {
                break;
            }
        }
        let found = looked(&url, LONG).await;
        assert!(matches!(found, Finding::Refused { .. }), "{found:?}");
        drop(guests);

        // Hung, and thawed while it is waited for.
        server.freeze();
        let detail = quoted(detail_of(looked(&url, short).await));
        assert_eq!(detail, format!("not let in by {place} within 700 ms"));
        let (slow, ()) = tokio::join!(looked(&url, LONG), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.thaw();
        });
        assert!(is_well(&slow), "{slow:?}");

        // Killed in the middle of a query: it blocks, and then there is nobody.
        let blocking = query("BLPOP nothing 60", None);
        let (found, ()) = tokio::join!(look(&url, &blocking, Patience::new(LONG)), async {
            server.wait_for_blocked_client().await;
            server.kill();
        });
        assert_eq!(detail_of(found), format!("connection closed by {place}"));
        assert_eq!(detail_of(looked(&url, LONG).await), format!("connection refused at {place}"));
        assert!(
            detail_of(looked(&socket_url, LONG).await)
                .contains(&server.socket().display().to_string())
        );
        server.start_again();
        assert!(is_well(&looked(&url, LONG).await));
    }

    #[tokio::test]
    async fn a_look_is_one_connection() {
        let server = Redis::start();
        let place = format!("127.0.0.1:{}", server.port());
        let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = server.url().replace(&place, &door.local_addr().unwrap().to_string());
        let came = std::sync::atomic::AtomicUsize::new(0);
        let relay = async {
            let mut talks = JoinSet::new();
            loop {
                let (mut client, _) = door.accept().await.unwrap();
                came.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let mut server = tokio::net::TcpStream::connect(&place).await.unwrap();
                talks.spawn(async move {
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        };
        tokio::select! {
            () = relay => unreachable!("it goes on for ever"),
            found = looked(&url, LONG) => assert!(is_well(&found), "{found:?}"),
        }
        assert_eq!(came.into_inner(), 1);
    }

    #[tokio::test]
    async fn tls_is_spoken_and_the_certificate_verified_unless_told_otherwise() {
        let (_server, port) = Redis::start_with_tls();
        let url = format!("rediss://:{}@127.0.0.1:{port}/0", Redis::PASSWORD);
        let found = looked(&format!("{url}#insecure"), LONG).await;
        assert!(is_well(&found), "{found:?}");
        // Nobody vouches for its certificate.
        let found = looked(&url, LONG).await;
        assert!(matches!(found, Finding::Refused { .. }), "{found:?}");
        // And without TLS it does not answer there.
        let plain = url.replace("rediss", "redis");
        assert!(!is_well(&looked(&plain, Duration::from_secs(2)).await));
    }

    #[tokio::test]
    async fn a_replica_tells_how_long_ago_it_heard_of_its_master() {
        let mut master = Redis::start();
        let replica = master.replica();
        let limit = Instant::now() + LONG;
        let lag = async || match looked(&replica.url(), LONG).await {
            Finding::Measured { measures, .. } => {
                Ok(measures.into_iter().find(|it| it.name == "lag").map(|it| it.value))
            }
            Finding::Impaired { detail } => Err(detail),
            other => panic!("{other:?}"),
        };
        while !matches!(lag().await, Ok(Some(_))) {
            assert!(Instant::now() < limit, "it never follows");
        }
        // Its master hangs, and then it is gone.
        master.freeze();
        while !matches!(lag().await, Ok(Some(seconds)) if seconds >= 2.0) {
            assert!(Instant::now() < limit, "it always hears of a master that hangs");
        }
        master.kill();
        while lag().await != Err(quoted("it is a replica, and does not reach its master")) {
            assert!(Instant::now() < limit, "it does not notice");
        }
    }
}
