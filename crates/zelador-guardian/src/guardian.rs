//! The guardian's loop: news in, what must be done at once out. It decides nothing that the engine
//! could decide.
//!
//! Always holds: it waits in `epoll_wait` only; an end is recorded before the engine is told; the
//! group of a main process is killed while its number is still reserved by the zombie.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::engine::{Engine, Note, Patience, Restarts};
use crate::home::Home;
use crate::link;
use crate::message::{FromGuardian, ToGuardian};
use crate::notify::Manager;
use crate::poll::{For, Poll, Signals};
use crate::runs::{Entry, Ground};
use crate::thrift;
use crate::trial::{Trial, Verdict};
use crate::wait;

/// The engine's descriptor of the link.
pub const ENGINE_SOCKET: i32 = 3;

const SIGNALS: u64 = u64::MAX;
pub(crate) const ENGINE: u64 = u64::MAX - 1;

/// Numbers from here on are keys of the guardian itself and no run's.
pub const FIRST_RESERVED_RUN: u64 = u64::MAX - 15;

/// Messages taken from the engine, and children reaped, before other news is looked at: of a hundred that ended at
/// once the first successors begin while the last are reaped.
const AT_ONCE: usize = 16;

/// The loop comes within milliseconds of the time; one that comes this late was stopped.
const LATE: Duration = Duration::from_secs(1);

/// How often something is looked at again that gives no notice.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How long killed processes may take to end before the guardian ends without them; only one that
/// hangs in the kernel takes longer than milliseconds.
const KILLED_WAIT: Duration = Duration::from_secs(5);

/// Everything a guardian has.
#[derive(Debug)]
pub(crate) struct Guardian {
    pub home: Home,
    pub argv: Vec<CString>,
    pub patience: Patience,
    pub listener: OwnedFd,
    pub poll: Poll,
    pub signals: Signals,
    pub ground: Ground,
    pub runs: BTreeMap<u64, Entry>,
    /// Descriptors that engines keep here beyond their own life, by name.
    pub stowed: BTreeMap<Vec<u8>, OwnedFd>,
    pub engine: Option<Engine>,
    pub restarts: Restarts,
    /// The service manager, when there is one.
    pub manager: Option<Manager>,
    /// The saved list is to be brought up, and no engine has said that it is.
    pub resurrect: bool,
    /// More children may have ended than were reaped.
    pub more_ended: bool,
    /// A signal has asked for the end.
    pub terminated: bool,
    /// Asked to end: when everything is killed if the engine has not managed by then.
    pub terminating: Option<Instant>,
    pub finishing: Option<Finishing>,
    /// A new image takes this one's place when the engine ends.
    pub upgrade: Option<(Vec<CString>, CString)>,
    /// When an engine that asked for an upgrade is killed.
    pub upgrade_at: Option<Instant>,
    /// This image is new.
    pub trial: Option<Trial>,
}

/// The last seconds: everything is killed, its end is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finishing {
    engine_until: Instant,
    until: Instant,
}

impl Guardian {
    /// Runs until everything has ended that must.
    pub fn run(&mut self) -> io::Result<()> {
        self.poll.add(self.signals.descriptor(), SIGNALS, For::Reading)?;
        let adopted: Vec<_> =
            self.runs.iter().filter(|(_, entry)| entry.adopted).map(|(run, _)| *run).collect();
        for run in adopted {
            self.watch(run);
        }
        // What ended before signals were blocked here.
        self.reap();
        thrift::give_back();
        loop {
            let now = Instant::now();
            self.on_time(now);
            if self.finished(now) {
                return Ok(());
            }
            self.flush(now);
            let timeout = self.next_deadline().map(|at| at.saturating_duration_since(now));
            let timeout = if self.more_ended { Some(Duration::ZERO) } else { timeout };
            for key in self.poll.wait(timeout)? {
                match key {
                    SIGNALS => self.on_signals(),
                    ENGINE => self.on_engine(),
                    run => self.on_adopted(run),
                }
            }
            if std::mem::take(&mut self.more_ended) {
                self.reap();
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let engine = self.engine.as_ref();
        let retry_soon =
            self.finishing.is_some() || self.runs.values().any(|entry| entry.exiting.is_some());
        [
            retry_soon.then(|| Instant::now() + LOOK_AGAIN),
            engine.and_then(|engine| engine.retry_at),
            engine.and_then(|engine| engine.silent_at(&self.patience)),
            engine.and_then(|engine| engine.kill_at),
            engine.and_then(|engine| engine.gone_at),
            if engine.is_none() { self.restarts.due } else { None },
            self.upgrade_at,
            self.trial.as_ref().map(|trial| trial.until),
            self.terminating,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn on_time(&mut self, now: Instant) {
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let exiting: Vec<_> = self
            .runs
            .iter()
            .filter(|(_, entry)| entry.exiting.is_some())
            .map(|(run, _)| *run)
            .collect();
        for run in exiting {
            self.on_adopted(run);
        }
        if passed(self.terminating) && self.finishing.is_none() {
            self.home.log("not everything was stopped in time: killing what is left");
            self.finish(now, Duration::ZERO);
        }
        self.look_for_silence(now);
        if let Some(engine) = self.engine.as_mut().filter(|engine| passed(engine.kill_at)) {
            engine.kill(now);
        }
        if self.engine.as_ref().is_some_and(|engine| passed(engine.gone_at)) {
            self.engine_gone("was killed and does not go: it is given up");
        }
        if passed(self.upgrade_at) {
            self.upgrade_at = None;
            self.lose_engine("did not end for the upgrade");
        }
        match self.trial.as_ref().and_then(|trial| trial.verdict(now)) {
            Some(Verdict::Passed) => {
                self.trial = None;
                self.home.log("the new guardian and its engine are good");
            }
            Some(Verdict::Failed) => self.lose_engine("did not come up"),
            None => {}
        }
        if let Some(finishing) = self.finishing {
            if finishing.engine_until <= now {
                self.lose_engine("did not end");
            }
            self.kill_everything();
        } else if self.engine.is_none() && passed(self.restarts.due) {
            self.start_engine(now);
        }
    }

    /// Loses an engine that has been silent for too long. It may have spoken to a guardian that did not listen: what
    /// waits is taken in first, and one that comes late was stopped itself.
    fn look_for_silence(&mut self, now: Instant) {
        let silent_at = |it: &Self| {
            let at = it.engine.as_ref().and_then(|engine| engine.silent_at(&it.patience));
            at.filter(|at| *at <= now)
        };
        let Some(at) = silent_at(self) else { return };
        self.on_engine();
        if let Some(engine) = self.engine.as_mut().filter(|_| now - at >= LATE) {
            engine.excuse(now);
        }
        if silent_at(self).is_some() {
            self.lose_engine("says nothing");
        }
    }

    /// Tells the service manager something, when there is one.
    pub(crate) fn tell_manager(&self, tell: impl FnOnce(&Manager)) {
        self.manager.as_ref().map(tell);
    }

    pub(crate) fn tell(&mut self, note: Note) {
        let runs = self.runs.len() + self.stowed.len();
        if let Some(engine) = &mut self.engine
            && !engine.tell(note, runs)
        {
            self.lose_engine("does not read");
        }
    }

    fn flush(&mut self, now: Instant) {
        let Some(engine) = self.engine.as_mut().filter(|engine| !engine.lost) else { return };
        let was_full = engine.full;
        if let Err(error) = engine.flush(now, &self.runs, &self.stowed, &self.listener) {
            // A closed socket is seen, and said, when it is read.
            if error.kind() == io::ErrorKind::BrokenPipe {
                engine.retry_at = Some(now + LOOK_AGAIN);
                return;
            }
            self.lose_engine(&format!("cannot be told ({error})"));
            return;
        }
        if engine.full != was_full {
            let what = if engine.full { For::Both } else { For::Reading };
            let _ = self.poll.change(engine.socket.as_fd(), ENGINE, what);
        }
    }

    fn on_engine(&mut self) {
        for _ in 0..AT_ONCE {
            let Some(engine) = &mut self.engine else { return };
            match link::receive::<ToGuardian>(engine.socket.as_fd()) {
                Ok(Some((message, passed))) => {
                    engine.heard(Instant::now());
                    self.on_message(message, passed);
                }
                Ok(None) => {
                    self.poll.remove(engine.socket.as_fd());
                    // Usually it has ended, and SIGCHLD is about to say so.
                    engine.leaves(Instant::now());
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.home.log(&format!("a message of the engine is not understood: {error}"));
                }
                // For want of a descriptor, or of memory: the next engine is told what became of it all.
                Err(error) => {
                    self.lose_engine(&format!("said something that is lost ({error})"));
                    return;
                }
            }
        }
    }

    pub(crate) fn watch(&mut self, run: u64) {
        let Some(pidfd) = self.runs.get(&run).and_then(|one| one.kept.descriptors.pidfd.as_ref())
        else {
            return;
        };
        if let Err(error) = self.poll.add(pidfd.as_fd(), run, For::Change) {
            self.home.log(&format!("the end of run {run} will not be seen: {error}"));
        }
    }

    fn on_adopted(&mut self, run: u64) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        if entry.look(Instant::now()) {
            self.tell(Note::Ended(run));
        }
    }

    fn reap(&mut self) {
        for _ in 0..AT_ONCE {
            let Some(pid) = wait::peek() else { return };
            if self.engine.as_ref().is_some_and(|engine| engine.pid == pid) {
                let Some(status) = wait::reap(pid) else { return };
                self.engine_ended(status);
                continue;
            }
            let found = self
                .runs
                .iter_mut()
                .find(|(_, entry)| entry.kept.pid == pid && entry.kept.ended.is_none());
            if let Some((_, entry)) = &found {
                entry.kill_rest();
            }
            let Some(status) = wait::reap(pid) else { return };
            if let Some((run, entry)) = found {
                entry.end(Some(status));
                let run = *run;
                self.tell(Note::Ended(run));
                // Not only when all are reaped: the engine decides on the first of many meanwhile.
                self.flush(Instant::now());
            }
        }
        self.more_ended = true;
    }

    fn on_signals(&mut self) {
        for signal in self.signals.take() {
            match signal {
                libc::SIGCHLD => self.reap(),
                libc::SIGTERM | libc::SIGINT => self.terminate(),
                // SIGHUP: the terminal that started us is gone, which concerns nobody.
                _ => {}
            }
        }
    }

    fn terminate(&mut self) {
        let now = Instant::now();
        self.terminated = true;
        if self.terminating.is_none() && self.finishing.is_none() {
            self.terminating = Some(now + self.patience.termination);
            // Another image would not know of it.
            self.upgrade = None;
            self.tell_manager(Manager::stopping);
            self.tell(Note::Message(FromGuardian::Terminate));
        } else {
            self.home.log("asked to end a second time: killing what is left");
            self.finish(now, Duration::ZERO);
        }
    }

    pub(crate) fn finish(&mut self, now: Instant, farewell: Duration) {
        self.tell_manager(Manager::stopping);
        self.terminating = None;
        self.upgrade = None;
        self.upgrade_at = None;
        self.trial = None;
        let engine_until = now + farewell;
        self.finishing = Some(Finishing { engine_until, until: engine_until + KILLED_WAIT });
        self.kill_everything();
    }

    fn kill_everything(&self) {
        for entry in self.runs.values().filter(|entry| !entry.kept.foreign) {
            let _ = entry.signal(libc::SIGKILL as u8, true);
        }
    }

    fn finished(&self, now: Instant) -> bool {
        let Some(finishing) = self.finishing else { return false };
        let ours = || self.runs.values().filter(|entry| !entry.kept.foreign);
        let all = self.engine.is_none() && ours().all(|entry| entry.kept.ended.is_some());
        if !all && finishing.until <= now {
            let left = ours().filter(|entry| entry.kept.ended.is_none()).count();
            self.home.log(&format!("ending although {left} killed processes have not ended"));
        }
        all || finishing.until <= now
    }
}
