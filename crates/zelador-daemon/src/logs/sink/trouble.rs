//! What becomes of a file that cannot be written at present: bytes wait for it, and it is tried again.
//!
//! A named pipe whose reader is slow is tried soon, and is no trouble as long as it reads.

use std::io;
use std::time::{Duration, Instant};

use super::super::backlog::{Backlog, Left};
use super::super::exact::Mark;
use super::super::{LogEvent, cutting};
use super::{Append, Failure, Prepared, Sink, Token};

/// How often a file that cannot be written is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The same for a full pipe: 64 KiB each time are 3 MB/s.
const PIPE_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// A full pipe of which nothing is read for so long is trouble.
const READER_MAY_PAUSE: Duration = Duration::from_secs(1);

/// A file that cannot be written.
pub(super) struct Trouble {
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

    /// Whether something waits for this file.
    pub fn has_backlog(&self) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| !backlog.is_empty())
    }

    /// Returns that of a file for which something waited in an engine that is gone; tells of it.
    pub fn with_backlog(left: Left, events: &mut Vec<LogEvent>) -> Self {
        let Left { path, mut backlog, unfinished } = left;
        if let Some(mark) = unfinished {
            if let Err(error) = cutting::cut_back_found(mark, std::slice::from_ref(&path)) {
                tracing::warn!(%error, "log file not cut back: a few lines may be doubled");
            }
            backlog.written_out(&[], 0);
        }
        events.push(LogEvent::Trouble { path: path.clone(), error: backlog.reason() });
        let mut sink = Self::new(path, false);
        let now = Instant::now();
        (sink.json, sink.backlog) = (backlog.json(), Some(backlog));
        sink.trouble = Some(Trouble { on_trial: false, moved: now, again_at: now, told: true });
        sink
    }

    /// Cuts what waits to that length, if the mark is one of it; says whether it is.
    pub fn cut_back_waiting(&mut self, mark: Mark) -> bool {
        self.backlog.as_mut().is_some_and(|backlog| backlog.cut_back(mark))
    }

    /// Notes that the file was written.
    pub fn succeed(&mut self, events: &mut Vec<LogEvent>) {
        if self.trouble.take().is_some_and(|trouble| trouble.told) {
            tracing::info!(path = %self.path.display(), "log file can be written again");
            events.push(LogEvent::Recovered { path: self.path.clone() });
            self.give_up_backlog(events);
        }
    }

    /// Gives back the memory for what waits.
    pub fn give_up_backlog(&mut self, events: &mut Vec<LogEvent>) {
        let number = self.backlog.take().map(|backlog| backlog.number());
        events.extend(number.map(|number| LogEvent::Forget { number }));
    }

    /// Notes that the file could not be written; told once until it recovers.
    pub fn fail(&mut self, error: &io::Error, events: &mut Vec<LogEvent>) {
        let now = Instant::now();
        let full_pipe = error.kind() == io::ErrorKind::WouldBlock;
        let again_at = now + if full_pipe { PIPE_AGAIN_AFTER } else { AGAIN_AFTER };
        let known = self.trouble.take().map(|trouble| (trouble.moved, trouble.told));
        let (moved, told) = known.unwrap_or((now, false));
        let tell = !told && (!full_pipe || now - moved >= READER_MAY_PAUSE);
        if tell {
            tracing::warn!(path = %self.path.display(), %error, "log file cannot be written");
            events.push(LogEvent::Trouble { path: self.path.clone(), error: error.to_string() });
        }
        self.trouble = Some(Trouble { on_trial: false, moved, again_at, told: told || tell });
        if self.backlog.is_none() {
            self.begin_backlog(events);
        }
        if let Some(backlog) = &self.backlog {
            backlog.set_reason(&error.to_string());
        }
    }

    pub(super) fn begin_backlog(&mut self, events: &mut Vec<LogEvent>) {
        let begun = Backlog::new(&self.path).and_then(|backlog| Ok((backlog.memory()?, backlog)));
        match begun {
            Ok((memory, backlog)) => {
                events.push(LogEvent::Keep { memory });
                self.backlog = Some(backlog);
            }
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "nothing can wait for a log");
            }
        }
    }

    /// Writes the bytes of a stream to a special file; what it does not take waits.
    pub fn pour_or_put_aside(&mut self, how: Append, bytes: &[u8], events: &mut Vec<LogEvent>) {
        let Err(Failure { written, error }) = self.pour(bytes) else { return self.succeed(events) };
        self.fail(&error, events);
        let last = bytes[..written].last();
        if let Some(backlog) = &mut self.backlog {
            backlog.begin(last.map_or(how.inside, |byte| *byte != b'\n'));
        }
        self.put_aside(&bytes[written..], how.json);
    }

    /// Keeps bytes until the file can be written.
    pub fn put_aside(&mut self, bytes: &[u8], json: bool) {
        self.json = json;
        if let Some(backlog) = &mut self.backlog {
            backlog.push(bytes, json);
        }
    }

    /// Tries a sick file again: writes what waits as far as there is room, or lets the next move try.
    pub fn retry(&mut self, events: &mut Vec<LogEvent>) {
        let Some(trouble) = &mut self.trouble else { return };
        trouble.on_trial = true;
        trouble.again_at = Instant::now() + AGAIN_AFTER;
        if !self.has_backlog() {
            return;
        }
        while let Some(piece) = self.backlog.as_ref().and_then(Backlog::piece) {
            let prepared = self.prepare(events);
            if matches!(prepared, Prepared::Sick(_) | Prepared::NotKept) {
                return;
            }
            if let Err(error) = self.write_out(prepared, &piece) {
                self.fail(&error, events);
                return;
            }
        }
        self.succeed(events);
    }

    /// Writes out a piece of what waits, as far as there is room.
    fn write_out(&mut self, prepared: Prepared, piece: &[u8]) -> io::Result<()> {
        let Some(mut backlog) = self.backlog.take() else { return Ok(()) };
        let how = Append { token: Token::MAX, inside: backlog.inside(), json: self.json };
        let (written, done) = if let Prepared::File(mark) = prepared {
            backlog.write_out(Some(mark));
            super::super::crash_point("writing out");
            self.append_lines(how, prepared, piece)
        } else {
            match self.pour(piece) {
                Ok(()) => (piece.len(), Ok(())),
                Err(Failure { written, error }) => (written, Err(error)),
            }
        };
        super::super::crash_point("nearly written out");
        backlog.written_out(piece, written);
        super::super::crash_point("written out");
        self.backlog = Some(backlog);
        if let Some(trouble) = self.trouble.as_mut().filter(|_| written > 0) {
            trouble.moved = Instant::now();
        }
        done
    }

    /// Appends as many whole lines as there is room for; returns how many bytes they are, and why it
    /// was not all.
    fn append_lines(
        &mut self,
        how: Append,
        before: Prepared,
        bytes: &[u8],
    ) -> (usize, io::Result<()>) {
        let Err(Failure { written, error }) = self.append(how, bytes) else {
            return (bytes.len(), Ok(()));
        };
        self.cut_back(before);
        let lines = memchr::memrchr(b'\n', &bytes[..written]).map_or(0, |at| at + 1);
        if lines > 0 && self.append(how, &bytes[..lines]).is_ok() {
            return (lines, Err(error));
        }
        self.cut_back(before);
        (0, Err(error))
    }
}
