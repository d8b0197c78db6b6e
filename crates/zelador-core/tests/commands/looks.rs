//! Who asks how everything is gets an answer, also where there is nothing to look at.

use std::collections::BTreeMap;
use std::time::Duration;

use zelador_core::effect::Effect;
use zelador_core::input::{Command, Fact, Input, Unchanged};
use zelador_core::probe::{Finding, ProbeOutcome};
use zelador_core::spec::{Cadence, HealthSpec, NamedTarget, ProbeTarget, TalkProbe};
use zelador_core::supervisor::{Supervisor, Surroundings};
use zelador_core::unit::{Moment, SECOND};
use zelador_core::words::quoted;

use crate::world::{World, app};

#[test]
fn what_is_known_without_a_look_is_not_waited_for() {
    let mut world = World::new();
    let none = serde_json::json!({ "memory": "off", "cpu": "off", "disk": "off" });
    world.hear(Fact::BaseSettings(Box::new(serde_json::from_value(none).unwrap())));
    let mut spec = app(Vec::new());
    spec.health = Some(HealthSpec {
        probe: ProbeTarget::Heartbeat { every: Duration::from_hours(1) },
        cadence: Cadence::default(),
        slow: SECOND,
        start_period: Duration::ZERO,
        verify_within: 10 * SECOND,
        limits: Vec::new(),
    });
    world.declare(spec, Unchanged::LeaveAlone);
    // `command` panics when no answer comes.
    assert!(world.command(Command::CheckNow).is_ok());
    let checks = world.supervisor.health().checks;
    let own = checks.iter().find(|it| it.component == "app:server").expect("it is shown");
    assert!(own.message.starts_with("has not called yet"), "{}", own.message);
}

#[test]
fn five_hundred_checks_that_are_declared_together_do_not_look_together() {
    let named: serde_json::Map<String, serde_json::Value> = (0..500)
        .map(|number| {
            let address = format!("10.0.0.1:{number}");
            let probe = ProbeTarget::Tcp(TalkProbe::new(address));
            let target = serde_json::to_value(NamedTarget::Probe(probe.into())).unwrap();
            let interval = serde_json::json!({ "secs": 10, "nanos": 0 });
            let cadence = serde_json::json!({ "interval": interval });
            (format!("c{number}"), serde_json::json!({ "target": target, "cadence": cadence }))
        })
        .collect();
    let settings =
        serde_json::json!({ "named": named, "memory": "off", "cpu": "off", "disk": "off" });
    let overlay = Box::new(serde_json::from_value(settings).unwrap());
    let begin = Moment::from_micros(1_700_000_000_000_000);
    let surroundings =
        Surroundings { home: "/home/z".into(), zone: jiff::tz::TimeZone::UTC, seed: 7 };
    let mut supervisor = Supervisor::new(surroundings, begin);
    supervisor.step(begin, Input::Fact(Fact::BaseSettings(overlay)));
    // Two rounds: those after the first keep their distance.
    let mut looks: BTreeMap<u64, usize> = BTreeMap::new();
    while let Some((due, _)) =
        supervisor.next_deadline().filter(|(at, _)| *at < begin + 20 * SECOND)
    {
        for effect in supervisor.step(due, Input::Tick) {
            let Effect::Look { probe, .. } = effect else { continue };
            let tenth = due.since(begin).as_millis() as u64 / 100;
            *looks.entry(tenth).or_default() += 1;
            let finding = Finding::Answered { detail: quoted("connected") };
            let outcome = ProbeOutcome { finding, took: Duration::from_millis(2) };
            supervisor.step(due, Input::Fact(Fact::Looked { probe, outcome }));
        }
    }
    assert!((950..=1_050).contains(&looks.values().sum::<usize>()), "{looks:?}");
    // Five in a tenth of a second on the average.
    assert!(looks.values().all(|count| *count <= 20), "{looks:?}");
    assert!(looks.len() > 180, "most tenths have some: {looks:?}");
}
