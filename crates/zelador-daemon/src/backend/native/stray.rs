//! Runs that no record tells of, and whose guardian and engine died together: they began ahead of their
//! record, or could not be recorded at all.
//!
//! They are told by their mark, which also says whose they are (`pm_id`), and where a program has written over
//! its environment by their control group. Always holds: what is found is told of to the supervisor, which
//! takes it or ends it, before anything is started in its place; a number that was recorded as used is none of theirs.

use std::collections::BTreeMap;
use std::io;

use zelador_core::id::{InstanceId, RunId};
use zelador_core::launch::run_mark;

use super::Native;
use super::lost::{Declared, Found};
use crate::errno;
use crate::processes::{Processes, Stat, cgroup, variable_of};

impl Native {
    /// Adopts them; `next` is the first number that no record has used.
    ///
    /// # Errors
    /// They could not be looked for.
    pub(super) fn take_on_strays(
        &mut self,
        all: &Processes,
        marked: &BTreeMap<String, &Stat>,
        next: RunId,
        declared: &Declared,
        kept: &mut Found,
    ) -> io::Result<()> {
        let mut found: BTreeMap<RunId, &Stat> = BTreeMap::new();
        for (mark, process) in marked {
            let run = mark.split_once('@').and_then(|(run, _)| run.parse().ok()).map(RunId::new);
            if let Some(run) = run.filter(|run| *mark == run_mark(&self.home, *run)) {
                found.insert(run, process);
            }
        }
        for (run, group) in self.groups.iter().flat_map(cgroup::Groups::all) {
            let leads = |process: &&Stat| process.session == process.pid && !process.is_dead();
            let members = match cgroup::members(&group) {
                Err(error) if errno::is_want(&error) => return Err(error),
                members => members.unwrap_or_else(|error| {
                    tracing::warn!(%run, %error, "it is not known what lives in the control group of a run");
                    Vec::new()
                }),
            };
            let mut leaders = members.into_iter().filter_map(|pid| all.get(pid)).filter(leads);
            if let Some(process) = leaders.next() {
                found.entry(run).or_insert(process);
            }
        }
        found.retain(|run, _| *run >= next && !self.runs.contains_key(run));
        for (run, process) in found {
            let instance = variable_of(process.pid, "pm_id")?.and_then(|id| id.parse().ok());
            self.adopt(run, process, instance.map(InstanceId::new), declared, kept);
        }
        Ok(())
    }
}
