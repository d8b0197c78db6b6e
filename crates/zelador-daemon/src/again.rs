//! What this engine does by itself, tried again by the core's retry: every attempt is noted like those
//! of all other operations.
//!
//! Always holds: a failure is followed by a pause of the policy, or by the end of the operation, which
//! [`Again::failed`] tells apart; the next attempt after an end is the first of a new operation.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use zelador_core::input::{Fact, Input};
use zelador_core::retry::RetryPolicy;
use zelador_core::retry::{Attempt, AttemptOutcome, Classes, ErrorClass, Failure, Next, Retry};
use zelador_core::words::Words;

use crate::clock::Clock;
use crate::driver::Message;

/// An address that is taken is tried again for ever: after 1, 2, 4 s, and then every 5 s, so that a
/// person who made it free need not wait.
pub const ADDRESS: RetryPolicy = for_ever(Duration::from_secs(5));

/// The process that answers PM2's library is tried again for ever, and soon: somebody waits.
pub const PM2: RetryPolicy = for_ever(Duration::from_secs(8));

const fn for_ever(cap: Duration) -> RetryPolicy {
    RetryPolicy { retries: u32::MAX, cap, retried: Classes::ALL, ..RetryPolicy::general() }
}

/// One operation towards one target, over and over.
pub struct Again {
    inbox: mpsc::Sender<Message>,
    clock: Clock,
    operation: &'static str,
    target: String,
    retry: Option<Retry>,
    began: Instant,
    rng: fastrand::Rng,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Another attempt after this.
    After(Duration),
    /// None: the operation was given up.
    Over,
}

impl Again {
    /// Returns one that tells this driver of its attempts.
    pub fn new(
        inbox: mpsc::Sender<Message>,
        clock: Clock,
        operation: &'static str,
        target: impl Into<String>,
    ) -> Self {
        let target = target.into();
        let rng = fastrand::Rng::new();
        Self { inbox, clock, operation, target, retry: None, began: Instant::now(), rng }
    }

    /// An attempt begins; if it is the first of an operation, that goes by `policy`.
    pub fn begin(&mut self, policy: RetryPolicy) {
        self.began = Instant::now();
        self.retry.get_or_insert_with(|| Retry::new(policy, self.clock.now()));
    }

    /// The attempt worked.
    pub async fn worked(&mut self) {
        let failed = self.retry.take().map_or(0, |retry| retry.failed());
        self.tell(failed + 1, AttemptOutcome::Succeeded).await;
    }

    /// The attempt failed.
    pub async fn failed(&mut self, failure: Failure, error: Words) -> Then {
        let now = self.clock.now();
        let Some(retry) = &mut self.retry else { return Then::Over };
        let next = retry.after_failure(now, failure, None, &mut self.rng);
        let (number, class) = (retry.failed(), failure.class);
        let (outcome, then) = match next {
            Next::After(delay) => {
                (AttemptOutcome::Retrying { class, error, delay }, Then::After(delay))
            }
            Next::GiveUp(why) => {
                self.retry = None;
                (AttemptOutcome::GaveUp { class, error, why: why.words() }, Then::Over)
            }
        };
        self.tell(number, outcome).await;
        then
    }

    /// The same of what this host did not do.
    pub async fn refused(&mut self, error: Words) -> Then {
        self.failed(Failure::new(ErrorClass::Unreachable), error).await
    }

    async fn tell(&self, number: u32, outcome: AttemptOutcome) {
        let (at, took) = (self.clock.now(), self.began.elapsed());
        let attempt = Attempt { at, target: self.target.clone(), number, took, outcome };
        let fact = Fact::Attempted { operation: self.operation.to_owned(), attempt };
        // A driver that is gone needs no statistics.
        _ = self.inbox.send(Message::Input(Input::Fact(fact))).await;
    }
}

#[cfg(test)]
mod tests {
    use zelador_core::words::quoted;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_attempt_is_told_with_its_number_and_what_follows() {
        let (inbox, mut told) = mpsc::channel(8);
        let mut again = Again::new(inbox, Clock::start(), "listen", "127.0.0.1:1");
        let policy = RetryPolicy { retries: 1, ..RetryPolicy::general() };
        let mut outcomes = Vec::new();
        for failed in [true, true, true, false] {
            again.begin(policy);
            if failed {
                outcomes.push(again.refused(quoted("taken")).await);
            } else {
                again.worked().await;
            }
        }
        let second = Then::After(Duration::from_secs(1));
        assert_eq!(outcomes, [second, Then::Over, second], "and begins anew");
        let mut numbers = Vec::new();
        while let Ok(Message::Input(Input::Fact(Fact::Attempted { operation, attempt }))) =
            told.try_recv()
        {
            assert_eq!((operation.as_str(), attempt.target.as_str()), ("listen", "127.0.0.1:1"));
            let worked = attempt.outcome == AttemptOutcome::Succeeded;
            numbers.push((attempt.number, worked));
        }
        assert_eq!(numbers, [(1, false), (2, false), (1, false), (2, true)]);
    }
}
