//! Starts and stops of instances: what is asked for, and what the guardian answers.

use std::time::Duration;

use crate::config::EnvDifference;
use crate::death::Death;
use crate::effect::{Effect, Severity};
use crate::id::{AppName, InstanceId, RunId};
use crate::input::KnownRun;
use crate::instance::{Cause, Phase, Start, Then};
use crate::launch::{launch, log_paths, pid_path};
use crate::spec::Environment;
use crate::words;

use super::Supervisor;

/// A spawn that the guardian has not answered after this time is lost.
pub(super) const SPAWN_WITHIN: Duration = Duration::from_secs(30);

/// `SIGKILL` is sent again after this time while something of a run is left: a process in
/// uninterruptible sleep dies only when it wakes.
pub(super) const KILL_AGAIN_EVERY: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Asks for a new run. The instance must have no process.
    pub(super) fn start(&mut self, id: InstanceId, cause: Cause) {
        self.note_cause(id, cause);
        self.start_as_noted(id, false);
    }

    /// The same for a cause that was noted before; `counted`: it is a restart. What depends on
    /// something is looked at again at the end of the step, when all that was declared with it is
    /// known: see `release_held`.
    pub(super) fn start_as_noted(&mut self, id: InstanceId, counted: bool) {
        let retry_at = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        if app.spec.depends_on.is_empty() {
            return self.begin_run(id, counted);
        }
        instance.phase = Phase::Backoff { retry_at, held: true, fresh: !counted };
        self.touch(id);
    }

    /// Asks for a new run now.
    pub(super) fn begin_run(&mut self, id: InstanceId, counted: bool) {
        let give_up_at = self.now + SPAWN_WITHIN;
        let app = self.instances.get(&id).and_then(|it| self.apps.get(&it.app));
        if app.is_none() {
            return;
        }
        let ahead = self.is_ahead(id);
        let (run, heir) = self.next_run(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        instance.phase = Phase::Starting { run, give_up_at };
        instance.spoken = crate::instance::Spoken::default();
        if counted {
            instance.restarts = instance.restarts.saturating_add(1);
        }
        self.runs.insert(run, id);
        if heir.is_none() {
            let settings = self.modules.env.get(&instance.app);
            let launch = Box::new(launch(&app.spec, instance, run, &self.home, settings));
            self.effects.push(Effect::Spawn { run, launch, ahead });
        }
        self.touch(id);
        if let Some(KnownRun { run, pid, death, .. }) = heir {
            self.spawned(run, pid);
            if let Some(death) = death {
                self.exited(run, death);
            }
        }
    }

    /// The files of `env_file` were read for a run: says in which variables they changed.
    pub(super) fn env_read(&mut self, run: RunId, env: Environment) {
        let Some(id) = self.runs.get(&run).copied() else {
            self.ignored += 1;
            return;
        };
        let name = self.spoken_name(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let before = instance.file_env.replace(env);
        if let (Some(before), Some(now)) = (before, &instance.file_env) {
            let difference = EnvDifference::between(&before, now);
            if !difference.is_empty() {
                let text = words!(
                    "{name}: variables of env_file: {difference}",
                    "{name}: variáveis de env_file: {difference}",
                    difference = difference,
                );
                self.notify(Severity::Info, name, text);
            }
        }
    }

    /// Notes why the next start is made.
    pub(super) fn note_cause(&mut self, id: InstanceId, cause: Cause) {
        let at = self.now;
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.last_start = Some(Start { at, cause });
        }
    }

    /// Asks the process of an instance to end, and for a new one after it. Returns false when
    /// there is no process.
    pub(super) fn restart_because(&mut self, id: InstanceId, cause: Cause) -> bool {
        let asked = self.terminate(id, Then::Start);
        if asked {
            self.note_cause(id, cause);
        }
        asked
    }

    /// Asks the process of an instance to end; `then` says what follows. Returns false when there
    /// is no process.
    pub(super) fn terminate(&mut self, id: InstanceId, then: Then) -> bool {
        let Some(instance) = self.instances.get_mut(&id) else { return false };
        let Some(app) = self.apps.get(&instance.app) else { return false };
        match &mut instance.phase {
            Phase::Stopping { then: before, .. } => {
                if *before != Then::Remove {
                    *before = then;
                }
            }
            Phase::Starting { run, .. } => {
                let (run, kill_at) = (*run, self.now + SPAWN_WITHIN);
                instance.phase =
                    Phase::Stopping { run, pid: None, kill_at, then, death: None, waits: false };
            }
            Phase::Running { run, pid, .. } => {
                let (run, pid) = (*run, Some(*pid));
                // Who is asked at the end of the step: then everybody who stops with it is known.
                let kill_at = self.now + app.spec.stop.grace;
                instance.phase =
                    Phase::Stopping { run, pid, kill_at, then, death: None, waits: true };
                self.give_dependants_time(id);
            }
            _ => return false,
        }
        self.drop_successor(id);
        self.end_check(id);
        self.touch(id);
        true
    }

    pub(super) fn exited(&mut self, run: RunId, death: Death) {
        if self.retiring.contains_key(&run) {
            return self.retiring_exited(run, death);
        }
        if let Some(id) = self.succeeds(run) {
            return self.successor_died(id, run, death);
        }
        let Some((id, _)) = self.current(run) else { return };
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        // Before it is asked what is different from then.
        instance.keep_footing(now);
        if let Some(app) = self.apps.get(&instance.app).filter(|_| instance.phase.pid().is_some()) {
            self.effects.push(Effect::RemovePid { path: pid_path(&app.spec, id, &self.home) });
        }
        match &mut instance.phase {
            Phase::Starting { .. } | Phase::Running { .. } => {
                // What escaped from the process group is looked for while the next run starts.
                self.effects.push(Effect::Sweep { run, kill_at: now });
                self.died(id, run, death);
            }
            Phase::Stopping { death: known @ None, kill_at, waits, .. } => {
                *known = Some(death);
                if std::mem::take(waits)
                    && let Some(app) = self.apps.get(&instance.app)
                {
                    *kill_at = now + app.spec.stop.grace;
                }
                let kill_at = *kill_at;
                self.effects.push(Effect::Sweep { run, kill_at });
                self.touch(id);
            }
            _ => self.ignored += 1,
        }
    }

    pub(super) fn swept(&mut self, run: RunId) {
        if self.retiring.get(&run).is_some_and(|retiring| retiring.death.is_some()) {
            return self.retired(run);
        }
        let Some(id) = self.runs.get(&run).copied() else { return };
        let Some(instance) = self.instances.get(&id) else {
            self.runs.remove(&run);
            return;
        };
        match &instance.phase {
            // An end that was asked for is no death, and does not enter the history of deaths.
            Phase::Stopping { run: current, death: Some(_), .. } if *current == run => {
                self.runs.remove(&run);
                self.gone(id);
            }
            _ if !instance.has(run) && !self.retiring.contains_key(&run) => {
                self.runs.remove(&run);
            }
            _ => {}
        }
    }

    /// A stop is complete.
    pub(super) fn gone(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Phase::Stopping { then, .. } = instance.phase else { return };
        instance.phase = Phase::Stopped;
        instance.usage = None;
        self.touch(id);
        match then {
            Then::Stay => {}
            Then::Start => self.start_as_noted(id, true),
            Then::Trip { trial_at } => {
                if let Some(instance) = self.instances.get_mut(&id) {
                    instance.phase = Phase::Tripped { trial_at };
                }
            }
            Then::Remove => self.remove(id),
        }
    }

    /// Handles the deadline of an instance.
    pub(super) fn instance_due(&mut self, id: InstanceId) {
        let now = self.now;
        self.successor_due(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        self.changed.instances.insert(id);
        self.changed.world = true;
        match &mut instance.phase {
            Phase::Starting { run, give_up_at } if now >= *give_up_at => {
                // The guardian has not said what became of it, so it may still come: it is ended
                // for certain before another one is started.
                let (run, then) = (*run, Then::Start);
                let kill_at = now + KILL_AGAIN_EVERY;
                instance.phase =
                    Phase::Stopping { run, pid: None, kill_at, then, death: None, waits: false };
                self.effects.push(Effect::Kill { run });
                self.note_cause(id, Cause::StartLost);
                let name = self.spoken_name(id);
                let text =
                    words!("{name}: {death}", "{name}: {death}", death = Death::StartTimedOut);
                self.notify(Severity::Warning, name, text);
            }
            Phase::Running { run, since, ready_by, .. } => {
                let (run, since) = (*run, *since);
                let waited_enough = ready_by.is_some_and(|at| now >= at);
                if waited_enough {
                    *ready_by = None;
                }
                let settled = self.apps.get(&instance.app).map(|app| app.spec.restart.min_uptime);
                if settled.is_some_and(|span| now >= since + span) {
                    instance.breaker.close();
                }
                let silent_since = instance.spoken.alive_by.filter(|at| now >= *at);
                if waited_enough {
                    self.begin_check(id, since);
                }
                if let Some(at) = silent_since {
                    self.listen(id, run, at);
                }
            }
            Phase::Stopping { waits: true, kill_at, .. } if now >= *kill_at => self.ask_to_end(id),
            Phase::Stopping { run, kill_at, .. } if now >= *kill_at => {
                *kill_at = now + KILL_AGAIN_EVERY;
                let run = *run;
                self.effects.push(Effect::Kill { run });
            }
            Phase::Backoff { retry_at, held: false, fresh } if now >= *retry_at => {
                let counted = !*fresh;
                self.start_as_noted(id, counted);
            }
            Phase::Tripped { trial_at: Some(at) } if now >= *at => self.start_as_noted(id, true),
            _ => {}
        }
    }

    /// Removes an instance without a process, and its app with the last one.
    pub(super) fn remove(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.remove(id) else { return };
        self.drop_check(id);
        self.touch(id);
        if self.instances.of_app(&instance.app).next().is_none() {
            self.apps.remove(&instance.app);
            self.changed.apps.insert(instance.app);
        }
        if self.instances.is_empty() && self.retiring.is_empty() {
            self.counters.instance = 0;
            self.changed.counters = true;
        }
    }

    /// The log files of an instance: standard output, standard error.
    pub(super) fn logs_of(
        &self,
        id: InstanceId,
    ) -> (Option<std::path::PathBuf>, Option<std::path::PathBuf>) {
        let spec = self.instances.get(&id).and_then(|instance| self.apps.get(&instance.app));
        spec.map_or((None, None), |app| log_paths(&app.spec, id, &self.home))
    }

    /// The instance whose current run this is; a fact about another run is counted and ignored.
    pub(super) fn current(&mut self, run: RunId) -> Option<(InstanceId, AppName)> {
        let found = self.runs.get(&run).and_then(|id| self.instances.get(id));
        match found.filter(|instance| instance.is_current(run)) {
            Some(instance) => Some((instance.id, instance.app.clone())),
            None => {
                self.ignored += 1;
                None
            }
        }
    }
}
