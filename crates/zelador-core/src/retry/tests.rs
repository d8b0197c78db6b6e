use super::*;
use crate::words::quoted;
use proptest::prelude::*;

const START: Moment = Moment::from_micros(1_700_000_000_000_000);

fn delays(policy: RetryPolicy, class: ErrorClass) -> (Vec<u64>, Option<GiveUp>) {
    let mut rng = fastrand::Rng::with_seed(1);
    let (mut retry, mut now, mut delays) = (Retry::new(policy, START), START, Vec::new());
    loop {
        match retry.after_failure(now, Failure::new(class), None, &mut rng) {
            Next::After(delay) => {
                delays.push(delay.as_secs());
                now = now + delay;
            }
            Next::GiveUp(why) => return (delays, Some(why)),
        }
    }
}

#[test]
fn the_missions_defaults_are_kept_to_the_second() {
    let (seconds, why) = delays(RetryPolicy::general(), ErrorClass::TimedOut);
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32]);
    let class = ErrorClass::TimedOut;
    assert_eq!(why, Some(GiveUp::AttemptsUsed { attempts: 7, class }));
    let (seconds, _) = delays(RetryPolicy::service_restart(), ErrorClass::Ineffective);
    assert_eq!(seconds, [2, 4, 8]);
}

#[test]
fn what_another_attempt_cannot_change_is_not_tried_again() {
    for class in [ErrorClass::Denied, ErrorClass::Invalid, ErrorClass::NotFound] {
        let (seconds, why) = delays(RetryPolicy::general(), class);
        assert_eq!((seconds, why), (Vec::new(), Some(GiveUp::NotWorthwhile { class })));
    }
    let everything =
        RetryPolicy { retried: Classes::ALL.with(ErrorClass::Cancelled), ..RetryPolicy::general() };
    let (seconds, _) = delays(everything, ErrorClass::Cancelled);
    assert!(seconds.is_empty(), "what nobody wants is not done");
}

#[test]
fn retry_after_is_waited_for_unless_it_is_too_long() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut after = |seconds| {
        let retry_after = Duration::from_secs(seconds);
        let failure = Failure::asking_to_wait(ErrorClass::Overloaded, retry_after);
        let mut retry = Retry::new(RetryPolicy::general(), START);
        retry.after_failure(START, failure, None, &mut rng)
    };
    assert_eq!(after(0), Next::After(SECOND), "never sooner than the policy says");
    assert_eq!(after(120), Next::After(Duration::from_mins(2)), "longer than the cap");
    let retry_after = Duration::from_hours(24);
    assert_eq!(after(86_400), Next::GiveUp(GiveUp::AskedToWaitTooLong { retry_after }));
}

#[test]
fn http_statuses_have_their_class() {
    let class = ErrorClass::of_http_status;
    assert_eq!(class(204), None);
    assert_eq!(class(429), Some(ErrorClass::Overloaded));
    assert_eq!(class(503), Some(ErrorClass::Overloaded));
    assert_eq!(class(502), Some(ErrorClass::ServerFailed));
    assert_eq!(class(401), Some(ErrorClass::Denied));
    assert_eq!(class(422), Some(ErrorClass::Invalid));
}

#[test]
fn a_storm_ends_with_the_budget_of_its_target() {
    let mut budgets = Budgets::default();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut retried = 0;
    for _ in 0..1000 {
        budgets.of("database:main", START).deposit(START);
        let mut retry = Retry::new(RetryPolicy::general(), START);
        let failure = Failure::new(ErrorClass::Unreachable);
        let budget = budgets.of("database:main", START);
        if let Next::After(_) = retry.after_failure(START, failure, Some(budget), &mut rng) {
            retried += 1;
        }
    }
    assert!((200..=220).contains(&retried), "a fifth of 1000, and 20 saved up: {retried}");
    assert_eq!(budgets.of("database:other", START).left(), 20, "others are not concerned");
}

#[test]
fn the_ledger_counts_operations_and_attempts() {
    let mut ledger = Ledger::default();
    let attempt = |number, outcome| Attempt {
        at: START,
        target: "notify:slack".to_owned(),
        number,
        took: SECOND,
        outcome,
    };
    let class = ErrorClass::TimedOut;
    let retrying = AttemptOutcome::Retrying { class, error: quoted("late"), delay: SECOND };
    let gave_up =
        AttemptOutcome::GaveUp { class, error: quoted("x".repeat(1000)), why: quoted("enough") };
    for attempt in [
        attempt(1, AttemptOutcome::Succeeded),
        attempt(1, retrying.clone()),
        attempt(2, AttemptOutcome::Succeeded),
        attempt(1, retrying.clone()),
        attempt(2, gave_up),
    ] {
        ledger.take("send", attempt);
    }
    let stats = ledger.get("send").unwrap();
    assert_eq!((stats.total, stats.successful, stats.failed, stats.rescued), (3, 2, 1, 1));
    assert_eq!((stats.attempts, stats.failed_attempts), (5, 3));
    let average = |ledger: &Ledger| {
        let average = ledger.get("send").and_then(OperationStats::average_attempts);
        average.map(|it| (it * 100.0).round())
    };
    assert_eq!(average(&ledger), Some(167.0));
    assert_eq!(stats.success_rate().map(f64::round), Some(67.0));
    let errors: Vec<usize> = stats.last_errors().map(|(_, error)| error.english().len()).collect();
    assert_eq!(errors, [300, 4, 4]);
    let (kept, under_way) = (stats.clone(), attempt(1, retrying));
    ledger.take("send", under_way);
    assert_eq!(
        average(&ledger),
        Some(167.0),
        "one that is under way has no number of attempts yet"
    );
    let kept = OperationStats { ended_attempts: 0, ..kept };
    ledger.restore("send".to_owned(), kept);
    assert_eq!(average(&ledger), Some(167.0), "as numbers say that were kept before");
    for number in 0..1000 {
        ledger.take(&format!("operation {number}"), attempt(1, AttemptOutcome::Succeeded));
    }
    assert_eq!(ledger.iter().count(), 256, "memory is bounded");
}

fn policies() -> impl Strategy<Value = RetryPolicy> {
    let jitter =
        prop::sample::select(vec![Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated]);
    let total = prop::option::of(0_u64..100_000);
    (0_u32..12, 1_u64..60_000, 1.0..4.0_f64, 1_u64..600_000, jitter, total, 0_u16..0x400).prop_map(
        |(retries, first, factor, cap, jitter, total, classes)| RetryPolicy {
            retries,
            first: Duration::from_millis(first.min(cap)),
            factor: Factor::new(factor).unwrap(),
            cap: Duration::from_millis(cap),
            jitter,
            total: total.map(Duration::from_millis),
            retried: Classes(classes & !ErrorClass::Cancelled.bit()),
            longest_retry_after: Duration::from_secs(100),
        },
    )
}

fn failures() -> impl Strategy<Value = Vec<(Failure, Duration)>> {
    let class = prop::sample::select(ErrorClass::ALL.to_vec());
    let retry_after = prop::option::weighted(0.2, (0_u64..150).prop_map(Duration::from_secs));
    let failure =
        (class, retry_after).prop_map(|(class, retry_after)| Failure { class, retry_after });
    prop::collection::vec((failure, (0_u64..3000).prop_map(Duration::from_millis)), 1..20)
}

proptest! {
    /// Against a model that keeps everything and computes every delay from its definition.
    #[test]
    fn retries_are_those_of_the_plain_model(
        policy in policies(), failures in failures(), seed: u64,
    ) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut retry, mut now) = (Retry::new(policy, START), START);
        let mut before = policy.first;
        for (index, (failure, took)) in failures.into_iter().enumerate() {
            now = now + took;
            let next = retry.after_failure(now, failure, None, &mut rng);
            // A product in place of a power.
            let mut expo = policy.first.as_secs_f64();
            for _ in 0..index {
                expo *= policy.factor.value();
            }
            let expo = expo.min(policy.cap.as_secs_f64());
            let (low, high) = match policy.jitter {
                Jitter::None => (expo, expo),
                Jitter::Full => (0.0, expo),
                Jitter::Equal => (expo / 2.0, expo),
                Jitter::Decorrelated => {
                    let high = before.max(policy.first).as_secs_f64() * 3.0;
                    let cap = policy.cap.as_secs_f64();
                    (policy.first.as_secs_f64().min(cap), high.min(cap))
                }
            };
            let asked = failure.retry_after.unwrap_or_default();
            match next {
                Next::After(delay) => {
                    prop_assert!(policy.retried.contains(failure.class));
                    prop_assert!(index < policy.retries as usize);
                    prop_assert!(delay >= asked);
                    let seconds = delay.as_secs_f64();
                    let high = high.max(asked.as_secs_f64());
                    prop_assert!(low - 1e-6 <= seconds && seconds <= high + 1e-6,
                        "{seconds} outside of {low}..={high}");
                    if let Some(total) = policy.total {
                        prop_assert!(now.since(START) + delay <= total);
                    }
                    now = now + delay;
                    // What the other side asked for hides what was drawn.
                    before = if delay > asked { delay } else { policy.cap.max(asked) };
                    if policy.jitter == Jitter::Decorrelated && delay == asked {
                        return Ok(());
                    }
                }
                Next::GiveUp(why) => {
                    let right = match why {
                        GiveUp::NotWorthwhile { class } => !policy.retried.contains(class),
                        GiveUp::AttemptsUsed { attempts, .. } => {
                            attempts == policy.retries + 1 && index == policy.retries as usize
                        }
                        GiveUp::TimeUsed { total, .. } => {
                            let high = high.max(asked.as_secs_f64());
                            now.since(START).as_secs_f64() + high + 1e-6 > total.as_secs_f64()
                        }
                        GiveUp::AskedToWaitTooLong { .. } => asked > policy.longest_retry_after,
                        GiveUp::BudgetUsed => false,
                    };
                    prop_assert!(right, "gave up for no reason: {why:?}");
                    return Ok(());
                }
            }
        }
    }

    #[test]
    fn retries_stay_within_the_budget_over_every_span(
        steps in prop::collection::vec((any::<bool>(), 0_u64..4_000_000), 1..300),
        capacity in 0_u32..5, share in 0_u32..1500, drip in 0_u32..2000,
    ) {
        let mut budget = Budget::new(BudgetPolicy { capacity, share, drip }, START);
        let (mut now, mut taken, mut begun) = (START, Vec::new(), Vec::new());
        for (begins, pause) in steps {
            now = now + Duration::from_micros(pause);
            if begins {
                budget.deposit(now);
                begun.push(now);
            } else if budget.take(now) {
                taken.push(now);
            }
            for from in taken.iter().copied() {
                let retries = taken.iter().filter(|at| **at >= from).count() as f64;
                let operations = begun.iter().filter(|at| **at >= from).count() as f64;
                let span = now.since(from).as_secs_f64();
                let most = f64::from(capacity)
                    + (f64::from(share) * operations + f64::from(drip) * span + 1.0) / 1000.0;
                prop_assert!(retries <= most, "{retries} retries, at most {most}");
            }
        }
    }
}
