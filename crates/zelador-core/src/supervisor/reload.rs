//! Rolling reloads: the instances of an app are replaced one after another.
//!
//! A worker's successor is started beside it, and takes its place when it is ready; only then is the
//! old one asked to end. Instances that cannot share their port are restarted, the next one not
//! before the last one is ready. Always holds: a run that is ready is not asked to end by a reload
//! before its successor is ready; a successor that fails leaves the old run alone.

use std::collections::VecDeque;
use std::time::Duration;

use crate::death::Death;
use crate::effect::{Affected, Done, Effect, Refusal};
use crate::evidence::PastDeath;
use crate::id::{AppName, InstanceId, RunId};
use crate::instance::{Phase, Successor};
use crate::launch::launch;
use crate::spec::ExecMode;
use crate::words;
use crate::words::Words;

use super::Supervisor;
use super::commands::{Wait, Wanted, asked};
use super::lifecycle::SPAWN_WITHIN;

/// A reload under way.
#[derive(Debug, Default)]
pub(super) struct Reload {
    /// What is still to be replaced; the first one is under way when `begun`.
    queue: VecDeque<InstanceId>,
    begun: bool,
}

impl Supervisor {
    /// A person wants these replaced.
    pub(super) fn reload(&mut self, ids: &[InstanceId]) -> Result<(Vec<Wait>, Done), Refusal> {
        self.may_reload(ids)?;
        let waits = ids.iter().map(|id| self.wait(*id, Wanted::Replaced)).collect();
        for id in ids {
            let app = self.instances[id].app.clone();
            self.take_over(*id, &words!("somebody reloaded it", "alguém o recarregou"));
            self.reloads.entry(app).or_default().queue.push_back(*id);
        }
        Ok((waits, Done::default()))
    }

    /// One reload of an app at a time.
    pub(super) fn may_reload(&self, ids: &[InstanceId]) -> Result<(), Refusal> {
        let apps = ids.iter().map(|id| &self.instances[id].app);
        match apps.into_iter().find(|app| self.reloads.contains_key(*app)) {
            Some(app) => Err(Refusal::Reloading { app: app.to_string() }),
            None => Ok(()),
        }
    }

    /// Lets every reload take its next step.
    pub(super) fn drive_reloads(&mut self) {
        let apps: Vec<AppName> = self.reloads.keys().cloned().collect();
        for app in apps {
            while self.reload_one(&app) {}
        }
    }

    /// Takes a step with the first instance of a reload; false when it must wait, or is over.
    fn reload_one(&mut self, app: &AppName) -> bool {
        let Some(reload) = self.reloads.get_mut(app) else { return false };
        let Some(id) = reload.queue.front().copied() else {
            self.reloads.remove(app);
            return false;
        };
        if !std::mem::replace(&mut reload.begun, true) {
            self.begin_reload(id);
            return true;
        }
        let instance = self.instances.get(&id);
        let waits = instance.is_some_and(|instance| {
            let coming = matches!(
                instance.phase,
                Phase::Starting { .. }
                    | Phase::Stopping { .. }
                    | Phase::Running { ready_by: Some(_), .. }
            );
            instance.successor.is_some() || coming
        });
        if waits {
            return false;
        }
        if let Some(reload) = self.reloads.get_mut(app) {
            reload.queue.pop_front();
            reload.begun = false;
        }
        true
    }

    fn begin_reload(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get(&id) else { return };
        let mode = self.apps.get(&instance.app).map(|app| app.spec.mode);
        let running = matches!(instance.phase, Phase::Running { .. });
        if running && mode == Some(ExecMode::Cluster) {
            if let Some(instance) = self.instances.get_mut(&id) {
                instance.forgive();
            }
            self.start_successor(id);
        } else {
            self.restart_one(id, asked("reload"));
        }
    }

    /// Starts a new run beside the current one, unless that is under way.
    pub(super) fn start_successor(&mut self, id: InstanceId) {
        let run = RunId::new(self.counters.run);
        let (now, give_up_at) = (self.now, self.now + SPAWN_WITHIN);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        if instance.successor.is_some() {
            return;
        }
        self.counters.run += 1;
        self.changed.counters = true;
        instance.successor =
            Some(Successor { run, pid: None, since: now, give_up_at, actions: Vec::new() });
        let settings = self.modules.env.get(&instance.app);
        let launch = Box::new(launch(&app.spec, instance, run, &self.home, settings));
        self.runs.insert(run, id);
        self.effects.push(Effect::Spawn { run, launch, ahead: false });
        self.touch(id);
    }

    /// The instance whose successor this run is.
    pub(super) fn succeeds(&self, run: RunId) -> Option<InstanceId> {
        let instance = self.instances.get(self.runs.get(&run)?)?;
        instance.successor.as_ref().filter(|it| it.run == run).map(|_| instance.id)
    }

    /// A successor's process is up: it may now say that it is ready.
    pub(super) fn successor_spawned(&mut self, id: InstanceId, pid: i32) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        let Some(successor) = &mut instance.successor else { return };
        if successor.pid.is_some() {
            self.ignored += 1;
            return;
        }
        successor.pid = Some(pid);
        successor.since = now;
        successor.give_up_at = now + app.spec.readiness.within;
        self.touch(id);
    }

    /// A successor is ready, or nobody waits for that any more: it takes its place.
    pub(super) fn promote(&mut self, id: InstanceId, said_ready: bool) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let up = instance.successor.take_if(|successor| successor.pid.is_some());
        let Some(Successor { run, pid: Some(pid), since, actions, .. }) = up else { return };
        let old = std::mem::replace(
            &mut instance.phase,
            Phase::Running { run, pid, since, ready_by: None },
        );
        instance.started_at = Some(since);
        instance.said_ready = said_ready;
        instance.proven = false;
        instance.restarts = instance.restarts.saturating_add(1);
        instance.usage = None;
        instance.actions = actions;
        instance.metrics.clear();
        self.begin_watchdog(id);
        self.note_successor(id, Some(pid));
        self.begin_check(id, since);
        if let Phase::Running { run, pid, .. } = old {
            self.verify_anew(id, run);
            self.retire(id, run, Some(pid), true);
        }
    }

    /// The current run ended while its successor is on the way: that takes its place at once.
    pub(super) fn promote_early(&mut self, id: InstanceId) -> bool {
        let Some(instance) = self.instances.get_mut(&id) else { return false };
        let Some(successor) = instance.successor.take() else { return false };
        let Successor { run, pid, since, give_up_at, actions } = successor;
        instance.actions = actions;
        instance.phase = match pid {
            Some(pid) => Phase::Running { run, pid, since, ready_by: Some(give_up_at) },
            None => Phase::Starting { run, give_up_at },
        };
        instance.started_at = pid.map(|_| since).or(instance.started_at);
        instance.said_ready = false;
        instance.proven = false;
        instance.restarts = instance.restarts.saturating_add(1);
        self.note_successor(id, pid);
        true
    }

    /// A successor has taken its place.
    fn note_successor(&mut self, id: InstanceId, pid: Option<i32>) {
        if self.is_reloading(id) {
            self.note_cause(id, asked("reload"));
        }
        if let Some(pid) = pid {
            self.tell_pid(id, pid);
        }
        self.touch(id);
    }

    /// An app has another name: what is under way goes on under that.
    pub(super) fn rename_reload(&mut self, from: &AppName, to: &AppName) {
        if let Some(reload) = self.reloads.remove(from) {
            self.reloads.insert(to.clone(), reload);
        }
        for retiring in self.retiring.values_mut().filter(|it| it.app == *from) {
            retiring.app = to.clone();
            self.changed.retiring.insert(retiring.run);
        }
    }

    /// A successor ended before it was ready: the old run stays.
    pub(super) fn successor_died(&mut self, id: InstanceId, run: RunId, death: Death) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(successor) = instance.successor.take() else { return };
        let uptime = successor.pid.map_or(Duration::ZERO, |_| now.since(successor.since));
        let uptime_millis = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX);
        let usage = instance.usage;
        instance.remember(PastDeath {
            at: now,
            death: death.clone(),
            uptime_millis,
            explained: None,
        });
        instance.usage = usage;
        self.touch(id);
        if let Death::NeverStarted(_) = death {
            self.runs.remove(&run);
        } else {
            self.effects.push(Effect::Sweep { run, kill_at: now });
        }
        let what = words!(
            "the new process {death}; the old one goes on",
            "o novo processo {death}; o antigo continua",
            death = death,
        );
        self.fail_reload(id, &what);
    }

    /// The deadline of an instance whose successor is not ready yet.
    pub(super) fn successor_due(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get(&id) else { return };
        let Some(successor) = &instance.successor else { return };
        if self.now < successor.give_up_at {
            return;
        }
        // One that never says it, like a worker that does not listen, is taken as ready.
        if successor.pid.is_some() && !instance.said_ready {
            return self.promote(id, false);
        }
        let within = self.apps.get(&instance.app).map(|app| app.spec.readiness.within);
        self.drop_successor(id);
        let what = words!(
            "the new process was not ready within {within}; the old one goes on",
            "o novo processo não ficou pronto em {within}; o antigo continua",
            within = within.unwrap_or_default(),
        );
        self.fail_reload(id, &what);
    }

    /// A successor is not wanted any more.
    pub(super) fn drop_successor(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        if let Some(successor) = instance.successor.take() {
            self.retire(id, successor.run, successor.pid, false);
        }
    }

    /// A person does something else with an instance: its reload is over.
    pub(super) fn end_reload(&mut self, id: InstanceId, why: &Words) {
        self.drop_successor(id);
        let Some(app) = self.instances.get(&id).map(|instance| instance.app.clone()) else {
            return;
        };
        let Some(reload) = self.reloads.get_mut(&app) else { return };
        if reload.queue.front() == Some(&id) {
            reload.begun = false;
        }
        reload.queue.retain(|other| *other != id);
        self.changed.world = true;
        self.not_reloaded(id, &app, why, None);
    }

    /// Nothing more of the app is replaced; whoever waits for that hears why.
    fn fail_reload(&mut self, id: InstanceId, what: &Words) {
        let name = self.spoken_name(id);
        self.notify(
            crate::effect::Severity::Warning,
            name.clone(),
            words!("{name}: {what}", "{name}: {what}", what = what),
        );
        let Some(app) = self.instances.get(&id).map(|instance| instance.app.clone()) else {
            return;
        };
        let left = self.reloads.remove(&app).map(|reload| reload.queue).unwrap_or_default();
        self.not_reloaded(id, &app, what, Some("`zelador logs` shows what it said"));
        for other in left.into_iter().filter(|other| *other != id) {
            let what = words!("was not reloaded", "não foi recarregado");
            self.not_reloaded(other, &app, &what, None);
        }
    }

    /// Tells whoever waits for a reload of this instance that it will not come.
    fn not_reloaded(&mut self, id: InstanceId, app: &AppName, what: &Words, help: Option<&str>) {
        let affected = Affected {
            id,
            app: app.to_string(),
            what: what.clone(),
            ok: false,
            help: help.map(str::to_owned),
        };
        for pending in &mut self.pending {
            pending.give_up(id, Wanted::Replaced, &affected);
        }
    }

    /// Whether an instance is still to be replaced.
    pub(super) fn is_reloading(&self, id: InstanceId) -> bool {
        self.reloads.values().any(|reload| reload.queue.contains(&id))
    }

    /// Whether anything of an instance is left beside its current run.
    pub(super) fn has_company(&self, id: InstanceId) -> bool {
        self.instances.get(&id).is_some_and(|instance| instance.successor.is_some())
            || self.retiring.values().any(|retiring| retiring.instance == id)
    }
}
