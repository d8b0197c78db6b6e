//! The engine as the guardian sees it: a child that speaks, falls silent, ends, and is started anew.
//!
//! What waits to be sent is a queue of short notes; a message about a run is made from what is kept of
//! it only when the socket has room. Always holds: an engine that does not read costs no more than
//! [`MOST_NOTES`] notes and one for each run; nothing it must know is dropped without a new engine,
//! which is told everything.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::link;
use crate::message::FromGuardian;
use crate::runs::Entry;

/// Notes that may wait beside the introduction of each run. An engine that lets so many lie is stuck.
const MOST_NOTES: usize = 4096;

/// When sending is tried again after too many descriptors were in flight (`ETOOMANYREFS`), whose end
/// nothing reports.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How long an engine that has closed its socket may take to end by itself.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How long a killed engine is waited for. One of its threads may sleep where no signal wakes it, in a call
/// to a dead disk: none of its code runs any more, and nobody would be there if it were waited for.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// An engine that has said nothing yet may take this many times the silence allowed later: it may
/// have a history to read first.
const START_FACTOR: u32 = 10;

/// Something an engine must be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Welcome { soft: u64, hard: u64, runs: u32, stowed: u32 },
    Kept(u64),
    Stowed(Vec<u8>),
    Spawned(u64),
    Ended(u64),
    Message(FromGuardian),
}

/// How patient the guardian is. The defaults are for services of people; tests are in a hurry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// An engine that has spoken and then says nothing for this long is killed.
    pub silence: Duration,
    /// An engine that lived this long is started again at once.
    pub settled: Duration,
    /// Delay before the second start in a row; doubled for each further one.
    pub first_delay: Duration,
    /// The longest such delay.
    pub longest_delay: Duration,
    /// How long after SIGTERM the engine may take to stop everything.
    pub termination: Duration,
    /// How long after `Shutdown` the engine may take to end.
    pub farewell: Duration,
    /// How long the first engine of a new image may take to come up.
    pub trial: Duration,
    /// How long it must stay then, before the image counts as good.
    pub probation: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(20),
            settled: Duration::from_secs(5),
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(1),
            termination: Duration::from_mins(1),
            farewell: Duration::from_secs(5),
            trial: Duration::from_secs(15),
            probation: Duration::from_secs(3),
        }
    }
}

/// When the next engine is due.
#[derive(Debug)]
pub(crate) struct Restarts {
    /// Short-lived engines in a row.
    short: u32,
    pub due: Option<Instant>,
}

impl Restarts {
    /// Returns one that wants the first engine at once.
    pub fn new(now: Instant) -> Self {
        Self { short: 0, due: Some(now) }
    }

    /// Takes in the end of an engine that lived for `lived`.
    pub fn ended(&mut self, now: Instant, lived: Duration, patience: &Patience) {
        if lived >= patience.settled {
            self.short = 0;
        }
        let delay = match self.short {
            0 => Duration::ZERO,
            n => patience.first_delay.saturating_mul(1 << (n - 1).min(16)),
        };
        self.short = self.short.saturating_add(1);
        self.due = Some(now + delay.min(patience.longest_delay));
    }
}

/// A running engine.
#[derive(Debug)]
pub(crate) struct Engine {
    pub pid: u32,
    /// Non-blocking.
    pub socket: OwnedFd,
    pub started: Instant,
    spoke: bool,
    last: Instant,
    notes: VecDeque<Note>,
    /// Whether the socket was full.
    pub full: bool,
    pub retry_at: Option<Instant>,
    /// Whether SIGKILL was sent, or the socket is closed: it is only waited for.
    pub lost: bool,
    /// When one that has closed its socket is killed.
    pub kill_at: Option<Instant>,
    /// When one that was killed counts as gone, although it cannot be reaped.
    pub gone_at: Option<Instant>,
}

impl Engine {
    /// Returns one that was just started and is to be told of `runs`.
    pub fn new(pid: u32, socket: OwnedFd, now: Instant, introduction: Vec<Note>) -> Self {
        Self {
            pid,
            socket,
            started: now,
            spoke: false,
            last: now,
            notes: introduction.into(),
            full: false,
            retry_at: None,
            lost: false,
            kill_at: None,
            gone_at: None,
        }
    }

    /// Takes in that a message has come.
    pub fn heard(&mut self, now: Instant) {
        self.spoke = true;
        self.last = now;
    }

    /// Counts its silence from now on: nobody was there to hear it.
    pub fn excuse(&mut self, now: Instant) {
        self.last = now;
    }

    /// Returns when it has been silent for too long.
    pub fn silent_at(&self, patience: &Patience) -> Option<Instant> {
        let factor = if self.spoke { 1 } else { START_FACTOR };
        let span = patience.silence.saturating_mul(factor);
        // A span beyond the clock's range means: never.
        self.last.checked_add(span).filter(|_| !self.lost)
    }

    /// Puts a note at the end of the queue; `false` when it is so long that the engine is stuck.
    #[must_use]
    pub fn tell(&mut self, note: Note, runs: usize) -> bool {
        if self.lost {
            return true;
        }
        // A run that is still to be introduced is introduced with its end.
        if let Note::Ended(run) = note
            && self.notes.contains(&Note::Kept(run))
        {
            return true;
        }
        self.notes.push_back(note);
        self.notes.len() <= MOST_NOTES + runs
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// When the engine cannot be told any more and should be replaced.
    pub fn flush(
        &mut self,
        now: Instant,
        runs: &BTreeMap<u64, Entry>,
        stowed: &BTreeMap<Vec<u8>, OwnedFd>,
        listener: &OwnedFd,
    ) -> io::Result<()> {
        self.full = false;
        self.retry_at = None;
        while let Some(note) = self.notes.front() {
            match self.send(note, runs, stowed, listener) {
                Ok(()) => _ = self.notes.pop_front(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.full = true;
                    return Ok(());
                }
                Err(error) if error.raw_os_error() == Some(libc::ETOOMANYREFS) => {
                    self.retry_at = Some(now + TRY_AGAIN_AFTER);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send(
        &self,
        note: &Note,
        runs: &BTreeMap<u64, Entry>,
        stowed: &BTreeMap<Vec<u8>, OwnedFd>,
        listener: &OwnedFd,
    ) -> io::Result<()> {
        let socket = self.socket.as_fd();
        match note {
            Note::Stowed(name) => match stowed.get(name) {
                Some(descriptor) => {
                    let message = FromGuardian::Stowed { name: name.clone() };
                    link::send(socket, &message, &[descriptor.as_fd()])
                }
                // It cannot be gone before it was told: only an engine discards.
                None => Ok(()),
            },
            Note::Welcome { soft, hard, runs, stowed } => {
                let welcome = FromGuardian::Welcome {
                    version: crate::message::VERSION,
                    guardian_pid: std::process::id(),
                    runs: *runs,
                    stowed: *stowed,
                    nofile_soft: *soft,
                    nofile_hard: *hard,
                };
                link::send(socket, &welcome, &[listener.as_fd()])
            }
            Note::Message(message) => link::send(socket, message, &[]),
            Note::Kept(run) | Note::Spawned(run) | Note::Ended(run) => {
                // Released before it could be told: there is nothing to tell any more.
                let Some(entry) = runs.get(run) else { return Ok(()) };
                let kept = &entry.kept;
                match (note, kept.ended) {
                    (Note::Kept(_), _) => {
                        let list = kept.descriptors.list();
                        link::send(socket, &kept.message(entry.adopted), &list)
                    }
                    (Note::Ended(_), Some(ended)) => {
                        link::send(socket, &FromGuardian::Ended { run: *run, ended }, &[])
                    }
                    (Note::Ended(_), None) => Ok(()),
                    _ => {
                        let (pid, start_time) = (kept.pid, kept.start_time);
                        let which = kept.descriptors.which();
                        let spawned = FromGuardian::Spawned { run: *run, pid, start_time, which };
                        link::send(socket, &spawned, &kept.descriptors.list())
                    }
                }
            }
        }
    }

    /// It has closed its socket: it is ending, and may say in the log why.
    pub fn leaves(&mut self, now: Instant) {
        self.lose();
        self.kill_at = Some(now + LAST_WORDS);
    }

    fn lose(&mut self) {
        self.lost = true;
        self.notes.clear();
        self.retry_at = None;
    }

    /// Kills it; it stays until it is reaped, or is given up.
    pub fn kill(&mut self, now: Instant) {
        self.lose();
        self.kill_at = None;
        self.gone_at = Some(now + GONE_WITHIN);
        // SAFETY: sends a signal to our child, whose number is reserved until we reap it.
        unsafe { libc::kill(self.pid as libc::pid_t, libc::SIGKILL) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_started_at_once_then_ever_later_and_at_once_again_when_it_had_settled() {
        let patience = Patience::default();
        let now = Instant::now();
        let mut restarts = Restarts::new(now);
        let mut delay = |lived| {
            restarts.ended(now, lived, &patience);
            restarts.due.expect("an ended engine is replaced") - now
        };
        let delays: Vec<_> = (0..8).map(|_| delay(Duration::ZERO).as_millis()).collect();
        assert_eq!(delays, [0, 100, 200, 400, 800, 1000, 1000, 1000]);
        assert_eq!(delay(Duration::from_secs(5)), Duration::ZERO);
        assert_eq!(delay(Duration::ZERO), Duration::from_millis(100));
    }
}
