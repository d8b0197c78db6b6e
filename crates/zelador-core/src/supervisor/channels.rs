//! A channel of notices that takes nothing is an incident of its own. Nothing is done about it but what
//! the desk does anyhow: the others are told, and it is tried again.
//!
//! Always holds: there is one open incident of a channel at most, and none of a channel that took a
//! message last or is not configured.

use super::Supervisor;
use crate::id::{AppName, IncidentId, InstanceId};
use crate::incident::{Incident, Outcome, Stage, Trouble};
use crate::notify::{DeliveryOutcome, undeliverable};
use crate::said::Why;
use crate::words;
use crate::words::Words;

impl Supervisor {
    /// A delivery to a channel came to its end, and the desk knows.
    pub(super) fn note_channel(&mut self, channel: &str, outcome: &DeliveryOutcome) {
        let open = self.incidents.values().filter(|it| it.is_open());
        let open = open.filter(|it| it.channel() == Some(channel)).map(|it| it.id).next();
        match (outcome, open) {
            (DeliveryOutcome::Delivered { .. }, Some(id)) => {
                let why = words!("notices are delivered again", "os avisos são entregues de novo");
                self.close(id, Outcome::Recovered, why);
            }
            (DeliveryOutcome::Failed { reason, .. }, None) if self.desk.fails(channel) => {
                self.open_of_channel(channel, reason);
            }
            (DeliveryOutcome::Refused { reason }, None) => self.open_of_channel(channel, reason),
            _ => {}
        }
    }

    fn open_of_channel(&mut self, channel: &str, reason: &Words) {
        const NOBODY: InstanceId = Incident::HOST;
        let name = AppName::new(format!("{}{channel}", Incident::CHANNEL));
        let opened = name
            .and_then(|name| self.open_of(name, NOBODY, Trouble::Channel, undeliverable(reason)));
        if let Some(id) = opened {
            self.set_stage(id, Stage::Observing);
        }
    }

    /// An incident of a channel that is not configured any more is over.
    pub(super) fn drive_channel(&mut self, id: IncidentId) {
        let channel = self.incidents.get(&id).and_then(Incident::channel);
        if channel.is_some_and(|name| !self.settings.notify.channels.contains_key(name)) {
            self.close(id, Outcome::TakenOver, Why::Removed);
        }
    }
}
