//! Calls, retries and breakers against callers that obey and a world that does not: facts come
//! late, twice, about calls that are over, and in the middle of an outage.
//!
//! The supervisor is held to plain models of what it promises: [`Promise`] says which.

use std::collections::BTreeMap;
use std::time::Duration;

use zelador_core::breaker::{BreakerKey, BreakerPolicy};
use zelador_core::effect::{CallAnswer, Effect};
use zelador_core::id::CallId;
use zelador_core::input::{CallFailed, CallWanted, Fact, Input};
use zelador_core::retry::{BudgetPolicy, ErrorClass, Failure, RetryPolicy};
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::{Moment, SECOND};
use zelador_core::words::quoted;

use crate::script::surroundings;
use crate::world::DAWN;

/// What always holds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// No call goes while its breaker is open.
    OpenMeansNo,
    /// Never more trials than one while it is half-open, never more calls than the bulkhead has places.
    Places,
    /// A pause is the policy's, or longer where the other side asked for it.
    Pause,
    /// Never more attempts than the policy has.
    Attempts,
    /// Retries towards one target stay within its budget.
    Budget,
    /// Who asks is answered once; who does not is not.
    Answered,
}

const POLICY: RetryPolicy = RetryPolicy::general();

/// What is known of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Asking,
    Going,
    Pausing(Moment),
}

/// A plain model of the calls towards one target: what the supervisor promises, counted by hand.
struct Model {
    calls: BTreeMap<CallId, (At, u32)>,
    in_row: u32,
    trips: u32,
    open_until: Option<Moment>,
    half_open: bool,
    good_trials: u32,
    retries: u64,
    begun: u64,
    since: Moment,
}

impl Model {
    fn new(now: Moment) -> Self {
        Self {
            calls: BTreeMap::new(),
            in_row: 0,
            trips: 0,
            open_until: None,
            half_open: false,
            good_trials: 0,
            retries: 0,
            begun: 0,
            since: now,
        }
    }

    fn under_way(&self) -> usize {
        self.calls.values().filter(|(at, _)| *at == At::Going).count()
    }

    /// Takes in an answer; which promise it breaks, if it breaks one.
    fn answer(&mut self, now: Moment, call: CallId, answer: &CallAnswer) -> Option<Promise> {
        let Some((at, failed)) = self.calls.get(&call).copied() else {
            return Some(Promise::Answered);
        };
        match answer {
            CallAnswer::Go => {
                if at != At::Asking {
                    return Some(Promise::Answered);
                }
                if self.open_until.is_some_and(|until| now < until) {
                    return Some(Promise::OpenMeansNo);
                }
                self.half_open |= self.open_until.take().is_some();
                let places = if self.half_open { 1 } else { PLACES };
                if self.under_way() >= places {
                    return Some(Promise::Places);
                }
                self.calls.insert(call, (At::Going, failed));
            }
            CallAnswer::After(delay) => {
                if *delay < POLICY.delay(failed) {
                    return Some(Promise::Pause);
                }
                if failed > POLICY.retries {
                    return Some(Promise::Attempts);
                }
                self.retries += 1;
                let budget = BudgetPolicy::default();
                let share = self.begun * u64::from(budget.share);
                let drip = now.since(self.since).as_millis() as u64 * u64::from(budget.drip) / 1000;
                if self.retries * 1000 > u64::from(budget.capacity) * 1000 + share + drip {
                    return Some(Promise::Budget);
                }
                self.calls.insert(call, (At::Pausing(now + *delay), failed));
            }
            CallAnswer::GiveUp(_) => _ = self.calls.remove(&call),
        }
        None
    }

    /// An attempt ended.
    fn ended(&mut self, now: Moment, call: CallId, ok: bool) {
        let Some((at, failed)) = self.calls.get_mut(&call) else { return };
        *at = At::Asking;
        *failed += u32::from(!ok);
        if ok {
            self.calls.remove(&call);
        }
        self.in_row = if ok { 0 } else { self.in_row + 1 };
        if self.half_open && ok {
            self.good_trials += 1;
            if self.good_trials == 2 {
                (self.half_open, self.trips, self.good_trials) = (false, 0, 0);
            }
        } else if (self.half_open && !ok) || self.in_row >= 3 && self.open_until.is_none() {
            self.trips += 1;
            let open = (MINUTE * (1 << (self.trips - 1).min(10))).min(60 * MINUTE);
            self.open_until = Some(now + open);
            (self.half_open, self.in_row, self.good_trials) = (false, 0, 0);
        }
    }
}

pub const MINUTE: Duration = Duration::from_mins(1);

/// How many calls may be under way at once here.
const PLACES: usize = 2;

fn wanted() -> Box<CallWanted> {
    Box::new(CallWanted {
        key: BreakerKey::new("model:test", "ask"),
        retry: POLICY,
        // Only failures in a row: the rates have their own reference model, beside the breaker.
        breaker: BreakerPolicy {
            failures_in_row: Some(3),
            minimum_calls: u32::MAX,
            at_once: Some(PLACES as u32),
            ..BreakerPolicy::default()
        },
    })
}

/// Callers that come and go for an hour, a target that is down half of the time; the first promise
/// that is broken.
fn an_hour(seed: u64, mut sabotage: impl FnMut(&mut Vec<Effect>)) -> Option<Promise> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut supervisor = Supervisor::new(surroundings(seed, 0), DAWN);
    let mut model = Model::new(DAWN);
    let (mut now, mut number, mut up) = (DAWN, 0, true);
    // What was told once may be told again.
    let mut told: Vec<Fact> = Vec::new();
    while now < DAWN + 60 * MINUTE {
        now = now + Duration::from_millis(rng.u64(1..8_000));
        up ^= rng.u8(0..40) == 0;
        let going: Vec<CallId> = of(&model, |at| at == At::Going);
        let paused: Vec<CallId> = of(&model, |at| matches!(at, At::Pausing(until) if until <= now));
        let fact = match rng.u8(0..10) {
            0..=1 => {
                number += 1;
                let call = CallId::new(number);
                model.calls.insert(call, (At::Asking, 0));
                model.begun += 1;
                Fact::CallWanted { call, wanted: wanted() }
            }
            2..=5 if !going.is_empty() => {
                let call = going[rng.usize(0..going.len())];
                let ok = up && rng.u8(0..10) > 0;
                model.ended(now, call, ok);
                let failure = Failure::new(ErrorClass::Unreachable);
                let failed = (!ok).then(|| CallFailed { failure, error: quoted("no") });
                Fact::CallEnded { call, took: SECOND / 10, failed }
            }
            6 if !going.is_empty() && rng.u8(0..4) == 0 => {
                let call = going[rng.usize(0..going.len())];
                model.calls.remove(&call);
                Fact::CallDropped { call }
            }
            7..=8 if !paused.is_empty() => {
                let call = paused[rng.usize(0..paused.len())];
                let failed = model.calls[&call].1;
                model.calls.insert(call, (At::Asking, failed));
                Fact::CallRepeated { call }
            }
            9 if !told.is_empty() => {
                // Again, about a call that is over: nothing may follow.
                let again = told[rng.usize(0..told.len())].clone();
                if call_of(&again).is_some_and(|call| model.calls.contains_key(&call)) {
                    continue;
                }
                again
            }
            _ => continue,
        };
        if !matches!(fact, Fact::CallWanted { .. }) {
            told.push(fact.clone());
        }
        let mut effects = supervisor.step(now, Input::Fact(fact));
        sabotage(&mut effects);
        for effect in &effects {
            let Effect::Call { call, answer } = effect else { continue };
            if let Some(broken) = model.answer(now, *call, answer) {
                return Some(broken);
            }
        }
        if model.calls.values().any(|(at, _)| *at == At::Asking) {
            return Some(Promise::Answered);
        }
    }
    let all = supervisor.retries();
    for view in &all {
        let stats = &view.stats;
        assert_eq!(stats.total, stats.successful + stats.failed, "every operation ended one way");
        assert_eq!(stats.attempts, stats.successful + stats.failed_attempts);
        assert!(stats.latest.iter().all(|it| it.number <= POLICY.retries + 1));
    }
    assert!(!all.is_empty(), "calls were made");
    None
}

fn of(model: &Model, wanted: impl Fn(At) -> bool) -> Vec<CallId> {
    model.calls.iter().filter(|(_, (at, _))| wanted(*at)).map(|(call, _)| *call).collect()
}

fn call_of(fact: &Fact) -> Option<CallId> {
    match fact {
        Fact::CallEnded { call, .. }
        | Fact::CallDropped { call }
        | Fact::CallRepeated { call }
        | Fact::CallWanted { call, .. } => Some(*call),
        _ => None,
    }
}

#[test]
fn what_is_promised_of_calls_holds_in_every_hour() {
    for seed in 0..300 {
        assert_eq!(an_hour(seed, |_| {}), None, "seed {seed}");
    }
}

/// The promise that is broken in some hour when answers are changed.
fn broken_by(change: impl Fn(&mut CallAnswer) + Copy) -> Vec<Promise> {
    let sabotage = move |effects: &mut Vec<Effect>| {
        for effect in effects {
            if let Effect::Call { answer, .. } = effect {
                change(answer);
            }
        }
    };
    (0..40).filter_map(|seed| an_hour(seed, sabotage)).collect()
}

#[test]
fn each_promise_is_seen_broken() {
    let go = broken_by(|answer| {
        if matches!(answer, CallAnswer::GiveUp(_)) {
            *answer = CallAnswer::Go;
        }
    });
    assert!(go.contains(&Promise::OpenMeansNo), "{go:?}");
    assert!(go.contains(&Promise::Places), "{go:?}");
    let hasty = broken_by(|answer| {
        if let CallAnswer::After(delay) = answer {
            *delay = SECOND / 2;
        }
    });
    assert!(hasty.iter().all(|it| *it == Promise::Pause) && !hasty.is_empty(), "{hasty:?}");
    // One that goes on for ever: the call is over for the supervisor, and nobody answers.
    let stubborn = broken_by(|answer| {
        if matches!(answer, CallAnswer::GiveUp(_)) {
            *answer = CallAnswer::After(MINUTE);
        }
    });
    assert!(stubborn.contains(&Promise::Answered), "{stubborn:?}");
    let after = CallAnswer::After(MINUTE);
    let call = CallId::new(1);
    let mut model = Model::new(DAWN);
    model.calls.insert(call, (At::Asking, POLICY.retries + 1));
    assert_eq!(model.answer(DAWN, call, &after), Some(Promise::Attempts));
    model.calls.insert(call, (At::Asking, 1));
    model.retries = u64::from(BudgetPolicy::default().capacity);
    assert_eq!(model.answer(DAWN, call, &after), Some(Promise::Budget));
    let mute = |effects: &mut Vec<Effect>| {
        effects.retain(|effect| !matches!(effect, Effect::Call { .. }));
    };
    assert_eq!(an_hour(1, mute), Some(Promise::Answered));
}
