//! Stories with a known end.

use zelador_core::id::RunId;
use zelador_core::spec::ExecMode;
use zelador_core::unit::SECOND;

use crate::play;
use crate::rule::Violation;
use crate::script::{self, Behaviour, Event, Loss, Script, app};
use crate::watcher::{one, story, user};
use crate::world::{DAWN, World};

/// What a directed story ends with.
fn ends(script: &Script) -> (World, Result<(), Violation>) {
    let mut world = World::new(script);
    let result = play(script, &mut world);
    (world, result)
}

#[test]
fn a_reload_replaces_every_worker_and_costs_no_moment_without_one() {
    let mut spec = app("api");
    spec.mode = ExecMode::Cluster;
    spec.instances = 3;
    let script = story(spec, Behaviour::Good, vec![user(10 * SECOND, script::reload(one()))]);
    let mut world = World::new(&script);
    let mut fewest = usize::MAX;
    let ready = |world: &World| {
        world.supervisor.view().instances.iter().filter(|it| it.phase.is_ready()).count()
    };
    assert_eq!(world.run_until(DAWN + 9 * SECOND), Ok(()));
    assert_eq!(ready(&world), 3);
    while world.turn(DAWN + 60 * SECOND).expect("no rule is broken") {
        fewest = fewest.min(ready(&world));
    }
    assert_eq!(fewest, 3);
    let view = world.supervisor.view();
    assert!(view.retiring.is_empty(), "{:?}", view.retiring);
    let runs: Vec<u64> =
        view.instances.iter().filter_map(|it| Some(it.phase.run()?.number())).collect();
    assert_eq!(runs, [4, 5, 6], "each was replaced once");
}

/// The death, and the start that followed it at once, are told by the guardian alone.
#[test]
fn an_engine_that_is_lost_between_a_start_and_its_record_costs_no_restart() {
    let away = SECOND;
    let events = vec![(SECOND, Event::EngineLost { when: Loss::AheadOfRecord, away })];
    let mut world = World::new(&story(app("api"), Behaviour::Mortal(30 * SECOND), events));
    while world.heirs_found == 0 && world.turn(DAWN + 300 * SECOND).expect("no rule is broken") {}
    assert_eq!(world.heirs_found, 1);
    let view = world.supervisor.view();
    let api = &view.instances[0];
    assert_eq!((api.phase.run(), api.restarts), (Some(RunId::new(2)), 1));
    assert_eq!(api.deaths.len(), 1, "{:?}", api.deaths);
    assert_eq!(world.done.iter().filter(|(_, what)| what.starts_with("spawn")).count(), 2);
}

#[test]
fn a_successor_that_dies_leaves_the_old_worker_alone() {
    let mut spec = app("api");
    spec.mode = ExecMode::Cluster;
    let events = vec![
        (5 * SECOND, Event::Becomes("api".to_owned(), Behaviour::Stillborn)),
        user(10 * SECOND, script::reload(one())),
    ];
    let (world, result) = ends(&story(spec, Behaviour::Good, events));
    assert_eq!(result, Ok(()));
    let view = world.supervisor.view();
    assert_eq!(view.instances[0].phase.run(), Some(RunId::new(1)));
    assert_eq!(view.instances[0].deaths.len(), 1, "the end of the new one is told");
}

#[test]
fn instances_that_cannot_share_a_port_are_restarted_one_after_another() {
    let mut spec = app("api");
    spec.instances = 3;
    spec.readiness.wait = true;
    let script = story(spec, Behaviour::Good, vec![user(10 * SECOND, script::reload(one()))]);
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + 9 * SECOND), Ok(()));
    let mut fewest = usize::MAX;
    while world.turn(DAWN + 60 * SECOND).expect("no rule is broken") {
        let view = world.supervisor.view();
        fewest = fewest.min(view.instances.iter().filter(|it| it.phase.is_ready()).count());
    }
    assert_eq!(fewest, 2);
}
