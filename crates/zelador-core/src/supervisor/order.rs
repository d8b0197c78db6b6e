//! Who wants to be called when: an index over the deadlines that live in the states.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{AppName, CheckId, IncidentId, InstanceId, RunId, Ticket};
use crate::unit::Moment;

/// Whose deadline it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// An instance's: a start, a kill, a retry, a trial.
    Instance(InstanceId),
    /// A run's whose place was taken: the signal, the kill.
    Retiring(RunId),
    /// A check's: the next look, or a look that was lost.
    Check(CheckId),
    /// A command's: an answer that does not come.
    Command(Ticket),
    /// An app's restart by the clock.
    Cron(AppName),
    /// An app's whose files changed: the restart.
    Watch(AppName),
    /// An incident's: a pause, a verification.
    Incident(IncidentId),
    /// The desk's: a message, a reminder.
    Desk,
    /// The ping's that is due, or that nobody answered.
    Pulse,
    /// What looks came to is to be kept.
    Ledger,
    /// A maintenance begins or ends.
    Maintenance,
}

/// All deadlines, the next one first.
#[derive(Default)]
pub(super) struct Deadlines {
    by_owner: BTreeMap<Deadline, Moment>,
    by_time: BTreeSet<(Moment, Deadline)>,
}

impl Deadlines {
    /// Sets or removes the deadline of its owner.
    pub(super) fn set(&mut self, owner: Deadline, at: Option<Moment>) {
        let before = match at {
            Some(at) => self.by_owner.insert(owner.clone(), at),
            None => self.by_owner.remove(&owner),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, owner.clone()));
        }
        if let Some(at) = at {
            self.by_time.insert((at, owner));
        }
    }

    /// The next deadline.
    pub(super) fn first(&self) -> Option<(Moment, Deadline)> {
        self.by_time.first().cloned()
    }

    /// The owners whose deadline has passed.
    pub(super) fn due(&self, now: Moment) -> Vec<Deadline> {
        let passed = self.by_time.iter().take_while(|(at, _)| *at <= now);
        passed.map(|(_, owner)| owner.clone()).collect()
    }
}
