use super::*;
use crate::probe::Usage;
use crate::words::quoted;

fn case<'a>(finding: &'a Finding, evidence: &'a Evidence) -> Case<'a> {
    Case {
        finding: Some(finding),
        evidence: Some(evidence),
        dependency: None,
        policy: OnDependencyDown::Wait,
        over: None,
    }
}

fn using(cpu: f64) -> Evidence {
    Evidence { usage: Some(Usage { cpu, ..Usage::default() }), ..Evidence::default() }
}

#[test]
fn a_silent_process_is_told_apart_by_its_processor_use() {
    let silent = Finding::TimedOut { detail: quoted("no answer within 3 s") };
    assert_eq!(diagnose(&case(&silent, &using(99.0))).cause, Cause::CpuRunaway);
    assert_eq!(diagnose(&case(&silent, &using(0.0))).cause, Cause::DeadlockOrHang);
}

#[test]
fn on_a_busy_host_the_state_of_its_threads_tells_a_loop_from_a_hang() {
    let silent = Finding::TimedOut { detail: quoted("no answer within 3 s") };
    let thread = |state| Thread {
        tid: 7,
        name: "node".to_owned(),
        state,
        waits_in: None,
        cpu_millis: 900,
        effort: None,
        syscall: None,
        stack: Vec::new(),
    };
    let seen = |cpu, state| Evidence { threads: vec![thread(state)], ..using(cpu) };
    assert_eq!(diagnose(&case(&silent, &seen(39.0, 'R'))).cause, Cause::CpuRunaway);
    assert_eq!(diagnose(&case(&silent, &seen(39.0, 'S'))).cause, Cause::DeadlockOrHang);
    assert_eq!(diagnose(&case(&silent, &seen(0.0, 'R'))).cause, Cause::DeadlockOrHang);
    // Better than a glance is what the kernel counts over a while.
    let counted = |effort, state| Evidence {
        threads: vec![Thread { effort: Some(effort), ..thread(state) }],
        ..using(39.0)
    };
    let evidence = counted(95, 'S');
    let looping = diagnose(&case(&silent, &evidence));
    assert_eq!(looping.cause, Cause::CpuRunaway);
    let why = "thread 7 (node) ran or waited for its turn 95 % of the time";
    assert!(looping.because.contains(&quoted(why)), "{:?}", looping.because);
    assert_eq!(diagnose(&case(&silent, &counted(20, 'R'))).cause, Cause::DeadlockOrHang);
}

#[test]
fn what_uses_too_much_does_not_hang() {
    let measured = Finding::Measured { detail: Words::default(), measures: Vec::new() };
    let evidence = using(1.0);
    let said = |over| diagnose(&Case { over: Some(over), ..case(&measured, &evidence) }).cause;
    assert_eq!([said("memory"), said("cpu")], [Cause::MemoryLeak, Cause::CpuRunaway]);
}

#[test]
fn a_dependency_that_is_down_comes_first_and_the_policy_decides() {
    let (wrong, evidence) = (Finding::WrongAnswer { detail: quoted("HTTP 500") }, using(99.0));
    let refused = quoted("connection refused");
    let down = Case { dependency: Some(("db", &refused)), ..case(&wrong, &evidence) };
    let said = diagnose(&down);
    assert_eq!(
        (said.cause, said.remedy),
        (Cause::DependencyUnreachable, Remedy::WaitForDependency)
    );
    let stubborn = Case { policy: OnDependencyDown::Restart, ..down };
    assert_eq!(diagnose(&stubborn).remedy, Remedy::Restart);
}
