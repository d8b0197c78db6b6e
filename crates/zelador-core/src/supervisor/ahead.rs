//! Successors of runs that have just ended: they begin before that is recorded, and an engine that was
//! lost in between is not missed.
//!
//! A transaction of the history takes about as long as a start, and nobody is served meanwhile. The guardian
//! keeps the end of the former run until it is recorded, and for which instance each run was started, so the
//! next engine sees both: it decides on the end anew and takes the run that is there for the one that it
//! wants to begin. Where the history could not be written for a while there may be several in a row, each with
//! its end but the last: they are taken in their turn. Always holds: a run that nobody takes is ended, so an
//! instance has never two.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Supervisor;
use crate::effect::Effect;
use crate::id::{InstanceId, RunId};
use crate::input::KnownRun;
use crate::instance::{Goal, Phase, Then};

/// Which starts are ahead of their records, and which were when an engine was lost.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Instances whose run ended in this step, and which are to have another one at once.
    ended: BTreeSet<InstanceId>,
    /// Runs of which no record tells, by the instance that may take them, in the order of their beginnings.
    heirs: BTreeMap<InstanceId, VecDeque<KnownRun>>,
}

impl Supervisor {
    /// The run of an instance has ended in this step, and the next one follows at once.
    pub(super) fn follows_at_once(&mut self, id: InstanceId) {
        self.ahead.ended.insert(id);
    }

    /// Whether the run that begins now need not wait for its record. What waits for others might find them
    /// otherwise after an engine was lost.
    pub(super) fn is_ahead(&self, id: InstanceId) -> bool {
        let app = self.instances.get(&id).and_then(|it| self.apps.get(&it.app));
        self.ahead.ended.contains(&id) && app.is_some_and(|app| app.spec.depends_on.is_empty())
    }

    /// Takes the number of the next run: that of one that is there already, if there is.
    pub(super) fn next_run(&mut self, id: InstanceId) -> (RunId, Option<KnownRun>) {
        if let Some(heir) = self.ahead.heirs.get_mut(&id).and_then(VecDeque::pop_front) {
            return (heir.run, Some(heir));
        }
        let run = RunId::new(self.counters.run);
        self.counters.run += 1;
        self.changed.counters = true;
        (run, None)
    }

    /// Finds the runs that an engine had begun for instances whose recorded run is no more; returns them.
    pub(super) fn find_heirs(&mut self, known: &BTreeMap<RunId, &KnownRun>) -> BTreeSet<RunId> {
        // Their numbers were never recorded as used.
        let unused = self.counters.run;
        let next = known.keys().last().map_or(0, |run| run.number().saturating_add(1));
        if next > self.counters.run {
            self.counters.run = next;
            self.changed.counters = true;
        }
        for run in known.values().filter(|known| !self.runs.contains_key(&known.run)) {
            let wanted = run.instance.and_then(|id| self.instances.get(&id));
            let Some(instance) = wanted.filter(|it| it.goal == Goal::Up && it.successor.is_none())
            else {
                continue;
            };
            let follows = match instance.phase {
                Phase::Starting { run: before, .. } | Phase::Running { run: before, .. } => {
                    let is_over = known.get(&before).is_none_or(|it| it.death.is_some());
                    is_over && run.run > before
                }
                // The order to stop was recorded, and neither its end nor the start that followed.
                Phase::Stopping { run: before, then: Then::Start, .. } => {
                    let is_over = known.get(&before).is_none_or(|it| it.death.is_some());
                    is_over && run.run > before && run.run.number() >= unused
                }
                // The end was recorded, and the start that followed was not.
                Phase::Backoff { .. } | Phase::Tripped { .. } => run.run.number() >= unused,
                _ => false,
            };
            if follows {
                let line = self.ahead.heirs.entry(instance.id).or_default();
                // Each began when the one before was over; one that is not has no place in the line.
                line.pop_back_if(|last| last.death.is_none());
                line.push_back((*run).clone());
            }
        }
        self.ahead.heirs.values().flatten().map(|heir| heir.run).collect()
    }

    /// Has instances that wait for a start, as far as is recorded, take the run that is there.
    pub(super) fn take_heirs_of_waiting(&mut self) {
        let waits = |phase: &Phase| matches!(phase, Phase::Backoff { .. } | Phase::Tripped { .. });
        let with_heir = self.ahead.heirs.keys().copied();
        let waiting: Vec<(InstanceId, Phase)> = with_heir
            .filter_map(|id| Some((id, self.instances.get(&id)?.phase.clone())))
            .filter(|(_, phase)| waits(phase))
            .collect();
        for (id, phase) in waiting {
            let is_fresh = matches!(phase, Phase::Backoff { fresh: true, .. });
            self.begin_run(id, !is_fresh);
        }
    }

    /// Has instances whose restart is recorded only as far as its stop take the run that is there: it began when that
    /// was complete.
    pub(super) fn take_heirs_of_stopping(&mut self) {
        let with_heir: Vec<InstanceId> = self.ahead.heirs.keys().copied().collect();
        for id in with_heir {
            if let Some(Phase::Stopping { run, .. }) = self.instances.get(&id).map(|it| &it.phase) {
                self.runs.remove(run);
                self.gone(id);
            }
        }
    }

    /// Whether an instance has a run already for the one that ended: what was decided on that end before
    /// is not decided otherwise because more is known of its neighbours now.
    pub(super) fn has_heir(&self, id: InstanceId) -> bool {
        self.ahead.heirs.get(&id).is_some_and(|line| !line.is_empty())
    }

    /// The step is over: ends the runs that nobody took.
    pub(super) fn end_heirs(&mut self) {
        self.ahead.ended.clear();
        for heir in std::mem::take(&mut self.ahead.heirs).into_values().flatten() {
            self.end_stranger(&heir);
        }
    }

    /// Ends a run that no instance has.
    pub(super) fn end_stranger(&mut self, known: &KnownRun) {
        self.effects.push(match known.death {
            None => Effect::Kill { run: known.run },
            // It ended; whether anything is left of it was perhaps not looked at.
            Some(_) => Effect::Sweep { run: known.run, kill_at: self.now },
        });
    }
}
