//! Asking a `MySQL` or `MariaDB` server.
//!
//! A URL goes in; whether a new client is let in and answered comes out. Each look connects anew
//! and says goodbye, so that the server counts no broken connection. Always holds: no text that
//! comes out contains the password.

use std::io;
use std::net::SocketAddr;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, IoError, Opts, OptsBuilder, Row, ServerError, Value};
use tokio::time::Instant;
use zelador_core::probe::{Finding, Measure, Unit};
use zelador_core::redact;
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use super::connect::{is_elsewhere, resolve};
use super::patience::Patience;
use super::query::{Query, tidy};
use super::replication::{Replication, replication};
use super::said;
use super::withdraw::Withdraw;
use super::woken::with_first_wake;

/// Options that the library knows and that concern a single connection. Others in a URL belong to
/// other clients (`connection_limit`, `charset`) and are left out instead of refused.
const OPTIONS: [&str; 9] = [
    "socket",
    "require_ssl",
    "verify_ca",
    "verify_identity",
    "built_in_roots",
    "compression",
    "enable_cleartext_plugin",
    "secure_auth",
    "tcp_nodelay",
];

/// Asks once; `url` is `mysql://user:password@host:port/name`.
pub(super) async fn look(url: &str, query: &Query<'_>, patience: Patience) -> Finding {
    let options = match options(url) {
        Ok(options) => options,
        Err(detail) => return Finding::Unavailable { detail },
    };
    let place = place(&options);
    let password = options.pass().map(str::to_owned);
    let tidy = |text: &str| tidy(text, password.as_deref());
    let mut connected = false;
    let addresses = if options.socket().is_some() {
        Vec::new()
    } else {
        match resolve(options.ip_or_hostname(), options.tcp_port(), patience).await {
            Ok(addresses) => addresses,
            Err(finding) => return finding,
        }
    };
    let asked = async {
        let (mut connection, phases) = log_in(&options, &addresses).await?;
        connected = true;
        let asked_at = Instant::now();
        let withdraw = Withdraw::new(Box::pin(kill_query(options, connection.id())));
        let row = connection.query_first::<Row, _>(query.text("SELECT 1")).await;
        withdraw.answered();
        let row = row?;
        let mut measures = Vec::from(phases);
        measures.push(Measure::span("query", asked_at.elapsed()));
        measures.extend(in_use(&mut connection).await);
        let replication = replication(&mut connection).await;
        let answer = row.as_ref().and_then(|row| value(row, 0));
        Ok::<_, Error>((connection, answer, measures, replication))
    };
    match patience.wait(asked).await {
        Ok(Ok((connection, answer, mut measures, replication))) => {
            // It has answered; how the farewell goes does not matter.
            let _ = patience.wait(connection.disconnect()).await;
            measures.extend(replication.lag());
            match (query.judge(answer.as_deref(), measures), replication) {
                (Finding::Measured { .. }, Replication::Stopped(why)) => {
                    // It answers still, only with what is old: nobody is held by that.
                    Finding::Impaired { detail: why }
                }
                (found, _) => found,
            }
        }
        Ok(Err(error)) => failure(error, &place, connected, tidy),
        Err(_) => Finding::TimedOut {
            detail: if connected {
                said::no_answer_to(&place, &query.said("SELECT 1"), patience)
            } else {
                said::not_let_in(&place, patience)
            },
        },
    }
}

/// Connects to the first address that somebody listens at, and logs in; how long each took.
async fn log_in(options: &Opts, addresses: &[SocketAddr]) -> Result<(Conn, [Measure; 2]), Error> {
    let begin = Instant::now();
    let mut left = addresses.iter();
    loop {
        let address = left.next().map(|address| vec![address.ip()]);
        let one = OptsBuilder::from_opts(options.clone()).resolved_ips(address);
        let (connection, reached_at) = with_first_wake(Conn::new(one)).await;
        match connection {
            Ok(connection) => {
                let reached_at = reached_at.unwrap_or(begin);
                let reached = reached_at.saturating_duration_since(begin);
                let connect = Measure::span("connect", reached);
                let let_in = Measure::span("authenticate", reached_at.elapsed());
                return Ok((connection, [connect, let_in]));
            }
            Err(Error::Io(IoError::Io(error))) if left.len() > 0 && is_nobody(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Nobody was reached there.
fn is_nobody(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused || is_elsewhere(error)
}

/// Ends the query of a connection, by another one of the same user.
async fn kill_query(options: Opts, connection: u32) {
    match Conn::new(options).await {
        Ok(mut other) => {
            // It may have been answered just now.
            _ = other.query_drop(format!("KILL QUERY {connection}")).await;
            _ = other.disconnect().await;
        }
        Err(error) => tracing::debug!(%error, "a query is left at work on its server"),
    }
}

/// How many of its connections are in use, where a user may see that.
async fn in_use(connection: &mut Conn) -> Option<Measure> {
    const USED: &str = "SHOW GLOBAL STATUS LIKE 'Threads_connected'";
    let used = connection.query_first::<(String, f64), _>(USED).await.ok().flatten();
    let most = connection.query_first::<f64, _>("SELECT @@max_connections").await.ok().flatten();
    let ((_, used), most) = (used?, most.filter(|most| *most > 0.0)?);
    Some(Measure::new("connections", used * 100.0 / most, Unit::Percent))
}

/// A value as text; `None` for NULL and where there is none.
pub(super) fn value(row: &Row, column: usize) -> Option<String> {
    match row.as_ref(column)? {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

fn options(url: &str) -> Result<Opts, Words> {
    let (start, query) = url.split_once('?').unwrap_or((url, ""));
    let known = query
        .split('&')
        .filter(|option| OPTIONS.contains(&option.split('=').next().unwrap_or_default()));
    let known = known.collect::<Vec<_>>().join("&");
    let rest = start.strip_prefix("mariadb://").or_else(|| start.strip_prefix("mysql://"));
    let rest = rest.ok_or_else(|| said::no_such_url("mysql://user:password@host:port/name"))?;
    let opts = Opts::from_url(&format!("mysql://{rest}?{known}")).map_err(|error| {
        // The library's text may repeat the URL.
        said::bad_url(&error.to_string()).map(|text| tidy(text, None).replace(rest, redact::MASK))
    })?;
    // Known beforehand, so that the server is not asked for them; and the port is looked at when a
    // port was given, even if there is a socket too.
    let builder = OptsBuilder::from_opts(opts)
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 20))
        .wait_timeout(Some(60));
    Ok(builder.into())
}

fn place(options: &Opts) -> String {
    options.socket().map_or_else(
        || format!("{}:{}", options.ip_or_hostname(), options.tcp_port()),
        str::to_owned,
    )
}

fn failure(error: Error, place: &str, connected: bool, tidy: impl Fn(&str) -> String) -> Finding {
    match error {
        Error::Server(error) if connected => {
            Finding::WrongAnswer { detail: server_text(&error).map(tidy) }
        }
        Error::Server(error) => Finding::Refused { detail: server_text(&error).map(tidy) },
        Error::Io(IoError::Io(error)) => unreachable_place(&error, place),
        Error::Io(IoError::Tls(error)) => Finding::Refused {
            detail: words!("TLS with {place} failed: {error}", "TLS com {place} falhou: {error}")
                .map(tidy),
        },
        Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            Finding::Refused { detail: said::offers_no_tls(place) }
        }
        Error::Driver(DriverError::ConnectionClosed) => {
            Finding::Refused { detail: said::closed_by(place) }
        }
        Error::Driver(DriverError::UnexpectedPacket { .. } | DriverError::PacketOutOfOrder) => {
            Finding::WrongAnswer { detail: said::does_not_speak(place, "MySQL") }
        }
        other => Finding::WrongAnswer { detail: quoted(tidy(&format!("{place}: {other}"))) },
    }
}

/// `ERROR 1045 (28000): access denied for user 'ana'@'localhost'`.
fn server_text(error: &ServerError) -> Words {
    let message = error.message.split(" (using password").next().unwrap_or_default();
    let (code, state) = (error.code, &error.state);
    let mut letters = message.chars();
    let message: String = match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => {
            return words!(
                "ERROR {code} ({state}): no reason given",
                "ERROR {code} ({state}): sem motivo dado"
            );
        }
    };
    quoted(format!("ERROR {code} ({state}): {message}"))
}

fn unreachable_place(error: &io::Error, place: &str) -> Finding {
    let detail = match error.kind() {
        // A unix socket whose queue of waiting clients is full: the server accepts nobody.
        io::ErrorKind::WouldBlock => {
            let detail =
                words!("{place} accepts no more connections", "{place} não aceita mais conexões");
            return Finding::TimedOut { detail };
        }
        io::ErrorKind::InvalidData => {
            return Finding::WrongAnswer { detail: said::does_not_speak(place, "MySQL") };
        }
        io::ErrorKind::NotFound if place.starts_with('/') => said::no_socket(place),
        io::ErrorKind::UnexpectedEof => said::closed_by(place),
        _ => said::at(error, place),
    };
    Finding::Refused { detail }
}

#[cfg(test)]
mod tests;
