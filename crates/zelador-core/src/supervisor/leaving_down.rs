//! Apps that no start can help are left down, and a person is told; in mode `ask` a person says so first.
//!
//! Always holds: what would damage data is left down at once, whatever the mode; a question has an end,
//! and until then, and after a no, the app is started again, later each time.

use std::collections::BTreeSet;

use super::Supervisor;
use crate::diagnosis::Cause;
use crate::effect::Severity;
use crate::healing::{Objection, Remedy};
use crate::id::{IncidentId, InstanceId};
use crate::incident::Stage;
use crate::instance::{Phase, Then};
use crate::said::{Said, Why};
use crate::spec::HealMode;
use crate::words;

impl Supervisor {
    /// Whether an app may be left down now; in mode `ask` a person is asked, once in an incident.
    pub(super) fn may_leave_down(&mut self, id: IncidentId, instance: InstanceId) -> bool {
        let remedy = Remedy::StopAndNotify;
        let Some(incident) = self.incidents.get(&id) else { return false };
        if self.heal_mode(instance) != HealMode::Ask || incident.current.as_ref() == Some(&remedy) {
            return true;
        }
        let asks = incident.proposal.as_ref() == Some(&remedy);
        if asks || incident.rejected.contains(&remedy) {
            return false;
        }
        let within = self.apps.get(&incident.app).map(|app| app.spec.heal.approve_within);
        let within = within.unwrap_or_default();
        let until = self.now + within;
        let why = Why::Objection(Objection::Asks);
        let said = Said::Asks { remedy: remedy.clone(), why, incident: id, within };
        let text = said.words();
        self.say(id, said);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.proposal = Some(remedy);
            incident.proposed_until = Some(until);
            incident.ask(self.now);
        }
        self.say_of(id, Severity::Warning, &text);
        false
    }

    /// Ends a question whose time is over.
    pub(super) fn question_due(&mut self, id: IncidentId) {
        let now = self.now;
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        if incident.proposed_until.is_none_or(|until| now < until) {
            return;
        }
        incident.proposed_until = None;
        let Some(remedy) = incident.proposal.take_if(|it| *it == Remedy::StopAndNotify) else {
            return;
        };
        incident.rejected.push(remedy);
        let text = words!(
            "nobody said in time whether it is to be left down: it is started again each time it ends, \
             later each time",
            "ninguém disse a tempo se deve ficar parado: é iniciado de novo a cada fim, cada vez mais tarde",
        );
        self.tell(id, text.clone());
        self.say_of(id, Severity::Critical, &text);
    }

    /// A person says that it is to be left down: at once where it waits for its next start, else at its
    /// next end.
    pub(super) fn leave_down(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.current = Some(Remedy::StopAndNotify);
        incident.proposed_until = None;
        let (instance, held) = (incident.instance, std::mem::take(&mut incident.held));
        let cause = incident.diagnosis.as_ref().map_or(Cause::Unknown, |it| it.cause);
        let phase = self.instances.get(&instance).map(|it| &it.phase);
        if matches!(phase, Some(Phase::Backoff { .. } | Phase::Tripped { .. })) {
            self.quarantine(id, instance, held, cause);
        } else {
            self.set_stage(id, Stage::AwaitingStart);
        }
    }

    /// Leaves an app down, and tells a person. Where nothing is lost by it, the breaker makes a trial
    /// start after a while: the cause may have been mended.
    pub(super) fn quarantine(
        &mut self,
        id: IncidentId,
        instance: InstanceId,
        mut down: BTreeSet<InstanceId>,
        cause: Cause,
    ) {
        down.insert(instance);
        let (now, harms) = (self.now, cause == Cause::DataCorruption);
        let mut trial = None;
        for id in down {
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            let Some(app) = self.apps.get(&instance.app) else { continue };
            let is_up = matches!(instance.phase, Phase::Running { .. } | Phase::Starting { .. });
            match instance.phase {
                Phase::Tripped { trial_at } if !harms => {
                    trial = trial_at;
                    continue;
                }
                Phase::Tripped { .. } | Phase::Backoff { .. } => {}
                _ if is_up && harms => {}
                _ => continue,
            }
            let open = instance.breaker.quarantine(&app.spec.restart).filter(|_| !harms);
            trial = open.map(|open| now + open);
            if is_up {
                self.terminate(id, Then::Trip { trial_at: trial });
            } else {
                instance.phase = Phase::Tripped { trial_at: trial };
                self.touch(id);
            }
        }
        let trial_in = trial.map(|at| at.since(now));
        self.escalate(id, Why::NoUseToStart { cause, trial_in });
    }
}
