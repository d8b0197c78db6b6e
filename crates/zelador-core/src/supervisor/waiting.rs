//! Incidents that wait for what their app needs, and what follows when that is back.
//!
//! Always holds: nothing is done to an app while what it needs is down, where its policy is to wait.

use std::time::Duration;

use super::Supervisor;
use super::dependencies::Dependency;
use crate::healing::{Remedy, VERIFY_EVERY};
use crate::id::{CheckId, IncidentId};
use crate::incident::{Stage, Trouble};
use crate::instance::Phase;
use crate::said::Said;
use crate::unit::Moment;

impl Supervisor {
    pub(super) fn wait_for(&mut self, id: IncidentId, dependency: String) {
        self.say(id, Said::WaitingFor(dependency.clone()));
        let first = self.standing_for(&dependency).find(|it| it.id != id).map(|it| it.id);
        let trouble = self.incidents[&id].trouble;
        if let Some(first) = first.filter(|_| trouble == Trouble::Unresponsive) {
            let app = self.incidents[&id].app.clone();
            self.suffers_too(first, app);
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
        if let Dependency::Down { .. } = self.dependency_state(&app, Moment::default()) {
            return;
        }
        let instance = self.incidents[&id].instance;
        // Nothing else is asked before it has started up.
        let check_id = if self.waits_for_startup(instance) {
            CheckId::Startup(instance)
        } else {
            CheckId::Instance(instance)
        };
        let (now, mut patience) = (self.now, Duration::ZERO);
        let is_up = matches!(self.instances[&instance].phase, Phase::Running { .. });
        if let Some(check) = self.checks.get_mut(&check_id) {
            let cadence = check.plan.cadence;
            patience = (cadence.timeout + VERIFY_EVERY)
                * cadence.failure_threshold.max(cadence.success_threshold);
            // Its own look is due at once: it may be well already. The check of what has no process
            // rests.
            if is_up {
                check.next_at = check.next_at.min(now);
            }
            self.changed.checks.insert(check_id);
        }
        self.say(id, Said::IsBack(dependency.to_owned()));
        self.set_stage(id, Stage::Rechecking { until: now + patience + VERIFY_EVERY });
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
