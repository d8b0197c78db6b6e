//! The breaker of an instance: closed while it starts well, open when it keeps dying young or too
//! often, half-open for one trial after a while.
//!
//! Two rules open it. PM2's: `max_restarts` runs in a row that were shorter than `min_uptime`. And
//! a rate, where `restart_window` is set: `max_restarts` restarts within that window, however long
//! the runs were. Always holds: between two starts by a person there are at most `max_restarts`
//! short runs in a row and then one trial per open time; and within any `restart_window` the breaker
//! allows at most `max_restarts` restarts, trials apart.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{MAX_OPEN, RestartPolicy};
use crate::unit::Moment;
use crate::words;
use crate::words::{Words, counted};

/// What the breaker remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Runs in a row that were shorter than `min_uptime`. PM2: `unstable_restarts`.
    pub short_runs: u32,
    /// How often it opened since it was last closed.
    pub trips: u32,
    /// The restarts that it allowed within `restart_window`, oldest first; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarted_at: Vec<Moment>,
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
    /// How many short runs there were in a row, in words.
    pub fn short_runs_told(&self) -> Words {
        match self.short_runs {
            0 => words!("no short run", "nenhuma execução curta"),
            count => counted(
                count as usize,
                ("short run", "short runs in a row"),
                ("execução curta", "execuções curtas seguidas"),
            ),
        }
    }

    /// Takes in the end, at `now`, of a run that lived for `uptime`. `hopeless`: starting again at
    /// once fails in the same way (the program is not there), so the breaker opens at once.
    pub fn after_death(
        &mut self,
        policy: &RestartPolicy,
        now: Moment,
        uptime: Duration,
        hopeless: bool,
    ) -> Ruling {
        let good = uptime >= policy.min_uptime && !hopeless && policy.max_restarts > 0;
        if good {
            self.close();
        } else {
            self.short_runs = self.short_runs.saturating_add(1);
            if self.trips > 0 || self.short_runs >= policy.max_restarts || hopeless {
                return self.open(policy);
            }
        }
        if self.is_too_often(policy, now) {
            return self.open(policy);
        }
        if policy.restart_window.is_some() {
            self.restarted_at.push(now);
        }
        Ruling::Closed
    }

    /// Whether one restart more would be more than `max_restarts` within `restart_window`.
    fn is_too_often(&mut self, policy: &RestartPolicy, now: Moment) -> bool {
        let Some(window) = policy.restart_window else { return false };
        self.restarted_at.retain(|at| now.since(*at) < window);
        self.restarted_at.len() >= policy.max_restarts as usize
    }

    /// Opens it: a start cannot help. Returns when one trial is made all the same; `None`: not before
    /// somebody starts it.
    pub fn quarantine(&mut self, policy: &RestartPolicy) -> Option<Duration> {
        match self.open(policy) {
            Ruling::Open(open) => open,
            Ruling::Closed => None,
        }
    }

    fn open(&mut self, policy: &RestartPolicy) -> Ruling {
        self.trips = self.trips.saturating_add(1);
        let doubled = 1_u32 << (self.trips - 1).min(16);
        Ruling::Open(policy.half_open_after.map(|open| (open * doubled).min(open.max(MAX_OPEN))))
    }

    /// Closes the breaker: a run was long enough. What counts towards the rate stays.
    pub fn close(&mut self) {
        self.short_runs = 0;
        self.trips = 0;
    }

    /// Returns whether there is anything to close.
    pub fn can_close(&self) -> bool {
        self.short_runs > 0 || self.trips > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::RestartDelay;
    use proptest::prelude::*;

    fn policy() -> RestartPolicy {
        RestartPolicy {
            autorestart: true,
            max_restarts: 3,
            min_uptime: Duration::from_secs(1),
            delay: RestartDelay::None,
            stop_exit_codes: Vec::new(),
            half_open_after: Some(Duration::from_mins(1)),
            restart_window: None,
        }
    }

    const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

    #[test]
    fn the_third_short_run_opens_it_and_every_failed_trial_doubles_the_wait() {
        let (mut breaker, policy) = (Breaker::default(), policy());
        let rulings: Vec<Ruling> =
            (0..9).map(|_| breaker.after_death(&policy, NOW, Duration::ZERO, false)).collect();
        let open = |seconds| Ruling::Open(Some(Duration::from_secs(seconds)));
        let expected = [60, 120, 240, 480, 960, 1800, 1800].map(open);
        assert_eq!(rulings[..2], [Ruling::Closed; 2]);
        assert_eq!(rulings[2..], expected);
    }

    #[test]
    fn a_long_run_closes_it() {
        let (mut breaker, policy) = (Breaker::default(), policy());
        for _ in 0..5 {
            breaker.after_death(&policy, NOW, Duration::ZERO, false);
        }
        assert_eq!(
            breaker.after_death(&policy, NOW, Duration::from_secs(1), false),
            Ruling::Closed
        );
        assert!(!breaker.can_close());
    }

    #[test]
    fn a_file_that_says_so_keeps_it_open_for_good() {
        let policy = RestartPolicy { half_open_after: None, ..policy() };
        let mut breaker = Breaker::default();
        assert_eq!(breaker.after_death(&policy, NOW, Duration::ZERO, true), Ruling::Open(None));
    }

    #[test]
    fn a_slow_crash_loop_is_found_by_its_rate() {
        let window = Some(Duration::from_mins(1));
        let policy = RestartPolicy { restart_window: window, ..policy() };
        let mut breaker = Breaker::default();
        let long = Duration::from_secs(10);
        let rulings: Vec<Ruling> = (1..=4)
            .map(|run| breaker.after_death(&policy, NOW + long * run, long, false))
            .collect();
        assert_eq!(rulings[..3], [Ruling::Closed; 3]);
        assert_eq!(rulings[3], Ruling::Open(Some(Duration::from_mins(1))));
        let later = NOW + Duration::from_mins(3);
        assert_eq!(breaker.after_death(&policy, later, long, false), Ruling::Closed);
    }

    proptest! {
        #[test]
        fn within_any_window_no_more_restarts_are_allowed_than_max_restarts(
            deaths in prop::collection::vec((0_u64..40, 0_u64..5), 1..200),
            max_restarts in 0_u32..6,
            seconds in 1_u64..120,
        ) {
            let window = Duration::from_secs(seconds);
            let policy =
                RestartPolicy { max_restarts, restart_window: Some(window), ..policy() };
            let (mut breaker, mut now) = (Breaker::default(), NOW);
            let mut restarts: Vec<Moment> = Vec::new();
            for (pause, uptime) in deaths {
                now = now + Duration::from_secs(pause);
                let uptime = Duration::from_secs(uptime);
                if breaker.after_death(&policy, now, uptime, false) == Ruling::Closed {
                    restarts.push(now);
                }
                let recent = restarts.iter().filter(|at| now.since(**at) < window).count();
                prop_assert!(recent <= max_restarts as usize, "{recent} within {seconds} s");
                prop_assert!(breaker.restarted_at.len() <= max_restarts as usize);
            }
        }
    }
}
