//! Who asks how everything is gets an answer, also where there is nothing to look at.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use zelador_core::check::Status;
use zelador_core::config::Overlay;
use zelador_core::death::Death;
use zelador_core::effect::Effect;
use zelador_core::id::{RunId, Ticket};
use zelador_core::input::{Command, Fact, Input, KnownRun, Unchanged};
use zelador_core::notify::{Channel, ChannelKind, DeliveryOutcome, Message, Secret, Template};
use zelador_core::probe::{Finding, ProbeOutcome};
use zelador_core::record::Record;
use zelador_core::spec::{Cadence, HealthSpec, HostMeter, NamedTarget, ProbeTarget, TalkProbe};
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::{Moment, SECOND};
use zelador_core::words::quoted;

use crate::world::{World, app, surroundings};

#[test]
fn what_is_known_without_a_look_is_not_waited_for() {
    let mut world = World::new();
    let none = serde_json::json!({ "memory": "off", "cpu": "off", "disk": "off" });
    world.hear(Fact::BaseSettings(Box::new(serde_json::from_value(none).unwrap())));
    let mut spec = app(Vec::new());
    spec.health = Some(checked_by(beat(Duration::from_hours(1))));
    world.declare(spec, Unchanged::LeaveAlone);
    // `command` panics when no answer comes.
    assert!(world.command(Command::CheckNow).is_ok());
    let checks = world.supervisor.health().checks;
    let own = checks.iter().find(|it| it.component == "app:server").expect("it is shown");
    assert!(own.message.starts_with("has not called yet"), "{}", own.message);
}

/// A check of this, whatever else it says.
fn checked_by(probe: ProbeTarget) -> HealthSpec {
    HealthSpec {
        probe,
        cadence: Cadence::default(),
        slow: SECOND,
        start_period: Duration::ZERO,
        verify_within: 10 * SECOND,
        limits: Vec::new(),
    }
}

fn beat(every: Duration) -> ProbeTarget {
    ProbeTarget::Heartbeat { every }
}

#[test]
fn nobody_is_silent_for_the_engine_that_takes_over_from_the_one_that_was_called() {
    let (minute, day) = (60 * SECOND, Duration::from_hours(24));
    let named = |probe: ProbeTarget| {
        let target = serde_json::to_value(NamedTarget::Probe(probe.into())).unwrap();
        serde_json::json!({ "target": target })
    };
    let base = serde_json::json!({
        "memory": "off", "cpu": "off", "disk": "off",
        "named": { "backup": named(beat(day)), "never": named(beat(day)) },
    });
    let base: Box<Overlay> = Box::new(serde_json::from_value(base).unwrap());
    let mut world = World::new();
    world.hear(Fact::BaseSettings(base.clone()));
    let mut spec = app(Vec::new());
    spec.health = Some(checked_by(beat(5 * minute)));
    world.declare(spec, Unchanged::LeaveAlone);
    world.wait(3 * day);
    world.hear(Fact::Heartbeat { name: "server".to_owned() });
    world.hear(Fact::Heartbeat { name: "backup".to_owned() });
    world.wait(minute);

    next_engine(&mut world, base);
    assert!(world.command(Command::CheckNow).is_ok());
    let says = |world: &World, component: &str| {
        let checks = world.supervisor.health().checks;
        let it = checks.into_iter().find(|it| it.component == component).expect("it is shown");
        (it.status, it.message)
    };
    world.wait(2 * minute);
    let (status, said) = says(&world, "app:server");
    assert_eq!(status, Status::Healthy, "{said}");
    assert!(said.starts_with("called "), "{said}");
    let (status, said) = says(&world, "backup");
    assert!(status == Status::Healthy && said.starts_with("called "), "{said}");
    // Waited for since it was declared, not since this engine began.
    let (status, said) = says(&world, "never");
    assert_eq!(status, Status::Unhealthy, "{said}");
    assert!(said.starts_with("not heard of for 3 d"), "{said}");
    // Nobody waits for it any more, and nothing of it is kept.
    let none = serde_json::json!({ "memory": "off", "cpu": "off", "disk": "off" });
    world.hear(Fact::BaseSettings(Box::new(serde_json::from_value(none).unwrap())));
    let kept = world.supervisor.durable();
    let beats = kept.iter().filter(|it| matches!(it, Record::Heartbeat(_))).count();
    assert_eq!(beats, 1, "that of the app");
}

/// What is looked at refuses, and what is sent is taken: a first message is noted.
fn answered(effect: Effect, mut note: impl FnMut(String, String)) -> Option<Input> {
    match effect {
        Effect::Look { probe, .. } => {
            let finding = Finding::Refused { detail: quoted("no") };
            let outcome = ProbeOutcome { finding, took: SECOND / 100 };
            Some(Input::Fact(Fact::Looked { probe, outcome }))
        }
        Effect::Deliver(delivery) => {
            let Message { key, title, text, .. } = delivery.message;
            assert!(text.starts_with(&title), "{title}: {text}");
            note(key, title);
            let (outcome, delivery) = (DeliveryOutcome::Delivered { handle: None }, delivery.id);
            Some(Input::Fact(Fact::Delivered { delivery, outcome }))
        }
        _ => None,
    }
}

/// A sentence about the host says that it is the host's: `memory` alone is nobody's on a phone.
#[test]
fn what_is_told_of_a_check_names_it_as_people_do() {
    let hook = ChannelKind::Webhook { url: Secret::Env("URL".to_owned()), secret: None };
    let channel =
        serde_json::to_value(Channel { kind: hook, template: Template::default(), answers: false });
    let load = serde_json::to_value(NamedTarget::Host(HostMeter::Load)).unwrap();
    let gate = ProbeTarget::Tcp(TalkProbe::new("127.0.0.1:1".to_owned()));
    let gate = serde_json::to_value(NamedTarget::Probe(gate.into())).unwrap();
    let base = serde_json::json!({
        "cpu": "off", "disk": "off",
        "databases": { "main": { "url": "mysql://h/d" } },
        "named": { "load": { "target": load }, "gate": { "target": gate } },
        "notify": { "channels": { "hook": channel.unwrap() } },
    });
    let mut told = BTreeMap::new();
    for language in ["en", "pt"] {
        let mut base = base.clone();
        base["notify"]["language"] = language.into();
        let mut world = World::new();
        world.hear(Fact::BaseSettings(Box::new(serde_json::from_value(base).unwrap())));
        let wanted = told.len() + 4;
        while told.len() < wanted {
            world.now = world.supervisor.next_deadline().expect("looks are due").0.max(world.now);
            let mut inputs = VecDeque::from([Input::Tick]);
            while let Some(input) = inputs.pop_front() {
                for effect in world.supervisor.step(world.now, input) {
                    inputs.extend(answered(effect, |key, title| {
                        told.insert(format!("{language} {key}"), title);
                    }));
                }
            }
        }
    }
    let told: Vec<String> = told.iter().map(|(key, title)| format!("{key}: {title}")).collect();
    let expected = [
        "en check/database:main: database main",
        "en check/memory: host memory",
        "en check/named:gate: gate",
        "en check/named:load: host load",
        "pt check/database:main: banco de dados main",
        "pt check/memory: memória do servidor",
        "pt check/named:gate: gate",
        "pt check/named:load: load do servidor",
    ];
    assert_eq!(told, expected);
}

/// Lets a look that is due be answered, until `until` holds.
fn answer(world: &mut World, finding: &Finding, until: impl Fn(&World) -> bool) {
    for _ in 0..100 {
        if until(world) {
            return;
        }
        let (due, _) = world.supervisor.next_deadline().expect("a look is due");
        world.now = due.max(world.now);
        for effect in world.supervisor.step(world.now, Input::Tick) {
            let Effect::Look { probe, .. } = effect else { continue };
            let outcome = ProbeOutcome { finding: finding.clone(), took: SECOND / 100 };
            world.hear(Fact::Looked { probe, outcome });
        }
    }
    panic!("it never comes: {:?}", world.supervisor.readiness());
}

#[test]
fn what_took_work_takes_work_for_the_engine_that_takes_over() {
    let off = serde_json::json!({ "memory": "off", "cpu": "off", "disk": "off" });
    let base: Box<Overlay> = Box::new(serde_json::from_value(off).unwrap());
    let mut world = World::new();
    world.hear(Fact::BaseSettings(base.clone()));
    let mut spec = app(Vec::new());
    let probe = || checked_by(ProbeTarget::Tcp(TalkProbe::new("127.0.0.1:1".to_owned())));
    spec.probes.startup = Some(probe());
    spec.probes.readiness = Some(probe());
    world.declare(spec, Unchanged::LeaveAlone);
    let ready = |world: &World| world.supervisor.readiness()[0].ready;
    assert!(!ready(&world), "it was never asked");
    let good = Finding::Answered { detail: quoted("connected") };
    answer(&mut world, &good, ready);
    let take_over = |world: &mut World| {
        let records = world.supervisor.durable();
        let run = world.list()[0].phase.run().expect("it is up");
        world.supervisor = Supervisor::recover(surroundings(), world.now, records);
        world.hear(Fact::BaseSettings(base.clone()));
        let pid = i32::try_from(run.number()).unwrap() + 1000;
        world.hear(Fact::Inventory {
            runs: vec![KnownRun { run, pid, death: None, instance: None, asked: false }],
        });
    };
    take_over(&mut world);
    assert!(ready(&world), "{:?}", world.supervisor.readiness());
    // What its probe says since counts, and the next engine knows it, too.
    let bad = Finding::Refused { detail: quoted("refused") };
    answer(&mut world, &bad, |world| !ready(world));
    take_over(&mut world);
    assert!(!ready(&world), "{:?}", world.supervisor.readiness());
    answer(&mut world, &good, ready);
    // Another run begins anew.
    let restart = Command::Restart { selectors: vec!["server".to_owned()], change: None };
    assert!(world.command(restart).is_ok());
    assert!(!ready(&world), "{:?}", world.supervisor.readiness());
}

/// What is asked of a run is of no use when the run is over: its look is left.
#[test]
fn a_look_ends_with_its_run_and_with_its_check() {
    let mut world = World::new();
    let none = serde_json::json!({ "memory": "off", "cpu": "off", "disk": "off" });
    world.hear(Fact::BaseSettings(Box::new(serde_json::from_value(none).unwrap())));
    let mut spec = app(Vec::new());
    spec.health = Some(checked_by(ProbeTarget::Tcp(TalkProbe::new("127.0.0.1:1".to_owned()))));
    world.declare(spec, Unchanged::LeaveAlone);
    let mut begun = None;
    while begun.is_none() {
        let (due, _) = world.supervisor.next_deadline().expect("a look is due");
        world.now = due;
        let effects = world.supervisor.step(due, Input::Tick);
        begun = effects.iter().find_map(|effect| match effect {
            Effect::Look { probe, .. } => Some(*probe),
            _ => None,
        });
    }
    let run = world.list()[0].phase.run().expect("it is up");
    let death = Death::Exited { code: 1 };
    let effects = world.supervisor.step(world.now, Input::Fact(Fact::Exited { run, death }));
    let left = effects.iter().find_map(|effect| match effect {
        Effect::LeaveLook { probe } => Some(*probe),
        _ => None,
    });
    assert_eq!(left, begun);
}

#[test]
fn databases_that_are_declared_together_are_asked_one_after_another() {
    let databases: serde_json::Map<String, serde_json::Value> = (0..100)
        .map(|number| (format!("d{number}"), serde_json::json!({ "url": "redis://127.0.0.1:1" })))
        .collect();
    let settings =
        serde_json::json!({ "databases": databases, "memory": "off", "cpu": "off", "disk": "off" });
    let mut world = World::new();
    world.hear(Fact::BaseSettings(Box::new(serde_json::from_value(settings).unwrap())));
    let (begin, mut at_once, mut all) = (world.now, 0, 0);
    while let Some((due, _)) =
        world.supervisor.next_deadline().filter(|(at, _)| at.since(begin) < 10 * SECOND)
    {
        let effects = world.supervisor.step(due, Input::Tick);
        let looks = effects.iter().filter(|it| matches!(it, Effect::Look { .. })).count();
        (at_once, all) = (at_once.max(looks), all + looks);
    }
    assert_eq!((at_once, all), (1, 100));
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
    let mut supervisor = Supervisor::new(surroundings(), begin);
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

#[test]
fn who_asks_to_be_left_alone_is_not_looked_at_sooner_and_not_for_ever() {
    let target = NamedTarget::Probe(ProbeTarget::Tcp(TalkProbe::new("10.0.0.1:80")).into());
    let base = serde_json::json!({
        "memory": "off", "cpu": "off", "disk": "off",
        "named": { "partner": { "target": serde_json::to_value(target).unwrap() } },
    });
    let mut world = World::new();
    world.hear(Fact::BaseSettings(Box::new(serde_json::from_value(base).unwrap())));
    let look_of = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Look { probe, .. } => Some(probe),
            _ => None,
        })
    };
    // When it is looked at next, and what is said of it then.
    let next = |world: &mut World, retry_after: Duration| loop {
        let (due, _) = world.supervisor.next_deadline().expect("a look is due");
        world.now = due.max(world.now);
        let Some(probe) = look_of(world.supervisor.step(world.now, Input::Tick)) else { continue };
        let finding = Finding::Busy { detail: quoted("HTTP 503"), retry_after };
        world.hear(Fact::Looked { probe, outcome: ProbeOutcome { finding, took: SECOND / 100 } });
        let checks = world.supervisor.health().checks;
        let it = checks.into_iter().find(|it| it.component == "partner").expect("it is shown");
        return (world.now, it.message);
    };
    let (first, said) = next(&mut world, 120 * SECOND);
    assert_eq!(said, "HTTP 503; it asks to be left alone for 2 min");
    let (second, said) = next(&mut world, 3600 * SECOND);
    assert_eq!(second.since(first), 120 * SECOND, "as it asked");
    let bounded = "HTTP 503; it asks to be left alone for 1 h; it is asked again after 5 min";
    assert_eq!(said, bounded);
    let (third, _) = next(&mut world, SECOND);
    assert_eq!(third.since(second), 300 * SECOND, "bounded");
    let (fourth, _) = next(&mut world, 120 * SECOND);
    assert_eq!(fourth.since(third), Cadence::default().interval, "never sooner than its cadence");
    // A person need not wait.
    let asked = Input::Command(Ticket::new(99), Command::CheckNow);
    assert!(look_of(world.supervisor.step(fourth + SECOND, asked)).is_some());
}

#[test]
fn who_asks_to_be_left_alone_is_left_alone_by_the_engine_that_takes_over_too() {
    let off = serde_json::json!({ "memory": "off", "cpu": "off", "disk": "off" });
    let base: Box<Overlay> = Box::new(serde_json::from_value(off).unwrap());
    let mut world = World::new();
    world.hear(Fact::BaseSettings(base.clone()));
    let mut spec = app(Vec::new());
    let probe = ProbeTarget::Tcp(TalkProbe::new("127.0.0.1:1".to_owned()));
    spec.health = Some(checked_by(probe));
    world.declare(spec, Unchanged::LeaveAlone);
    let wish = 5 * 60 * SECOND;
    let busy = Finding::Busy { detail: quoted("HTTP 503"), retry_after: wish };
    let is_kept = |world: &World| {
        world.supervisor.durable().iter().any(|it| matches!(it, Record::LeftAlone(_)))
    };
    answer(&mut world, &busy, is_kept);
    let until = world.now + wish;

    let run = next_engine(&mut world, base);
    let asked_at = loop {
        let (due, _) = world.supervisor.next_deadline().expect("it is looked at again");
        world.now = due.max(world.now);
        let effects = world.supervisor.step(world.now, Input::Tick);
        if effects.iter().any(|effect| matches!(effect, Effect::Look { .. })) {
            break world.now;
        }
    };
    assert!(asked_at >= until, "asked at {asked_at}, wished for until {until}");
    // The next run is another one.
    world.die(run, Death::Exited { code: 1 });
    assert!(!is_kept(&world), "its wish ends with it");
}

/// The engine is lost and another one takes over; its only run, which is returned, lives on.
fn next_engine(world: &mut World, base: Box<Overlay>) -> RunId {
    let records = world.supervisor.durable();
    let run = world.list()[0].phase.run().expect("it is up");
    world.supervisor = Supervisor::recover(surroundings(), world.now, records);
    world.hear(Fact::BaseSettings(base));
    let pid = i32::try_from(run.number()).unwrap() + 1000;
    world.hear(Fact::Inventory {
        runs: vec![KnownRun { run, pid, death: None, instance: None, asked: false }],
    });
    run
}
