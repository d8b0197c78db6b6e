//! What stdout is: how wide, and whether it shows colours.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::{Cell, Color, ContentArrangement, ContentLineStyle, Table, presets};
use rustix::termios::{Winsize, tcgetwinsize};

use super::text::{self, Colours};

/// Columns when stdout is no terminal and `COLUMNS` is not set.
const DEFAULT_WIDTH: u16 = 120;

/// Narrower than this nothing can be shown in a table.
const LEAST_WIDTH: u16 = 20;

/// What stdout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Columns.
    pub width: u16,
    /// Whether colours are shown.
    pub colours: bool,
}

/// The few colours in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// As it should be.
    Green,
    /// To be watched.
    Yellow,
    /// Wrong.
    Red,
    /// Less important.
    Grey,
    /// A heading.
    Cyan,
    /// One of several apps.
    Blue,
    /// One of several apps.
    Magenta,
}

/// `--no-color` was given.
static NO_COLOURS: AtomicBool = AtomicBool::new(false);

/// From here on nothing is coloured, whatever stdout is.
pub fn set_no_colours(no_colours: bool) {
    NO_COLOURS.store(no_colours, Ordering::Relaxed);
}

impl Terminal {
    /// Looks at stdout.
    pub fn stdout() -> Self {
        Self {
            width: Self::columns().unwrap_or(DEFAULT_WIDTH).max(LEAST_WIDTH),
            colours: io::stdout().is_terminal() && Self::wants_colours(),
        }
    }

    /// How many columns stdout has; `None` when nobody says so.
    pub fn columns() -> Option<u16> {
        let columns = || env::var("COLUMNS").ok()?.trim().parse().ok();
        Self::size().map(|size| size.ws_col).filter(|width| *width > 0).or_else(columns)
    }

    /// How many lines stdout has; `None` when it is no terminal, or does not say so.
    pub fn lines() -> Option<usize> {
        Self::size().map(|size| usize::from(size.ws_row)).filter(|lines| *lines > 0)
    }

    fn size() -> Option<Winsize> {
        let stdout = io::stdout();
        stdout.is_terminal().then(|| tcgetwinsize(stdout).ok()).flatten()
    }

    /// Whether nobody has asked for plain text.
    pub fn wants_colours() -> bool {
        let no_color = NO_COLOURS.load(Ordering::Relaxed)
            || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        !no_color && !dumb
    }

    /// Returns `text` in a colour, if this shows any. It must be harmless already.
    pub fn paint(self, text: &str, colour: Colour) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", colour.code()) } else { text.to_owned() }
    }

    /// What to do with the colours of an app's own output.
    pub fn log_colours(self) -> Colours {
        if self.colours { Colours::Keep } else { Colours::Drop }
    }

    /// Returns an empty table that fits.
    pub fn table(self) -> Table {
        let mut table = Table::new();
        table
            .load_style(
                presets::UTF8_FULL_CONDENSED
                    .header_lines(ContentLineStyle::new('│', '│', '│'))
                    .content_lines(ContentLineStyle::new('│', '│', '│')),
            )
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.width)
            .force_no_tty();
        if self.colours {
            table.enforce_styling();
        }
        table
    }

    /// Returns a cell of foreign text.
    #[expect(clippy::unused_self, reason = "called as the cells with a colour are")]
    pub fn cell(self, content: &str) -> Cell {
        Cell::new(text::plain(content))
    }

    /// Returns a cell of foreign text in a colour.
    pub fn coloured(self, content: &str, colour: Colour) -> Cell {
        let cell = self.cell(content);
        if self.colours { cell.fg(colour.of_table()) } else { cell }
    }

    /// Returns a heading.
    pub fn heading(self, content: &str) -> Cell {
        self.coloured(content, Colour::Cyan)
    }
}

impl Colour {
    /// By which several apps are told apart; red is left for what is wrong.
    pub const OF_APPS: [Self; 5] =
        [Self::Green, Self::Cyan, Self::Magenta, Self::Yellow, Self::Blue];

    fn code(self) -> u8 {
        match self {
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Red => 31,
            Self::Grey => 90,
            Self::Cyan => 36,
            Self::Blue => 34,
            Self::Magenta => 35,
        }
    }

    fn of_table(self) -> Color {
        match self {
            Self::Green => Color::DarkGreen,
            Self::Yellow => Color::DarkYellow,
            Self::Red => Color::DarkRed,
            Self::Grey => Color::DarkGrey,
            Self::Cyan => Color::DarkCyan,
            Self::Blue => Color::DarkBlue,
            Self::Magenta => Color::DarkMagenta,
        }
    }
}
