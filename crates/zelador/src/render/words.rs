//! Values in the words that the tables use.

use std::time::Duration;

use jiff::tz::TimeZone;
use zelador_api::Status;
use zelador_api::unit::Moment;

use super::terminal::Colour;

/// How long something has been up, as PM2 says it: the largest unit of which there are two.
pub fn uptime(span: Duration) -> String {
    let seconds = span.as_secs();
    for (unit, name) in [(86_400, "D"), (3600, "h"), (60, "m")] {
        if seconds / unit > 1 {
            return format!("{}{name}", seconds / unit);
        }
    }
    format!("{seconds}s")
}

/// A share of one processor core, with a decimal where it says something.
pub fn cpu(share: f64) -> String {
    let tenths = (share * 10.0).round();
    if tenths % 10.0 == 0.0 {
        format!("{}%", tenths / 10.0)
    } else {
        format!("{:.1}%", tenths / 10.0)
    }
}

/// A moment in a time zone, to the second.
pub fn local(moment: Moment, zone: &TimeZone) -> String {
    moment.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The time of a day, to the millisecond.
pub fn clock(moment: Moment, zone: &TimeZone) -> String {
    moment.timestamp().to_zoned(zone.clone()).strftime("%H:%M:%S.%3f").to_string()
}

/// How long something took, to a tenth of a millisecond; a dash: it was not needed.
pub fn took(span: Duration) -> String {
    if span.is_zero() {
        return "-".to_owned();
    }
    if span.as_secs() > 0 {
        return format!("{:.1} s", span.as_secs_f64());
    }
    format!("{:.1} ms", span.as_secs_f64() * 1e3)
}

/// The colour of a health.
pub fn health_colour(status: Status) -> Colour {
    match status {
        Status::Healthy => Colour::Green,
        Status::Degraded => Colour::Yellow,
        Status::Unhealthy => Colour::Red,
    }
}

/// The colour of PM2's status.
pub fn status_colour(status: &str) -> Colour {
    match status {
        "online" => Colour::Green,
        "errored" | "stopped" => Colour::Red,
        _ => Colour::Yellow,
    }
}

/// A number with its noun: `1 app`, `3 apps`.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_uses_a_unit_only_from_two_of_it_on() {
        let said = |seconds| uptime(Duration::from_secs(seconds));
        assert_eq!(said(0), "0s");
        assert_eq!(said(119), "119s");
        assert_eq!(said(120), "2m");
        assert_eq!(said(7199), "119m");
        assert_eq!(said(7200), "2h");
        assert_eq!(said(172_800), "2D");
    }

    #[test]
    fn a_share_has_a_decimal_only_where_it_says_something() {
        assert_eq!(cpu(0.0), "0%");
        assert_eq!(cpu(0.04), "0%");
        assert_eq!(cpu(12.34), "12.3%");
        assert_eq!(cpu(200.0), "200%");
    }
}
