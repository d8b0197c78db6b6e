//! Talks to the engine over its control socket: HTTP/1.1, one connection a request.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::home::Home;
use crate::problem::Problem;

/// Talks to one engine.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    patience: Duration,
}

/// Why there is no answer, or not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("zelador is not running (nobody listens on {})", .0.display())]
    NotRunning(PathBuf),
    /// The socket belongs to somebody else.
    #[error("the control socket {} cannot be opened", .0.display())]
    NotAllowed(PathBuf, #[source] io::Error),
    /// The engine said no.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The connection broke before the answer was there: the engine may have been replaced.
    #[error("the engine went away before it answered; what was asked may or may not be done")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("the engine did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer is not what this version expects.
    #[error("the engine's answer is not understood; its version may be another")]
    Answer(#[source] serde_json::Error),
}

impl ClientError {
    /// Returns the next thing to try, shown under the error as `help:`.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotRunning(_) => {
                Some("`zelador start FILE` starts an app, and zelador with it".to_owned())
            }
            Self::NotAllowed(..) => {
                Some("zelador answers only to the user who started it, and to root".to_owned())
            }
            Self::Problem(problem) => problem.help.clone(),
            Self::Broken(_) => Some("`zelador list` shows what is true now".to_owned()),
            Self::TimedOut(_) => {
                Some("zelador's own log may tell why: `zelador logs --self`".to_owned())
            }
            Self::Answer(_) => Some("compare `zelador --version` with `zelador ping`".to_owned()),
        }
    }
}

impl Client {
    /// Returns a client of the engine in this home. `patience` bounds each request; a stop of an
    /// app with a long grace needs more than a look at the list.
    pub fn new(home: &Home, patience: Duration) -> Self {
        Self { socket: home.socket(), patience }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a [`Problem`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let body = self.bytes(Method::GET, path, Bytes::new()).await?;
        serde_json::from_slice(&body).map_err(ClientError::Answer)
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a [`Problem`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::Answer)?;
        let answer = self.bytes(Method::POST, path, body.into()).await?;
        serde_json::from_slice(&answer).map_err(ClientError::Answer)
    }

    async fn bytes(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, ClientError> {
        let asked = self.exchange(method, path, body);
        match tokio::time::timeout(self.patience, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::TimedOut(self.patience)),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        let stream =
            UnixStream::connect(&self.socket).await.map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ClientError::NotRunning(self.socket.clone())
                }
                _ => ClientError::NotAllowed(self.socket.clone(), error),
            })?;
        let broken = |error: hyper::Error| ClientError::Broken(Box::new(error));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "zelador")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| ClientError::Broken(Box::new(error)))?;
        let exchanged = async {
            let answer = sender.send_request(request).await.map_err(broken)?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(broken)?.to_bytes();
            Ok::<_, ClientError>((status, body))
        };
        tokio::pin!(exchanged);
        let (status, body) = tokio::select! {
            biased;
            answer = &mut exchanged => answer?,
            ended = connection => {
                ended.map_err(broken)?;
                exchanged.await?
            }
        };
        if status.is_success() {
            return Ok(body);
        }
        let problem = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Problem::new(format!("the engine answered {status} to {path}")));
        Err(ClientError::Problem(problem))
    }
}
