//! After a crash or an upgrade of the engine: the records say what was intended, then the
//! guardian is asked what is true.

use std::collections::BTreeMap;

use crate::death::Death;
use crate::effect::Effect;
use crate::id::{InstanceId, RunId};
use crate::input::KnownRun;
use crate::instance::{Phase, Retiring};
use crate::record::{Era, Record};
use crate::unit::Moment;

use super::{App, Supervisor, Surroundings};

impl Supervisor {
    /// Returns the supervisor that the records describe. It does nothing about its runs, and starts
    /// none, before it was given an inventory.
    pub fn recover(surroundings: Surroundings, now: Moment, records: Vec<Record>) -> Self {
        let mut supervisor = Self::new(surroundings, now);
        supervisor.knows_runs = false;
        supervisor.era = Era::default();
        for record in records {
            supervisor.apply(record);
        }
        let orphans: Vec<InstanceId> = supervisor
            .instances
            .values()
            .filter(|instance| !supervisor.apps.contains_key(&instance.app))
            .map(|instance| instance.id)
            .collect();
        for id in &orphans {
            supervisor.instances.remove(*id);
        }
        for instance in supervisor.instances.values() {
            let successor = instance.successor.as_ref().map(|successor| successor.run);
            for run in instance.phase.run().into_iter().chain(successor) {
                supervisor.runs.insert(run, instance.id);
            }
            supervisor.changed.instances.insert(instance.id);
        }
        let names: Vec<_> = supervisor.apps.keys().cloned().collect();
        names.iter().for_each(|name| supervisor.plan_cron(name));
        let ids: Vec<InstanceId> = supervisor.instances.keys().copied().collect();
        for id in ids {
            supervisor.add_check(id);
            supervisor.take_proven(id);
        }
        let retiring = supervisor.retiring.values().map(|it| (it.run, it.instance));
        supervisor.runs.extend(retiring);
        supervisor.changed.retiring.extend(supervisor.retiring.keys().copied());
        supervisor.changed.incidents.extend(supervisor.incidents.keys().copied());
        supervisor.settings_changed();
        supervisor.plan_maintenance();
        supervisor.refresh_deadlines();
        // What was read need not be written again.
        supervisor.changed = super::Changed::default();
        // What was half removed is removed for good.
        supervisor.changed.instances.extend(orphans);
        supervisor.records.clear();
        supervisor.effects.clear();
        supervisor
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::App(mut spec) => {
                self.share_environment(&mut spec);
                self.apps.insert(spec.name.clone(), App { spec, cron_at: None });
            }
            Record::AppGone(name) => {
                self.apps.remove(&name);
            }
            Record::Instance(instance) => {
                self.instances.insert(instance);
            }
            Record::InstanceGone(id) => {
                self.instances.remove(id);
            }
            Record::Retiring(retiring) => {
                self.retiring.insert(retiring.run, *retiring);
            }
            Record::Retired(run) => {
                self.retiring.remove(&run);
            }
            Record::History(history) => self.history = *history,
            Record::Incident(incident) => {
                self.incidents.insert(incident.id, *incident);
            }
            Record::IncidentGone(id) => {
                self.incidents.remove(&id);
            }
            Record::Matter(matter) => self.desk.restore_matter(*matter),
            Record::MatterGone(key) => self.desk.forget_matter(&key),
            Record::Parcel(parcel) => self.desk.restore_parcel(*parcel),
            Record::ParcelGone(id) => self.desk.forget_parcel(id),
            Record::Settings(overlay) => self.overlay = *overlay,
            Record::Era(era) => self.era = era,
            Record::Counters(counters) => self.counters = counters,
            Record::Usual(kept) => {
                self.usual.insert(kept.0, kept.1);
            }
            Record::Heartbeat(kept) => {
                self.heartbeats.insert(kept.0, (kept.1, kept.1));
            }
            Record::LeftAlone(kept) => {
                self.left_alone.insert(kept.0, kept.1);
            }
            Record::Aside(aside) => self.aside.by_people = *aside,
            Record::Retries(kept) => self.ledger.restore(kept.0, kept.1),
            Record::Breaker(kept) => self.breakers.restore(kept.0, kept.1),
            Record::RetriesGone(_)
            | Record::BreakerGone(_)
            | Record::HeartbeatGone(_)
            | Record::LeftAloneGone(_)
            | Record::AsideGone => {}
        }
    }

    /// The whole state that outlives an engine, as records.
    pub fn durable(&self) -> Vec<Record> {
        let apps = self.apps.values().map(|app| Record::App(app.spec.clone()));
        let instances = self.instances.values().map(|instance| {
            Record::Instance(Box::new(crate::instance::Instance {
                file_env: None,
                spoken: instance.spoken.kept(),
                usage: None,
                ..instance.as_ref().clone()
            }))
        });
        let retiring =
            self.retiring.values().map(|retiring| Record::Retiring(Box::new(retiring.clone())));
        let incidents =
            self.incidents.values().map(|incident| Record::Incident(Box::new(incident.clone())));
        let history = Record::History(Box::new(self.history.clone()));
        let settings = Record::Settings(Box::new(self.overlay.clone()));
        let counters = Record::Counters(self.counters);
        let era = Record::Era(self.era.clone());
        let aside = self.aside.record();
        let retries = self.ledger.iter().map(|(operation, stats)| {
            Record::Retries(Box::new((operation.to_owned(), stats.clone())))
        });
        let usual = self
            .usual
            .iter()
            .map(|(key, usual)| Record::Usual(Box::new((key.clone(), usual.clone()))));
        let heartbeats = self
            .heartbeats
            .iter()
            .map(|(name, (_, kept))| Record::Heartbeat(Box::new((name.clone(), *kept))));
        let left_alone = self
            .left_alone
            .iter()
            .map(|(id, wish)| Record::LeftAlone(Box::new((id.clone(), *wish))));
        let breakers = self
            .breakers
            .iter()
            .map(|(key, breaker)| Record::Breaker(Box::new((key.clone(), breaker.kept()))));
        apps.chain(instances)
            .chain(retiring)
            .chain(incidents)
            .chain(retries)
            .chain(breakers)
            .chain(usual)
            .chain(heartbeats)
            .chain(left_alone)
            .chain(self.desk.durable())
            .chain([history, settings, counters, era])
            .chain(aside)
            .collect()
    }

    /// Compares what the records say with what the guardian knows, and lets the difference happen.
    pub(super) fn take_inventory(&mut self, runs: &[KnownRun]) {
        self.knows_runs = true;
        let why_gone = self.begin_era();
        self.plan_heartbeats();
        // Of what ended with all the guardian knows no more than that it is gone.
        let is_known = |run: &&KnownRun| why_gone.is_none() || run.death != Some(Death::Unknown);
        let known: BTreeMap<RunId, &KnownRun> =
            runs.iter().filter(is_known).map(|run| (run.run, run)).collect();
        let heirs = self.find_heirs(&known);
        self.take_heirs_of_stopping();
        self.take_heirs_of_waiting();
        let expected: Vec<(InstanceId, Phase, RunId)> = self
            .instances
            .values()
            .filter_map(|instance| {
                Some((instance.id, instance.phase.clone(), instance.phase.run()?))
            })
            .collect();
        for (id, phase, run) in expected {
            match (known.get(&run), phase) {
                // The spawn was recorded and never reached the guardian.
                (None, Phase::Starting { .. }) => {
                    self.runs.remove(&run);
                    self.start_as_noted(id, false);
                }
                (None, Phase::Running { .. }) if let Some(why) = &why_gone => {
                    self.resume(id, run, why);
                }
                (None, _) => self.ended_unseen(run, Death::Unknown),
                (Some(known), phase) => self.compare(known, &phase),
            }
        }
        self.compare_company(&known, why_gone.is_some());
        self.plan_all_watches();
        for known in runs {
            let wanted = self.runs.get(&known.run).and_then(|id| self.instances.get(id));
            let ours = wanted.is_some_and(|instance| instance.has(known.run));
            if !ours && !self.retiring.contains_key(&known.run) && !heirs.contains(&known.run) {
                self.end_stranger(known);
            }
        }
        self.changed.world = true;
    }

    /// The same for successors, and for runs whose place was taken. A reload ends with its engine;
    /// a successor that is on its way still takes its place.
    fn compare_company(&mut self, known: &BTreeMap<RunId, &KnownRun>, ended_with_all: bool) {
        let successors: Vec<(InstanceId, RunId, Option<i32>)> = self
            .instances
            .values()
            .filter_map(|it| {
                it.successor.as_ref().map(|successor| (it.id, successor.run, successor.pid))
            })
            .collect();
        for (id, run, pid) in successors {
            match known.get(&run) {
                // The spawn was recorded and never reached the guardian, or all ended together.
                None if pid.is_none() || ended_with_all => {
                    self.runs.remove(&run);
                    if let Some(instance) = self.instances.get_mut(&id) {
                        instance.successor = None;
                        self.touch(id);
                    }
                }
                None => self.exited(run, Death::Unknown),
                Some(known) => {
                    if pid.is_none() {
                        self.spawned(run, known.pid);
                    }
                    if let Some(death) = &known.death {
                        self.exited(run, death.clone());
                    }
                }
            }
        }
        let retiring: Vec<Retiring> = self.retiring.values().cloned().collect();
        for Retiring { run, pid, death, kill_at, signal_at, .. } in retiring {
            match known.get(&run) {
                None => self.retired(run),
                Some(known) => {
                    if pid.is_none() {
                        self.spawned(run, known.pid);
                    }
                    match (&known.death, death) {
                        (Some(_), Some(_)) => self.effects.push(Effect::Sweep { run, kill_at }),
                        (Some(death), None) => self.exited(run, death.clone()),
                        // As with an instance: what closes its ports by itself first gets the signal later.
                        (None, _) if pid.is_some() && !known.asked && signal_at.is_none() => {
                            self.ask_to_retire(run);
                        }
                        (None, _) => {}
                    }
                }
            }
        }
    }

    fn compare(&mut self, known: &KnownRun, phase: &Phase) {
        if matches!(phase, Phase::Starting { .. } | Phase::Stopping { pid: None, .. }) {
            self.spawned(known.run, known.pid);
        }
        let id = self.runs.get(&known.run).copied();
        if let Some(death) = &known.death {
            self.ended_unseen(known.run, death.clone());
        } else if let Some(id) = id {
            self.resume_watchdog(id);
            // The signal was lost with whoever should have sent it.
            if !known.asked && matches!(phase, Phase::Stopping { pid: Some(_), waits: false, .. }) {
                self.ask_to_end(id);
            }
        }
    }

    /// A run ended while no engine was there to see it.
    fn ended_unseen(&mut self, run: RunId, death: Death) {
        let known = self.runs.get(&run).and_then(|id| self.instances.get(id));
        match known.map(|instance| &instance.phase) {
            // The end was recorded, and whether anything is left was not.
            Some(Phase::Stopping { death: Some(_), kill_at, .. }) => {
                let kill_at = *kill_at;
                self.effects.push(Effect::Sweep { run, kill_at });
            }
            _ => self.exited(run, death),
        }
    }
}
