//! Windows of maintenance that come again and again.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::CronPattern;
use crate::cron;
use crate::unit::Moment;

/// A window that begins when the clock says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When it begins, in local time.
    pub begins: CronPattern,
    /// How long it lasts.
    pub lasts: Duration,
}

/// Where a moment lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InWindow {
    /// Inside, until then.
    Until(Moment),
    /// Outside; the next one begins then.
    Before(Moment),
}

impl Window {
    /// Returns where `wall`, by the wall clock, lies; `None`: the window never comes (again).
    pub fn at(&self, wall: Moment, zone: &TimeZone) -> Option<InWindow> {
        // The first one that has not ended yet: one that began at this very moment, too.
        let ended = wall - self.lasts;
        let begin = cron::next(&self.begins, ended, zone)?;
        Some(if begin <= wall {
            InWindow::Until(begin + self.lasts)
        } else {
            InWindow::Before(begin)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lasts_from_its_beginning_to_its_end() {
        let window = Window {
            begins: CronPattern::new("0 2 * * *").unwrap(),
            lasts: Duration::from_mins(90),
        };
        let at = |text: &str| {
            let time: jiff::Timestamp = text.parse().unwrap();
            Moment::from_micros(u64::try_from(time.as_microsecond()).unwrap())
        };
        let found = |text| window.at(at(text), &TimeZone::UTC).unwrap();
        assert_eq!(found("2026-11-28T01:59:59Z"), InWindow::Before(at("2026-11-28T02:00:00Z")));
        let until = InWindow::Until(at("2026-11-28T03:30:00Z"));
        assert_eq!(found("2026-11-28T02:00:00Z"), until);
        assert_eq!(found("2026-11-28T03:29:59Z"), until);
        assert_eq!(found("2026-11-28T03:30:00Z"), InWindow::Before(at("2026-11-29T02:00:00Z")));
    }
}
