//! The control groups of runs: made before a run, removed when nothing of it is left, done without
//! where the host allows none.

use std::io;
use std::os::fd::OwnedFd;

use zelador_core::id::RunId;
use zelador_guardian::message::ToGuardian;

use super::Native;
use crate::processes::cgroup;

impl Native {
    /// Makes the control group of a run and returns its folder; a host that refuses once is not asked again.
    pub(super) fn make_group(&mut self, run: RunId) -> Option<OwnedFd> {
        match self.groups.as_ref()?.make(run) {
            Ok(folder) => Some(folder),
            Err(error) => {
                tracing::info!(%error, "no control groups here: trees are found by /proc");
                self.groups = None;
                None
            }
        }
    }

    /// The guardian may not put a process into the group: asks again without. Returns false when
    /// that was no matter of groups.
    pub(super) fn spawn_without_group(&mut self, run: RunId, errno: i32) -> bool {
        let Some(state) = self.runs.get_mut(&run) else { return false };
        let Some(mut request) = state.request.take() else { return false };
        let error = io::Error::from_raw_os_error(errno);
        tracing::info!(%error, "no control groups here: trees are found by /proc");
        if let Some(group) = state.group.take() {
            cgroup::remove(&group);
        }
        self.groups = None;
        request.cgroup = false;
        self.link.send(ToGuardian::Spawn { run: run.number(), launch: *request });
        true
    }

    /// Nothing is left of a run: nor shall its control group be.
    pub fn swept(&mut self, run: RunId) {
        if let Some(group) = self.runs.get_mut(&run).and_then(|state| state.group.take()) {
            cgroup::remove(&group);
        } else if let Some(groups) = &self.groups {
            cgroup::remove(&groups.path(run));
        }
        self.controllers.remove(run);
    }
}
