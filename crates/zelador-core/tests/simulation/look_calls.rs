//! Looks and the breakers of what they look at.

use std::time::Duration;

use zelador_core::check::CheckTarget;
use zelador_core::effect::Effect;
use zelador_core::input::Command;
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::{Moment, SECOND};
use zelador_core::words::Words;

use crate::calls::MINUTE;
use crate::script::surroundings;
use crate::script::{DATABASE, Event, Script, app, declare};
use crate::watcher::story;
use crate::world::{DAWN, World};
use crate::{play, script};

/// Looks at a database that is down for half an hour.
fn outage(events: Vec<(Duration, Event)>) -> Script {
    let down = [(60 * SECOND, Event::Database(false)), (31 * MINUTE, Event::Database(true))];
    let events = down.into_iter().chain(events).collect();
    Script { calm_at: 40 * MINUTE, ..story(app("api"), script::Behaviour::Good, events) }
}

/// When the database was looked at, and whether somebody had asked for it.
fn looks_of(script: &Script) -> (Vec<Moment>, World) {
    let mut world = World::new(script);
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let noted = std::rc::Rc::clone(&seen);
    world.sabotage = Some(Box::new(move |now, effects| {
        let at_database = |effect: &Effect| {
            matches!(effect, Effect::Look { target: CheckTarget::Database { .. }, .. })
        };
        if effects.iter().any(at_database) {
            noted.borrow_mut().push(now);
        }
    }));
    assert_eq!(play(script, &mut world), Ok(()));
    let looks = seen.borrow().clone();
    (looks, world)
}

#[test]
fn a_database_that_is_down_is_asked_rarely_and_seen_again_within_an_open_time() {
    let (looks, world) = looks_of(&outage(Vec::new()));
    let (down, back) = (DAWN + 60 * SECOND, DAWN + 31 * MINUTE);
    let interval = script::settings().databases[DATABASE].cadence.interval.unwrap_or(SECOND);
    let during: Vec<&Moment> =
        looks.iter().filter(|at| **at > down + 5 * MINUTE && **at < back).collect();
    let gaps = during.windows(2).map(|pair| pair[1].since(*pair[0]));
    let shortest = gaps.min().expect("it is looked at now and then");
    assert!(shortest >= interval.max(Duration::from_secs(2)), "{shortest:?}");
    assert!(during.len() <= 26, "at most once a minute: {}", during.len());
    let first = looks.iter().find(|at| **at >= back).expect("it is looked at again");
    assert!(first.since(back) <= MINUTE + 2 * SECOND, "within an open time: {first:?}");
    let breakers = world.supervisor.breakers();
    let breaker = breakers.iter().find(|it| it.target == format!("database:{DATABASE}"));
    assert_eq!(breaker.map(|it| it.state.english()), Some("closed"), "{breakers:?}");
}

#[test]
fn a_person_who_asks_is_answered_although_the_breaker_is_open() {
    let asked_at = 20 * MINUTE + 7 * SECOND;
    let (looks, _) = looks_of(&outage(vec![(asked_at, Event::User(Command::CheckNow))]));
    assert!(looks.contains(&(DAWN + asked_at)), "{looks:?}");
    let (without, _) = looks_of(&outage(Vec::new()));
    assert!(!without.contains(&(DAWN + asked_at)), "nobody asked");
}

#[test]
fn one_that_a_person_shut_is_not_asked_and_says_so() {
    let shut =
        |order| Command::Breaker { target: format!("database:{DATABASE}"), operation: None, order };
    let events = vec![
        (10 * SECOND, Event::User(shut(zelador_core::breaker::Order::ForceOpen))),
        (20 * SECOND, Event::User(Command::CheckNow)),
    ];
    let script =
        Script { calm_at: 50 * SECOND, ..story(app("api"), script::Behaviour::Good, events) };
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + 50 * SECOND), Ok(()));
    let health = world.supervisor.health();
    let database = health.checks.iter().find(|it| it.component == format!("database:{DATABASE}"));
    let message = database.map(|it| it.message.clone()).unwrap_or_default();
    assert!(message.contains("kept open by a person"), "{message}");
    // Its state outlives the engine.
    let records = world.kept.values().cloned().collect();
    let next = Supervisor::recover(surroundings(8, 0), world.now, records);
    let states: Vec<Words> = next.breakers().into_iter().map(|it| it.state).collect();
    assert!(states.iter().any(|it| *it == "forced open"), "{states:?}");
}

#[test]
fn numbers_of_looks_and_states_of_breakers_outlive_the_engine() {
    let (_, world) = looks_of(&outage(Vec::new()));
    let records = world.kept.values().cloned().collect();
    let next = Supervisor::recover(surroundings(8, 0), world.now, records);
    let of = |supervisor: &Supervisor| {
        let all = supervisor.retries();
        let query = all.into_iter().find(|it| it.operation == "query").expect("it was queried");
        (query.stats.failed_attempts, query.stats.rescued)
    };
    assert_eq!(of(&next), of(&world.supervisor));
    assert!(of(&next).0 >= 5, "{:?}", of(&next));
}

#[test]
fn a_target_that_never_failed_has_no_breaker_of_its_own() {
    let spec = app("api");
    let events = vec![(Duration::ZERO, Event::User(declare(&[&spec])))];
    let apps = vec![(spec, script::Behaviour::Good)];
    let script = Script { seed: 7, rudeness: 0, apps, events, calm_at: 5 * MINUTE };
    let mut world = World::new(&script);
    assert_eq!(play(&script, &mut world), Ok(()));
    let kept = world.kept.keys().any(|key| key.starts_with("breaker/"));
    assert!(!kept, "nothing is kept of it");
}
