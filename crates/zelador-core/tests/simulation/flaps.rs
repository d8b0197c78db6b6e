//! What comes and goes: how often people hear of it, and how many incidents it is.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use zelador_core::check::Status;
use zelador_core::effect::Effect;
use zelador_core::id::CheckId;
use zelador_core::incident::{Incident, Trouble};
use zelador_core::spec::{AppSpec, HealMode};
use zelador_core::unit::SECOND;

use crate::play;
use crate::rule::Rule;
use crate::script::{Behaviour, DATABASE, Event, Script, app, health};
use crate::watcher::story;
use crate::world::{DAWN, World};

/// A database that is down for 50 s and up for 40 s, ten times.
fn restless_database() -> Script {
    let toggled = |round: u32| {
        let down = (100 + 90 * round) * SECOND;
        [(down, Event::Database(false)), (down + 50 * SECOND, Event::Database(true))]
    };
    let mut script = story(app("api"), Behaviour::Good, (0..10).flat_map(toggled).collect());
    script.calm_at = 2_000 * SECOND;
    script
}

/// Notes what people are told of the database.
fn listen(world: &mut World) -> Rc<RefCell<Vec<String>>> {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let notes = Rc::clone(&heard);
    let database = CheckId::Database(DATABASE.to_owned());
    world.sabotage = Some(Box::new(move |_, effects| {
        for effect in effects {
            if let Effect::Notify(notice) = effect
                && notice.check.as_ref().is_some_and(|(id, _)| *id == database)
            {
                notes.borrow_mut().push(notice.text.english().to_owned());
            }
        }
    }));
    heard
}

#[test]
fn what_comes_and_goes_is_told_once_and_once_when_it_has_stayed() {
    let script = restless_database();
    let mut world = World::new(&script);
    let heard = listen(&mut world);
    assert_eq!(world.run_until(DAWN + 900 * SECOND), Ok(()));
    let view = world.supervisor.health();
    let seen = view.checks.iter().find(|it| it.component == "database:db").expect("it is there");
    assert!(seen.message.starts_with("flapping: "), "{seen:?}");
    assert_ne!(seen.status, Status::Healthy);
    assert_eq!(play(&script, &mut world), Ok(()));
    let heard = heard.borrow();
    let words: Vec<&str> =
        heard.iter().filter_map(|text| text.strip_prefix("database db is ")).collect();
    let begins = [
        "unhealthy: ",
        "healthy: ",
        "unhealthy: ",
        "degraded: flapping: ",
        "steady again: healthy",
    ];
    assert_eq!(words.len(), begins.len(), "{words:?}");
    let as_told = words.iter().zip(begins).all(|(text, begin)| text.starts_with(begin));
    assert!(as_told, "{words:?}");
}

#[test]
fn a_check_that_is_told_of_too_often_is_noticed() {
    let script = restless_database();
    let mut world = World::new(&script);
    world.sabotage = Some(Box::new(|_, effects| {
        let again = effects.iter().filter(|it| matches!(it, Effect::Notify(_))).cloned();
        let again: Vec<Effect> = again.collect();
        effects.extend(again);
    }));
    assert_eq!(play(&script, &mut world).map_err(|it| it.rule), Err(Rule::FlappingToldOnce));
}

#[test]
fn an_app_that_comes_and_goes_is_one_incident_until_it_has_stayed() {
    let mut spec = AppSpec { health: Some(health("api")), ..app("api") };
    spec.heal.mode = HealMode::Observe;
    let until = Duration::from_mins(15);
    let script = story(spec, Behaviour::ComesAndGoes { until }, Vec::new());
    let mut world = World::new(&script);
    let silent = |world: &World| -> Vec<Incident> {
        let all = world.supervisor.incidents().into_iter();
        all.filter(|it| it.trouble == Trouble::Unresponsive).cloned().collect()
    };
    assert_eq!(world.run_until(DAWN + until), Ok(()));
    let during = silent(&world);
    // The latest stands first.
    let last = during.first().expect("it was sick");
    assert!(last.is_open(), "{last:?}");
    let told = "its check comes and goes: this is one incident until it has stayed well";
    assert!(last.story.iter().any(|entry| entry.what == told), "{last:?}");
    assert_eq!(world.run_until(DAWN + 2 * until), Ok(()));
    let after = silent(&world);
    assert_eq!(after.len(), during.len(), "nothing new in all that time");
    assert!(after.len() <= 2, "of eighteen outages: {after:?}");
    assert_eq!(after.first().map(Incident::state).as_deref(), Some("recovered"));
}
