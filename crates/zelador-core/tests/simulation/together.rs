//! What the guardian says within a moment, heard at once.

use std::time::Duration;

use crate::rule::Violation;
use crate::world::{Happening, World};
use zelador_core::id::RunId;
use zelador_core::input::{Fact, Input};

/// An engine that was busy for so long finds all of it when it looks.
const BUSY: Duration = Duration::from_millis(10);

impl World {
    /// Tells a fact; half of the time along with all that would be told in the next moment.
    pub fn tell_at_once(&mut self, fact: Fact) -> Result<(), Violation> {
        let mut heard = vec![fact];
        if self.rng.bool() {
            let until = self.now + BUSY;
            while let Some((at, fact)) = self.next_told(until) {
                self.now = self.now.max(at);
                heard.extend(fact);
            }
        }
        let ended: Vec<RunId> = heard.iter().filter_map(ended).collect();
        let Some(last) = heard.pop() else { return Ok(()) };
        self.step_after(heard, Input::Fact(last))?;
        for run in ended {
            if let Some(process) = self.guardian.runs.get_mut(&run) {
                process.recorded = self.engine_is_there;
            }
        }
        Ok(())
    }

    /// Takes what is told next, if that is all that happens next; nothing, if it is meant for an engine that is gone.
    fn next_told(
        &mut self,
        until: zelador_core::unit::Moment,
    ) -> Option<(zelador_core::unit::Moment, Option<Fact>)> {
        let entry = self.queue.first_entry()?;
        let at = entry.key().0;
        if at > until || !matches!(entry.get(), Happening::Tell { .. }) {
            return None;
        }
        match entry.remove() {
            Happening::Tell { fact, engine } => Some((at, (engine == self.engine).then_some(fact))),
            _ => None,
        }
    }
}

fn ended(fact: &Fact) -> Option<RunId> {
    match fact {
        Fact::Exited { run, .. } => Some(*run),
        _ => None,
    }
}
