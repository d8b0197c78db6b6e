//! `logs`: the last lines of log files, then what is appended to them.
//!
//! The files are read directly, so that the engine has nothing to do with it, and so that logs can
//! be read while zelador is down. The engine only tells which files there are; when it is down,
//! the files in the folder of logs are taken.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use rustix::event::Timespec;
use zelador_api::AppView;
use zelador_api::client::ClientError;
use zelador_api::id::AppName;

use super::{Context, select, unknown};
use crate::cli::Logs;
use crate::failure::Failure;
use crate::output;
use crate::render::terminal::{Colour, Terminal};
use crate::render::text;
use crate::tail::Tail;
use zelador_api::select::nearest;

/// From one look at the files to the next: 100 ms is at once for a person.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Which stream of an app a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stream {
    Out,
    Err,
}

/// One file, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    /// `0|api`; empty for zelador's own log.
    owner: String,
    stream: Stream,
    path: PathBuf,
}

/// Shows logs.
pub fn logs(context: &Context, asked: &Logs) -> Result<ExitCode, Failure> {
    let mut sources = if asked.own {
        own(context)?
    } else {
        let selector = asked.selector.as_deref().unwrap_or("all");
        let mut sources = match context.engine.apps() {
            Ok(apps) => of_apps(&apps, selector)?,
            Err(ClientError::NotRunning(_)) => of_folder(&context.home.logs(), selector)?,
            Err(error) => return Err(error.into()),
        };
        sources.retain(|source| match source.stream {
            Stream::Out => !asked.err,
            Stream::Err => !asked.out,
        });
        sources
    };
    if sources.is_empty() {
        return Err(Failure::new("there is no log to show"));
    }
    // As PM2: what was written last stands last.
    sources.sort_by_cached_key(|source| modified(&source.path));
    show(&sources, asked)?;
    Ok(ExitCode::SUCCESS)
}

fn own(context: &Context) -> Result<Vec<Source>, Failure> {
    let path = context.home.own_log();
    if !path.exists() {
        return Err(Failure::new(format!(
            "zelador has no log yet: there is no {}",
            path.display()
        )));
    }
    Ok(vec![Source { owner: String::new(), stream: Stream::Out, path }])
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// The files of the apps that a selector names; each once.
fn of_apps(apps: &[AppView], selector: &str) -> Result<Vec<Source>, Failure> {
    let chosen = select(apps, selector)?;
    let mut sources: Vec<Source> = Vec::new();
    for app in chosen {
        let owner = format!("{}|{}", app.instance.id, app.instance.app);
        for (path, stream) in [(&app.out_log, Stream::Out), (&app.err_log, Stream::Err)] {
            let Some(path) = path else { continue };
            // Replicas that share their files, or both streams in one file.
            if sources.iter().all(|source| source.path != *path) {
                sources.push(Source { owner: owner.clone(), stream, path: path.clone() });
            }
        }
    }
    Ok(sources)
}

/// The files in the folder of logs, for when nobody tells which app has which.
fn of_folder(folder: &Path, selector: &str) -> Result<Vec<Source>, Failure> {
    let not_running = || Failure::from(ClientError::NotRunning(PathBuf::new()));
    let entries = fs::read_dir(folder).map_err(|_| not_running())?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let found: Vec<(Source, String, Option<u32>)> = names
        .filter_map(|name| {
            let name = name.to_str()?;
            let (app, stream, id) = parse(name)?;
            let owner = id.map_or_else(|| app.clone(), |id| format!("{id}|{app}"));
            Some((Source { owner, stream, path: folder.join(name) }, app, id))
        })
        .collect();
    if found.is_empty() {
        return Err(not_running());
    }
    let stem = AppName::new(selector).map(|name| name.file_stem());
    let is_chosen = |app: &str, id: Option<u32>| {
        selector == "all"
            || stem.as_deref() == Some(app)
            || (id.is_some() && selector.parse().ok() == id)
    };
    let chosen = found.iter().filter(|(_, app, id)| is_chosen(app, *id));
    let sources: Vec<Source> = chosen.map(|(source, ..)| source.clone()).collect();
    if sources.is_empty() {
        let near = nearest(selector, found.iter().map(|(_, app, _)| app.as_str()));
        return Err(unknown(selector, near));
    }
    output::note(&format!("zelador is not running; these are the files in {}", folder.display()));
    Ok(sources)
}

/// Returns whose log a file is by its name: `api-out.log`, `api-error-3.log`. Rotated ones, whose
/// names end with a date, are none.
fn parse(name: &str) -> Option<(String, Stream, Option<u32>)> {
    let stem = name.strip_suffix(".log")?;
    let (stem, id) = match stem.rsplit_once('-') {
        Some((before, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            (before, Some(number.parse().ok()?))
        }
        _ => (stem, None),
    };
    let (app, kind) = stem.rsplit_once('-')?;
    let stream = match kind {
        "out" => Stream::Out,
        "error" => Stream::Err,
        _ => return None,
    };
    Some((app.to_owned(), stream, id))
}

/// Prints the last lines of each file, and then follows them all.
fn show(sources: &[Source], asked: &Logs) -> Result<(), Failure> {
    let terminal = Terminal::stdout();
    let width = sources.iter().map(|source| source.owner.chars().count()).max().unwrap_or(0);
    let mut printer =
        Printer { terminal, raw: asked.raw, width, out: BufWriter::new(io::stdout()) };
    let mut tails: Vec<(&Source, Tail)> =
        sources.iter().map(|source| (source, Tail::new(&source.path))).collect();
    for (source, tail) in &mut tails {
        if asked.lines > 0 && !asked.raw && !asked.own {
            let path = tail.path().display();
            output::remark(&format!("{path}: the last {} lines", asked.lines));
        }
        let mut sink = |line: &[u8]| printer.line(source, line);
        readable(source, tail.last(asked.lines, &mut sink))?;
        if asked.nostream && asked.lines > 0 {
            tail.rest(&mut sink)?;
        }
        printer.out.flush()?;
    }
    if asked.nostream {
        return Ok(());
    }
    loop {
        if output::is_abandoned(&LOOK_EVERY) {
            return Err(Failure::NobodyReads);
        }
        tails.retain_mut(|(source, tail)| {
            let told = tail.poll(&mut |line: &[u8]| printer.line(source, line));
            match told {
                // Whether stdout is still there shows at the flush.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    output::note(&format!("{} is not followed: {error}", source.path.display()));
                    false
                }
                _ => true,
            }
        });
        printer.out.flush()?;
        if tails.is_empty() {
            return Err(Failure::SaidAlready);
        }
    }
}

/// A file that cannot be read is a note, since there are others; a closed stdout is the end.
fn readable(source: &Source, read: io::Result<()>) -> Result<(), Failure> {
    match read {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            output::note(&format!("{} cannot be read: {error}", source.path.display()));
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Writes lines as they were asked for.
struct Printer<W: Write> {
    terminal: Terminal,
    raw: bool,
    width: usize,
    out: BufWriter<W>,
}

impl<W: Write> Printer<W> {
    fn line(&mut self, source: &Source, line: &[u8]) -> io::Result<()> {
        if self.raw {
            if source.stream == Stream::Err {
                return io::stderr().lock().write_all(&[line, b"\n"].concat());
            }
            self.out.write_all(line)?;
            return self.out.write_all(b"\n");
        }
        let line = String::from_utf8_lossy(line);
        let line = text::log_line(&line, self.terminal.log_colours());
        if source.owner.is_empty() {
            return writeln!(self.out, "{line}");
        }
        let colour = if source.stream == Stream::Out { Colour::Green } else { Colour::Red };
        let owner = text::plain(&source.owner);
        let owner = format!("{owner:<width$} |", width = self.width);
        writeln!(self.out, "{} {line}", self.terminal.paint(&owner, colour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_file_is_told_by_its_name() {
        let api = |stream, id| Some(("api".to_owned(), stream, id));
        assert_eq!(parse("api-out.log"), api(Stream::Out, None));
        assert_eq!(parse("api-error-3.log"), api(Stream::Err, Some(3)));
        assert_eq!(parse("my-api-out-0.log").unwrap().0, "my-api");
        assert_eq!(parse("api-out__2023-11-14_22-13-20.log"), None);
        assert_eq!(parse("zelador.log"), None);
        assert_eq!(parse("api-out.log.gz"), None);
    }

    #[test]
    fn a_line_has_its_owner_before_it_and_no_escape_sequence_in_it() {
        let terminal = Terminal { width: 80, colours: false };
        let mut printer =
            Printer { terminal, raw: false, width: 8, out: BufWriter::new(Vec::new()) };
        let source = Source {
            owner: "0|api".to_owned(),
            stream: Stream::Out,
            path: PathBuf::from("api-out.log"),
        };
        printer.line(&source, b"\x1b[31mred\x1b[0m \x1b]0;owned\x07\xff").unwrap();
        let shown = String::from_utf8(printer.out.into_inner().unwrap()).unwrap();
        assert_eq!(shown, "0|api    | red \u{fffd}\n");
    }

    #[test]
    fn files_are_found_while_zelador_is_down() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["api-out-0.log", "api-error-0.log", "web-out.log", "api-out__x.log"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let count = |selector| of_folder(folder.path(), selector).map(|sources| sources.len());
        assert_eq!(count("all").unwrap(), 3);
        assert_eq!(count("api").unwrap(), 2);
        assert_eq!(count("0").unwrap(), 2);
        assert!(count("wbe").is_err());
        assert!(of_folder(&folder.path().join("none"), "all").is_err());
    }
}
