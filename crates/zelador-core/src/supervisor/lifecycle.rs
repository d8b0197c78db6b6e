//! Starts, stops and deaths of instances.

use std::time::Duration;

use crate::cron;
use crate::death::{Death, SpawnFailure};
use crate::effect::{Effect, Severity};
use crate::evidence::PastDeath;
use crate::id::{AppName, InstanceId, RunId};
use crate::instance::{Goal, Phase, Ruling, Then};
use crate::launch::{launch, log_paths};
use crate::probe::Usage;
use crate::spec::OnDependencyDown;
use crate::unit::{Moment, SECOND, spoken};

use super::Supervisor;
use super::dependencies::Dependency;

/// A spawn that the guardian has not answered after this time is lost.
const SPAWN_WITHIN: Duration = Duration::from_secs(30);

/// `SIGKILL` is sent again after this time while something of a run is left: a process in
/// uninterruptible sleep dies only when it wakes.
pub(super) const KILL_AGAIN_EVERY: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Asks for a new run. The instance must have no process.
    pub(super) fn start(&mut self, id: InstanceId, counted: bool) {
        let run = RunId::new(self.counters.run);
        let give_up_at = self.now + SPAWN_WITHIN;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        self.counters.run += 1;
        self.changed.counters = true;
        instance.phase = Phase::Starting { run, give_up_at };
        if counted {
            instance.restarts = instance.restarts.saturating_add(1);
        }
        let launch = Box::new(launch(&app.spec, instance, run, &self.home));
        self.runs.insert(run, id);
        self.effects.push(Effect::Spawn { run, launch });
        self.touch(id);
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
                instance.phase = Phase::Stopping { run, pid: None, kill_at, then, death: None };
            }
            Phase::Running { run, pid, .. } => {
                let (run, pid, kill_at) = (*run, Some(*pid), self.now + app.spec.stop.grace);
                instance.phase = Phase::Stopping { run, pid, kill_at, then, death: None };
                let (signal, tree) = (app.spec.stop.signal, app.spec.stop.tree);
                self.effects.push(Effect::Terminate { run, signal, tree });
            }
            _ => return false,
        }
        self.end_check(id);
        self.touch(id);
        true
    }

    pub(super) fn spawned(&mut self, run: RunId, pid: i32) {
        let Some((id, instance)) = self.current(run) else { return };
        let now = self.instances[&id].phase.clone();
        match now {
            Phase::Starting { .. } => {
                self.comes_up(id, run, pid);
            }
            // It was stopped before it was up: now there is something to stop.
            Phase::Stopping { pid: None, then, .. } => {
                let Some(app) = self.apps.get(&instance) else { return };
                let (stop, kill_at) = (&app.spec.stop, self.now + app.spec.stop.grace);
                let (signal, tree) = (stop.signal, stop.tree);
                let Some(instance) = self.instances.get_mut(&id) else { return };
                instance.phase =
                    Phase::Stopping { run, pid: Some(pid), kill_at, then, death: None };
                self.effects.push(Effect::Terminate { run, signal, tree });
                self.touch(id);
            }
            _ => self.ignored += 1,
        }
    }

    fn comes_up(&mut self, id: InstanceId, run: RunId, pid: i32) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.phase = Phase::Running { run, pid, since: now };
        instance.started_at = Some(now);
        self.begin_check(id, now);
        self.touch(id);
    }

    pub(super) fn spawn_failed(&mut self, run: RunId, failure: SpawnFailure) {
        let Some((id, _)) = self.current(run) else { return };
        match self.instances[&id].phase {
            Phase::Starting { .. } => self.died(id, run, Death::NeverStarted(failure)),
            Phase::Stopping { .. } => {
                self.runs.remove(&run);
                self.gone(id);
            }
            _ => self.ignored += 1,
        }
    }

    pub(super) fn exited(&mut self, run: RunId, death: Death) {
        let Some((id, _)) = self.current(run) else { return };
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        match &mut instance.phase {
            Phase::Starting { .. } | Phase::Running { .. } => {
                // What escaped from the process group is looked for while the next run starts.
                self.effects.push(Effect::Sweep { run, kill_at: now });
                self.died(id, run, death);
            }
            Phase::Stopping { death: known @ None, kill_at, .. } => {
                *known = Some(death);
                let kill_at = *kill_at;
                self.effects.push(Effect::Sweep { run, kill_at });
                self.touch(id);
            }
            _ => self.ignored += 1,
        }
    }

    pub(super) fn swept(&mut self, run: RunId) {
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
            _ if !instance.is_current(run) => {
                self.runs.remove(&run);
            }
            _ => {}
        }
    }

    /// A stop is complete.
    fn gone(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Phase::Stopping { then, .. } = instance.phase else { return };
        instance.phase = Phase::Stopped;
        instance.usage = None;
        self.touch(id);
        match then {
            Then::Stay => {}
            Then::Start => self.start(id, true),
            Then::Trip { trial_at } => {
                if let Some(instance) = self.instances.get_mut(&id) {
                    instance.phase = Phase::Tripped { trial_at };
                }
            }
            Then::Remove => self.remove(id),
        }
    }

    /// A run ended that nobody asked to end.
    fn died(&mut self, id: InstanceId, run: RunId, death: Death) {
        let now = self.now;
        self.end_check(id);
        let uptime = self.remember_death(id, death.clone());
        let name = self.spoken_name(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        let policy = &app.spec.restart;
        let finished = death.code().is_some_and(|code| policy.stop_exit_codes.contains(&code));
        if matches!(death, Death::NeverStarted(_)) {
            self.runs.remove(&run);
        }
        self.changed.instances.insert(id);
        self.changed.world = true;
        if !policy.autorestart || finished || instance.goal == Goal::Down {
            instance.phase = Phase::Finished { death };
            return;
        }
        if uptime >= crate::instance::restart::RESET_AFTER {
            instance.backoff = None;
        }
        // Nothing that a second start could change.
        let hopeless = matches!(
            death,
            Death::NeverStarted(
                SpawnFailure::ProgramNotFound(_)
                    | SpawnFailure::NotExecutable { .. }
                    | SpawnFailure::Directory { .. }
                    | SpawnFailure::User { .. }
            )
        );
        match instance.breaker.after_death(policy, uptime, hopeless) {
            Ruling::Open(open) => {
                instance.phase = Phase::Tripped { trial_at: open.map(|open| now + open) };
                let short_runs = instance.breaker.short_runs;
                self.tripped(id, &name, short_runs, &death, open);
            }
            Ruling::Closed => {
                let delay = policy.delay.next(instance.backoff);
                if matches!(policy.delay, crate::spec::RestartDelay::Exponential(_)) {
                    instance.backoff = Some(delay);
                }
                let (waits, name) = (app.spec.on_dependency_down, app.spec.name.clone());
                let held = waits == OnDependencyDown::Wait && self.has_database(&name);
                let Some(instance) = self.instances.get_mut(&id) else { return };
                if delay.is_zero() && !held {
                    self.start(id, true);
                } else {
                    instance.phase = Phase::Backoff { retry_at: now + delay, held };
                }
            }
        }
    }

    /// The breaker opened.
    fn tripped(
        &mut self,
        id: InstanceId,
        name: &str,
        short_runs: u32,
        death: &Death,
        open: Option<Duration>,
    ) {
        let next = match open {
            Some(open) => format!("one trial start in {}", spoken(open)),
            None => "it stays down until somebody starts it".to_owned(),
        };
        let text = match death {
            Death::NeverStarted(_) => format!("{name} {death}; {next}"),
            _ => format!(
                "{name} ended {short_runs} times in a row soon after its start, at last it {death}; {next}"
            ),
        };
        self.notify(Severity::Warning, name.to_owned(), text.clone());
        self.open_crash_loop(id, &text);
    }

    /// Notes how the current run ended; returns how long it had lived.
    fn remember_death(&mut self, id: InstanceId, death: Death) -> Duration {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return Duration::ZERO };
        let born = match instance.phase {
            Phase::Running { since, .. } => Some(since),
            _ => None,
        };
        let uptime = born.map_or(Duration::ZERO, |since| now.since(since));
        let uptime_millis = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX);
        instance.remember(PastDeath { at: now, death, uptime_millis });
        uptime
    }

    /// Handles the deadline of an instance.
    pub(super) fn instance_due(&mut self, id: InstanceId) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        self.changed.instances.insert(id);
        self.changed.world = true;
        match &mut instance.phase {
            Phase::Starting { run, give_up_at } if now >= *give_up_at => {
                // The guardian has not said what became of it, so it may still come: it is ended
                // for certain before another one is started.
                let (run, then) = (*run, Then::Start);
                let kill_at = now + KILL_AGAIN_EVERY;
                instance.phase = Phase::Stopping { run, pid: None, kill_at, then, death: None };
                self.effects.push(Effect::Kill { run });
                let name = self.spoken_name(id);
                let text = format!("{name}: {}", Death::StartTimedOut);
                self.notify(Severity::Warning, name, text);
            }
            Phase::Running { .. } => instance.breaker.close(),
            Phase::Stopping { run, kill_at, .. } if now >= *kill_at => {
                *kill_at = now + KILL_AGAIN_EVERY;
                let run = *run;
                self.effects.push(Effect::Kill { run });
            }
            Phase::Backoff { retry_at: at, held: false }
            | Phase::Tripped { trial_at: Some(at) }
                if now >= *at =>
            {
                self.start_unless_held(id);
            }
            _ => {}
        }
    }

    /// Starts an instance that has waited long enough, unless a database that it needs is known to
    /// be down.
    fn start_unless_held(&mut self, id: InstanceId) {
        let now = self.now;
        let Some(app) = self.instances.get(&id).and_then(|it| self.apps.get(&it.app)) else {
            return;
        };
        let (name, waits) = (app.spec.name.clone(), app.spec.on_dependency_down);
        let state = self.database_state(&name, Moment::default());
        let down = matches!(state, Dependency::Down { .. });
        if !down || waits == OnDependencyDown::Restart {
            return self.start(id, true);
        }
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.phase = Phase::Backoff { retry_at: now, held: true };
        }
    }

    /// Starts instances that wait for a dependency which is up now.
    pub(super) fn release_held(&mut self) {
        let held: Vec<(InstanceId, AppName, Moment, Moment)> = self
            .instances
            .values()
            .filter_map(|instance| match instance.phase {
                Phase::Backoff { retry_at, held: true } => {
                    let since = instance.deaths.front().map_or(self.now, |death| death.at);
                    Some((instance.id, instance.app.clone(), retry_at, since))
                }
                _ => None,
            })
            .collect();
        for (id, app, retry_at, since) in held {
            if self.database_state(&app, since) != Dependency::Up {
                continue;
            }
            if self.now >= retry_at {
                self.start(id, true);
            } else if let Some(instance) = self.instances.get_mut(&id) {
                instance.phase = Phase::Backoff { retry_at, held: false };
                self.touch(id);
            }
        }
    }

    /// Takes in what runs use; above its limit an instance is restarted gracefully.
    pub(super) fn sampled(&mut self, usages: &[(RunId, Usage)]) {
        for (run, usage) in usages {
            let Some(id) = self.runs.get(run).copied() else { continue };
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            let Phase::Running { run: current, since, .. } = instance.phase else { continue };
            if current != *run {
                continue;
            }
            instance.usage = Some(*usage);
            let Some(app) = self.apps.get(&instance.app) else { continue };
            let Some(limit) = app.spec.max_memory.filter(|limit| usage.memory > *limit) else {
                continue;
            };
            // Every cause counts: a leak that fills the memory at once is a crash loop too.
            let uptime = self.now.since(since);
            let ruling = instance.breaker.after_death(&app.spec.restart, uptime, false);
            let name = self.spoken_name(id);
            let text = format!(
                "{name} uses {} of memory, its limit is {limit}: it is restarted",
                usage.memory
            );
            self.notify(Severity::Warning, name.clone(), text);
            match ruling {
                Ruling::Closed => self.terminate(id, Then::Start),
                Ruling::Open(open) => {
                    let text = format!("{name} reaches its memory limit soon after every start");
                    self.open_crash_loop(id, &text);
                    self.terminate(id, Then::Trip { trial_at: open.map(|open| self.now + open) })
                }
            };
        }
    }

    /// The clock asks for a restart: of what is up, and of nothing that a person stopped.
    pub(super) fn cron_due(&mut self, name: &AppName) {
        self.plan_cron(name);
        for id in self.instances_of(name) {
            let Some(instance) = self.instances.get(&id) else { continue };
            if instance.goal == Goal::Up && matches!(instance.phase, Phase::Running { .. }) {
                self.terminate(id, Then::Start);
            }
        }
    }

    /// Sets the next restart by the clock.
    pub(super) fn plan_cron(&mut self, name: &AppName) {
        let ahead = self.clock_ahead;
        let Some(app) = self.apps.get_mut(name) else { return };
        let shift = |moment: Moment, by: i64| {
            let span = Duration::from_micros(by.unsigned_abs());
            if by < 0 { moment - span } else { moment + span }
        };
        app.cron_at = app.spec.cron.as_ref().and_then(|pattern| {
            let next = cron::next(pattern, shift(self.now, ahead), &self.zone)?;
            // Never at once, however the clock was set: handling a deadline moves it on.
            Some(shift(next, -ahead).max(self.now + SECOND / 1000))
        });
        self.changed.apps.insert(name.clone());
    }

    /// Removes an instance without a process, and its app with the last one.
    pub(super) fn remove(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.remove(&id) else { return };
        self.drop_check(id);
        self.touch(id);
        if self.instances.values().all(|other| other.app != instance.app) {
            self.apps.remove(&instance.app);
            self.changed.apps.insert(instance.app);
        }
        if self.instances.is_empty() {
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
    fn current(&mut self, run: RunId) -> Option<(InstanceId, AppName)> {
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
