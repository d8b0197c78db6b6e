//! When a breaker opens, for how long, and what closes it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Window;
use crate::unit::Percent;

/// When a breaker opens, for how long, and what closes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakerPolicy {
    /// So many failures in a row open it, whatever the volume; `None`: only rates do.
    pub failures_in_row: Option<u32>,
    /// What the rates are taken over.
    pub window: Window,
    /// Rates mean nothing below this many calls in the window.
    pub minimum_calls: u32,
    /// From this share of failures on it opens.
    pub failure_rate: Percent,
    /// A call that takes this long is slow; `None`: none is.
    pub slow: Option<Duration>,
    /// From this share of slow calls on it opens.
    pub slow_rate: Percent,
    /// So many good trials in a row close it.
    pub successes_to_close: u32,
    /// How long it stays open the first time; twice as long after every failed trial.
    pub open_for: Duration,
    /// The longest it stays open.
    pub open_cap: Duration,
    /// How many trials may be under way at once while it is half-open.
    pub trials_at_once: u32,
    /// A trial of which nothing is heard for this long is taken for failed.
    pub trial_timeout: Duration,
    /// How many calls may be under way at once, in any state (the bulkhead); `None`: any number.
    pub at_once: Option<u32>,
}

impl Default for BreakerPolicy {
    /// The mission's: 5 failures, 2 successes, 60 s, volume 10, 50 %. The window and the rate of
    /// slow calls are resilience4j's (100 calls, 100 %); the cap is that of remedies, 1 h.
    fn default() -> Self {
        let percent = |value| Percent::new(value).expect("a share");
        Self {
            failures_in_row: Some(5),
            window: Window::Count(100),
            minimum_calls: 10,
            failure_rate: percent(50.0),
            slow: None,
            slow_rate: percent(100.0),
            successes_to_close: 2,
            open_for: Duration::from_mins(1),
            open_cap: Duration::from_hours(1),
            trials_at_once: 1,
            trial_timeout: Duration::from_mins(5),
            at_once: None,
        }
    }
}

impl BreakerPolicy {
    /// For looks at something that fails: as long as two of its intervals at first, at most the
    /// mission's 60 s, so that what is back is seen within one open time. It opens only after its
    /// verdict could change.
    pub fn look(interval: Duration, failure_threshold: u32) -> Self {
        let open_cap = Self::default().open_for;
        Self {
            failures_in_row: Some(failure_threshold.saturating_add(1).max(5)),
            window: Window::Count(20),
            open_for: interval.saturating_mul(2).min(open_cap),
            open_cap,
            at_once: Some(1),
            ..Self::default()
        }
    }

    /// For a channel of notices: one message at a time, and never left alone for longer than the
    /// longest pause between two tries.
    pub fn channel() -> Self {
        Self { open_cap: Duration::from_mins(5), at_once: Some(1), ..Self::default() }
    }

    /// For a language model, which is asked seldom: three failures say enough, and one question at a
    /// time is what a model of one's own bears.
    pub fn model() -> Self {
        Self { failures_in_row: Some(3), at_once: Some(1), ..Self::default() }
    }

    /// For a remedy towards an app, where calls are few: opens after 3 of the last 5 failed (a
    /// failure is a verification that failed), for 5 min × 2ⁿ up to 1 h, and one good trial
    /// closes it.
    pub fn remedy() -> Self {
        Self {
            failures_in_row: Some(3),
            window: Window::Count(5),
            minimum_calls: 3,
            successes_to_close: 1,
            open_for: Duration::from_mins(5),
            ..Self::default()
        }
    }
}
