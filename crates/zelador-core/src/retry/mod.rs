//! When something that failed is tried again: the one retry facility of zelador.
//!
//! A policy, the failures so far and what the last one was go in; a delay or the reason to give up
//! comes out. Whoever talks to something (a database, an HTTP endpoint, a channel of notices, a
//! model, a backend) or applies a remedy asks here, and nowhere else.
//!
//! ```
//! use zelador_core::retry::{ErrorClass, Failure, Next, Retry, RetryPolicy};
//! use zelador_core::unit::Moment;
//!
//! let mut rng = fastrand::Rng::with_seed(7);
//! let mut retry = Retry::new(RetryPolicy::general(), Moment::default());
//! let failure = Failure::new(ErrorClass::Unreachable);
//! assert_eq!(retry.after_failure(Moment::default(), failure, None, &mut rng),
//!            Next::After(std::time::Duration::from_secs(1)));
//! ```
//!
//! Always holds: a delay never exceeds the policy's cap, unless the other side asked for more by
//! `Retry-After`; no attempt begins after the policy's total time; there are never more than
//! `retries` attempts after the first; and towards one target the retries of all operations
//! together stay within its [`Budget`].

mod budget;
mod class;
mod delay;
mod ledger;
mod told;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::unit::{Moment, SECOND};

pub use budget::{Budget, BudgetPolicy, Budgets};
pub use delay::{Factor, Jitter};
pub use ledger::{Attempt, AttemptOutcome, Ledger, OperationStats};

/// How often, how patiently, and for which failures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub retries: u32,
    /// The delay before the first of them.
    pub first: Duration,
    /// By how much each delay is longer than the one before.
    pub factor: Factor,
    /// The longest delay, `Retry-After` apart.
    pub cap: Duration,
    /// How delays are spread.
    pub jitter: Jitter,
    /// No attempt begins later than this after the first one began; `None`: no limit.
    pub total: Option<Duration>,
    /// The failures after which another attempt makes sense.
    pub retried: Classes,
    /// The longest `Retry-After` that is waited for; a longer one is given up.
    pub longest_retry_after: Duration,
}

/// RFC 9110 sets no limit; a target that asks for more than an hour is down for this purpose.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

impl RetryPolicy {
    /// The mission's general retry: 6 attempts, 1, 2, 4, 8, 16 and 32 s after the one before.
    pub const fn general() -> Self {
        Self {
            retries: 6,
            first: SECOND,
            factor: Factor::TWO,
            cap: Duration::from_secs(32),
            jitter: Jitter::None,
            total: None,
            retried: Classes::TRANSIENT,
            longest_retry_after: LONGEST_RETRY_AFTER,
        }
    }

    /// The mission's retry of a service restart: 3 attempts, after 2, 4 and 8 s, whatever failed.
    pub const fn service_restart() -> Self {
        Self {
            retries: 3,
            first: Duration::from_secs(2),
            factor: Factor::TWO,
            cap: Duration::from_secs(8),
            jitter: Jitter::None,
            total: None,
            retried: Classes::ALL,
            longest_retry_after: LONGEST_RETRY_AFTER,
        }
    }

    /// Looks at something out there that fails: the attempts come as its cadence has them, and so
    /// many of them as it takes to believe it; one that nothing but a person changes is given up at
    /// once, and the next look begins anew.
    pub const fn look(interval: Duration, attempts: u32) -> Self {
        Self {
            retries: attempts.saturating_sub(1),
            first: interval,
            factor: Factor::ONE,
            cap: interval,
            ..Self::general()
        }
    }

    /// Returns the delay before attempt `number` (1 is the first after the failed first one),
    /// before jitter: `min(cap, first × factor^(number − 1))`.
    pub fn delay(&self, number: u32) -> Duration {
        delay::exponential(self.first, self.factor, self.cap, number.saturating_sub(1))
    }

    /// The same with jitter.
    pub fn spread_delay(&self, number: u32, rng: &mut fastrand::Rng) -> Duration {
        let before = (number > 1).then(|| self.delay(number - 1));
        self.jitter.spread(self, number, before, rng)
    }
}

/// What kind of failure it was, as far as a retry is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// Nobody listens there, or there is no way there.
    Unreachable,
    /// It did not answer in time.
    TimedOut,
    /// The connection broke off.
    ConnectionLost,
    /// It says that it has too much to do: HTTP 429 and 503, too many connections.
    Overloaded,
    /// It failed itself: HTTP 500, 502, 504.
    ServerFailed,
    /// It was done and did not help: a remedy whose verification failed.
    Ineffective,
    /// It does not let us in: HTTP 401 and 403, a wrong password.
    Denied,
    /// What was asked is wrong: HTTP 4xx, a query with an error.
    Invalid,
    /// What is asked for is not there: HTTP 404 and 410, an unknown database.
    NotFound,
    /// Nobody wants the answer any more.
    Cancelled,
}

impl ErrorClass {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Unreachable,
        Self::TimedOut,
        Self::ConnectionLost,
        Self::Overloaded,
        Self::ServerFailed,
        Self::Ineffective,
        Self::Denied,
        Self::Invalid,
        Self::NotFound,
        Self::Cancelled,
    ];

    /// Returns the class of an HTTP status; `None` below 400.
    pub fn of_http_status(status: u16) -> Option<Self> {
        match status {
            0..=399 => None,
            401 | 403 | 407 => Some(Self::Denied),
            404 | 410 => Some(Self::NotFound),
            408 | 425 => Some(Self::TimedOut),
            429 | 503 => Some(Self::Overloaded),
            400..=499 => Some(Self::Invalid),
            _ => Some(Self::ServerFailed),
        }
    }

    /// As it stands in a sentence: `it does not answer in time`.
    pub fn said(self) -> &'static str {
        match self {
            Self::Unreachable => "it cannot be reached",
            Self::TimedOut => "it does not answer in time",
            Self::ConnectionLost => "the connection broke off",
            Self::Overloaded => "it has too much to do",
            Self::ServerFailed => "it failed itself",
            Self::Ineffective => "it did not help",
            Self::Denied => "it does not let us in",
            Self::Invalid => "what was asked is wrong",
            Self::NotFound => "it is not there",
            Self::Cancelled => "nobody waits for it any more",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of classes of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Classes(u16);

impl Classes {
    /// None: never try again.
    pub const NONE: Self = Self(0);
    /// Those that may be over by themselves in a moment.
    pub const TRANSIENT: Self = Self(
        ErrorClass::Unreachable.bit()
            | ErrorClass::TimedOut.bit()
            | ErrorClass::ConnectionLost.bit()
            | ErrorClass::Overloaded.bit()
            | ErrorClass::ServerFailed.bit(),
    );
    /// Every one but [`ErrorClass::Cancelled`].
    pub const ALL: Self = Self(0x3ff & !ErrorClass::Cancelled.bit());

    /// With `class` too; a cancelled operation is never tried again.
    pub const fn with(self, class: ErrorClass) -> Self {
        Self((self.0 | class.bit()) & !ErrorClass::Cancelled.bit())
    }

    /// Without `class`.
    pub const fn without(self, class: ErrorClass) -> Self {
        Self(self.0 & !class.bit())
    }

    /// Whether `class` is one of them.
    pub const fn contains(self, class: ErrorClass) -> bool {
        self.0 & class.bit() != 0
    }
}

/// A failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub class: ErrorClass,
    /// How long the other side asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure after which the other side asked for nothing.
    pub const fn new(class: ErrorClass) -> Self {
        Self { class, retry_after: None }
    }

    /// A failure whose answer carried `Retry-After`.
    pub const fn asking_to_wait(class: ErrorClass, retry_after: Duration) -> Self {
        Self { class, retry_after: Some(retry_after) }
    }
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt after this delay.
    After(Duration),
    /// None.
    GiveUp(GiveUp),
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "gave-up")]
pub enum GiveUp {
    /// Another attempt would fail in the same way.
    NotWorthwhile {
        /// What failed.
        class: ErrorClass,
    },
    /// All attempts failed.
    AttemptsUsed {
        /// How many there were.
        attempts: u32,
        /// What failed the last time.
        class: ErrorClass,
    },
    /// The next attempt would begin too late.
    TimeUsed {
        /// How many there were.
        attempts: u32,
        /// The time that the policy gives.
        total: Duration,
    },
    /// The other side asks for more patience than there is.
    AskedToWaitTooLong {
        /// For how long.
        retry_after: Duration,
    },
    /// Too many operations retry against this target already.
    BudgetUsed,
}

/// The attempts of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    policy: RetryPolicy,
    began_at: Moment,
    failed: u32,
    last_delay: Option<Duration>,
}

impl Retry {
    /// The first attempt begins at `now`.
    pub const fn new(policy: RetryPolicy, now: Moment) -> Self {
        Self { policy, began_at: now, failed: 0, last_delay: None }
    }

    /// How many attempts failed.
    pub const fn failed(&self) -> u32 {
        self.failed
    }

    /// How long it has been going on.
    pub fn elapsed(&self, now: Moment) -> Duration {
        now.since(self.began_at)
    }

    /// Takes in a failed attempt; returns when there is another one, or why there is none. A retry
    /// is taken out of `budget`, which all operations towards the same target share.
    pub fn after_failure(
        &mut self,
        now: Moment,
        failure: Failure,
        budget: Option<&mut Budget>,
        rng: &mut fastrand::Rng,
    ) -> Next {
        self.failed = self.failed.saturating_add(1);
        let (attempts, class) = (self.failed, failure.class);
        if !self.policy.retried.contains(class) {
            return Next::GiveUp(GiveUp::NotWorthwhile { class });
        }
        if attempts > self.policy.retries {
            return Next::GiveUp(GiveUp::AttemptsUsed { attempts, class });
        }
        let spread = self.policy.jitter.spread(&self.policy, attempts, self.last_delay, rng);
        let delay = match failure.retry_after {
            Some(retry_after) if retry_after > self.policy.longest_retry_after => {
                return Next::GiveUp(GiveUp::AskedToWaitTooLong { retry_after });
            }
            Some(retry_after) => spread.max(retry_after),
            None => spread,
        };
        if let Some(total) = self.policy.total
            && self.elapsed(now).saturating_add(delay) > total
        {
            return Next::GiveUp(GiveUp::TimeUsed { attempts, total });
        }
        if budget.is_some_and(|budget| !budget.take(now)) {
            return Next::GiveUp(GiveUp::BudgetUsed);
        }
        self.last_delay = Some(spread);
        Next::After(delay)
    }
}

#[cfg(test)]
mod tests;
