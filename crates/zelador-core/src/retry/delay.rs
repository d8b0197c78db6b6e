//! How long a delay is, and how it is spread so that those who failed together do not come back
//! together.
//!
//! The definitions are those of Marc Brooker's *Exponential Backoff And Jitter* (AWS):
//! <https://github.com/aws-samples/aws-arch-backoff-simulator>.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RetryPolicy;

/// By how much a delay is longer than the one before: from 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Factor(f64);

impl Factor {
    /// Every delay is as long as the first.
    pub const ONE: Self = Self(1.0);
    /// Every delay is twice as long as the one before.
    pub const TWO: Self = Self(2.0);

    /// Returns `None` unless `1.0 <= value <= 100.0`.
    pub fn new(value: f64) -> Option<Self> {
        (1.0..=100.0).contains(&value).then_some(Self(value))
    }

    /// The number.
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Factor {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value).ok_or_else(|| format!("{value} is not a factor between 1 and 100"))
    }
}

impl From<Factor> for f64 {
    fn from(factor: Factor) -> Self {
        factor.0
    }
}

/// How a delay is spread. `expo` is the delay without jitter, `U` an even draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Jitter {
    /// `expo`: for one alone.
    #[default]
    None,
    /// `U(0, expo)`: for many that failed together.
    Full,
    /// `expo / 2 + U(0, expo / 2)`: never nothing.
    Equal,
    /// `min(cap, U(first, 3 × the delay before))`.
    Decorrelated,
}

impl Jitter {
    /// The spread delay before attempt `number` after the first.
    pub(super) fn spread(
        self,
        policy: &RetryPolicy,
        number: u32,
        before: Option<Duration>,
        rng: &mut fastrand::Rng,
    ) -> Duration {
        let expo = policy.delay(number);
        match self {
            Self::None => expo,
            Self::Full => between(Duration::ZERO, expo, rng),
            Self::Equal => between(expo / 2, expo, rng),
            Self::Decorrelated => {
                let before = before.unwrap_or(policy.first).max(policy.first);
                between(policy.first, before.saturating_mul(3), rng).min(policy.cap)
            }
        }
    }
}

/// `min(cap, first × factor^exponent)`, without overflow.
pub(super) fn exponential(
    first: Duration,
    factor: Factor,
    cap: Duration,
    exponent: u32,
) -> Duration {
    // Powers above this are beyond every cap unless the factor is 1.
    let grown = first.as_secs_f64() * factor.value().powi(exponent.min(1_000) as i32);
    Duration::try_from_secs_f64(grown).map_or(cap, |delay| delay.min(cap))
}

fn between(low: Duration, high: Duration, rng: &mut fastrand::Rng) -> Duration {
    low + high.saturating_sub(low).mul_f64(rng.f64())
}
