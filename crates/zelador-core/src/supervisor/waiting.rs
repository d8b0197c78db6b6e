//! Incidents that wait for what their app needs, and what follows when that is back.
//!
//! Always holds: nothing is done to an app while what it needs is down, where its policy is to wait.

use std::time::Duration;

use super::Supervisor;
use super::dependencies::Dependency;
use crate::healing::{Remedy, VERIFY_EVERY};
use crate::id::{CheckId, IncidentId, InstanceId};
use crate::incident::{Stage, Trouble};
use crate::instance::Phase;
use crate::said::Said;
use crate::spec::OnDependencyDown;
use crate::unit::Moment;

impl Supervisor {
    pub(super) fn wait_for(&mut self, id: IncidentId, dependency: String) {
        self.say(id, Said::WaitingFor(dependency.clone()));
        let first = self.stands_for(&dependency, |it| it.id != id);
        let trouble = self.incidents[&id].trouble;
        if let Some(first) = first.filter(|_| trouble == Trouble::Unresponsive) {
            return self.join(id, first, &dependency);
        }
        if let Some(first) = first {
            self.say(id, Said::PartOf { incident: first, dependency: dependency.clone() });
            let app = self.incidents[&id].app.to_string();
            self.say(first, Said::AlsoSuffers { app, incident: id });
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.part_of = Some(first);
            }
        } else if trouble == Trouble::Unresponsive {
            self.blame(id, &dependency);
        }
        self.set_stage(id, Stage::WaitingForDependency { dependency });
    }

    pub(super) fn drive_waiting(&mut self, id: IncidentId, dependency: &str) {
        let app = self.incidents[&id].app.clone();
        // Freshness is no question here: what is awaited is looked at all the time.
        if let Dependency::Down { name, .. } = self.dependency_state(&app, Moment::default()) {
            if name == dependency {
                self.join_its_cause(id, &name);
            } else {
                self.wait_for(id, name);
            }
            return;
        }
        let instance = self.incidents[&id].instance;
        // Its own look is due at once: it may be well already.
        self.look_at_instance(instance);
        self.say(id, Said::IsBack(dependency.to_owned()));
        self.set_stage(id, Stage::Rechecking { until: self.now + self.recheck_span(instance) });
    }

    /// The check that tells how an instance is: nothing else is asked before it has started up.
    fn own_check(&self, id: InstanceId) -> CheckId {
        if self.waits_for_startup(id) { CheckId::Startup(id) } else { CheckId::Instance(id) }
    }

    /// Has an instance looked at now; the check of what has no process rests.
    fn look_at_instance(&mut self, id: InstanceId) {
        let is_up = matches!(self.instances[&id].phase, Phase::Running { .. });
        let (now, check_id) = (self.now, self.own_check(id));
        if let Some(check) = self.checks.get_mut(&check_id).filter(|_| is_up) {
            check.next_at = check.next_at.min(now);
            self.changed.checks.insert(check_id);
        }
    }

    /// How long an instance has to recover by itself once what it needs is back.
    fn recheck_span(&self, id: InstanceId) -> Duration {
        let cadence = self.checks.get(&self.own_check(id)).map(|check| check.plan.cadence);
        let looks = cadence.map_or(Duration::ZERO, |it| {
            (it.timeout + VERIFY_EVERY) * it.failure_threshold.max(it.success_threshold)
        });
        looks + VERIFY_EVERY
    }

    /// Whether a sick instance may recover by itself yet: what it needs has only just come back.
    pub(super) fn may_recover(&self, id: InstanceId) -> bool {
        let Some(instance) = self.instances.get(&id) else { return false };
        let waits = self.policy(&instance.app) == OnDependencyDown::Wait;
        let back_at = self.back_at(&instance.app).filter(|_| waits);
        back_at.is_some_and(|at| self.now < at + self.recheck_span(id))
    }

    /// An instance that is sick may recover: it is looked at, and has no incident of its own meanwhile.
    pub(super) fn recovers(&mut self, id: InstanceId) -> bool {
        if !self.may_recover(id) {
            return false;
        }
        let back_at = self.instances.get(&id).and_then(|it| self.back_at(&it.app));
        let last = self.checks.get(&self.own_check(id)).and_then(|it| it.last.as_ref());
        if last.map(|last| last.at) < back_at {
            self.look_at_instance(id);
        }
        true
    }

    pub(super) fn drive_rechecking(&mut self, id: IncidentId, until: Moment) {
        let incident = &self.incidents[&id];
        if let Dependency::Down { name, .. } =
            self.dependency_state(&incident.app, Moment::default())
        {
            return self.wait_for(id, name);
        }
        if self.now < until {
            return;
        }
        let waited = incident.current == Some(Remedy::WaitForDependency);
        let complaint = self.complaint(incident.instance);
        self.blame_nobody(id);
        if waited {
            self.say(id, Said::WaitingWasNoHelp(complaint));
            self.next_rung(id);
        } else {
            self.say(id, Said::StaysSick(complaint));
            self.begin_treatment(id, true);
        }
    }
}
