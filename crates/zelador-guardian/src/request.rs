//! What the engine asks for, carried out at once.
//!
//! Always holds: every request about a run that cannot be carried out is answered with `Refused` or
//! `SpawnFailed`.

use std::ffi::CString;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use crate::aside;
use crate::engine::Note;
use crate::guardian::{FIRST_RESERVED_RUN, Guardian};
use crate::keep::Descriptors;
use crate::message::{FromGuardian, Launch, Stage, ToGuardian, Why};
use crate::notify::Manager;
use crate::runs::Entry;

/// Stowed descriptors at most: a thousand apps with a port each stay far below.
const MOST_STOWED: usize = 16 * 1024;

impl Guardian {
    /// Carries out one request of the engine.
    pub(crate) fn on_message(&mut self, message: ToGuardian, mut passed: Vec<OwnedFd>) {
        self.carry_out(message, &mut passed);
        aside::close(passed);
    }

    fn carry_out(&mut self, message: ToGuardian, passed: &mut Vec<OwnedFd>) {
        let (run, done) = match message {
            ToGuardian::Hello | ToGuardian::Alive => {
                if let Some(trial) = &mut self.trial {
                    trial.greeted(Instant::now(), &self.patience);
                }
                self.tell_manager(Manager::well);
                return;
            }
            ToGuardian::Ready { status } => {
                self.resurrect = false;
                self.tell_manager(|manager| manager.ready(&String::from_utf8_lossy(&status)));
                return;
            }
            ToGuardian::Spawn { run, launch } => (run, self.spawn(run, launch, passed)),
            ToGuardian::Signal { run, signal, group } => {
                let entry = self.runs.get(&run).ok_or(Why::Unknown);
                (run, entry.and_then(|entry| entry.signal(signal, group)))
            }
            ToGuardian::Ask { run, signal, group } => {
                let entry = self.runs.get_mut(&run).ok_or(Why::Unknown);
                (
                    run,
                    entry.and_then(|entry| {
                        entry.kept.linger = true;
                        entry.signal(signal, group)
                    }),
                )
            }
            ToGuardian::Linger { run, on } => {
                let entry = self.runs.get_mut(&run).ok_or(Why::Unknown);
                (run, entry.map(|entry| entry.kept.linger = on))
            }
            ToGuardian::Release { run } => (run, self.release(run)),
            ToGuardian::Adopt { run, pid, start_time, label, which } => {
                let descriptors = Descriptors::from_list(which, mem::take(passed));
                let entry = Entry::adopt(run, pid, start_time, label, descriptors);
                (run, self.free(run).and(entry).map(|entry| self.adopt(entry)))
            }
            ToGuardian::Stow { name } => {
                // Without a descriptor, or with more than a host has room for: not kept.
                if let Some(descriptor) = passed.pop()
                    && (self.stowed.len() < MOST_STOWED || self.stowed.contains_key(&name))
                {
                    aside::close(self.stowed.insert(name, descriptor));
                }
                return;
            }
            ToGuardian::Discard { name } => {
                aside::close(self.stowed.remove(&name));
                return;
            }
            // An engine that ends to no purpose is followed by one that is asked to end.
            ToGuardian::Upgrade { .. } if self.terminating.is_some() => return,
            ToGuardian::Upgrade { argv, table_flag } => {
                let argv = argv.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>();
                match (argv, CString::new(table_flag)) {
                    (Ok(argv), Ok(flag)) => {
                        self.upgrade = Some((argv, flag));
                        self.upgrade_at = Some(Instant::now() + self.patience.farewell);
                    }
                    _ => self.home.log("the command line of the upgrade has a zero byte"),
                }
                return;
            }
            ToGuardian::Shutdown => {
                if self.finishing.is_none() {
                    self.finish(Instant::now(), self.patience.farewell);
                }
                return;
            }
        };
        if let Err(why) = done {
            self.tell(Note::Message(FromGuardian::Refused { run, why }));
        }
    }

    fn free(&self, run: u64) -> Result<(), Why> {
        if run >= FIRST_RESERVED_RUN || self.runs.contains_key(&run) {
            return Err(Why::Taken);
        }
        Ok(())
    }

    fn spawn(&mut self, run: u64, launch: Launch, passed: &mut Vec<OwnedFd>) -> Result<(), Why> {
        self.free(run)?;
        if self.finishing.is_some() {
            return Err(Why::Failed(libc::ESHUTDOWN));
        }
        // An engine that cannot receive what it is told about a run would end, and each after it too.
        let others = self.runs.len() as u64;
        if !self.ground.nofile.has_room(others + 1, self.stowed.len() as u64) {
            let (stage, errno) = (Stage::Pipes, libc::EMFILE);
            self.tell(Note::Message(FromGuardian::SpawnFailed { run, stage, errno }));
            return Ok(());
        }
        let link = self.engine.as_ref().map(|engine| engine.socket.as_raw_fd());
        let mut closed = self.home.locks();
        closed.extend(link);
        let groups = usize::from(launch.cgroup) + usize::from(launch.extras.cgroups);
        let started = self.ground.spawn(run, launch, passed, self.runs.len(), &closed);
        // Of the kernel's own file system.
        passed.drain(..groups.min(passed.len()));
        match started {
            Ok(entry) => {
                self.runs.insert(run, entry);
                self.tell(Note::Spawned(run));
            }
            Err(failure) => {
                let (stage, errno) = (failure.stage, failure.errno);
                let message = FromGuardian::SpawnFailed { run, stage, errno };
                self.tell(Note::Message(message));
            }
        }
        Ok(())
    }

    fn adopt(&mut self, entry: Entry) {
        let (run, adopted) = (entry.kept.run, entry.adopted);
        self.runs.insert(run, entry);
        self.tell(Note::Kept(run));
        if adopted {
            self.watch(run);
        }
    }

    fn release(&mut self, run: u64) -> Result<(), Why> {
        let entry = self.runs.get(&run).ok_or(Why::Unknown)?;
        if entry.kept.ended.is_none() && !entry.kept.foreign {
            return Err(Why::Living);
        }
        if let Some(pidfd) = entry.kept.descriptors.pidfd.as_ref().filter(|_| entry.adopted) {
            self.poll.remove(pidfd.as_fd());
        }
        // What the service sent and nobody received may hold descriptors.
        let entry = self.runs.remove(&run);
        aside::close(entry.and_then(|entry| entry.kept.descriptors.channel));
        Ok(())
    }
}
