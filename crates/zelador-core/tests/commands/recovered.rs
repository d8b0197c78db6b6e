//! What an engine does that takes over from another.

use std::time::Duration;

use zelador_core::config::{Overlay, Value};
use zelador_core::death::Death;
use zelador_core::effect::Effect;
use zelador_core::id::{InstanceId, RunId, Ticket};
use zelador_core::input::{Command, Fact, Input, KnownRun, Unchanged};
use zelador_core::record::Record;
use zelador_core::sd_notify::Notified;
use zelador_core::supervisor::{Supervisor, Surroundings};
use zelador_core::words::quoted;

use crate::world::{World, app, surroundings};

/// A world with an app of these fields that is up: its instance, and the run.
fn declared(fields: Vec<(&'static str, Value)>) -> (World, InstanceId, RunId) {
    let mut world = World::new();
    world.declare(app(fields), Unchanged::LeaveAlone);
    let it = &world.list()[0];
    let (instance, run) = (it.id, it.phase.run().expect("it is up"));
    (world, instance, run)
}

fn starts(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Spawn { .. })).count()
}

/// The engine before was lost while the evidence of a death was gathered, for which the next start waits.
/// The settings that its successor reads are other ones, which makes it look at everything at once.
#[test]
fn nothing_is_started_before_it_is_known_what_lives() {
    let mut world = World::new();
    world.declare(app(vec![]), Unchanged::LeaveAlone);
    let mut dies = || {
        let run = world.list()[0].phase.run().expect("it is up");
        let pid = i32::try_from(run.number()).expect("a small number");
        _ = world.supervisor.step(world.now, Input::Fact(Fact::Spawned { run, pid }));
        let died = Fact::Exited { run, death: Death::Exited { code: 1 } };
        world.supervisor.step(world.now, Input::Fact(died))
    };
    let first = dies();
    assert!(first.iter().any(|effect| matches!(effect, Effect::Gather { .. })), "{first:?}");
    assert_eq!(starts(&first), 1, "the first death of all is followed by a start at once");
    assert_eq!(starts(&dies()), 0, "the second waits for what is known of the first");

    let now = world.now + Duration::from_mins(1);
    let records: Vec<Record> = world.supervisor.durable();
    let mut next = Supervisor::recover(surroundings(), now, records);
    let mut base = Overlay::default();
    base.history.age = Some(Duration::from_hours(48));
    let before = next.step(now, Input::Fact(Fact::BaseSettings(Box::new(base))));
    assert_eq!(starts(&before), 0, "it is not known yet what lives");
    let told = next.step(now, Input::Fact(Fact::Inventory { runs: Vec::new() }));
    let later = next.step(now, Input::Tick);
    assert_eq!(starts(&told) + starts(&later), 1, "now it is, and one start is enough");
}

/// The engine before could write nothing down for a while, and was lost then: of two more runs of an
/// instance, one over, the guardian alone tells.
#[test]
fn every_run_that_no_record_tells_of_is_taken_in_its_turn() {
    let (world, instance, first) = declared(vec![]);
    let run = |after: u64, death| KnownRun {
        run: RunId::new(first.number() + after),
        pid: i32::try_from(first.number() + after).expect("a small number"),
        death,
        instance: Some(instance),
        asked: false,
    };
    let exited = |code| Some(Death::Exited { code });
    let runs = vec![run(0, exited(7)), run(1, exited(8)), run(2, None)];
    let mut next = Supervisor::recover(surroundings(), world.now, world.supervisor.durable());
    let told = next.step(world.now, Input::Fact(Fact::Inventory { runs }));
    assert_eq!(starts(&told), 0, "it has a run");
    let killed = told.iter().any(|effect| matches!(effect, Effect::Kill { .. }));
    assert!(!killed, "which is taken: {told:?}");
    let view = next.view();
    let it = &view.instances[0];
    assert_eq!(it.phase.run().map(RunId::number), Some(first.number() + 2));
    assert_eq!(it.restarts, 2);
    let deaths: Vec<&Death> = it.deaths.iter().map(|past| &past.death).collect();
    assert_eq!(deaths, [&Death::Exited { code: 8 }, &Death::Exited { code: 7 }]);
}

/// The host shuts down in order, or loses its power; or zelador alone is stopped and started.
#[test]
fn what_ended_with_zelador_or_with_the_host_is_no_death_and_is_up_again() {
    let mut world = World::new();
    let last_up = Some(world.now + Duration::from_secs(30));
    let in_boot = |boot: &str| Surroundings { boot: boot.to_owned(), last_up, ..surroundings() };
    world.declare(app(vec![]), Unchanged::LeaveAlone);
    let mut supervisor = Supervisor::recover(in_boot("one"), world.now, world.supervisor.durable());
    let run = world.list()[0].phase.run().expect("it is up");
    let known = KnownRun { run, pid: 7, death: None, instance: None, asked: false };
    supervisor.step(world.now, Input::Fact(Fact::Inventory { runs: vec![known] }));
    let up = supervisor.durable();
    let asked_at = world.now + Duration::from_mins(1);
    let told = supervisor.step(asked_at, Input::Fact(Fact::AskedToEnd));
    assert!(matches!(told[..], [Effect::Record(Record::Era(_))]), "{told:?}");
    let asked = supervisor.durable();

    let later = asked_at + Duration::from_mins(5);
    for (records, boot, why, ended_at) in [
        (&asked, "one", Some("zelador was ended and has begun again"), Some(asked_at)),
        (&asked, "two", Some("the host was restarted"), Some(asked_at)),
        (&up, "two", Some("the host was restarted"), last_up),
        (&up, "one", None, None),
        (&up, "", None, None),
    ] {
        let mut next = Supervisor::recover(in_boot(boot), later, records.clone());
        // As the driver tells of a run that it looked for and did not find.
        let buried =
            KnownRun { run, pid: 7, death: Some(Death::Unknown), instance: None, asked: false };
        let told = next.step(later, Input::Fact(Fact::Inventory { runs: vec![buried] }));
        assert_eq!(starts(&told), 1, "{boot}: it is up again");
        let it = &next.view().instances[0];
        let cause = &it.last_start.as_ref().expect("it was started").cause;
        assert_eq!(cause.ended_at(), ended_at, "{boot}");
        let cause = cause.to_string();
        let Some(why) = why else {
            assert_eq!((it.restarts, it.deaths.len()), (1, 1), "{boot}: nobody knows why it ended");
            continue;
        };
        assert_eq!((it.restarts, it.deaths.len(), cause.as_str()), (0, 0, why), "{boot}");
        let sweeps = told.iter().filter(|effect| matches!(effect, Effect::Sweep { .. }));
        assert_eq!(sweeps.count(), 1, "the end of all may have been cut short");
        let run = it.phase.run().expect("it is asked for");
        next.step(later, Input::Fact(Fact::Spawned { run, pid: 8 }));
        let mut last = Supervisor::recover(in_boot(boot), later, next.durable());
        last.step(later, Input::Fact(Fact::Inventory { runs: Vec::new() }));
        assert_eq!(last.view().instances[0].deaths.len(), 1, "{boot}: that was an end before");
    }
}

/// An engine is lost while everything ends, and the guardian tells the next one so before anything else.
#[test]
fn an_engine_that_begins_while_everything_ends_starts_nothing() {
    let mut world = World::new();
    world.declare(app(vec![]), Unchanged::LeaveAlone);
    let asked_at = world.now + Duration::from_mins(1);
    world.supervisor.step(asked_at, Input::Fact(Fact::AskedToEnd));
    let asked = world.supervisor.durable();
    let run = world.list()[0].phase.run().expect("it is up");
    let gone = |death| KnownRun { run, pid: 7, death, instance: None, asked: false };
    for runs in [vec![], vec![gone(Some(Death::Exited { code: 0 }))]] {
        let later = asked_at + Duration::from_secs(1);
        let mut next = Supervisor::recover(surroundings(), later, asked.clone());
        let told = next.step(later, Input::Fact(Fact::AskedToEnd));
        let [Effect::Record(Record::Era(era))] = &told[..] else { panic!("{told:?}") };
        assert_eq!(era.ended_at, Some(asked_at), "that is when it was asked");
        let mut told = next.step(later, Input::Command(Ticket::new(1), Command::Shutdown));
        told.extend(next.step(later, Input::Fact(Fact::Inventory { runs })));
        told.extend(next.step(later, Input::Fact(Fact::Swept { run })));
        assert_eq!(starts(&told), 0, "{told:?}");
        assert!(next.view().instances.is_empty(), "it is over");
    }
}

/// The engine before had recorded an end, and could not record the start that followed after its delay.
#[test]
fn a_start_that_no_record_tells_of_is_taken_by_an_instance_that_waits() {
    let (mut world, instance, first) = declared(vec![("restart_delay", Value::Number(60_000.0))]);
    let death = Death::Exited { code: 7 };
    world.die(first, death.clone());
    let second = RunId::new(first.number() + 1);
    let known = |run: RunId, death| KnownRun {
        run,
        pid: 1234,
        death,
        instance: Some(instance),
        asked: false,
    };
    let mut next = Supervisor::recover(surroundings(), world.now, world.supervisor.durable());
    let runs = vec![known(first, Some(death)), known(second, None)];
    let told = next.step(world.now, Input::Fact(Fact::Inventory { runs }));
    let killed = told.iter().any(|effect| matches!(effect, Effect::Kill { run } if *run == second));
    assert!(!killed && starts(&told) == 0, "it is taken: {told:?}");
    let it = &next.view().instances[0];
    assert_eq!((it.phase.run(), it.restarts, it.deaths.len()), (Some(second), 1, 1));
}

/// The engine before had recorded that a restart stops the run, and could record nothing of what followed.
#[test]
fn the_run_of_a_restart_that_is_recorded_as_far_as_its_stop_is_taken() {
    let (mut world, instance, first) = declared(vec![]);
    let restart = Command::Restart { selectors: vec!["server".to_owned()], change: None };
    world.supervisor.step(world.now, Input::Command(Ticket::new(99), restart));
    let stopping = world.supervisor.durable();
    let second = RunId::new(first.number() + 1);
    let known = |run: RunId, death| KnownRun {
        run,
        pid: 1234,
        death,
        instance: Some(instance),
        asked: false,
    };
    let over = known(first, Some(Death::Exited { code: 0 }));
    for (runs, is_taken) in [
        (vec![over.clone(), known(second, None)], true),
        (vec![known(second, None)], true),
        (vec![over], false),
        (vec![known(first, None), known(second, None)], false),
    ] {
        let mut next = Supervisor::recover(surroundings(), world.now, stopping.clone());
        let told = next.step(world.now, Input::Fact(Fact::Inventory { runs }));
        let killed =
            told.iter().any(|effect| matches!(effect, Effect::Kill { run } if *run == second));
        let it = &next.view().instances[0];
        assert_eq!(it.phase.run() == Some(second), is_taken, "{told:?}");
        assert!(!is_taken || (!killed && starts(&told) == 0), "{told:?}");
        assert!(it.deaths.is_empty(), "it was asked to end");
        assert_eq!(it.restarts, u32::from(is_taken), "{told:?}");
    }
}

/// The engine before was lost after a run had said how often, and from when on, it says that it is alive.
#[test]
fn what_a_run_asked_of_its_watchdog_outlives_the_engine() {
    let mut world = World::new();
    let fields = vec![("watchdog", Value::Text("2s".to_owned()))];
    world.declare(app(fields), Unchanged::LeaveAlone);
    let run = world.list()[0].phase.run().expect("it is up");
    let mut say = |said| {
        let said = Fact::Notified { run, said: Box::new(said) };
        world.supervisor.step(world.now, Input::Fact(said))
    };
    let every = Some(Duration::from_secs(30));
    let mut told = say(Notified { ready: true, watchdog: every, ..Notified::default() });
    told.extend(say(Notified { extend: Some(Duration::from_mins(5)), ..Notified::default() }));
    let why = quoted("`memory` is not held");
    told.extend(world.supervisor.step(world.now, Input::Fact(Fact::NotLimited { run, why })));

    let mut records = world.supervisor.durable();
    records.retain(|record| !matches!(record, Record::Instance(_)));
    let last = told.into_iter().rev().find_map(|effect| match effect {
        Effect::Record(Record::Instance(instance)) => Some(Record::Instance(instance)),
        _ => None,
    });
    records.push(last.expect("it was recorded"));
    let file = serde_json::to_string(&records).unwrap();
    let records: Vec<Record> = serde_json::from_str(&file).unwrap();
    let mut next = Supervisor::recover(surroundings(), world.now, records);
    let known = KnownRun { run, pid: 1001, death: None, instance: None, asked: false };
    next.step(world.now, Input::Fact(Fact::Inventory { runs: vec![known] }));
    let not_limited = next.view().instances[0].not_limited.clone();
    assert_eq!(not_limited.as_deref(), Some("`memory` is not held"));
    let mut wait = |seconds| {
        let until = world.now + Duration::from_secs(seconds);
        let mut effects = Vec::new();
        while let Some((due, _)) = next.next_deadline().filter(|(at, _)| *at <= until) {
            effects.extend(next.step(due, Input::Tick));
        }
        effects.contains(&Effect::Listen { run })
    };
    assert!(!wait(299), "it has asked not to be missed for five minutes");
    assert!(wait(301), "which are over");
}
