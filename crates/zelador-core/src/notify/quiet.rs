//! Quiet hours: when only what is critical is sent.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::unit::Moment;

/// From one time of day to another, over midnight where the second is the earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// They begin.
    pub from: Time,
    /// They end.
    pub to: Time,
    /// The name of their time zone; `None`: that of those who are told.
    pub zone: Option<String>,
}

impl QuietHours {
    /// When the quiet hours end in which `now` lies; `None` if it lies in none. The wall clock is
    /// `ahead_micros` ahead of `now`; `zone` is theirs where they name none.
    pub fn end(&self, now: Moment, ahead_micros: i64, zone: &TimeZone) -> Option<Moment> {
        let own = self.zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let zone = own.unwrap_or_else(|| zone.clone());
        let wall = Moment::from_micros(now.as_micros().saturating_add_signed(ahead_micros));
        let here = wall.timestamp().to_zoned(zone.clone());
        let time = here.time();
        let inside = if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            time >= self.from || time < self.to
        };
        if !inside {
            return None;
        }
        let day = if time < self.to { here.date() } else { here.date().tomorrow().ok()? };
        let end = day.to_datetime(self.to).to_zoned(zone).ok()?;
        let span = end.timestamp().as_microsecond() - here.timestamp().as_microsecond();
        Some(now + std::time::Duration::from_micros(u64::try_from(span).unwrap_or(0).max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Moment {
        let time: jiff::Timestamp = text.parse().unwrap();
        Moment::from_micros(u64::try_from(time.as_microsecond()).unwrap())
    }

    fn hours(from: &str, to: &str) -> QuietHours {
        let zone = Some("America/Sao_Paulo".to_owned());
        QuietHours { from: from.parse().unwrap(), to: to.parse().unwrap(), zone }
    }

    #[test]
    fn a_night_ends_in_the_morning_of_its_own_zone() {
        let night = hours("22:00", "07:00");
        let end = |now: &str| night.end(at(now), 0, &TimeZone::UTC).map(|end| end.to_string());
        // São Paulo is three hours behind.
        let morning = Some("2026-11-28T10:00:00.000Z".to_owned());
        assert_eq!(end("2026-11-28T01:00:00Z"), morning, "22:00 there");
        assert_eq!(end("2026-11-28T09:59:59Z"), morning);
        assert_eq!(end("2026-11-28T10:00:00Z"), None, "07:00 there");
        assert_eq!(end("2026-11-28T00:59:59Z"), None);
    }

    #[test]
    fn a_noon_break_lies_within_one_day_and_follows_the_wall_clock() {
        let noon = hours("12:00", "13:00");
        assert!(noon.end(at("2026-11-28T15:30:00Z"), 0, &TimeZone::UTC).is_some());
        assert!(noon.end(at("2026-11-28T16:30:00Z"), 0, &TimeZone::UTC).is_none());
        let ahead = noon.end(at("2026-11-28T14:30:00Z"), 3_600_000_000, &TimeZone::UTC);
        assert_eq!(ahead, Some(at("2026-11-28T15:00:00Z")), "half an hour from now");
    }
}
