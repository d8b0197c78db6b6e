//! Facts that are decided on together, before anything of what follows is performed and recorded but the
//! starts that are ahead of their records.
//!
//! Always holds: of what begins within a batch the end is never decided on in the same one. An engine that
//! is lost before the records are written is followed by one that may find one run of an instance that no
//! record tells of, never two in a row.

use std::collections::BTreeSet;

use crate::id::RunId;
use crate::input::Fact;

/// How many facts are decided on before the effects of all are performed: enough that what is done once
/// (a transaction of 0.3 ms, a look at every incident) no longer counts, and that the successors of a
/// hundred deaths begin before the first of them is written down; few enough that nobody waits for that
/// longer than some milliseconds (30 µs each).
const MOST: usize = 256;

/// What a batch has taken so far.
#[derive(Debug, Default)]
pub struct Batch {
    facts: usize,
    begun: BTreeSet<RunId>,
}

impl Batch {
    /// Whether it takes another fact, whatever that is.
    pub fn has_room(&self) -> bool {
        self.facts < MOST
    }

    /// Whether this fact may be decided on along with the others.
    pub fn takes(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Exited { run, .. } | Fact::SpawnFailed { run, .. } => !self.begun.contains(run),
            _ => true,
        }
    }

    /// A fact was decided on, and these runs were begun ahead of their records.
    pub fn add(&mut self, begun: impl IntoIterator<Item = RunId>) {
        self.facts += 1;
        self.begun.extend(begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::death::Death;

    #[test]
    fn the_end_of_what_began_in_it_is_left_for_the_next_one() {
        let ended = |run| Fact::Exited { run: RunId::new(run), death: Death::Exited { code: 1 } };
        let mut batch = Batch::default();
        assert!(batch.takes(&ended(1)));
        batch.add([RunId::new(2)]);
        assert!(
            !batch.takes(&ended(2)),
            "a run without a record would have a successor without one"
        );
        assert!(
            batch.takes(&Fact::Spawned { run: RunId::new(2), pid: 7 }) && batch.takes(&ended(3))
        );
        assert!(Batch::default().takes(&ended(2)), "it is recorded by then");
    }

    #[test]
    fn it_is_full_at_some_time() {
        let mut batch = Batch::default();
        while batch.has_room() {
            assert!(batch.facts < MOST);
            batch.add([]);
        }
    }
}
