//! The answer to a command goes out once what it rests on is on the disk.
//!
//! Always holds: what was answered is still so after a loss of power, unless the disk cannot be written or takes
//! longer than [`SYNCED_WITHIN`]; supervision never waits for the disk; an engine with an answer that has not gone out
//! is not replaced by another one.

use std::time::Duration;

use tokio::{task, time};
use zelador_core::effect::{Done, Refusal};
use zelador_core::id::Ticket;

use super::{Driver, Message};
use crate::history;

/// So long whoever asked is kept waiting for the disk: a disk that is in use takes milliseconds, one that hangs is
/// no reason to be silent.
const SYNCED_WITHIN: Duration = Duration::from_secs(2);

impl Driver {
    /// Answers once the history is on the disk.
    pub(crate) fn reply(&mut self, ticket: Ticket, answer: Result<Done, Refusal>) {
        if !self.answers.contains_key(&ticket) {
            return;
        }
        if self.history.is_frozen() || self.history.is_behind() {
            return self.send_reply(ticket, answer);
        }
        let (path, sender) = (self.history_path.clone(), self.sender.clone());
        self.tasks.spawn(async move {
            let synced = task::spawn_blocking(move || history::sync(&path));
            match time::timeout(SYNCED_WITHIN, synced).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => tracing::warn!(%error, "the history cannot be synced"),
                Ok(Err(error)) => tracing::error!(%error, "the history was not synced"),
                Err(_) => tracing::warn!(
                    "the disk takes more than {} s: a command is answered that a loss of power could undo",
                    SYNCED_WITHIN.as_secs()
                ),
            }
            _ = sender.send(Message::Reply(ticket, answer)).await;
        });
    }

    pub(super) fn send_reply(&mut self, ticket: Ticket, answer: Result<Done, Refusal>) {
        if let Some(waiting) = self.answers.remove(&ticket) {
            // Nobody listens any more: the client has gone.
            _ = waiting.send(answer);
        }
    }
}
