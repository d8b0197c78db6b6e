//! How finely the past is remembered, and which fineness answers a question.

use serde::{Deserialize, Serialize};

/// One fineness. Ordered from the finest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// As it was sampled.
    Raw,
    /// Summed up by the minute.
    Minute,
    /// By the quarter of an hour.
    Quarter,
    /// By the day, in UTC.
    Day,
}

impl Tier {
    /// From the finest to the coarsest.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Minute, Self::Quarter, Self::Day];

    /// How long one of its points is, in seconds.
    pub const fn width(self) -> u64 {
        match self {
            Self::Raw => 10,
            Self::Minute => 60,
            Self::Quarter => 15 * 60,
            Self::Day => 24 * 60 * 60,
        }
    }

    /// Returns the finest tier that answers a chart of `span` seconds with at most `points` points,
    /// and that still remembers `age` seconds back; the coarsest if none does.
    pub fn for_chart(span: u64, age: u64, points: u64, keeps: impl Fn(Self) -> u64) -> Self {
        let fits = |tier: &Self| span / tier.width() <= points && age <= keeps(*tier);
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_gets_the_finest_that_fits_and_is_still_there() {
        const HOUR: u64 = 3600;
        let keeps = |tier| match tier {
            Tier::Raw => 7 * 24 * HOUR,
            _ => 90 * 24 * HOUR,
        };
        let tier = |span, age| Tier::for_chart(span, age, 1500, keeps);
        assert_eq!(tier(HOUR, HOUR), Tier::Raw);
        assert_eq!(tier(24 * HOUR, 24 * HOUR), Tier::Minute);
        assert_eq!(tier(HOUR, 30 * 24 * HOUR), Tier::Minute, "too long ago for raw points");
        assert_eq!(tier(7 * 24 * HOUR, 7 * 24 * HOUR), Tier::Quarter);
        assert_eq!(tier(90 * 24 * HOUR, 90 * 24 * HOUR), Tier::Day);
        assert_eq!(tier(HOUR, 400 * 24 * HOUR), Tier::Day);
    }
}
