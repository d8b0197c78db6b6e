//! Whether what helped goes on helping: an app that is well again after a remedy must stay so for a while.
//!
//! Always holds: nothing that hung is called healed before its run has been up and well for
//! [`HOLDS_FOR`]; what uses its memory up again in that time is not healed.

use std::time::Duration;

use super::Supervisor;
use crate::check::Status;
use crate::diagnosis::Cause;
use crate::healing::{APPLY_WITHIN, HOLDS_FOR, VERIFY_EVERY, climbs};
use crate::id::{CheckId, IncidentId, InstanceId, RunId};
use crate::incident::{Holds, Outcome, Stage, Trouble};
use crate::instance::Phase;
use crate::said::{Said, Why};
use crate::unit::Moment;
use crate::words;

impl Supervisor {
    /// A remedy was applied, which must help until then; `good`: its own check says that it did.
    pub(super) fn drive_verifying(&mut self, id: IncidentId, until: Moment, good: bool) {
        let incident = &self.incidents[&id];
        let (instance, holds) = (incident.instance, incident.holds);
        match holds {
            Some(_) if !self.is_well(instance) => {
                self.say(id, Said::DidNotHold);
                self.set_holds(id, None);
                self.drive_verifying(id, until, false);
            }
            Some(holds) if self.now < holds.until => {}
            Some(holds) if !good => {
                // One odd look is no verdict: the next one decides.
                self.set_holds(id, Some(Holds { until: self.now + VERIFY_EVERY, ..holds }));
            }
            Some(holds) => match self.memory_climbs(id, &holds) {
                Some(why) => self.failed(id, why),
                None => self.close(id, Outcome::Healed, Why::CheckIsGood),
            },
            None if good => {
                let span = self.hold_span(instance);
                let memory = self.instances[&instance].usage.map(|usage| usage.memory);
                self.say(id, Said::MustHold(span));
                self.set_holds(id, Some(Holds { until: self.now + span, memory }));
            }
            None if self.now >= until => {
                let why = self.complaint(instance);
                self.failed(id, why);
            }
            None => {}
        }
    }

    /// The run that must stay well was replaced, or ended with zelador or the host: its successor has to, and has all
    /// of the time.
    pub(super) fn verify_anew(&mut self, instance: InstanceId, before: RunId) {
        let Some(id) = self.open_incident_of(instance, Trouble::Unresponsive) else { return };
        let incident = &self.incidents[&id];
        if incident.instance != instance || !matches!(incident.stage, Stage::Verifying { .. }) {
            return;
        }
        self.set_holds(id, None);
        let give_up_at = self.now + APPLY_WITHIN;
        self.set_stage(id, Stage::Applying { run: Some(before), give_up_at });
    }

    fn set_holds(&mut self, id: IncidentId, holds: Option<Holds>) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.holds = holds;
            self.changed.incidents.insert(id);
        }
    }

    /// Whether it is up, and its check has not been believed to be bad since.
    fn is_well(&self, id: InstanceId) -> bool {
        let is_up = matches!(self.instances[&id].phase, Phase::Running { .. });
        let own = [CheckId::Instance(id), CheckId::Startup(id)];
        let bad = |id: &CheckId| {
            self.checks.get(id).is_some_and(|it| it.verdict == Some(Status::Unhealthy))
        };
        is_up && !own.iter().any(bad)
    }

    /// How long an app must stay well: a run that its declaration calls short is no proof.
    fn hold_span(&self, id: InstanceId) -> Duration {
        let app = self.instances.get(&id).and_then(|it| self.apps.get(&it.app));
        app.map_or(HOLDS_FOR, |app| app.spec.restart.min_uptime.max(HOLDS_FOR))
    }

    /// Where memory was what ailed it: whether it fills it again.
    fn memory_climbs(&self, id: IncidentId, holds: &Holds) -> Option<Why> {
        let incident = &self.incidents[&id];
        let memory = [Cause::MemoryLeak, Cause::OutOfMemoryHeap, Cause::OomKilled];
        incident.diagnosis.as_ref().filter(|it| memory.contains(&it.cause))?;
        let before = incident.evidence.as_ref()?.usage?.memory;
        let now = self.instances.get(&incident.instance)?.usage?.memory;
        let first = holds.memory.filter(|first| climbs(before, *first, now))?;
        let why = words!(
            "its memory climbs again: from {first} to {now} within {span}",
            "a memória dele sobe de novo: de {first} para {now} em {span}",
            first = first,
            now = now,
            span = self.hold_span(incident.instance),
        );
        Some(why.into())
    }
}
