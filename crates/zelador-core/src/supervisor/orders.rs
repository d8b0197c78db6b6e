//! What people say to incidents: yes, no, and that they want to hear no more.

use super::Supervisor;
use crate::effect::{Done, Refusal};
use crate::healing::Remedy;
use crate::id::IncidentId;
use crate::incident::Stage;
use crate::input::IncidentOrder;
use crate::said::Said;
use crate::unit::Moment;
use crate::words;

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
        let refuse = |reason, help| Err(Refusal::NotPossible { reason, help: Some(help) });
        let Some(incident) = self.incidents.get_mut(&id) else {
            let help = words!(
                "`zelador incidents` shows what there is",
                "`zelador incidents` mostra o que há"
            );
            return refuse(words!("there is no incident {id}", "não há o incidente {id}"), help);
        };
        let done = |note: String| Ok(Done { notes: vec![note], ..Done::default() });
        if order == IncidentOrder::Mute {
            incident.muted = true;
            incident.muted_by = by;
            self.say(id, Said::Muted);
            return done(format!("incident {id} is muted; it is dealt with all the same"));
        }
        if order == IncidentOrder::Close {
            return self.close_reported(id, by);
        }
        let stands = incident.question().map(|it| it.asked_at);
        if question.is_some() && question != stands {
            let reason = words!(
                "incident {id} does not ask that any more: it is {state}",
                "o incidente {id} já não pergunta isso: {state}",
                state = incident.state_words(),
            );
            let help = words!(
                "`zelador incident show ID` tells what was done",
                "`zelador incident show ID` conta o que foi feito",
            );
            return refuse(reason, help);
        }
        let asks = matches!(incident.stage, Stage::AwaitingApproval { .. });
        let Some(remedy) = incident.asks_for().cloned() else {
            let reason = words!(
                "incident {id} asks for nothing: it is {state}",
                "o incidente {id} não pergunta nada: {state}",
                state = incident.state_words(),
            );
            let help = words!(
                "`zelador incident show ID` tells what is being done",
                "`zelador incident show ID` conta o que está sendo feito",
            );
            return refuse(reason, help);
        };
        if !asks {
            incident.proposal = None;
            incident.proposed_until = None;
        }
        if order == IncidentOrder::Reject {
            self.say(id, Said::No(remedy.clone()));
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.rejected.push(remedy.clone());
            }
            if asks {
                self.next_rung(id);
            }
            return done(format!("incident {id}: not done: {remedy}"));
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
        let reason = words!(
            "incident {id}: the guard refuses: {remedy}",
            "incidente {id}: a guarda recusa: {remedy}",
            remedy = remedy,
        );
        let why = words!(
            "`zelador incident show ID` tells why",
            "`zelador incident show ID` diz por quê"
        );
        refuse(reason, why)
    }
}
