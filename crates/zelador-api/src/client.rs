//! Talks to an engine: HTTP/1.1, one connection a request. Over its control socket, or, for what is not the
//! owner's alone, over TCP. What a program may ask is in `calls`, a method each.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::home::Home;
use crate::problem::Problem;
use crate::token::Token;

/// Talks to one engine.
#[derive(Clone, Debug)]
pub struct Client {
    way: Way,
    /// Shown wherever it is asked for; never told in an error.
    token: Option<Token>,
    patience: Duration,
}

/// How the engine is reached.
#[derive(Clone, Debug)]
enum Way {
    Socket(PathBuf),
    /// `host:port`.
    Tcp(String),
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
    /// Nobody answers at this address.
    #[error("no connection to {0}")]
    Unreachable(String, #[source] io::Error),
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
    /// Whether a zelador was there that did not end in order: its socket is there still, and its list.
    pub fn is_of_killed(&self) -> bool {
        matches!(self, Self::NotRunning(socket) if socket.exists())
    }

    /// Returns the next thing to try, shown under the error as `help:`.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotRunning(_) => Some(if self.is_of_killed() {
                "it was killed, or the host went down: `zelador resurrect` brings its apps back, with those that still run".to_owned()
            } else {
                "`zelador start FILE` starts an app, and zelador with it".to_owned()
            }),
            Self::NotAllowed(..) => {
                Some("zelador answers only to the user who started it, and to root".to_owned())
            }
            Self::Unreachable(..) => {
                Some("`zelador doctor` on that host tells where zelador listens".to_owned())
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
        Self { way: Way::Socket(home.socket()), token: None, patience }
    }

    /// Returns a client of an engine that listens at `host:port`, which knows of it what is not its owner's
    /// alone. That is HTTP in the clear: beyond this host it needs a tunnel.
    pub fn over_tcp(address: impl Into<String>, patience: Duration) -> Self {
        Self { way: Way::Tcp(address.into()), token: None, patience }
    }

    /// Returns the same with a token, which is needed to change something and to read logs.
    #[must_use]
    pub fn with_token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
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

    /// Asks for something whose answer may be of several statuses: returns it with its body.
    ///
    /// # Errors
    /// Nobody answers.
    pub(crate) async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let asked = self.exchange(method, path, body);
        match tokio::time::timeout(self.patience, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::TimedOut(self.patience)),
        }
    }

    pub(crate) async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        let (status, body) = self.answer(method, path, body).await?;
        if status.is_success() { Ok(body) } else { Err(refused(status, path, &body)) }
    }

    /// Listens to an answer that goes on.
    ///
    /// # Errors
    /// Nobody answers within the patience, or the answer is no success.
    pub async fn follow(&self, path: &str) -> Result<Lines, ClientError> {
        let asked = self.ask(Method::GET, path, Bytes::new());
        let answered = tokio::time::timeout(self.patience, asked).await;
        let (answer, connection) = answered.map_err(|_| ClientError::TimedOut(self.patience))??;
        let status = answer.status();
        if !status.is_success() {
            let problem = Problem::new(format!("the engine answered {status} to {path}"));
            return Err(ClientError::Problem(problem));
        }
        Ok(Lines { body: answer.into_body(), connection: Some(connection), begun: Vec::new() })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let (answer, connection) = self.ask(method, path, body).await?;
        let status = answer.status();
        let body = answer.into_body().collect();
        tokio::pin!(body);
        let body = tokio::select! {
            biased;
            body = &mut body => body,
            ended = connection => {
                ended.map_err(broken)?;
                body.await
            }
        };
        Ok((status, body.map_err(broken)?.to_bytes()))
    }

    /// Returns the name of the host, and the connection to it.
    async fn connect(&self) -> Result<(String, Box<dyn Stream>), ClientError> {
        match &self.way {
            Way::Socket(path) => {
                let stream = UnixStream::connect(path).await;
                let stream = stream.map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                        ClientError::NotRunning(path.clone())
                    }
                    _ => ClientError::NotAllowed(path.clone(), error),
                })?;
                Ok(("zelador".to_owned(), Box::new(stream)))
            }
            Way::Tcp(address) => {
                let stream = TcpStream::connect(address).await;
                let stream =
                    stream.map_err(|error| ClientError::Unreachable(address.clone(), error))?;
                Ok((address.clone(), Box::new(stream)))
            }
        }
    }

    /// Sends a request, and returns the beginning of its answer with the connection that has to be
    /// driven for the rest.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        let (host, stream) = self.connect().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.reveal()));
        }
        let request =
            request.body(Full::new(body)).map_err(|error| ClientError::Broken(Box::new(error)))?;
        let mut connection: Connection = Box::pin(connection);
        let answer = sender.send_request(request);
        tokio::pin!(answer);
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer,
            ended = &mut connection => {
                ended.map_err(broken)?;
                // It is over, and its answer is there; nothing is left to be driven.
                connection = Box::pin(async { Ok(()) });
                answer.await
            }
        };
        Ok((answer.map_err(broken)?, connection))
    }
}

/// What carries a request and its answer, while it is polled.
type Connection = Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>;

/// What carries bytes both ways.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An answer that is no success, as the engine tells it.
pub(crate) fn refused(status: StatusCode, path: &str, body: &[u8]) -> ClientError {
    let problem = serde_json::from_slice(body)
        .unwrap_or_else(|_| Problem::new(format!("the engine answered {status} to {path}")));
    ClientError::Problem(problem)
}

fn broken(error: hyper::Error) -> ClientError {
    ClientError::Broken(Box::new(error))
}

/// The lines of an answer that goes on.
pub struct Lines {
    body: Incoming,
    connection: Option<Connection>,
    begun: Vec<u8>,
}

impl Lines {
    /// The next line without its end; `None`: the other side has ended.
    ///
    /// # Errors
    /// The connection breaks.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            if let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let rest = self.begun.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.begun, rest);
                line.pop();
                return Ok(Some(line));
            }
            let frame = match &mut self.connection {
                None => self.body.frame().await,
                Some(connection) => tokio::select! {
                    biased;
                    frame = self.body.frame() => frame,
                    ended = connection => {
                        self.connection = None;
                        ended.map_err(broken)?;
                        continue;
                    }
                },
            };
            match frame {
                None => return Ok(None),
                Some(frame) => {
                    let frame = frame.map_err(broken)?;
                    self.begun.extend(frame.into_data().unwrap_or_default());
                }
            }
        }
    }
}
