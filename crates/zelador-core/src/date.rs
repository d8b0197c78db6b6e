//! Dates before log lines and in the names of rotated logs, in the words of day.js (PM2's
//! `log_date_format`, pm2-logrotate's `dateFormat`).
//!
//! Pure: a format and a point in time go in, a text comes out; or a text goes in, and whether such
//! a date stands at its beginning comes out. Any text is a format; what is not a token stands for
//! itself.

use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use regex_lite::Regex;

/// A date format, taken apart once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateFormat(Vec<Part>);

/// Recognises the dates of one format.
#[derive(Clone, Debug)]
pub struct DatePattern(Regex);

impl DatePattern {
    /// Returns the date at the beginning of `text` and what follows it; `None` if there is none.
    pub fn split<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str)> {
        self.0.find(text).map(|date| text.split_at(date.end()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Token(&'static str),
}

/// The tokens, a longer one before its beginnings: `REGEX_FORMAT` of day.js, and `X` and `x` of
/// its advanced format.
const TOKENS: [&str; 27] = [
    "YYYY", "YY", "MMMM", "MMM", "MM", "M", "DD", "D", "dddd", "ddd", "dd", "d", "HH", "H", "hh",
    "h", "mm", "m", "SSS", "ss", "s", "ZZ", "Z", "A", "a", "X", "x",
];

impl DateFormat {
    /// Takes a format apart.
    pub fn parse(format: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = format;
        while let Some(first) = rest.chars().next() {
            let escaped = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'));
            if let Some((text, after)) = escaped.filter(|(text, _)| !text.is_empty()) {
                push_text(&mut parts, text);
                rest = after;
            } else if let Some(token) = TOKENS.into_iter().find(|token| rest.starts_with(token)) {
                parts.push(Part::Token(token));
                rest = &rest[token.len()..];
            } else {
                push_text(&mut parts, &rest[..first.len_utf8()]);
                rest = &rest[first.len_utf8()..];
            }
        }
        Self(parts)
    }

    /// Returns what recognises such dates.
    pub fn pattern(&self) -> DatePattern {
        let mut pattern = "^(?:".to_owned();
        for part in &self.0 {
            match part {
                Part::Text(own) => pattern.push_str(&regex_lite::escape(own)),
                Part::Token(token) => pattern.push_str(&token_pattern(token)),
            }
        }
        pattern.push(')');
        DatePattern(Regex::new(&pattern).expect("tokens and escaped text are a pattern"))
    }

    /// Whether a later date is also a greater text: the parts go from the year down, all of a fixed
    /// width. Told by the beginning; parts smaller than a second tell nothing more.
    pub fn sorts_by_time(&self) -> bool {
        const DOWN: [&str; 7] = ["YYYY", "MM", "DD", "HH", "mm", "ss", "SSS"];
        let tokens = self.0.iter().filter_map(|part| match part {
            Part::Token(token) => Some(*token),
            Part::Text(_) => None,
        });
        let tokens: Vec<&str> = tokens.collect();
        !tokens.is_empty() && DOWN.starts_with(&tokens)
    }

    /// Returns the date of `at` as seen in `zone`.
    pub fn render(&self, at: Timestamp, zone: &TimeZone) -> String {
        let date = at.to_zoned(zone.clone());
        let mut text = String::with_capacity(32);
        for part in &self.0 {
            match part {
                Part::Text(own) => text.push_str(own),
                // Writing to a string cannot fail.
                Part::Token(token) => _ = write_token(&mut text, token, &date),
            }
        }
        text
    }
}

fn push_text(parts: &mut Vec<Part>, more: &str) {
    if let Some(Part::Text(text)) = parts.last_mut() {
        text.push_str(more);
    } else {
        parts.push(Part::Text(more.to_owned()));
    }
}

fn write_token(text: &mut String, token: &str, date: &Zoned) -> std::fmt::Result {
    let twelve = |hour: i8| if hour % 12 == 0 { 12 } else { hour % 12 };
    let weekday = date.weekday().to_sunday_zero_offset();
    let day_name = DAYS[usize::from(weekday.unsigned_abs()) % 7];
    let month_name = MONTHS[usize::from(date.month().unsigned_abs()).saturating_sub(1) % 12];
    match token {
        "YYYY" => write!(text, "{:04}", date.year()),
        "YY" => write!(text, "{:02}", date.year().rem_euclid(100)),
        "MMMM" => write!(text, "{month_name}"),
        "MMM" => write!(text, "{}", &month_name[..3]),
        "MM" => write!(text, "{:02}", date.month()),
        "M" => write!(text, "{}", date.month()),
        "DD" => write!(text, "{:02}", date.day()),
        "D" => write!(text, "{}", date.day()),
        "dddd" => write!(text, "{day_name}"),
        "ddd" => write!(text, "{}", &day_name[..3]),
        "dd" => write!(text, "{}", &day_name[..2]),
        "d" => write!(text, "{weekday}"),
        "HH" => write!(text, "{:02}", date.hour()),
        "H" => write!(text, "{}", date.hour()),
        "hh" => write!(text, "{:02}", twelve(date.hour())),
        "h" => write!(text, "{}", twelve(date.hour())),
        "mm" => write!(text, "{:02}", date.minute()),
        "m" => write!(text, "{}", date.minute()),
        "ss" => write!(text, "{:02}", date.second()),
        "s" => write!(text, "{}", date.second()),
        "SSS" => write!(text, "{:03}", date.millisecond()),
        "Z" => write_offset(text, date, ":"),
        "ZZ" => write_offset(text, date, ""),
        "A" => write!(text, "{}", if date.hour() < 12 { "AM" } else { "PM" }),
        "a" => write!(text, "{}", if date.hour() < 12 { "am" } else { "pm" }),
        "X" => write!(text, "{}", date.timestamp().as_second()),
        _ => write!(text, "{}", date.timestamp().as_millisecond()),
    }
}

fn token_pattern(token: &str) -> String {
    let any_of = |names: &[&str], length: usize| {
        let names: Vec<&str> = names.iter().map(|name| &name[..length.min(name.len())]).collect();
        format!("(?:{})", names.join("|"))
    };
    match token {
        "YYYY" => "[0-9]{4}".to_owned(),
        "YY" | "MM" | "DD" | "HH" | "hh" | "mm" | "ss" => "[0-9]{2}".to_owned(),
        "M" | "D" | "H" | "h" | "m" | "s" => "[0-9]{1,2}".to_owned(),
        "SSS" => "[0-9]{3}".to_owned(),
        "MMMM" => any_of(&MONTHS, usize::MAX),
        "MMM" => any_of(&MONTHS, 3),
        "dddd" => any_of(&DAYS, usize::MAX),
        "ddd" => any_of(&DAYS, 3),
        "dd" => any_of(&DAYS, 2),
        "d" => "[0-6]".to_owned(),
        "Z" => "[+-][0-9]{2}:[0-9]{2}".to_owned(),
        "ZZ" => "[+-][0-9]{4}".to_owned(),
        "A" => "[AP]M".to_owned(),
        "a" => "[ap]m".to_owned(),
        _ => "-?[0-9]+".to_owned(),
    }
}

fn write_offset(text: &mut String, date: &Zoned, between: &str) -> std::fmt::Result {
    let seconds = date.offset().seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    write!(text, "{sign}{:02}{between}{:02}", minutes / 60, minutes % 60)
}

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: &str, offset_hours: i8, format: &str) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(offset_hours));
        let at: Timestamp = date.parse().unwrap();
        DateFormat::parse(format).render(at, &zone)
    }

    #[test]
    fn every_token_means_what_day_js_means() {
        // Expected: dayjs 1.11 with advancedFormat.
        let table = [
            ("YYYY-MM-DD HH:mm:ss Z", "2026-03-01 00:07:09 -03:00"),
            ("YYYY-MM-DDTHH:mm:ss.SSSZZ", "2026-03-01T00:07:09.045-0300"),
            ("YY M D H m s", "26 3 1 0 7 9"),
            ("MMM MMMM", "Mar March"),
            ("d dd ddd dddd", "0 Su Sun Sunday"),
            ("hh:mm A, h a", "12:07 AM, 12 am"),
            ("X x", "1772334429 1772334429045"),
            ("[at] HH [o'clock] [YYYY]", "at 00 o'clock YYYY"),
            ("[] [unclosed YYYY", "[] [unclo9e0 2026"),
            ("Q w Y S é", "Q w Y S é"),
            ("MMMMM DDD", "March3 011"),
            ("", ""),
        ];
        for (format, expected) in table {
            assert_eq!(at("2026-03-01T03:07:09.045Z", -3, format), expected, "{format}");
        }
        assert_eq!(at("2026-12-31T22:30:00Z", 14, "YYYY hh h A ZZ"), "2027 12 12 PM +1400");
        assert_eq!(at("2026-12-31T23:30:00Z", 0, "hh h a Z"), "11 11 pm +00:00");
    }

    #[test]
    fn every_date_is_recognised_by_its_own_format() {
        let formats = [
            "YYYY-MM-DD_HH-mm-ss",
            "YY M D H m s SSS Z ZZ",
            "dddd ddd dd d MMMM MMM A a hh h X x",
            "[a.b*c] YYYY (x)",
            "",
        ];
        for format in formats {
            for date in ["2026-03-01T03:07:09.045Z", "1969-12-31T23:59:59Z", "2030-11-30T12:00:00Z"]
            {
                let text = format!("{}: a line", at(date, -3, format));
                let split =
                    DateFormat::parse(format).pattern().split(&text).map(|it| it.1.to_owned());
                assert_eq!(split.as_deref(), Some(": a line"), "{format}: {text}");
            }
        }
        let pattern = DateFormat::parse("YYYY-MM-DD").pattern();
        for other in ["2026-1-01", " 2026-01-01", "20260101", "", "été"] {
            assert_eq!(pattern.split(other), None, "{other}");
        }
    }

    #[test]
    fn it_is_known_which_formats_sort() {
        for (format, sorts) in [
            ("YYYY-MM-DD_HH-mm-ss", true),
            ("YYYYMMDD", true),
            ("DD-MM-YYYY", false),
            ("YYYY-DD-MM", false),
            ("HH-mm", false),
            ("[old]", false),
            ("X", false),
        ] {
            assert_eq!(DateFormat::parse(format).sorts_by_time(), sorts, "{format}");
        }
    }
}
