//! What the supervisor is told.

mod command;
mod fact;

use crate::id::Ticket;

pub use command::{Command, Declaration, IncidentOrder, Replicas, Surplus, Unchanged};
pub use fact::{CallFailed, CallWanted, Fact, KnownRun, ModuleSettings, ReadyBy};

/// One thing that the supervisor is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Somebody wants something, and waits for the answer.
    Command(Ticket, Command),
    /// Something happened.
    Fact(Fact),
    /// A deadline has passed.
    Tick,
}
