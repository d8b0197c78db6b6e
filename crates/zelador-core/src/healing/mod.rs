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
use crate::unit::{ByteSize, SECOND};

/// How long gathering evidence may take before the healer goes on without it. Evidence is to be
/// there within 300 ms; the rest is for a machine that is itself in trouble.
pub const GATHER_WITHIN: Duration = Duration::from_secs(2);

/// How long a runtime may take to say more about itself: a JVM needs half a second for a dump, and ten times as much on a
/// host that is busy itself.
pub const DUMP_WITHIN: Duration = Duration::from_secs(5);

/// From one look to the next while a remedy is being verified.
pub const VERIFY_EVERY: Duration = SECOND;

/// How long what was healed must stay well before that is said, `min_uptime` where that is longer. Ours:
/// five looks, [`VERIFY_EVERY`] one, and half of what a run after a death must last ([`STABLE_FOR`]), since
/// here a check looks at it besides.
pub const HOLDS_FOR: Duration = Duration::from_secs(5);

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

/// Returns whether memory fills up again: half of what a remedy freed, from `before` to `first`, is in use
/// `now`.
pub fn climbs(before: ByteSize, first: ByteSize, now: ByteSize) -> bool {
    let freed = before.bytes().saturating_sub(first.bytes());
    freed > 0 && now.bytes().saturating_sub(first.bytes()) >= freed / 2
}

/// Returns what follows after `attempts` tries that did not help, the first of which began `elapsed` ago.
pub fn after_failure(
    policy: &RetryPolicy,
    attempts: u32,
    elapsed: Duration,
    rng: &mut fastrand::Rng,
) -> Next {
    if !(1..=policy.retries).contains(&attempts) {
        return Next::Escalate;
    }
    let pause = policy.spread_delay(attempts, rng);
    let in_time = policy.total.is_none_or(|total| elapsed.saturating_add(pause) <= total);
    if in_time { Next::Pause(pause) } else { Next::Escalate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_climbs_when_half_of_what_was_freed_is_used_again() {
        let said = [(400, 100, 249), (400, 100, 250), (400, 100, 90), (100, 400, 900)];
        let said = said.map(|it: (u64, u64, u64)| {
            climbs(ByteSize::new(it.0), ByteSize::new(it.1), ByteSize::new(it.2))
        });
        assert_eq!(
            said,
            [false, true, false, false],
            "where nothing was freed nothing is refilled"
        );
    }

    #[test]
    fn three_retries_follow_the_first_try() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut next = |policy: RetryPolicy| -> Vec<Next> {
            let after = |attempts: u32| {
                after_failure(&policy, attempts, SECOND * (attempts - 1) * 3, &mut rng)
            };
            (1..=5).map(after).collect()
        };
        let pause = |seconds| Next::Pause(Duration::from_secs(seconds));
        let usual = RetryPolicy::service_restart();
        assert_eq!(next(usual), [pause(2), pause(4), pause(8), Next::Escalate, Next::Escalate]);
        let brief = RetryPolicy { total: Some(SECOND * 7), ..usual };
        assert_eq!(
            next(brief)[..3],
            [pause(2), pause(4), Next::Escalate],
            "8 s after 6 s are too late"
        );
    }
}
