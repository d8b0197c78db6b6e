//! The end of an instance's logs, and what is added to it.
//!
//! A file is read from where the last look ended; one that was rotated or emptied is read from its
//! beginning. A browser that is slow gets what is there when it is ready: nothing is kept for it.

use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::Sender;
use serde::Serialize;
use tokio::time::{self, Instant};
use zelador_api::spot;
use zelador_core::id::InstanceId;
use zelador_core::redact;

use super::lang::Lang;
use super::live::events;
use super::{Dashboard, parts};
use crate::server::Failure;

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// How long a browser hears nothing at most.
const BEAT: Duration = Duration::from_secs(10);

/// How much of the end is shown first, of each file.
const END_BYTES: u64 = 64 << 10;
/// How many lines of it.
const END_LINES: usize = 200;

/// How much is read at a look; when more was written, what lies between is passed over, and said.
const MOST: u64 = 256 << 10;

/// A longer line is cut, in characters.
const LONGEST: usize = 2000;

/// One line.
#[derive(Serialize)]
struct Line {
    /// `out` or `err`.
    s: &'static str,
    /// `error`, `warn`, `info`, `debug`, or nothing.
    v: &'static str,
    /// The text.
    t: String,
}

/// The stream of an instance's lines.
pub async fn stream(
    State(dashboard): State<Dashboard>,
    Path(id): Path<u32>,
    headers: HeaderMap,
) -> Response {
    if !dashboard.knows(&headers) {
        return Failure::unknown().into_response();
    }
    let lang = Lang::of(&headers);
    let look = move |supervisor: &zelador_core::supervisor::Supervisor| {
        let views = supervisor.app_views();
        let found = views.into_iter().find(|it| it.instance.id == InstanceId::new(id))?;
        Some([found.out_log.map(|it| ("out", it)), found.err_log.map(|it| ("err", it))])
    };
    let files = match dashboard.handle.ask(look).await {
        Ok(Some(files)) => files,
        Ok(None) => {
            let error = format!("there is no instance {id}");
            return Failure::new(StatusCode::NOT_FOUND, error).into_response();
        }
        Err(failure) => return failure.into_response(),
    };
    let mut followed: Vec<Followed> = Vec::new();
    for (stream, path) in files.into_iter().flatten() {
        // Both may go to the same file.
        if followed.iter().all(|other| other.path != path) {
            followed.push(Followed { lang, stream, path, file: None, rest: Vec::new() });
        }
    }
    events(dashboard.closing.clone(), move |sender| follow(sender, followed))
}

async fn follow(mut sender: Sender<Bytes>, mut followed: Vec<Followed>) {
    let mut first = true;
    let mut said = Instant::now();
    loop {
        let looked = tokio::task::spawn_blocking(move || {
            let lines: Vec<Line> = followed.iter_mut().flat_map(Followed::look).collect();
            (followed, lines)
        });
        let Ok((back, lines)) = looked.await else { return };
        followed = back;
        if first || !lines.is_empty() || said.elapsed() >= BEAT {
            said = Instant::now();
            let data = serde_json::to_string(&lines).unwrap_or_default();
            let event = if first { "event: first\n" } else { "" };
            if sender.send_data(format!("{event}data: {data}\n\n").into()).await.is_err() {
                return;
            }
            first = false;
        }
        time::sleep(EVERY).await;
    }
}

/// One log file.
struct Followed {
    /// In which language it is told what is not shown.
    lang: Lang,
    stream: &'static str,
    path: PathBuf,
    /// The file and how far it was read.
    file: Option<(u64, u64)>,
    /// The beginning of a line that has no end yet.
    rest: Vec<u8>,
}

impl Followed {
    /// What is new in it.
    fn look(&mut self) -> Vec<Line> {
        self.read().unwrap_or_default()
    }

    fn read(&mut self) -> io::Result<Vec<Line>> {
        let file = spot::read(&self.path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Ok(Vec::new());
        }
        let (inode, length) = (about.ino(), about.len());
        let (mut from, is_first) = match self.file {
            None => (length.saturating_sub(END_BYTES), true),
            Some((known, at)) if known == inode && at <= length => (at, false),
            Some(_) => (0, false),
        };
        let skipped = (length - from).saturating_sub(MOST);
        from += skipped;
        let mut bytes = vec![0; (length - from) as usize];
        file.read_exact_at(&mut bytes, from)?;
        self.file = Some((inode, length));
        if skipped > 0 {
            self.rest.clear();
        }
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(&bytes);
        let mut lines: Vec<&[u8]> = all.split(|byte| *byte == b'\n').collect();
        let rest = lines.pop().unwrap_or_default().to_vec();
        if (is_first && from > 0 || skipped > 0) && !lines.is_empty() {
            // The first one has lost its beginning.
            lines.remove(0);
        }
        let begin = if is_first { lines.len().saturating_sub(END_LINES) } else { 0 };
        let mut told: Vec<Line> = lines[begin..].iter().map(|line| self.line(line)).collect();
        if skipped > 0 {
            let why = self.lang.t(
                "bytes were written too fast to be shown here",
                "bytes foram escritos rápido demais para aparecer aqui",
            );
            let text = format!("… {skipped} {why} …");
            told.insert(0, Line { s: self.stream, v: "warn", t: text });
        }
        // A line that never ends is shown in pieces.
        self.rest = if rest.len() > MOST as usize { Vec::new() } else { rest };
        Ok(told)
    }

    fn line(&self, bytes: &[u8]) -> Line {
        let text = redact::text(&parts::plain(&String::from_utf8_lossy(bytes)));
        let text = match text.char_indices().nth(LONGEST) {
            Some((at, _)) => format!("{}… ({})", &text[..at], self.lang.t("cut", "cortada")),
            None => text,
        };
        Line { s: self.stream, v: level(&text), t: text }
    }
}

/// How much of a line is looked at for its level, in bytes.
const HEAD: usize = 160;

/// Words by which programs say how bad a line is; the first group that has a word in it wins.
const LEVELS: [(&str, &[&str]); 4] = [
    ("error", &["error", "fatal", "panic", "critical", "exception", "emerg", "traceback", "err!"]),
    ("warn", &["warn", "warning", "deprecated"]),
    ("debug", &["debug", "trace", "verbose"]),
    ("info", &["info", "notice"]),
];

/// How bad a line is; nothing when it does not say.
pub fn level(line: &str) -> &'static str {
    let mut end = line.len().min(HEAD);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let head = line[..end].to_ascii_lowercase();
    let mut words = head.split(|c: char| !c.is_ascii_alphabetic() && c != '!');
    // `typeerror`, `deprecationwarning`: names of exceptions and of warnings.
    let is_one = |word: &str, known: &str| {
        word == known || ["error", "exception", "warning"].contains(&known) && word.ends_with(known)
    };
    let found =
        |word: &str| LEVELS.iter().find(|(_, known)| known.iter().any(|known| is_one(word, known)));
    words.find_map(found).map_or("", |(level, _)| level)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| line.t).collect()
    }

    #[test]
    fn a_log_is_followed_over_halves_of_lines_rotation_and_emptying() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        let mut followed = Followed {
            lang: Lang::En,
            stream: "out",
            path: path.clone(),
            file: None,
            rest: Vec::new(),
        };
        assert!(followed.look().is_empty(), "it is not there yet");
        let mut file = File::create(&path).unwrap();
        write!(file, "one\ntw").unwrap();
        assert_eq!(texts(followed.look()), ["one"]);
        write!(file, "o\n\u{1b}[31mthree\u{1b}[0m password=x\n").unwrap();
        assert_eq!(texts(followed.look()), ["two", "three password=********"]);
        assert!(followed.look().is_empty());
        std::fs::rename(&path, folder.path().join("out.log.1")).unwrap();
        std::fs::write(&path, "four\n").unwrap();
        assert_eq!(texts(followed.look()), ["four"]);
        std::fs::write(&path, "").unwrap();
        assert!(followed.look().is_empty());
        std::fs::write(&path, "5\n").unwrap();
        assert_eq!(texts(followed.look()), ["5"]);
    }

    #[test]
    fn a_named_pipe_and_a_link_of_anybody_show_nothing_and_keep_nobody_waiting() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        let target = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&target, "secret\n").unwrap();
        symlink(&target, &link).unwrap();
        for path in [link, pipe] {
            let mut followed =
                Followed { lang: Lang::En, stream: "out", path, file: None, rest: Vec::new() };
            let (told, shown) = std::sync::mpsc::channel();
            std::thread::spawn(move || told.send(texts(followed.look())));
            let shown = shown.recv_timeout(Duration::from_secs(10)).expect("it is not waited for");
            assert!(shown.is_empty(), "{shown:?}");
        }
    }

    #[test]
    fn the_first_look_shows_the_end_and_begins_with_a_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        let lines: Vec<String> = (0..20_000).map(|at| format!("line {at}")).collect();
        let text = format!("{}\n", lines.join("\n"));
        std::fs::write(&path, text).unwrap();
        let mut followed =
            Followed { lang: Lang::En, stream: "out", path, file: None, rest: Vec::new() };
        let lines = texts(followed.look());
        assert_eq!(lines.len(), END_LINES);
        assert_eq!((lines[0].as_str(), lines[199].as_str()), ("line 19800", "line 19999"));
    }

    #[test]
    fn a_level_is_what_the_line_says_of_itself() {
        for (line, expected) in [
            ("2026-01-01 ERROR no connection", "error"),
            ("TypeError: x is not a function", "error"),
            ("[warn] slow", "warn"),
            ("(node:1) DeprecationWarning: x", "warn"),
            ("level=debug msg=x", "debug"),
            ("INFO listening; 0 errors", "info"),
            ("errors happen in the information age", ""),
            ("", ""),
        ] {
            assert_eq!(level(line), expected, "{line}");
        }
    }
}
