//! What is done between a death and the next start.

use std::time::Duration;

use zelador_core::death::Death;
use zelador_core::diagnosis::{Cause, Diagnosis, Reasons};
use zelador_core::effect::{Deed, Effect};
use zelador_core::evidence::{Evidence, VolumeSeen};
use zelador_core::healing::{Remedy, ladder};
use zelador_core::id::{IncidentId, RunId};
use zelador_core::incident::TryResult;
use zelador_core::input::{Fact, Input, Unchanged};
use zelador_core::instance::Phase;
use zelador_core::unit::SECOND;
use zelador_core::words::quoted;

use crate::world::{World, app};

/// Takes in a fact; returns what is to be done.
fn hear(world: &mut World, fact: Fact) -> Vec<Effect> {
    world.supervisor.step(world.now, Input::Fact(fact))
}

fn run_of(world: &World) -> RunId {
    world.list()[0].phase.run().expect("it is up")
}

/// Its run comes up and dies of a full disk; what zelador does when the evidence is there.
fn dies_of_a_full_disk(world: &mut World) -> Vec<Effect> {
    let run = run_of(world);
    dies(world, run)
}

fn dies(world: &mut World, run: RunId) -> Vec<Effect> {
    let pid = i32::try_from(run.number()).expect("a small number");
    hear(world, Fact::Spawned { run, pid });
    world.now = world.now + 3 * SECOND;
    let death = Death::Exited { code: 1 };
    let died = hear(world, Fact::Exited { run, death: death.clone() });
    let incident = died.iter().find_map(|effect| match effect {
        Effect::Gather { incident, .. } => Some(*incident),
        _ => None,
    });
    let volume = VolumeSeen { path: "/srv".to_owned(), used: 100.0, inodes: None };
    let evidence = Evidence {
        death: Some(death),
        uptime_millis: Some(3_000),
        err_tail: vec!["Error: ENOSPC: no space left on device, write".to_owned()],
        volumes: vec![volume],
        ..Evidence::default()
    };
    let incident = incident.expect("evidence is asked for");
    let gathered = hear(world, Fact::Gathered { incident, evidence: Box::new(evidence) });
    died.into_iter().chain(gathered).collect()
}

fn freed(effects: &[Effect]) -> Option<IncidentId> {
    effects.iter().find_map(|effect| match effect {
        Effect::Apply { incident, deed, .. } if matches!(**deed, Deed::FreeDisk { .. }) => {
            Some(*incident)
        }
        _ => None,
    })
}

fn starts(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Spawn { .. }))
}

#[test]
fn room_is_made_before_the_start_after_a_death_of_a_full_disk() {
    let mut world = World::new();
    world.declare(app(Vec::new()), Unchanged::LeaveAlone);
    // The first death is followed by a start at once, and room is made beside it.
    let first = dies_of_a_full_disk(&mut world);
    let incident = freed(&first).expect("room is made");
    assert!(starts(&first));
    hear(&mut world, Fact::Applied { incident, result: Ok(quoted("removed 3 files")) });
    // It did not last: the second start waits until there is room.
    let second = dies_of_a_full_disk(&mut world);
    assert_eq!((freed(&second), starts(&second)), (Some(incident), false));
    assert!(matches!(world.list()[0].phase, Phase::Backoff { .. }), "{:?}", world.list()[0].phase);
    let after = hear(&mut world, Fact::Applied { incident, result: Ok(quoted("removed 1 file")) });
    assert!(starts(&after), "there is room now");
    // It stays up: that is what has helped.
    let pid = i32::try_from(run_of(&world).number()).expect("a small number");
    let spawned = Fact::Spawned { run: run_of(&world), pid };
    hear(&mut world, spawned);
    world.wait(Duration::from_mins(2));
    let incidents = world.supervisor.incidents();
    let results: Vec<Option<TryResult>> = incidents[0].tries.iter().map(|it| it.result).collect();
    assert_eq!(results, [Some(TryResult::NoEffect), Some(TryResult::Healed)]);
    assert!(!incidents[0].is_open());
}

#[test]
fn the_start_is_made_where_no_room_can_be_made_and_a_person_is_told() {
    let mut world = World::new();
    world.declare(app(Vec::new()), Unchanged::LeaveAlone);
    let incident = freed(&dies_of_a_full_disk(&mut world)).expect("room is made");
    hear(&mut world, Fact::Applied { incident, result: Ok(quoted("removed 3 files")) });
    dies_of_a_full_disk(&mut world);
    let nothing = quoted("there was no old log and no cache to remove");
    let after = hear(&mut world, Fact::Applied { incident, result: Err(nothing) });
    assert!(starts(&after), "its policy decides, as without the healer");
    let told = after.iter().any(|effect| match effect {
        Effect::Notify(notice) => notice.text.english().contains("no old log"),
        _ => false,
    });
    assert!(told, "{after:?}");
}

#[test]
fn a_start_that_waits_is_made_although_no_answer_comes() {
    let mut world = World::new();
    world.declare(app(Vec::new()), Unchanged::LeaveAlone);
    let incident = freed(&dies_of_a_full_disk(&mut world)).expect("room is made");
    hear(&mut world, Fact::Applied { incident, result: Ok(quoted("removed 3 files")) });
    let second = dies_of_a_full_disk(&mut world);
    assert!(freed(&second).is_some() && !starts(&second));
    world.wait(Duration::from_mins(2));
    assert!(matches!(world.list()[0].phase, Phase::Running { .. }), "{:?}", world.list()[0].phase);
}

#[test]
fn nothing_is_started_anew_for_a_limit_of_its_user() {
    let spec = app(Vec::new());
    let found = |cause| Diagnosis {
        cause,
        confidence: 0.9,
        because: Reasons::default(),
        remedy: Remedy::RaiseLimitAndRestart,
        hypotheses: Vec::new(),
    };
    assert_eq!(ladder(&found(Cause::InotifyLimit), &spec), [Remedy::NotifyOnly]);
    assert_eq!(ladder(&found(Cause::TooManyOpenFiles), &spec), [Remedy::Restart]);
}

#[test]
fn of_a_group_one_app_at_a_time_gets_room_and_no_start_waits_for_that() {
    for (group, is_one) in [("shop", true), ("default", false)] {
        let mut world = World::new();
        for name in ["api", "web"] {
            let mut spec = app(vec![("name", name.into())]);
            spec.namespace = group.to_owned();
            world.declare(spec, Unchanged::LeaveAlone);
        }
        let first = dies_of_a_full_disk(&mut world);
        assert!(freed(&first).is_some() && starts(&first));
        let run = world.list()[1].phase.run().expect("it is up");
        let other = dies(&mut world, run);
        assert_eq!(freed(&other).is_none(), is_one, "{group}: {other:?}");
        assert!(starts(&other), "{group}: its start is made at once");
    }
}
