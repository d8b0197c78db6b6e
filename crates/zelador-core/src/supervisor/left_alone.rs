//! Who asks to be left alone (`Retry-After`), kept over an engine that is replaced.
//!
//! Always holds: a wish is of the run that said it, and of none after it.

use serde::{Deserialize, Serialize};

use super::Supervisor;
use crate::id::{CheckId, RunId};
use crate::record::Record;
use crate::unit::Moment;

/// A wish to be left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAlone {
    /// Whose; `None`: it is no run of an app.
    pub run: Option<RunId>,
    /// Until when.
    pub until: Moment,
}

impl Supervisor {
    /// A look came to an end: notes what it wishes for the next one.
    pub(super) fn note_wish(&mut self, id: &CheckId) {
        let Some(until) = self.checks.get(id).and_then(|check| check.not_before) else {
            return self.forget_wish(id);
        };
        let wish = LeftAlone { run: self.run_of_check(id), until };
        if self.left_alone.insert(id.clone(), wish) != Some(wish) {
            self.records.push(Record::LeftAlone(Box::new((id.clone(), wish))));
        }
    }

    /// It is looked at no more, or by another run.
    pub(super) fn forget_wish(&mut self, id: &CheckId) {
        if self.left_alone.remove(id).is_some() {
            self.records.push(Record::LeftAloneGone(id.clone()));
        }
    }

    /// A check begins that an engine before this one may have looked at.
    pub(super) fn recall_wish(&mut self, id: &CheckId) {
        let Some(wish) = self.left_alone.get(id).copied() else { return };
        if wish.run == self.run_of_check(id)
            && let Some(check) = self.checks.get_mut(id)
        {
            check.not_before = Some(wish.until);
            self.changed.checks.insert(id.clone());
        }
    }

    fn run_of_check(&self, id: &CheckId) -> Option<RunId> {
        self.instances.get(&id.instance()?)?.phase.run()
    }
}
