//! The native backend: the guardian is the parent, this side asks.
//!
//! Keeps what the guardian handed over of each run. A run is released (forgotten by the guardian)
//! when its end is recorded and its last line is in its log file, whichever comes last.

mod ended;
mod gap;
mod groups;
mod handed;
mod identity;
mod launch;
mod limits;
mod link;
mod lost;
mod pipes;
mod proof;
mod released;
mod sockets;
mod sources;
mod spawn;
mod status;
mod stowed;
mod stray;
mod upgrade;
mod versions;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use zelador_core::death::Death;
use zelador_core::id::RunId;
use zelador_core::input::{Fact, KnownRun};
use zelador_core::launch::run_mark;
use zelador_core::signal::Signal;
use zelador_guardian::message::{self, FromGuardian, Stage, ToGuardian};
use zelador_guardian::{Descriptors, Handover, Kept};

pub use handed::{FIRST, Handed, give_file};
pub use identity::user_name;
pub use link::Link;

use crate::aside::Aside;
use crate::logs::{Logs, Source};

use crate::processes::RunKey;
use crate::processes::cgroup::Groups;
use crate::processes::controllers::Controllers;
use sources::sources_of;

/// All runs that the guardian knows, and the connection to it.
pub struct Native {
    home: PathBuf,
    link: Link,
    /// Closes what services have handed in.
    aside: Aside,
    guardian_pid: i32,
    /// Zelador was asked to end before this engine came.
    ending: bool,
    listener: OwnedFd,
    nofile: (u64, u64),
    /// Where the control groups of runs stand; `None`: this host allows none.
    groups: Option<Groups>,
    /// Those of runs of which nothing is left.
    groups_over: Vec<PathBuf>,
    /// The last run that was begun.
    last_run: Option<RunId>,
    /// What holds the limits of whole trees.
    controllers: Controllers,
    runs: BTreeMap<RunId, Run>,
    /// Descriptors that the guardian keeps for this and later engines.
    stowed: BTreeMap<Vec<u8>, OwnedFd>,
    vmstat: status::Vmstat,
    /// The host's out-of-memory kills when it was last looked.
    oom_kills: Option<u64>,
}

struct Run {
    kept: Kept,
    /// Its control group.
    group: Option<PathBuf>,
    /// The request, as long as it may have to be made again without a group.
    request: Option<Box<message::Launch>>,
    /// What a failure to start it would name.
    intent: launch::Refused,
    /// `SIGKILL` was sent by us.
    killed: bool,
    death: Option<Death>,
    recorded: bool,
    drained: bool,
}

/// What the guardian had to say.
pub enum Heard {
    /// Something for the supervisor.
    Fact(Fact),
    /// The host asks for an end.
    Terminate,
    /// The host begins: the saved list is to be brought up.
    Resurrect,
    /// Nothing more for now.
    Nothing,
    /// The guardian is gone.
    Gone,
}

impl Native {
    /// Takes over what the guardian has: waits for its welcome on `socket`. Returns the streams
    /// that the log thread must take on.
    ///
    /// # Errors
    /// The other side is no guardian, or does not answer.
    pub fn connect(
        socket: OwnedFd,
        home: PathBuf,
        aside: Aside,
    ) -> io::Result<(Self, Vec<Source>)> {
        let (link, welcome) = Link::open(socket, aside.clone())?;
        let groups = Groups::below(welcome.guardian_pid, &home);
        let folder = groups.as_ref().map(Groups::folder);
        let controllers = Controllers::find(welcome.guardian_pid, &home, folder);
        let mut vmstat = status::Vmstat::default();
        let oom_kills = vmstat.oom_kills();
        let mut native = Self {
            link,
            aside,
            guardian_pid: welcome.guardian_pid,
            ending: welcome.ending,
            listener: welcome.listener,
            nofile: welcome.nofile,
            groups,
            groups_over: Vec::new(),
            last_run: None,
            controllers,
            home,
            runs: BTreeMap::new(),
            stowed: welcome.stowed,
            vmstat,
            oom_kills,
        };
        let mut sources = Vec::new();
        for kept in welcome.kept {
            let run = RunId::new(kept.run);
            sources.extend(sources_of(run, &kept.descriptors, &kept.label));
            let death = kept.ended.map(|ended| native.death(run, &ended, false));
            let intent = launch::Refused::default();
            let pid = death.is_none().then(|| pid_of(&kept));
            let group = native.groups.as_ref().and_then(|groups| groups.home_of(run, pid));
            let run_state = Run {
                kept,
                group,
                request: None,
                intent,
                killed: false,
                death,
                recorded: false,
                drained: false,
            };
            native.runs.insert(run, run_state);
        }
        if let Some(groups) = &native.groups {
            groups.tidy(|run| native.runs.contains_key(&run));
        }
        native.controllers.tidy(|run| native.runs.contains_key(&run));
        Ok((native, sources))
    }

    /// What the supervisor must compare its records with.
    pub fn inventory(&self) -> Fact {
        let runs = self.runs.iter().map(|(run, state)| KnownRun {
            run: *run,
            pid: pid_of(&state.kept),
            death: state.death.clone(),
            instance: sources::instance_of(&state.kept.label),
            // Of what was found without a guardian nobody knows.
            asked: state.kept.linger && !state.kept.foreign,
        });
        Fact::Inventory { runs: runs.collect() }
    }

    /// Says hello: from here on the guardian expects to hear from this engine.
    pub fn greet(&mut self) {
        self.link.send(ToGuardian::Hello);
    }

    /// The guardian's process id.
    pub fn guardian_pid(&self) -> i32 {
        self.guardian_pid
    }

    /// Whether zelador was asked to end before this engine came.
    pub fn is_ending(&self) -> bool {
        self.ending
    }

    /// The control socket that the guardian listens on.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn listener(&self) -> io::Result<OwnedFd> {
        self.listener.try_clone()
    }

    /// Waits until the guardian has something to say.
    pub async fn readable(&self) -> io::Result<()> {
        self.link.readable().await
    }

    /// Waits until the guardian's socket has room for more.
    pub async fn writable(&self) -> io::Result<()> {
        self.link.writable().await
    }

    /// Takes the next message of the guardian; new streams are given to `logs`.
    pub fn hear(&mut self, logs: &Logs) -> Heard {
        if let Some(run) = self.link.too_large() {
            return self.not_spawned(RunId::new(run), Stage::Exec, libc::E2BIG);
        }
        let (message, descriptors) = match self.link.receive() {
            Ok(Some(message)) => message,
            Ok(None) => return Heard::Gone,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::error!(%error, "the guardian sent something that is not understood");
                return Heard::Nothing;
            }
            Err(error) => {
                tracing::error!(%error, "the guardian cannot be heard");
                return Heard::Gone;
            }
        };
        match message {
            FromGuardian::Spawned { run, pid, start_time, which } => {
                let descriptors = Descriptors::from_list(which, descriptors).unwrap_or_default();
                self.spawned(RunId::new(run), pid, start_time, descriptors, logs)
            }
            FromGuardian::SpawnFailed { run, stage, errno } => {
                let run = RunId::new(run);
                if stage == Stage::Cgroup && self.spawn_without_group(run, errno) {
                    return self.hear(logs);
                }
                self.not_spawned(run, stage, errno)
            }
            FromGuardian::Ended { run, ended } => {
                let run = RunId::new(run);
                let killed = self.runs.get(&run).is_some_and(|state| state.killed);
                let death = self.death(run, &ended, killed);
                let Some(state) = self.runs.get_mut(&run) else { return Heard::Nothing };
                state.death = Some(death.clone());
                // What a guardian in the place of this one must know.
                state.kept.ended = Some(ended);
                Heard::Fact(Fact::Exited { run, death })
            }
            FromGuardian::Terminate => Heard::Terminate,
            FromGuardian::Resurrect => Heard::Resurrect,
            FromGuardian::Refused { run, why } => {
                tracing::debug!(run, ?why, "the guardian refused");
                let run = RunId::new(run);
                if !self.is_gone(run, why) {
                    return self.hear(logs);
                }
                Heard::Fact(Fact::Exited { run, death: Death::Unknown })
            }
            kept @ FromGuardian::Kept { .. } => {
                if let Some(kept) = Kept::from_message(kept, descriptors) {
                    self.adopted(kept);
                }
                self.hear(logs)
            }
            FromGuardian::Welcome { .. } | FromGuardian::Stowed { .. } => self.hear(logs),
        }
    }

    /// The saved list is up, as far as it can be.
    pub fn ready(&mut self, status: &str) {
        self.link.send(ToGuardian::Ready { status: status.as_bytes().to_vec() });
    }

    /// Sends a signal to the main process, or to its whole process group.
    pub fn signal(&mut self, run: RunId, signal: Signal, group: bool) {
        let number = run.number();
        self.link.send(ToGuardian::Signal { run: number, signal: signal.number(), group });
    }

    /// Asks the main process, or its whole process group, to end; from there on the rest of the group may outlive it.
    pub fn ask_to_end(&mut self, run: RunId, signal: Signal, group: bool) {
        let number = run.number();
        self.link.send(ToGuardian::Ask { run: number, signal: signal.number(), group });
    }

    /// The rest of a run's group may outlive its main process: it was asked to end.
    pub fn linger(&mut self, run: RunId) {
        if let Some(state) = self.runs.get_mut(&run) {
            state.kept.linger = true;
        }
        self.link.send(ToGuardian::Linger { run: run.number(), on: true });
    }

    /// Notes that we are about to kill a run: its `SIGKILL` is ours, not the kernel's.
    pub fn note_kill(&mut self, run: RunId) {
        if let Some(state) = self.runs.get_mut(&run) {
            state.killed = true;
        }
    }

    /// The engine still turns.
    pub fn alive(&mut self) {
        self.link.send(ToGuardian::Alive);
        self.adopt_again();
        self.oom_kills = self.vmstat.oom_kills().or(self.oom_kills);
    }

    /// How a run's processes are recognised.
    pub fn key(&self, run: RunId) -> Option<RunKey> {
        let Run { kept, group, .. } = self.runs.get(&run)?;
        let pid = pid_of(kept);
        (pid > 0).then(|| RunKey {
            pid,
            start_time: kept.start_time,
            pgid: kept.leads_group.then_some(pid),
            mark: run_mark(&self.home, run),
            guardian: self.guardian_pid,
            group: group.clone(),
        })
    }

    /// Whether it was adopted: what it orphaned is not the guardian's.
    pub fn is_foreign(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(|state| state.kept.foreign)
    }

    /// Whether the guardian has a child that is no run's main process: something was orphaned.
    pub fn has_orphans(&self) -> bool {
        let Some(children) = identity::children(self.guardian_pid) else { return true };
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let mains: std::collections::BTreeSet<i32> =
            self.runs.values().map(|state| pid_of(&state.kept)).collect();
        children.iter().any(|child| *child != own && !mains.contains(child))
    }

    /// Tells the guardian to end when this engine has.
    pub fn shut_down(&mut self) {
        if let Some(groups) = &self.groups {
            groups.end();
        }
        self.controllers.end();
        self.link.send(ToGuardian::Shutdown);
        self.link.flush_blocking();
    }

    /// Sends what the guardian's socket had no room for.
    pub fn flush(&mut self) {
        self.link.flush();
    }

    /// Whether the guardian was asked for a process and has not answered.
    pub fn is_starting(&self) -> bool {
        self.runs.values().any(|state| state.kept.pid == 0 && state.death.is_none())
    }

    /// Whether there are any runs.
    pub fn has_runs(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Whether something waits to be sent.
    pub fn is_behind(&self) -> bool {
        self.link.is_behind()
    }

    /// Everything that a new guardian needs.
    pub fn into_handover(self) -> Handover {
        let runs = self.runs.into_values().filter(|state| state.kept.pid > 0);
        Handover {
            listener: Some(self.listener),
            nofile: Some(self.nofile),
            runs: runs.map(|state| state.kept).collect(),
            stowed: self.stowed.into_iter().collect(),
        }
    }
}

fn pid_of(kept: &Kept) -> i32 {
    i32::try_from(kept.pid).unwrap_or_default()
}
