//! What is told of the process that has an app's port.

use zelador_core::death::Death;
use zelador_core::effect::Effect;
use zelador_core::evidence::{Evidence, PortHolder};
use zelador_core::healing::Remedy;
use zelador_core::id::IncidentId;
use zelador_core::input::{Fact, Input, Unchanged};
use zelador_core::unit::SECOND;

use crate::world::{World, app};

/// Its run dies; returns for which incident evidence is asked for, and what is known.
fn dies(world: &mut World) -> (IncidentId, Death) {
    let run = world.list()[0].phase.run().expect("it is up");
    let pid = i32::try_from(run.number()).expect("a small number");
    world.supervisor.step(world.now, Input::Fact(Fact::Spawned { run, pid }));
    world.now = world.now + SECOND;
    let death = Death::Exited { code: 1 };
    let exited = Input::Fact(Fact::Exited { run, death: death.clone() });
    let effects = world.supervisor.step(world.now, exited);
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Gather { incident, .. } => Some(*incident),
        _ => None,
    });
    (asked.expect("evidence is asked for"), death)
}

/// Its run dies because another process has its port.
fn dies_as_its_port_is_taken_by(world: &mut World, holder: i32) {
    let (incident, death) = dies(world);
    let holder = PortHolder {
        port: 3000,
        pid: Some(holder),
        name: "node".to_owned(),
        started_at: Some(world.now - 60 * SECOND),
        ..PortHolder::default()
    };
    let evidence = Evidence {
        death: Some(death),
        uptime_millis: Some(1_000),
        err_tail: vec!["Error: listen EADDRINUSE: address already in use :::3000".to_owned()],
        port_holders: vec![holder],
        ..Evidence::default()
    };
    world.hear(Fact::Gathered { incident, evidence: Box::new(evidence) });
}

/// How often a holder is told in the one incident, which offers to end it.
fn told(world: &World, holder: &str) -> usize {
    let incidents = world.supervisor.incidents();
    let [incident] = incidents.as_slice() else { panic!("{incidents:?}") };
    assert_eq!(incident.proposal, Some(Remedy::KillPortHolder));
    incident.story.iter().filter(|entry| entry.what.contains(holder)).count()
}

#[test]
fn the_holder_of_a_port_is_told_once_until_it_is_another() {
    let mut world = World::new();
    world.declare(app(Vec::new()), Unchanged::LeaveAlone);
    dies_as_its_port_is_taken_by(&mut world, 7);
    assert_eq!(told(&world, "(pid 7,"), 2, "what was found, and what is offered");
    dies_as_its_port_is_taken_by(&mut world, 7);
    world.wait(2 * SECOND);
    dies_as_its_port_is_taken_by(&mut world, 7);
    assert_eq!(told(&world, "(pid 7,"), 2, "nothing is new");
    world.wait(5 * SECOND);
    dies_as_its_port_is_taken_by(&mut world, 8);
    assert_eq!((told(&world, "(pid 7,"), told(&world, "(pid 8,")), (2, 2));
}

#[test]
fn evidence_that_is_not_there_in_time_forgets_no_holder() {
    let mut world = World::new();
    world.declare(app(Vec::new()), Unchanged::LeaveAlone);
    dies_as_its_port_is_taken_by(&mut world, 7);
    dies(&mut world);
    world.wait(5 * SECOND);
    assert_eq!(told(&world, "no evidence"), 1, "it was waited for long enough");
    dies_as_its_port_is_taken_by(&mut world, 7);
    assert_eq!(told(&world, "(pid 7,"), 2, "what was found, and what is offered");
}
