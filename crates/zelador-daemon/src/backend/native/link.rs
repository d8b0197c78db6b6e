//! The engine's end of the socket to the guardian: never waits, loses nothing.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use zelador_guardian::message::{FromGuardian, ToGuardian};
use zelador_guardian::{Kept, link};

use crate::aside::Aside;

/// How long the guardian has for its welcome: it sends it before anything else.
const WELCOME_WITHIN: Duration = Duration::from_secs(10);

/// How soon it is looked whether this process may open descriptors again.
const AGAIN_IN: Duration = Duration::from_millis(100);

/// The socket and what it had no room for.
pub struct Link {
    socket: AsyncFd<OwnedFd>,
    outgoing: VecDeque<(ToGuardian, Vec<OwnedFd>)>,
    /// The kernel had no room (for descriptors in flight, one more of ours, memory), whose end nothing
    /// reports.
    is_refused: bool,
    /// This process may open no more descriptors, whose end nothing reports either: what is to be received
    /// waits in the socket until then.
    deaf_until: Option<Instant>,
    /// The runs that cannot be asked for, because what they are to be given is too large.
    too_large: Vec<u64>,
    /// Closes what was sent and came from a service.
    aside: Aside,
}

/// What the guardian says first.
pub(super) struct Welcome {
    pub(super) guardian_pid: i32,
    pub(super) listener: OwnedFd,
    pub(super) nofile: (u64, u64),
    pub(super) kept: Vec<Kept>,
    pub(super) stowed: BTreeMap<Vec<u8>, OwnedFd>,
    pub(super) ending: bool,
}

impl Link {
    /// Takes the welcome from `socket`; what services handed in is closed by `aside`.
    pub(super) fn open(socket: OwnedFd, aside: Aside) -> io::Result<(Self, Welcome)> {
        // The guardian hands the socket over blocking, and without CLOEXEC.
        rustix::io::ioctl_fionbio(&socket, true)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        let until = Instant::now() + WELCOME_WITHIN;
        let (message, mut descriptors) = wait_for(&socket, until)?;
        let FromGuardian::Welcome {
            guardian_pid,
            runs,
            stowed: ports,
            nofile_soft,
            nofile_hard,
            ..
        } = message
        else {
            return Err(io::Error::other("the guardian did not begin with a welcome"));
        };
        let listener = descriptors
            .pop()
            .ok_or_else(|| io::Error::other("the guardian sent no control socket"))?;
        let (mut kept, mut ending) = (Vec::new(), false);
        for _ in 0..runs {
            let (message, descriptors) = wait_for(&socket, until)?;
            ending |= message == FromGuardian::Terminate;
            kept.extend(Kept::from_message(message, descriptors));
        }
        let mut stowed = BTreeMap::new();
        for _ in 0..ports {
            if let (FromGuardian::Stowed { name }, mut descriptors) = wait_for(&socket, until)? {
                stowed.extend(descriptors.pop().map(|descriptor| (name, descriptor)));
            }
        }
        let guardian_pid = i32::try_from(guardian_pid).unwrap_or_default();
        let nofile = (nofile_soft, nofile_hard);
        let welcome = Welcome { guardian_pid, listener, nofile, kept, stowed, ending };
        // SAFETY: the descriptor is owned by the `AsyncFd` from here on, so it stays open and the
        // same for as long as it is registered.
        let socket = unsafe { AsyncFd::register(socket) }?;
        Ok((Self::over(socket, aside), welcome))
    }

    fn over(socket: AsyncFd<OwnedFd>, aside: Aside) -> Self {
        let (outgoing, too_large) = (VecDeque::new(), Vec::new());
        Self { socket, outgoing, is_refused: false, deaf_until: None, too_large, aside }
    }

    /// Waits until there is something to receive, or a run that cannot be asked for.
    pub(super) async fn readable(&self) -> io::Result<()> {
        if !self.too_large.is_empty() {
            return Ok(());
        }
        if let Some(until) = self.deaf_until {
            tokio::time::sleep_until(until.into()).await;
        }
        // `receive` clears the readiness itself when it finds nothing.
        self.socket.readable().await.map(|mut guard| guard.retain_ready())
    }

    /// Waits until the socket has room again; without end where that would not help.
    pub(super) async fn writable(&self) -> io::Result<()> {
        if self.is_refused {
            std::future::pending::<()>().await;
        }
        // `flush` clears the readiness itself when there is none.
        self.socket.writable().await.map(|mut guard| guard.retain_ready())
    }

    /// A run that cannot be asked for.
    pub(super) fn too_large(&mut self) -> Option<u64> {
        self.too_large.pop()
    }

    /// Receives one message; `None` when the guardian is gone.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, or no room for its descriptors.
    pub(super) fn receive(&mut self) -> io::Result<Option<(FromGuardian, Vec<OwnedFd>)>> {
        let receive = |socket: &OwnedFd| link::receive_or_leave(socket.as_fd());
        match self.socket.try_io(Interest::READABLE, receive) {
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                if self.deaf_until.is_none() {
                    tracing::error!(%error, "what the guardian sends waits until there is room for it");
                }
                self.deaf_until = Some(Instant::now() + AGAIN_IN);
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            received => {
                self.deaf_until = None;
                received
            }
        }
    }

    /// Sends a message, now or as soon as there is room.
    pub(super) fn send(&mut self, message: ToGuardian) {
        self.send_with(message, Vec::new());
    }

    /// The same, with descriptors.
    pub(super) fn send_with(&mut self, message: ToGuardian, descriptors: Vec<OwnedFd>) {
        self.outgoing.push_back((message, descriptors));
        self.flush();
    }

    /// Sends what there is room for.
    pub(super) fn flush(&mut self) {
        self.flush_by(|socket, send| socket.try_io(Interest::WRITABLE, send));
    }

    fn flush_by(
        &mut self,
        attempt: impl Fn(
            &AsyncFd<OwnedFd>,
            &mut dyn FnMut(&OwnedFd) -> io::Result<()>,
        ) -> io::Result<()>,
    ) {
        let was_refused = std::mem::take(&mut self.is_refused);
        while let Some((message, descriptors)) = self.outgoing.front() {
            let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            let mut send = |socket: &OwnedFd| link::send(socket.as_fd(), message, &descriptors);
            match attempt(&self.socket, &mut send) {
                Ok(()) => self.forget_first(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    tracing::error!(%error, "a message to the guardian is too large: dropped");
                    if let ToGuardian::Spawn { run, .. } = message {
                        self.too_large.push(*run);
                    }
                    self.forget_first();
                }
                // Gone: the reading side notices and acts.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.outgoing.clear(),
                // The driver tries again soon.
                Err(error) => {
                    if !was_refused && error.raw_os_error() != Some(libc::ETOOMANYREFS) {
                        tracing::warn!(%error, "the guardian cannot be told now: tried again");
                    }
                    self.is_refused = true;
                    return;
                }
            }
        }
    }

    fn forget_first(&mut self) {
        let Some((message, descriptors)) = self.outgoing.pop_front() else { return };
        // Of a service that is handed nothing they are ours.
        if !matches!(&message, ToGuardian::Spawn { launch, .. } if launch.extras.passed.is_empty())
        {
            self.aside.close(descriptors);
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Sends everything, waiting for room: for the very end.
    pub(super) fn flush_blocking(&mut self) {
        let until = Instant::now() + WELCOME_WITHIN;
        while self.is_behind() && Instant::now() < until {
            _ = ready(self.socket.get_ref(), PollFlags::OUT, until);
            // The runtime would learn of the room when it turns again, which it does no more.
            self.flush_by(|socket, send| send(socket.get_ref()));
        }
    }
}

fn wait_for(socket: &OwnedFd, until: Instant) -> io::Result<(FromGuardian, Vec<OwnedFd>)> {
    loop {
        match link::receive(socket.as_fd()) {
            Ok(Some(message)) => return Ok(message),
            Ok(None) => return Err(io::Error::other("the guardian is gone")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !ready(socket, PollFlags::IN, until)? {
                    return Err(io::Error::other("the guardian sent no welcome in time"));
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Waits until the socket is ready; false when the time is up.
fn ready(socket: &OwnedFd, flags: PollFlags, until: Instant) -> io::Result<bool> {
    let left = until.saturating_duration_since(Instant::now());
    let timeout = rustix::event::Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    };
    let mut polled = [PollFd::new(socket, flags)];
    match rustix::event::poll(&mut polled, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};

    use super::*;

    /// How long anything may take that takes microseconds on an idle machine.
    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_had_no_room_is_sent_when_there_is_some_and_in_its_order() {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .unwrap();
        // SAFETY: the descriptor is owned by the `AsyncFd` from here on.
        let socket = unsafe { AsyncFd::register(ours) }.unwrap();
        let mut link = Link::over(socket, Aside::default());
        let mut sent = 0;
        while !link.is_behind() {
            link.send(ToGuardian::Release { run: sent });
            sent += 1;
        }
        for _ in 0..10 {
            link.send(ToGuardian::Release { run: sent });
            sent += 1;
        }
        let mut heard = 0;
        while heard < sent {
            match link::receive(theirs.as_fd()) {
                Ok(Some((ToGuardian::Release { run }, _))) => {
                    assert_eq!(run, heard);
                    heard += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::timeout(LIMIT, link.writable()).await.unwrap().unwrap();
                    link.flush();
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(!link.is_behind());
    }

    #[tokio::test]
    async fn in_the_end_everything_is_said_although_the_runtime_does_not_turn() {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        rustix::io::ioctl_fionbio(&ours, true).unwrap();
        // SAFETY: the descriptor is owned by the `AsyncFd` from here on.
        let socket = unsafe { AsyncFd::register(ours) }.unwrap();
        let mut link = Link::over(socket, Aside::default());
        while !link.is_behind() {
            link.send(ToGuardian::Release { run: 7 });
        }
        link.send(ToGuardian::Shutdown);
        let heard = std::thread::spawn(move || {
            while link::receive::<ToGuardian>(theirs.as_fd()).unwrap().unwrap().0
                != ToGuardian::Shutdown
            {}
        });
        link.flush_blocking();
        assert!(!link.is_behind());
        heard.join().unwrap();
    }
}
