//! How the healer tries: when to try again, and when to call a person.

pub mod case;
pub mod fingerprint;
pub mod guard;
mod history;
pub mod host;
mod ladder;
mod objection;
pub mod raise;
mod remedy;
pub mod report;
mod runtime;

use std::time::Duration;

pub use history::{Beta, History, Learned, Use};
pub use ladder::ladder;
pub use objection::Objection;
pub use remedy::{Remedy, Risk, STABLE_FOR};
pub use runtime::{Runtime, garbage_hook};

use crate::retry::RetryPolicy;
use crate::unit::SECOND;

/// How long gathering evidence may take before the healer goes on without it. Evidence is to be
/// there within 300 ms; the rest is for a machine that is itself in trouble.
pub const GATHER_WITHIN: Duration = Duration::from_secs(2);

/// How long a runtime may take to say more about itself: a JVM needs half a second for a dump, and ten times as much on a
/// host that is busy itself.
pub const DUMP_WITHIN: Duration = Duration::from_secs(5);

/// From one look to the next while a remedy is being verified.
pub const VERIFY_EVERY: Duration = SECOND;

/// How long a stop and the start after it may take beyond the app's own grace.
pub const APPLY_WITHIN: Duration = Duration::from_secs(30);

/// What follows a try that did not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again after this pause.
    Pause(Duration),
    /// Nothing helped: tell a person.
    Escalate,
}

/// Returns what follows after `attempts` tries that did not help: the mission's retry of a service
/// restart.
pub fn after_failure(attempts: u32) -> Next {
    let policy = RetryPolicy::service_restart();
    if (1..=policy.retries).contains(&attempts) {
        Next::Pause(policy.delay(attempts))
    } else {
        Next::Escalate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_retries_follow_the_first_try() {
        let next: Vec<Next> = (1..=5).map(after_failure).collect();
        let pause = |seconds| Next::Pause(Duration::from_secs(seconds));
        assert_eq!(next, [pause(2), pause(4), pause(8), Next::Escalate, Next::Escalate]);
    }
}
