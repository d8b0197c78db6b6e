//! Who must say that it is alive, and is heard or not.

use std::time::Duration;

use zelador_core::config::Value;
use zelador_core::effect::Effect;
use zelador_core::id::RunId;
use zelador_core::input::{Fact, Input, Unchanged};
use zelador_core::sd_notify::Notified;
use zelador_core::supervisor::Deadline;
use zelador_core::unit::Moment;

use crate::world::{World, app};

const EVERY: Duration = Duration::from_secs(2);

/// An app with a watchdog that is up, and has just said that it is alive.
fn world() -> (World, RunId) {
    let mut world = World::new();
    let fields = vec![("watchdog", Value::Text("2s".to_owned()))];
    world.declare(app(fields), Unchanged::LeaveAlone);
    let run = world.list()[0].phase.run().expect("it is up");
    let said = Box::new(Notified { ready: true, alive: true, ..Notified::default() });
    world.hear(Fact::Notified { run, said });
    (world, run)
}

/// The tick of its deadline, `late` after it.
fn tick(world: &mut World, late: Duration) -> (Moment, Vec<Effect>) {
    for _ in 0..1_000 {
        let (due, why) = world.supervisor.next_deadline().expect("something is due");
        let is_its = matches!(why, Deadline::Instance(_)) && due >= world.now + EVERY;
        let at = if is_its { due + late } else { due };
        let effects = world.supervisor.step(at, Input::Tick);
        if is_its {
            return (at, effects);
        }
    }
    panic!("its deadline never comes")
}

fn listened(world: &mut World, at: Moment, run: RunId, waits: bool) -> bool {
    let effects = world.supervisor.step(at, Input::Fact(Fact::Listened { run, waits }));
    effects.iter().any(|effect| matches!(effect, Effect::Terminate { .. }))
}

#[test]
fn a_run_of_which_nothing_waits_to_be_heard_is_ended() {
    let (mut world, run) = world();
    let (at, effects) = tick(&mut world, Duration::ZERO);
    assert!(effects.contains(&Effect::Listen { run }), "{effects:?}");
    assert!(listened(&mut world, at, run, false));
}

#[test]
fn a_run_of_which_something_waits_has_its_whole_time_again_and_only_once() {
    let (mut world, run) = world();
    let (at, _) = tick(&mut world, Duration::ZERO);
    assert!(!listened(&mut world, at, run, true));
    world.now = at;
    let (again, effects) = tick(&mut world, Duration::ZERO);
    assert_eq!(again, at + EVERY);
    assert!(effects.contains(&Effect::Listen { run }));
    assert!(listened(&mut world, again, run, true), "it says something all the time, and not this");
}

#[test]
fn an_engine_that_was_not_there_to_listen_ends_nothing() {
    let (mut world, run) = world();
    let (at, effects) = tick(&mut world, Duration::from_mins(1));
    assert!(!effects.contains(&Effect::Listen { run }), "{effects:?}");
    world.now = at;
    let (again, effects) = tick(&mut world, Duration::ZERO);
    assert_eq!(again, at + EVERY);
    assert!(effects.contains(&Effect::Listen { run }));
}

#[test]
fn what_is_heard_before_the_answer_counts() {
    let (mut world, run) = world();
    let (at, _) = tick(&mut world, Duration::ZERO);
    let said = Box::new(Notified { alive: true, ..Notified::default() });
    _ = world.supervisor.step(at, Input::Fact(Fact::Notified { run, said }));
    assert!(!listened(&mut world, at, run, false));
}
