//! Runs whose guardian and engine died together: the records know them, the new guardian does not.
//!
//! A process is taken for a run only with proof: it leads a session, and it carries the run's mark in its
//! environment, or lives in the run's control group, or has the recorded process id and was started when
//! that run was. Always holds: what is proven is adopted and not started again, with its pipes where they can
//! be had; of the rest the main process is gone, and what it left is swept before another run begins.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use zelador_core::death::Death;
use zelador_core::id::{AppName, InstanceId, RunId};
use zelador_core::instance::{Instance, Phase};
use zelador_core::launch::{Launch, launch as launch_of, run_mark};
use zelador_core::record::Record;
use zelador_core::spec::{AppSpec, Listen};
use zelador_core::unit::Moment;
use zelador_guardian::message::{ToGuardian, Why};
use zelador_guardian::{Descriptors, Kept};

use super::sources::{Label, sources_of};
use super::{Native, Run, gap, launch, pipes, sockets};
use crate::logs::Source;
use crate::processes::{self, Stat, cgroup, mark_of};

/// The record says when the engine learned of the start, and the clock may have been corrected a bit.
const STARTED_ABOUT: Duration = Duration::from_secs(3);

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
    pub sockets: Vec<(AppName, Listen, OwnedFd)>,
}

/// What the records say of apps.
#[derive(Default)]
pub(super) struct Declared<'a> {
    apps: BTreeMap<&'a AppName, &'a AppSpec>,
    instances: BTreeMap<InstanceId, &'a Instance>,
}

impl Native {
    /// Compares the records with what the guardian has told, and adopts what lives.
    pub fn take_on_lost(&mut self, records: &[Record]) -> Found {
        let mut lost = recorded(records);
        lost.retain(|run, _| !self.runs.contains_key(run));
        // A guardian that knows nothing may have had one before it.
        if lost.is_empty() && (records.is_empty() || !self.runs.is_empty()) {
            return Found::default();
        }
        let all = match processes::snapshot() {
            Ok(all) => all,
            Err(error) => {
                tracing::error!(%error, "it is not known which runs of the engine before still live");
                return Found::default();
            }
        };
        // A child that has begun a session of its own carries the mark too: the oldest is the main one.
        let mut marked: BTreeMap<String, &Stat> = BTreeMap::new();
        for process in all.all().iter().filter(|it| it.session == it.pid && !it.is_dead()) {
            let Some(mark) = mark_of(process) else { continue };
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
                None => marked.get(&mark).copied().or_else(|| {
                    // One that cannot be read tells of nobody.
                    let group =
                        self.groups.as_ref().and_then(|it| cgroup::members(&it.path(run)).ok());
                    let mut members = group.iter().flatten().filter_map(|pid| all.get(*pid));
                    members.find(|process| process.session == process.pid && !process.is_dead())
                }),
                Some(pid) => all.get(pid).filter(|process| {
                    let is_marked = || mark_of(process).is_some_and(|its| its == mark);
                    let leads = process.session == process.pid && !process.is_dead();
                    leads && (is_marked() || is_proven(process, run, recorded.since))
                }),
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
        self.take_on_strays(&all, &marked, next, &declared, &mut kept);
        kept
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
            found.sockets.extend(sockets.map(|(at, socket)| (app.clone(), at, socket)));
        }
        let unknown = Label { instance, ..Label::default() };
        let label = app.map_or(unknown, |(_, launch)| Label::of(&launch));
        let mut descriptors = pipes::taken_back(process);
        let copies: io::Result<Vec<_>> =
            descriptors.list().iter().map(BorrowedFd::try_clone_to_owned).collect();
        let copies = copies.unwrap_or_else(|error| {
            tracing::warn!(%run, %error, "the guardian cannot be given the pipes of a run");
            descriptors = Descriptors::default();
            Vec::new()
        });
        let which = descriptors.which();
        gap::note(&label, descriptors.state.is_some());
        let label = serde_json::to_vec(&label).unwrap_or_default();
        let sources = sources_of(run, &descriptors, &label);
        let outcome = if sources.is_empty() {
            "what it writes is lost until it is restarted"
        } else {
            "what it wrote meanwhile follows in its logs"
        };
        tracing::warn!(%run, pid, "a run outlived its guardian and its engine: adopted; {outcome}");
        let mut state = Run { group: group_of(pid), ..of_lost(run, pid, start_time, None) };
        state.kept.label.clone_from(&label);
        state.kept.descriptors = descriptors;
        self.runs.insert(run, state);
        let (run, pid) = (run.number(), pid.unsigned_abs());
        self.link.send_with(ToGuardian::Adopt { run, pid, start_time, label, which }, copies);
        found.sources.extend(sources);
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

    /// The guardian refused; whether that means that an adopted run is gone after all.
    pub(super) fn is_gone(&mut self, run: RunId, why: Why) -> bool {
        let gone = matches!(why, Why::Gone | Why::Different | Why::Failed(_));
        let Some(state) = self.runs.get_mut(&run) else { return false };
        let is_lost = state.kept.foreign && state.kept.descriptors.pidfd.is_none();
        let is_news = gone && is_lost && state.death.is_none();
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
                    let pid = instance.phase.pid();
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

/// Whether the process with the recorded number is the run, although its mark cannot be read: programs
/// that set their title write over their environment.
fn is_proven(process: &Stat, run: RunId, since: Option<Moment>) -> bool {
    let group = group_of(process.pid);
    let in_group = group.is_some_and(|group| {
        let place = group.parent().and_then(Path::file_name).unwrap_or_default();
        let is_ours = place.to_string_lossy().starts_with("zelador-");
        is_ours && group.file_name().is_some_and(|name| *name == *run.to_string())
    });
    let when = || {
        let ticks = rustix::param::clock_ticks_per_second();
        let since_boot = Duration::from_millis(process.start_time.saturating_mul(1000) / ticks);
        let started = booted()? + since_boot;
        let recorded = Duration::from_micros(since?.as_micros());
        Some(started.abs_diff(recorded) < STARTED_ABOUT)
    };
    in_group || when().unwrap_or(false)
}

/// When the host was booted, since the Unix epoch.
fn booted() -> Option<Duration> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok().map(Duration::from_secs)
}

/// The control group of a process, if a zelador has made it.
fn group_of(pid: i32) -> Option<std::path::PathBuf> {
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| place.split(' ').nth(4))?
    })?;
    let group = Path::new(mount).join(own.trim_start_matches('/'));
    (own.contains("/zelador-") && group.is_dir()).then_some(group)
}
