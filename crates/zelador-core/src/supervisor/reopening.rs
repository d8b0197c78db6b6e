//! Incidents that seemed to be over, and come back.
//!
//! Always holds: what comes back soon with the same complaint is the same incident, and is treated anew;
//! what a person ended, or another incident stood for, is not opened again.

use std::time::Duration;

use super::Supervisor;
use crate::effect::Severity;
use crate::healing::fingerprint::without_numbers;
use crate::id::{IncidentId, InstanceId};
use crate::incident::{Incident, Outcome, Stage, Trouble};
use crate::said::Why;
use crate::unit::Moment;
use crate::words::Words;

/// An app that is sick in the same way within this time after it seemed healed was not: whoever is told
/// "healed" and sees it fail over the same coffee believes no further one.
const COMES_BACK_WITHIN: Duration = Duration::from_mins(10);

/// So often it may come back until a person is told that a restart only hides it.
pub(super) const HIDES_AFTER: u32 = 3;

/// Whether an incident ended lately, and nobody but zelador said that it was over.
pub(super) fn seemed_over(incident: &Incident, now: Moment) -> bool {
    let recent = incident.closed_at.is_some_and(|at| now.since(at) < COMES_BACK_WITHIN);
    let well =
        matches!(incident.stage, Stage::Closed { outcome: Outcome::Healed | Outcome::Recovered });
    recent && well
}

impl Supervisor {
    /// Opens the incident of an instance again whose check complained of the same before; `None`: there is
    /// none.
    pub(super) fn reopen_silence(
        &mut self,
        id: InstanceId,
        why: &Why,
        message: &Words,
    ) -> Option<IncidentId> {
        let app = self.instances.get(&id)?.app.clone();
        if self.is_left_alone(id) || self.open_incident_of(id, Trouble::Unresponsive).is_some() {
            return None;
        }
        let (now, message) = (self.now, without_numbers(message.english()));
        let came_back = |it: &&Incident| {
            let probe = it.evidence.as_ref().and_then(|it| it.probe.as_ref());
            let same = probe.is_some_and(|it| without_numbers(&it.message) == message);
            let is_its = it.app == app && it.instance == id;
            is_its && it.trouble == Trouble::Unresponsive && seemed_over(it, now) && same
        };
        let back = self.incidents.values().rev().find(came_back)?.id;
        let incident = self.incidents.get_mut(&back)?;
        // What was believed to have helped did not, for long.
        let healed = incident.stage == Stage::Closed { outcome: Outcome::Healed };
        let helped = incident.tries.last().filter(|_| healed);
        let unlearned = incident.fingerprint.clone().zip(helped.map(|it| it.remedy.clone()));
        incident.reopen(now, why.clone());
        incident.current = None;
        incident.proposal = None;
        incident.part_of = None;
        let often = incident.reopened;
        self.changed.incidents.insert(back);
        if let Some((print, remedy)) = unlearned {
            self.history.learn(print, remedy, false, now);
            self.changed.history = true;
        }
        self.say_of(back, Severity::Warning, &why.words());
        if often == HIDES_AFTER {
            self.say_hidden(back, often, false);
        }
        Some(back)
    }
}
