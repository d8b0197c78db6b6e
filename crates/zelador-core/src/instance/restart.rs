//! How long an instance that keeps dying waits for its next start.
//!
//! Pure: the delay before and the policy go in, the next delay comes out. Always holds: an
//! exponential delay never shrinks and never exceeds the ceiling.

use std::time::Duration;

use crate::spec::RestartDelay;

/// PM2's ceiling of `exp_backoff_restart_delay`: 15 s.
pub const CEILING: Duration = Duration::from_secs(15);

/// A run that lived this long begins the backoff anew. PM2: `EXP_BACKOFF_RESET_TIMER`, 30 s.
pub const RESET_AFTER: Duration = Duration::from_secs(30);

impl RestartDelay {
    /// Returns how long to wait, given how long was waited the last time (`None`: the first
    /// death in a row). PM2's series: × 1.5, rounded down to whole milliseconds.
    pub fn next(self, before: Option<Duration>) -> Duration {
        match (self, before) {
            (Self::None, _) => Duration::ZERO,
            (Self::Fixed(delay), _) => delay,
            (Self::Exponential(first), None) => first.min(CEILING),
            (Self::Exponential(_), Some(before)) => {
                let millis = u64::try_from(before.as_millis()).unwrap_or(u64::MAX);
                Duration::from_millis(millis.saturating_mul(3) / 2).max(before).min(CEILING)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_series_is_pm2s() {
        let policy = RestartDelay::Exponential(Duration::from_millis(100));
        let mut before = None;
        let series: Vec<u128> = (0..13)
            .map(|_| {
                let delay = policy.next(before);
                before = Some(delay);
                delay.as_millis()
            })
            .collect();
        assert_eq!(
            series,
            [100, 150, 225, 337, 505, 757, 1135, 1702, 2553, 3829, 5743, 8614, 12921]
        );
    }

    proptest! {
        #[test]
        fn a_delay_never_shrinks_nor_exceeds_the_ceiling(first in 1_u64..60_000, deaths in 1_usize..99) {
            let policy = RestartDelay::Exponential(Duration::from_millis(first));
            let mut before = policy.next(None);
            for _ in 0..deaths {
                let delay = policy.next(Some(before));
                prop_assert!(before <= delay && delay <= CEILING);
                before = delay;
            }
        }
    }
}
