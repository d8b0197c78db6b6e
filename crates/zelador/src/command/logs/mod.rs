//! `logs`: the last lines of log files, then what is appended to them.
//!
//! The files are read directly, so that the engine has nothing to do with it, and so that logs can
//! be read while zelador is down. The engine only tells which files there are; when it is down,
//! the files in the folder of logs are taken.

mod filter;
mod line;
mod newcomers;
mod older;
mod sources;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::Zoned;
use rustix::event::Timespec;
use zelador_api::{View, route};

use super::Context;
use crate::cli::Logs;
use crate::failure::Failure;
use crate::render::terminal::Terminal;
use crate::render::text;
use crate::tail::Tail;
use crate::{output, voice};

pub use filter::Level;

use filter::Filter;
use line::Printer;
use newcomers::Newcomers;
use sources::{Source, sources};

/// From one look at the files to the next: 100 ms is at once for a person.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// From one look at the apps to the next, where what becomes of them is told too.
const STATUS_EVERY: Duration = Duration::from_millis(500);

/// Shows logs.
pub fn logs(context: &Context, asked: &Logs) -> Result<ExitCode, Failure> {
    logs_and(context, asked, || ())
}

/// The same; `begun` is called when every line that is written from then on is shown.
pub fn logs_and(
    context: &Context,
    asked: &Logs,
    begun: impl FnOnce(),
) -> Result<ExitCode, Failure> {
    let mut filter = Filter::new(asked, &Zoned::now())?;
    let sources = sources(context, asked)?;
    let newcomers = Newcomers::new(context, asked);
    let out = BufWriter::new(io::stdout());
    let mut printer = Printer::new(Terminal::stdout(), asked, &sources, out);
    let tail = |source: Source| {
        let tail = Tail::new(&source.path);
        (source, tail)
    };
    let mut tails: Vec<(Source, Tail)> = sources.into_iter().map(tail).collect();
    let headings = asked.lines > 0 && printer.has_headings() && !asked.own;
    if headings && voice::is_pm2() {
        let (lines, what) = (asked.lines, asked.selector.as_deref().unwrap_or("all"));
        let es = if what == "all" { "es" } else { "" };
        output::tell(&format!(
            "[TAILING] Tailing last {lines} lines for [{}] process{es} (change the value with \
             --lines option)\n",
            text::plain(what)
        ))?;
    }
    let (is_asked, filter_since) = (!filter.is_idle(), filter.since());
    for (source, tail) in &mut tails {
        if headings {
            let (path, lines) = (tail.path().display(), asked.lines);
            if voice::is_pm2() {
                output::tell(&format!("{path} last {lines} lines:\n"))?;
            } else {
                let asked = if is_asked { ", of those that fit" } else { "" };
                output::remark(&match (filter.since_told(), lines) {
                    (Some(since), _) => format!("{path}: since {since}{asked}"),
                    (None, 1) => format!("{path}: the last line{asked}"),
                    (None, lines) => format!("{path}: the last {lines} lines{asked}"),
                });
            }
        }
        // With a question, N lines of the answer, which may lie anywhere in the file.
        let mut kept = VecDeque::new();
        let lines = asked.lines;
        let mut sink = |line: &[u8]| {
            if filter.is_idle() {
                return printer.line(source, line, false);
            }
            if filter.takes(source, line, false) && lines > 0 {
                kept.push_back(line.to_vec());
                if kept.len() > lines && filter.since().is_none() {
                    kept.pop_front();
                }
            }
            Ok(())
        };
        if let Some(since) = filter_since {
            for path in older::rotated(&source.path, since) {
                readable(source, older::lines(&path, &mut sink))?;
            }
        }
        let wanted = if is_asked { usize::MAX } else { lines };
        readable(source, tail.last(if lines == 0 { 0 } else { wanted }, &mut sink))?;
        if asked.nostream && lines > 0 {
            tail.rest(&mut sink)?;
        }
        for line in kept {
            printer.line(source, &line, false)?;
        }
        printer.flush()?;
    }
    if asked.nostream {
        return Ok(ExitCode::SUCCESS);
    }
    begun();
    let apps = (asked.json && !asked.own).then_some(context);
    follow(tails, newcomers, &mut printer, &mut filter, apps)
}

/// Tells what is appended, until nobody reads it any more.
fn follow<W: Write>(
    mut tails: Vec<(Source, Tail)>,
    mut newcomers: Newcomers<'_>,
    printer: &mut Printer<W>,
    filter: &mut Filter,
    apps: Option<&Context>,
) -> Result<ExitCode, Failure> {
    let mut statuses = Statuses::default();
    loop {
        if output::is_abandoned(&LOOK_EVERY) {
            return Err(Failure::NobodyReads);
        }
        let come = newcomers.come(&tails);
        come.iter().for_each(|(source, _)| printer.make_room(source));
        tails.extend(come);
        tails.retain_mut(|(source, tail)| {
            let told = tail.poll(&mut |line: &[u8]| {
                if filter.takes(source, line, true) {
                    printer.line(source, line, true)
                } else {
                    Ok(())
                }
            });
            match told {
                // Whether stdout is still there shows at the flush.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    output::note(&format!("{} is not followed: {error}", source.path.display()));
                    false
                }
                _ => true,
            }
        });
        if let Some(context) = apps {
            for (app, status) in statuses.changed(context) {
                printer.event(&app, &status)?;
            }
        }
        printer.flush()?;
        if tails.is_empty() {
            return Err(Failure::SaidAlready);
        }
    }
}

/// What the apps were doing when they were looked at last.
#[derive(Default)]
struct Statuses {
    known: Option<BTreeMap<u32, (String, u32)>>,
    looked_at: Option<Instant>,
}

impl Statuses {
    /// Returns apps of which something changed, and what they are doing now.
    fn changed(&mut self, context: &Context) -> Vec<(String, String)> {
        if self.looked_at.is_some_and(|at| at.elapsed() < STATUS_EVERY) {
            return Vec::new();
        }
        self.looked_at = Some(Instant::now());
        // An engine that is being replaced is back at the next look.
        let Ok(view) = context.engine.get_within::<View>(route::VIEW, STATUS_EVERY) else {
            return Vec::new();
        };
        let mut changed = Vec::new();
        let mut now = BTreeMap::new();
        for instance in view.instances {
            let state = (instance.status.clone(), instance.restarts);
            let before = self.known.as_ref().map(|known| known.get(&instance.id.number()));
            if before.is_some_and(|before| before != Some(&state)) {
                changed.push((instance.app, instance.status));
            }
            now.insert(instance.id.number(), state);
        }
        self.known = Some(now);
        changed
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
