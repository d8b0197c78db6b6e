//! Runs that are over, and when the guardian forgets them.

use zelador_core::id::RunId;
use zelador_guardian::message::ToGuardian;

use super::Native;

impl Native {
    /// The end of a run was recorded.
    pub fn recorded(&mut self, run: RunId) {
        if let Some(state) = self.runs.get_mut(&run) {
            state.recorded = true;
        }
        self.release_if_over(run);
    }

    /// All lines of a run are in its log files.
    pub fn drained(&mut self, run: RunId) {
        if let Some(state) = self.runs.get_mut(&run) {
            state.drained = true;
        }
        self.release_if_over(run);
    }

    fn release_if_over(&mut self, run: RunId) {
        let over = self
            .runs
            .get(&run)
            .is_some_and(|state| state.death.is_some() && state.recorded && state.drained);
        if over {
            self.runs.remove(&run);
            self.link.send(ToGuardian::Release { run: run.number() });
        }
    }

    /// The runs that ended before this engine came.
    pub fn ended_runs(&self) -> Vec<RunId> {
        let ended = self.runs.iter().filter(|(_, state)| state.death.is_some());
        ended.map(|(run, _)| *run).collect()
    }
}
