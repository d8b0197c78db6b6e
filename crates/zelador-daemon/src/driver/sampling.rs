//! What runs use: all of them at an even pace, and new ones when somebody wants to know.

use std::time::Duration;

use tokio::sync::oneshot;
use zelador_core::id::RunId;
use zelador_core::input::{Fact, Input};

use zelador_guardian::thrift;

use super::{Driver, Message};
use crate::processes::{RunKey, Sampler};

/// Starts that belong together come closer to each other than this.
pub(super) const QUIET_FOR: Duration = Duration::from_secs(1);

/// So many runs are looked at every time. A look at one costs some 25 µs with what follows from it.
const RUNS_A_PASS: usize = 200;

/// How many passes are left out after one over so many runs, so that rest costs no more with a thousand
/// than with 200: half a percent of a processor, and 10 s from one look to the next, where PM2 has 30.
const fn passes_to_skip(runs: usize) -> usize {
    runs.saturating_sub(1) / RUNS_A_PASS
}

impl Driver {
    /// Samples what the live runs use, on the blocking pool.
    pub(super) fn sample(&mut self) {
        if let Some(left) = self.passes_to_skip.checked_sub(1) {
            self.passes_to_skip = left;
            return;
        }
        let live = self.supervisor.live_runs().into_iter().map(|(run, _)| run).collect();
        let keys = self.keys(live);
        if keys.is_empty() {
            return;
        }
        let Some(mut sampler) = self.sampler.take() else { return };
        self.passes_to_skip = passes_to_skip(keys.len());
        let sender = self.sender.clone();
        self.tasks.spawn_blocking(move || {
            let usages = sampler.sample(&keys).unwrap_or_else(|error| {
                tracing::debug!(%error, "/proc cannot be read");
                Vec::new()
            });
            _ = sender.blocking_send(Message::Sampled(sampler, usages));
        });
    }

    /// Samples the runs that have not been yet, apart from the pace: what a processor did is told by
    /// the time between two samples, and that between any two of these may be too short.
    pub(super) fn sample_new(&mut self, done: oneshot::Sender<()>) {
        let keys = self.keys(self.supervisor.unsampled_runs());
        let sender = self.sender.clone();
        self.tasks.spawn_blocking(move || {
            if let Ok(usages) = Sampler::new().sample(&keys) {
                let fact = Fact::Sampled { usages };
                _ = sender.blocking_send(Message::Input(Input::Fact(fact)));
            }
            // Whoever asked may have gone.
            _ = done.send(());
        });
    }

    /// Gives back what starts needed, and makes ready what the next need, when no other follows. Code only once, after the first apps: what a
    /// death needs is to be at hand from the second on.
    pub(super) fn give_back(&mut self) {
        if self.busy_at.take_if(|at| at.elapsed() >= QUIET_FOR).is_some() {
            let code_too = !self.gave_back;
            self.gave_back |= self.native.has_runs();
            self.tasks.spawn_blocking(self.native.rest());
            self.tasks.spawn_blocking(if code_too { thrift::give_back } else { thrift::trim });
        }
    }

    fn keys(&self, runs: Vec<RunId>) -> Vec<(RunId, RunKey)> {
        runs.into_iter().filter_map(|run| Some((run, self.native.key(run)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_200_are_looked_at_every_time_and_a_thousand_every_fifth() {
        assert_eq!([0, 1, 200, 201, 1000].map(passes_to_skip), [0, 0, 0, 1, 4]);
    }
}
