//! What the driver looks at every two seconds: its guardian, its socket, the clock, its file.

use std::fs;
use std::os::unix::fs::MetadataExt;

use zelador_core::input::{Fact, Input};

use super::Driver;
use crate::history;

/// A difference between the two clocks that changes by more than this was a jump, not drift.
const JUMP_MICROS: u64 = 1_000_000;

impl Driver {
    pub(super) fn beat(&mut self) {
        self.native.alive();
        self.confirm_backlogs();
        self.look_at_guardian();
        self.look_for_socket();
        let ahead = self.clock.wall_ahead_micros();
        if ahead.abs_diff(self.clock_ahead) > JUMP_MICROS {
            tracing::warn!(seconds = ahead / 1_000_000, "the wall clock was set");
            self.clock_ahead = ahead;
            self.step(Input::Fact(Fact::ClockJumped { ahead_micros: ahead }));
        }
        self.leave_a_removed_file();
        if history::is_large(&self.history_path, self.supervisor.settings().history.size) {
            self.checkpoint();
        }
    }

    /// Notices that somebody has removed the control socket, or put a file in its place: nobody can call any more,
    /// and the guardian makes another one for the next engine. Of a home that is gone as a whole there is none.
    fn look_for_socket(&mut self) {
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        let folder = fs::metadata(self.home.path()).map(identity).ok();
        if fs::symlink_metadata(self.home.socket()).is_ok_and(|it| !it.is_file()) {
            self.socket_in = folder;
            return;
        }
        let is_lost = folder.is_some() && folder == self.socket_in;
        if is_lost && self.may_upgrade().is_ok() {
            tracing::warn!("the control socket was removed: another engine gets a new one");
            self.lost_socket = true;
        }
    }

    pub(super) fn checkpoint(&mut self) {
        let (path, size) = (self.history_path.clone(), self.supervisor.settings().history.size);
        let is_settled = self.history.is_settled();
        self.tasks.spawn_blocking(move || {
            history::checkpoint(&path, size);
            if is_settled {
                history::forget(&path);
            }
        });
    }
}
