//! How a run ended, and what its control group counted.

use std::time::{Duration, Instant};

use zelador_core::death::Death;
use zelador_core::id::RunId;
use zelador_core::signal::Signal;
use zelador_guardian::message;

use crate::evidence::memory;

use super::{Native, pid_of, status};

/// How long the kernel's log is read before a death is told: its whole buffer takes a few milliseconds.
const KERNEL_LOG_LIMIT: Duration = Duration::from_millis(50);

impl Native {
    /// The main process of a run that was killed: the kernel's log may tell why.
    pub fn killed(&self, run: RunId) -> Option<i32> {
        let state = self.runs.get(&run)?;
        let killed = match state.death.as_ref()? {
            Death::OutOfMemory => true,
            Death::Signaled { signal, .. } => *signal == Signal::KILL,
            _ => false,
        };
        killed.then(|| pid_of(&state.kept))
    }

    /// What the groups of a run count of its memory: read before they are removed.
    pub fn memory(&self, run: RunId) -> memory::Counted {
        let unified = self.groups.as_ref().map(|groups| groups.path(run));
        self.controllers.memory(run, unified.as_deref())
    }

    /// How a run ended, in the core's words.
    pub(super) fn death(
        &mut self,
        run: RunId,
        ended: &message::Ended,
        killed_by_us: bool,
    ) -> Death {
        let death = status::death(ended);
        if killed_by_us || death != (Death::Signaled { signal: Signal::KILL, core_dumped: false }) {
            return death;
        }
        // Its own groups know it exactly.
        let group = self.groups.as_ref().map(|groups| groups.path(run));
        match self.controllers.out_of_memory(run, group.as_deref()) {
            Some(true) => return Death::OutOfMemory,
            Some(false) => return death,
            None => {}
        }
        let before = self.oom_kills;
        let now = self.vmstat.oom_kills();
        self.oom_kills = now.or(before);
        if before.zip(now).is_none_or(|(before, now)| now <= before) {
            return death;
        }
        // Something was killed for memory on this host: it, unless the kernel's log names others only.
        let pid = self.runs.get(&run).map(|state| pid_of(&state.kept));
        let limit = Instant::now() + KERNEL_LOG_LIMIT;
        match pid.and_then(|pid| memory::is_named_by_kernel(pid, limit)) {
            Some(false) => death,
            Some(true) | None => Death::OutOfMemory,
        }
    }
}
