//! What follows from a step and can wait: what was recorded is told, evidence is asked for, what a run left behind
//! is looked for. It is done when the guardian has nothing to say at the moment, so that a hundred deaths at once
//! are answered before the first of them is told of.
//!
//! Always holds: it is done in its order, and before anything else that reaches the driver; no more than [`MOST`]
//! things wait; none is left when the engine ends by itself.

use zelador_core::effect::Effect;
use zelador_core::id::RunId;
use zelador_core::record::Record;
use zelador_core::unit::Moment;

use super::Driver;
use crate::pm2;

/// So many things may wait while the guardian does not stop to speak: some for each of a thousand deaths.
const MOST: usize = 4096;

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
        self.later.push_back(later);
    }

    /// Does the first things that were put off, until no more are left than may wait.
    pub(super) fn do_surplus(&mut self) {
        while self.later.len() > MOST {
            self.do_first();
        }
    }

    /// Does the first thing that was put off, and what follows from it.
    pub(super) fn do_first(&mut self) {
        match self.later.pop_front() {
            None => {}
            Some(Later::Told(at, records)) => {
                self.outlet.records(at, &records);
                if let Some(chronicle) = &mut self.chronicle {
                    pm2::tell(chronicle, at, &records);
                }
                self.remember(at, &records);
            }
            Some(Later::Do(effect)) => self.do_one(effect),
            Some(Later::Forget(run)) => self.forget(run),
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
