//! Runs whose guardian and engine died together: the records know them, the new guardian does not.
//!
//! A process is taken for a run only with proof: it leads a session, and it carries the run's mark in its
//! environment, or lives in the run's control group, or has the recorded process id and was started when
//! that run was. Always holds: what is proven is adopted and not started again, with its pipes where they can
//! be had; of the rest the main process is gone, and what it left is swept before another run begins.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use zelador_core::death::Death;
use zelador_core::id::{AppName, InstanceId, RunId};
use zelador_core::instance::{Instance, Phase};
use zelador_core::launch::{Launch, launch as launch_of, run_mark};
use zelador_core::record::Record;
use zelador_core::spec::{AppSpec, SocketSpec};
use zelador_core::unit::Moment;
use zelador_guardian::message::{ToGuardian, Why};
use zelador_guardian::{Descriptors, Kept};

use super::proof::{group_of, is_proven};
use super::sources::{Label, sources_of};
use super::{Native, Run, gap, launch, pipes, sockets};
use crate::errno;
use crate::logs::Source;
use crate::processes::{self, Processes, Stat, cgroup, mark_of};

/// What the records say of a run that may have a process.
struct Recorded {
    instance: InstanceId,
    pid: Option<i32>,
    since: Option<Moment>,
}

/// What was found of the runs that are adopted.
#[derive(Default)]
pub struct Found {
    /// Their streams.
    pub sources: Vec<Source>,
    /// The declared sockets of their apps.
    pub sockets: Vec<(AppName, SocketSpec, OwnedFd)>,
}

/// What the records say of apps.
#[derive(Default)]
pub(super) struct Declared<'a> {
    apps: BTreeMap<&'a AppName, &'a AppSpec>,
    instances: BTreeMap<InstanceId, &'a Instance>,
}

impl Native {
    /// Compares the records with what the guardian has told, and adopts what lives.
    ///
    /// # Errors
    /// It is not known which runs still live: nothing may be begun.
    pub fn take_on_lost(&mut self, records: &[Record]) -> io::Result<Found> {
        let mut lost = recorded(records);
        lost.retain(|run, _| !self.runs.contains_key(run));
        // A guardian that knows nothing may have had one before it.
        if lost.is_empty() && (records.is_empty() || !self.runs.is_empty()) {
            return Ok(Found::default());
        }
        let all = processes::snapshot()?;
        // A child that has begun a session of its own carries the mark too: the oldest is the main one.
        let mut marked: BTreeMap<String, &Stat> = BTreeMap::new();
        for process in all.all().iter().filter(|it| it.session == it.pid && !it.is_dead()) {
            let Some(mark) = mark_of(process)? else { continue };
            let first = marked.entry(mark).or_insert(process);
            if process.start_time < first.start_time {
                *first = process;
            }
        }
        let declared = Declared::of(records);
        let mut kept = Found::default();
        for (run, recorded) in lost {
            let mark = run_mark(&self.home, run);
            let found = match recorded.pid {
                // Its start was never recorded.
                None => match marked.get(&mark) {
                    Some(process) => Some(*process),
                    None => self.leader_in_group(run, &all)?,
                },
                Some(pid) => match all.get(pid) {
                    Some(process) if process.session == pid && !process.is_dead() => {
                        let is_it = mark_of(process)?.is_some_and(|its| its == mark)
                            || is_proven(process, run, recorded.since)?;
                        is_it.then_some(process)
                    }
                    _ => None,
                },
            };
            match found {
                Some(process) => {
                    self.adopt(run, process, Some(recorded.instance), &declared, &mut kept);
                }
                None => self.bury(run, recorded.pid.unwrap_or_default()),
            }
        }
        let next = records.iter().find_map(|record| match record {
            Record::Counters(counters) => Some(RunId::new(counters.run)),
            _ => None,
        });
        let next = next.unwrap_or(RunId::new(1));
        self.take_on_strays(&all, &marked, next, &declared, &mut kept)?;
        Ok(kept)
    }

    /// The process that leads a session in the control group of a run.
    fn leader_in_group<'a>(&self, run: RunId, all: &'a Processes) -> io::Result<Option<&'a Stat>> {
        let Some(groups) = &self.groups else { return Ok(None) };
        let members = match cgroup::members(&groups.path(run)) {
            Err(error) if errno::is_want(&error) => return Err(error),
            // One that cannot be read tells of nobody.
            members => members.unwrap_or_default(),
        };
        let mut members = members.into_iter().filter_map(|pid| all.get(pid));
        Ok(members.find(|process| process.session == process.pid && !process.is_dead()))
    }

    /// Takes a process on as a run of an instance.
    pub(super) fn adopt(
        &mut self,
        run: RunId,
        process: &Stat,
        instance: Option<InstanceId>,
        declared: &Declared,
        found: &mut Found,
    ) {
        let (pid, start_time) = (process.pid, process.start_time);
        let app = declared.launch(run, instance, &self.home);
        if let Some((app, launch)) = &app {
            let sockets = sockets::taken_back(process, &launch.sockets).into_iter();
            found.sockets.extend(sockets.map(|(spec, socket)| (app.clone(), spec, socket)));
        }
        let unknown = Label { instance, ..Label::default() };
        let label = app.map_or(unknown, |(_, launch)| Label::of(&launch));
        let descriptors = pipes::taken_back(process);
        gap::note(&label, descriptors.state.is_some());
        let label = serde_json::to_vec(&label).unwrap_or_default();
        let sources = sources_of(run, &descriptors, &label);
        let outcome = if sources.is_empty() {
            "what it writes is lost until it is restarted"
        } else {
            "what it wrote meanwhile follows in its logs"
        };
        tracing::warn!(%run, pid, "a run outlived its guardian and its engine: adopted; {outcome}");
        let group = group_of(pid).unwrap_or_else(|error| {
            tracing::warn!(%run, %error, "its control group is not known");
            None
        });
        let mut state = Run { group, ..of_lost(run, pid, start_time, None) };
        state.kept.label = label;
        state.kept.descriptors = descriptors;
        self.runs.insert(run, state);
        self.ask_to_adopt(run);
        found.sources.extend(sources);
    }

    fn ask_to_adopt(&mut self, run: RunId) {
        let Some(Run { kept, .. }) = self.runs.get(&run) else { return };
        let Kept { run, pid, start_time, ref label, ref descriptors, .. } = *kept;
        let (label, which) = (label.clone(), descriptors.which());
        let copies: io::Result<Vec<_>> =
            descriptors.list().iter().map(BorrowedFd::try_clone_to_owned).collect();
        match copies {
            Ok(copies) => self
                .link
                .send_with(ToGuardian::Adopt { run, pid, start_time, label, which }, copies),
            Err(error) => tracing::warn!(run, %error, "a run is still to be adopted"),
        }
    }

    /// Its main process is gone; whether anything is left of it is looked at when its end is told.
    fn bury(&mut self, run: RunId, pid: i32) {
        if pid <= 0 {
            return;
        }
        let group = self.groups.as_ref().and_then(|groups| groups.home_of(run, None));
        self.runs.insert(run, Run { group, ..of_lost(run, pid, 0, Some(Death::Unknown)) });
    }

    /// The guardian has adopted a run.
    pub(super) fn adopted(&mut self, kept: Kept) {
        if let Some(state) = self.runs.get_mut(&RunId::new(kept.run)) {
            let pidfd = kept.descriptors.pidfd;
            // The log thread shares those that were given away.
            let ours = mem::take(&mut state.kept.descriptors);
            state.kept = Kept { descriptors: Descriptors { pidfd, ..ours }, ..kept };
        }
    }

    /// Asks again for what the guardian could not adopt just now, for want of a descriptor above all.
    pub(super) fn adopt_again(&mut self) {
        let lost = self.runs.iter().filter(|(_, state)| is_lost(state));
        let lost: Vec<_> = lost.map(|(run, _)| *run).collect();
        if !lost.is_empty() {
            let count = lost.len();
            tracing::warn!(count, "runs are still to be adopted: their end is not seen before");
        }
        lost.into_iter().for_each(|run| self.ask_to_adopt(run));
    }

    /// The guardian refused; whether that means that an adopted run is gone after all.
    pub(super) fn is_gone(&mut self, run: RunId, why: Why) -> bool {
        let Some(state) = self.runs.get_mut(&run) else { return false };
        let is_news = why.is_gone() && is_lost(state);
        if is_news {
            state.death = Some(Death::Unknown);
        }
        is_news
    }
}

impl<'a> Declared<'a> {
    fn of(records: &'a [Record]) -> Self {
        let mut declared = Self::default();
        for record in records {
            match record {
                Record::App(spec) => _ = declared.apps.insert(&spec.name, spec),
                Record::Instance(it) => _ = declared.instances.insert(it.id, it),
                _ => {}
            }
        }
        declared
    }

    /// As what a run of an instance was started, as far as that has not changed since; and of which app.
    fn launch(
        &self,
        run: RunId,
        instance: Option<InstanceId>,
        home: &Path,
    ) -> Option<(AppName, Launch)> {
        let instance = self.instances.get(&instance?)?;
        let spec = self.apps.get(&instance.app)?;
        Some((spec.name.clone(), launch_of(spec, instance, run, home, None)))
    }
}

/// Whether nobody tells of its end: it lives, and the guardian has not adopted it.
fn is_lost(state: &Run) -> bool {
    state.kept.foreign && state.kept.descriptors.pidfd.is_none() && state.death.is_none()
}

fn of_lost(run: RunId, pid: i32, start_time: u64, death: Option<Death>) -> Run {
    let kept = Kept {
        run: run.number(),
        pid: pid.unsigned_abs(),
        start_time,
        label: Vec::new(),
        ended: None,
        linger: true,
        foreign: true,
        leads_group: true,
        descriptors: Descriptors::default(),
    };
    Run {
        kept,
        group: None,
        request: None,
        intent: launch::Refused::default(),
        killed: false,
        death,
        recorded: false,
        drained: false,
    }
}

/// The runs that had, or were about to have, a process.
fn recorded(records: &[Record]) -> BTreeMap<RunId, Recorded> {
    let mut runs = BTreeMap::new();
    for record in records {
        match record {
            Record::Instance(instance) => {
                let since = match &instance.phase {
                    Phase::Running { since, .. } => Some(*since),
                    _ => None,
                };
                if let Some(run) = instance.phase.run() {
                    let pid = instance.first_pid();
                    runs.insert(run, Recorded { instance: instance.id, pid, since });
                }
                if let Some(successor) = &instance.successor {
                    let (pid, since) = (successor.pid, Some(successor.since));
                    let recorded = Recorded { instance: instance.id, pid, since };
                    runs.insert(successor.run, recorded);
                }
            }
            Record::Retiring(retiring) if retiring.death.is_none() => {
                let (instance, pid) = (retiring.instance, retiring.pid);
                runs.insert(retiring.run, Recorded { instance, pid, since: None });
            }
            _ => {}
        }
    }
    runs
}
