//! The two ways out: stdout for the answer, stderr for everything else; in PM2's voice its
//! messages are on stdout too, and look like PM2's.
//!
//! Text that is handed to [`error`], [`help`], [`note`] and [`remark`] may come from an app or a
//! file; it is neutralised here. What goes to [`answer`] was neutralised where it was rendered.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec};
use zelador_api::Affected;

use crate::declare::Mistakes;
use crate::failure::Failure;
use crate::pm2::say::{self, Kind};
use crate::render::terminal::Terminal;
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

/// Says what is wrong with a command line, or the help that it asks for. Its words stand in it: where a terminal
/// would obey one of them, all of it is said plainly.
pub fn misread(error: &clap::Error, words: &[OsString]) {
    let is_harmless = |word: &OsString| {
        let word = word.to_string_lossy();
        text::plain(&word) == word
    };
    if words.iter().all(is_harmless) {
        // A closed pipe is all that can go wrong here.
        let _ = error.print();
        return;
    }
    let said = error.render().to_string();
    said.lines().for_each(|line| eprintln!("{}", text::plain(line)));
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

/// Draws, and draws again until nobody looks any more; on a terminal each in the place of the one before.
///
/// # Errors
/// What is drawn cannot be had or written; at last: nobody reads.
pub fn redraw(draw: impl Fn() -> Result<String, Failure>) -> Result<ExitCode, Failure> {
    let is_terminal = io::stdout().is_terminal();
    if is_terminal {
        answer(CLEAR)?;
    }
    loop {
        let drawn = draw()?;
        answer(&if is_terminal { in_place(&drawn, Terminal::lines()) } else { drawn })?;
        if is_abandoned(&REDRAW_EVERY) {
            return Err(Failure::NobodyReads);
        }
    }
}

/// Clears the screen. What has scrolled off it is left alone.
const CLEAR: &str = "\x1b[2J";

/// What to write so that this stands where something else did, without a moment in which nothing does.
/// What does not fit into so many lines is counted: the screen would scroll by it each time.
fn in_place(drawn: &str, lines: Option<usize>) -> String {
    let all = drawn.lines().count();
    // The cursor rests on a line of its own.
    let room = lines.map_or(all, |lines| lines.saturating_sub(1));
    let shown = if all > room { room.saturating_sub(1) } else { all };
    let mut text = "\x1b[H".to_owned();
    for line in drawn.lines().take(shown) {
        text.push_str(line);
        text.push_str("\x1b[K\n");
    }
    if all > shown {
        text.push_str(&format!("… {} more lines\x1b[K\n", all - shown));
    }
    text.push_str("\x1b[J");
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_drawing_stands_where_the_one_before_did_and_never_scrolls() {
        let drawn = "a\nb\nc\n";
        assert_eq!(in_place(drawn, None), "\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\n\x1b[J");
        assert_eq!(in_place(drawn, Some(4)), in_place(drawn, None), "it just fits");
        let cut = "\x1b[Ha\x1b[K\n… 2 more lines\x1b[K\n\x1b[J";
        assert_eq!(in_place(drawn, Some(3)), cut);
        assert!(in_place(drawn, Some(1)).matches('\n').count() <= 1);
    }
}
