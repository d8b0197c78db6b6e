//! Whether a verdict comes and goes: the verdict after each look goes in, whether it flaps comes out.
//!
//! The measure is that of Nagios: of the last 21 results, the share of the twenty steps between them
//! that are a change, a late one weighing more than an early one. What is counted are verdicts and not
//! single results: those are settled before, by the thresholds of the cadence.

use std::collections::VecDeque;

use super::Status;

/// How many verdicts are looked at. Nagios: `MAX_STATE_HISTORY_ENTRIES` in objects.h.
const KEPT: usize = 21;
/// What a change counts between the two oldest and between the two latest. Nagios:
/// `low_curve_value` and `high_curve_value` in flapping.c.
const WEIGHTS: (f64, f64) = (0.75, 1.25);
/// From this share on it flaps. Nagios: `high_service_flap_threshold` in its sample nagios.cfg, 20.0.
const BEGINS_AT: f64 = 0.20;
/// Down to this share it goes on to. Nagios: `low_service_flap_threshold`, 5.0.
const ENDS_AT: f64 = 0.05;

/// The latest verdicts of a check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flap {
    verdicts: VecDeque<Status>,
    flaps: bool,
}

impl Flap {
    /// Takes in the verdict after a look; returns whether it flaps, when that changed.
    pub fn take(&mut self, verdict: Status) -> Option<bool> {
        if self.verdicts.len() == KEPT {
            self.verdicts.pop_front();
        }
        self.verdicts.push_back(verdict);
        let share = self.share();
        let flaps = if self.flaps { share > ENDS_AT } else { share >= BEGINS_AT };
        (std::mem::replace(&mut self.flaps, flaps) != flaps).then_some(flaps)
    }

    /// Whether it flaps.
    pub fn flaps(&self) -> bool {
        self.flaps
    }

    /// How often the verdict changed, and within how many looks.
    pub fn changes(&self) -> (usize, usize) {
        (self.steps().filter(|changed| *changed).count(), self.verdicts.len())
    }

    /// Whether the verdict changed from one look to the next, the latest first.
    fn steps(&self) -> impl Iterator<Item = bool> {
        let later = self.verdicts.iter().rev();
        later.clone().zip(later.skip(1)).map(|(later, earlier)| later != earlier)
    }

    fn share(&self) -> f64 {
        let steps = (KEPT - 1) as f64;
        let (first, last) = WEIGHTS;
        let weight = |age: usize| last - (last - first) * age as f64 / (steps - 1.0);
        let changed = self.steps().enumerate().filter(|(_, changed)| *changed);
        changed.map(|(age, _)| weight(age)).sum::<f64>() / steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Healthy, Unhealthy};

    /// Bad for `bad` looks and good for `good`, so many times; where it began and ended to flap.
    fn seen(bad: usize, good: usize, times: usize, rest: usize) -> Vec<(usize, bool)> {
        let round = [vec![Unhealthy; bad], vec![Healthy; good]].concat();
        let all = [round.repeat(times), vec![Healthy; rest]].concat();
        let mut flap = Flap::default();
        let news = all.into_iter().enumerate();
        news.filter_map(|(at, verdict)| Some((at, flap.take(verdict)?))).collect()
    }

    #[test]
    fn what_comes_and_goes_flaps_until_it_has_stayed() {
        // Changes at 3, 5, 8 and 10: the fourth makes a fifth of the twenty steps.
        assert_eq!(seen(3, 2, 4, 60), [(10, true), (35, false)]);
    }

    #[test]
    fn one_outage_is_none_and_so_are_two_that_are_far_apart() {
        assert_eq!(seen(9, 9, 1, 60), []);
        assert_eq!(seen(10, 10, 3, 60), []);
    }

    #[test]
    fn it_says_how_often_the_verdict_changed() {
        let mut flap = Flap::default();
        assert_eq!(flap.changes(), (0, 0));
        for verdict in [Healthy, Unhealthy, Unhealthy, Healthy] {
            assert_eq!(flap.take(verdict), None);
        }
        assert_eq!(flap.changes(), (2, 4));
        for _ in 0..40 {
            assert_eq!(flap.take(Healthy), None);
        }
        assert_eq!(flap.changes(), (0, KEPT));
    }
}
