//! Many numbers in five: how many, the least, the mean, the greatest, and the one that 95 % do not
//! exceed.
//!
//! Always holds: min ≤ mean ≤ max and min ≤ p95 ≤ max; a summary of summaries has exactly the count,
//! the least and the greatest of what they were made of. Its mean is exact but for rounding; its p95
//! is that of the parts' p95, each counting as often as it has samples.

/// The share that the 95th percentile leaves below or at itself.
const NINETY_FIVE: u64 = 95;

/// A summary of at least one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollup {
    /// How many samples.
    pub count: u64,
    /// The least.
    pub min: i64,
    /// The mean, rounded to the nearest whole.
    pub mean: i64,
    /// The greatest.
    pub max: i64,
    /// The smallest value that 95 % of the samples do not exceed (nearest rank).
    pub p95: i64,
}

impl Rollup {
    /// Sums up samples; `None` of none.
    pub fn of(samples: impl IntoIterator<Item = i64>) -> Option<Self> {
        let mut sorted: Vec<i64> = samples.into_iter().collect();
        sorted.sort_unstable();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len() as u64;
        let sum: i128 = sorted.iter().map(|value| i128::from(*value)).sum();
        let rank = (count * NINETY_FIVE).div_ceil(100).max(1);
        let p95 = sorted[rank as usize - 1];
        Some(Self { count, min, mean: divided(sum, count), max, p95 })
    }

    /// Sums up summaries; `None` of none.
    pub fn merge(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut parts: Vec<Self> = parts.into_iter().filter(|part| part.count > 0).collect();
        if let [only] = parts[..] {
            return Some(only);
        }
        parts.sort_unstable_by_key(|part| part.p95);
        let count = parts.iter().map(|part| part.count).sum::<u64>();
        let min = parts.iter().map(|part| part.min).min()?;
        let max = parts.iter().map(|part| part.max).max()?;
        let sum: i128 =
            parts.iter().map(|part| i128::from(part.mean) * i128::from(part.count)).sum();
        let rank = (u128::from(count) * u128::from(NINETY_FIVE)).div_ceil(100);
        let mut seen = 0_u128;
        let reached = parts.iter().find(|part| {
            seen += u128::from(part.count);
            seen >= rank
        });
        let p95 = reached.map_or(max, |part| part.p95);
        Some(Self { count, min, mean: divided(sum, count), max, p95 })
    }
}

/// The quotient, rounded to the nearest whole, halves away from zero.
fn divided(sum: i128, count: u64) -> i64 {
    let count = i128::from(count);
    let half = if sum < 0 { -count / 2 } else { count / 2 };
    i64::try_from((sum + half) / count).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

/// Puts points into buckets of `width` seconds: each with its beginning, oldest first. Points come in
/// any order; times are seconds since the Unix epoch.
pub fn buckets(points: &[(u64, i64)], width: u64) -> Vec<(u64, Rollup)> {
    let width = width.max(1);
    let mut sorted: Vec<(u64, i64)> =
        points.iter().map(|(at, value)| (at - at % width, *value)).collect();
    sorted.sort_by_key(|(begin, _)| *begin);
    sorted
        .chunk_by(|one, other| one.0 == other.0)
        .filter_map(|chunk| Some((chunk[0].0, Rollup::of(chunk.iter().map(|(_, value)| *value))?)))
        .collect()
}

/// The same of summaries.
pub fn rebuckets(rows: &[(u64, Rollup)], width: u64) -> Vec<(u64, Rollup)> {
    let width = width.max(1);
    let mut sorted: Vec<(u64, Rollup)> =
        rows.iter().map(|(at, rollup)| (at - at % width, *rollup)).collect();
    sorted.sort_by_key(|(begin, _)| *begin);
    sorted
        .chunk_by(|one, other| one.0 == other.0)
        .filter_map(|chunk| {
            Some((chunk[0].0, Rollup::merge(chunk.iter().map(|(_, rollup)| *rollup))?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_ordered(rollup: &Rollup) -> bool {
        let Rollup { count, min, mean, max, p95 } = *rollup;
        count > 0 && min <= mean && mean <= max && min <= p95 && p95 <= max
    }

    #[test]
    fn the_ninety_fifth_of_a_hundred_is_the_ninety_fifth() {
        let rollup = Rollup::of((1..=100).rev()).unwrap();
        assert_eq!(rollup, Rollup { count: 100, min: 1, mean: 51, max: 100, p95: 95 });
        assert_eq!(Rollup::of([7]).unwrap().p95, 7);
        assert_eq!(Rollup::of([]), None);
    }

    #[test]
    fn one_bad_quarter_of_an_hour_is_seen_in_the_day() {
        let calm = Rollup::of([10; 90]).unwrap();
        let bad = Rollup::of([900; 90]).unwrap();
        let day = Rollup::merge((0..96).map(|at| if at < 6 { bad } else { calm })).unwrap();
        assert_eq!((day.count, day.max, day.p95), (96 * 90, 900, 900), "6 of 96 are 6 %");
    }

    proptest! {
        #[test]
        fn a_summary_is_ordered_and_a_summary_of_summaries_too(
            groups in prop::collection::vec(prop::collection::vec(-1_000_000_i64..1_000_000_000_000, 1..40), 1..20),
        ) {
            let parts: Vec<Rollup> =
                groups.iter().map(|group| Rollup::of(group.iter().copied()).unwrap()).collect();
            let merged = Rollup::merge(parts.iter().copied()).unwrap();
            let whole = Rollup::of(groups.iter().flatten().copied()).unwrap();
            for rollup in parts.iter().chain([&merged, &whole]) {
                prop_assert!(is_ordered(rollup), "{rollup:?}");
            }
            prop_assert_eq!((merged.count, merged.min, merged.max), (whole.count, whole.min, whole.max));
            prop_assert!((merged.mean - whole.mean).abs() <= 1, "{merged:?} {whole:?}");
        }

        #[test]
        fn rolling_up_in_steps_gives_what_rolling_up_at_once_gives(
            points in prop::collection::vec((0_u64..100_000, 0_i64..1_000_000), 1..300),
        ) {
            let direct = buckets(&points, 900);
            let stepped = rebuckets(&buckets(&points, 60), 900);
            prop_assert_eq!(direct.len(), stepped.len());
            for (one, other) in direct.iter().zip(&stepped) {
                prop_assert_eq!(one.0, other.0);
                prop_assert_eq!((one.1.count, one.1.min, one.1.max), (other.1.count, other.1.min, other.1.max));
                prop_assert!(is_ordered(&other.1));
            }
            prop_assert_eq!(direct.iter().map(|(_, it)| it.count).sum::<u64>(), points.len() as u64);
        }

        #[test]
        fn any_numbers_can_be_summed_up(values in prop::collection::vec(any::<i64>(), 1..50)) {
            prop_assert!(is_ordered(&Rollup::of(values).unwrap()));
        }
    }
}
