//! When a run is asked first, and what an answer is that comes late.

use std::time::Duration;

use zelador_core::check::Status;
use zelador_core::effect::Effect;
use zelador_core::id::{ProbeId, Ticket};
use zelador_core::input::{Command, Fact, Input, Unchanged};
use zelador_core::probe::{Finding, ProbeOutcome};
use zelador_core::spec::{Cadence, HealthSpec, ProbeTarget, TalkProbe};
use zelador_core::unit::{Moment, SECOND};
use zelador_core::words::quoted;

use crate::world::{World, app};

/// How long after it is due a first look comes at most: `FIRST_LOOK_AFTER` and `SPREAD` of the
/// supervisor, 500 ms and 5 s.
const SPREAD: Duration = Duration::from_millis(5_500);

fn asked_after(initial_delay: Duration) -> HealthSpec {
    HealthSpec {
        probe: ProbeTarget::Tcp(TalkProbe::new("127.0.0.1:1")),
        cadence: Cadence::default(),
        slow: SECOND,
        start_period: initial_delay,
        verify_within: 10 * SECOND,
        limits: Vec::new(),
    }
}

/// A host of which nothing is looked at but its apps.
fn quiet_world() -> World {
    let mut world = World::new();
    let none = serde_json::json!({ "memory": "off", "cpu": "off", "disk": "off" });
    world.hear(Fact::BaseSettings(Box::new(serde_json::from_value(none).unwrap())));
    world
}

fn looks_of(effects: &[Effect]) -> Option<ProbeId> {
    effects.iter().find_map(|effect| match effect {
        Effect::Look { probe, .. } => Some(*probe),
        _ => None,
    })
}

/// Goes on until something is looked at; when that was.
fn next_look(world: &mut World) -> (Moment, ProbeId) {
    for _ in 0..1_000 {
        let (due, _) = world.supervisor.next_deadline().expect("a look is due");
        world.now = due.max(world.now);
        let effects = world.supervisor.step(world.now, Input::Tick);
        if let Some(probe) = looks_of(&effects) {
            return (world.now, probe);
        }
    }
    panic!("nothing is looked at")
}

fn answered(world: &mut World, probe: ProbeId, took: Duration) {
    let finding = Finding::Answered { detail: quoted("connected") };
    world.hear(Fact::Looked { probe, outcome: ProbeOutcome { finding, took } });
}

#[test]
fn nothing_is_asked_of_a_run_before_its_initial_delay_not_even_on_request() {
    let mut world = quiet_world();
    let mut spec = app(Vec::new());
    spec.health = Some(asked_after(30 * SECOND));
    world.declare(spec, Unchanged::LeaveAlone);
    let begin = world.now;
    world.wait(29 * SECOND);
    let request = Input::Command(Ticket::new(99), Command::CheckNow);
    assert_eq!(looks_of(&world.supervisor.step(world.now, request)), None, "it is too young");
    let (at, _) = next_look(&mut world);
    let after = at.since(begin);
    assert!((30 * SECOND..=30 * SECOND + SPREAD).contains(&after), "{after:?}");
}

#[test]
fn behind_a_startup_probe_the_initial_delay_begins_when_that_was_good() {
    let mut world = quiet_world();
    let mut spec = app(Vec::new());
    spec.probes.startup = Some(asked_after(10 * SECOND));
    spec.probes.readiness = Some(asked_after(30 * SECOND));
    world.declare(spec, Unchanged::LeaveAlone);
    let begin = world.now;
    let (came_up, probe) = next_look(&mut world);
    let after = came_up.since(begin);
    assert!((10 * SECOND..=10 * SECOND + SPREAD).contains(&after), "{after:?}");
    answered(&mut world, probe, SECOND / 100);
    let (at, _) = next_look(&mut world);
    let after = at.since(came_up);
    assert!((30 * SECOND..=30 * SECOND + SPREAD).contains(&after), "{after:?}");
}

#[test]
fn an_app_that_answers_late_is_degraded_and_nothing_is_done_to_it() {
    let mut world = quiet_world();
    let mut spec = app(Vec::new());
    spec.health = Some(asked_after(Duration::ZERO));
    world.declare(spec, Unchanged::LeaveAlone);
    let run = world.list()[0].phase.run();
    let mut told = |took| {
        let (_, probe) = next_look(&mut world);
        answered(&mut world, probe, took);
        let checks = world.supervisor.health().checks;
        let it = checks.into_iter().find(|it| it.component == "app:server").expect("it is shown");
        (it.status, it.message)
    };
    assert_eq!(told(SECOND).0, Status::Healthy, "as slow as it may be");
    let late = 3 * SECOND / 2;
    let seen = [told(late), told(late), told(late)];
    let statuses = seen.clone().map(|(status, _)| status);
    assert_eq!(statuses, [Status::Healthy, Status::Healthy, Status::Degraded], "three in a row");
    assert_eq!(seen[2].1, "connected, but after 1.5 s; 1 s is slow");
    for _ in 0..20 {
        assert_eq!(told(late).0, Status::Degraded);
    }
    assert_eq!([told(SECOND).0, told(SECOND).0], [Status::Degraded, Status::Healthy]);
    assert_eq!(world.list()[0].phase.run(), run, "the same run");
    assert!(world.supervisor.incidents().is_empty(), "nothing to heal");
}
