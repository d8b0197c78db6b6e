//! How much points to each cause.

use std::collections::BTreeMap;

use super::Cause;
use crate::words::Words;

#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) value: f64,
    pub(super) because: Vec<(usize, Words)>,
}

#[derive(Debug, Default)]
pub(super) struct Board(pub(super) BTreeMap<Cause, Score>);

impl Board {
    /// Something points to a cause; of several, the strongest counts, and others a little.
    pub(super) fn add(&mut self, cause: Cause, value: f64, because: Words, order: usize) {
        let score = self.0.entry(cause).or_default();
        let (high, low) = (score.value.max(value), score.value.min(value));
        score.value = high + 0.04 * low.min(0.5);
        score.because.push((order, because));
    }

    pub(super) fn value(&self, cause: Cause) -> f64 {
        self.0.get(&cause).map_or(0.0, |score| score.value)
    }

    pub(super) fn scale(&mut self, cause: Cause, by: f64) {
        if let Some(score) = self.0.get_mut(&cause) {
            score.value *= by;
        }
    }
}
