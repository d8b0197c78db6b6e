//! Asking an app over HTTP/1.1.
//!
//! A URL and what is expected go in; the kind of failure comes out: nobody listens, nobody
//! answers, the answer is wrong. Each look has a connection of its own, as a new client would.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use zelador_core::probe::{Finding, Measure};
use zelador_core::redact;
use zelador_core::spec::HttpProbe;
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use super::connect::{bare, connect_timed};
use super::patience::Patience;
use super::said;
use super::tls;
use crate::retry_after;

/// How much of a body is read and searched.
const BODY_READ: usize = 256 << 10;

/// The answers with which `Retry-After` says when to ask again: RFC 6585 and RFC 9110.
const BUSY: [u16; 2] = [429, 503];

/// Asks once. A good answer comes with how long each phase took: name, connect, TLS, first byte.
pub(super) async fn look(probe: &HttpProbe, patience: Patience) -> Finding {
    let Some(Prepared { host, port, secure, request }) = prepare(probe) else {
        let shown = redact::url(&probe.url);
        return Finding::Unavailable {
            detail: words!(
                "`{shown}` is not `http://host:port/path`",
                "`{shown}` não é `http://host:porta/caminho`",
            ),
        };
    };
    let (stream, spans) = match connect_timed(&host, port, patience).await {
        Ok(connected) => connected,
        Err(finding) => return finding,
    };
    let mut phases = vec![("name", spans.name), ("connect", spans.connect)];
    if !secure {
        return exchange(probe, stream, request, phases, patience).await;
    }
    let begin = Instant::now();
    match tls::handshake(stream, &host, !probe.insecure, patience).await {
        Ok(stream) => {
            phases.push(("tls", begin.elapsed()));
            exchange(probe, stream, request, phases, patience).await
        }
        Err(finding) => finding,
    }
}

async fn exchange(
    probe: &HttpProbe,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    mut phases: Vec<(&'static str, Duration)>,
    patience: Patience,
) -> Finding {
    let mut stage = Stage::Connected;
    let begin = Instant::now();
    let exchange = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let talk = async {
            let response = sender.send_request(request).await?;
            phases.push(("first byte", begin.elapsed()));
            stage = Stage::Answered(response.status());
            judge(response, probe).await
        };
        // The connection moves the bytes and may end before what it has read is taken.
        let mut talk = std::pin::pin!(talk);
        tokio::select! {
            biased;
            found = &mut talk => found,
            _ = connection => talk.await,
        }
    };
    let found = match patience.wait(exchange).await {
        Ok(Ok(finding)) => finding,
        Ok(Err(error)) => broken(&error, stage),
        Err(_) => {
            let t = patience.timeout();
            let detail = match stage.status() {
                None => words!(
                    "no answer within {t} after the connection was accepted",
                    "sem resposta em {t} após a conexão ser aceita",
                    t = t,
                ),
                Some(status) => words!(
                    "HTTP {status}, but its body did not end within {t}",
                    "HTTP {status}, mas o corpo não terminou em {t}",
                    t = t,
                ),
            };
            Finding::TimedOut { detail }
        }
    };
    match found {
        Finding::Answered { detail } => {
            let measures = phases.into_iter().map(|(name, span)| Measure::span(name, span));
            Finding::Measured { detail, measures: measures.collect() }
        }
        other => other,
    }
}

#[derive(Clone, Copy)]
enum Stage {
    Connected,
    Answered(StatusCode),
}

impl Stage {
    fn status(self) -> Option<u16> {
        match self {
            Self::Connected => None,
            Self::Answered(status) => Some(status.as_u16()),
        }
    }
}

struct Prepared {
    host: String,
    port: u16,
    secure: bool,
    request: Request<Full<Bytes>>,
}

/// Host, port and request of a URL; `None` when it is none that can be asked.
fn prepare(probe: &HttpProbe) -> Option<Prepared> {
    let url: Uri = probe.url.parse().ok()?;
    let secure = match url.scheme_str()? {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let host = url.host().filter(|host| !host.is_empty())?;
    let port = url.port_u16();
    let named = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(probe.method.as_str()).uri(path);
    // Kubernetes too lets these be set by the user.
    let ours = [
        (HOST, named.as_str()),
        (USER_AGENT, concat!("zelador/", env!("CARGO_PKG_VERSION"))),
        (ACCEPT, "*/*"),
        (CONNECTION, "close"),
    ];
    for (name, value) in ours {
        if !probe.headers.contains_key(name.as_str()) {
            request = request.header(name, value);
        }
    }
    for (name, value) in &probe.headers {
        request = request.header(name, value);
    }
    let body = Bytes::from(probe.body.clone().unwrap_or_default());
    let request = request.body(Full::new(body)).ok()?;
    let port = port.unwrap_or(if secure { 443 } else { 80 });
    Some(Prepared { host: bare(host).to_owned(), port, secure, request })
}

async fn judge(response: Response<Incoming>, probe: &HttpProbe) -> hyper::Result<Finding> {
    let status = response.status().as_u16();
    let within = |(lowest, highest): &(u16, u16)| (*lowest..=*highest).contains(&status);
    let degraded = probe.degraded_status.iter().any(within);
    if !degraded && !within(&probe.status) && !probe.more_status.iter().any(within) {
        let detail = quoted(format!("HTTP {status}"));
        let busy = BUSY.contains(&status);
        let asked = retry_after::asked(response.headers(), jiff::Timestamp::now());
        return Ok(match asked.filter(|wait| busy && !wait.is_zero()) {
            Some(retry_after) => Finding::Busy { detail, retry_after },
            None => Finding::WrongAnswer { detail },
        });
    }
    // Read even if nothing is searched: an app that hangs half way through is not well.
    let mut body = response.into_body();
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data[..data.len().min(BODY_READ - read.len())]);
        }
        if read.len() >= BODY_READ {
            break;
        }
    }
    if let Some(complaint) = complaint(&read, probe) {
        return Ok(Finding::WrongAnswer { detail: but(status, &complaint) });
    }
    let json = serde_json::from_slice(&read).unwrap_or_default();
    let worse = probe.degraded_json.iter().find_map(|condition| condition.complaint(&json));
    Ok(match worse {
        Some(complaint) => Finding::Impaired { detail: but(status, &complaint) },
        None if degraded => Finding::Impaired { detail: quoted(format!("HTTP {status}")) },
        None => Finding::Answered { detail: quoted(format!("HTTP {status}")) },
    })
}

/// What is wrong with a body.
fn complaint(body: &[u8], probe: &HttpProbe) -> Option<Words> {
    if let Some(text) = probe.contains.as_ref().filter(|text| !has(body, text.as_bytes())) {
        return Some(words!("the body lacks `{text}`", "falta `{text}` no corpo"));
    }
    if let Some(text) = probe.lacks.as_ref().filter(|text| has(body, text.as_bytes())) {
        return Some(words!("the body contains `{text}`", "o corpo contém `{text}`"));
    }
    if probe.json.is_empty() {
        return None;
    }
    let Ok(json) = serde_json::from_slice(body) else {
        return Some(words!("the body is no JSON", "o corpo não é JSON"));
    };
    probe.json.iter().find_map(|condition| condition.complaint(&json))
}

fn but(status: u16, complaint: &Words) -> Words {
    words!(
        "HTTP {status}, but {complaint}",
        "HTTP {status}, mas {complaint}",
        complaint = complaint,
    )
}

fn has(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || memchr::memmem::find(body, text).is_some()
}

fn broken(error: &hyper::Error, stage: Stage) -> Finding {
    match stage.status() {
        Some(status) => {
            let broke_off = words!("its body broke off", "o corpo foi interrompido");
            Finding::WrongAnswer { detail: but(status, &broke_off) }
        }
        None if error.is_parse() => {
            let detail = words!("the answer is not HTTP", "a resposta não é HTTP");
            Finding::WrongAnswer { detail }
        }
        None => Finding::Refused { detail: said::closed_without_answer() },
    }
}

#[cfg(test)]
mod tests;
