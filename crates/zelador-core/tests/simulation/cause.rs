//! Several apps that suffer from one thing: what is said of it once, in rules and in stories with a known end.

use std::collections::BTreeMap;
use std::time::Duration;

use zelador_core::death::Death;
use zelador_core::diagnosis::Cause;
use zelador_core::id::{IncidentId, InstanceId};
use zelador_core::incident::{Incident, Stage, Trouble};
use zelador_core::input::Fact;
use zelador_core::instance::{Goal, Phase};
use zelador_core::notify::News;
use zelador_core::spec::{AppSpec, OnDependencyDown};
use zelador_core::supervisor::View;
use zelador_core::unit::{Moment, SECOND};

use crate::rule::{Rule, Violation, broken};
use crate::script::{self, Behaviour, DATABASE, Event, Script, app};
use crate::world::{DAWN, World};

/// One incident stands for a database that is down, and what died of it and is held has none besides.
pub fn one_for_the_cause(
    now: Moment,
    incidents: &[&Incident],
    view: &View,
    specs: &BTreeMap<String, AppSpec>,
) -> Result<(), Violation> {
    let open: Vec<&&Incident> = incidents.iter().filter(|it| it.is_open()).collect();
    let waits = |it: &&&&Incident| {
        matches!(&it.stage, Stage::WaitingForDependency { dependency } if dependency == DATABASE)
            && it.part_of.is_none()
    };
    let standing: Vec<IncidentId> = open.iter().filter(waits).map(|it| it.id).collect();
    if standing.len() > 1 {
        return broken(Rule::OneForTheCause, format!("{standing:?} stand for one database"));
    }
    let held = |id: InstanceId| {
        let known = view.instances.iter().find(|it| it.id == id);
        known.is_some_and(|it| {
            let waits = specs
                .get(&it.app)
                .is_some_and(|it| it.on_dependency_down == OnDependencyDown::Wait);
            // What was detected in this moment may not be settled yet.
            let settled = it.health.as_ref().filter(|it| it.at < now);
            let says = settled.map(|it| it.message.as_str()).unwrap_or_default();
            waits
                && matches!(it.phase, Phase::Backoff { held: true, .. })
                && says.starts_with("waits for the database")
                && says.ends_with(crate::world::REFUSED)
        })
    };
    let unexplained = |it: &&&&Incident| {
        let cause = it.diagnosis.as_ref().map(|it| it.cause);
        let may_be = cause.is_none_or(|it| it == Cause::Unknown);
        it.trouble.is_deadly() && it.stage == Stage::AwaitingStart && may_be && held(it.instance)
    };
    match open.iter().find(unexplained) {
        Some(it) => {
            broken(Rule::OneForTheCause, format!("{} of {} has no part in it", it.id, it.app))
        }
        None => Ok(()),
    }
}

/// What waits for an app that is down is part of the incident of that app, if there is one.
pub fn one_for_the_app(
    now: Moment,
    incidents: &[&Incident],
    view: &View,
    specs: &BTreeMap<String, AppSpec>,
) -> Result<(), Violation> {
    let open: Vec<&&Incident> = incidents.iter().filter(|it| it.is_open()).collect();
    let outages: Vec<&&&Incident> = open.iter().filter(|it| it.trouble.is_outage()).collect();
    // What was detected in this moment may not be settled yet.
    let has_one =
        |app: &str| outages.iter().any(|it| it.app.as_str() == app && it.began_at() < now);
    let waits_apart = |it: &Incident| match &it.stage {
        Stage::WaitingForDependency { dependency } => {
            it.part_of.is_none() && dependency != it.app.as_str() && has_one(dependency)
        }
        _ => false,
    };
    let is_down = |app: &str| {
        let of_app = view.instances.iter().filter(|it| it.app == app);
        let mut wanted = of_app.filter(|it| it.goal == Goal::Up).peekable();
        let up = |phase: &Phase| {
            matches!(phase, Phase::Running { .. } | Phase::Stopped | Phase::Finished { .. })
        };
        wanted.peek().is_some() && wanted.all(|it| !up(&it.phase))
    };
    let held_apart = |it: &Incident| {
        let Some(spec) = specs.get(it.app.as_str()) else { return false };
        let mut own = view.instances.iter().filter(|own| own.id == it.instance);
        let held = own.any(|own| matches!(own.phase, Phase::Backoff { held: true, .. }));
        let unknown = it.diagnosis.as_ref().is_some_and(|it| it.cause == Cause::Unknown);
        let waits = spec.on_dependency_down == OnDependencyDown::Wait;
        it.trouble.is_deadly()
            && it.stage == Stage::AwaitingStart
            && (held && unknown && waits)
            && spec.depends_on.iter().any(|needed| is_down(needed) && has_one(needed))
    };
    match outages.iter().find(|it| waits_apart(it) || held_apart(it)) {
        Some(it) => {
            let what =
                format!("{} of {} is no part of what it waits for: {:?}", it.id, it.app, it.stage);
            broken(Rule::OneForTheCause, what)
        }
        None => Ok(()),
    }
}

const FALLS_AT: Duration = Duration::from_mins(1);

/// A backend, and two apps that need it and behave like this.
fn backend_and_two(backend: Behaviour, others: Behaviour, events: Vec<(Duration, Event)>) -> World {
    let health = |name: &str| Some(script::health(name));
    let needs = |name: &str| AppSpec {
        depends_on: vec!["api".to_owned()],
        health: health(name),
        ..app(name)
    };
    // What is dead or alive needs no check.
    let of_backend = if others == Behaviour::SickWith("api") { health("api") } else { None };
    let api = AppSpec { health: of_backend, ..app("api") };
    let apps = [(api, backend), (needs("web"), others), (needs("job"), others)];
    let specs: Vec<&AppSpec> = apps.iter().map(|(spec, _)| spec).collect();
    let declared = (Duration::ZERO, Event::User(script::declare(&specs)));
    let events = [declared].into_iter().chain(events).collect();
    let calm_at = Duration::from_mins(10);
    World::new(&Script { seed: 7, rudeness: 0, apps: apps.into(), events, calm_at })
}

fn all(world: &World) -> Vec<Incident> {
    world.supervisor.incidents().into_iter().cloned().collect()
}

/// The incident of the backend; all others are part of it.
fn only_cause(world: &World) -> Incident {
    let all = all(world);
    let of_backend = all.iter().find(|it| it.app.as_str() == "api").expect("it has one");
    let parts = all.iter().filter(|it| it.id != of_backend.id);
    assert!(parts.into_iter().all(|it| it.part_of == Some(of_backend.id)), "{:#?}", short(&all));
    of_backend.clone()
}

fn only_cause_is_told(world: &World, cause: &Incident) {
    let key = format!("incident/{}", cause.id);
    let heard = world.post.heard("chat");
    assert!(!heard.is_empty() && heard.iter().all(|(of, _)| *of == key), "{heard:?}");
}

/// What they are about and how far they are, to be shown.
fn short(incidents: &[Incident]) -> Vec<String> {
    let one = |it: &Incident| {
        let story: Vec<&str> = it.story.iter().map(|entry| entry.what.as_str()).collect();
        format!("{} {} of {:?}: {}: {story:#?}", it.id, it.app, it.part_of, it.state())
    };
    incidents.iter().map(one).collect()
}

#[test]
fn those_that_end_with_an_app_that_they_need_are_part_of_its_incident() {
    // A moment without a database ends the backend once.
    let hiccup =
        [(FALLS_AT, Event::Database(false)), (FALLS_AT + SECOND / 1000, Event::Database(true))];
    let mut world =
        backend_and_two(Behaviour::DiesWithDatabase, Behaviour::DiesWith("api"), hiccup.into());
    assert_eq!(world.run_until(DAWN + FALLS_AT + 5 * SECOND), Ok(()));
    let cause = only_cause(&world);
    assert_eq!((all(&world).len(), cause.sufferers.len()), (3, 2), "{:#?}", short(&all(&world)));
    assert!(cause.is_open());
    assert!(cause.story[1].what.contains("needed by job, web"), "{:?}", cause.story);
    assert_eq!(world.run_until(DAWN + FALLS_AT + Duration::from_mins(2)), Ok(()));
    assert_eq!(only_cause(&world).state(), "healed");
    only_cause_is_told(&world, &cause);
    let view = world.supervisor.view();
    assert!(view.instances.iter().all(|it| it.phase.is_ready() && it.restarts == 1), "{view:?}");
}

#[test]
fn one_that_ends_again_while_the_cause_lasts_goes_on_with_its_incident_and_waits_longer() {
    let mut world = backend_and_two(Behaviour::Good, Behaviour::DiesWith("api"), Vec::new());
    assert_eq!(world.run_until(DAWN + FALLS_AT), Ok(()));
    // The backend comes up and does not answer; whoever needs it ends at once.
    world.behaviours.insert("api".to_owned(), Behaviour::Sick);
    let run = *world.guardian.runs.iter().find(|(_, it)| it.app == "api").expect("it is up").0;
    world.die(run, Death::Exited { code: 1 });
    assert_eq!(world.run_until(DAWN + FALLS_AT + 5 * SECOND), Ok(()));
    assert_eq!(all(&world).len(), 3, "{:#?}", short(&all(&world)));
    let cause = only_cause(&world);
    let web = all(&world).into_iter().find(|it| it.app.as_str() == "web").expect("it ended");
    assert!(web.deaths >= 3, "{web:?}");
    let starts = |world: &World| {
        let view = world.supervisor.view();
        view.instances.iter().find(|it| it.app == "web").map(|it| it.restarts)
    };
    assert!(starts(&world).is_some_and(|starts| starts <= 4), "{:?}", starts(&world));
    only_cause_is_told(&world, &cause);
}

#[test]
fn those_that_are_sick_with_an_app_that_they_need_wait_for_it_and_are_not_restarted() {
    let mut world =
        backend_and_two(Behaviour::HangsAfter(FALLS_AT), Behaviour::SickWith("api"), Vec::new());
    assert_eq!(world.run_until(DAWN + FALLS_AT + 30 * SECOND), Ok(()));
    world.behaviours.insert("api".to_owned(), Behaviour::Good);
    let cause = only_cause(&world);
    assert_eq!(cause.trouble, Trouble::Unresponsive);
    assert!(!cause.sufferers.is_empty(), "{:#?}", short(&all(&world)));
    only_cause_is_told(&world, &cause);
    assert_eq!(world.run_until(DAWN + FALLS_AT + Duration::from_mins(3)), Ok(()));
    assert!(all(&world).iter().all(|it| !it.is_open()), "{:#?}", short(&all(&world)));
    let cause = only_cause(&world);
    assert_eq!(cause.state(), "healed", "{cause:?}");
    let view = world.supervisor.view();
    let others = view.instances.iter().filter(|it| it.app != "api");
    assert!(others.into_iter().all(|it| it.phase.is_ready() && it.restarts == 0), "{view:?}");
}

/// An app whose connection a database closes before it ends, a second later, until it is back; the app is up again
/// at once and needs no connection.
fn loses_its_connection(back_at: Duration) -> World {
    let spec = AppSpec { depends_on: vec![DATABASE.to_owned()], ..app("api") };
    let declared = (Duration::ZERO, Event::User(script::declare(&[&spec])));
    let events = vec![
        declared,
        (FALLS_AT + SECOND, Event::Database(false)),
        (back_at, Event::Database(true)),
    ];
    let apps = vec![(spec, Behaviour::Good)];
    let mut world = World::new(&Script { seed: 7, rudeness: 0, apps, events, calm_at: back_at });
    let lost = "Error: Connection lost: The server closed the connection.";
    world.says.insert("api".to_owned(), lost.to_owned());
    assert_eq!(world.run_until(DAWN + FALLS_AT), Ok(()));
    let run = *world.guardian.runs.keys().next().expect("it is up");
    world.die(run, Death::Exited { code: 1 });
    world
}

#[test]
fn a_death_in_the_instant_before_its_database_is_seen_down_is_told_with_it() {
    let back_at = FALLS_AT + Duration::from_mins(1);
    let mut world = loses_its_connection(back_at);
    assert_eq!(world.run_until(DAWN + FALLS_AT + SECOND), Ok(()));
    let [it] = &all(&world)[..] else { panic!("it ended: {:#?}", short(&all(&world))) };
    assert!(matches!(it.stage, Stage::Verifying { .. }), "its database still answers: {it:?}");
    assert_eq!(world.post.heard("chat"), [], "what it comes of is not known yet");
    assert_eq!(world.run_until(DAWN + FALLS_AT + 6 * SECOND), Ok(()));
    let [it] = &all(&world)[..] else { panic!("{:#?}", short(&all(&world))) };
    assert_eq!(it.state(), format!("waiting for {DATABASE}"), "{it:?}");
    assert_eq!(world.run_until(DAWN + back_at + Duration::from_mins(2)), Ok(()));
    let [it] = &all(&world)[..] else { panic!("{:#?}", short(&all(&world))) };
    assert_eq!(it.state(), "healed", "{it:?}");
    let check = format!("check/database:{DATABASE}");
    assert!(world.post.heard("chat").iter().all(|(of, _)| *of == check), "{it:?}");
    assert_eq!(world.supervisor.view().instances[0].restarts, 1);
}

#[test]
fn a_death_whose_database_was_away_for_a_moment_only_is_told_when_that_is_back() {
    let back_at = FALLS_AT + 12 * SECOND;
    let mut world = loses_its_connection(back_at);
    // It is away for fewer looks than it takes to say so.
    let mut patient = serde_json::to_value(script::settings()).unwrap();
    patient["databases"][DATABASE]["cadence"]["failure_threshold"] = 20.into();
    let patient = Fact::BaseSettings(Box::new(serde_json::from_value(patient).unwrap()));
    world.say(world.now, patient, false);
    assert_eq!(world.run_until(DAWN + back_at), Ok(()));
    let [it] = &all(&world)[..] else { panic!("{:#?}", short(&all(&world))) };
    assert_eq!(it.state(), format!("waiting for {DATABASE}"));
    assert_eq!(world.run_until(DAWN + back_at + 9 * SECOND), Ok(()));
    let [it] = &all(&world)[..] else { panic!("{:#?}", short(&all(&world))) };
    assert_eq!(it.state(), "verifying", "{:#?}", short(&all(&world)));
    let key = format!("incident/{}", it.id);
    let heard = world.post.heard("chat");
    assert!(heard.iter().any(|(of, _)| *of == key), "{heard:?}");
}

#[test]
fn a_death_that_says_so_while_all_it_needs_stays_up_is_told_a_little_later() {
    let spec = AppSpec { depends_on: vec![DATABASE.to_owned()], ..app("api") };
    let mut world = World::new(&crate::watcher::story(spec, Behaviour::Good, Vec::new()));
    let refused = "Error: connect ECONNREFUSED 10.0.0.9:80";
    world.says.insert("api".to_owned(), refused.to_owned());
    assert_eq!(world.run_until(DAWN + FALLS_AT), Ok(()));
    let run = *world.guardian.runs.keys().next().expect("it is up");
    world.die(run, Death::Exited { code: 1 });
    assert_eq!(world.run_until(DAWN + FALLS_AT + 4 * SECOND), Ok(()));
    assert_eq!(world.post.heard("chat"), []);
    assert_eq!(world.run_until(DAWN + FALLS_AT + 6 * SECOND), Ok(()));
    let [it] = &all(&world)[..] else { panic!("{:#?}", short(&all(&world))) };
    let key = format!("incident/{}", it.id);
    assert_eq!(world.post.heard("chat"), [(key.as_str(), News::Opened)]);
}

#[test]
fn one_that_keeps_ending_for_want_of_what_it_does_not_declare_is_told_all_the_same() {
    let spec = AppSpec { depends_on: vec![DATABASE.to_owned()], ..app("api") };
    let mut world = World::new(&crate::watcher::story(spec, Behaviour::Good, Vec::new()));
    world.says.insert("api".to_owned(), "Error: connect ECONNREFUSED 10.0.0.9:80".to_owned());
    for second in [2, 4, 7] {
        assert_eq!(world.run_until(DAWN + second * SECOND), Ok(()));
        let run = world.guardian.living(InstanceId::new(0)).next().expect("it is up");
        world.die(run, Death::Exited { code: 1 });
    }
    assert_eq!(world.run_until(DAWN + 9 * SECOND), Ok(()));
    let first = all(&world).last().expect("it ended").clone();
    let told = world.post.heard("chat").into_iter().map(|(of, _)| of.to_owned());
    let told: Vec<String> = told.collect();
    assert!(told.contains(&format!("incident/{}", first.id)), "{told:?} {:#?}", short(&[first]));
}
