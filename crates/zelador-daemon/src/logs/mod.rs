//! Moves the output of services from their pipes to their log files: every line once, whole and in
//! order, whenever the engine is killed.
//!
//! One thread of its own does it all, so no caller ever waits for a disk, and so every file has
//! one writer although several streams may share it. `exact` has the protocol, `capture` one
//! stream, `style` how its lines are written, `sink` one file, `backlog` what waits for it, `thread` the loop. A second thread,
//! `keeper`, looks after files that were rotated.
//!
//! Always holds: a service is never kept waiting because a log cannot be written (beyond what its
//! pipe holds, lines wait in memory, then the oldest are dropped and counted); memory is bounded,
//! whatever a service writes. A panic of the thread ends the process: its guardian starts it
//! again, and nothing is lost by that.

mod arrival;
mod asker;
mod backlog;
mod bench;
mod capture;
mod cutting;
mod exact;
mod files;
mod identity;
mod keeper;
mod names;
mod pipe;
mod plan;
mod rotate;
mod sealed;
mod sink;
mod style;
mod tail;
mod thread;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use rustix::event::EventfdFlags;
use zelador_api::spot::Spot;
pub use zelador_core::id::RunId;
pub use zelador_core::spec::Rotation;

pub use self::asker::{Asker, Timed};
pub use self::backlog::Memory;
pub use self::style::{Json, Style, own_json};
pub use self::tail::tail;
use self::thread::{Command, Worker};

/// The renamed logs of the log at `path`, with dates of this format, compressed ones too.
pub fn renamed(path: &std::path::Path, date_format: &str) -> Vec<PathBuf> {
    let Ok(path) = Spot::find(path).and_then(|spot| spot.present_path()) else { return Vec::new() };
    let own = names::Names::new(date_format).own(&path).rotated;
    own.into_iter().flat_map(|it| it.plain.into_iter().chain(it.compressed)).collect()
}

/// The logs of all services. Its methods never wait, [`Logs::stop`] excepted.
///
/// Dropped without [`Logs::stop`], its thread moves what is in the pipes and ends by itself.
pub struct Logs {
    commands: Option<Arc<mpsc::Sender<Command>>>,
    bell: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

/// One stream of one run: its descriptors, and where its lines go.
#[derive(Debug)]
pub struct Source {
    /// Whose it is.
    pub run: RunId,
    /// Which of its two streams.
    pub stream: Stream,
    /// Read end of the pipe that the service writes to.
    pub pipe: Arc<OwnedFd>,
    /// Read end of the hold pipe.
    pub hold_read: Arc<OwnedFd>,
    /// Write end of the hold pipe. It must stay open in the guardian.
    pub hold_write: Arc<OwnedFd>,
    /// The run's memfd of 4096 bytes, zero at first: the first half is `Out`'s, the second `Err`'s.
    pub state: Arc<OwnedFd>,
    /// The files, absolute: none (lines are thrown away), the stream's own, and perhaps the
    /// combined one. A file may belong to any number of streams. At most 8.
    pub sinks: Vec<PathBuf>,
    /// How its lines stand in them.
    pub style: Style,
    /// Whether it is a module's.
    pub module: bool,
}

/// What an engine that is gone has left.
#[derive(Debug, Default)]
pub struct Adopted {
    /// The streams of its runs.
    pub sources: Vec<Source>,
    /// What waited for files that it could not write: [`Memory::number`] and the memfd.
    pub backlogs: Vec<(u64, OwnedFd)>,
}

/// Standard output or standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Files with which something could not be done, and why.
pub type Failed = Vec<(PathBuf, String)>;

/// What the logs have to say. Told on their thread, so the listener must not wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// All that a finished run had written is in its files (or waits for them in memory), and its
    /// descriptors are closed.
    Drained {
        /// The run.
        run: RunId,
    },
    /// A file cannot be written. Told once until it recovers.
    Trouble {
        /// The file.
        path: PathBuf,
        /// Why, as the system says it.
        error: String,
    },
    /// All logs are to be rotated, by the clock: [`Logs::rotate_all`] does it.
    Due,
    /// Lines begin to wait for a file: the guardian is to keep their memory.
    Keep {
        /// It.
        memory: Memory,
    },
    /// No lines are in this memory any more.
    Forget {
        /// Its [`Memory::number`].
        number: u64,
    },
    /// A file that was in trouble is written again.
    Recovered {
        /// The file.
        path: PathBuf,
    },
}

impl Logs {
    /// Starts the thread. `adopted` is of an engine that is gone: whatever it left
    /// half done is put right in all of them before any line is moved, because one stream's
    /// unfinished move can only be taken back while no other stream has written to that file.
    /// `own_log` is zelador's own log, rotated like the others.
    ///
    /// # Errors
    /// Whatever the system says when it has no descriptor or thread left.
    pub fn start(
        rotation: Rotation,
        own_log: Option<PathBuf>,
        adopted: Adopted,
        done: impl Fn(LogEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let bell = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let bell = Arc::new(bell);
        let (commands, inbox) = mpsc::channel();
        let worker = Worker::new(rotation, own_log, inbox, Arc::clone(&bell), Box::new(done))?;
        let thread = std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || worker.run_or_abort(adopted))?;
        Ok(Self { commands: Some(Arc::new(commands)), bell, thread: Some(thread) })
    }

    /// Returns whom other threads may ask.
    pub fn asker(&self) -> Asker {
        let commands = self.commands.as_ref().map(Arc::downgrade).unwrap_or_default();
        Asker { commands, bell: Arc::clone(&self.bell) }
    }

    /// Takes on a stream of a new run.
    pub fn attach(&self, source: Source) {
        self.send(Command::Attach(Box::new(source)));
    }

    /// Ends a run that is dead: reads what its pipes hold now, writes an unfinished last line with
    /// the missing line end, and says [`LogEvent::Drained`]; at once for a run that is not known.
    pub fn finish(&self, run: RunId) {
        self.send(Command::Finish(run));
    }

    /// Has the thread panic, which ends the process.
    pub fn panic(&self) {
        self.send(Command::Panic);
    }

    /// Changes when logs are rotated.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.send(Command::SetRotation(rotation));
    }

    /// Empties these files; what is written next stands at their beginning. `told` is called with
    /// those that could not be emptied, and why.
    pub fn empty(&self, paths: Vec<PathBuf>, told: impl FnOnce(Failed) + Send + 'static) {
        self.send(Command::Empty(paths, Box::new(told)));
    }

    /// Closes every file; the next line opens it by its path.
    pub fn reopen(&self) {
        self.send(Command::Reopen);
    }

    /// Renames these files, those in use and zelador's own log, whatever their size; empty ones stay.
    pub fn rotate_all(&self, paths: Vec<PathBuf>) {
        self.send(Command::RotateAll(paths));
    }

    /// Moves what is in the pipes and waits until the thread has ended. Unfinished lines stay in
    /// the hold pipes for the next engine.
    pub fn stop(mut self) {
        self.hang_up();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the logs panicked");
        }
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // Refused only if the thread has ended, and then the process is about to.
            _ = commands.send(command);
        }
        self.ring();
    }

    fn ring(&self) {
        ring(&self.bell);
    }

    fn hang_up(&mut self) {
        self.commands = None;
        self.ring();
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// Calls the thread.
fn ring(bell: &OwnedFd) {
    // Refused only if the counter is full, and then the thread is called already.
    _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

/// A place at which a test kills the engine; nothing outside tests.
#[cfg(not(test))]
#[inline]
fn crash_point(_: &str) {}

/// How much to take at a time; a test takes less, to be killed in between.
#[cfg(not(test))]
#[inline]
fn crash_length(bytes: usize) -> usize {
    bytes
}

#[cfg(test)]
use self::tests::{crash_length, crash_point};
