//! Which lines are shown: by time, by words, by level.
//!
//! Always holds: a line that says neither its time nor its level goes with the one before it, so that a
//! stack trace stays whole; what no line says hides nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;
use zelador_api::spec::LogFormat;

use super::sources::{Source, Stream};
use crate::cli::Logs;
use crate::failure::Failure;

/// How much a line matters, as loggers say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Level {
    /// Every step.
    Trace,
    /// For developers.
    Debug,
    /// What happens.
    Info,
    /// What should not happen.
    #[value(alias = "warning")]
    Warn,
    /// What went wrong.
    Error,
    /// What ended it.
    #[value(alias = "critical")]
    Fatal,
}

/// What is asked of lines.
#[derive(Debug)]
pub struct Filter {
    since: Option<Timestamp>,
    pattern: Option<Regex>,
    level: Option<Level>,
    zone: TimeZone,
    /// What the last line of each file said.
    last: BTreeMap<PathBuf, Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    at: Option<Timestamp>,
    level: Level,
}

impl Filter {
    /// Returns what the command line asks for; `now` is when it does.
    ///
    /// # Errors
    /// A time or a pattern is none.
    pub fn new(asked: &Logs, now: &Zoned) -> Result<Self, Failure> {
        let since = match asked.since.as_deref() {
            None => None,
            Some(text) => Some(since(text, now).ok_or_else(|| {
                Failure::new(format!(
                    "--since is {text:?}; allowed: a span like `10m`, `2h`, `3d`, a time of today like \
                     `14:30`, or `2026-11-28 14:30`"
                ))
            })?),
        };
        let pattern = match asked.grep.as_deref() {
            None => None,
            Some(text) => {
                // As ripgrep's smart case: only a capital makes capitals matter.
                let any_case = !text.chars().any(char::is_uppercase);
                let built = RegexBuilder::new(text).case_insensitive(any_case).build();
                Some(built.map_err(|error| {
                    Failure::new(format!(
                        "--grep is {text:?}; allowed: a regular expression ({error})"
                    ))
                })?)
            }
        };
        let (level, zone) = (asked.level, now.time_zone().clone());
        Ok(Self { since, pattern, level, zone, last: BTreeMap::new() })
    }

    /// From when on lines are shown.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// The same as clocks here show it.
    pub fn since_told(&self) -> Option<String> {
        let since = self.since?.to_zoned(self.zone.clone());
        Some(since.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    /// Whether anything is asked.
    pub fn is_idle(&self) -> bool {
        self.since.is_none() && self.pattern.is_none() && self.level.is_none()
    }

    /// Whether a line is shown; `is_new` is one that is written now.
    pub fn takes(&mut self, source: &Source, line: &[u8], is_new: bool) -> bool {
        if self.is_idle() {
            return true;
        }
        let text = String::from_utf8_lossy(line);
        let object: Option<Value> =
            text.trim_start().starts_with('{').then(|| serde_json::from_str(&text).ok()).flatten();
        let usual = if source.stream == Stream::Err { Level::Error } else { Level::Info };
        let before = self.last.get(&source.path).copied();
        let before = before.unwrap_or(Last { at: None, level: usual });
        let continues = text.starts_with([' ', '\t']) || text.starts_with("Caused by");
        let level = match level_of(&text, object.as_ref()) {
            Some(level) => level,
            None if continues => before.level,
            None => usual,
        };
        let at = self.time_of(source, &text, object.as_ref()).or(before.at);
        self.last.insert(source.path.clone(), Last { at, level });
        let late = self.since.is_none_or(|since| is_new || at.is_none_or(|at| at >= since));
        late && self.level.is_none_or(|least| level >= least)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(&text))
    }

    /// When a line says that it was written.
    fn time_of(&self, source: &Source, text: &str, object: Option<&Value>) -> Option<Timestamp> {
        if let Some(object) = object {
            let said =
                ["timestamp", "time", "ts", "@timestamp"].iter().find_map(|it| object.get(it))?;
            return match said {
                // pino counts milliseconds.
                Value::Number(millis) => Timestamp::from_millisecond(millis.as_i64()?).ok(),
                said => moment(said.as_str()?, &self.zone),
            };
        }
        if source.format == LogFormat::Raw
            && let Some((date, _)) = source.date.as_ref().and_then(|it| it.split(text))
            && let Some(at) = moment(date, &self.zone)
        {
            return Some(at);
        }
        // The app's own date, perhaps between brackets.
        let text = text.trim_start_matches('[');
        text.starts_with(|c: char| c.is_ascii_digit()).then(|| leading(text, &self.zone)).flatten()
    }
}

/// The date that a line begins with: one word, or two of them.
fn leading(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let mut ends = text.match_indices([' ', ']', ',']).map(|(at, _)| at).take(3);
    let (first, second, third) = (ends.next(), ends.next(), ends.next());
    let until = |end: Option<usize>| text.get(..end.unwrap_or(text.len()));
    [third, second, first].into_iter().find_map(|end| moment(until(end)?, zone))
}

/// Reads a date with a time, as loggers write them.
fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim().trim_end_matches([':', ']', ',']);
    let mut whole = text.replacen('/', "-", 2).replacen(',', ".", 1);
    if let Some(at) = whole.find(' ') {
        whole.replace_range(at..=at, "T");
    }
    // `2026-11-28T10:00:00 -03:00`
    let whole: String = whole.chars().filter(|c| *c != ' ').collect();
    if !whole.contains('T') || !whole.is_char_boundary(4) || whole.as_bytes().get(4) != Some(&b'-')
    {
        return None;
    }
    if let Ok(at) = whole.parse::<Timestamp>() {
        return Some(at);
    }
    let local: jiff::civil::DateTime = whole.parse().ok()?;
    Some(local.to_zoned(zone.clone()).ok()?.timestamp())
}

/// A span before now, a time of today, or a date.
fn since(text: &str, now: &Zoned) -> Option<Timestamp> {
    let text = text.trim();
    let zone = now.time_zone();
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    if let Ok(count) = digits.parse::<i64>() {
        let seconds = match unit {
            "s" => Some(1),
            "m" | "min" => Some(60),
            "h" => Some(3_600),
            "d" => Some(86_400),
            "w" => Some(604_800),
            _ => None,
        };
        if let Some(seconds) = seconds {
            let span = jiff::SignedDuration::from_secs(count.checked_mul(seconds)?);
            return now.timestamp().checked_sub(span).ok();
        }
    }
    if text.contains(':')
        && !text.contains('-')
        && let Ok(time) = text.parse::<jiff::civil::Time>()
    {
        return Some(now.date().to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp());
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == "2026-11-28".len()
    {
        return Some(date.to_zoned(zone.clone()).ok()?.timestamp());
    }
    moment(text, zone)
}

/// The level that a line says.
fn level_of(text: &str, object: Option<&Value>) -> Option<Level> {
    if let Some(object) = object {
        let said = object.get("level").or_else(|| object.get("severity"))?;
        return match said {
            // pino and bunyan: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal.
            Value::Number(number) => Some(match number.as_i64()? {
                ..=19 => Level::Trace,
                20..=29 => Level::Debug,
                30..=39 => Level::Info,
                40..=49 => Level::Warn,
                50..=59 => Level::Error,
                _ => Level::Fatal,
            }),
            said => level_word(said.as_str()?),
        };
    }
    // `level=warn`, `[ERROR]`, `warn:`, `12:30:01 INFO …`: among the first words.
    let words = text.split([' ', '\t', '|', '[', ']', '(', ')']).filter(|word| !word.is_empty());
    words.take(6).find_map(|word| {
        let is_key = word.starts_with("level=") || word.starts_with("lvl=");
        let bare = word.rsplit_once('=').filter(|_| is_key).map_or(word, |(_, value)| value);
        let marked = is_key
            || word.ends_with(':')
            || word.chars().all(|c| c.is_ascii_uppercase() || !c.is_alphabetic())
            || text.contains(&format!("[{word}]"));
        let bare = bare.trim_matches(|c: char| !c.is_ascii_alphabetic());
        // `TypeError: …`: Node says it so.
        let is_error = word.ends_with("Error:") || word.ends_with("Exception:");
        if is_error { Some(Level::Error) } else { level_word(bare).filter(|_| marked) }
    })
}

fn level_word(word: &str) -> Option<Level> {
    Some(match word.to_ascii_lowercase().as_str() {
        "trace" | "silly" => Level::Trace,
        "debug" | "verbose" | "dbg" => Level::Debug,
        "info" | "notice" | "http" | "log" => Level::Info,
        "warn" | "warning" | "wrn" => Level::Warn,
        "error" | "err" | "severe" => Level::Error,
        "fatal" | "critical" | "crit" | "panic" | "alert" | "emerg" => Level::Fatal,
        _ => return None,
    })
}

/// Whether a file may have lines from then on.
pub fn is_late(path: &Path, since: Option<Timestamp>) -> bool {
    let Some(since) = since else { return true };
    let written = std::fs::metadata(path).and_then(|it| it.modified());
    written.is_ok_and(|at| Timestamp::try_from(at).is_ok_and(|at| at >= since))
}

#[cfg(test)]
mod tests {
    use zelador_api::date::DateFormat;

    use super::*;

    const NOON: &str = "2026-11-28T12:00:00-03:00[America/Sao_Paulo]";

    fn source(stream: Stream, date: Option<&str>) -> Source {
        let date = date.map(|date| DateFormat::parse(date).pattern());
        let (app, path) = ("api".to_owned(), PathBuf::from("api-out.log"));
        Source { app, id: Some(0), stream, path, date, format: LogFormat::Raw }
    }

    #[test]
    fn the_time_that_was_asked_for_is_told_as_clocks_here_show_it() {
        let told = |since| filter(Some(since), None, None).since_told();
        assert_eq!(told("2026-11-28 14:30").as_deref(), Some("2026-11-28 14:30:00"));
        assert_eq!(filter(None, None, None).since_told(), None);
    }

    fn filter(since: Option<&str>, grep: Option<&str>, level: Option<Level>) -> Filter {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let asked = Logs { since: own(since), grep: own(grep), level, ..Logs::default() };
        Filter::new(&asked, &NOON.parse().unwrap()).unwrap()
    }

    #[test]
    fn times_are_spans_times_of_today_and_dates() {
        let now: Zoned = NOON.parse().unwrap();
        let at = |text| since(text, &now).map(|at| at.to_string());
        let utc = |text: &str| Some(text.to_owned());
        assert_eq!(at("90m"), utc("2026-11-28T13:30:00Z"));
        assert_eq!(at("1d"), utc("2026-11-27T15:00:00Z"));
        assert_eq!(at("11:30"), utc("2026-11-28T14:30:00Z"));
        assert_eq!(at("2026-11-27"), utc("2026-11-27T03:00:00Z"));
        assert_eq!(at("2026-11-27 10:00"), utc("2026-11-27T13:00:00Z"));
        assert_eq!(at("2026-11-27T10:00:00Z"), utc("2026-11-27T10:00:00Z"));
        for wrong in ["", "soon", "10", "10 parsecs", "25:00", "2026-13-01"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_is_as_late_as_it_or_the_one_before_it_says() {
        for (date, early, late) in [
            (
                Some("YYYY-MM-DD HH:mm:ss Z"),
                "2026-11-28 11:00:00 -03:00: x",
                "2026-11-28 11:59:00 -03:00: x",
            ),
            (Some("YYYY-MM-DDTHH:mm:ss"), "2026-11-28T11:00:00: x", "2026-11-28T11:59:00: x"),
            (None, "[2026-11-28 11:00:00,123] x", "[2026-11-28 11:59:00,123] x"),
            (None, "2026-11-28T14:00:00.000Z x", "2026-11-28T14:59:00.000Z x"),
            (None, r#"{"time":"2026-11-28T14:00:00Z"}"#, r#"{"time":1795877940000}"#),
        ] {
            let (mut filter, source) = (filter(Some("10m"), None, None), source(Stream::Out, date));
            assert!(filter.takes(&source, b"who knows", false), "nothing says when");
            assert!(!filter.takes(&source, early.as_bytes(), false), "{early}");
            assert!(!filter.takes(&source, b"    at early (x.js:1)", false), "{early}");
            assert!(filter.takes(&source, late.as_bytes(), false), "{late}");
            assert!(filter.takes(&source, b"    at late (x.js:1)", false), "{late}");
        }
    }

    #[test]
    fn levels_are_those_that_loggers_write() {
        let (mut least, out) = (filter(None, None, Some(Level::Warn)), source(Stream::Out, None));
        for line in [
            "[ERROR] x",
            "warn: x",
            "12:30:01 WARN x",
            "time=\"x\" level=error msg=x",
            r#"{"level":40,"msg":"x"}"#,
            r#"{"level":"fatal"}"#,
            "TypeError: x is not a function",
        ] {
            assert!(least.takes(&out, line.as_bytes(), true), "{line}");
            assert!(least.takes(&out, b"    at x (y.js:1)", true), "its trace goes with it");
        }
        for line in ["INFO x", "an error that a person tells of", r#"{"level":30}"#, "[debug] x"] {
            assert!(!least.takes(&out, line.as_bytes(), true), "{line}");
            assert!(!least.takes(&out, b"    more of it", true), "{line}");
        }
        assert!(least.takes(&source(Stream::Err, None), b"boom", true), "standard error");
    }

    #[test]
    fn a_pattern_in_small_letters_means_capitals_too() {
        let out = source(Stream::Out, None);
        let mut small = filter(None, Some("time(d )?out"), None);
        assert!(small.takes(&out, b"Timed out", true) && !small.takes(&out, b"fine", true));
        let mut capital = filter(None, Some("Timed"), None);
        assert!(
            capital.takes(&out, b"Timed out", true) && !capital.takes(&out, b"timed out", true)
        );
        let asked = Logs { grep: Some("(".to_owned()), ..Logs::default() };
        assert!(Filter::new(&asked, &NOON.parse().unwrap()).is_err());
    }
}
