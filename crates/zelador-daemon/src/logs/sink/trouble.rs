//! What becomes of a file that cannot be written at present: bytes wait for it in memory, and it is
//! tried again.
//!
//! A named pipe whose reader is slow is tried soon, and is no trouble as long as it reads.

use std::io;
use std::time::{Duration, Instant};

use super::super::LogEvent;
use super::super::backlog::Backlog;
use super::{Append, Failure, Prepared, Sink, Token};

/// How often a file that cannot be written is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The same for a full pipe: 64 KiB each time are 3 MB/s.
const PIPE_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// A full pipe of which nothing is read for so long is trouble.
const READER_MAY_PAUSE: Duration = Duration::from_secs(1);

/// A file that cannot be written, and what waits for it.
pub(super) struct Trouble {
    error: io::Error,
    pub(super) backlog: Backlog,
    /// The file is to be tried once more.
    pub(super) on_trial: bool,
    /// When something was last written of what waits, or at first.
    moved: Instant,
    again_at: Instant,
    told: bool,
}

impl Sink {
    /// Whether the file cannot be written at present.
    pub fn is_sick(&self) -> bool {
        self.trouble.is_some()
    }

    /// When the file is to be tried again; `None`: it can be written.
    pub fn again_at(&self) -> Option<Instant> {
        self.trouble.as_ref().map(|trouble| trouble.again_at)
    }

    /// Whether something waits in memory for this file.
    pub fn has_backlog(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| !trouble.backlog.is_empty())
    }

    /// Notes that the file was written.
    pub fn succeed(&mut self, events: &mut Vec<LogEvent>) {
        if self.trouble.take().is_some_and(|trouble| trouble.told) {
            tracing::info!(path = %self.path.display(), "log file can be written again");
            events.push(LogEvent::Recovered { path: self.path.clone() });
        }
    }

    /// Notes that the file could not be written; told once until it recovers.
    pub fn fail(&mut self, error: io::Error, events: &mut Vec<LogEvent>) {
        let now = Instant::now();
        let full_pipe = error.kind() == io::ErrorKind::WouldBlock;
        let again_at = now + if full_pipe { PIPE_AGAIN_AFTER } else { AGAIN_AFTER };
        let (backlog, moved, told) = match self.trouble.take() {
            Some(known) => (known.backlog, known.moved, known.told),
            None => (Backlog::default(), now, false),
        };
        let tell = !told && (!full_pipe || now - moved >= READER_MAY_PAUSE);
        if tell {
            tracing::warn!(path = %self.path.display(), %error, "log file cannot be written");
            events.push(LogEvent::Trouble { path: self.path.clone(), error: error.to_string() });
        }
        let (on_trial, told) = (false, told || tell);
        self.trouble = Some(Trouble { error, backlog, on_trial, moved, again_at, told });
    }

    /// Writes the bytes of a stream to a special file; what it does not take waits in memory.
    pub fn pour_or_put_aside(&mut self, how: Append, bytes: &[u8], events: &mut Vec<LogEvent>) {
        let Err(Failure { written, error }) = self.pour(bytes) else { return self.succeed(events) };
        self.fail(error, events);
        let last = bytes[..written].last();
        if let Some(trouble) = &mut self.trouble {
            trouble.backlog.begin(last.map_or(how.inside, |byte| *byte != b'\n'));
        }
        self.put_aside(&bytes[written..], how.json);
    }

    /// Keeps bytes in memory until the file can be written.
    pub fn put_aside(&mut self, bytes: &[u8], json: bool) {
        self.json = json;
        if let Some(trouble) = &mut self.trouble {
            trouble.backlog.push(bytes);
        }
    }

    /// Tries a sick file again: writes what waits in memory as far as there is room, or lets the next
    /// move try.
    pub fn retry(&mut self, events: &mut Vec<LogEvent>) {
        let Some(trouble) = &mut self.trouble else { return };
        trouble.on_trial = true;
        trouble.again_at = Instant::now() + AGAIN_AFTER;
        if trouble.backlog.is_empty() {
            return;
        }
        while let Some(trouble) = &self.trouble
            && let Some(piece) = trouble.backlog.piece(&trouble.error.to_string(), self.json)
        {
            let inside = trouble.backlog.inside();
            let how = Append { token: Token::MAX, inside, json: self.json };
            let prepared = self.prepare(events);
            let (written, error) = match prepared {
                Prepared::Sick => return,
                Prepared::Special => match self.pour(&piece) {
                    Ok(()) => (piece.len(), None),
                    Err(Failure { written, error }) => (written, Some(error)),
                },
                Prepared::File(_) => self.append_lines(how, prepared, &piece),
            };
            if let Some(trouble) = self.trouble.as_mut().filter(|_| written > 0) {
                trouble.backlog.take(&piece, written);
                trouble.moved = Instant::now();
            }
            if let Some(error) = error {
                self.fail(error, events);
                return;
            }
        }
        self.succeed(events);
    }

    /// Appends as many whole lines as there is room for; returns how many bytes they are, and why it
    /// was not all.
    fn append_lines(
        &mut self,
        how: Append,
        before: Prepared,
        bytes: &[u8],
    ) -> (usize, Option<io::Error>) {
        let Err(Failure { written, error }) = self.append(how, bytes) else {
            return (bytes.len(), None);
        };
        self.cut_back(before);
        let lines = memchr::memrchr(b'\n', &bytes[..written]).map_or(0, |at| at + 1);
        if lines > 0 && self.append(how, &bytes[..lines]).is_ok() {
            return (lines, Some(error));
        }
        self.cut_back(before);
        (0, Some(error))
    }
}
