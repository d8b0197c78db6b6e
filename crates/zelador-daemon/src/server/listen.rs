//! Where the server listens, and that it goes on doing so when the settings change.

use std::net::SocketAddr;

use axum::Router;
use axum::serve::Listener;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time;
use tokio_util::sync::CancellationToken;
use zelador_api::home::Home;
use zelador_api::token::{self, Token};
use zelador_core::spec::Settings;
use zelador_core::words;

use super::asker::Peer;
use super::connections::Places;
use super::guard;
use crate::again::{self, Again, Then};
use crate::clock::Clock;
use crate::driver::Message;
use crate::errno;

/// The operation in the ledger of retries, and its name in the settings.
const LISTEN: &str = "listen";

/// Answers on the control socket until closing.
pub(super) async fn unix(listener: UnixListener, router: Router, closing: CancellationToken) {
    let own = rustix::process::geteuid().as_raw();
    let listener = Owned { listener, own };
    let router = router.into_make_service_with_connect_info::<Peer>();
    let served = axum::serve(listener, router).with_graceful_shutdown(closing.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the control socket is not served any more");
    }
}

/// A socket that only its owner and root may speak to, whatever the mode of its file has become.
pub(super) struct Owned {
    listener: UnixListener,
    own: u32,
}

impl Listener for Owned {
    type Io = UnixStream;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            match stream.peer_cred() {
                Ok(peer) if [self.own, 0].contains(&peer.uid()) => return (stream, address),
                Ok(peer) => {
                    tracing::warn!(
                        uid = peer.uid(),
                        pid = peer.pid(),
                        "somebody else's call is refused"
                    );
                }
                Err(error) => tracing::warn!(%error, "a call is refused: nobody knows whose it is"),
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Answers on the address in the settings, follows its changes, and tries again while it is taken.
pub(super) async fn tcp(
    mut settings: watch::Receiver<Settings>,
    home: Home,
    router: Router,
    (inbox, clock): (mpsc::Sender<Message>, Clock),
    closing: CancellationToken,
) {
    let mut complained = None;
    let mut tries = Again::new(inbox.clone(), clock, LISTEN, "none");
    let mut before = None;
    let mut places = Places::new();
    loop {
        let address = settings.borrow_and_update().http;
        if let Some(address) = address.filter(|_| before != address) {
            tries = Again::new(inbox.clone(), clock, LISTEN, address.to_string());
        }
        before = address;
        tries.begin(settings.borrow().resilience.retry(LISTEN, again::ADDRESS));
        let in_force = settings.clone();
        let changed = async {
            // Another change of the settings is no reason to hang up.
            while settings.changed().await.is_ok() {
                if settings.borrow_and_update().http != address {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            () = changed => complained = None,
            () = serve(address, (&home, &in_force), (router.clone(), &mut places), &closing, (&mut complained, &mut tries)) => {}
        }
    }
}

async fn serve(
    address: Option<SocketAddr>,
    (home, settings): (&Home, &watch::Receiver<Settings>),
    (router, places): (Router, &mut Places),
    closing: &CancellationToken,
    (complained, tries): (&mut Option<SocketAddr>, &mut Again),
) {
    let Some(address) = address else { return std::future::pending().await };
    let variable = std::env::var(token::VARIABLE).ok();
    let token = Token::read(home, variable.as_deref());
    let Some(router) = guard::guarded(router, address, home.clone(), token, settings.clone())
    else {
        if complained.replace(address) != Some(address) {
            tracing::error!(
                %address,
                "the health endpoints are down: others reach this address, and there is no token of at least {} characters; `zelador token` makes one, and within 5 s they are up",
                token::SHORTEST
            );
        }
        return pause(tries.refused(words!("there is no token", "não há token")).await).await;
    };
    match TcpListener::bind(address).await {
        Ok(listener) => {
            *complained = None;
            tries.worked().await;
            tracing::info!(%address, "health endpoints are up");
            places.serve(listener, router, closing).await;
        }
        Err(error) => {
            if complained.replace(address) != Some(address) {
                tracing::warn!(
                    %address, %error,
                    "the health endpoints cannot listen; tried again by the retry of `listen` (`zelador retries listen`; ZELADOR_HTTP=ADDRESS:PORT or `http` in the settings chooses another)"
                );
            }
            pause(tries.refused(errno::said(&error)).await).await;
        }
    }
}

/// Waits for the next attempt; what was given up begins anew after as long as the longest pause.
async fn pause(then: Then) {
    match then {
        Then::After(delay) => time::sleep(delay).await,
        Then::Over => time::sleep(again::ADDRESS.cap).await,
    }
}
