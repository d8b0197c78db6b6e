//! PM2's way of saying things: `[PM2] …` and `[PM2][WARN] …` on stdout, `[PM2][ERROR] …` on stderr.
//!
//! Always holds: a verb whose stdout programs read has none of this on stdout; when it is to be
//! silent, nothing at all is said, as programs rely on that.

use std::io::{self, IsTerminal, Write};

use super::verbs;
use crate::output;
use crate::render::terminal::{Colour, Terminal};
use crate::render::text;
use crate::voice::{self, Voice};

/// What kind of thing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was done, or is about to be.
    Message,
    /// What a person should know besides.
    Warning,
    /// What went wrong.
    Error,
    /// What to do next.
    Help,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Message | Self::Help => "[PM2] ",
            Self::Warning => "[PM2][WARN] ",
            Self::Error => "[PM2][ERROR] ",
        }
    }

    fn colour(self) -> Colour {
        match self {
            Self::Message | Self::Help => Colour::Green,
            Self::Warning => Colour::Yellow,
            Self::Error => Colour::Red,
        }
    }

    fn is_for_stderr(self) -> bool {
        matches!(self, Self::Error | Self::Help) || voice::current() == Voice::Pm2Data
    }
}

/// Says something, line by line; the text may come from an app or a file.
pub fn lines(kind: Kind, said: &str) {
    if output::is_silent() {
        return;
    }
    let to_stderr = kind.is_for_stderr();
    let colours = if to_stderr {
        io::stderr().is_terminal() && Terminal::wants_colours()
    } else {
        Terminal::stdout().colours
    };
    let terminal = Terminal { width: 0, colours };
    let prefix = terminal.paint(kind.prefix(), kind.colour());
    let mut shown = String::new();
    for line in in_pm2s_words(said).lines() {
        shown.push_str(&format!("{prefix}{}\n", text::plain(line)));
    }
    // Nobody to tell is no reason to stop.
    _ = if to_stderr {
        io::stderr().write_all(shown.as_bytes())
    } else {
        io::stdout().write_all(shown.as_bytes()).and_then(|()| io::stdout().flush())
    };
}

/// Advice names zelador's verbs; those that PM2 has too are typed here as PM2's, as they are about
/// this home.
fn in_pm2s_words(said: &str) -> String {
    const OURS: &str = "`zelador ";
    let mut parts = said.split(OURS);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let verb = part.split([' ', '`']).next().unwrap_or_default();
        told.push_str(if verbs::find(verb).is_some() { "`pm2 " } else { OURS });
        told.push_str(part);
    }
    told
}

/// Says what was done, or is about to be.
pub fn message(said: &str) {
    lines(Kind::Message, said);
}

/// Warns on stdout.
pub fn warning(said: &str) {
    lines(Kind::Warning, said);
}

/// Says on stderr that there is nothing to act on: PM2 counts that as a failure, and says it as a
/// warning.
pub fn nothing(said: &str) {
    if output::is_silent() {
        return;
    }
    _ = writeln!(io::stderr(), "{}{}", Kind::Warning.prefix(), text::plain(said));
}

/// Says what went wrong.
pub fn error(said: &str) {
    lines(Kind::Error, said);
}

/// Says something that is good to know, without PM2's name before it.
pub fn advice(said: &str) {
    if output::is_silent() || voice::current() == Voice::Pm2Data {
        return;
    }
    let terminal = Terminal::stdout();
    _ = output::answer(&format!("{}\n", terminal.paint(said, Colour::Cyan)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_about_verbs_that_can_be_typed() {
        assert_eq!(
            in_pm2s_words("`zelador list` shows it, `zelador health` too; `zelador save --force`"),
            "`pm2 list` shows it, `zelador health` too; `pm2 save --force`"
        );
        assert_eq!(in_pm2s_words("nothing of that"), "nothing of that");
    }
}
