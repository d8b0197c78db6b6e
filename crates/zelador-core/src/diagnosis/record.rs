//! Records as programs and their collectors write them: escape sequences, what stands before a record, JSON.

use serde_json::{Map, Value};

use super::level::{Level, MONTHS, word_level};
use super::trace::is_frame;

/// Text without escape sequences and control characters.
pub(super) fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']') => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
                _ => {}
            },
            '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// The record without what a collector put before it: compose's `web-1  | `, PM2's `0|web  | `, syslog's
/// `Nov 16 07:57:30 host web[1091]: `.
pub(super) fn unwrapped(line: String) -> String {
    if let Some((before, rest)) = line.split_once("| ")
        && (1..48).contains(&before.len())
        && !before.starts_with(' ')
        && before.trim_end().bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.|".contains(&c))
        && before.ends_with([' ', '|'])
    {
        return rest.trim_start_matches(' ').to_owned();
    }
    let Some((before, rest)) = line.split_once(": ") else { return line };
    let mut words = before.split(' ').filter(|word| !word.is_empty());
    let is_stamp = |word: &str| word.len() >= 19 && word.as_bytes()[10] == b'T';
    let first = words.next().unwrap_or_default();
    let is_month = MONTHS.contains(&first.to_lowercase().as_str());
    let stamped =
        is_stamp(first) || is_month && words.nth(1).is_some_and(|time| time.contains(':'));
    // Then the host and the program, and nothing else.
    let tail: Vec<&str> = words.collect();
    let is_syslog = stamped
        && tail.len() == 2
        && (tail[1].ends_with(']') && tail[1].contains('[') || tail[1] == "kernel");
    if is_syslog { rest.to_owned() } else { line }
}

/// The words and the level of a record in JSON.
pub(super) fn structured(line: &str) -> Option<(String, Level)> {
    let start = line.find('{')?;
    if start > 80 || !line.trim_end().ends_with('}') {
        return None;
    }
    let value: Value = serde_json::from_str(&line[start..]).ok()?;
    let table = value.as_object()?;
    let level = level_of(table);
    let mut words = Vec::new();
    for (key, value) in table {
        if ![
            "req",
            "res",
            "time",
            "timestamp",
            "ts",
            "hostname",
            "level",
            "reqId",
            "headers",
            "body",
            "q",
            "query",
            "user_agent",
        ]
        .contains(&key.as_str())
        {
            strings(key, value, &mut words);
        }
    }
    Some((words.join(" \u{b7} "), level))
}

/// How a record in JSON says how grave it is, in lower case.
const LEVELS: [&str; 9] = [
    "level",
    "severity",
    "lvl",
    "levelname",
    "log.level",
    "loglevel",
    "@l",
    "severitytext",
    "severity_text",
];

fn level_of(table: &Map<String, Value>) -> Level {
    // `MongoDB`'s, one letter beside the component.
    if let (Some(Value::String(letter)), true) = (table.get("s"), table.contains_key("c")) {
        return match letter.as_bytes().first() {
            Some(b'I' | b'D') => Level::Calm,
            Some(b'W') => Level::Warning,
            Some(b'E' | b'F') => Level::Error,
            _ => Level::Unsaid,
        };
    }
    let named = table.iter().find(|(key, _)| LEVELS.contains(&key.to_lowercase().as_str()));
    // Elastic's common schema: `"log": { "level": … }`.
    let nested = table.get("log").and_then(|log| log.get("level"));
    match named.map(|(_, value)| value).or(nested) {
        // pino and bunyan: 30 is information.
        Some(Value::Number(number)) => match number.as_f64().unwrap_or_default() {
            n if n >= 50.0 => Level::Error,
            n if n >= 40.0 => Level::Warning,
            _ => Level::Calm,
        },
        Some(Value::String(word)) => word_level(&word.to_lowercase()).unwrap_or(Level::Unsaid),
        // Serilog leaves information out.
        None if table.contains_key("@t") => Level::Calm,
        _ => Level::Unsaid,
    }
}

/// A text of several lines without the frames of a trace.
fn without_frames(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !is_frame(line)).collect();
    lines.join(" ")
}

fn strings(key: &str, value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text)
            if ["code", "errno", "errorCode", "sqlState", "sqlstate", "status"].contains(&key) =>
        {
            words.push(format!("{key}: {text}"));
        }
        Value::String(text) if text.contains('\n') => words.push(without_frames(text)),
        Value::String(text) => words.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(key, item, words)),
        Value::Object(table) => table.iter().for_each(|(key, item)| strings(key, item, words)),
        Value::Number(number) => words.push(format!("{key}: {number}")),
        Value::Bool(_) | Value::Null => {}
    }
}
