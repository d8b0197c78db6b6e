//! What decisions cost: a retry, a call of a breaker, and ten thousand checks of a supervisor.
//!
//! `cargo bench -p zelador-core --bench decisions`; ends with 1 when a figure is above its limit.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures time and memory"
)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use zelador_core::breaker::{BreakerKey, BreakerPolicy, Breakers, Call};
use zelador_core::config::{CadenceOverlay, NamedOverlay, Overlay, Switch};
use zelador_core::effect::Effect;
use zelador_core::input::{Fact, Input};
use zelador_core::probe::{Finding, Measure, ProbeOutcome};
use zelador_core::retry::{Budgets, ErrorClass, Failure, Retry, RetryPolicy};
use zelador_core::spec::{HttpProbe, NamedTarget, ProbeTarget, TalkProbe};
use zelador_core::supervisor::{Supervisor, Surroundings};
use zelador_core::unit::Moment;

const START: Moment = Moment::from_micros(1_700_000_000_000_000);

fn main() -> ExitCode {
    let mut good = true;
    let mut report = |what: &str, found: f64, limit: f64, unit: &str| {
        let within = found <= limit;
        good &= within;
        let verdict = if within { "ok" } else { "TOO MUCH" };
        println!("{what}: {found:.3} {unit} (at most {limit} {unit}): {verdict}");
    };
    report("a retry decision", retry(), 1.0, "µs");
    report("a breaker's ask and report", breaker(), 1.0, "µs");
    let (share, late, memory) = checks();
    report("10,000 checks every 10 s, deciding", share, 50.0, "% of a core");
    report("the latest of them", late, 1.0, "s late");
    report("their memory", memory, 60.0, "MB");
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const ROUNDS: u32 = 1_000_000;

fn micros_each(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
}

fn retry() -> f64 {
    let (mut budgets, mut rng) = (Budgets::default(), fastrand::Rng::with_seed(7));
    let failure = Failure::new(ErrorClass::TimedOut);
    let mut retry = Retry::new(RetryPolicy::general(), START);
    let begin = Instant::now();
    for round in 0..ROUNDS {
        let now = START + Duration::from_millis(u64::from(round));
        let budget = budgets.of("database:main", now);
        if round % 6 == 0 {
            retry = Retry::new(RetryPolicy::general(), now);
            budget.deposit(now);
        }
        black_box(retry.after_failure(now, failure, Some(budget), &mut rng));
    }
    micros_each(begin)
}

fn breaker() -> f64 {
    let mut breakers = Breakers::default();
    let keys: Vec<BreakerKey> =
        (0..500).map(|number| BreakerKey::new(format!("app:{number}"), "restart")).collect();
    let begin = Instant::now();
    for round in 0..ROUNDS {
        let now = START + Duration::from_millis(u64::from(round));
        let key = &keys[round as usize % keys.len()];
        let (breaker, _) = breakers.of(key, BreakerPolicy::default);
        if let Ok(permit) = breaker.ask(now) {
            let took = Duration::from_millis(3);
            black_box(breaker.report(now, permit, Call { ok: round % 7 > 0, took }));
        }
    }
    micros_each(begin)
}

/// A supervisor with ten thousand checks of mixed kinds, for a virtual minute: the share of a core,
/// the latest look in seconds, and megabytes.
fn checks() -> (f64, f64, f64) {
    let memory_before = resident();
    let surroundings = Surroundings {
        home: "/home/z".into(),
        zone: jiff::tz::TimeZone::UTC,
        seed: 7,
        boot: String::new(),
        last_up: None,
    };
    let mut supervisor = Supervisor::new(surroundings, START);
    let cadence =
        CadenceOverlay { interval: Some(Duration::from_secs(10)), ..CadenceOverlay::default() };
    let check = |number: u32| {
        let target = match number % 3 {
            0 => ProbeTarget::Http(HttpProbe::get(format!("http://10.0.0.1:{number}/health"))),
            1 => ProbeTarget::Tcp(TalkProbe::new(format!("10.0.0.1:{number}"))),
            _ => ProbeTarget::Dns { name: format!("host-{number}.internal"), expect: Vec::new() },
        };
        let target = NamedTarget::Probe(target.into());
        Some(NamedOverlay {
            target,
            slow: None,
            cadence,
            limits: Vec::new(),
            breaker: zelador_core::spec::BreakerChange::default(),
        })
    };
    let named = (0..10_000)
        .map(|number| (format!("check {number}"), check(number).map(Box::new)))
        .collect();
    let (memory, cpu, disk) = (Some(Switch::Off), Some(Switch::Off), Some(Switch::Off));
    let overlay = Overlay { named, memory, cpu, disk, ..Overlay::default() };
    supervisor.step(START, Input::Fact(Fact::BaseSettings(Box::new(overlay))));
    let end = START + Duration::from_mins(1);
    let (mut now, mut looks, mut late) = (START, 0_u64, Duration::ZERO);
    let begin = Instant::now();
    while let Some((due, _)) = supervisor.next_deadline() {
        now = now.max(due);
        if now > end {
            break;
        }
        late = late.max(now.since(due));
        for effect in supervisor.step(now, Input::Tick) {
            let Effect::Look { probe, .. } = effect else { continue };
            looks += 1;
            let measures = vec![Measure::span("connect", Duration::from_millis(1))];
            let finding =
                Finding::Measured { detail: zelador_core::words::quoted("HTTP 200"), measures };
            let outcome = ProbeOutcome { finding, took: Duration::from_millis(2) };
            supervisor.step(now, Input::Fact(Fact::Looked { probe, outcome }));
        }
    }
    let spent = begin.elapsed().as_secs_f64();
    assert!(looks > 50_000, "six looks at each in a minute: {looks}");
    (spent * 100.0 / 60.0, late.as_secs_f64(), resident() - memory_before)
}

/// Resident memory of this process, in megabytes.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<f64>().ok());
    kibibytes.unwrap_or_default() / 1024.0
}
