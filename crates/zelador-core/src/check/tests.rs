use super::*;
use crate::id::{CheckId, InstanceId};
use crate::probe::ProbeOutcome;
use crate::spec::Settings;
use crate::unit::ByteSize;
use Status::{Degraded, Healthy, Unhealthy};

fn check() -> Check {
    let plan = plans(&Settings::default()).remove(0);
    Check::new(plan, Moment::default())
}

#[test]
fn a_startup_probe_that_was_unhealthy_is_over_with_its_first_good_answer() {
    let mut check = check();
    let mut take = |status| check.take_startup(result(status));
    assert_eq!([take(Unhealthy), take(Unhealthy)], [None, None], "of three");
    assert_eq!(take(Unhealthy), Some((None, Unhealthy)));
    assert_eq!(take(Healthy), Some((Some(Unhealthy), Healthy)));
    assert_eq!((check.verdict, check.good_in_row), (Some(Healthy), 1));
}

#[test]
fn a_look_that_was_not_possible_does_not_say_that_a_run_came_up() {
    let (mut check, at) = (check(), Moment::default());
    let blind = Look::CannotLook(quoted("no result within 3 s"));
    let blind = CheckResult::new(Degraded, blind, Duration::ZERO, at);
    let seen = [Unhealthy, Unhealthy].map(|status| check.take_startup(result(status)));
    assert_eq!((seen, check.take_startup(blind.clone())), ([None; 2], None));
    assert_eq!((check.verdict, check.last.as_ref()), (None, Some(&blind)));
    assert_eq!(check.take_startup(result(Unhealthy)), Some((None, Unhealthy)), "the third");
}

fn result(status: Status) -> CheckResult {
    let (message, took, at) = (String::new(), Duration::ZERO, Moment::default());
    CheckResult { status, message, said: None, took, at }
}

fn feed(check: &mut Check, statuses: &[Status]) -> Vec<Status> {
    statuses
        .iter()
        .map(|status| {
            check.take(result(*status));
            check.verdict.unwrap()
        })
        .collect()
}

#[test]
fn the_first_result_is_the_verdict_and_one_odd_one_changes_nothing() {
    let seen = feed(&mut check(), &[Healthy, Unhealthy, Healthy, Unhealthy, Unhealthy, Healthy]);
    assert_eq!(seen, [Healthy; 6]);
}

#[test]
fn a_new_run_is_unhealthy_only_after_as_many_failures_as_an_old_one() {
    let of_run = || {
        let mut check = check();
        check.plan.id = CheckId::Instance(InstanceId::new(0));
        check
    };
    let verdicts = |check: &mut Check, statuses: &[Status]| {
        let take = |status: &Status| {
            check.take(result(*status));
            check.verdict
        };
        statuses.iter().map(take).collect::<Vec<_>>()
    };
    let mut check = of_run();
    let seen = verdicts(&mut check, &[Unhealthy, Unhealthy, Unhealthy]);
    assert_eq!(seen, [None, None, Some(Unhealthy)]);
    check.reset(Moment::default());
    assert_eq!(verdicts(&mut check, &[Unhealthy, Unhealthy]), [None; 2], "of the next run");
    let seen = verdicts(&mut of_run(), &[Unhealthy, Unhealthy, Healthy, Unhealthy, Unhealthy]);
    assert_eq!(seen[2..], [Some(Healthy); 3], "not in a row");
    let seen = verdicts(&mut of_run(), &[Degraded, Unhealthy, Unhealthy]);
    assert_eq!(seen, [None, None, Some(Degraded)], "all agree on degraded");
}

#[test]
fn three_worse_results_make_it_worse_and_two_better_ones_better() {
    let seen = feed(&mut check(), &[Healthy, Unhealthy, Degraded, Unhealthy]);
    assert_eq!(seen, [Healthy, Healthy, Healthy, Degraded], "all agree on degraded");
    let seen = feed(&mut check(), &[Unhealthy, Healthy, Healthy]);
    assert_eq!(seen, [Unhealthy, Unhealthy, Healthy]);
}

#[test]
fn within_a_window_what_comes_and_goes_counts_and_what_is_older_does_not() {
    let windowed = |failures, successes| {
        let mut check = check();
        check.plan.cadence.within = Some(5);
        check.plan.cadence.failure_threshold = failures;
        check.plan.cadence.success_threshold = successes;
        check
    };
    // Three of the last five, never two in a row.
    let seen =
        feed(&mut windowed(3, 2), &[Healthy, Unhealthy, Healthy, Unhealthy, Healthy, Unhealthy]);
    assert_eq!(seen, [Healthy, Healthy, Healthy, Healthy, Healthy, Unhealthy]);
    // The first of them has left the window when the third comes.
    let seen = feed(
        &mut windowed(3, 2),
        &[Healthy, Unhealthy, Healthy, Healthy, Unhealthy, Healthy, Healthy, Unhealthy],
    );
    assert_eq!(seen.last(), Some(&Healthy));
    // Two good ones among the last five make it better.
    let seen = feed(&mut windowed(3, 2), &[Unhealthy, Healthy, Unhealthy, Healthy]);
    assert_eq!(seen, [Unhealthy, Unhealthy, Unhealthy, Healthy]);
}

#[test]
fn a_window_that_became_smaller_holds_no_more_than_it_says_and_never_nothing() {
    let mut check = check();
    check.plan.cadence.within = Some(5);
    feed(&mut check, &[Healthy, Unhealthy, Healthy, Unhealthy, Healthy]);
    // As of a history that somebody has written into.
    for (window, kept) in [(2, 2), (0, 1)] {
        check.plan.cadence.within = Some(window);
        assert_eq!(feed(&mut check, &[Unhealthy]), [Healthy]);
        assert_eq!(check.streak.len(), kept, "of {window}");
    }
}

#[test]
fn memory_is_judged_by_its_thresholds() {
    let plan = plans(&Settings::default()).remove(0);
    let status = |used| {
        let finding = Finding::Memory { used: ByteSize::new(used), total: ByteSize::new(100) };
        let outcome = ProbeOutcome { finding, took: Duration::ZERO };
        judge(&plan, None, &outcome, Moment::default()).status
    };
    assert_eq!([status(74), status(75), status(90)], [Healthy, Degraded, Unhealthy]);
}

#[test]
fn a_hurried_check_is_looked_at_more_and_more_rarely() {
    let mut check = check();
    let mut now = Moment::from_micros(0);
    check.hurry(now);
    let mut gaps = Vec::new();
    for probe in 0..7 {
        check.begin(ProbeId::new(probe), now);
        gaps.push(check.next_at.since(now).as_secs());
        now = check.next_at;
    }
    assert_eq!(gaps, [1, 2, 4, 8, 16, 30, 30], "32 s would be longer than its interval");
}
