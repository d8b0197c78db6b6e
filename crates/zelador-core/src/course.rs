//! What a run used over its life, in a bounded number of samples.
//!
//! Pure. Always holds: at most [`KEPT`] samples, the first one among them; the longer the run, the
//! further apart they are.

use std::time::Duration;

use crate::probe::Usage;
use crate::unit::{Moment, SECOND};

/// So many samples at most: a leak of hours is told by far fewer.
pub const KEPT: usize = 120;

/// The samples of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    samples: Vec<(Moment, Usage)>,
    /// The least time between two samples.
    apart: Duration,
}

impl Course {
    /// Takes in a sample; one that comes too soon after the last takes no place.
    pub fn add(&mut self, at: Moment, usage: Usage) {
        if self.samples.last().is_some_and(|(last, _)| at.since(*last) < self.apart) {
            return;
        }
        self.samples.push((at, usage));
        if self.samples.len() > KEPT {
            let mut place = 0;
            self.samples.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.apart = (self.apart * 2).max(4 * SECOND);
        }
    }

    /// The samples, the oldest first.
    pub fn samples(&self) -> &[(Moment, Usage)] {
        &self.samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::ByteSize;

    #[test]
    fn a_day_of_samples_takes_a_bounded_place_and_keeps_its_shape() {
        let mut course = Course::default();
        for tick in 0..43_200_u64 {
            let usage = Usage { memory: ByteSize::new(tick), ..Usage::default() };
            course.add(Moment::from_micros(2_000_000 * tick), usage);
        }
        let kept = course.samples();
        assert!((KEPT / 2..=KEPT).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept[0].0, Moment::from_micros(0), "where it began");
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0 && a.1.memory < b.1.memory));
        let last = kept.last().unwrap().1.memory.bytes();
        assert!(last > 42_000, "the latest is from the last hour: {last}");
    }
}
