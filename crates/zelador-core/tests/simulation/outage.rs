//! A database is down for ten minutes: what comes back, when, and after how many restarts.

use std::time::Duration;

use crate::script::{Behaviour, DATABASE, Event, Script, app};
use crate::world::{DAWN, World};
use zelador_core::check::Status;
use zelador_core::notify::News;
use zelador_core::spec::{AppSpec, OnDependencyDown};
use zelador_core::unit::SECOND;

const DOWN_AT: Duration = Duration::from_mins(1);
const BACK_AT: Duration = Duration::from_mins(11);

/// The longest that the breaker of these apps is open when the database comes back: 20 s, doubled
/// with every failed trial, of which the ten minutes see five.
const HALF_OPEN_PERIOD: Duration = Duration::from_secs(320);

#[test]
fn every_app_is_back_within_one_half_open_period_after_fewer_than_ten_restarts() {
    let dependent = AppSpec { depends_on: vec![DATABASE.to_owned()], ..app("told") };
    // Zelador was not told that this one needs the database, or is not to wait for it.
    let untold = app("untold");
    let stubborn = AppSpec {
        depends_on: vec![DATABASE.to_owned()],
        on_dependency_down: OnDependencyDown::Restart,
        ..app("stubborn")
    };
    let apps: Vec<(AppSpec, Behaviour)> =
        [dependent, untold, stubborn].map(|spec| (spec, Behaviour::DiesWithDatabase)).into();
    let specs: Vec<&AppSpec> = apps.iter().map(|(spec, _)| spec).collect();
    let declared = Event::User(crate::script::declare(&specs));
    let events = vec![
        (Duration::ZERO, declared),
        (DOWN_AT, Event::Database(false)),
        (BACK_AT, Event::Database(true)),
    ];
    let calm_at = BACK_AT + HALF_OPEN_PERIOD;
    let script = Script { seed: 7, rudeness: 0, apps, events, calm_at };
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + BACK_AT - SECOND), Ok(()));
    let up = |world: &World| {
        let view = world.supervisor.view();
        view.instances.iter().filter(|it| it.phase.is_ready()).count()
    };
    assert_eq!(up(&world), 0, "nothing can be up without its database");
    let health = world.supervisor.health();
    let told =
        health.checks.iter().find(|check| check.component == "app:told").expect("it is listed");
    assert_eq!(told.status, Status::Degraded);
    assert!(told.message.starts_with("waits for the database db: "), "{}", told.message);
    assert_eq!(world.run_until(DAWN + BACK_AT + HALF_OPEN_PERIOD), Ok(()));
    let view = world.supervisor.view();
    for instance in &view.instances {
        assert!(instance.phase.is_ready(), "{}: {:?}", instance.name, instance.phase);
        assert!(instance.restarts < 10, "{}: {} restarts", instance.name, instance.restarts);
    }
    let told = &view.instances[0];
    assert_eq!(
        (told.app.as_str(), told.restarts),
        ("told", 1),
        "it was started once, when it could be"
    );
}

/// Five apps fail their checks while their database is down; one of them sees it first.
#[test]
fn one_incident_stands_for_the_cause_and_names_who_suffers() {
    let names = ["a", "b", "c", "d", "e"];
    let specs: Vec<AppSpec> = names
        .iter()
        .map(|name| AppSpec {
            depends_on: vec![DATABASE.to_owned()],
            health: Some(crate::script::health(name)),
            ..app(name)
        })
        .collect();
    let refs: Vec<&AppSpec> = specs.iter().collect();
    let declared = Event::User(crate::script::declare(&refs));
    let apps = specs.iter().map(|spec| (spec.clone(), Behaviour::SickWithDatabase)).collect();
    let events = vec![
        (Duration::ZERO, declared),
        (DOWN_AT, Event::Database(false)),
        (BACK_AT, Event::Database(true)),
    ];
    let script = Script { seed: 7, rudeness: 0, apps, events, calm_at: BACK_AT };
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + BACK_AT - SECOND), Ok(()));
    let incidents = world.supervisor.incidents();
    let open: Vec<_> = incidents.iter().filter(|it| it.is_open()).collect();
    assert_eq!(open.len(), 1, "{open:?}");
    let story: Vec<&str> = open[0].story.iter().map(|entry| entry.what.as_str()).collect();
    let story = story.join("\n");
    let others = names.iter().filter(|name| **name != open[0].app.as_str());
    for name in others {
        assert!(story.contains(&format!("{name} suffers from it too")), "{name}: {story}");
    }
    let health = world.supervisor.health();
    for name in names {
        let check = health.checks.iter().find(|it| it.component == format!("app:{name}")).unwrap();
        assert_eq!(check.status, Status::Degraded, "{check:?}");
        assert!(check.message.starts_with(&format!("waiting for {DATABASE} (")), "{check:?}");
    }
    let group = &health.groups[0];
    assert_eq!(
        (group.group.as_str(), group.status, group.instances),
        ("default", Status::Degraded, 5)
    );
    assert!(group.message.contains("waiting for db"), "{group:?}");
    assert_eq!(world.run_until(DAWN + BACK_AT + Duration::from_mins(3)), Ok(()));
    assert!(world.supervisor.incidents().iter().all(|it| !it.is_open()));
    let view = world.supervisor.view();
    assert!(view.instances.iter().all(|it| it.restarts == 0), "nobody was restarted for it");
}

/// Three apps end with their database, and one more for a reason of its own while that is down.
#[test]
fn those_that_die_with_their_database_have_one_incident_and_people_hear_of_the_cause_once() {
    let needs = |name: &str| AppSpec { depends_on: vec![DATABASE.to_owned()], ..app(name) };
    let specs = ["a", "b", "c"].map(needs);
    let other = needs("other");
    let refs: Vec<&AppSpec> = specs.iter().collect();
    let declared = Event::User(crate::script::declare(&refs));
    let mut apps: Vec<(AppSpec, Behaviour)> =
        specs.iter().map(|spec| (spec.clone(), Behaviour::DiesWithDatabase)).collect();
    apps.push((other.clone(), Behaviour::Broken));
    let also = Event::User(crate::script::declare(&[&other]));
    let events = vec![
        (Duration::ZERO, declared),
        (DOWN_AT, Event::Database(false)),
        (DOWN_AT + Duration::from_mins(2), also),
        (BACK_AT, Event::Database(true)),
    ];
    let script = Script { seed: 7, rudeness: 0, apps, events, calm_at: BACK_AT };
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + DOWN_AT + Duration::from_mins(1)), Ok(()));
    let check = format!("check/database:{DATABASE}");
    assert_eq!(world.post.heard("chat"), [(check.as_str(), News::Opened)]);
    let incidents = world.supervisor.incidents();
    let open: Vec<_> = incidents.iter().filter(|it| it.is_open()).collect();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].state(), format!("waiting for {DATABASE}"));
    let joined = incidents.iter().filter(|it| it.part_of == Some(open[0].id));
    assert_eq!((joined.count(), open[0].sufferers.len()), (2, 2), "{incidents:?}");

    assert_eq!(world.run_until(DAWN + BACK_AT - SECOND), Ok(()));
    let open: Vec<_> =
        world.supervisor.incidents().into_iter().filter(|it| it.is_open()).cloned().collect();
    let of_other = open.iter().find(|it| it.app.as_str() == "other").expect("it has its own");
    let cause = open.iter().find(|it| it.app.as_str() != "other").expect("it lasts");
    assert_eq!((open.len(), of_other.part_of), (2, None), "{open:?}");
    let heard = world.post.heard("chat");
    let own = format!("incident/{}", of_other.id);
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard.iter().any(|(key, _)| *key == own), "{heard:?}");

    assert_eq!(world.run_until(DAWN + BACK_AT + Duration::from_mins(3)), Ok(()));
    let incident = world.supervisor.incident(cause.id).expect("it is kept");
    assert_eq!(incident.state(), "healed", "{incident:?}");
    let heard = world.post.heard("chat");
    assert_eq!(heard.iter().filter(|(key, _)| *key != own).count(), 1, "{heard:?}");
    assert!(heard.contains(&(&check, News::Resolved)), "{heard:?}");
    let view = world.supervisor.view();
    let back = view.instances.iter().filter(|it| it.app != "other");
    assert!(back.into_iter().all(|it| it.phase.is_ready() && it.restarts == 1), "{view:?}");
}
