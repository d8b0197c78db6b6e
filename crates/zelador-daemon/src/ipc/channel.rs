//! One channel: a task that reads lines for the driver and writes what it says.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};
use serde_json::Value;
use tokio::io::unix::AsyncFd;
use tokio::sync::{broadcast, mpsc, oneshot};
use zelador_core::id::RunId;

use super::speak::{Heard, custom, hear};
use crate::driver::Message;

/// The longest line that is understood, in bytes; what is longer is passed over. Messages of
/// `@pm2/io` are some kilobytes.
const LONGEST_LINE: usize = 64 << 10;

/// How many lines may wait for a service that does not read.
const MOST_WAITING: usize = 64;

/// What runs say, for those who listen to apps.
pub type Sayings = broadcast::Sender<Arc<(RunId, Value)>>;

/// Something to say, perhaps with a descriptor.
type Line = (Vec<u8>, Option<OwnedFd>);

/// How the driver speaks to a run.
#[derive(Debug)]
pub struct Speaker(mpsc::Sender<Line>);

impl Speaker {
    /// Says a line; false when the other side has closed the channel, or does not read.
    pub fn say(&self, line: String, descriptor: Option<OwnedFd>) -> bool {
        self.0.try_send((line.into_bytes(), descriptor)).is_ok()
    }
}

/// Reads and writes the channel of a run.
#[derive(Debug)]
pub struct Channel {
    run: RunId,
    socket: AsyncFd<OwnedFd>,
    lines: mpsc::Receiver<Line>,
    driver: mpsc::Sender<Message>,
    sayings: Sayings,
    /// What of the current line is not sent yet.
    sending: Option<(Line, usize)>,
    /// In the midst of a line that is too long.
    skipping: bool,
}

impl Channel {
    /// Returns the task for our end of a run's channel, and how to speak to it.
    ///
    /// # Errors
    /// The socket cannot be watched.
    pub fn new(
        run: RunId,
        socket: OwnedFd,
        driver: mpsc::Sender<Message>,
        sayings: Sayings,
    ) -> io::Result<(Self, Speaker)> {
        let (sender, lines) = mpsc::channel(MOST_WAITING);
        // SAFETY: the descriptor is owned by the `AsyncFd` from here on, so it stays open and the
        // same for as long as it is registered.
        let socket = unsafe { AsyncFd::register(socket) }?;
        let channel = Self { run, socket, lines, driver, sayings, sending: None, skipping: false };
        Ok((channel, Speaker(sender)))
    }

    /// Runs until one side has closed.
    pub async fn run(mut self) {
        let mut buffer = vec![0; LONGEST_LINE];
        loop {
            let idle = self.sending.is_none();
            let going_on = tokio::select! {
                biased;
                line = self.lines.recv(), if idle => match line {
                    Some(line) => {
                        self.sending = Some((line, 0));
                        self.write()
                    }
                    // The run is over.
                    None => false,
                },
                ready = self.socket.writable(), if !idle => match ready {
                    Ok(mut guard) => {
                        guard.clear_ready();
                        self.write()
                    }
                    Err(_) => false,
                },
                ready = self.socket.readable() => match ready {
                    Ok(mut guard) => {
                        // Cleared before it is looked: what comes meanwhile sets it again.
                        guard.clear_ready();
                        self.read(&mut buffer).await
                    }
                    Err(_) => false,
                },
            };
            if !going_on {
                return;
            }
        }
    }

    /// Sends what there is room for; false when the other side is gone.
    fn write(&mut self) -> bool {
        let Some(((bytes, descriptor), sent)) = &mut self.sending else { return true };
        while *sent < bytes.len() {
            match send(self.socket.get_ref().as_fd(), &bytes[*sent..], descriptor.as_ref()) {
                Ok(count) => {
                    *sent += count;
                    // It rides with the first byte.
                    *descriptor = None;
                }
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        self.sending = None;
        true
    }

    /// Takes the lines that are there; false when the other side has closed.
    async fn read(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            let there = match recv(self.socket.get_ref(), &mut *buffer, RecvFlags::PEEK) {
                Ok((_, 0)) => return false,
                Ok((_, there)) => there,
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return false,
            };
            let end = match memchr::memrchr(b'\n', &buffer[..there]) {
                Some(end) => end + 1,
                None if there == buffer.len() => {
                    if !std::mem::replace(&mut self.skipping, true) {
                        tracing::debug!(run = %self.run, "a message is too long: passed over");
                    }
                    if !self.consume(buffer, there) {
                        return false;
                    }
                    continue;
                }
                // The rest of the line is still to come.
                None => return true,
            };
            if !self.deal_with(&buffer[..end]).await || !self.consume(buffer, end) {
                return false;
            }
        }
    }

    /// Has the driver deal with whole lines; false when it is gone.
    async fn deal_with(&mut self, lines: &[u8]) -> bool {
        let skipped = usize::from(std::mem::take(&mut self.skipping));
        let lines = lines.split(|byte| *byte == b'\n').skip(skipped);
        let lines: Vec<&[u8]> = lines.collect();
        if self.sayings.receiver_count() > 0 {
            for said in lines.iter().filter_map(|line| custom(line)) {
                // The last listener may have gone.
                _ = self.sayings.send(Arc::new((self.run, said)));
            }
        }
        let heard = lines.into_iter().map(hear).filter(|heard| *heard != Heard::Other);
        let heard: Vec<Heard> = heard.collect();
        for heard in heard {
            let (done, dealt_with) = oneshot::channel();
            let message = Message::Heard { run: self.run, heard, done };
            if self.driver.send(message).await.is_err() || dealt_with.await.is_err() {
                return false;
            }
        }
        true
    }

    /// Takes so many bytes from the socket: only now, so that whoever comes after an engine that was
    /// killed before finds these lines again.
    fn consume(&self, buffer: &mut [u8], count: usize) -> bool {
        let taken = recv(self.socket.get_ref(), &mut buffer[..count], RecvFlags::empty());
        taken.is_ok()
    }
}

fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptor: Option<&OwnedFd>,
) -> rustix::io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let passed: Vec<_> = descriptor.iter().map(|one| one.as_fd()).collect();
    if !passed.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(&passed));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(socket, &[IoSlice::new(bytes)], &mut beside, flags)
}
