//! When things are looked at, and what becomes of a result.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::check::{Check, CheckPlan, CheckResult, CheckTarget, Status, judge, plans};
use crate::effect::{Effect, Notice, Severity};
use crate::healing::VERIFY_EVERY;
use crate::id::{CheckId, InstanceId, ProbeId};
use crate::incident::Stage;
use crate::instance::Phase;
use crate::probe::{Finding, ProbeOutcome};
use crate::spec::Settings;
use crate::unit::{Moment, spoken};

use super::Supervisor;

impl Supervisor {
    /// The settings or a layer of them changed.
    pub(super) fn settings_changed(&mut self) {
        let settings = Settings::resolve(&[&self.base, &self.overlay, &self.modules.overlay]);
        if settings == self.settings {
            return;
        }
        self.settings = settings;
        self.plan_checks();
        self.effects.push(Effect::Configure(Box::new(self.settings.clone())));
    }

    /// Begins the checks that the settings ask for, ends those that they do not; one whose
    /// settings did not change goes on as it was.
    pub(super) fn plan_checks(&mut self) {
        let wanted = plans(&self.settings);
        let ours: Vec<CheckId> = self.checks.keys().cloned().collect();
        for id in ours.into_iter().filter(|id| !matches!(id, CheckId::Instance(_))) {
            if !wanted.iter().any(|plan| plan.id == id && self.checks[&id].plan == *plan) {
                self.checks.remove(&id);
                self.changed.checks.insert(id.clone());
                self.looked_at(&id);
            }
        }
        for plan in wanted {
            if !self.checks.contains_key(&plan.id) {
                self.insert_check(plan, self.now);
            }
        }
        self.changed.world = true;
    }

    fn insert_check(&mut self, plan: CheckPlan, first_at: Moment) {
        let id = plan.id.clone();
        self.checks.insert(id.clone(), Check::new(plan, first_at));
        self.changed.checks.insert(id);
    }

    /// Adds the own check of an instance, if its app has one. It is not looked at before
    /// [`Self::begin_check`].
    pub(super) fn add_check(&mut self, id: InstanceId) {
        let Some(app) = self.instances.get(&id).and_then(|it| self.apps.get(&it.app)) else {
            return;
        };
        let Some(health) = &app.spec.health else { return };
        let plan = CheckPlan {
            id: CheckId::Instance(id),
            target: CheckTarget::App(health.probe.clone()),
            cadence: health.cadence,
            slow: Some(health.slow),
            thresholds: None,
        };
        self.insert_check(plan, NEVER);
        if let Phase::Running { since, .. } = self.instances[&id].phase {
            self.begin_check(id, since);
        }
    }

    /// A run came up at `since`: its check begins anew.
    pub(super) fn begin_check(&mut self, id: InstanceId, since: Moment) {
        let health = self
            .instances
            .get(&id)
            .and_then(|it| self.apps.get(&it.app))
            .and_then(|app| app.spec.health.as_ref());
        let Some(start_period) = health.map(|health| health.start_period) else { return };
        let focused = self.is_focused(id);
        let check_id = CheckId::Instance(id);
        let Some(check) = self.checks.get_mut(&check_id) else { return };
        // Spread, so that a hundred instances that start together are not looked at together;
        // at once where somebody waits for the verdict.
        let spread = check.plan.cadence.interval.min(SPREAD);
        let jitter = if focused { Duration::ZERO } else { spread.mul_f64(self.rng.f64()) };
        check.reset((since + start_period).max(self.now) + FIRST_LOOK_AFTER + jitter);
        self.changed.checks.insert(check_id);
    }

    /// The run is over: its check rests.
    pub(super) fn end_check(&mut self, id: InstanceId) {
        let check_id = CheckId::Instance(id);
        let Some(check) = self.checks.get_mut(&check_id) else { return };
        check.reset(NEVER);
        self.changed.checks.insert(check_id.clone());
        self.looked_at(&check_id);
    }

    pub(super) fn drop_check(&mut self, id: InstanceId) {
        let check_id = CheckId::Instance(id);
        self.checks.remove(&check_id);
        self.changed.checks.insert(check_id.clone());
        self.looked_at(&check_id);
    }

    /// Looks at everything that can be looked at; returns what is being looked at.
    pub(super) fn check_everything(&mut self) -> BTreeSet<CheckId> {
        let active = |id: &&CheckId| match id {
            CheckId::Instance(instance) => {
                matches!(self.instances[instance].phase, Phase::Running { .. })
            }
            _ => true,
        };
        let all: BTreeSet<CheckId> = self.checks.keys().filter(active).cloned().collect();
        for id in &all {
            if self.checks[id].under_way.is_none() {
                self.look(id);
            }
        }
        all
    }

    /// Handles the deadline of a check: a look is due, or one was lost.
    pub(super) fn check_due(&mut self, id: &CheckId) {
        let now = self.now;
        let Some(check) = self.checks.get_mut(id) else { return };
        match check.under_way {
            Some((probe, give_up_at)) if now >= give_up_at => {
                self.probes.remove(&probe);
                let detail = format!("no result within {}", spoken(check.plan.cadence.timeout));
                let took = check.plan.cadence.timeout;
                let outcome = ProbeOutcome { finding: Finding::Unavailable { detail }, took };
                self.conclude(id, &outcome);
            }
            None if now >= check.next_at => self.look(id),
            _ => {}
        }
    }

    fn look(&mut self, id: &CheckId) {
        let probe = ProbeId::new(self.next_probe);
        self.next_probe += 1;
        let focused = matches!(id, CheckId::Instance(instance) if self.is_focused(*instance));
        let Some(check) = self.checks.get_mut(id) else { return };
        check.begin(probe, self.now);
        if focused {
            check.next_at = check.next_at.min(self.now + VERIFY_EVERY);
        }
        let (target, timeout) = (check.plan.target.clone(), check.plan.cadence.timeout);
        self.probes.insert(probe, id.clone());
        self.changed.checks.insert(id.clone());
        self.effects.push(Effect::Look { probe, target, timeout });
    }

    /// Whether the healer, or a start, waits for this instance's verdict.
    fn is_focused(&self, id: InstanceId) -> bool {
        let by_healer = self.incidents.values().any(|incident| {
            incident.is_open()
                && incident.instance == id
                && matches!(
                    incident.stage,
                    Stage::Applying { .. } | Stage::Verifying { .. } | Stage::Rechecking { .. }
                )
        });
        by_healer || self.is_awaited(id)
    }

    /// Takes in the result of a look.
    pub(super) fn looked(&mut self, probe: ProbeId, outcome: &ProbeOutcome) {
        let check = self.probes.remove(&probe);
        let current = |id: &CheckId| {
            self.checks.get(id).and_then(|check| check.under_way).is_some_and(|(it, _)| it == probe)
        };
        match check.filter(current) {
            Some(id) => self.conclude(&id, outcome),
            None => self.ignored += 1,
        }
    }

    fn conclude(&mut self, id: &CheckId, outcome: &ProbeOutcome) {
        let Some(check) = self.checks.get_mut(id) else { return };
        let result = judge(&check.plan, outcome, self.now);
        check.finding = Some(outcome.finding.clone());
        let message = result.message.clone();
        let change = check.take(result);
        self.changed.checks.insert(id.clone());
        self.changed.world = true;
        self.looked_at(id);
        let Some((before, after)) = change else { return };
        if before.is_some() || after != Status::Healthy {
            let subject = self.component(id);
            let severity = match after {
                Status::Healthy => Severity::Info,
                Status::Degraded | Status::Unhealthy => Severity::Warning,
            };
            let text = format!("{subject} is {after}: {message}");
            let check = Some((id.clone(), after));
            self.effects.push(Effect::Notify(Notice { severity, subject, text, check }));
        }
        if let (CheckId::Instance(instance), Status::Unhealthy) = (id, after) {
            self.open_unresponsive(*instance, &message);
        }
    }

    /// Looks at what held instances and incidents wait for more often than usual.
    pub(super) fn hurry_dependencies(&mut self) {
        let awaited = self.awaited_databases();
        for (id, check) in &mut self.checks {
            let CheckId::Database(name) = id else { continue };
            let before = check.hurried.is_some();
            if awaited.contains(name) {
                check.hurry(self.now);
            } else {
                check.relax();
            }
            if before != check.hurried.is_some() {
                self.changed.checks.insert(id.clone());
            }
        }
    }

    /// What a check is called on every surface: `memory`, `database:main`, `app:api/0`.
    pub(super) fn component(&self, id: &CheckId) -> String {
        match id {
            CheckId::Memory => "memory".to_owned(),
            CheckId::Cpu => "cpu".to_owned(),
            CheckId::Disk => "disk".to_owned(),
            CheckId::Database(name) => format!("database:{name}"),
            CheckId::Instance(instance) => format!("app:{}", self.spoken_name(*instance)),
        }
    }

    /// How an instance is: what its own check says while it runs, and its phase otherwise; `None`
    /// while nothing is wanted of it.
    pub(super) fn health_of(&self, id: InstanceId) -> Option<CheckResult> {
        let instance = self.instances.get(&id)?;
        if instance.goal == crate::instance::Goal::Down {
            return None;
        }
        let from_phase = |status, message: String| {
            Some(CheckResult { status, message, took: Duration::ZERO, at: self.now })
        };
        match &instance.phase {
            Phase::Running { pid, since, .. } => {
                let check = self.checks.get(&CheckId::Instance(id));
                match check.map(|check| (check.verdict, &check.last)) {
                    Some((Some(status), Some(last))) => {
                        Some(CheckResult { status, ..last.clone() })
                    }
                    _ => {
                        let age = spoken(self.now.since(*since));
                        from_phase(Status::Healthy, format!("up for {age} (pid {pid})"))
                    }
                }
            }
            Phase::Starting { .. } => from_phase(Status::Degraded, "is being started".to_owned()),
            Phase::Stopping { .. } => from_phase(Status::Degraded, "is being restarted".to_owned()),
            Phase::Backoff { held: true, .. } => {
                let said = self.obstacle(id).map(|obstacle| obstacle.said);
                let said = said.unwrap_or_else(|| "is about to be started".to_owned());
                from_phase(Status::Degraded, said)
            }
            Phase::Backoff { retry_at, .. } => {
                let wait = spoken(retry_at.since(self.now));
                from_phase(Status::Degraded, format!("died; the next start is in {wait}"))
            }
            Phase::Tripped { .. } => {
                let death = instance.deaths.front().map(|past| past.death.to_string());
                let why = death.unwrap_or_else(|| "was restarted too often".to_owned());
                from_phase(Status::Unhealthy, format!("keeps failing: the process {why}"))
            }
            Phase::Finished { death } if !death.is_clean() => {
                from_phase(Status::Unhealthy, format!("ended for good: the process {death}"))
            }
            Phase::Stopped | Phase::Finished { .. } => None,
        }
    }
}

/// A check that rests.
const NEVER: Moment = Moment::from_micros(u64::MAX);

/// A process that has just been started does not listen yet; Node needs 50 to 200 ms.
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(500);

/// The first looks at runs that came up together are spread over this time, or over one interval
/// if that is shorter.
const SPREAD: Duration = Duration::from_secs(5);
