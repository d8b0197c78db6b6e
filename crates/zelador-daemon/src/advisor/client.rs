//! One POST to a server that speaks HTTP/1.1, plain or over TLS: bounded in time and in size.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use zelador_core::retry::{ErrorClass, Failure};
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use crate::errno;

/// An answer is no larger.
const LARGEST: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub struct Broken {
    /// Of which kind it is, and how long the server wants to be left alone.
    pub failure: Failure,
    /// What is told.
    pub text: Words,
}

fn broken(class: ErrorClass, text: Words) -> Broken {
    Broken { failure: Failure::new(class), text }
}

/// Sends `body` to `base` + `path`; returns the body of a good answer.
///
/// # Errors
/// Nobody answers in time, or the answer is bad.
pub async fn post(
    base: &str,
    path: &str,
    headers: &[(&'static str, String)],
    body: Bytes,
    within: Duration,
) -> Result<Bytes, Broken> {
    let asked = exchange(base, path, headers, body);
    match tokio::time::timeout(within, asked).await {
        Ok(answer) => answer,
        Err(_) => {
            let late = words!("no answer within {t}", "sem resposta em {t}", t = within);
            Err(broken(ErrorClass::TimedOut, late))
        }
    }
}

async fn exchange(
    base: &str,
    path: &str,
    headers: &[(&'static str, String)],
    body: Bytes,
) -> Result<Bytes, Broken> {
    let invalid = || {
        let wrong = words!("the URL of the advisor is wrong", "a URL do conselheiro está errada");
        broken(ErrorClass::Invalid, wrong)
    };
    let uri: Uri = format!("{base}{path}").parse().map_err(|_| invalid())?;
    let host = uri.host().ok_or_else(invalid)?.trim_matches(['[', ']']).to_owned();
    let is_tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let authority = uri.authority().ok_or_else(invalid)?.as_str().to_owned();
    let mut request = Request::post(uri.path_and_query().map_or("/", |it| it.as_str()))
        .header(HOST, authority)
        .header(USER_AGENT, concat!("zelador/", env!("CARGO_PKG_VERSION")));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(body)).map_err(|_| {
        let wrong = words!(
            "the key of the advisor has characters that no header has",
            "a chave do conselheiro tem caracteres que nenhum cabeçalho tem",
        );
        broken(ErrorClass::Invalid, wrong)
    })?;
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| {
        broken(ErrorClass::Unreachable, errno::said_of(format_args!("{host}:{port}"), &error))
    })?;
    if !is_tls {
        return talk(stream, request).await;
    }
    let name = ServerName::try_from(host.clone()).map_err(|_| invalid())?;
    let stream = tls()?
        .connect(name, stream)
        .await
        .map_err(|error| broken(ErrorClass::Denied, quoted(format!("TLS: {host}: {error}"))))?;
    talk(stream, request).await
}

fn tls() -> Result<TlsConnector, Broken> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(ErrorClass::Invalid, quoted(error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Bytes, Broken> {
    let lost = |error: hyper::Error| broken(ErrorClass::ConnectionLost, quoted(error));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status().as_u16();
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|it| it.to_str().ok()?.trim().parse().ok());
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let Some(class) = ErrorClass::of_http_status(status) else {
            let body = body.map_err(|error| broken(ErrorClass::ConnectionLost, quoted(error)))?;
            return Ok(body.to_bytes());
        };
        let failure = match wait {
            Some(seconds) => Failure::asking_to_wait(class, Duration::from_secs(seconds)),
            None => Failure::new(class),
        };
        // What a server says may repeat the question: only its status is told.
        let text = words!("HTTP {status}: {why}", "HTTP {status}: {why}", why = class.words());
        Err(Broken { failure, text })
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}
