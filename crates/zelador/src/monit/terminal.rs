//! The terminal while it is a screen, and as it was before.
//!
//! Always holds: whoever ends this process, and however, finds the terminal as it was: without the
//! other screen, with its cursor, its echo and its lines, and without reports of the mouse.

use std::io::{self, Stdout, Write};
use std::mem::ManuallyDrop;
use std::panic;
use std::process;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::terminal::{self, EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::{Position, Rect};
use rustix::process::{Signal, getpid, kill_process};

use super::draw::draw;
use super::state::State;

/// The exit code of a panic, as the runtime of Rust has it.
const PANICKED: i32 = 101;

/// A terminal that is a screen until this is dropped.
pub struct Screen {
    /// What is drawn on. Never dropped: it would complain on stderr, and stop at that, about a
    /// terminal that is gone.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl Screen {
    /// Makes the terminal a screen.
    ///
    /// # Errors
    /// It is none, or does not answer.
    pub fn enter() -> io::Result<Self> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            restore();
            before(panicked);
            // A thread that feeds the screen must not leave a screen behind that stands still.
            process::exit(PANICKED);
        }));
        begin()?;
        match Terminal::new(CrosstermBackend::new(io::stdout())) {
            Ok(terminal) => Ok(Self { terminal: ManuallyDrop::new(terminal) }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Draws a state.
    ///
    /// # Errors
    /// The terminal takes nothing any more.
    pub fn draw(&mut self, state: &State) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, state)).map(drop)
    }

    /// Has the next drawing write everything, whatever the terminal shows. `Terminal::clear` would
    /// ask the terminal where its cursor is, and wait for the answer among the keys.
    ///
    /// # Errors
    /// The terminal takes nothing any more.
    pub fn renew(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Gives way to the shell, and returns when it has brought this process back.
    ///
    /// # Errors
    /// The terminal cannot be made a screen again.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        _ = kill_process(getpid(), Signal::TSTP);
        begin()?;
        self.renew()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn begin() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    let entered = execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableMouseCapture,
        EnableBracketedPaste,
        cursor::Hide
    );
    entered.inspect_err(|_| restore())
}

/// Makes the terminal what it was. Nothing of it is worth an error: nobody could be told. Its modes
/// come first: a terminal that takes nothing any more has them back too.
pub fn restore() {
    _ = terminal::disable_raw_mode();
    _ = execute!(
        io::stdout(),
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        cursor::Show
    );
    _ = io::stdout().flush();
}
