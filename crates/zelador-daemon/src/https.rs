//! Asking a server over HTTP/1.1, with TLS where the address says `https`.
//!
//! A request goes in; an answer comes out, or why there is none. Each request has a connection of its
//! own: what is asked this way is asked seldom. No error shows the address, which may be a secret.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use zelador_core::retry::ErrorClass;
use zelador_core::words;
use zelador_core::words::Words;

use crate::{errno, retry_after};

/// How much of an answer is read.
const BODY_READ: usize = 4 << 20;

/// The file with certificates that are trusted besides the usual ones: `OpenSSL`'s variable.
const TRUSTED: &str = "SSL_CERT_FILE";

/// What to ask.
#[derive(Debug)]
pub struct Ask {
    /// How.
    pub method: Method,
    /// Where: `https://host[:port]/path?query`, or `http://`.
    pub url: String,
    /// Headers besides those that every request has.
    pub headers: Vec<(HeaderName, String)>,
    /// What.
    pub body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The pause that it asks for.
    pub retry_after: Option<Duration>,
    /// The body, as far as it is read.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The address is none.
    Address,
    /// A header cannot be sent.
    Header,
    /// No connection.
    Connect(String, Words),
    /// TLS was not agreed upon.
    Tls(String, String),
    /// The connection ended before the answer.
    Broken(String),
    /// It took too long.
    TimedOut {
        /// Who.
        host: String,
        /// So long.
        patience: Duration,
    },
}

impl NoAnswer {
    /// The reason in every language.
    pub fn words(&self) -> Words {
        match self {
            Self::Address => words!(
                "the address is not `https://host/path`",
                "o endereço não é `https://host/caminho`",
            ),
            Self::Header => words!(
                "a header has characters that cannot be sent",
                "um cabeçalho tem caracteres que não podem ser enviados",
            ),
            Self::Connect(host, why) => {
                words!("no connection to {host}: {why}", "sem conexão com {host}: {why}", why = why,)
            }
            Self::Tls(host, why) => {
                words!("no TLS with {host}: {why}", "sem TLS com {host}: {why}")
            }
            Self::Broken(host) => words!(
                "the connection to {host} ended without an answer",
                "a conexão com {host} terminou sem resposta",
            ),
            Self::TimedOut { host, patience } => words!(
                "{host} did not answer within {t}",
                "{host} não respondeu em {t}",
                t = *patience,
            ),
        }
    }

    /// What kind of failure it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Address | Self::Header => ErrorClass::Invalid,
            Self::Connect(..) | Self::Tls(..) => ErrorClass::Unreachable,
            Self::Broken(_) => ErrorClass::ConnectionLost,
            Self::TimedOut { .. } => ErrorClass::TimedOut,
        }
    }
}

/// Asks once, and waits for the answer so long.
///
/// # Errors
/// There is none.
pub async fn ask(ask: Ask, patience: Duration) -> Result<Answer, NoAnswer> {
    let url: Uri = ask.url.trim().parse().map_err(|_| NoAnswer::Address)?;
    let tls = match url.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(NoAnswer::Address),
    };
    let host = url.host().filter(|host| !host.is_empty()).ok_or(NoAnswer::Address)?.to_owned();
    let late = NoAnswer::TimedOut { host: host.clone(), patience };
    let asked = exchange(ask, &url, host, tls);
    tokio::time::timeout(patience, asked).await.unwrap_or(Err(late))
}

async fn exchange(ask: Ask, url: &Uri, host: String, tls: bool) -> Result<Answer, NoAnswer> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let failed = |error: std::io::Error| NoAnswer::Connect(host.clone(), errno::said(&error));
    let stream = TcpStream::connect((bare.as_str(), port)).await.map_err(failed)?;
    let request = request(ask, url, &host)?;
    if !tls {
        return talk(TokioIo::new(stream), request, host).await;
    }
    let failed = |error: String| NoAnswer::Tls(host.clone(), error);
    let name = ServerName::try_from(bare).map_err(|error| failed(error.to_string()))?;
    let connector = TlsConnector::from(trust());
    let connected = connector.connect(name, stream).await;
    let stream = connected.map_err(|error| failed(error.to_string()))?;
    talk(TokioIo::new(stream), request, host).await
}

fn request(ask: Ask, url: &Uri, host: &str) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let named = url.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(ask.method)
        .uri(path)
        .header(HOST, named)
        .header(USER_AGENT, concat!("zelador/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close");
    for (name, value) in ask.headers {
        let value = HeaderValue::from_str(&value).map_err(|_| NoAnswer::Header)?;
        request = request.header(name, value);
    }
    request.body(Full::new(ask.body)).map_err(|_| NoAnswer::Address)
}

async fn talk<S: Read + Write + Unpin + Send>(
    stream: S,
    request: Request<Full<Bytes>>,
    host: String,
) -> Result<Answer, NoAnswer> {
    let broken = |_: hyper::Error| NoAnswer::Broken(host.clone());
    let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status().as_u16();
        let retry_after = retry_after::asked(response.headers(), jiff::Timestamp::now());
        let (mut body, mut read) = (response.into_body(), Vec::new());
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(broken)?.into_data() {
                read.extend_from_slice(&data[..data.len().min(BODY_READ - read.len())]);
            }
            if read.len() >= BODY_READ {
                break;
            }
        }
        Ok(Answer { status, retry_after, body: read })
    };
    // The connection moves the bytes and may end before what it has read is taken.
    let mut talk = std::pin::pin!(talk);
    tokio::select! {
        biased;
        answer = &mut talk => answer,
        _ = connection => talk.await,
    }
}

/// Mozilla's list of authorities, and what the host's owner trusts besides.
fn trust() -> Arc<ClientConfig> {
    static TRUST: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let made = TRUST.get_or_init(|| {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        roots.add_parsable_certificates(vouched_for());
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows the usual versions of TLS");
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    });
    Arc::clone(made)
}

/// The certificates that are trusted besides the usual ones; none when that file cannot be read.
pub fn vouched_for() -> Vec<CertificateDer<'static>> {
    let Some(path) = std::env::var_os(TRUSTED) else { return Vec::new() };
    match CertificateDer::pem_file_iter(&path) {
        Ok(certificates) => certificates.filter_map(Result::ok).collect(),
        Err(error) => {
            tracing::warn!(%error, "{TRUSTED} cannot be read");
            Vec::new()
        }
    }
}
