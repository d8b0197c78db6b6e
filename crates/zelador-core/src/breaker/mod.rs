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

mod policy;
mod registry;
mod window;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::unit::{Moment, Percent, SECOND, spoken};
use crate::words;
use crate::words::Words;

pub use policy::BreakerPolicy;
pub use registry::{BreakerKey, Breakers};
use window::Recent;
pub use window::Window;

/// Whether calls are permitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// They are.
    #[default]
    Closed,
    /// They are not, for some time.
    Open {
        /// Since when.
        since: Moment,
        /// The first trial is permitted then.
        until: Moment,
    },
    /// Trials are.
    HalfOpen {
        /// Since when.
        since: Moment,
        /// Good trials in a row.
        successes: u32,
    },
    /// A person keeps it open.
    ForcedOpen,
    /// A person turned it off: everything is permitted, nothing counted.
    Disabled,
    /// A person has it count only: everything is permitted.
    MetricsOnly,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.words().english())
    }
}

impl State {
    /// Its word in every language.
    pub fn words(&self) -> Words {
        match self {
            Self::Closed => words!("closed", "fechado"),
            Self::Open { .. } => words!("open", "aberto"),
            Self::HalfOpen { .. } => words!("half-open", "meio aberto"),
            Self::ForcedOpen => words!("forced open", "mantido aberto"),
            Self::Disabled => words!("disabled", "desligado"),
            Self::MetricsOnly => words!("metrics only", "só métricas"),
        }
    }
}

/// What a person does to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Keep it open until told otherwise.
    ForceOpen,
    /// Permit everything, count nothing.
    Disable,
    /// Permit everything, count.
    MetricsOnly,
    /// Closed, as if nothing had happened.
    Reset,
}

impl Order {
    /// As it is given on a command line.
    pub const fn said(self) -> &'static str {
        match self {
            Self::ForceOpen => "force-open",
            Self::Disable => "disable",
            Self::MetricsOnly => "metrics-only",
            Self::Reset => "reset",
        }
    }
}

/// The right to make one call; to be given back.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not given back takes up a place"]
pub struct Permit {
    epoch: u64,
    began_at: Moment,
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// It did what it should.
    pub ok: bool,
    /// How long it took.
    pub took: Duration,
}

impl Call {
    /// It worked.
    pub const fn worked(took: Duration) -> Self {
        Self { ok: true, took }
    }

    /// It failed.
    pub const fn failed(took: Duration) -> Self {
        Self { ok: false, took }
    }
}

/// Why a call is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The breaker is open.
    #[error("its breaker is open: the next trial is in {}", spoken(*.wait))]
    Open {
        /// How long until a trial is permitted.
        wait: Duration,
    },
    /// It is half-open, and its trials are under way.
    #[error("its breaker is half-open, and a trial is under way")]
    TrialUnderWay,
    /// A person keeps it open.
    #[error("its breaker is kept open by a person")]
    ForcedOpen,
    /// Too many calls are under way.
    #[error("{limit} calls are under way, which is the limit")]
    Full {
        /// How many are allowed at once.
        limit: u32,
    },
}

/// A change of state, to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
}

/// Numbers over the life of a breaker, for screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Calls that worked.
    pub worked: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that were not permitted.
    pub denied: u64,
    /// How often it opened.
    pub opened: u64,
}

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
