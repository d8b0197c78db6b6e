//! Which checks there are, and when they begin, rest and end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::check::{Check, CheckPlan, CheckTarget, plans};
use crate::effect::Effect;
use crate::id::{CheckId, InstanceId};
use crate::instance::Phase;
use crate::spec::{AppSpec, HealthSpec, Settings};
use crate::unit::Moment;

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
        self.breakers_by_settings();
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
                self.forget_wish(&id);
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
        self.recall_wish(&id);
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
            checks_of(id).iter().for_each(|check_id| self.recall_wish(check_id));
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
            self.forget_wish(&check_id);
            self.changed.checks.insert(check_id.clone());
            self.looked_at(&check_id);
        }
    }

    pub(super) fn drop_check(&mut self, id: InstanceId) {
        for check_id in checks_of(id) {
            self.leave_look(&check_id);
            if self.checks.remove(&check_id).is_some() {
                self.forget_wish(&check_id);
                self.changed.checks.insert(check_id.clone());
                self.looked_at(&check_id);
            }
        }
        if !self.heartbeats.is_empty() {
            self.plan_heartbeats();
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
}

/// The checks of an app's own, each with its declaration.
pub(super) fn own_checks(
    id: InstanceId,
    spec: &AppSpec,
) -> impl Iterator<Item = (CheckId, &HealthSpec)> {
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
