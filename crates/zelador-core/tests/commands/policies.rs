//! What the settings say of breakers and retries is what is gone by, also by a breaker that is there.

use std::time::Duration;

use zelador_core::breaker::{BreakerKey, BreakerPolicy, Order};
use zelador_core::config::Overlay;
use zelador_core::effect::{CallAnswer, Effect};
use zelador_core::id::CallId;
use zelador_core::input::{CallFailed, CallWanted, Command, Fact, Input, ModuleSettings};
use zelador_core::probe::{Finding, ProbeOutcome};
use zelador_core::retry::{ErrorClass, Failure, RetryPolicy};
use zelador_core::supervisor::BreakerView;
use zelador_core::unit::SECOND;
use zelador_core::words::quoted;

use crate::world::World;

/// A zelador that looks at one database, and nothing else but what `more` says.
fn base(more: &serde_json::Value) -> Box<Overlay> {
    let mut base = serde_json::json!({
        "memory": "off", "cpu": "off", "disk": "off",
        "databases": { "db": { "url": "redis://h" } },
    });
    base["resilience"] = more.clone();
    Box::new(serde_json::from_value(base).unwrap())
}

/// Answers the next look with this.
fn answer(world: &mut World, finding: &Finding, took: Duration) {
    loop {
        let (due, _) = world.supervisor.next_deadline().expect("a look is due");
        world.now = due.max(world.now);
        for effect in world.supervisor.step(world.now, Input::Tick) {
            if let Effect::Look { probe, .. } = effect {
                let outcome = ProbeOutcome { finding: finding.clone(), took };
                return world.hear(Fact::Looked { probe, outcome });
            }
        }
    }
}

fn breaker(world: &World) -> BreakerView {
    let mut all = world.supervisor.breakers().into_iter();
    all.find(|it| it.target == "database:db").expect("it is known")
}

fn refused() -> Finding {
    Finding::Refused { detail: quoted("connection refused") }
}

#[test]
fn a_breaker_opens_by_what_the_settings_say_and_goes_by_them_when_they_change() {
    let mut world = World::new();
    let brief = serde_json::json!({ "breaker": {
        "default": { "open_for": { "secs": 7, "nanos": 0 } }, "query": { "failures_in_row": 2 } } });
    world.hear(Fact::BaseSettings(base(&brief)));
    answer(&mut world, &refused(), SECOND);
    assert!(breaker(&world).is_closed());
    answer(&mut world, &refused(), SECOND);
    let open = breaker(&world);
    assert_eq!(open.trial_at.map(|at| at.since(world.now)), Some(7 * SECOND), "{open:?}");
    // The same breaker from now on bears three.
    let patient = serde_json::json!({ "breaker": { "query": { "failures_in_row": 3 } } });
    world.hear(Fact::BaseSettings(base(&patient)));
    assert_eq!(breaker(&world).trial_at, open.trial_at, "what is open stays so");
    let reset =
        Command::Breaker { target: "database:db".to_owned(), operation: None, order: Order::Reset };
    world.command(reset).unwrap();
    answer(&mut world, &refused(), SECOND);
    answer(&mut world, &refused(), SECOND);
    assert!(breaker(&world).is_closed());
    answer(&mut world, &refused(), SECOND);
    assert!(breaker(&world).is_open());
}

#[test]
fn looks_that_are_slow_open_a_breaker_that_counts_them() {
    let mut world = World::new();
    let slow = serde_json::json!({ "breaker": { "query": {
        "slow": { "secs": 1, "nanos": 0 }, "slow_rate": 60.0, "minimum_calls": 3, "window": { "count": 3 } } } });
    world.hear(Fact::BaseSettings(base(&slow)));
    let good = Finding::Answered { detail: quoted("1") };
    for _ in 0..2 {
        answer(&mut world, &good, 2 * SECOND);
        assert!(breaker(&world).is_closed());
    }
    answer(&mut world, &good, SECOND / 2);
    assert!(breaker(&world).is_open(), "two of three: {:?}", breaker(&world));
}

#[test]
fn a_call_is_tried_again_as_the_settings_say() {
    let mut world = World::new();
    let retry = serde_json::json!({ "retry": {
        "default": { "first": { "secs": 3, "nanos": 0 } }, "ask": { "retries": 2, "factor": 3.0 } } });
    world.hear(Fact::BaseSettings(base(&retry)));
    let wanted = CallWanted {
        key: BreakerKey::model("m"),
        retry: RetryPolicy::general(),
        breaker: BreakerPolicy { failures_in_row: None, ..BreakerPolicy::default() },
    };
    let call = CallId::new(1);
    world
        .supervisor
        .step(world.now, Input::Fact(Fact::CallWanted { call, wanted: Box::new(wanted) }));
    let mut answers = Vec::new();
    for _ in 0..3 {
        let failed =
            CallFailed { failure: Failure::new(ErrorClass::TimedOut), error: quoted("no answer") };
        let ended = Fact::CallEnded { call, took: SECOND, failed: Some(failed) };
        for effect in world.supervisor.step(world.now, Input::Fact(ended)) {
            let Effect::Call { answer, .. } = effect else { continue };
            answers.push(answer);
        }
        world.supervisor.step(world.now, Input::Fact(Fact::CallRepeated { call }));
    }
    let given_up = CallAnswer::GiveUp(quoted("no answer"));
    assert_eq!(answers, [CallAnswer::After(3 * SECOND), CallAnswer::After(9 * SECOND), given_up]);
}

#[test]
fn an_engine_that_begins_goes_by_all_its_settings_at_once() {
    let mut world = World::new();
    let overlay = |value| serde_json::from_value::<Overlay>(value).unwrap();
    let base = overlay(serde_json::json!({ "memory": "off", "cpu": "off", "disk": "off" }));
    let logs = overlay(serde_json::json!({ "logs": { "max_size": 1_u64 << 30 } }));
    let modules = ModuleSettings { overlay: logs, ..ModuleSettings::default() };
    let layers = Fact::Layers { base: Box::new(base), modules: Box::new(modules) };
    let sizes: Vec<u64> = world
        .supervisor
        .step(world.now, Input::Fact(layers))
        .iter()
        .filter_map(|effect| match effect {
            Effect::Configure(settings) => Some(settings.rotation.max_size.bytes()),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [1 << 30], "with the default in between, logs would be rotated by it");
}
