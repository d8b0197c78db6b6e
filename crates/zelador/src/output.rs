//! The two ways out: stdout for the answer, stderr for everything else.
//!
//! Text that is handed to [`error`], [`help`], [`note`] and [`remark`] may come from an app or a
//! file; it is neutralised here. What goes to [`answer`] was neutralised where it was rendered.

use std::io::{self, Write};

use zelador_api::Affected;

use crate::declare::Mistakes;
use crate::render::text;

/// Writes a part of the answer to stdout.
///
/// # Errors
/// It cannot be written; a closed pipe is [`io::ErrorKind::BrokenPipe`].
pub fn answer(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Says what went wrong.
pub fn error(text: &str) {
    line("error: ", text);
}

/// Says what to do next.
pub fn help(text: &str) {
    line("help: ", text);
}

/// Says what a person should know besides.
pub fn note(text: &str) {
    line("note: ", text);
}

/// Says something about zelador itself.
pub fn remark(text: &str) {
    line("", text);
}

/// Says that an instance did not become what was asked for, and what to try.
pub fn failed(affected: &Affected) {
    line("✗ ", &affected.to_string());
    if let Some(help) = &affected.help {
        line("  help: ", help);
    }
}

/// Says everything that is wrong with a file.
pub fn mistakes(mistakes: &Mistakes) {
    for mistake in mistakes.all() {
        error(&format!("{mistake}"));
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
