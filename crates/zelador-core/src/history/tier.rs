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

    /// Returns the finest tier that answers a chart from `from` on, `span` seconds long, with at most
    /// `points` points, and that shows as much of it as any coarser one; the coarsest if none does.
    /// `oldest` tells where a tier begins, in seconds since the Unix epoch; `None`: it has nothing.
    pub fn for_chart(
        from: u64,
        span: u64,
        points: u64,
        oldest: impl Fn(Self) -> Option<u64>,
    ) -> Self {
        let begins = |tier: Self| oldest(tier).unwrap_or(u64::MAX).max(from);
        let fits = |tier: &Self| {
            let mut coarser = Self::ALL.into_iter().filter(|other| other > tier);
            // A point of a coarser tier begins before what it sums up.
            let shows_all = |it: Self| begins(*tier) <= begins(it).saturating_add(it.width() - 1);
            span / tier.width() <= points && coarser.all(shows_all)
        };
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_gets_the_finest_that_fits_and_is_still_there() {
        const HOUR: u64 = 3600;
        const NOW: u64 = 400 * 24 * HOUR;
        let oldest = |tier| {
            Some(match tier {
                Tier::Raw => NOW - 7 * 24 * HOUR,
                _ => NOW - 90 * 24 * HOUR,
            })
        };
        let tier = |span, age| Tier::for_chart(NOW - age, span, 1500, oldest);
        assert_eq!(tier(HOUR, HOUR), Tier::Raw);
        assert_eq!(tier(24 * HOUR, 24 * HOUR), Tier::Minute);
        assert_eq!(tier(HOUR, 30 * 24 * HOUR), Tier::Minute, "too long ago for raw points");
        assert_eq!(tier(7 * 24 * HOUR, 7 * 24 * HOUR), Tier::Quarter);
        assert_eq!(tier(90 * 24 * HOUR, 90 * 24 * HOUR), Tier::Day);
        assert_eq!(tier(90 * 24 * HOUR, 400 * 24 * HOUR), Tier::Day);
    }

    #[test]
    fn what_was_let_go_early_is_shown_by_a_coarser_tier() {
        const HOUR: u64 = 3600;
        const NOW: u64 = 400 * 24 * HOUR;
        // The file became too large: raw points of two hours are left, minutes of a day.
        let tightened = |tier| match tier {
            Tier::Raw => Some(NOW - 2 * HOUR),
            Tier::Minute => Some(NOW - 24 * HOUR),
            Tier::Quarter | Tier::Day => Some(NOW - 90 * 24 * HOUR),
        };
        let tier = |age| Tier::for_chart(NOW - age, HOUR, 9000, tightened);
        assert_eq!(tier(HOUR), Tier::Raw);
        assert_eq!(tier(6 * HOUR), Tier::Minute);
        assert_eq!(tier(48 * HOUR), Tier::Quarter);
        // A new host has nothing older in any tier.
        let new = |tier| (tier < Tier::Day).then_some(NOW - HOUR);
        assert_eq!(Tier::for_chart(NOW - 6 * HOUR, 6 * HOUR, 9000, new), Tier::Raw);
        assert_eq!(Tier::for_chart(NOW - HOUR, HOUR, 9000, |_| None), Tier::Raw);
    }
}
