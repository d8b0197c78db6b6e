//! The loop of the thread that moves all logs.
//!
//! It waits for pipes, commands and the clock, moves what has arrived, and after a busy round
//! sleeps a millisecond, so that lines written one by one are moved by the hundred: that costs a
//! fifth of the processor time.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::arrival::Arrivals;
use super::bench::Bench;
use super::capture::{Capture, Pumped};
use super::sink::Token;
use super::{Adopted, Failed, LogEvent, Rotation, RunId, Source, rotate};

/// How long to sleep after a busy round. Measured: 0.5 to 2 ms cut the reader's processor time by
/// five.
const PAUSE: Duration = Duration::from_millis(1);
/// A round that moved less than this, and did not follow another at once, is not busy.
const BUSY: usize = 4096;
/// A round that moved more than this leaves no time to sleep: a quarter of the largest pipe.
const FLOODED: usize = 256 << 10;
/// How long to wait before pipes that could not be watched are watched again.
const WATCH_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often it is looked whether the pipe of a stream is filling up while its files are sick.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often it is looked whether the wall clock was set, while something waits for it.
const CLOCK_EVERY: Duration = Duration::from_secs(30);
/// How often zelador's own log is measured.
const OWN_LOG_EVERY: Duration = Duration::from_secs(5);
/// The token of the bell that announces commands.
const BELL: Token = Token::MAX;

/// What the thread is told.
pub enum Command {
    Attach(Box<Source>),
    Finish(RunId),
    CatchUp(RunId, SyncSender<()>),
    SetRotation(Rotation),
    Empty(Vec<PathBuf>, Box<dyn FnOnce(Failed) + Send>),
    Arrivals(PathBuf, SyncSender<Option<Arrivals>>),
    Reopen,
    Panic,
    RotateAll(Vec<PathBuf>),
}

/// The thread's state.
pub struct Worker {
    epoll: OwnedFd,
    bell: Arc<OwnedFd>,
    inbox: Receiver<Command>,
    bench: Bench,
    streams: BTreeMap<Token, Watched>,
    /// Those looked at by the clock.
    clocked: BTreeSet<Token>,
    /// Runs that ended, and whose last lines cannot even wait yet.
    finishing: BTreeSet<RunId>,
    /// Streams have ended since it was looked which files are still used.
    some_ended: bool,
    next_token: Token,
    own_log: Option<PathBuf>,
    own_log_at: Instant,
    /// When all logs are rotated by the clock.
    rotate_at: Option<Timestamp>,
    tell: Box<dyn Fn(LogEvent) + Send>,
}

struct Watched {
    capture: Capture,
    state: Watch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// The pipe is in the epoll set.
    Pipe,
    /// Looked at by the clock, because its files are sick.
    Clock,
    /// Not at all; the pipe has ended.
    Nothing,
}

impl Worker {
    /// Returns a worker that has nothing to do yet.
    pub fn new(
        rotation: Rotation,
        own_log: Option<PathBuf>,
        inbox: Receiver<Command>,
        bell: Arc<OwnedFd>,
        tell: Box<dyn Fn(LogEvent) + Send>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &*bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        let now = Instant::now();
        let bench = Bench::new(rotation)?;
        let rotate_at = bench.files.plan().next();
        Ok(Self {
            epoll,
            bell,
            inbox,
            bench,
            streams: BTreeMap::new(),
            clocked: BTreeSet::new(),
            finishing: BTreeSet::new(),
            some_ended: false,
            next_token: 0,
            own_log,
            own_log_at: now,
            rotate_at,
            tell,
        })
    }

    /// Runs until nobody can give commands any more. A panic ends the process.
    pub fn run_or_abort(mut self, adopted: Adopted) {
        if catch_unwind(AssertUnwindSafe(|| self.run(adopted))).is_err() {
            tracing::error!("the logs panicked; the engine ends, to be started again");
            std::process::abort();
        }
    }

    fn run(&mut self, adopted: Adopted) {
        // All are put right before the first line is moved.
        self.bench.files.take_over(adopted.backlogs);
        let tokens: Vec<Token> =
            adopted.sources.into_iter().map(|source| self.take_on(source)).collect();
        self.bench.files.look_after_new();
        if let Some(own_log) = &self.own_log {
            self.bench.files.look_after(own_log);
        }
        for token in tokens {
            self.pump(token);
        }
        let mut last_busy = Instant::now();
        loop {
            let ready = self.wait();
            if ready.contains(&BELL) {
                _ = rustix::io::read(&*self.bell, &mut [0_u8; 8]);
            }
            if !self.obey() {
                break;
            }
            if std::mem::take(&mut self.some_ended) {
                self.close_unused();
            }
            let arrived: Vec<usize> = ready.into_iter().map(|token| self.pump(token)).collect();
            self.on_time();
            self.tell_all();
            self.bench.trim();
            let (most, all) = (arrived.iter().max(), arrived.iter().sum::<usize>());
            let busy = all >= BUSY || (all > 0 && last_busy.elapsed() < 2 * PAUSE);
            if busy && most.is_some_and(|most| *most < FLOODED) {
                std::thread::sleep(PAUSE);
            }
            if all > 0 {
                last_busy = Instant::now();
            }
        }
        for watched in self.streams.values_mut() {
            watched.capture.flush(false, &mut self.bench);
        }
        self.bench.files.retry_all();
        self.tell_all();
    }

    /// Waits for pipes, the bell or the clock. Returns what is ready.
    fn wait(&self) -> Vec<Token> {
        let now = Instant::now();
        let looks = !self.clocked.is_empty() || !self.finishing.is_empty();
        let look = looks.then_some(LOOK_EVERY);
        let retry = self.bench.files.retry_at().map(|at| at.duration_since(now));
        let own = self.own_log.is_some().then(|| self.own_log_at.duration_since(now));
        let rotate = self.rotate_at.map(|at| {
            let left = Timestamp::now().duration_until(at);
            left.try_into().unwrap_or(Duration::ZERO).min(CLOCK_EVERY)
        });
        let timeout = [look, retry, own, rotate].into_iter().flatten().min();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut events = Vec::with_capacity(64);
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut events),
            timeout.as_ref(),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%error, "log pipes not watched");
                std::thread::sleep(WATCH_AGAIN_AFTER);
            }
        }
        events.iter().map(|event| event.data.u64()).collect()
    }

    /// Carries out what was commanded. Returns false when nobody can command any more.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Attach(source)) => {
                    let token = self.take_on(*source);
                    self.bench.files.look_after_new();
                    self.pump(token);
                }
                Ok(Command::Finish(run)) => self.finish(run),
                Ok(Command::CatchUp(run, told)) => {
                    self.catch_up(run);
                    _ = told.try_send(());
                }
                Ok(Command::SetRotation(rotation)) => {
                    self.bench.files.set_plan(rotation);
                    self.rotate_at = self.bench.files.plan().next();
                    if let Some(own_log) = &self.own_log {
                        self.bench.files.look_after(own_log);
                    }
                }
                Ok(Command::RotateAll(paths)) => {
                    self.bench.files.rotate_all(&paths);
                    self.rotate_own(0);
                }
                Ok(Command::Empty(paths, told)) => told(self.bench.files.empty(&paths)),
                // Whoever asked may not wait any more.
                Ok(Command::Arrivals(path, told)) => {
                    _ = told.try_send(self.bench.files.arrivals(&path));
                }
                Ok(Command::Panic) => panic!("asked to panic"),
                Ok(Command::Reopen) => self.bench.files.reopen(),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take_on(&mut self, source: Source) -> Token {
        let token = self.next_token;
        self.next_token += 1;
        let capture = Capture::new(source, token, &mut self.bench);
        self.streams.insert(token, Watched { capture, state: Watch::Nothing });
        self.watch(token, Watch::Pipe);
        token
    }

    fn watch(&mut self, token: Token, wanted: Watch) {
        let Some(watched) = self.streams.get_mut(&token) else { return };
        let pipe = watched.capture.pipe();
        let done = match (watched.state, wanted) {
            (Watch::Clock | Watch::Nothing, Watch::Pipe) => {
                let data = epoll::EventData::new_u64(token);
                epoll::add(&self.epoll, pipe, data, epoll::EventFlags::IN)
            }
            // Closing would not do: the guardian has the same pipe open.
            (Watch::Pipe, Watch::Clock | Watch::Nothing) => epoll::delete(&self.epoll, pipe),
            _ => Ok(()),
        };
        watched.state = match done {
            Ok(()) => wanted,
            Err(error) => {
                tracing::error!(%error, "log pipe not watched");
                Watch::Clock
            }
        };
        if watched.state == Watch::Clock {
            self.clocked.insert(token);
        } else {
            self.clocked.remove(&token);
        }
    }

    /// Moves what has arrived in one stream. Returns how much.
    fn pump(&mut self, token: Token) -> usize {
        let Some(watched) = self.streams.get_mut(&token) else { return 0 };
        let (wanted, arrived) = match watched.capture.pump(&mut self.bench) {
            Pumped::Arrived(bytes) => (Watch::Pipe, bytes),
            Pumped::Waiting => (Watch::Clock, 0),
            Pumped::Ended => (Watch::Nothing, 0),
        };
        if watched.state != wanted {
            self.watch(token, wanted);
        }
        arrived
    }

    fn finish(&mut self, run: RunId) {
        if !self.catch_up(run) {
            self.finishing.insert(run);
            return;
        }
        let of_run =
            |(token, watched): (&Token, &Watched)| (watched.capture.run() == run).then_some(*token);
        let tokens: Vec<Token> = self.streams.iter().filter_map(of_run).collect();
        for token in tokens {
            self.watch(token, Watch::Nothing);
            self.streams.remove(&token);
        }
        self.some_ended = true;
        self.bench.files.events.push(LogEvent::Drained { run });
    }

    /// Moves all that a run that ended has said; its last line has an end, whether it was written or not.
    /// Returns false where it has to be done again a little later.
    fn catch_up(&mut self, run: RunId) -> bool {
        let mut all = true;
        for watched in self.streams.values_mut().filter(|it| it.capture.run() == run) {
            all &= watched.capture.flush(true, &mut self.bench);
        }
        all
    }

    fn close_unused(&mut self) {
        let sinks = self.streams.values().flat_map(|watched| watched.capture.sinks());
        let used: BTreeSet<&Path> = sinks.map(PathBuf::as_path).collect();
        self.bench.files.close_unused(&used);
    }

    /// Does what is due by the clock.
    fn on_time(&mut self) {
        let now = Instant::now();
        if self.bench.files.retry_at().is_some_and(|at| at <= now) {
            self.bench.files.retry(now);
            self.close_unused();
        }
        for token in self.clocked.clone() {
            self.pump(token);
        }
        for run in std::mem::take(&mut self.finishing) {
            self.finish(run);
        }
        if self.own_log.is_some() && now >= self.own_log_at {
            self.own_log_at = now + OWN_LOG_EVERY;
            self.rotate_own(self.bench.files.plan().rotation.max_size.bytes());
        }
        if self.rotate_at.is_some_and(|at| Timestamp::now() >= at) {
            self.rotate_at = self.bench.files.plan().next();
            // Which files there are besides those in use, others know.
            self.bench.files.events.push(LogEvent::Due);
        }
    }

    fn rotate_own(&self, limit: u64) {
        let Some(own_log) = &self.own_log else { return };
        match rotate::own(own_log, limit, self.bench.files.plan()) {
            Ok(true) => self.bench.files.look_after(own_log),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(path = %own_log.display(), %error, "own log not rotated");
            }
        }
    }

    fn tell_all(&mut self) {
        for event in self.bench.files.take_events() {
            (self.tell)(event);
        }
    }
}
