//! How one line is shown.
//!
//! Always holds: nothing that an app wrote reaches a terminal as a control sequence, except by
//! `--raw`, and colours where the terminal shows them; an object of JSON is valid whatever the line
//! holds.

use std::collections::BTreeSet;
use std::io::{self, Write};

use jiff::Zoned;
use serde::{Deserialize, Serialize};
use zelador_api::date::DateFormat;
use zelador_api::spec::LogFormat;

use super::sources::{Source, Stream};
use crate::cli::Logs;
use crate::render::terminal::{Colour, Terminal};
use crate::render::text;
use crate::voice;

/// The date of `--format`: PM2's.
const FORMAT_DATE: &str = "YYYY-MM-DD-HH:mm:ssZZ";

/// How wide PM2 makes what stands before a line.
const PM2_WIDTH: usize = 10;

/// How lines are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// `0|api | line`.
    Prefixed,
    /// As the app wrote them.
    Raw,
    /// An object each.
    Json,
    /// `timestamp=… app=… id=… type=… message=…`
    Words,
}

/// Writes lines as they were asked for.
pub struct Printer<W: Write> {
    terminal: Terminal,
    look: Look,
    timestamp: Option<DateFormat>,
    highlight: Option<String>,
    width: usize,
    /// Apps in the order of their colours; empty where there is only one.
    apps: Vec<String>,
    out: W,
}

/// PM2's fields, in its order.
#[derive(Serialize)]
struct Object<'a> {
    message: &'a str,
    timestamp: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a str,
    process_id: Option<u32>,
    app_name: &'a str,
}

/// A line that is an object already.
#[derive(Deserialize)]
struct Written {
    message: String,
    timestamp: String,
}

impl<W: Write> Printer<W> {
    /// Returns one for lines of these files.
    pub fn new(terminal: Terminal, asked: &Logs, sources: &[Source], out: W) -> Self {
        let look = match asked {
            Logs { json: true, .. } => Look::Json,
            Logs { format: true, .. } => Look::Words,
            Logs { raw: true, .. } => Look::Raw,
            _ => Look::Prefixed,
        };
        let least = if voice::is_pm2() { PM2_WIDTH } else { 0 };
        let highlight = asked.highlight.as_deref().map(|it| text::plain(it).into_owned());
        Self {
            terminal,
            look,
            timestamp: asked.timestamp.as_deref().map(DateFormat::parse),
            highlight: highlight.filter(|it| !it.is_empty()),
            apps: apps(sources),
            width: sources
                .iter()
                .map(|it| it.owner().chars().count())
                .max()
                .unwrap_or(0)
                .max(least),
            out,
        }
    }

    /// Has lines of one more file stand below each other.
    pub fn make_room(&mut self, source: &Source) {
        self.width = self.width.max(source.owner().chars().count());
        // One more colour; the others keep theirs.
        if !self.apps.is_empty() && !self.apps.contains(&source.app) {
            self.apps.push(source.app.clone());
        }
    }

    /// Writes one line, which `is_new`, or stood there before.
    pub fn line(&mut self, source: &Source, line: &[u8], is_new: bool) -> io::Result<()> {
        match self.look {
            Look::Raw => self.raw(source, line),
            Look::Prefixed => self.prefixed(source, line, is_new),
            Look::Json | Look::Words => self.taken_apart(source, line, is_new),
        }
    }

    /// Says what became of an app, where objects are asked for.
    pub fn event(&mut self, app: &str, status: &str) -> io::Result<()> {
        if self.look != Look::Json {
            return Ok(());
        }
        let timestamp = now().timestamp().to_string();
        let object = serde_json::json!({
            "timestamp": timestamp, "type": "process_event", "status": status, "app_name": app,
        });
        writeln!(self.out, "{}", text::json(object.to_string()))
    }

    /// Whether lines have to say whose files they are from.
    pub fn has_headings(&self) -> bool {
        self.look == Look::Prefixed
    }

    /// Hands on what was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn raw(&mut self, source: &Source, line: &[u8]) -> io::Result<()> {
        if source.stream == Stream::Err {
            return io::stderr().lock().write_all(&[line, b"\n"].concat());
        }
        self.out.write_all(line)?;
        self.out.write_all(b"\n")
    }

    fn prefixed(&mut self, source: &Source, line: &[u8], is_new: bool) -> io::Result<()> {
        let line = String::from_utf8_lossy(line);
        let line = text::log_line(&line, self.terminal.log_colours());
        let line = self.highlighted(&line);
        if let Some(format) = &self.timestamp {
            let now = now();
            let date = format.render(now.timestamp(), now.time_zone());
            // When a line that stood there before was written, is not known.
            let date = if is_new { date } else { " ".repeat(date.chars().count()) };
            write!(self.out, "{} ", self.terminal.paint(&text::plain(&date), Colour::Grey))?;
        }
        let owner = source.owner();
        if owner.is_empty() {
            return writeln!(self.out, "{line}");
        }
        let place = self.apps.iter().position(|app| *app == source.app);
        let colour = match (source.stream, place) {
            (Stream::Err, _) => Colour::Red,
            (Stream::Out, None) => Colour::Green,
            (Stream::Out, Some(place)) => Colour::OF_APPS[place % Colour::OF_APPS.len()],
        };
        let owner = format!("{:<width$} |", text::plain(&owner), width = self.width);
        writeln!(self.out, "{} {line}", self.terminal.paint(&owner, colour))
    }

    /// Shows a text of the user's in reverse video.
    fn highlighted(&self, line: &str) -> String {
        match &self.highlight {
            Some(wanted) if self.terminal.colours => {
                line.replace(wanted.as_str(), &format!("\x1b[7m{wanted}\x1b[27m"))
            }
            _ => line.to_owned(),
        }
    }

    fn taken_apart(&mut self, source: &Source, line: &[u8], is_new: bool) -> io::Result<()> {
        let line = String::from_utf8_lossy(line);
        let (mut message, mut date) = (line.as_ref(), None);
        let written: Option<Written> =
            (source.format == LogFormat::Json).then(|| serde_json::from_str(&line).ok()).flatten();
        if let Some(written) = &written {
            (message, date) = (written.message.as_str(), Some(written.timestamp.clone()));
        } else if let Some((before, rest)) = source.date.as_ref().and_then(|it| it.split(&line))
            && let Some(rest) = rest.strip_prefix(": ")
        {
            (message, date) = (rest, Some(before.to_owned()));
        }
        let (app, id) = (if source.app.is_empty() { "zelador" } else { &source.app }, source.id);
        if self.look == Look::Json {
            let date = date.or_else(|| is_new.then(|| format!("{:.3}", now().timestamp())));
            let kind = if source.stream == Stream::Out { "out" } else { "err" };
            let (timestamp, process_id, app_name) = (date.as_deref(), id, app);
            let object = Object { message, timestamp, kind, process_id, app_name };
            let json = serde_json::to_string(&object)?;
            return writeln!(self.out, "{}", text::json(json));
        }
        let seen = || {
            let now = now();
            DateFormat::parse(FORMAT_DATE).render(now.timestamp(), now.time_zone())
        };
        let date = date.or_else(|| is_new.then(seen)).unwrap_or_default();
        let kind = if source.stream == Stream::Out { "out" } else { "error" };
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        let (app, message) = (text::plain(app), text::log_line(message, text::Colours::Drop));
        let date = text::plain(&date);
        writeln!(self.out, "timestamp={date} app={app} id={id} type={kind} message={message}")
    }
}

/// The apps that need a colour each.
fn apps(sources: &[Source]) -> Vec<String> {
    let names: BTreeSet<&String> = sources.iter().map(|source| &source.app).collect();
    if names.len() < 2 { Vec::new() } else { names.into_iter().cloned().collect() }
}

fn now() -> Zoned {
    Zoned::now()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::Value;

    use super::*;

    fn source(stream: Stream, date: Option<&str>, format: LogFormat) -> Source {
        let date = date.map(|date| DateFormat::parse(date).pattern());
        let (app, id, path) = ("api".to_owned(), Some(0), PathBuf::from("api-out.log"));
        Source { app, id, stream, path, date, format }
    }

    fn shown(asked: &Logs, colours: bool, source: &Source, line: &[u8], is_new: bool) -> String {
        let terminal = Terminal { width: 80, colours };
        let sources = [source.clone()];
        let mut printer = Printer::new(terminal, asked, &sources, Vec::new());
        printer.line(source, line, is_new).unwrap();
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn fuzz_lines_of_logs() {
        let good: [&[u8]; 4] = [
            b"2026-01-01: plain",
            b"\x1b[31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x07",
            br#"{"message":"a\u001b[2J","timestamp":"2026-01-01T00:00:00Z","type":"out"}"#,
            "\u{202e}\u{9b}2J\u{feff}S\u{e3}o".as_bytes(),
        ];
        let asked = [
            Logs { highlight: Some("re".to_owned()), ..Logs::default() },
            Logs { json: true, ..Logs::default() },
            Logs { format: true, ..Logs::default() },
        ];
        let sources = [LogFormat::Raw, LogFormat::Json]
            .map(|format| source(Stream::Out, Some("YYYY-MM-DD"), format));
        zelador_testbed::fuzz::fuzz("lines of logs", &good, |line| {
            for asked in &asked {
                for source in &sources {
                    let mut out = Vec::new();
                    let terminal = Terminal { width: 80, colours: false };
                    let sources = std::slice::from_ref(source);
                    Printer::new(terminal, asked, sources, &mut out)
                        .line(source, line, true)
                        .unwrap();
                    let shown = String::from_utf8(out).unwrap();
                    let line = shown.strip_suffix('\n').unwrap();
                    assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
                }
            }
        });
    }

    #[test]
    fn a_line_has_its_owner_before_it_and_no_escape_sequence_in_it() {
        let raw = source(Stream::Out, None, LogFormat::Raw);
        let line = b"\x1b[31mred\x1b[0m \x1b]0;owned\x07\xff";
        assert_eq!(shown(&Logs::default(), false, &raw, line, true), "0|api | red \u{fffd}\n");
        let asked = Logs { timestamp: Some("[at] YYYY".to_owned()), ..Logs::default() };
        assert!(shown(&asked, false, &raw, b"x", true).starts_with("at 20"));
        assert_eq!(shown(&asked, false, &raw, b"x", false), "        0|api | x\n");
    }

    #[test]
    fn several_apps_are_told_apart_by_colour_and_standard_error_is_red() {
        let of = |app: &str, stream| Source {
            app: app.to_owned(),
            ..source(stream, None, LogFormat::Raw)
        };
        let sources = [of("api", Stream::Out), of("web", Stream::Out), of("web", Stream::Err)];
        let terminal = Terminal { width: 80, colours: true };
        let mut printer = Printer::new(terminal, &Logs::default(), &sources, Vec::new());
        for source in &sources {
            printer.line(source, b"x", true).unwrap();
        }
        let shown = String::from_utf8(printer.out).unwrap();
        let codes: Vec<&str> = shown.lines().map(|line| &line[2..4]).collect();
        assert_eq!(codes, ["32", "36", "31"], "{shown}");
    }

    #[test]
    fn what_is_to_be_highlighted_is_shown_in_reverse_on_a_terminal_only() {
        let raw = source(Stream::Err, None, LogFormat::Raw);
        let asked = Logs { highlight: Some("ba".to_owned()), ..Logs::default() };
        assert_eq!(shown(&asked, false, &raw, b"foo bar baz", true), "0|api | foo bar baz\n");
        let line = "\x1b[31m0|api |\x1b[0m foo \x1b[7mba\x1b[27mr \x1b[7mba\x1b[27mz\n";
        assert_eq!(shown(&asked, true, &raw, b"foo bar baz", true), line);
    }

    #[test]
    fn an_object_has_what_is_known_of_any_line() {
        let json = Logs { json: true, ..Logs::default() };
        let object = |source: &Source, line: &[u8], is_new| -> Value {
            serde_json::from_str(&shown(&json, false, source, line, is_new)).unwrap()
        };
        let raw = source(Stream::Err, None, LogFormat::Raw);
        let new = object(&raw, b"a \"b\" \xff\x1b[2J", true);
        assert_eq!(new["message"], "a \"b\" \u{fffd}\x1b[2J");
        assert_eq!((&new["type"], &new["process_id"]), (&"err".into(), &0.into()));
        assert!(new["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(object(&raw, b"x", false)["timestamp"], Value::Null, "nobody knows");
        let dated = source(Stream::Out, Some("YYYY-MM-DD"), LogFormat::Raw);
        let old = object(&dated, b"2026-11-24: x: y", false);
        assert_eq!((&old["timestamp"], &old["message"]), (&"2026-11-24".into(), &"x: y".into()));
        let written = source(Stream::Out, Some("YYYY"), LogFormat::Json);
        let line = br#"{"message":"m","timestamp":"2026","type":"out","process_id":0}"#;
        let same = object(&written, line, false);
        assert_eq!((&same["timestamp"], &same["message"]), (&"2026".into(), &"m".into()));
        let words = Logs { format: true, ..Logs::default() };
        let line = "timestamp=2026-11-24 app=api id=0 type=out message=x: y \n";
        assert_eq!(shown(&words, false, &dated, b"2026-11-24: x: y \x1b[2J", false), line);
    }
}
