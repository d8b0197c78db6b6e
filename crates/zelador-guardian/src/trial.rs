//! A new image of the guardian on trial: it goes back to the one before when its engine does not come
//! up, or does not stay.
//!
//! Always holds: the former executable is kept as an open descriptor until the trial is over, so that
//! there is a way back also where its file was replaced.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use crate::engine::Patience;
use crate::table;

/// The option after which a new image is told the descriptor of the executable before it.
pub const FORMER_FLAG: &str = "--former";

/// What a new image goes back to.
#[derive(Debug)]
pub struct Former {
    /// The executable.
    pub program: OwnedFd,
    /// Its command line, after the program.
    pub arguments: Vec<CString>,
    /// The option after which it is told the descriptor of the table.
    pub table_flag: CString,
}

impl Former {
    /// Has it take the place of this image, which has taken nothing of the table yet. Returns only when it
    /// cannot be executed.
    pub fn go_back(&self, table: &OwnedFd) -> io::Error {
        table::execute_unread(&self.argv(), &self.table_flag, table, &self.program)
    }

    /// The command line: the executable by its descriptor, which is open until the kernel has it.
    pub(crate) fn argv(&self) -> Vec<CString> {
        let program = format!("/proc/self/fd/{}", self.program.as_raw_fd());
        let program = CString::new(program).unwrap_or_default();
        std::iter::once(program).chain(self.arguments.iter().cloned()).collect()
    }
}

/// A trial under way.
#[derive(Debug)]
pub(crate) struct Trial {
    pub former: Former,
    /// When it is decided.
    pub until: Instant,
    /// Whether its engine has come up.
    came_up: bool,
}

/// What the end of the time means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The engine came up and stayed.
    Passed,
    /// It said nothing.
    Failed,
}

impl Trial {
    pub fn new(former: Former, now: Instant, patience: &Patience) -> Self {
        Self { former, until: now + patience.trial, came_up: false }
    }

    /// The engine says that it is up.
    pub fn greeted(&mut self, now: Instant, patience: &Patience) {
        if !self.came_up {
            self.came_up = true;
            self.until = now + patience.probation;
        }
    }

    /// Returns what it came to, when its time is over.
    pub fn verdict(&self, now: Instant) -> Option<Verdict> {
        (self.until <= now).then_some(if self.came_up { Verdict::Passed } else { Verdict::Failed })
    }
}
