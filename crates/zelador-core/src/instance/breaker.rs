//! The breaker of an instance: closed while it starts well, open when it keeps dying young,
//! half-open for one trial after a while.
//!
//! Always holds: between two starts by a person there are at most `max_restarts` short runs in a
//! row and then one trial per open time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{MAX_OPEN, RestartPolicy};

/// What the breaker remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Runs in a row that were shorter than `min_uptime`. PM2: `unstable_restarts`.
    pub short_runs: u32,
    /// How often it opened since it was last closed.
    pub trips: u32,
}

/// What a death means to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Start again.
    Closed,
    /// Do not start before a trial after this time; `None`: not before somebody starts it.
    Open(Option<Duration>),
}

impl Breaker {
    /// Takes in the end of a run that lived for `uptime`. `hopeless`: starting again at once
    /// fails in the same way (the program is not there), so the breaker opens at once.
    pub fn after_death(
        &mut self,
        policy: &RestartPolicy,
        uptime: Duration,
        hopeless: bool,
    ) -> Ruling {
        if uptime >= policy.min_uptime && !hopeless && policy.max_restarts > 0 {
            *self = Self::default();
            return Ruling::Closed;
        }
        self.short_runs = self.short_runs.saturating_add(1);
        if self.trips == 0 && self.short_runs < policy.max_restarts && !hopeless {
            return Ruling::Closed;
        }
        self.trips = self.trips.saturating_add(1);
        let doubled = 1_u32 << (self.trips - 1).min(16);
        Ruling::Open(policy.half_open_after.map(|open| (open * doubled).min(open.max(MAX_OPEN))))
    }

    /// Closes the breaker: a run was long enough, or a person started the instance.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// Returns whether there is anything to close.
    pub fn remembers(self) -> bool {
        self != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::RestartDelay;

    fn policy() -> RestartPolicy {
        RestartPolicy {
            autorestart: true,
            max_restarts: 3,
            min_uptime: Duration::from_secs(1),
            delay: RestartDelay::None,
            stop_exit_codes: Vec::new(),
            half_open_after: Some(Duration::from_mins(1)),
        }
    }

    #[test]
    fn the_third_short_run_opens_it_and_every_failed_trial_doubles_the_wait() {
        let (mut breaker, policy) = (Breaker::default(), policy());
        let rulings: Vec<Ruling> =
            (0..9).map(|_| breaker.after_death(&policy, Duration::ZERO, false)).collect();
        let open = |seconds| Ruling::Open(Some(Duration::from_secs(seconds)));
        let expected = [60, 120, 240, 480, 960, 1800, 1800].map(open);
        assert_eq!(rulings[..2], [Ruling::Closed; 2]);
        assert_eq!(rulings[2..], expected);
    }

    #[test]
    fn a_long_run_closes_it() {
        let (mut breaker, policy) = (Breaker::default(), policy());
        for _ in 0..5 {
            breaker.after_death(&policy, Duration::ZERO, false);
        }
        assert_eq!(breaker.after_death(&policy, Duration::from_secs(1), false), Ruling::Closed);
        assert!(!breaker.remembers());
    }

    #[test]
    fn a_file_that_says_so_keeps_it_open_for_good() {
        let policy = RestartPolicy { half_open_after: None, ..policy() };
        let mut breaker = Breaker::default();
        assert_eq!(breaker.after_death(&policy, Duration::ZERO, true), Ruling::Open(None));
    }
}
