//! Who asks how everything is gets an answer, also where there is nothing to look at.

use std::time::Duration;

use zelador_core::input::{Command, Fact, Unchanged};
use zelador_core::spec::{Cadence, HealthSpec, ProbeTarget};
use zelador_core::unit::SECOND;

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
