//! The control groups of runs: made before a run, removed when nothing of it is left, done without
//! where the host allows none.
//!
//! To make and to remove one takes the kernel 0.1 ms, which nobody waits for: as many as there are services
//! are made ahead, and those that are over are removed, when nothing else is to do.

use std::io;
use std::os::fd::OwnedFd;

use zelador_core::id::RunId;
use zelador_guardian::message::ToGuardian;

use super::Native;
use crate::errno;
use crate::processes::cgroup;

/// So many are made ahead at most, and so many wait to be removed: a group costs the kernel some 10 KiB.
const MOST: usize = 128;

impl Native {
    /// The work on groups that was put off and that may be done ahead; for a thread that nobody waits for.
    pub fn rest(&mut self) -> impl FnOnce() + Send + use<> {
        let over = std::mem::take(&mut self.groups_over);
        let living = self.runs.values().filter(|state| state.death.is_none()).count();
        let next = self.last_run.map_or(0, |run| run.number() + 1);
        let ahead = (next..).take(living.min(MOST)).map(RunId::new);
        let groups = self.groups.clone();
        move || {
            over.iter().for_each(|group| cgroup::remove(group));
            if let Some(groups) = groups {
                groups.prepare(ahead);
            }
        }
    }

    /// Makes the control group of a run and returns its folder; a host that refuses once is not asked again,
    /// unless it has only no room just now.
    pub(super) fn make_group(&mut self, run: RunId) -> Option<OwnedFd> {
        match self.groups.as_ref()?.make(run) {
            Ok(folder) => Some(folder),
            Err(error) => {
                self.do_without(&error);
                None
            }
        }
    }

    /// The guardian may not put a process into the group: asks again without. Returns false when
    /// that was no matter of groups.
    pub(super) fn spawn_without_group(&mut self, run: RunId, errno: i32) -> bool {
        let Some(state) = self.runs.get_mut(&run) else { return false };
        let Some(mut request) = state.request.take() else { return false };
        if let Some(group) = state.group.take() {
            cgroup::remove(&group);
        }
        self.do_without(&io::Error::from_raw_os_error(errno));
        request.cgroup = false;
        self.link.send(ToGuardian::Spawn { run: run.number(), launch: *request });
        true
    }

    fn do_without(&mut self, error: &io::Error) {
        if errno::is_want(error) {
            tracing::info!(%error, "a run begins without a control group: its tree is found by /proc");
        } else {
            tracing::info!(%error, "no control groups here: trees are found by /proc");
            self.groups = None;
        }
    }

    /// Nothing is left of a run: nor shall its control group be.
    pub fn swept(&mut self, run: RunId) {
        let own = self.runs.get_mut(&run).and_then(|state| state.group.take());
        let group = own.or_else(|| Some(self.groups.as_ref()?.path(run)));
        if self.groups_over.len() < MOST {
            self.groups_over.extend(group);
        } else if let Some(group) = group {
            cgroup::remove(&group);
        }
        self.controllers.remove(run);
    }
}
