//! The two sockets on which programs call that use PM2's library, in a home of its shape.
//!
//! Whoever calls is answered by a process of its own (`zelador pm2-api`), which is started with the
//! first call, given both listening sockets, and ends when nobody calls any more: the engine reads no
//! byte of theirs. Always holds: the sockets are stowed with the guardian, so a call made while an engine
//! is replaced waits, and PM2's library never finds the home empty and starts a daemon of its own in it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use tokio::io::unix::AsyncFd;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time;
use tokio_util::sync::CancellationToken;

use zelador_core::spec::Settings;

use super::Driver;
use super::handed::remove_dead_socket;
use super::stowed::Stowed;
use crate::again::{self, Again, Then};
use crate::errno;

/// Callers that may wait for the process that answers.
const BACKLOG: i32 = 128;

/// The operation in the ledger of retries, and its name in the settings.
const ANSWER: &str = "answer";

impl Driver {
    /// Begins to answer those who call on PM2's sockets; without them everything else goes on.
    pub(super) fn answer_pm2s_clients(&mut self) {
        if !self.home.is_pm2() {
            return;
        }
        let [calls, bus] = [self.home.pm2_calls(), self.home.pm2_bus()];
        let opened = self.pm2_socket(&calls).and_then(|calls| Ok((calls, self.pm2_socket(&bus)?)));
        let (calls, bus) = match opened {
            Ok(both) => both,
            Err(error) => {
                tracing::warn!(%error, "programs that use PM2's library are not answered");
                return;
            }
        };
        let program = self.program.clone();
        let home = self.home.path().to_owned();
        let tries = Again::new(self.sender.clone(), self.clock, ANSWER, "pm2");
        let settings = self.settings.subscribe();
        let answerer = Answerer { program, home, calls, bus, settings, tries };
        self.server.spawn(answerer.run(self.closing.clone()));
    }

    /// The listening socket of this path: the one of the engine before, or a new one.
    fn pm2_socket(&mut self, path: &Path) -> io::Result<OwnedFd> {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = Stowed::Pm2 { pm2: file }.bytes();
        if let Some(known) = self.native.stowed(&name) {
            return known.try_clone();
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        remove_dead_socket(path);
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        // Before anybody can call. PM2 gives 0775.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        listen(&socket, BACKLOG)?;
        self.native.stow(&name, &socket)?;
        Ok(socket)
    }
}

/// Starts the process that answers, when somebody calls.
struct Answerer {
    program: PathBuf,
    home: PathBuf,
    calls: OwnedFd,
    bus: OwnedFd,
    settings: watch::Receiver<Settings>,
    tries: Again,
}

impl Answerer {
    async fn run(mut self, closing: CancellationToken) {
        while closing.run_until_cancelled(self.somebody_calls()).await.is_some() {
            // It outlives this engine: its callers notice nothing, and it ends with the last of them.
            self.tries.begin(self.settings.borrow().resilience.retry(ANSWER, again::PM2));
            match closing.run_until_cancelled(self.answer()).await {
                Some(Ok(())) => self.tries.worked().await,
                Some(Err(error)) => {
                    let pause = match self.tries.refused(errno::said(&error)).await {
                        Then::After(delay) => delay,
                        Then::Over => again::PM2.cap,
                    };
                    tracing::warn!(%error, ?pause, "a call by PM2's library is not answered; tried again");
                    if closing.run_until_cancelled(time::sleep(pause)).await.is_none() {
                        return;
                    }
                }
                None => return,
            }
        }
    }

    /// Waits for a call, and does not take it.
    async fn somebody_calls(&self) {
        let [calls, bus] = [&self.calls, &self.bus].map(watched);
        let (Ok(calls), Ok(bus)) = (calls, bus) else {
            tracing::warn!(
                "no descriptor is left: programs that use PM2's library are not answered"
            );
            return std::future::pending().await;
        };
        while !is_called(&self.calls) && !is_called(&self.bus) {
            // Either: which of them is looked at above.
            let guard = tokio::select! {
                guard = calls.readable() => guard,
                guard = bus.readable() => guard,
            };
            if let Ok(mut guard) = guard {
                guard.clear_ready();
            }
        }
    }

    /// Has the process answer, until nobody calls any more.
    async fn answer(&self) -> io::Result<()> {
        let mut child = Command::new(&self.program)
            .arg(zelador_api::PM2_API_ROLE)
            .env("ZELADOR_HOME", &self.home)
            .current_dir("/")
            .stdin(Stdio::from(self.calls.try_clone()?))
            .stdout(Stdio::from(self.bus.try_clone()?))
            .stderr(Stdio::inherit())
            .spawn()?;
        let status = child.wait().await?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended: {status}"))) }
    }
}

/// Wakes when somebody calls.
fn watched(socket: &OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    let own = socket.try_clone()?;
    // SAFETY: the descriptor is owned by the `AsyncFd` from here on, so it stays open and the same for
    // as long as it is registered.
    unsafe { AsyncFd::register(own) }.map_err(io::Error::from)
}

fn is_called(socket: &OwnedFd) -> bool {
    let mut looked = [PollFd::new(socket, PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut looked, Some(&now)).is_ok_and(|ready| ready > 0)
}
