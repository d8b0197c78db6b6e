//! What the settings change of retries and breakers: every field optional, so that what is said of an
//! operation lies over what is said of all, and that over what holds where nothing is said.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::breaker::{BreakerPolicy, Window};
use crate::retry::{Factor, Jitter, RetryPolicy};
use crate::unit::Percent;

/// The name under which all operations are meant.
pub const DEFAULT: &str = "default";

/// The name under which every remedy of every app is meant.
pub const REMEDY: &str = "remedy";

/// What is said of retries; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryChange {
    /// Attempts after the first.
    pub retries: Option<u32>,
    /// The delay before the first of them.
    pub first: Option<Duration>,
    /// By how much each delay is longer than the one before.
    pub factor: Option<Factor>,
    /// The longest delay.
    pub cap: Option<Duration>,
    /// How delays are spread.
    pub jitter: Option<Jitter>,
    /// No attempt begins later than this after the first one.
    pub total: Option<Duration>,
    /// The longest `Retry-After` that is waited for.
    pub longest_retry_after: Option<Duration>,
}

impl RetryChange {
    /// Returns `policy` with what is said. A first delay is never longer than the longest one: of the two
    /// the one that was said counts.
    #[must_use]
    pub fn of(&self, policy: RetryPolicy) -> RetryPolicy {
        let mut first = self.first.unwrap_or(policy.first);
        let mut cap = self.cap.unwrap_or(policy.cap);
        if self.cap.is_none() {
            cap = cap.max(first);
        } else {
            first = first.min(cap);
        }
        RetryPolicy {
            retries: self.retries.unwrap_or(policy.retries),
            first,
            factor: self.factor.unwrap_or(policy.factor),
            cap,
            jitter: self.jitter.unwrap_or(policy.jitter),
            total: self.total.or(policy.total),
            retried: policy.retried,
            longest_retry_after: self.longest_retry_after.unwrap_or(policy.longest_retry_after),
        }
    }

    /// Only what is said of the length of delays: a message waits for a day, however often it was tried.
    #[must_use]
    pub fn delays(&self) -> Self {
        Self { first: self.first, factor: self.factor, cap: self.cap, ..Self::default() }
    }
}

/// What is said of a breaker; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BreakerChange {
    /// So many failures in a row open it; `Some(None)`: only rates do.
    #[serde(with = "or_never", skip_serializing_if = "Option::is_none")]
    pub failures_in_row: Option<Option<u32>>,
    /// What rates are taken over.
    pub window: Option<Window>,
    /// Rates mean nothing below this many calls.
    pub minimum_calls: Option<u32>,
    /// From this share of failures on it opens.
    pub failure_rate: Option<Percent>,
    /// A call that takes this long is slow.
    pub slow: Option<Duration>,
    /// From this share of slow calls on it opens.
    pub slow_rate: Option<Percent>,
    /// So many good trials in a row close it.
    pub successes_to_close: Option<u32>,
    /// How long it stays open the first time.
    pub open_for: Option<Duration>,
    /// The longest it stays open.
    pub open_cap: Option<Duration>,
    /// How many trials may be under way at once.
    pub trials_at_once: Option<u32>,
    /// A trial of which nothing is heard for this long has failed.
    pub trial_timeout: Option<Duration>,
    /// How many calls may be under way at once.
    pub at_once: Option<u32>,
}

impl BreakerChange {
    /// Returns `policy` with what is said. What was said of the open time counts against what was not; a
    /// window of calls never asks for more of them than it holds.
    #[must_use]
    pub fn of(&self, policy: BreakerPolicy) -> BreakerPolicy {
        let mut open_for = self.open_for.unwrap_or(policy.open_for);
        let mut open_cap = self.open_cap.unwrap_or(policy.open_cap);
        if self.open_cap.is_none() {
            open_cap = open_cap.max(open_for);
        } else {
            open_for = open_for.min(open_cap);
        }
        let window = self.window.unwrap_or(policy.window);
        let mut minimum_calls = self.minimum_calls.unwrap_or(policy.minimum_calls);
        if let Window::Count(most) = window {
            minimum_calls = minimum_calls.min(most);
        }
        BreakerPolicy {
            failures_in_row: self.failures_in_row.unwrap_or(policy.failures_in_row),
            window,
            minimum_calls,
            failure_rate: self.failure_rate.unwrap_or(policy.failure_rate),
            slow: self.slow.or(policy.slow),
            slow_rate: self.slow_rate.unwrap_or(policy.slow_rate),
            successes_to_close: self.successes_to_close.unwrap_or(policy.successes_to_close),
            open_for,
            open_cap,
            trials_at_once: self.trials_at_once.unwrap_or(policy.trials_at_once),
            trial_timeout: self.trial_timeout.unwrap_or(policy.trial_timeout),
            at_once: self.at_once.or(policy.at_once),
        }
    }
}

/// `Some(None)` is kept as 0, which no number of failures is.
mod or_never {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(
        clippy::ref_option,
        clippy::option_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "the shape that serde asks for"
    )]
    pub fn serialize<S: Serializer>(
        said: &Option<Option<u32>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        said.map(Option::unwrap_or_default).serialize(serializer)
    }

    #[expect(clippy::option_option, reason = "the field's own type")]
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<u32>>, D::Error> {
        let said = Option::<u32>::deserialize(deserializer)?;
        Ok(said.map(|failures| (failures > 0).then_some(failures)))
    }
}

/// What is said of all operations and of single ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resilience {
    /// Of retries, by operation or `default`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub retry: BTreeMap<String, RetryChange>,
    /// Of breakers, by operation or `default`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub breaker: BTreeMap<String, BreakerChange>,
}

impl Resilience {
    /// Returns how `operation` is tried again, where `policy` is how if nothing is said.
    pub fn retry(&self, operation: &str, policy: RetryPolicy) -> RetryPolicy {
        let said = [DEFAULT, operation].into_iter().filter_map(|name| self.retry.get(name));
        said.fold(policy, |policy, change| change.of(policy))
    }

    /// The same of a message to a channel: see [`RetryChange::delays`].
    pub fn retry_of_messages(&self, policy: RetryPolicy) -> RetryPolicy {
        let said = [DEFAULT, "send"].into_iter().filter_map(|name| self.retry.get(name));
        said.fold(policy, |policy, change| change.delays().of(policy))
    }

    /// Returns what the breaker of `operation` goes by, where it is `policy` if nothing is said.
    pub fn breaker(&self, operation: &str, policy: BreakerPolicy) -> BreakerPolicy {
        let said = [DEFAULT, operation].into_iter().filter_map(|name| self.breaker.get(name));
        said.fold(policy, |policy, change| change.of(policy))
    }

    /// Returns this with what another layer says over it, operation by operation.
    pub fn extend(&mut self, over: &Self) {
        self.retry.extend(over.retry.iter().map(|(name, change)| (name.clone(), *change)));
        self.breaker.extend(over.breaker.iter().map(|(name, change)| (name.clone(), *change)));
    }
}
