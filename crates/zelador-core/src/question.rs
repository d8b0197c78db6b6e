//! What an incident asks a person, and which question an answer is for.
//!
//! Always holds: an incident asks one thing at a time, and no two of its questions were asked at the
//! same moment; so incident and moment name a question for ever.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::healing::Remedy;
use crate::id::IncidentId;
use crate::incident::{Incident, Stage};
use crate::unit::Moment;

/// A question that waits for a yes or a no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Which incident asks.
    pub incident: IncidentId,
    /// When it was asked.
    pub asked_at: Moment,
    /// What would be done after a yes.
    pub remedy: Remedy,
    /// Until when it stands; `None`: as long as the incident.
    pub until: Option<Moment>,
}

impl Incident {
    /// What it asks a person for: a remedy that waits for a yes, or one that is only proposed.
    pub fn asks_for(&self) -> Option<&Remedy> {
        match self.stage {
            Stage::AwaitingApproval { .. } => self.current.as_ref(),
            _ => self.proposal.as_ref().filter(|_| self.is_open()),
        }
    }

    /// The question that stands.
    pub fn question(&self) -> Option<Question> {
        let until = match self.stage {
            Stage::AwaitingApproval { until } => Some(until),
            _ => self.proposed_until,
        };
        let remedy = self.asks_for()?.clone();
        // An incident that asked before questions had a moment asks since its beginning.
        let asked_at = self.asked_at.unwrap_or(self.opened_at);
        Some(Question { incident: self.id, asked_at, remedy, until })
    }

    /// Notes that a question is asked now; one later than any before it.
    pub fn ask(&mut self, now: Moment) {
        let next = self.asked_at.map(|before| before + Duration::from_micros(1));
        self.asked_at = Some(next.map_or(now, |next| next.max(now)));
    }
}
