//! The connections over TCP: how many there are at most, and what each may cost.
//!
//! Whoever reaches the address may connect, whatever they are allowed to ask: before anything is asked a
//! connection holds a descriptor and what was read of its request. Always holds: all of them together
//! hold [`MOST`] descriptors or a quarter of what the engine may open, and [`LARGEST_HEAD`] each of memory,
//! so the control socket, the guardian and the services never lack what they need; and a place that is
//! taken becomes free again, whatever the other side does or leaves undone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::Failure;
use super::asker::Peer;

/// The most connections.
const MOST: u32 = 256;

/// How long a connection may take for the head of its next request; nginx gives 60 s, Apache 20 s.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// The longest head of a request, in bytes; nginx takes 32 KiB.
const LARGEST_HEAD: usize = 32 << 10;

/// The largest body: what is asked over TCP are a few words.
const LARGEST_BODY: usize = 64 << 10;

/// How long, in milliseconds, what was sent may wait for a peer that takes nothing of it.
const TAKEN_WITHIN: u32 = 60_000;

/// How often it is said that all places are taken.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// The places that connections take, whichever address they came to.
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// Those of them that may be taken by what has no end: others are asked and answered meanwhile.
    streams: Arc<Semaphore>,
    count: u32,
    said: Option<Instant>,
}

impl Places {
    pub(super) fn new() -> Self {
        let quarter = getrlimit(Resource::Nofile).current.map_or(u64::MAX, |most| most / 4);
        Self::of(u32::try_from(quarter).unwrap_or(MOST).clamp(2, MOST))
    }

    fn of(count: u32) -> Self {
        let places = |count: u32| Arc::new(Semaphore::new(count as usize));
        Self { all: places(count), streams: places(count / 2), count, said: None }
    }

    /// Answers on `listener` until this is dropped; what is being answered then, until closing.
    pub(super) async fn serve(
        &mut self,
        mut listener: TcpListener,
        router: Router,
        closing: &CancellationToken,
    ) -> ! {
        loop {
            // Whoever finds no place waits in the kernel's queue, where nothing of ours is held.
            let place = self.place().await;
            let (stream, address) = Listener::accept(&mut listener).await;
            let connection = Connection { place, stream, address, streams: self.streams.clone() };
            tokio::spawn(connection.run(router.clone(), closing.clone()));
        }
    }

    async fn place(&mut self) -> OwnedSemaphorePermit {
        if let Ok(place) = self.all.clone().try_acquire_owned() {
            return place;
        }
        if self.said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
            self.said = Some(Instant::now());
            tracing::warn!(
                connections = self.count,
                "as many connections to the health endpoints as there may be: others wait"
            );
        }
        let place = self.all.clone().acquire_owned().await;
        place.expect("the places are never closed")
    }
}

struct Connection {
    place: OwnedSemaphorePermit,
    stream: TcpStream,
    address: SocketAddr,
    streams: Arc<Semaphore>,
}

impl Connection {
    /// Answers what is asked until the other side, its time or zelador ends it.
    async fn run(self, router: Router, closing: CancellationToken) {
        let Self { place, stream, address, streams } = self;
        // Refused: a peer that takes nothing keeps its place for longer, as TCP itself tries.
        _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, TAKEN_WITHIN);
        let peer = ConnectInfo(Peer::Remote(address));
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request: Request = request.map(bounded);
            request.extensions_mut().insert(peer);
            let answered = router.clone().call(request);
            let streams = streams.clone();
            async move { answered.await.map(|answer| with_place(answer, streams)) }
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(LARGEST_HEAD);
        let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = closing.run_until_cancelled(served.as_mut()).await;
        if ended.is_none() {
            served.as_mut().graceful_shutdown();
            // As below.
            _ = served.await;
        }
        // However it ended: nothing is left to be told to anybody.
        drop(place);
    }
}

/// A body that is read no further than it may be long; most requests have none.
fn bounded(body: Incoming) -> Body {
    if body.is_end_stream() { Body::empty() } else { Body::new(Limited::new(body, LARGEST_BODY)) }
}

/// An answer that has no end takes one of the places for such until it is over.
fn with_place(answer: Response, streams: Arc<Semaphore>) -> Response {
    if answer.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != "text/event-stream") {
        return answer;
    }
    match streams.try_acquire_owned() {
        Ok(place) => answer.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _held = &place;
                frame
            }))
        }),
        Err(_) => {
            let error = "as many streams are open as there may be";
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, error)
                .with_help("close another page or stream")
                .into_response()
        }
    }
}
