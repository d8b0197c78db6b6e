use std::time::Duration;

use super::*;
use proptest::prelude::*;

const START: Moment = Moment::from_micros(1_700_000_000_000_000);
const OK: Call = Call::worked(Duration::from_millis(1));
const BAD: Call = Call::failed(Duration::from_millis(1));

fn at(seconds: u64) -> Moment {
    START + Duration::from_secs(seconds)
}

fn call(breaker: &mut Breaker, now: Moment, call: Call) -> Option<Transition> {
    let permit = breaker.ask(now).expect("permitted");
    breaker.report(now, permit, call)
}

fn opened() -> Breaker {
    let mut breaker = Breaker::new(BreakerPolicy::default());
    for _ in 0..5 {
        call(&mut breaker, START, BAD);
    }
    breaker
}

#[test]
fn five_failures_in_a_row_open_it_and_two_good_trials_close_it() {
    let mut breaker = Breaker::new(BreakerPolicy::default());
    for outcome in [BAD, BAD, BAD, BAD, OK, BAD, BAD, BAD] {
        assert_eq!(call(&mut breaker, START, outcome), None, "never five in a row, nor ten calls");
    }
    let mut breaker = opened();
    assert_eq!(breaker.state(), State::Open { since: START, until: at(60) });
    let wait = Duration::from_secs(1);
    assert_eq!(breaker.ask(at(59)), Err(Denied::Open { wait }));
    assert_eq!(call(&mut breaker, at(60), OK), None);
    let permit = breaker.ask(at(61)).expect("the second trial");
    assert_eq!(breaker.ask(at(61)), Err(Denied::TrialUnderWay));
    let closed = breaker.report(at(62), permit, OK).expect("a change");
    assert_eq!(closed.to, State::Closed);
    assert_eq!(breaker.tally(), Tally { worked: 2, failed: 5, denied: 2, opened: 1 });
}

#[test]
fn half_of_ten_calls_open_it() {
    let mut breaker = Breaker::new(BreakerPolicy::default());
    let changes: Vec<bool> = [BAD, OK, BAD, OK, BAD, OK, BAD, OK, OK, BAD]
        .into_iter()
        .map(|outcome| call(&mut breaker, START, outcome).is_some())
        .collect();
    assert_eq!(changes.iter().position(|changed| *changed), Some(9), "volume 10, 50 %");
}

#[test]
fn slow_calls_open_it_as_failures_do() {
    let slow = Some(Duration::from_secs(2));
    let mut breaker = Breaker::new(BreakerPolicy { slow, ..BreakerPolicy::default() });
    let slow = Call::worked(Duration::from_secs(2));
    let opens = (1..=10).find(|_| call(&mut breaker, START, slow).is_some());
    assert_eq!(opens, Some(10));
}

#[test]
fn every_failed_trial_doubles_the_time_up_to_the_cap() {
    let mut breaker = opened();
    let mut spans = Vec::new();
    while spans.len() < 8 {
        let State::Open { since, until } = breaker.state() else { panic!("{breaker:?}") };
        spans.push(until.since(since).as_secs() / 60);
        call(&mut breaker, until, BAD);
    }
    assert_eq!(spans, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn a_trial_that_never_comes_back_is_a_failed_one() {
    let mut breaker = opened();
    let lost = breaker.ask(at(60)).expect("a trial");
    assert_eq!(breaker.ask(at(359)), Err(Denied::TrialUnderWay));
    assert!(matches!(breaker.ask(at(360)), Err(Denied::Open { .. })));
    assert_eq!(breaker.report(at(361), lost, OK), None, "too late");
    assert!(matches!(breaker.state(), State::Open { .. }));
    assert_eq!(breaker.under_way(), 0);
}

#[test]
fn a_report_from_before_a_change_changes_nothing() {
    let mut breaker = Breaker::new(BreakerPolicy::default());
    let early = breaker.ask(START).expect("closed");
    for _ in 0..5 {
        call(&mut breaker, START, BAD);
    }
    let trial = breaker.ask(at(60)).expect("a trial");
    assert_eq!(breaker.report(at(60), early, BAD), None);
    assert!(matches!(breaker.state(), State::HalfOpen { .. }), "an old failure says nothing");
    breaker.forget(trial);
    assert!(breaker.ask(at(60)).is_ok(), "a cancelled trial gives its place back");
}

#[test]
fn orders_of_a_person_hold_until_the_next_one() {
    let mut breaker = Breaker::new(BreakerPolicy::default());
    breaker.order(Order::ForceOpen);
    assert_eq!(breaker.ask(at(1_000_000)), Err(Denied::ForcedOpen));
    for (order, counted) in [(Order::Disable, 0), (Order::MetricsOnly, 9)] {
        breaker.order(order);
        for _ in 0..9 {
            assert_eq!(call(&mut breaker, START, BAD), None);
        }
        assert_eq!(breaker.rates(START).2, counted);
    }
    breaker.order(Order::Reset);
    assert_eq!((breaker.state(), breaker.rates(START).2), (State::Closed, 0));
}

#[test]
fn the_bulkhead_lets_only_so_many_through_at_once() {
    let policy = BreakerPolicy { at_once: Some(2), ..BreakerPolicy::default() };
    let mut breaker = Breaker::new(policy);
    let first = breaker.ask(START).expect("one");
    let _second = breaker.ask(START).expect("two");
    assert_eq!(breaker.ask(START), Err(Denied::Full { limit: 2 }));
    breaker.report(START, first, OK);
    assert!(breaker.ask(START).is_ok());
}

#[test]
fn it_survives_being_written_and_read() {
    let breaker = opened();
    let text = serde_json::to_string(&breaker).unwrap();
    let mut read: Breaker = serde_json::from_str(&text).unwrap();
    assert_eq!(read, breaker);
    // A clock that was set back by a day keeps it shut for its minute, not for a day.
    let yesterday = START - Duration::from_hours(24);
    let wait = Duration::from_mins(1);
    assert_eq!(read.ask(yesterday), Err(Denied::Open { wait }));
}

#[test]
fn there_is_a_bounded_number_and_orders_go_last() {
    let mut breakers = Breakers::default();
    let key = |number| BreakerKey::new(format!("app:{number}"), "restart");
    let (first, _) = breakers.of(&key(0), BreakerPolicy::default);
    first.order(Order::ForceOpen);
    for number in 1..3_000 {
        let (breaker, _) = breakers.of(&key(number), BreakerPolicy::default);
        call(breaker, at(number), OK);
    }
    assert_eq!(breakers.iter().count(), 1_024);
    assert!(breakers.get(&key(0)).is_some() && breakers.get(&key(1)).is_none());
    assert!(breakers.get(&key(2_999)).is_some());
    assert_eq!(breakers.remove_target("app:0"), [key(0)]);
}

/// A model that keeps every call and computes everything anew each time.
struct Model {
    policy: BreakerPolicy,
    /// Since the last change: when, failed, slow.
    calls: Vec<(Moment, bool, bool)>,
    open_until: Option<Moment>,
    half_open: bool,
    successes: u32,
    trips: u32,
}

impl Model {
    fn permits(&mut self, now: Moment) -> bool {
        if let Some(until) = self.open_until {
            if now < until {
                return false;
            }
            (self.open_until, self.half_open, self.successes) = (None, true, 0);
            self.calls.clear();
        }
        true
    }

    fn take(&mut self, now: Moment, failed: bool, slow: bool) {
        self.calls.push((now, failed, slow));
        if self.half_open {
            if failed || slow {
                return self.open(now);
            }
            self.successes += 1;
            if self.successes >= self.policy.successes_to_close {
                (self.half_open, self.trips) = (false, 0);
                self.calls.clear();
            }
            return;
        }
        let seconds = |moment: Moment| moment.as_micros() / 1_000_000;
        let within: Vec<_> = match self.policy.window {
            Window::Count(most) => self.calls.iter().rev().take(most as usize).collect(),
            Window::Time(span) => self
                .calls
                .iter()
                .filter(|(at, ..)| seconds(now) - seconds(*at) < span.as_secs())
                .collect(),
        };
        let in_row = self.calls.iter().rev().take_while(|(_, failed, _)| *failed).count();
        let share = |count: usize| count as f64 * 100.0 / within.len() as f64;
        let failed = within.iter().filter(|(_, failed, _)| *failed).count();
        let slow = within.iter().filter(|(.., slow)| *slow).count();
        let policy = &self.policy;
        let by_row = policy.failures_in_row.is_some_and(|limit| in_row >= limit as usize);
        let by_rate = within.len() >= policy.minimum_calls as usize
            && (failed > 0 && share(failed) >= policy.failure_rate.value()
                || slow > 0 && share(slow) >= policy.slow_rate.value());
        if by_row || by_rate {
            self.open(now);
        }
    }

    fn open(&mut self, now: Moment) {
        let mut span = self.policy.open_for;
        for _ in 0..self.trips {
            span = (span * 2).min(self.policy.open_cap);
        }
        self.trips += 1;
        (self.open_until, self.half_open) = (Some(now + span), false);
        self.calls.clear();
    }
}

fn policies() -> impl Strategy<Value = BreakerPolicy> {
    let window = prop_oneof![
        (1_u32..20).prop_map(Window::Count),
        (1_u64..60).prop_map(|seconds| Window::Time(Duration::from_secs(seconds))),
    ];
    let percent = (0_u32..=100).prop_map(|value| Percent::new(f64::from(value)).unwrap());
    (prop::option::of(1_u32..8), window, 1_u32..12, percent.clone(), percent, 1_u32..4, 1_u64..90)
        .prop_map(|(in_row, window, minimum_calls, failure_rate, slow_rate, successes, open)| {
            BreakerPolicy {
                failures_in_row: in_row,
                window,
                minimum_calls,
                failure_rate,
                slow: Some(Duration::from_millis(500)),
                slow_rate,
                successes_to_close: successes,
                open_for: Duration::from_secs(open),
                open_cap: Duration::from_mins(5),
                ..BreakerPolicy::default()
            }
        })
}

proptest! {
    #[test]
    fn it_permits_and_denies_as_the_plain_model(
        policy in policies(),
        steps in prop::collection::vec((0_u64..30_000, 0_u32..10, any::<bool>()), 1..300),
    ) {
        let mut breaker = Breaker::new(policy.clone());
        let mut model = Model {
            policy, calls: Vec::new(), open_until: None, half_open: false, successes: 0, trips: 0,
        };
        let mut now = START;
        for (pause, kind, quick) in steps {
            now = now + Duration::from_millis(if quick { pause / 100 } else { pause });
            let permitted = model.permits(now);
            let permit = breaker.ask(now);
            prop_assert_eq!(permit.is_ok(), permitted, "at {}: {:?}", now, breaker);
            let Ok(permit) = permit else { continue };
            let (failed, slow) = (kind < 4, kind == 9);
            let took = Duration::from_millis(if slow { 500 } else { 499 });
            breaker.report(now, permit, Call { ok: !failed, took });
            model.take(now, failed, slow);
        }
    }

    /// Calls overlap, are forgotten, and are reported late.
    #[test]
    fn places_are_never_overdrawn_and_always_come_back(
        policy in policies(), at_once in 1_u32..5, trials_at_once in 1_u32..3,
        steps in prop::collection::vec((0_u64..20_000, 0_u32..10, any::<prop::sample::Index>()), 1..300),
    ) {
        let policy = BreakerPolicy { trials_at_once, at_once: Some(at_once), ..policy };
        let mut breaker = Breaker::new(policy.clone());
        let (mut now, mut held) = (START, Vec::new());
        for (pause, kind, which) in steps {
            now = now + Duration::from_millis(pause);
            if kind < 5 {
                let before = breaker.state();
                match breaker.ask(now) {
                    Ok(permit) => {
                        if let State::Open { until, .. } = before {
                            prop_assert!(now >= until);
                        }
                        held.push(permit);
                    }
                    Err(denied) => prop_assert!(!denied.words().english().is_empty()),
                }
            } else if !held.is_empty() {
                let permit = held.swap_remove(which.index(held.len()));
                match kind {
                    5 => breaker.forget(permit),
                    6 | 7 => drop(breaker.report(now, permit, BAD)),
                    _ => drop(breaker.report(now, permit, OK)),
                }
            }
            prop_assert_eq!(breaker.under_way() as usize, held.len());
            prop_assert!(held.len() <= at_once as usize);
            prop_assert!(breaker.trials.len() <= trials_at_once as usize);
        }
        held.into_iter().for_each(|permit| breaker.forget(permit));
        prop_assert!(breaker.under_way() == 0 && breaker.trials.is_empty());
    }
}
