//! Limits that are raised, within their ceilings, and set back where that did not help.

use super::Supervisor;
use crate::diagnosis::Cause;
use crate::healing::Remedy;
use crate::healing::guard::Ruling;
use crate::healing::raise::{declared, raise};
use crate::id::{IncidentId, InstanceId};
use crate::incident::TryResult;
use crate::said::Said;

impl Supervisor {
    /// Raises the limit that an incident is about, for the next start; false: there is none to raise.
    pub(super) fn raise_limit(&mut self, id: IncidentId) -> bool {
        let Some(incident) = self.incidents.get_mut(&id) else { return false };
        let Some(app) = self.apps.get_mut(&incident.app) else { return false };
        let cause = incident.diagnosis.as_ref().map(|it| it.cause);
        let Some(raise) = cause.and_then(|cause| raise(cause, &app.spec)) else { return false };
        app.spec.raised.insert(raise.limit, raise.to);
        incident.raised = Some(raise);
        self.changed.apps.insert(incident.app.clone());
        self.say(id, Said::Raised(raise));
        true
    }

    /// Whether a limit of an instance's app can be raised against a cause.
    pub(super) fn can_raise(&self, id: InstanceId, cause: Cause) -> bool {
        let app = self.instances.get(&id).and_then(|it| self.apps.get(&it.app));
        app.is_some_and(|app| raise(cause, &app.spec).is_some())
    }

    /// Sets back, for the next start, what was raised last.
    pub(super) fn lower_limit(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let Some(app) = self.apps.get_mut(&incident.app) else { return };
        let Some(raise) = incident.raised.take() else { return };
        match raise.from.filter(|from| declared(raise.limit, &app.spec) != Some(*from)) {
            Some(from) => _ = app.spec.raised.insert(raise.limit, from),
            None => _ = app.spec.raised.remove(&raise.limit),
        }
        self.changed.apps.insert(incident.app.clone());
        self.say(id, Said::Lowered(raise.limit));
    }

    /// It died of a limit, again: the next start would end in the same way, so the limit is raised before, where the
    /// declaration and the guard let it.
    pub(super) fn raise_before_start(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&incident.app) else { return };
        let cause = incident.diagnosis.as_ref().map(|it| it.cause);
        if cause.and_then(|cause| raise(cause, &app.spec)).is_none() {
            return;
        }
        let remedy = Remedy::RaiseLimitAndRestart;
        // It was raised before, and that was not enough.
        let open = incident.tries.last_mut().filter(|it| it.result.is_none());
        if let Some(last) = open {
            last.result = Some(TryResult::NoEffect);
            self.history.end(id, false, self.now);
            self.changed.history = true;
        }
        match self.ruling(id, &remedy, false) {
            Some(Ruling::Go) => {
                self.note_try(id, &remedy, false);
                self.raise_limit(id);
            }
            Some(Ruling::Ask { .. }) if self.is_rejected(id, &remedy) => {}
            Some(Ruling::Ask { why }) => {
                if let Some(incident) = self.incidents.get_mut(&id) {
                    incident.proposal = Some(remedy.clone());
                }
                self.say(id, Said::Proposes { remedy, why: why.into(), incident: id });
            }
            Some(Ruling::WouldHave) => {
                self.say(id, Said::WouldHaveTried(remedy));
            }
            Some(Ruling::Wait { why, .. } | Ruling::Refuse { why }) => {
                self.say(id, Said::Refused { remedy, why: why.into() });
            }
            None => {}
        }
    }
}
