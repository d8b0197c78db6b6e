//! Limits that are raised, within their ceilings, and set back where that did not help.

use super::Supervisor;
use crate::diagnosis::Cause;
use crate::healing::raise::{declared, raise};
use crate::id::{IncidentId, InstanceId};
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
}
