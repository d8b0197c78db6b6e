//! Asking a `PostgreSQL` server.
//!
//! A URL goes in; whether a new client is let in and answered comes out, with how long each phase
//! took, how many connections are in use and how far a replica is behind. Each look connects anew
//! and says goodbye. Always holds: no text that comes out contains the password.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, NoTls};
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;
use zelador_core::probe::{Finding, Measure, Unit};
use zelador_core::words::{Words, quoted};

use super::connect::connect;
use super::patience::Patience;
use super::query::{Query, tidy};
use super::said;
use super::tls;
use super::withdraw::{End, Withdraw};

/// Options of libpq and of other clients that this one does not know are left out.
const OPTIONS: [&str; 7] = ["host", "port", "user", "password", "dbname", "sslmode", "options"];

/// How a server is: clients of the most it takes; whether it is a replica, and the seconds that the
/// last change it replayed is old. One that has replayed all it has is not behind, however quiet, for as
/// long as somebody sends: whoever is cut off does not know what it misses.
const STATE: &str = "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = \
     'client backend'), current_setting('max_connections'), pg_is_in_recovery(), CASE WHEN NOT \
     pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS \
     (SELECT FROM pg_stat_wal_receiver) THEN 0 ELSE \
     extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END";

/// Asks once; `url` is `postgres://user:password@host:port/name`.
pub(super) async fn look(url: &str, query: &Query<'_>, patience: Patience) -> Finding {
    let (config, verified) = match config(url) {
        Ok(read) => read,
        Err(detail) => return Finding::Unavailable { detail },
    };
    let password = config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let hide = |text: &str| tidy(text, password.as_deref());
    let begin = Instant::now();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts().first() {
        Some(Host::Unix(folder)) => {
            let socket = folder.join(format!(".s.PGSQL.{port}"));
            let place = socket.display().to_string();
            let stream = match patience.wait(UnixStream::connect(&socket)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                    return Finding::Refused { detail: said::no_socket(&place) };
                }
                Ok(Err(error)) => {
                    return Finding::Refused { detail: said::at(&error, &place) };
                }
                Err(_) => return not_let_in(&place, patience),
            };
            let session =
                Session { query, place: &place, reached: begin.elapsed(), begin, patience };
            match patience.wait(config.connect_raw(stream, NoTls)).await {
                Ok(Ok((client, connection))) => {
                    let token = client.cancel_token();
                    let cancel = Box::pin(async move {
                        if let Ok(stream) = UnixStream::connect(&socket).await {
                            // It may have been answered just now.
                            _ = token.cancel_query_raw(stream, NoTls).await;
                        }
                    });
                    session.talk(client, connection, cancel, hide).await
                }
                Ok(Err(error)) => refused(&error, &place, hide),
                Err(_) => not_let_in(&place, patience),
            }
        }
        host => {
            let host = match host {
                Some(Host::Tcp(host)) => host.clone(),
                _ => "localhost".to_owned(),
            };
            let place = format!("{host}:{port}");
            let stream = match connect(&host, port, patience).await {
                Ok(stream) => stream,
                Err(finding) => return finding,
            };
            let reached = begin.elapsed();
            let mut maker = MakeRustlsConnect::new((*tls::client(verified)).clone());
            let connector = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::make_tls_connect(
                &mut maker, &host,
            );
            let Ok(connector) = connector;
            let again = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::make_tls_connect(
                &mut maker, &host,
            );
            let Ok(again) = again;
            let session = Session { query, place: &place, reached, begin, patience };
            match patience.wait(config.connect_raw(stream, connector)).await {
                Ok(Ok((client, connection))) => {
                    let token = client.cancel_token();
                    let cancel = Box::pin(async move {
                        if let Ok(stream) = TcpStream::connect((host.as_str(), port)).await {
                            // As above.
                            _ = token.cancel_query_raw(stream, again).await;
                        }
                    });
                    session.talk(client, connection, cancel, hide).await
                }
                Ok(Err(error)) => refused(&error, &place, hide),
                Err(_) => not_let_in(&place, patience),
            }
        }
    }
}

fn config(url: &str) -> Result<(Config, bool), Words> {
    let (start, options) = url.split_once('?').unwrap_or((url, ""));
    let name = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
    let verified = options.split('&').any(|it| it.starts_with("sslmode=verify"));
    let known: Vec<&str> = options
        .split('&')
        .filter(|option| OPTIONS.contains(&name(option).as_str()))
        .filter(|option| !option.starts_with("sslmode=verify") && *option != "sslmode=allow")
        .collect();
    let url = format!("{start}?{}", known.join("&"));
    // The library's text does not repeat the URL.
    let mut config: Config = url
        .trim_end_matches('?')
        .parse()
        .map_err(|error: Error| said::bad_url(&cause(&error).to_string()))?;
    if verified {
        config.ssl_mode(SslMode::Require);
    }
    config.application_name("zelador");
    Ok((config, verified))
}

fn not_let_in(place: &str, patience: Patience) -> Finding {
    Finding::TimedOut { detail: said::not_let_in(place, patience) }
}

/// One look at a server that lets us in.
struct Session<'a> {
    query: &'a Query<'a>,
    place: &'a str,
    /// When it began.
    begin: Instant,
    /// How long the connection took.
    reached: Duration,
    patience: Patience,
}

impl Session<'_> {
    async fn talk(
        self,
        client: Client,
        connection: impl Future<Output = Result<(), Error>>,
        cancel: End,
        hide: impl Fn(&str) -> String,
    ) -> Finding {
        let let_in = self.begin.elapsed().saturating_sub(self.reached);
        let asked_at = Instant::now();
        let mut connection = std::pin::pin!(connection);
        let asked = async {
            let withdraw = Withdraw::new(cancel);
            let rows = client.simple_query(self.query.text("SELECT 1")).await;
            withdraw.answered();
            let (rows, took) = (rows?, asked_at.elapsed());
            // What a user may not see is left out.
            let state = client.simple_query(STATE).await.ok();
            Ok::<_, Error>((first_value(&rows, 0), took, state))
        };
        let both = async {
            tokio::select! {
                biased;
                asked = asked => asked,
                // The connection ends only when it breaks: the query then says how.
                ended = &mut connection => match ended {
                    Err(error) => Err(error),
                    Ok(()) => std::future::pending().await,
                },
            }
        };
        let result = self.patience.wait(both).await;
        drop(client);
        // Says goodbye; how that goes does not matter.
        _ = self.patience.wait(&mut connection).await;
        match result {
            Ok(Ok((answer, took, state))) => {
                let mut measures = vec![
                    Measure::span("connect", self.reached),
                    Measure::span("authenticate", let_in),
                    Measure::span("query", took),
                ];
                if let Some(state) = state {
                    measures.extend(measures_in(&state));
                }
                self.query.judge(answer.as_deref(), measures)
            }
            Ok(Err(error)) => match error.as_db_error() {
                Some(told) => Finding::WrongAnswer { detail: quoted(hide(&server_text(told))) },
                None => Finding::Refused { detail: said::closed_by(self.place) },
            },
            Err(_) => {
                let asked = self.query.said("SELECT 1");
                Finding::TimedOut { detail: said::no_answer_to(self.place, &asked, self.patience) }
            }
        }
    }
}

fn first_value(messages: &[SimpleQueryMessage], column: usize) -> Option<String> {
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(column).map(str::to_owned),
        _ => None,
    })
}

fn measures_in(state: &[SimpleQueryMessage]) -> Vec<Measure> {
    let number = |column| first_value(state, column)?.parse::<f64>().ok();
    let mut measures = Vec::new();
    if let (Some(used), Some(most)) = (number(0), number(1))
        && most > 0.0
    {
        measures.push(Measure::new("connections", used * 100.0 / most, Unit::Percent));
    }
    let is_replica = first_value(state, 2).as_deref() == Some("t");
    if let Some(lag) = number(3).filter(|_| is_replica) {
        measures.push(Measure::new("lag", lag, Unit::Seconds));
    }
    measures
}

fn refused(error: &Error, place: &str, hide: impl Fn(&str) -> String) -> Finding {
    if let Some(told) = error.as_db_error() {
        return Finding::Refused { detail: quoted(hide(&server_text(told))) };
    }
    let cause = cause(error);
    let why = cause.to_string();
    let detail = match why.as_str() {
        "server does not support TLS" => said::offers_no_tls(place),
        _ if error.is_closed() => said::closed_by(place),
        why if why.contains("invalid message") || why.contains("unexpected message") => {
            return Finding::WrongAnswer { detail: said::does_not_speak(place, "PostgreSQL") };
        }
        why => cause
            .downcast_ref::<io::Error>()
            .map_or_else(|| quoted(format!("{place}: {why}")), |error| said::at(error, place)),
    };
    Finding::Refused { detail: detail.map(hide) }
}

/// What lies at the bottom of an error.
fn cause<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

/// `FATAL 28P01: password authentication failed for user "ana"`.
fn server_text(error: &tokio_postgres::error::DbError) -> String {
    format!("{} {}: {}", error.severity(), error.code().code(), error.message())
}

#[cfg(test)]
mod tests;
