//! The rules of remedies, incidents and what is called healed are seen broken.

use std::collections::BTreeMap;

use zelador_core::death::Death;
use zelador_core::effect::Effect;
use zelador_core::evidence::PastDeath;
use zelador_core::id::IncidentId;
use zelador_core::incident::{Incident, Outcome, Stage, Trouble};
use zelador_core::instance::Phase;
use zelador_core::record::Record;
use zelador_core::spec::{AppSpec, ExecMode, OnDependencyDown};
use zelador_core::unit::SECOND;

use super::{each, one, rule_broken_by, story, user};
use crate::cause;
use crate::rule::Rule;
use crate::script::{Behaviour, DATABASE, Event, app, health};
use crate::world::{DAWN, Sabotage, World};
use crate::{play, rules, script};

#[test]
fn a_question_that_was_asked_before_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Sick, Vec::new());
    let again: Sabotage = Box::new(|_, effects| {
        let asked = effects.iter().find(|effect| matches!(effect, Effect::Consult { .. }));
        let asked = asked.cloned();
        effects.extend(asked);
    });
    assert_eq!(rule_broken_by(&script, again), Some(Rule::AskedOnce));
}

#[test]
fn remedies_above_the_budget_are_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::HangsAfter(5 * SECOND), Vec::new());
    let mut world = World::new(&script);
    assert_eq!(play(&script, &mut world), Ok(()));
    let mut world = World::new(&script);
    world.watch.remedies_allowed = 1;
    assert_eq!(play(&script, &mut world).map_err(|it| it.rule), Err(Rule::RemediesWithinBudget));
}

#[test]
fn a_remedy_that_is_used_too_often_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::HangsAfter(5 * SECOND), Vec::new());
    let mut world = World::new(&script);
    world.watch.uses_allowed = 0;
    assert_eq!(play(&script, &mut world).map_err(|it| it.rule), Err(Rule::RemediesWithinBudget));
}

#[test]
fn a_reload_that_leaves_nobody_is_noticed() {
    let mut spec = app("api");
    spec.mode = ExecMode::Cluster;
    let script = story(spec, Behaviour::Good, vec![user(10 * SECOND, script::reload(one()))]);
    let mut world = World::new(&script);
    let mut reloaded = None;
    while reloaded.is_none() {
        let before = world.supervisor.view();
        assert_eq!(world.turn(DAWN + 60 * SECOND), Ok(true), "a reload comes");
        let after = world.supervisor.view();
        if before.retiring.is_empty() && !after.retiring.is_empty() {
            reloaded = Some((before, after));
        }
    }
    let (before, mut after) = reloaded.expect("set above");
    assert_eq!(rules::reloads_leave_nobody_alone(&before, &after), Ok(()));
    after.instances[0].phase = Phase::Stopped;
    let broken = rules::reloads_leave_nobody_alone(&before, &after);
    assert_eq!(broken.map_err(|it| it.rule), Err(Rule::SomebodyIsReady));
    // A successor may stand beside the one whose place it takes only.
    assert!(after.instances[0].successor.is_none());
}

#[test]
fn two_open_incidents_of_one_trouble_are_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Sick, Vec::new());
    let mut world = World::new(&script);
    while world.supervisor.incidents().is_empty() {
        assert_eq!(world.turn(DAWN + 120 * SECOND), Ok(true), "an incident comes");
    }
    let incident = world.supervisor.incidents()[0];
    assert_eq!(rules::one_open_incident(&[incident]), Ok(()));
    let broken = rules::one_open_incident(&[incident, incident]);
    assert_eq!(broken.map_err(|it| it.rule), Err(Rule::OneOpenIncident));
}

#[test]
fn what_is_called_healed_too_soon_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::HangsAfter(20 * SECOND), Vec::new());
    let mut world = World::new(&script);
    let healed = Stage::Closed { outcome: Outcome::Healed };
    while !world.supervisor.incidents().iter().any(|it| it.stage == healed) {
        assert_eq!(world.turn(DAWN + 120 * SECOND), Ok(true), "it is healed");
    }
    let (incident, view) = (world.supervisor.incidents()[0], world.supervisor.view());
    let open = [incident.id].into();
    let at = |now| rules::healed_has_held(now, &open, &[incident], &view).map_err(|it| it.rule);
    let Phase::Running { since, .. } = view.instances[0].phase else { panic!("it is up") };
    assert_eq!(at(world.now), Ok(()));
    assert_eq!(at(since + 4 * SECOND), Err(Rule::HealedHasHeld));
}

#[test]
fn a_death_that_has_no_part_in_what_holds_it_is_noticed() {
    let spec = AppSpec { depends_on: vec![DATABASE.to_owned()], ..app("api") };
    let specs = [("api".to_owned(), spec.clone())].into();
    let script =
        story(spec, Behaviour::DiesWithDatabase, vec![(5 * SECOND, Event::Database(false))]);
    let mut world = World::new(&script);
    let waits = |it: &&Incident| matches!(it.stage, Stage::WaitingForDependency { .. });
    while !world.supervisor.incidents().iter().any(waits) {
        assert_eq!(world.turn(DAWN + 120 * SECOND), Ok(true), "it dies of its database");
    }
    let (incident, view) = (world.supervisor.incidents()[0], world.supervisor.view());
    let later = world.now + SECOND;
    let rule = |all: &[&Incident]| {
        cause::one_for_the_cause(later, all, &view, &specs).map_err(|it| it.rule)
    };
    assert_eq!(rule(&[incident]), Ok(()));
    assert_eq!(rule(&[incident, incident]), Err(Rule::OneForTheCause));
    let mut alone = incident.clone();
    alone.stage = Stage::AwaitingStart;
    alone.diagnosis = None;
    assert_eq!(rule(&[&alone]), Err(Rule::OneForTheCause));
}

#[test]
fn what_waits_for_an_app_apart_from_its_incident_is_noticed() {
    let specs = BTreeMap::new();
    let script = story(app("api"), Behaviour::Stillborn, Vec::new());
    let mut world = World::new(&script);
    while world.supervisor.incidents().is_empty() {
        assert_eq!(world.turn(DAWN + 120 * SECOND), Ok(true), "it dies");
    }
    let (first, view) = (world.supervisor.incidents()[0], world.supervisor.view());
    let name = zelador_core::id::AppName::new("web").unwrap();
    let dependency = "api".to_owned();
    let stage = Stage::WaitingForDependency { dependency };
    let apart = Incident { id: IncidentId::new(99), app: name, stage, ..first.clone() };
    let part = Incident { part_of: Some(first.id), ..apart.clone() };
    let at = |now, waiting: &Incident| {
        let seen = cause::one_for_the_app(now, &[first, waiting], &view, &specs);
        seen.map_err(|it| it.rule)
    };
    let later = first.opened_at + SECOND;
    assert_eq!(at(later, &part), Ok(()));
    assert_eq!(at(first.opened_at, &apart), Ok(()), "it is not settled yet");
    assert_eq!(at(later, &apart), Err(Rule::OneForTheCause));
}

#[test]
fn a_silence_that_is_treated_beside_the_death_it_was_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Sick, Vec::new());
    let mut world = World::new(&script);
    while world.supervisor.incidents().is_empty() {
        assert_eq!(world.turn(DAWN + 120 * SECOND), Ok(true), "an incident comes");
    }
    let (silent, mut view) = (world.supervisor.incidents()[0], world.supervisor.view());
    let died = Incident { id: IncidentId::new(99), trouble: Trouble::Died, ..silent.clone() };
    let both = [silent, &died];
    assert_eq!(rules::deaths_are_treated_once(&both, &view), Ok(()), "nobody has died");
    let at = silent.opened_at + SECOND;
    for (code, treated) in [(0, Ok(())), (1, Err(Rule::DeathsTreatedOnce))] {
        let death = Death::Exited { code };
        view.instances[0].deaths = vec![PastDeath { at, death, uptime_millis: 5, explained: None }];
        let seen = rules::deaths_are_treated_once(&both, &view);
        assert_eq!(seen.map_err(|it| it.rule), treated, "code {code}");
    }
}

#[test]
fn a_restart_while_the_database_is_down_is_noticed() {
    let mut spec = app("api");
    spec.depends_on = vec![DATABASE.to_owned()];
    spec.on_dependency_down = OnDependencyDown::Restart;
    // Noticed before the records are compared, which are wrong here too.
    let events = vec![(SECOND, Event::Database(false)), (100 * SECOND, Event::Database(true))];
    let script = story(spec, Behaviour::Mortal(2 * SECOND), events);
    let ought_to_wait = each(|effect| {
        if let Effect::Record(Record::App(spec)) = effect {
            spec.on_dependency_down = OnDependencyDown::Wait;
        }
    });
    assert_eq!(rule_broken_by(&script, ought_to_wait), Some(Rule::DependantsWait));
}
