//! Where a number that grows will be: when it comes to its limit, if it goes on like this.
//!
//! Pure: points go in, a straight line comes out. Always holds: nothing is foretold from few points,
//! from a number that does not grow steadily, or for longer than what was seen.

use std::time::Duration;

/// From fewer points nothing is foretold.
const FEWEST: usize = 12;

/// How much of what the number does the line must explain (R²): a number that breathes around a level,
/// or grows in one step, is below.
const LEAST_EXPLAINED: f64 = 0.8;

/// Nothing is foretold for longer than this many times what was seen.
const FARTHEST: f64 = 3.0;

/// When a number comes to its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// What the line says for the last point.
    pub now: f64,
    /// How long after the last point the line is at the limit.
    pub reached_in: Duration,
}

/// Returns when points (seconds, value; oldest first) come to `limit`; `None`: that cannot be said, or
/// they do not.
pub fn forecast(points: &[(u64, i64)], limit: i64) -> Option<Forecast> {
    let ((first, _), (last, _)) = (points.first()?, points.last()?);
    if points.len() < FEWEST || last <= first {
        return None;
    }
    let count = points.len() as f64;
    let xs = points.iter().map(|(at, _)| (at - first) as f64);
    let ys = points.iter().map(|(_, value)| *value as f64);
    let (mean_x, mean_y) = (xs.clone().sum::<f64>() / count, ys.clone().sum::<f64>() / count);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in xs.zip(ys) {
        let (dx, dy) = (x - mean_x, y - mean_y);
        (xx, xy, yy) = (xx + dx * dx, xy + dx * dy, yy + dy * dy);
    }
    let slope = xy / xx;
    let explained = if yy > 0.0 { xy * xy / (xx * yy) } else { 0.0 };
    // Also when one of them is no number.
    if !(slope > 0.0 && explained >= LEAST_EXPLAINED) {
        return None;
    }
    let seen = (last - first) as f64;
    let now = mean_y + slope * (seen - mean_x);
    let seconds = (limit as f64 - now) / slope;
    (0.0..=seen * FARTHEST)
        .contains(&seconds)
        .then(|| Forecast { now, reached_in: Duration::from_secs_f64(seconds) })
}

/// A number grows more slowly when the later step between thirds is below this share of the earlier one. Ours: a program
/// that warms up (its distance to its level halves again and again) is below from the first halving on.
const SLOWER: f64 = 0.75;

/// Returns whether a number grows more and more slowly: it may come to a level of its own before any limit. True of fewer
/// than three points.
pub fn slows_down(points: &[(u64, i64)]) -> bool {
    let third = points.len() / 3;
    if third == 0 {
        return true;
    }
    let mean = |points: &[(u64, i64)]| {
        points.iter().map(|(_, value)| *value as f64).sum::<f64>() / points.len() as f64
    };
    let (first, rest) = points.split_at(third);
    let (middle, last) = (&rest[..rest.len() - third], &rest[rest.len() - third..]);
    let (first, middle, last) = (mean(first), mean(middle), mean(last));
    last - middle < (middle - first) * SLOWER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(count: u64, value: impl Fn(u64) -> i64) -> Vec<(u64, i64)> {
        (0..count).map(|index| (1_700_000_000 + index * 10, value(index))).collect()
    }

    #[test]
    fn what_grows_steadily_comes_to_its_limit() {
        // 100 every 10 s from 1000: at the last point 3900, so 6000 is 210 s away.
        let found = forecast(&line(30, |index| 1000 + 100 * index as i64), 6000).unwrap();
        assert!((found.now - 3900.0).abs() < 1e-6, "{found:?}");
        assert!((found.reached_in.as_secs_f64() - 210.0).abs() < 1e-6, "{found:?}");
        let noisy = line(30, |index| 1000 + 100 * index as i64 + (index as i64 % 3) * 40);
        let found = forecast(&noisy, 6000).unwrap();
        assert!((190..230).contains(&found.reached_in.as_secs()), "{found:?}");
    }

    #[test]
    fn what_warms_up_slows_down_and_what_leaks_does_not() {
        let leaks = line(30, |index| 1000 + 100 * index as i64 + (index as i64 % 3) * 40);
        let warms = line(30, |index| 1000 - (1000.0 * 0.95_f64.powf(index as f64)) as i64);
        assert!(!slows_down(&leaks) && slows_down(&warms) && slows_down(&leaks[..2]));
        assert!(forecast(&warms, 1100).is_some(), "a straight line alone would foretell it");
    }

    #[test]
    fn nothing_is_foretold_of_what_breathes_falls_steps_or_is_far_away() {
        let breathes = line(60, |index| 1000 + if index % 2 == 0 { 0 } else { 500 });
        let falls = line(60, |index| 9000 - 100 * index as i64);
        let steps = line(60, |index| if index < 50 { 1000 } else { 2000 });
        let slow = line(60, |index| 1000 + index as i64);
        let flat = line(60, |_| 1000);
        for points in [breathes, falls, steps, slow, flat, line(5, |index| 1000 * index as i64)] {
            assert_eq!(forecast(&points, 100_000), None, "{points:?}");
        }
        assert_eq!(forecast(&[], 1), None);
        let over = line(30, |index| 1000 + 100 * index as i64);
        assert_eq!(forecast(&over, 2000), None, "it is there already");
    }
}
