//! The two ways out: stdout for the answer, stderr for everything else; in PM2's voice its
//! messages are on stdout too, and look like PM2's.
//!
//! Text that is handed to [`error`], [`help`], [`note`] and [`remark`] may come from an app or a
//! file; it is neutralised here. What goes to [`answer`] was neutralised where it was rendered.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec};
use zelador_api::Affected;

use crate::declare::Mistakes;
use crate::failure::Failure;
use crate::pm2::say::{self, Kind};
use crate::render::text;
use crate::voice::{self, Voice};

/// `--silent` was given.
static SILENT: AtomicBool = AtomicBool::new(false);

/// From here on only errors are said, and answers that are data.
pub fn set_silent(silent: bool) {
    SILENT.store(silent, Ordering::Relaxed);
}

/// Whether only errors are said, and answers that are data.
pub fn is_silent() -> bool {
    SILENT.load(Ordering::Relaxed)
}

/// Writes what a verb did or shows to a person to stdout, unless it is to be silent.
///
/// # Errors
/// It cannot be written.
pub fn tell(text: &str) -> io::Result<()> {
    if is_silent() { Ok(()) } else { answer(text) }
}

/// Writes a part of the answer to stdout.
///
/// # Errors
/// It cannot be written; a closed pipe is [`io::ErrorKind::BrokenPipe`].
pub fn answer(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Waits, and returns whether nobody reads stdout any more: `logs | head` must end with `head`, also
/// when there is nothing to write.
pub fn is_abandoned(wait: &Timespec) -> bool {
    let stdout = io::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let ready = rustix::event::poll(&mut watched, Some(wait));
    ready.is_ok_and(|count| count > 0)
        && watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
}

/// From one drawing of what is watched to the next: that of PM2's `list --watch`.
const REDRAW_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 900_000_000 };

/// To the first line and column, and nothing below.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// Draws, and draws again until nobody looks any more; a terminal is cleared before each.
///
/// # Errors
/// What is drawn cannot be had or written; at last: nobody reads.
pub fn redraw(draw: impl Fn() -> Result<String, Failure>) -> Result<ExitCode, Failure> {
    let clear = if io::stdout().is_terminal() { CLEAR } else { "" };
    loop {
        answer(&format!("{clear}{}", draw()?))?;
        if is_abandoned(&REDRAW_EVERY) {
            return Err(Failure::NobodyReads);
        }
    }
}

/// Says what went wrong.
pub fn error(text: &str) {
    say("error: ", Kind::Error, text);
}

/// Says what to do next.
pub fn help(text: &str) {
    say("help: ", Kind::Help, text);
}

/// Says what a person should know besides.
pub fn note(text: &str) {
    if !is_silent() {
        say("note: ", Kind::Warning, text);
    }
}

/// Says something about zelador itself.
pub fn remark(text: &str) {
    if !is_silent() {
        say("", Kind::Message, text);
    }
}

/// Says that an instance did not become what was asked for, and what to try.
pub fn failed(affected: &Affected) {
    say("✗ ", Kind::Error, &affected.to_string());
    if let Some(help) = &affected.help {
        say("  help: ", Kind::Help, help);
    }
}

/// Says everything that is wrong with a file.
pub fn mistakes(mistakes: &Mistakes) {
    for mistake in mistakes.all() {
        error(&format!("{mistake}"));
    }
}

fn say(prefix: &str, kind: Kind, said: &str) {
    match voice::current() {
        Voice::Zelador => line(prefix, said),
        Voice::Pm2 | Voice::Pm2Data => say::lines(kind, said),
    }
}

/// A closed stderr is no reason to stop: there is nobody to tell.
fn line(prefix: &str, said: &str) {
    let mut stderr = io::stderr().lock();
    for (index, part) in said.lines().enumerate() {
        let indent = if index == 0 { prefix } else { "  " };
        let _ = writeln!(stderr, "{indent}{}", text::plain(part));
    }
}
