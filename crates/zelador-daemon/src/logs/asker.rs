//! Asks the thread of the logs, from any thread.
//!
//! Always holds: whoever asks neither waits long nor keeps the logs from ending.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{Sender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use zelador_core::id::RunId;
use zelador_core::unit::Moment;

use super::tail::{self, Placed};
use super::thread::Command;

/// The thread answers between two moves, which take a millisecond.
const ANSWERS_WITHIN: Duration = Duration::from_millis(50);

/// Of the 300 ms that evidence may take.
const CATCHES_UP_WITHIN: Duration = Duration::from_millis(120);

/// Asks the thread of the logs.
#[derive(Clone)]
pub struct Asker {
    pub(super) commands: Weak<Sender<Command>>,
    pub(super) bell: Arc<OwnedFd>,
}

/// A line of a log, and when it arrived where that is known.
pub type Timed = (String, Option<Moment>);

impl Asker {
    /// Returns the last lines of a log, as [`super::tail`] does, with the times that this engine knows.
    ///
    /// # Errors
    /// As there.
    pub fn tail(
        &self,
        path: &Path,
        lines: usize,
        max_bytes: u64,
        date_format: &str,
    ) -> std::io::Result<Vec<Timed>> {
        let Placed { file, lines } = tail::placed(path, lines, max_bytes, date_format)?;
        let arrivals = file.and_then(|_| self.arrivals(path));
        let at = |place: Option<u64>| arrivals.as_ref()?.at(file?, place?);
        Ok(lines.into_iter().map(|(line, place)| (line, at(place))).collect())
    }

    /// Waits until everything that a run that ended has said is in its logs. What its process wrote is in
    /// its pipes by then; a thread that has other runs' floods to move is not waited for without end.
    pub fn catch_up(&self, run: RunId) {
        let (told, answer) = sync_channel(1);
        let Some(commands) = self.commands.upgrade() else { return };
        if commands.send(Command::CatchUp(run, told)).is_ok() {
            super::ring(&self.bell);
            _ = answer.recv_timeout(CATCHES_UP_WITHIN);
        }
    }

    fn arrivals(&self, path: &Path) -> Option<super::arrival::Arrivals> {
        let (told, answer) = sync_channel(1);
        self.commands.upgrade()?.send(Command::Arrivals(path.to_owned(), told)).ok()?;
        super::ring(&self.bell);
        answer.recv_timeout(ANSWERS_WITHIN).ok()?
    }
}
