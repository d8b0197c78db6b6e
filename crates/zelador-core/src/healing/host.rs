//! A host under pressure: who is the cause, and what may be done about it.
//!
//! Pure. What the heaviest processes use goes in; the app that is to blame comes out, or that none of
//! ours is. Always holds: an app that holds less than its share of the cause is never to blame, and
//! what frees memory without harm comes before what ends a process.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Remedy, garbage_hook};
use crate::evidence::Heavy;
use crate::id::{InstanceId, RunId};
use crate::spec::{AppSpec, ExecMode};
use crate::unit::{Moment, Percent};
use crate::words;
use crate::words::Words;

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pressure {
    /// Processor time.
    Cpu,
    /// Memory.
    Memory,
}

impl std::fmt::Display for Pressure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        })
    }
}

/// So long after a survey there is no other one of the same pressure: what it named is being dealt
/// with, or nothing can be done.
pub const SURVEY_AGAIN: Duration = Duration::from_mins(5);

/// How many processes an incident names.
const NAMED: usize = 5;

/// An instance of ours with what it weighs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    /// Which.
    pub instance: InstanceId,
    /// Of what is used on the host.
    pub share: Percent,
    /// Whether that is enough to be the cause.
    pub is_cause: bool,
}

/// Returns our instances among the processes, the heaviest first; `used` is what all processes of the
/// host use together: bytes, or percent of a core.
pub fn weigh(
    pressure: Pressure,
    processes: &[Heavy],
    used: f64,
    cause: Percent,
    owner: impl Fn(RunId) -> Option<InstanceId>,
) -> Vec<Weighed> {
    let mut weights: BTreeMap<InstanceId, f64> = BTreeMap::new();
    for process in processes {
        let Some(instance) = process.run.and_then(&owner) else { continue };
        *weights.entry(instance).or_default() += weight(pressure, process);
    }
    let mut all: Vec<Weighed> = weights
        .into_iter()
        .map(|(instance, weight)| {
            let share = if used > 0.0 { (weight / used * 100.0).min(100.0) } else { 0.0 };
            let share = Percent::new(share).unwrap_or_default();
            Weighed { instance, share, is_cause: share >= cause }
        })
        .collect();
    all.sort_by(|a, b| b.share.value().total_cmp(&a.share.value()));
    all
}

fn weight(pressure: Pressure, process: &Heavy) -> f64 {
    match pressure {
        Pressure::Cpu => process.cpu,
        Pressure::Memory => process.memory.bytes() as f64,
    }
}

/// What is tried against an app's share of full memory, in this order; without `is_cause` nothing that
/// ends a process.
pub fn memory_ladder(spec: &AppSpec, is_cause: bool) -> Vec<Remedy> {
    let hooks = &spec.heal.hooks;
    let gc = garbage_hook(spec).is_some().then_some(Remedy::CollectGarbage);
    let cache = hooks.clear_cache.is_some().then_some(Remedy::ClearCache);
    let restart = is_cause.then_some(match spec.mode {
        ExecMode::Cluster => Remedy::Reload,
        ExecMode::Fork => Remedy::Restart,
    });
    [gc, cache, restart].into_iter().flatten().collect()
}

/// The heaviest processes in words, one sentence each; `app` says whose one is.
pub fn named(
    pressure: Pressure,
    processes: &[Heavy],
    now: Moment,
    app: impl Fn(&Heavy) -> Option<String>,
) -> Vec<Words> {
    let mut sorted: Vec<&Heavy> = processes.iter().collect();
    sorted.sort_by(|a, b| weight(pressure, b).total_cmp(&weight(pressure, a)));
    sorted.truncate(NAMED);
    sorted
        .into_iter()
        .map(|process| {
            let whose = app(process).map_or_else(String::new, |app| format!(", app {app}"));
            let since = process
                .started_at
                .map(|at| words!(", up for {t}", ", no ar há {t}", t = now.since(at)));
            let threads: Vec<String> = process
                .threads
                .iter()
                .map(|thread| format!("{} {:.0} %", thread.name, thread.cpu))
                .collect();
            let threads = threads.join(", ");
            let busy = if threads.is_empty() {
                Words::default()
            } else {
                words!("; its busiest threads: {threads}", "; threads mais ocupadas: {threads}")
            };
            let Heavy { name, pid, cpu, .. } = process;
            words!(
                "{name} (pid {pid}{whose}) uses {cpu:.0} % of a core and {memory}{since}{busy}",
                "{name} (pid {pid}{whose}) usa {cpu:.0} % de um núcleo e {memory}{since}{busy}",
                memory = process.memory,
                since = since,
                busy = busy,
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::HeavyThread;
    use crate::unit::ByteSize;

    const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

    fn heavy(pid: i32, run: Option<u64>, cpu: f64, memory: u64) -> Heavy {
        Heavy {
            pid,
            name: format!("p{pid}"),
            cpu,
            memory: ByteSize::new(memory),
            started_at: Some(NOW - Duration::from_mins(3)),
            run: run.map(RunId::new),
            threads: vec![HeavyThread { name: "main".to_owned(), cpu }],
        }
    }

    fn owner(run: RunId) -> Option<InstanceId> {
        (run.number() > 0).then(|| InstanceId::new(run.number() as u32 / 10))
    }

    fn percent(value: f64) -> Percent {
        Percent::new(value).unwrap()
    }

    #[test]
    fn the_processes_of_an_app_count_together_and_those_of_others_do_not() {
        let processes =
            [heavy(1, None, 300.0, 0), heavy(2, Some(70), 60.0, 0), heavy(3, Some(71), 50.0, 0)];
        let found = weigh(Pressure::Cpu, &processes, 410.0, percent(50.0), owner);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].instance.number(), found[0].is_cause), (7, false), "27 % of it");
        let found = weigh(Pressure::Cpu, &processes[1..], 110.0, percent(50.0), owner);
        assert!(found[0].is_cause);
        assert!(weigh(Pressure::Cpu, &[], 0.0, percent(50.0), owner).is_empty());
    }

    #[test]
    fn the_biggest_offender_comes_first() {
        let processes = [heavy(1, Some(10), 0.0, 100), heavy(2, Some(20), 0.0, 900)];
        let found = weigh(Pressure::Memory, &processes, 2_000.0, percent(20.0), owner);
        let order: Vec<(u32, bool)> =
            found.iter().map(|it| (it.instance.number(), it.is_cause)).collect();
        assert_eq!(order, [(2, true), (1, false)]);
    }

    #[test]
    fn a_process_is_named_with_its_app_its_age_and_its_threads() {
        let said = named(Pressure::Cpu, &[heavy(7, Some(1), 187.0, 1 << 20)], NOW, |_| {
            Some("api".to_owned())
        });
        assert_eq!(
            said,
            [
                "p7 (pid 7, app api) uses 187 % of a core and 1.0 MB, up for 3 min; its busiest threads: \
              main 187 %"
            ]
        );
    }
}
