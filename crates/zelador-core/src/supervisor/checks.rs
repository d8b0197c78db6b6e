//! When things are looked at, and what becomes of a result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::breaker::Denied;
use crate::check::{Check, CheckPlan, CheckTarget, Status, judge_by, plans};
use crate::effect::{Effect, Notice, Severity};
use crate::healing::VERIFY_EVERY;
use crate::id::{CheckId, InstanceId, ProbeId};
use crate::incident::Stage;
use crate::instance::Phase;
use crate::probe::{Finding, ProbeOutcome};
use crate::spec::{AppSpec, HealthSpec, ProbeTarget, Settings};
use crate::unit::Moment;
use crate::words;

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
        self.plan_pulse();
        self.plan_maintenance();
        self.effects.push(Effect::Configure(Box::new(self.settings.clone())));
    }

    /// Begins the checks that the settings ask for, ends those that they do not; one whose
    /// settings did not change goes on as it was.
    pub(super) fn plan_checks(&mut self) {
        let wanted: BTreeMap<CheckId, CheckPlan> =
            plans(&self.settings).into_iter().map(|plan| (plan.id.clone(), plan)).collect();
        let ours: Vec<CheckId> = self.checks.keys().cloned().collect();
        for id in ours.into_iter().filter(|id| id.instance().is_none()) {
            if wanted.get(&id) != Some(&self.checks[&id].plan) {
                self.leave_look(&id);
                self.checks.remove(&id);
                self.changed.checks.insert(id.clone());
                self.looked_at(&id);
            }
        }
        let mut databases = 0;
        for plan in wanted.into_values() {
            if !self.checks.contains_key(&plan.id) {
                // So that five hundred checks that are declared together are not looked at together.
                let wait = match &plan.id {
                    CheckId::Named(_) => {
                        plan.cadence.interval.min(NAMED_SPREAD).mul_f64(self.rng.f64())
                    }
                    // One that somebody waits for is hurried.
                    CheckId::Database(_) => {
                        databases += 1;
                        (DATABASES_APART * (databases - 1)).min(plan.cadence.interval)
                    }
                    _ => Duration::ZERO,
                };
                self.insert_check(plan, self.now + wait);
            }
        }
        self.plan_heartbeats();
        self.changed.world = true;
    }

    fn insert_check(&mut self, plan: CheckPlan, first_at: Moment) {
        let id = plan.id.clone();
        self.checks.insert(id.clone(), Check::new(plan, first_at));
        self.changed.checks.insert(id);
    }

    /// Adds the own checks of an instance, if its app has some. They are not looked at before
    /// [`Self::begin_check`].
    pub(super) fn add_check(&mut self, id: InstanceId) {
        let Some(app) = self.instances.get(&id).and_then(|it| self.apps.get(&it.app)) else {
            return;
        };
        let plans: Vec<CheckPlan> = own_checks(id, &app.spec)
            .map(|(check_id, spec)| CheckPlan {
                id: check_id,
                target: CheckTarget::App(Arc::new(spec.probe.clone())),
                cadence: spec.cadence,
                slow: Some(spec.slow),
                thresholds: None,
                limits: spec.limits.clone(),
            })
            .collect();
        for plan in plans {
            self.insert_check(plan, NEVER);
        }
        if let Phase::Running { since, .. } = self.instances[&id].phase {
            self.begin_check(id, since);
        }
    }

    /// A run came up at `since`: its checks begin anew, the startup probe alone where there is one.
    pub(super) fn begin_check(&mut self, id: InstanceId, since: Moment) {
        let Some(app) = self.instances.get(&id).and_then(|it| self.apps.get(&it.app)) else {
            return;
        };
        let delays: Vec<(CheckId, Duration)> = own_checks(id, &app.spec)
            .map(|(check_id, spec)| (check_id, spec.start_period))
            .collect();
        let startup_first = self.checks.contains_key(&CheckId::Startup(id));
        for (check_id, start_period) in delays {
            let waits = startup_first && check_id != CheckId::Startup(id);
            self.begin_one(id, check_id, if waits { None } else { Some(since + start_period) });
        }
    }

    /// The startup probe was good: now the others are asked too.
    pub(super) fn started_up(&mut self, id: InstanceId) {
        let Some(app) = self.instances.get(&id).and_then(|it| self.apps.get(&it.app)) else {
            return;
        };
        let others: Vec<(CheckId, Duration)> = own_checks(id, &app.spec)
            .filter(|(check_id, _)| *check_id != CheckId::Startup(id))
            .map(|(check_id, spec)| (check_id, spec.start_period))
            .collect();
        for (check_id, start_period) in others {
            self.begin_one(id, check_id, Some(self.now + start_period));
        }
        let startup = CheckId::Startup(id);
        if let Some(check) = self.checks.get_mut(&startup) {
            check.next_at = NEVER;
            self.changed.checks.insert(startup);
        }
    }

    /// Begins one check anew, at `first_at` at the earliest; `None`: it rests.
    fn begin_one(&mut self, id: InstanceId, check_id: CheckId, first_at: Option<Moment>) {
        self.leave_look(&check_id);
        let focused = self.is_focused(id);
        let Some(check) = self.checks.get_mut(&check_id) else { return };
        // Spread, so that a hundred instances that start together are not looked at together;
        // at once where somebody waits for the verdict.
        let spread = check.plan.cadence.interval.min(SPREAD);
        let jitter = if focused { Duration::ZERO } else { spread.mul_f64(self.rng.f64()) };
        check.reset(match first_at {
            Some(first_at) => first_at.max(self.now) + FIRST_LOOK_AFTER + jitter,
            None => NEVER,
        });
        self.changed.checks.insert(check_id);
    }

    /// The run is over: its checks rest.
    pub(super) fn end_check(&mut self, id: InstanceId) {
        for check_id in checks_of(id) {
            self.leave_look(&check_id);
            let Some(check) = self.checks.get_mut(&check_id) else { continue };
            check.reset(NEVER);
            self.changed.checks.insert(check_id.clone());
            self.looked_at(&check_id);
        }
    }

    pub(super) fn drop_check(&mut self, id: InstanceId) {
        for check_id in checks_of(id) {
            self.leave_look(&check_id);
            if self.checks.remove(&check_id).is_some() {
                self.changed.checks.insert(check_id.clone());
                self.looked_at(&check_id);
            }
        }
        if !self.heartbeats.is_empty() {
            self.plan_heartbeats();
        }
    }

    /// Looks at everything that can be looked at; returns what is being looked at.
    pub(super) fn check_everything(&mut self) -> BTreeSet<CheckId> {
        // What rests is not looked at: a run that is not up, a probe that waits for another.
        let active = |id: &&CheckId| match id.instance() {
            Some(instance) => match self.instances[&instance].phase {
                Phase::Running { since, .. } => {
                    let rests = self.checks[*id].next_at == NEVER;
                    let is_young = self.now < since + self.start_period(instance, id);
                    let waits = rests && self.waits_for_startup(instance);
                    !is_young && !waits
                }
                _ => false,
            },
            None => self.checks[*id].plan.target.heartbeat().is_none(),
        };
        let mut all: BTreeSet<CheckId> = self.checks.keys().filter(active).cloned().collect();
        for id in &all {
            if self.checks[id].under_way.is_none() {
                self.look(id, true);
            }
        }
        // What was known at once, or may not be looked at, brings no answer to wait for.
        all.retain(|id| self.checks[id].under_way.is_some());
        all
    }

    /// How old a run must be before this check of it is looked at.
    fn start_period(&self, instance: InstanceId, id: &CheckId) -> Duration {
        let app = self.instances.get(&instance).and_then(|it| self.apps.get(&it.app));
        let own = app.and_then(|app| own_checks(instance, &app.spec).find(|(it, _)| it == id));
        own.map_or(Duration::ZERO, |(_, spec)| spec.start_period)
    }

    /// Handles the deadline of a check: a look is due, or one was lost.
    pub(super) fn check_due(&mut self, id: &CheckId) {
        let now = self.now;
        let Some(check) = self.checks.get_mut(id) else { return };
        match check.under_way {
            Some((probe, give_up_at)) if now >= give_up_at => {
                self.probes.remove(&probe);
                self.effects.push(Effect::LeaveLook { probe });
                let took = check.plan.cadence.timeout;
                let detail = words!("no result within {t}", "nenhum resultado em {t}", t = took);
                let outcome = ProbeOutcome { finding: Finding::Unavailable { detail }, took };
                self.conclude(id, &outcome);
            }
            None if now >= check.next_at => self.look(id, false),
            _ => {}
        }
    }

    /// Has it looked at, if its breaker permits that or a person asks for it.
    fn look(&mut self, id: &CheckId, asked: bool) {
        let probe = ProbeId::new(self.next_probe);
        self.next_probe += 1;
        if let Err(denied) = self.may_look(id, probe, asked) {
            return self.not_looked(id, denied);
        }
        let focused = id.instance().is_some_and(|instance| self.is_focused(instance));
        let filled = self.filled_target(id);
        let heard = self.heard_beat(id);
        let Some(check) = self.checks.get_mut(id) else { return };
        check.begin(probe, self.now);
        if focused {
            check.next_at = check.next_at.min(self.now + VERIFY_EVERY);
        }
        let target = filled.unwrap_or_else(|| check.plan.target.clone());
        let timeout = check.plan.cadence.timeout;
        if let Some(finding) = heard {
            self.changed.checks.insert(id.clone());
            return self.conclude(id, &ProbeOutcome { finding, took: Duration::ZERO });
        }
        self.probes.insert(probe, id.clone());
        self.changed.checks.insert(id.clone());
        self.effects.push(Effect::Look { probe, target, timeout });
    }

    /// A breaker forbids a look for now.
    fn not_looked(&mut self, id: &CheckId, denied: Denied) {
        let Some(check) = self.checks.get_mut(id) else { return };
        self.changed.checks.insert(id.clone());
        check.next_at = self.now + check.plan.cadence.interval;
        match denied {
            Denied::Open { wait } => check.next_at = self.now + wait,
            Denied::TrialUnderWay | Denied::Full { .. } => {}
            Denied::ForcedOpen => {
                let detail = words!(
                    "its breaker is kept open by a person",
                    "o disjuntor é mantido aberto por uma pessoa",
                );
                let finding = Finding::Unavailable { detail };
                self.conclude(id, &ProbeOutcome { finding, took: Duration::ZERO });
            }
        }
    }

    /// The target of a look with what only the supervisor knows: which process, which logs.
    fn filled_target(&self, id: &CheckId) -> Option<CheckTarget> {
        let CheckTarget::App(probe) = &self.checks.get(id)?.plan.target else { return None };
        let instance = self.instances.get(&id.instance()?)?;
        match &**probe {
            ProbeTarget::Process => Some(CheckTarget::Process {
                pid: instance.phase.pid()?,
                usage: instance.usage,
                restarts: instance
                    .deaths
                    .iter()
                    .filter(|past| self.now.since(past.at) < RESTARTS_WITHIN)
                    .count() as u32,
            }),
            ProbeTarget::Log { paths, pattern } if paths.is_empty() => {
                let spec = &self.apps.get(&instance.app)?.spec;
                let (out, err) = crate::launch::log_paths(spec, instance.id, &self.home);
                let paths = [out, err].into_iter().flatten().collect();
                let probe = ProbeTarget::Log { paths, pattern: pattern.clone() };
                Some(CheckTarget::App(Arc::new(probe)))
            }
            _ => None,
        }
    }

    /// Nobody wants to know any more what a look under way finds: the run is over, or the check is.
    fn leave_look(&mut self, id: &CheckId) {
        let under_way = self.checks.get_mut(id).and_then(|check| check.under_way.take());
        let Some((probe, _)) = under_way else { return };
        self.probes.remove(&probe);
        self.forget_look(id, probe);
        self.looked_at(id);
        self.effects.push(Effect::LeaveLook { probe });
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
        let probe = check.under_way.map(|(probe, _)| probe);
        let component = self.component(id);
        let usual = |measure: &str| self.usual_of(&component, measure);
        let result = match self.checks.get(id) {
            Some(check) => judge_by(&check.plan, check.verdict, outcome, self.now, usual),
            None => return,
        };
        let Some(check) = self.checks.get_mut(id) else { return };
        check.finding = Some(outcome.finding.clone());
        let message = result.words();
        let good = result.status != Status::Unhealthy && !result.is_blind();
        let change = match id {
            // One failure is none: a run that starts fails until it is there.
            CheckId::Startup(_) => check.take_startup(result),
            _ => check.take(result),
        };
        let flaps = check.verdict.and_then(|verdict| check.flap.take(verdict));
        self.changed.checks.insert(id.clone());
        // Nothing waits for a check with a name.
        self.changed.world |= !matches!(id, CheckId::Named(_));
        self.note_look(id, probe, outcome);
        self.note_pressure(id, &outcome.finding);
        self.learn(id, &outcome.finding);
        self.looked_at(id);
        if let (CheckId::Startup(instance), true) = (id, good) {
            self.started_up(*instance);
        }
        if let CheckId::Startup(instance) | CheckId::Ready(instance) = id {
            self.note_proven(*instance);
        }
        if change.is_none() && flaps.is_none() {
            return;
        }
        let Some(check) = self.checks.get_mut(id) else { return };
        check.note_change();
        let is_flapping = check.flap.flaps();
        if self.set_aside(id).is_some() {
            return;
        }
        // What comes and goes is told once, and what was well from the first look on is no news.
        let is_no_news = is_flapping || matches!(change, None | Some((None, Status::Healthy)));
        if flaps.is_some() || !is_no_news {
            self.say_of_check(id, flaps == Some(false));
        }
        if let (Some(instance), Some(true)) = (id.instance(), flaps) {
            self.say_that_it_flaps(instance);
        }
        let Some((_, after)) = change else { return };
        if let (CheckId::Instance(instance) | CheckId::Startup(instance), Status::Unhealthy) =
            (id, after)
        {
            self.open_unresponsive(*instance, message);
        }
    }

    /// Tells people how a check is, `again`: after it had come and gone.
    fn say_of_check(&mut self, id: &CheckId, again: bool) {
        let Some(told) = self.checks.get(id).and_then(Check::told) else { return };
        let (subject, status, message) = (self.component(id), told.status, told.words());
        let severity = match status {
            Status::Healthy => Severity::Info,
            Status::Degraded | Status::Unhealthy => Severity::Warning,
        };
        let text = if again {
            words!(
                "{subject} is steady again: {status}: {message}",
                "{subject} está estável de novo: {status}: {message}",
                status = status,
                message = message,
            )
        } else {
            words!(
                "{subject} is {status}: {message}",
                "{subject} está {status}: {message}",
                status = status,
                message = message,
            )
        };
        let check = Some((id.clone(), status));
        self.effects.push(Effect::Notify(Notice { severity, subject, text, check }));
    }

    /// Looks at what held instances and incidents wait for more often than usual.
    pub(super) fn hurry_dependencies(&mut self) {
        if self.checks.range(CheckId::of_databases()).next().is_none() {
            return;
        }
        let awaited = self.awaited_databases();
        for (id, check) in self.checks.range_mut(CheckId::of_databases()) {
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
            CheckId::Named(name) => name.clone(),
            CheckId::Instance(instance) => format!("app:{}", self.spoken_name(*instance)),
            CheckId::Startup(instance) => format!("app:{} startup", self.spoken_name(*instance)),
            CheckId::Ready(instance) => format!("app:{} readiness", self.spoken_name(*instance)),
        }
    }
}

/// The checks of an app's own, each with its declaration.
fn own_checks(id: InstanceId, spec: &AppSpec) -> impl Iterator<Item = (CheckId, &HealthSpec)> {
    let all = [
        (CheckId::Startup(id), &spec.probes.startup),
        (CheckId::Ready(id), &spec.probes.readiness),
        (CheckId::Instance(id), &spec.health),
    ];
    all.into_iter().filter_map(|(check_id, spec)| Some((check_id, spec.as_ref()?)))
}

fn checks_of(id: InstanceId) -> [CheckId; 3] {
    [CheckId::Startup(id), CheckId::Ready(id), CheckId::Instance(id)]
}

/// How far back restarts count for a check of processes.
const RESTARTS_WITHIN: Duration = Duration::from_mins(10);

/// The first looks at checks with a name are spread over this time, or over one interval if that is
/// shorter.
const NAMED_SPREAD: Duration = Duration::from_secs(30);

/// The first looks at databases come one after another, so far apart: five hundred within the mission's
/// interval of 30 s.
const DATABASES_APART: Duration = Duration::from_millis(50);

/// A check that rests.
pub(super) const NEVER: Moment = Moment::from_micros(u64::MAX);

/// A process that has just been started does not listen yet; Node needs 50 to 200 ms.
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(500);

/// The first looks at runs that came up together are spread over this time, or over one interval
/// if that is shorter.
const SPREAD: Duration = Duration::from_secs(5);
