//! The circuit breaker of one operation towards one target: it is not asked while it keeps failing.
//!
//! Whoever is about to do something asks [`Breaker::ask`]; a [`Permit`] is given back with
//! [`Breaker::report`], or with [`Breaker::forget`] when it came to nothing. All breakers together,
//! by target and operation, are [`Breakers`]. (The breaker of an instance that keeps dying is
//! [`crate::instance::Breaker`].)
//!
//! ```
//! use zelador_core::breaker::{Breaker, BreakerPolicy, Call, State};
//! use zelador_core::unit::Moment;
//!
//! let now = Moment::default();
//! let mut breaker = Breaker::new(BreakerPolicy::default());
//! for _ in 0..5 {
//!     let permit = breaker.ask(now).expect("closed");
//!     breaker.report(now, permit, Call::failed(std::time::Duration::ZERO));
//! }
//! assert!(matches!(breaker.state(), State::Open { .. }));
//! assert!(breaker.ask(now).is_err());
//! ```
//!
//! Always holds: an open breaker permits nothing before its time; a half-open one never has more
//! trials under way than its budget; the open time never shrinks while trials fail and never
//! exceeds its cap; a report from before the last change of state changes nothing; memory is
//! bounded by the window.

mod call;
mod policy;
mod registry;
mod state;
mod window;

use serde::{Deserialize, Serialize};

use crate::unit::{Moment, Percent, SECOND};

pub use call::{Call, Denied, Permit, Tally};
pub use policy::BreakerPolicy;
pub use registry::{BreakerKey, Breakers};
pub use state::{Order, State, Transition};
use window::Recent;
pub use window::Window;

/// The breaker of one operation towards one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: State,
    recent: Recent,
    failures_in_row: u32,
    /// Openings since it was last closed.
    trips: u32,
    tally: Tally,
    used_at: Moment,
    /// Grows with every change of state, so that a late report is recognised.
    epoch: u64,
    /// Nothing is under way after a restart of zelador.
    #[serde(skip)]
    under_way: u32,
    /// When the trials under way began.
    #[serde(skip)]
    trials: Vec<Moment>,
}

impl Breaker {
    /// Returns a closed one that has seen nothing.
    pub fn new(policy: BreakerPolicy) -> Self {
        let recent = Recent::new(policy.window);
        Self {
            policy,
            state: State::Closed,
            recent,
            failures_in_row: 0,
            trips: 0,
            tally: Tally::default(),
            used_at: Moment::default(),
            epoch: 0,
            under_way: 0,
            trials: Vec::new(),
        }
    }

    /// Its state. An open one whose time is over says so until somebody asks.
    pub const fn state(&self) -> State {
        self.state
    }

    /// What it goes by.
    pub const fn policy(&self) -> &BreakerPolicy {
        &self.policy
    }

    /// Its numbers.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Openings since it was last closed.
    pub const fn trips(&self) -> u32 {
        self.trips
    }

    /// When it was last asked or told something.
    pub const fn used_at(&self) -> Moment {
        self.used_at
    }

    /// How many calls are under way.
    pub const fn under_way(&self) -> u32 {
        self.under_way
    }

    /// Shares of failed and slow calls in the window, and how many calls it holds.
    pub fn rates(&mut self, now: Moment) -> (Percent, Percent, u32) {
        self.recent.forget_old(now);
        let (calls, failed, slow) = self.recent.totals();
        let share = |part| Percent::of(u64::from(part), u64::from(calls));
        (share(failed), share(slow), calls)
    }

    /// What of it outlives the engine: nothing is under way after that.
    #[must_use]
    pub fn kept(&self) -> Self {
        Self { under_way: 0, trials: Vec::new(), ..self.clone() }
    }

    /// Whether it is closed and its whole window was good: nothing would be lost with it.
    pub fn is_quiet(&self) -> bool {
        let (calls, failed, slow) = self.recent.totals();
        let full = match self.policy.window {
            Window::Count(most) => calls >= most,
            Window::Time(_) => calls > 0,
        };
        self.state == State::Closed && full && failed == 0 && slow == 0
    }

    /// Goes by another policy from now on; what was seen stays, unless the window is another.
    pub fn set_policy(&mut self, policy: BreakerPolicy) {
        if policy.window != self.policy.window {
            self.recent = Recent::new(policy.window);
        }
        self.policy = policy;
    }

    /// Asks to make a call at `now`.
    ///
    /// # Errors
    ///
    /// Says why not, and for how long, as far as that is known.
    pub fn ask(&mut self, now: Moment) -> Result<Permit, Denied> {
        self.used_at = self.used_at.max(now);
        let answer = self.permit(now);
        if answer.is_err() {
            self.tally.denied += 1;
        }
        answer
    }

    fn permit(&mut self, now: Moment) -> Result<Permit, Denied> {
        match self.state {
            State::Open { since, until } => {
                // A clock that was set back keeps nothing shut for longer than it would have been.
                let until = until.min(now + until.since(since));
                if now < until {
                    return Err(Denied::Open { wait: until.since(now) });
                }
                self.change(State::HalfOpen { since: now, successes: 0 });
            }
            State::ForcedOpen => return Err(Denied::ForcedOpen),
            State::HalfOpen { .. } => self.give_up_lost_trials(now),
            State::Closed | State::Disabled | State::MetricsOnly => {}
        }
        if let State::Open { until, .. } = self.state {
            // A lost trial opened it.
            return Err(Denied::Open { wait: until.since(now) });
        }
        if let Some(limit) = self.policy.at_once
            && self.under_way >= limit
        {
            return Err(Denied::Full { limit });
        }
        if let State::HalfOpen { .. } = self.state {
            if self.trials.len() >= self.policy.trials_at_once.max(1) as usize {
                return Err(Denied::TrialUnderWay);
            }
            self.trials.push(now);
        }
        self.under_way += 1;
        Ok(Permit { epoch: self.epoch, began_at: now })
    }

    /// Takes in how a permitted call went; returns the change that follows from it.
    pub fn report(&mut self, now: Moment, permit: Permit, call: Call) -> Option<Transition> {
        self.used_at = self.used_at.max(now);
        let current = self.end(&permit);
        if self.state == State::Disabled {
            return None;
        }
        if call.ok {
            self.tally.worked += 1;
        } else {
            self.tally.failed += 1;
        }
        if !current {
            return None;
        }
        let slow = self.policy.slow.is_some_and(|slow| call.took >= slow);
        self.recent.take(now, !call.ok, slow);
        self.failures_in_row = if call.ok { 0 } else { self.failures_in_row.saturating_add(1) };
        match self.state {
            State::Closed if self.is_too_bad() => Some(self.open(now)),
            State::HalfOpen { .. } if !call.ok || slow => Some(self.open(now)),
            State::HalfOpen { since, successes } => {
                let successes = successes + 1;
                if successes < self.policy.successes_to_close {
                    self.state = State::HalfOpen { since, successes };
                    return None;
                }
                self.trips = 0;
                self.start_anew();
                Some(self.change(State::Closed))
            }
            _ => None,
        }
    }

    /// A permitted call came to nothing: it was cancelled, and says neither good nor bad.
    pub fn forget(&mut self, permit: Permit) {
        self.end(&permit);
    }

    /// Does what a person wants; returns the change, if it is one.
    pub fn order(&mut self, order: Order) -> Option<Transition> {
        let to = match order {
            Order::ForceOpen => State::ForcedOpen,
            Order::Disable => State::Disabled,
            Order::MetricsOnly => State::MetricsOnly,
            Order::Reset => {
                self.trips = 0;
                State::Closed
            }
        };
        self.start_anew();
        (to != self.state).then(|| self.change(to))
    }

    /// Ends a permit; returns whether its state is still the present one.
    fn end(&mut self, permit: &Permit) -> bool {
        self.under_way = self.under_way.saturating_sub(1);
        let current = permit.epoch == self.epoch;
        let place = self.trials.iter().position(|began_at| *began_at == permit.began_at);
        if let Some(place) = place.filter(|_| current) {
            self.trials.swap_remove(place);
        }
        current
    }

    fn give_up_lost_trials(&mut self, now: Moment) {
        let timeout = self.policy.trial_timeout;
        let lost = self.trials.iter().any(|began_at| now.since(*began_at) >= timeout);
        if lost {
            // Its place among the calls under way stays taken until its permit is given back.
            self.tally.failed += 1;
            self.open(now);
        }
    }

    fn is_too_bad(&self) -> bool {
        let (calls, failed, slow) = self.recent.totals();
        let share = |part| Percent::of(u64::from(part), u64::from(calls));
        let policy = &self.policy;
        policy.failures_in_row.is_some_and(|limit| self.failures_in_row >= limit.max(1))
            || (calls >= policy.minimum_calls.max(1)
                && (share(failed) >= policy.failure_rate && failed > 0
                    || share(slow) >= policy.slow_rate && slow > 0))
    }

    fn open(&mut self, now: Moment) -> Transition {
        self.trips = self.trips.saturating_add(1);
        self.tally.opened += 1;
        let doubled = 1_u32 << (self.trips - 1).min(31);
        let cap = self.policy.open_cap.max(self.policy.open_for);
        // An open time of nothing would be no breaker.
        let open = self.policy.open_for.max(SECOND / 1000).saturating_mul(doubled).min(cap);
        self.start_anew();
        self.change(State::Open { since: now, until: now + open })
    }

    fn start_anew(&mut self) {
        self.recent.clear();
        self.failures_in_row = 0;
    }

    fn change(&mut self, to: State) -> Transition {
        let from = std::mem::replace(&mut self.state, to);
        self.epoch += 1;
        self.trials.clear();
        Transition { from, to }
    }
}

#[cfg(test)]
mod tests;
