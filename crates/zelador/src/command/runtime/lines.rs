//! Lines of apps in a format: read from the files that they pass through, written to our outputs.
//!
//! Always holds: lines of one stream stay in order; everything that was written before the guardian
//! ended is told before this process ends.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use jiff::Zoned;
use serde::Serialize;
use zelador_api::AppView;

use crate::cli::boot::Runtime;
use crate::tail::Tail;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `0|api  | text`
    Prefixed,
    /// An object.
    Json,
    /// `timestamp=… app=… id=… type=… message=…`
    Words,
}

impl Format {
    /// Returns the format that is asked for; `None`: lines are not touched.
    pub fn asked(wish: &Runtime) -> Option<Self> {
        match wish {
            Runtime { json: true, .. } => Some(Self::Json),
            Runtime { format: true, .. } => Some(Self::Words),
            Runtime { formatted: true, .. } => Some(Self::Prefixed),
            _ => None,
        }
    }

    fn line(self, owner: &Owner, width: usize, now: &str, text: &[u8]) -> Vec<u8> {
        let Owner { id, app, is_err } = owner;
        let kind = if *is_err { "error" } else { "out" };
        match self {
            Self::Prefixed => {
                let owner = format!("{id}|{app}");
                let mut line = format!("{owner:width$} | ").into_bytes();
                line.extend_from_slice(text);
                line.push(b'\n');
                line
            }
            Self::Json => {
                let kind = if *is_err { "err" } else { "out" };
                let message = &String::from_utf8_lossy(text);
                let object =
                    Object { message, timestamp: now, kind, process_id: *id, app_name: app };
                let mut line = serde_json::to_vec(&object).expect("every key is text");
                line.push(b'\n');
                line
            }
            Self::Words => {
                let text = String::from_utf8_lossy(text);
                format!("timestamp={now} app={app} id={id} type={kind} message={text}\n")
                    .into_bytes()
            }
        }
    }
}

/// PM2's fields, in its order.
#[derive(Serialize)]
struct Object<'a> {
    message: &'a str,
    timestamp: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    process_id: u32,
    app_name: &'a str,
}

/// Whose line it is.
struct Owner {
    id: u32,
    app: String,
    is_err: bool,
}

/// Follows the files of all apps.
pub struct Follower {
    format: Format,
    known: BTreeSet<PathBuf>,
    tails: Vec<(Owner, Tail)>,
}

impl Follower {
    /// Returns one that follows nothing yet.
    pub fn new(format: Format) -> Self {
        Self { format, known: BTreeSet::new(), tails: Vec::new() }
    }

    /// Follows the files of these apps from their beginning, too.
    pub fn take_on(&mut self, apps: Vec<AppView>) {
        for AppView { instance, out_log, err_log, .. } in apps {
            for (path, is_err) in [(out_log, false), (err_log, true)] {
                let Some(path) = path.filter(|path| self.known.insert(path.clone())) else {
                    continue;
                };
                let owner = Owner { id: instance.id.number(), app: instance.app.clone(), is_err };
                self.tails.push((owner, Tail::new(path)));
            }
        }
    }

    /// Tells what is new; at the `end` unfinished lines too.
    ///
    /// # Errors
    /// Our outputs cannot be written.
    pub fn tell(&mut self, end: bool) -> io::Result<()> {
        let width = self.tails.iter().map(|(owner, _)| format!("{}|{}", owner.id, owner.app).len());
        let width = width.max().unwrap_or_default();
        let (format, now) = (self.format, Zoned::now());
        // PM2's dates.
        let now = match format {
            Format::Words => now.strftime("%Y-%m-%d-%H:%M:%S%z").to_string(),
            _ => now.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        };
        for (owner, tail) in &mut self.tails {
            // Formats that carry the kind of a stream are read by programs, from one output.
            let to_err = owner.is_err && format == Format::Prefixed;
            let mut sink = |text: &[u8]| {
                let line = format.line(owner, width, &now, text);
                if to_err { io::stderr().write_all(&line) } else { io::stdout().write_all(&line) }
            };
            match tail.poll(&mut sink) {
                // A log that its app's user keeps from us ends nothing; it may be readable at the next look.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                told => told?,
            }
            if end {
                tail.rest(&mut sink)?;
            }
        }
        io::stdout().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_whose_it_is() {
        let owner = Owner { id: 3, app: "api".to_owned(), is_err: true };
        let line = |format: Format| {
            let line = format.line(&owner, 6, "2026-11-24T05:00:00Z", b"{\"a\": 1}");
            String::from_utf8(line).unwrap()
        };
        assert_eq!(line(Format::Prefixed), "3|api  | {\"a\": 1}\n");
        assert_eq!(
            line(Format::Words),
            "timestamp=2026-11-24T05:00:00Z app=api id=3 type=error message={\"a\": 1}\n"
        );
        let object: serde_json::Value = serde_json::from_str(&line(Format::Json)).unwrap();
        assert_eq!((&object["message"], &object["type"]), (&"{\"a\": 1}".into(), &"err".into()));
        assert_eq!((&object["process_id"], &object["app_name"]), (&3.into(), &"api".into()));
    }
}
