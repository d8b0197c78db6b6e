//! What people say to incidents: yes, no, and that they want to hear no more.

use super::Supervisor;
use crate::effect::{Done, Refusal};
use crate::healing::Remedy;
use crate::id::IncidentId;
use crate::incident::Stage;
use crate::input::IncidentOrder;
use crate::said::Said;
use crate::unit::Moment;

impl Supervisor {
    /// Whether a person said no to that.
    pub(super) fn is_rejected(&self, id: IncidentId, remedy: &Remedy) -> bool {
        self.incidents.get(&id).is_some_and(|it| it.rejected.contains(remedy))
    }

    /// Does what a person says to an incident.
    pub(super) fn order_incident(
        &mut self,
        id: IncidentId,
        order: IncidentOrder,
        question: Option<Moment>,
        by: Option<String>,
    ) -> Result<Done, Refusal> {
        let refuse = |reason: String, help: &str| {
            Err(Refusal::NotPossible { reason, help: Some(help.to_owned()) })
        };
        let Some(incident) = self.incidents.get_mut(&id) else {
            let help = "`zelador incidents` shows what there is";
            return refuse(format!("there is no incident {id}"), help);
        };
        let done = |note: String| Ok(Done { notes: vec![note], ..Done::default() });
        if order == IncidentOrder::Mute {
            incident.muted = true;
            incident.muted_by = by;
            self.say(id, Said::Muted);
            return done(format!("incident {id} is muted; it is dealt with all the same"));
        }
        let stands = incident.question().map(|it| it.asked_at);
        if question.is_some() && question != stands {
            let reason =
                format!("incident {id} does not ask that any more: it is {}", incident.state());
            return refuse(reason, "`zelador incident show ID` tells what was done");
        }
        let asks = matches!(incident.stage, Stage::AwaitingApproval { .. });
        let Some(remedy) = incident.asks_for().cloned() else {
            let reason = format!("incident {id} asks for nothing: it is {}", incident.state());
            return refuse(reason, "`zelador incident show ID` tells what is being done");
        };
        if !asks {
            incident.proposal = None;
        }
        if order == IncidentOrder::Reject {
            self.say(id, Said::No(remedy.clone()));
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.rejected.push(remedy.clone());
            }
            if asks {
                self.next_rung(id);
            }
            return done(format!("incident {id}: {remedy} is not done"));
        }
        self.say(id, Said::Yes(remedy.clone()));
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.current = Some(remedy.clone());
        }
        if self.consider(id, &remedy, true) {
            return done(format!("incident {id}: {remedy}"));
        }
        if asks {
            self.next_rung(id);
        }
        let reason = format!("incident {id}: the guard refuses: {remedy}");
        refuse(reason, "`zelador incident show ID` tells why")
    }
}
