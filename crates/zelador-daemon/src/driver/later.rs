//! What follows from a step and can wait: what was recorded is told, evidence is asked for, what a run left behind
//! is looked for. It is done when the guardian has nothing to say at the moment, so that a hundred deaths at once
//! are answered before the first of them is told of.
//!
//! Always holds: it is done in its order, and before anything else that reaches the driver; nothing waits longer than
//! [`PATIENCE`] for a guardian that does not stop to speak; nothing is left when the engine ends by itself.

use std::time::Duration;

use tokio::time::Instant;
use zelador_core::effect::Effect;
use zelador_core::id::RunId;
use zelador_core::record::Record;
use zelador_core::unit::Moment;

use super::Driver;
use crate::pm2;

/// For so long something may wait: a hundred services are back sooner, and nobody sees it.
const PATIENCE: Duration = Duration::from_millis(100);

/// Something that can wait.
pub(crate) enum Later {
    /// These were recorded: tell those who listen, and the history.
    Told(Moment, Vec<Record>),
    /// Do this.
    Do(Effect),
    /// The end of a run is recorded, and what was to be seen of it was seen.
    Forget(RunId),
}

/// Whether an effect may be put off: nobody waits for it, and the order of the others does not depend on it.
pub(crate) const fn can_wait(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Notify(_)
            | Effect::WritePid { .. }
            | Effect::RemovePid { .. }
            | Effect::Gather { .. }
            | Effect::Sweep { .. }
    )
}

impl Driver {
    /// Puts something off.
    pub(crate) fn put_off(&mut self, later: Later) {
        self.later.push_back((Instant::now(), later));
    }

    /// Does what has waited long enough.
    pub(super) fn do_overdue(&mut self) {
        while self.later.front().is_some_and(|(since, _)| since.elapsed() >= PATIENCE) {
            self.do_first();
        }
    }

    /// Does the first thing that was put off, and what follows from it.
    pub(super) fn do_first(&mut self) {
        let Some((_, first)) = self.later.pop_front() else { return };
        match first {
            Later::Told(at, records) => {
                self.outlet.records(at, &records);
                if let Some(chronicle) = &mut self.chronicle {
                    pm2::tell(chronicle, at, &records);
                }
                self.remember(at, &records);
            }
            Later::Do(effect) => self.do_one(effect),
            Later::Forget(run) => self.forget(run),
        }
        if !self.facts.is_empty() {
            self.settle(Vec::new());
        }
    }

    /// Does all of it.
    pub(super) fn do_all(&mut self) {
        while !self.later.is_empty() {
            self.do_first();
        }
    }
}
