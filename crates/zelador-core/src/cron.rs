//! When the clock asks for a restart. Pure: pattern, moment and time zone go in, a moment comes out.

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;

use crate::spec::CronPattern;
use crate::unit::Moment;

/// Reads a pattern of five fields, or six with seconds first; says what is wrong with another.
pub(crate) fn parse(text: &str) -> Result<Cron, String> {
    CronParser::builder()
        .seconds(Seconds::Optional)
        .build()
        .parse(text)
        .map_err(|error| error.to_string())
}

/// Returns the first moment after `now` that the pattern names in `zone`; `None` if there is none.
pub fn next(pattern: &CronPattern, now: Moment, zone: &TimeZone) -> Option<Moment> {
    let cron = parse(pattern.as_str()).ok()?;
    let next = cron.find_next_occurrence(&now.timestamp().to_zoned(zone.clone()), false).ok()?;
    u64::try_from(next.timestamp().as_microsecond()).ok().map(Moment::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_occurrence_is_in_local_time_and_later_than_now() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        let pattern = CronPattern::new("0 3 * * *").unwrap();
        let now = Moment::from_micros(1_700_000_000_000_000); // 2023-11-14T22:13:20Z
        let next = next(&pattern, now, &zone).unwrap();
        assert_eq!(next.to_string(), "2023-11-15T06:00:00.000Z");
        let after = super::next(&pattern, next, &zone).unwrap();
        assert_eq!(after.to_string(), "2023-11-16T06:00:00.000Z");
    }

    #[test]
    fn a_wrong_pattern_is_refused_with_a_reason() {
        assert!(CronPattern::new("61 * * * *").is_err());
        assert!(CronPattern::new("often").is_err());
        assert!(CronPattern::new("*/5 * * * * *").is_ok(), "six fields begin with seconds");
    }
}
