//! What the evidence of a death says about the next start: none, later, or as the policy has it.

use std::time::Duration;

use super::Supervisor;
use crate::diagnosis::{Cause, Diagnosis};
use crate::evidence::{Evidence, PortHolder};
use crate::healing::case::{by_rules, forbids_restart, harms_to_restart, wants_backoff};
use crate::healing::{Remedy, STABLE_FOR};
use crate::id::{IncidentId, InstanceId};
use crate::incident::Stage;
use crate::instance::Phase;
use crate::said::Said;
use crate::spec::HealMode;
use crate::unit::SECOND;
use crate::words::Words;

/// From this death in a row of the same kind on, what dies for no known reason is started later each
/// time, and is not well while it is up.
pub(super) const OFTEN: u32 = 3;

/// The first delay of what needs time: 1, 2, 4 … 32 s (the mission's general retry).
const FIRST_DELAY: Duration = SECOND;

/// How often it is doubled.
const DOUBLED: u32 = 5;

impl Supervisor {
    /// The evidence is there: what does it say about the next start?
    pub(super) fn decide_crash(&mut self, id: IncidentId) {
        self.blame_nobody(id);
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let rules = &self.settings.rules;
        let diagnosis = incident.evidence.as_ref().map(|it| by_rules(it, rules));
        let (instance, deaths) = (incident.instance, incident.deaths);
        let held = std::mem::take(&mut incident.held);
        self.set_stage(id, Stage::AwaitingStart);
        let Some(diagnosis) = diagnosis else {
            return held.into_iter().for_each(|it| self.let_start(it, self.now));
        };
        let (forbids, harms) = (forbids_restart(&diagnosis), harms_to_restart(&diagnosis));
        let cause = diagnosis.cause;
        let lived = self.incidents[&id].evidence.as_ref().and_then(|it| it.uptime_millis);
        let lived = lived.map(Duration::from_millis);
        let mut pause = pause(&diagnosis, deaths, lived, self.least_uptime(instance));
        self.diagnosed(id, diagnosis);
        self.suspect_dependencies(id);
        if let Some(why) = self.reason_to_consult(id) {
            self.consult(id, why);
        }
        let holder = self.incidents[&id].evidence.as_ref().and_then(|it| foreign_holder(it, cause));
        if let Some(holder) = holder.filter(|_| !self.is_rejected(id, &Remedy::KillPortHolder))
            && let Some(incident) = self.incidents.get_mut(&id)
            && incident.proposal.replace(Remedy::KillPortHolder).is_none()
        {
            incident.ask(self.now);
            self.say(id, Said::Holder { holder, incident: id });
        }
        if !harms && self.prepare_start(id) {
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.held.extend(held);
            }
            return;
        }
        let only_looks = self.heal_mode(instance) == HealMode::Observe;
        let phase = self.instances.get(&instance).map(|it| &it.phase);
        let is_given_up = matches!(phase, Some(Phase::Tripped { .. }));
        if harms || (forbids && (deaths > 1 || is_given_up)) {
            if only_looks {
                self.say(id, Said::WouldHaveLeftDown);
            } else if harms || is_given_up || self.may_leave_down(id, instance) {
                return self.quarantine(id, instance, held, cause);
            } else {
                pause = pause.or(Some(delay(deaths)));
            }
        } else if forbids {
            self.say(id, Said::StartCannotHelp);
        }
        if deaths > 1 {
            self.raise_before_start(id);
        }
        let at = self.now + pause.unwrap_or_default();
        held.into_iter().for_each(|it| self.let_start(it, at));
    }

    /// A run that is shorter is counted by its breaker.
    pub(super) fn least_uptime(&self, id: InstanceId) -> Duration {
        let app = self.instances.get(&id).and_then(|it| self.apps.get(&it.app));
        app.map(|app| app.spec.restart.min_uptime).unwrap_or_default()
    }
}

/// The process that has the port, where it is none of zelador's: said in words.
fn foreign_holder(evidence: &Evidence, cause: Cause) -> Option<Words> {
    let mut holders = evidence.port_holders.iter().filter(|_| cause == Cause::PortInUse);
    let foreign = |it: &&PortHolder| it.pid.is_some() && it.app.is_none() && it.home.is_none();
    holders.find(foreign).map(|holder| holder.spoken(evidence.gathered_at))
}

/// How long the start after a death waits, for the sake of its cause: `deaths` in a row of the same kind,
/// the last of them of a run that lived so long; one shorter than `least` is the breaker's business.
pub(super) fn pause(
    diagnosis: &Diagnosis,
    deaths: u32,
    lived: Option<Duration>,
    least: Duration,
) -> Option<Duration> {
    if wants_backoff(diagnosis) {
        return (deaths > 1).then(|| delay(deaths));
    }
    // One that has stayed has done its work until then: a pause would only cost more of it.
    let counts = lived.is_some_and(|lived| (least..STABLE_FOR).contains(&lived));
    let is_often = diagnosis.cause == Cause::Unknown && deaths >= OFTEN && counts;
    is_often.then(|| delay(deaths - (OFTEN - 2)))
}

/// How long the start after so many deaths in a row waits.
fn delay(deaths: u32) -> Duration {
    FIRST_DELAY * (1 << deaths.saturating_sub(2).min(DOUBLED))
}
