//! The answer to a command goes out once what it rests on is on the disk.
//!
//! Always holds: what was answered is still so for the next engine and after a loss of power, unless the disk cannot be
//! written or takes longer than [`SYNCED_WITHIN`], or somebody else writes to the history for longer than
//! [`WRITTEN_WITHIN`], which is said; supervision never waits for the disk; an engine with an answer that has not gone
//! out is not replaced by another one.

use std::time::Duration;

use tokio::time::{self, Instant};
use zelador_core::effect::{Done, Refusal};
use zelador_core::id::Ticket;

use super::{Driver, Message};

/// So long whoever asked is kept waiting for the disk: a disk that is in use takes milliseconds, one that hangs is
/// no reason to be silent.
const SYNCED_WITHIN: Duration = Duration::from_secs(2);

/// So long whoever asked is kept waiting for somebody else who writes to the history. Zelador's own writes there take
/// milliseconds.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// An answer that rests on records which wait.
pub(super) struct Held {
    until: Instant,
    ticket: Ticket,
    answer: Result<Done, Refusal>,
}

impl Driver {
    /// Answers once the history is on the disk.
    pub(crate) fn reply(&mut self, ticket: Ticket, answer: Result<Done, Refusal>) {
        if !self.answers.contains_key(&ticket) {
            return;
        }
        if self.history.is_locked() {
            let until = Instant::now() + WRITTEN_WITHIN;
            return self.held.push_back(Held { until, ticket, answer });
        }
        if self.history.has_waiting() && answer.is_ok() {
            tracing::warn!(
                "the history cannot be written: a command is answered that the end of this engine could undo"
            );
        }
        if self.history.has_waiting() || self.history.is_frozen() {
            return self.send_reply(ticket, answer);
        }
        let (synced, sender) = (self.syncer.sync(), self.sender.clone());
        self.tasks.spawn(async move {
            match time::timeout(SYNCED_WITHIN, synced).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => tracing::warn!(%error, "the history cannot be synced"),
                Ok(Err(_)) => tracing::error!("the history was not synced: its thread has ended"),
                Err(_) => tracing::warn!(
                    "the disk takes more than {} s: a command is answered that a loss of power could undo",
                    SYNCED_WITHIN.as_secs()
                ),
            }
            _ = sender.send(Message::Reply(ticket, answer)).await;
        });
    }

    /// Tries again to write what waits when it is time, and answers whom that kept waiting.
    pub(super) fn catch_up(&mut self) {
        if self.history.due().is_some_and(|due| Instant::now() >= due.into()) {
            self.history.keep(&[], self.clock.now());
            if !self.history.is_behind() {
                self.let_forget();
            }
        }
        while let Some(held) = self.held.pop_front() {
            if !self.history.is_locked() {
                self.reply(held.ticket, held.answer);
            } else if Instant::now() >= held.until {
                tracing::warn!(
                    "somebody has been writing to the history for {} s: a command is answered that the end of this engine could undo",
                    WRITTEN_WITHIN.as_secs()
                );
                self.send_reply(held.ticket, held.answer);
            } else {
                return self.held.push_front(held);
            }
        }
    }

    pub(super) fn send_reply(&mut self, ticket: Ticket, answer: Result<Done, Refusal>) {
        if let Some(waiting) = self.answers.remove(&ticket) {
            // Nobody listens any more: the client has gone.
            _ = waiting.send(answer);
        }
    }
}
