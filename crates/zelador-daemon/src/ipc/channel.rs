//! One channel: a task that reads lines for the driver and writes what it says.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};
use serde_json::Value;
use tokio::io::unix::AsyncFd;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use zelador_core::id::RunId;

use super::speak::{Heard, custom, hear};
use crate::driver::Message;

/// The longest line that is understood, in bytes; what is longer is passed over. Messages of
/// `@pm2/io` are some kilobytes.
const LONGEST_LINE: usize = 64 << 10;

/// How many lines may wait for a service that does not read.
const MOST_WAITING: usize = 64;

/// How long the rest of a line is waited for before what is there of it is taken: whoever writes it may wait for that
/// room. Node writes up to 100 KB at once.
const UNFINISHED: Duration = Duration::from_millis(100);

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
    /// What of a line was taken already.
    begun: Vec<u8>,
    /// When more of it is taken: it has no end yet.
    take_at: Option<Instant>,
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
        let (sending, skipping, begun, take_at) = (None, false, Vec::new(), None);
        let channel =
            Self { run, socket, lines, driver, sayings, sending, skipping, begun, take_at };
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
                        self.read(&mut buffer, false).await
                    }
                    Err(_) => false,
                },
                () = sleep_until(self.take_at.unwrap_or_else(Instant::now)), if self.take_at.is_some() => {
                    self.read(&mut buffer, true).await
                }
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

    /// Takes the lines that are there, and what is there of one whose rest does not come if it is to `take_begun`: an
    /// engine that is killed before the rest is there loses that line. False when the other side has closed.
    async fn read(&mut self, buffer: &mut [u8], take_begun: bool) -> bool {
        // Told again: more of it has come, or the other side is gone, of which it is told without end.
        let take_begun = self.take_at.take().is_some() || take_begun;
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
                None if self.skipping || there == buffer.len() => {
                    self.skip();
                    if !self.consume(buffer, there) {
                        return false;
                    }
                    continue;
                }
                None if take_begun => {
                    self.begun.extend_from_slice(&buffer[..there]);
                    if self.begun.len() > LONGEST_LINE {
                        self.skip();
                    }
                    if !self.consume(buffer, there) {
                        return false;
                    }
                    continue;
                }
                // The rest of the line is still to come.
                None => {
                    self.take_at = Some(Instant::now() + UNFINISHED);
                    return true;
                }
            };
            let dealt_with = if self.begun.is_empty() {
                self.deal_with(&buffer[..end]).await
            } else {
                let mut lines = std::mem::take(&mut self.begun);
                lines.extend_from_slice(&buffer[..end]);
                self.deal_with(&lines).await
            };
            if !dealt_with || !self.consume(buffer, end) {
                return false;
            }
        }
    }

    /// Passes the line over that has begun.
    fn skip(&mut self) {
        if !std::mem::replace(&mut self.skipping, true) {
            tracing::debug!(run = %self.run, "a message is too long: passed over");
        }
        self.begun = Vec::new();
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;
    use tokio::time;

    use super::*;

    /// How long anything may take that takes milliseconds on an idle machine.
    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn who_waits_for_room_in_the_middle_of_a_line_gets_it() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (driver, mut heard) = mpsc::channel(1);
        let ours = ours.into_std().unwrap().into();
        let sayings = broadcast::channel(1).0;
        let (channel, _speaker) = Channel::new(RunId::new(1), ours, driver, sayings).unwrap();
        tokio::spawn(channel.run());
        let short = format!("{{\"a\":\"{}\"}}\n", "b".repeat(50));
        let long = format!("{{\"a\":\"{}\"}}\n", "b".repeat(1 << 20));
        // More than a socket takes, at once: the end of what it takes is somewhere in a line.
        for said in [short.repeat(20_000), long.clone(), long, short] {
            let written = time::timeout(LIMIT, theirs.write_all(said.as_bytes())).await;
            written.expect("there is room").unwrap();
        }
        theirs.write_all(b"\"rea").await.unwrap();
        time::sleep(2 * UNFINISHED).await;
        theirs.write_all(b"dy\"\n").await.unwrap();
        let last = time::timeout(LIMIT, heard.recv()).await.expect("it is heard").unwrap();
        assert!(matches!(last, Message::Heard { heard: Heard::Ready(_), .. }));
    }

    #[tokio::test]
    async fn who_is_gone_in_the_middle_of_a_line_is_seen_to_be() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let ours = ours.into_std().unwrap().into();
        let (driver, sayings) = (mpsc::channel(1).0, broadcast::channel(1).0);
        let (channel, _speaker) = Channel::new(RunId::new(1), ours, driver, sayings).unwrap();
        theirs.write_all(b"{").await.unwrap();
        drop(theirs);
        time::timeout(LIMIT, channel.run()).await.expect("it ends");
    }
}
