//! Facts that are heard at once.

use zelador_core::death::Death;
use zelador_core::effect::Effect;
use zelador_core::input::{Fact, Unchanged};
use zelador_core::instance::Phase;
use zelador_core::record::Record;

use crate::world::{World, app};

/// The phases that are recorded, in order.
fn recorded(effects: &[Effect]) -> Vec<Phase> {
    let phase = |effect: &Effect| match effect {
        Effect::Record(Record::Instance(instance)) => Some(instance.phase.clone()),
        _ => None,
    };
    effects.iter().filter_map(phase).collect()
}

#[test]
fn what_ends_begins_and_ends_at_once_is_recorded_each_time() {
    let mut world = World::new();
    world.declare(app(Vec::new()), Unchanged::LeaveAlone);
    let first = world.list()[0].phase.run().expect("it is up");
    let supervisor = &mut world.supervisor;
    let mut effects =
        supervisor.hear(world.now, Fact::Exited { run: first, death: Death::Exited { code: 1 } });
    let Some(Effect::Spawn { run, ahead: true, .. }) = effects.first() else {
        panic!("nothing is begun ahead of its record: {effects:?}");
    };
    let run = *run;
    effects.extend(supervisor.hear(world.now, Fact::Spawned { run, pid: 7 }));
    let exited = Fact::Exited { run, death: Death::Exited { code: 2 } };
    effects.extend(supervisor.hear(world.now, exited));
    effects.extend(supervisor.settle_heard());
    let phases = recorded(&effects);
    let [Phase::Starting { run: begun, .. }, Phase::Running { run: lives, .. }, _] = &phases[..]
    else {
        panic!("a change was passed over: {phases:?}");
    };
    assert_eq!([*begun, *lives], [run, run]);
}
