//! A guardian that stands still neither reaps nor starts, and what was asked for waits without a word: it is made to
//! go on.
//!
//! Always holds: what is stopped for less than [`STANDS_STILL`], or is being debugged, is left alone.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::Driver;
use crate::processes;

/// Longer than anybody holds it up on purpose for a look, and half of what an engine may be silent for.
const STANDS_STILL: Duration = Duration::from_secs(10);

impl Driver {
    /// Looks whether the guardian is stopped (`SIGSTOP`), and since when.
    pub(super) fn look_at_guardian(&mut self) {
        let guardian = self.native.guardian_pid();
        let Ok(stat) = processes::stat(guardian) else { return };
        if stat.is_none_or(|stat| stat.state != 'T') {
            self.stands_still_since = None;
            return;
        }
        let since = *self.stands_still_since.get_or_insert_with(Instant::now);
        if since.elapsed() < STANDS_STILL {
            return;
        }
        self.stands_still_since = None;
        let gone_on = Pid::from_raw(guardian).map(|pid| kill_process(pid, Signal::CONT));
        tracing::warn!(
            guardian,
            "the guardian stood still for {} s (SIGSTOP), and services with it: it is made to go on{}",
            STANDS_STILL.as_secs(),
            match gone_on {
                Some(Err(error)) => format!(", which fails: {error}"),
                _ => String::new(),
            }
        );
    }
}
