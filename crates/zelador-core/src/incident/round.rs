//! The rounds of an incident: what came back after it had seemed to be over is treated anew.
//!
//! Always holds: what was tried in an earlier round is remembered, and counts as no try of this one.

use super::{Incident, Try, TryResult};
use crate::healing::Remedy;
use crate::said::Why;
use crate::unit::Moment;

impl Incident {
    /// When it was detected last.
    pub fn began_at(&self) -> Moment {
        self.reopened_at.unwrap_or(self.opened_at)
    }

    /// What was tried since, the oldest first.
    pub fn round(&self) -> &[Try] {
        let of_before = |it: &Try| it.at < self.began_at() || it.result == Some(TryResult::Healed);
        let before = self.tries.iter().rposition(of_before).map_or(0, |last| last + 1);
        &self.tries[before..]
    }

    /// Whether a remedy would be tried once more, and not for the first time or after another one.
    pub fn is_again(&self, remedy: &Remedy) -> bool {
        self.round().last().is_some_and(|last| last.remedy == *remedy)
    }

    /// What was tried and why it did not help.
    pub fn tried(&self) -> Why {
        let mut said: Vec<(usize, Remedy, Option<TryResult>)> = Vec::new();
        for it in self.round() {
            match said
                .iter_mut()
                .find(|(_, remedy, result)| (remedy, *result) == (&it.remedy, it.result))
            {
                Some((times, ..)) => *times += 1,
                None => said.push((1, it.remedy.clone(), it.result)),
            }
        }
        Why::NothingHelped(said)
    }
}
