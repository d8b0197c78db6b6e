//! The engines of a guardian, one after another: how each is begun, lost and followed, and what takes this
//! image's own place.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::engine::{Engine, Note};
use crate::guardian::{ENGINE, ENGINE_SOCKET, Guardian};
use crate::link;
use crate::message::{Extras, FromGuardian, ToGuardian};
use crate::notify::Manager;
use crate::poll::For;
use crate::runs::Ground;
use crate::spawn::{Failure, Plan};
use crate::table::{self, OWN_IMAGE, Own, is_own};
use crate::trial::FORMER_FLAG;

/// Messages taken from an engine that has ended: more than a socket holds (212,992 bytes, the default
/// of `net.core.wmem_max`, hold some hundred), fewer than endless when somebody else holds its end.
const MOST_LAST_MESSAGES: usize = 4096;

impl Guardian {
    pub(crate) fn start_engine(&mut self, now: Instant) {
        self.restarts.due = None;
        // Somebody has removed it: nobody could call any more.
        if !self.home.has_socket() {
            self.home.lock_anew();
            match self.home.bind() {
                Ok(listener) => self.listener = listener,
                Err(error) => {
                    self.home.log(&format!("the control socket cannot be made anew: {error}"));
                }
            }
        }
        // A new engine may take as long as the watchdog allows.
        self.tell_manager(Manager::well);
        let (pid, socket) = match self.spawn_engine() {
            Ok(started) => started,
            Err(error) => {
                self.home.log(&format!("the engine cannot be started: {error}"));
                self.restarts.ended(now, Duration::ZERO, &self.patience);
                return;
            }
        };
        let (soft, hard) = (self.ground.nofile.soft, self.ground.nofile.hard);
        let ending = self.terminating.map(|_| Note::Message(FromGuardian::Terminate));
        let runs = (self.runs.len() + usize::from(ending.is_some())) as u32;
        let stowed = self.stowed.len() as u32;
        let mut introduction = vec![Note::Welcome { soft, hard, runs, stowed }];
        // Known before anything is decided about the runs: nothing is started again.
        introduction.extend(ending.clone());
        introduction.extend(self.runs.keys().map(|run| Note::Kept(*run)));
        introduction.extend(self.stowed.keys().map(|name| Note::Stowed(name.clone())));
        if self.resurrect {
            introduction.push(Note::Message(FromGuardian::Resurrect));
        }
        // An engine of before passes over the first.
        introduction.extend(ending);
        let mut engine = Engine::new(pid, socket, now, introduction);
        if let Err(error) = self.poll.add(engine.socket.as_fd(), ENGINE, For::Reading) {
            self.home.log(&format!("the engine cannot be watched: {error}"));
            engine.kill(now);
        }
        self.engine = Some(engine);
    }

    fn spawn_engine(&mut self) -> io::Result<(u32, OwnedFd)> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // Of this end alone: whether the engine's blocks is the engine's matter.
        rustix::io::ioctl_fionbio(&ours, true)?;
        // Services are worth more than what an engine says about itself.
        let log = self.home.open_log();
        let file = self.argv.first().ok_or(io::ErrorKind::InvalidInput)?;
        let own = OWN_IMAGE.to_owned();
        let (program, other) = if is_own(file) { (file, &own) } else { (&own, file) };
        let null = self.ground.null.as_raw_fd();
        let log = log.as_ref().map_or(null, AsRawFd::as_raw_fd);
        let mut all = [(null, 0), (log, 1), (log, 2), (theirs.as_raw_fd(), ENGINE_SOCKET)];
        let Ground { stack, slots, null, oom, .. } = &mut self.ground;
        let (_staged, copied) = slots.stage(null.as_fd(), &mut all).unzip();
        let plan = Plan {
            program,
            argv: &self.argv,
            env: None,
            cwd: None,
            uid: None,
            gid: None,
            groups: None,
            nofile: None,
            oom: *oom,
            group: None,
            cgroups: &[],
            copied,
            closed: &self.home.locks(),
            descriptors: &all,
            extras: &Extras::default(),
        };
        let failed = |failure: Failure| io::Error::from_raw_os_error(failure.errno);
        let started = stack.start(&plan).map_err(failed).or_else(|error| {
            let (path, other_path) = (program.to_string_lossy(), other.to_string_lossy());
            self.home.log(&format!(
                "{path} cannot be executed ({error}): the engine is started from {other_path}"
            ));
            stack.start(&Plan { program: other, ..plan }).map_err(failed)
        });
        Ok((started?.pid, ours))
    }

    pub(crate) fn lose_engine(&mut self, why: &str) {
        if let Some(engine) = self.engine.as_mut().filter(|engine| !engine.lost) {
            self.home.log(&format!("engine {} {why}: killing it", engine.pid));
            engine.kill(Instant::now());
        }
    }

    pub(crate) fn engine_ended(&mut self, status: i32) {
        let how = match (libc::WIFSIGNALED(status), libc::WTERMSIG(status)) {
            (true, signal) => format!("ended by signal {signal}"),
            (false, _) => format!("ended with code {}", libc::WEXITSTATUS(status)),
        };
        self.engine_gone(&how);
    }

    /// The engine is no more; the next one is due, of this image or of another.
    pub(crate) fn engine_gone(&mut self, how: &str) {
        // What it said before it ended still counts, a `Shutdown` above all.
        for _ in 0..MOST_LAST_MESSAGES {
            let Some(engine) = &self.engine else { return };
            match link::receive::<ToGuardian>(engine.socket.as_fd()) {
                Ok(Some((message, passed))) => self.on_message(message, passed),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                Ok(None) | Err(_) => break,
            }
        }
        let Some(engine) = self.engine.take() else { return };
        self.poll.remove(engine.socket.as_fd());
        if self.finishing.is_some() {
            return;
        }
        let now = Instant::now();
        self.home.log(&format!("engine {} {how}", engine.pid));
        if let Some((argv, flag)) = self.upgrade.take() {
            self.upgrade_at = None;
            // An engine that ends for an upgrade is no bad one.
            self.trial = None;
            self.replace_self(argv, &flag);
        }
        if let Some(trial) = self.trial.take().filter(|_| self.terminating.is_none()) {
            self.home
                .log("the engine of the new guardian is no good: going back to the one before");
            self.execute(&trial.former.argv(), &trial.former.table_flag, None);
        }
        self.restarts.ended(now, now.saturating_duration_since(engine.started), &self.patience);
    }

    /// Returns only when the new image cannot be executed.
    fn replace_self(&self, mut argv: Vec<CString>, flag: &CStr) {
        let former = match File::open("/proc/self/exe") {
            Ok(former) => OwnedFd::from(former),
            Err(error) => {
                self.home.log(&format!("no upgrade without a way back: {error}"));
                return;
            }
        };
        argv.extend(CString::new(FORMER_FLAG));
        argv.extend(CString::new(former.as_raw_fd().to_string()));
        self.execute(&argv, flag, Some(former.as_fd()));
    }

    /// Returns only when that cannot be executed.
    fn execute(&self, argv: &[CString], flag: &CStr, former: Option<BorrowedFd>) {
        let lock = Some(self.home.lock_descriptor().as_fd());
        let own = Own { lock, oom: self.ground.oom, former, resurrect: self.resurrect };
        let runs: Vec<_> = self.runs.values().map(|entry| &entry.kept).collect();
        let nofile = Some(self.ground.nofile);
        let stowed: Vec<_> = self.stowed.iter().collect();
        let error = table::execute(argv, flag, &own, Some(&self.listener), nofile, &runs, &stowed);
        self.home.log(&format!("the other guardian cannot be executed: {error}"));
    }
}
