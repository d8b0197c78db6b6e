//! What is let go: by age, and when the file is too large.
//!
//! Always holds: a coarser tier is kept at least as long as a finer one; nothing is let go by size
//! before everything that is finer is down to its least; in the end everything that is no state can go.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Tier;

/// A day.
const DAY: Duration = Duration::from_hours(24);

/// How much of the past is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Retention {
    /// Events, incidents, the audit and the coarse summaries: so long.
    pub age: Duration,
    /// The file may become so large, in bytes, with what is beside it.
    pub size: u64,
}

impl Default for Retention {
    fn default() -> Self {
        // Three months, the span of a quarterly report; half a gibibyte is small beside any log.
        Self { age: 90 * DAY, size: 512 << 20 }
    }
}

impl Retention {
    /// The shortest age: a day, so that "yesterday" can be asked for.
    pub const SHORTEST: Duration = DAY;
    /// The smallest size: 8 MiB hold a day of ten apps.
    pub const SMALLEST: u64 = 8 << 20;

    /// How long a tier is kept: raw points a week, minutes two weeks, the rest as long as allowed.
    pub fn keeps(&self, tier: Tier) -> Duration {
        match tier {
            Tier::Raw => self.age.min(7 * DAY),
            Tier::Minute => self.age.min(14 * DAY),
            Tier::Quarter | Tier::Day => self.age,
        }
    }
}

/// How long each kind of thing is kept now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// Raw points.
    pub raw: Duration,
    /// Minutes.
    pub minute: Duration,
    /// Quarters of an hour.
    pub quarter: Duration,
    /// Days, events, incidents, audit.
    pub rest: Duration,
}

/// The least that is kept of the finest while something coarser can go.
const LEAST: Duration = Duration::from_hours(2);

/// Below this nothing is kept: a tier's finest summary.
const NOTHING: Duration = Duration::from_mins(1);

impl Spans {
    /// What the retention allows.
    pub fn of(retention: &Retention) -> Self {
        Self {
            raw: retention.keeps(Tier::Raw),
            minute: retention.keeps(Tier::Minute),
            quarter: retention.keeps(Tier::Quarter),
            rest: retention.age,
        }
    }

    /// Returns the next shorter spans for a file that is still too large; `None`: nothing is left that
    /// could go. The finest that is above its least is halved; when all are at theirs, all are.
    pub fn tightened(self) -> Option<Self> {
        let halved = |span: Duration, least: Duration| (span / 2).max(least);
        if self.raw > LEAST {
            return Some(Self { raw: halved(self.raw, LEAST), ..self });
        }
        if self.minute > DAY.min(self.quarter) {
            return Some(Self { minute: halved(self.minute, DAY), ..self });
        }
        if self.quarter > DAY.min(self.rest) {
            return Some(Self { quarter: halved(self.quarter, DAY), ..self });
        }
        if self.rest > DAY {
            return Some(Self { rest: halved(self.rest, DAY), ..self });
        }
        let half = |span: Duration| if span > NOTHING { span / 2 } else { Duration::ZERO };
        let (raw, minute) = (half(self.raw), half(self.minute));
        let (quarter, rest) = (half(self.quarter), half(self.rest));
        (!self.rest.is_zero()).then_some(Self { raw, minute, quarter, rest })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tightening_ends_and_keeps_the_order(days in 1_u32..4000) {
            let retention = Retention { age: days * DAY, ..Retention::default() };
            let mut spans = Spans::of(&retention);
            let mut steps = 0;
            loop {
                prop_assert!(spans.raw <= spans.minute && spans.minute <= spans.quarter, "{spans:?}");
                prop_assert!(spans.quarter <= spans.rest && spans.rest <= retention.age, "{spans:?}");
                let Some(next) = spans.tightened() else { break };
                // One thing shrinks, and nothing grows.
                prop_assert!(next != spans);
                prop_assert!(next.raw <= spans.raw && next.minute <= spans.minute);
                prop_assert!(next.rest == spans.rest || (spans.raw <= LEAST && spans.quarter <= DAY));
                prop_assert!(next.raw >= LEAST || next.raw == spans.raw || spans.rest <= DAY);
                spans = next;
                steps += 1;
                prop_assert!(steps < 100);
            }
            prop_assert!(spans.rest.is_zero(), "nothing is held back: {spans:?}");
        }
    }
}
