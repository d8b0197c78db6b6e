//! What is usual of a measure, learnt from its own quiet past: the values that it had at this hour of
//! the day while its check was healthy.
//!
//! Pure. Always holds: nothing is learnt from a bad time; before enough was seen nothing is known; what
//! is kept is bounded, and the oldest goes first.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::unit::Moment;

/// Values are learnt this far apart: a day has 288, an hour twelve.
pub const LEARN_EVERY: Duration = Duration::from_mins(5);

/// So many are kept of each hour of the day: of five days.
const KEPT: usize = 60;

/// With the hours before and after this one: two hours' worth of values say what is usual.
const ENOUGH: usize = 24;

/// From this many robust deviations on a value is an outlier: Iglewicz and Hoaglin, *How to Detect
/// and Handle Outliers* (1993).
const OUTLIER: f64 = 3.5;

/// The median absolute deviation of a normal distribution times this is its standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;

/// What hardly moves at all may move by this share of itself.
const LEAST_SPREAD: f64 = 0.02;

/// The values of a measure at every hour of the day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    hours: Vec<VecDeque<f64>>,
    learnt_at: Moment,
}

/// What is usual at an hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// From here...
    pub low: f64,
    /// ...to here most values lay: a tenth is lower, a tenth higher.
    pub high: f64,
    /// Beyond this it is unusual, to either side.
    pub outliers: (f64, f64),
}

impl Usual {
    /// Takes in a value of a quiet moment, at an hour of the day; false if it is too soon after the
    /// last one, or no number.
    pub fn learn(&mut self, value: f64, hour: u8, now: Moment) -> bool {
        let too_soon = !self.hours.is_empty() && now.since(self.learnt_at) < LEARN_EVERY;
        if too_soon || !value.is_finite() {
            return false;
        }
        self.hours.resize(24, VecDeque::new());
        let values = &mut self.hours[usize::from(hour % 24)];
        if values.len() >= KEPT {
            values.pop_front();
        }
        values.push_back(value);
        self.learnt_at = now;
        true
    }

    /// What is usual at an hour; `None`: not enough is known.
    pub fn band(&self, hour: u8) -> Option<Band> {
        let hour = usize::from(hour % 24);
        let near = [hour + 23, hour, hour + 1].map(|hour| hour % 24);
        let mut values: Vec<f64> =
            near.iter().filter_map(|hour| self.hours.get(*hour)).flatten().copied().collect();
        if values.len() < ENOUGH {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let median = quantile(&values, 0.5);
        let mut distances: Vec<f64> = values.iter().map(|it| (it - median).abs()).collect();
        distances.sort_by(f64::total_cmp);
        let sigma = quantile(&distances, 0.5) * MAD_TO_SIGMA;
        let spread = OUTLIER * sigma.max(median.abs() * LEAST_SPREAD);
        Some(Band {
            low: quantile(&values, 0.1),
            high: quantile(&values, 0.9),
            outliers: (median - spread, median + spread),
        })
    }
}

/// The value below which this share of sorted values lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: u8 = 12;

    fn learnt(values: impl IntoIterator<Item = f64>, hour: u8) -> Usual {
        let mut usual = Usual::default();
        for (number, value) in values.into_iter().enumerate() {
            let at = Moment::default() + LEARN_EVERY * (number as u32 + 1);
            assert!(usual.learn(value, hour, at));
        }
        usual
    }

    #[test]
    fn nothing_is_known_before_enough_was_seen() {
        assert_eq!(learnt((0..23).map(f64::from), NOON).band(NOON), None);
        assert!(learnt((0..24).map(f64::from), NOON).band(NOON).is_some());
        assert!(learnt((0..24).map(f64::from), NOON).band(13).is_some(), "the next hour is near");
        assert_eq!(learnt((0..24).map(f64::from), NOON).band(20), None, "the evening is another");
    }

    #[test]
    fn a_day_has_its_rhythm() {
        let mut usual = learnt((0..30).map(|it| 200.0 + f64::from(it)), NOON);
        for number in 0..30_u32 {
            let at = Moment::default() + LEARN_EVERY * (number + 100);
            usual.learn(20.0 + f64::from(number % 5), 3, at);
        }
        let (noon, night) = (usual.band(NOON).unwrap(), usual.band(3).unwrap());
        assert!(noon.outliers.1 > 215.0 && night.outliers.1 < 60.0, "{noon:?} {night:?}");
        assert_eq!((noon.low.trunc(), noon.high.trunc()), (203.0, 226.0));
    }

    #[test]
    fn a_few_odd_values_do_not_move_what_is_usual() {
        let steady = (0..50).map(|it| 100.0 + f64::from(it % 7));
        let odd = steady.clone().chain([900.0, 950.0, 1_000.0]);
        let (steady, odd) = (learnt(steady, NOON), learnt(odd, NOON));
        let edge = |usual: &Usual| usual.band(NOON).unwrap().outliers.1;
        assert!((edge(&odd) - edge(&steady)).abs() < 10.0, "{} {}", edge(&odd), edge(&steady));
    }

    #[test]
    fn values_that_come_too_soon_and_what_is_no_number_are_left_out() {
        let mut usual = Usual::default();
        let now = Moment::default() + LEARN_EVERY;
        assert!(usual.learn(1.0, 0, now));
        assert!(!usual.learn(1.0, 0, now + LEARN_EVERY / 2));
        assert!(!usual.learn(f64::NAN, 0, now + LEARN_EVERY * 2));
    }

    proptest! {
        #[test]
        fn the_band_lies_within_its_outliers_and_memory_is_bounded(
            values in proptest::collection::vec(-1e9_f64..1e9, 24..400), hour in 0_u8..24,
        ) {
            let usual = learnt(values, hour);
            let band = usual.band(hour).unwrap();
            prop_assert!(band.low <= band.high);
            prop_assert!(band.outliers.0 <= band.outliers.1);
            prop_assert!(usual.hours.iter().map(VecDeque::len).sum::<usize>() <= 24 * KEPT);
        }
    }
}
