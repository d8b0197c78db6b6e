//! What runs say by `sd_notify` and by s6's notification descriptor.
//!
//! Always holds: only what comes from a run's own processes counts; a datagram is taken from the
//! socket when it was dealt with, that of a stranger who goes on without asking the driver again.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use zelador_core::id::RunId;
use zelador_core::input::{Fact, Input};
use zelador_core::sd_notify::Notified;

use super::handed::notify_socket_at;
use super::stowed::Stowed;
use super::strangers::Strangers;
use super::{Driver, Message};
use crate::aside::Aside;
use crate::processes;

/// The longest datagram that is read; systemd reads 4096 bytes.
const LONGEST: usize = 4096;

/// Descriptors that one datagram may bring: the kernel's limit (`SCM_MAX_FD`), since it would close the rest
/// at once, and this thread would wait for it.
const MOST_DESCRIPTORS: usize = 253;

/// Descriptors that are kept for an instance.
const MOST_STORED: usize = 64;

/// Who sent something, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    pub(super) pid: i32,
    pub(super) uid: u32,
}

impl Driver {
    /// Begins to listen to what a run that is there already says.
    pub(super) fn open_notify(&mut self, run: RunId) {
        let number = run.number();
        let end =
            |driver: &Self, name: Stowed| driver.native.stowed(&name.bytes())?.try_clone().ok();
        let known = end(self, Stowed::Notify { notify: number });
        if let Some(socket) = known.or_else(|| self.reopen_notify(run)) {
            self.listen_to_notify(run, socket);
        }
        if let Some(pipe) = end(self, Stowed::Ready { ready: number }) {
            self.listen_to_pipe(run, pipe);
        }
    }

    /// Opens the `NOTIFY_SOCKET` of a run that outlived guardian and engine, and the socket with them, at the
    /// address that it was told: what it goes on saying is heard, that it is alive above all.
    fn reopen_notify(&mut self, run: RunId) -> Option<OwnedFd> {
        let key = self.native.key(run).filter(|_| self.native.is_foreign(run))?;
        let address = processes::variable_of(key.pid, "NOTIFY_SOCKET").ok()??;
        let opened = notify_socket_at(&address).and_then(|socket| {
            self.native.stow(&Stowed::Notify { notify: run.number() }.bytes(), &socket)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%run, %error, "what a run says over NOTIFY_SOCKET cannot be heard any more");
                None
            }
        }
    }

    pub(super) fn listen_to_notify(&mut self, run: RunId, socket: OwnedFd) {
        let (driver, aside) = (self.sender.clone(), self.aside.of_another());
        let task = self.tasks.spawn(async move {
            // SAFETY: the descriptor is owned by the `AsyncFd` from here on, so it stays open and the
            // same for as long as it is registered.
            let Ok(socket) = (unsafe { AsyncFd::register(socket) }) else { return };
            let mut strangers = Strangers::of(run);
            while let Some(datagram) = next(&socket).await {
                let sender = datagram.sender;
                if strangers.has(sender) {
                    strangers.count(sender);
                    aside.close(datagram.descriptors);
                } else {
                    match deal_with(run, datagram, (&driver, &aside)).await {
                        Some(true) => {}
                        Some(false) => strangers.found(sender),
                        None => return,
                    }
                }
                // Only now: whoever comes after a killed engine finds it again.
                aside.close(take(&socket));
                aside.room().await;
            }
        });
        self.listeners.entry(run).or_default().push(task);
    }

    pub(super) fn listen_to_pipe(&mut self, run: RunId, pipe: OwnedFd) {
        let driver = self.sender.clone();
        let task = self.tasks.spawn(async move {
            // SAFETY: as above.
            let Ok(pipe) = (unsafe { AsyncFd::register(pipe) }) else { return };
            if wait_for_line(&pipe).await {
                let said = Notified { ready: true, ..Notified::default() };
                let fact = Fact::Notified { run, said: Box::new(said) };
                _ = driver.send(Message::Input(Input::Fact(fact))).await;
            }
        });
        self.listeners.entry(run).or_default().push(task);
    }

    /// Whether something that a run said waits to be taken in: it is in the socket until it was dealt with.
    pub(crate) fn has_words_waiting(&self, run: RunId) -> bool {
        let name = Stowed::Notify { notify: run.number() }.bytes();
        self.native.stowed(&name).is_some_and(|socket| {
            let mut watched = [PollFd::new(socket, PollFlags::IN)];
            poll(&mut watched, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
        })
    }

    /// A run is over: nobody says anything any more.
    pub(crate) fn close_notify(&mut self, run: RunId) {
        let listeners: Vec<AbortHandle> = self.listeners.remove(&run).unwrap_or_default();
        if listeners.is_empty() {
            return;
        }
        listeners.iter().for_each(AbortHandle::abort);
        let number = run.number();
        for name in [Stowed::Notify { notify: number }, Stowed::Ready { ready: number }] {
            if self.native.stowed(&name.bytes()).is_some() {
                self.native.discard(&name.bytes());
            }
        }
    }

    /// A run, or somebody in its place, said something. Returns whether it was the run; nothing else counts.
    pub(super) fn notified(
        &mut self,
        run: RunId,
        sender: Option<Sender>,
        said: Notified,
        descriptors: Vec<OwnedFd>,
        aside: &Aside,
    ) -> bool {
        let is_own = sender.is_some_and(|sender| self.is_own(run, sender));
        if is_own {
            self.hear_out(run, said, &descriptors, aside);
        }
        aside.close(descriptors);
        is_own
    }

    fn hear_out(&mut self, run: RunId, said: Notified, descriptors: &[OwnedFd], aside: &Aside) {
        if let Some(name) = &said.unstore {
            self.unstore(run, name, aside);
        }
        if let Some(name) = &said.store {
            for descriptor in descriptors {
                self.store(run, name, descriptor);
            }
        }
        let said = match said.main_pid.and_then(|pid| self.is_member(run, pid)) {
            Some(true) => said,
            _ => Notified { main_pid: None, ..said },
        };
        self.step(Input::Fact(Fact::Notified { run, said: Box::new(said) }));
    }

    fn is_member(&self, run: RunId, pid: i32) -> Option<bool> {
        processes::is_member(&self.native.key(run)?, pid)
    }

    /// One that is gone already is known by the name of the socket, which only the run's environment
    /// tells, and by its user.
    fn is_own(&self, run: RunId, sender: Sender) -> bool {
        self.is_member(run, sender.pid).unwrap_or_else(|| {
            let main = self.native.key(run).map(|key| format!("/proc/{}", key.pid));
            let owner = main.and_then(|path| std::fs::metadata(path).ok()).map(|it| it.uid());
            owner == Some(sender.uid)
        })
    }

    fn store(&mut self, run: RunId, name: &str, descriptor: &OwnedFd) {
        let Some((app, instance)) = self.supervisor.instance_of(run) else { return };
        let own = |bytes: &&Vec<u8>| matches!(Stowed::read(bytes), Some(Stowed::Store { instance: its, .. }) if its == instance.number());
        if self.native.stowed_names().filter(own).count() >= MOST_STORED {
            tracing::warn!(%app, "no more than {MOST_STORED} descriptors are kept for an instance");
            return;
        }
        if !self.native.has_room_to_keep() {
            tracing::warn!(%app, "zelador may not open more files, and its apps come first: a descriptor is not kept");
            return;
        }
        let name = |number| Stowed::Store {
            app: app.clone(),
            instance: instance.number(),
            store: name.to_owned(),
            number,
        };
        let free = (0..=MOST_STORED as u32)
            .map(|number| name(number).bytes())
            .find(|it| self.native.stowed(it).is_none());
        if let Some(free) = free
            && let Err(error) = self.native.stow(&free, descriptor)
        {
            tracing::warn!(%app, %error, "a descriptor cannot be kept");
        }
    }

    fn unstore(&mut self, run: RunId, name: &str, aside: &Aside) {
        let Some((_, instance)) = self.supervisor.instance_of(run) else { return };
        let own = |bytes: &&Vec<u8>| {
            matches!(Stowed::read(bytes), Some(Stowed::Store { instance: its, store, .. })
                if its == instance.number() && store == name)
        };
        let gone: Vec<Vec<u8>> = self.native.stowed_names().filter(own).cloned().collect();
        gone.iter().for_each(|name| self.native.discard_by(aside, name));
    }
}

/// One datagram: who, what, and what rode along.
struct Datagram {
    sender: Option<Sender>,
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

/// The next datagram, which stays in the socket; `None`: there will be none.
async fn next(socket: &AsyncFd<OwnedFd>) -> Option<Datagram> {
    loop {
        let mut ready = socket.readable().await.ok()?;
        match receive(socket, RecvFlags::PEEK) {
            Ok(datagram) => return Some(datagram),
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// Takes the next datagram out of the socket; returns what rode along. What is left in it is closed by
/// whoever takes it.
fn take(socket: &AsyncFd<OwnedFd>) -> Vec<OwnedFd> {
    receive(socket, RecvFlags::empty()).map(|datagram| datagram.descriptors).unwrap_or_default()
}

fn receive(socket: &AsyncFd<OwnedFd>, flags: RecvFlags) -> rustix::io::Result<Datagram> {
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit();
        rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS), ScmCredentials(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut into = [IoSliceMut::new(&mut bytes)];
    let message = recvmsg(socket.get_ref(), &mut into, &mut beside, flags)?;
    let (count, cut) = (message.bytes, message.flags.contains(ReturnFlags::TRUNC));
    let (mut sender, mut descriptors) = (None, Vec::new());
    for message in beside.drain() {
        match message {
            RecvAncillaryMessage::ScmCredentials(it) => {
                sender = Some(Sender { pid: it.pid.as_raw_nonzero().get(), uid: it.uid.as_raw() });
            }
            RecvAncillaryMessage::ScmRights(list) => descriptors.extend(list),
            _ => {}
        }
    }
    bytes.truncate(if cut { 0 } else { count });
    Ok(Datagram { sender, bytes, descriptors })
}

/// Whether it came from the run; `None`: the driver is gone.
async fn deal_with(
    run: RunId,
    datagram: Datagram,
    (driver, aside): (&mpsc::Sender<Message>, &Aside),
) -> Option<bool> {
    let (done, dealt_with) = oneshot::channel();
    let Datagram { sender, bytes, descriptors } = datagram;
    // A message with BARRIER=1 is answered by closing the descriptor that rides along.
    let said = Box::new(Notified::read(&bytes));
    let message = Message::Notified { run, sender, said, descriptors, aside: aside.clone(), done };
    driver.send(message).await.ok()?;
    dealt_with.await.ok()
}

/// Whether a line comes before the end.
async fn wait_for_line(pipe: &AsyncFd<OwnedFd>) -> bool {
    loop {
        let Ok(mut ready) = pipe.readable().await else { return false };
        let mut bytes = [0_u8; 256];
        match rustix::io::read(pipe.get_ref(), &mut bytes[..]) {
            Ok(0) => return false,
            Ok(count) if bytes[..count].contains(&b'\n') => return true,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Err(_) => return false,
        }
    }
}
