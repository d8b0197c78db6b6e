//! What is in maintenance or muted: kept up, and otherwise left alone.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use zelador_core::effect::Effect;
use zelador_core::incident::Incident;
use zelador_core::input::Command;
use zelador_core::record::Record;
use zelador_core::spec::{AppSpec, CronPattern, Window};
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::SECOND;

use crate::generate;
use crate::play;
use crate::script::surroundings;
use crate::script::{self, Behaviour, Event, Script, app};
use crate::watcher::{one, story, user};
use crate::world::{DAWN, World};

const MINUTE: Duration = Duration::from_mins(1);

fn maintenance(selectors: Vec<String>, lasts: Option<Duration>) -> Command {
    Command::Maintenance { selectors, lasts, by: Some("ana".to_owned()) }
}

/// What is not to be done in a maintenance: an incident that begins, a remedy, a message.
fn is_forbidden(effect: &Effect) -> bool {
    let begins = |it: &Incident| it.is_open();
    match effect {
        Effect::Record(Record::Incident(incident)) => begins(incident),
        Effect::Apply { .. } | Effect::Deliver(_) => true,
        _ => false,
    }
}

/// Counts what is forbidden until `until`, and everything after it.
fn counted(world: &mut World, until: Duration) -> Rc<RefCell<(usize, usize)>> {
    let count = Rc::new(RefCell::new((0, 0)));
    let noted = Rc::clone(&count);
    world.sabotage = Some(Box::new(move |now, effects| {
        let found = effects.iter().filter(|effect| is_forbidden(effect)).count();
        let mut noted = noted.borrow_mut();
        if now < DAWN + until { noted.0 += found } else { noted.1 += found }
    }));
    count
}

/// Every generated story, with everything in maintenance from its first moment to its end.
#[test]
fn nothing_is_begun_about_what_is_in_maintenance_in_any_story() {
    for seed in 0..120 {
        let mut script = generate::generate(seed);
        let whole = maintenance(Vec::new(), Some(Duration::from_hours(24)));
        script.events.insert(0, (Duration::ZERO, Event::User(whole)));
        let mut world = World::new(&script);
        let count = counted(&mut world, Duration::from_hours(24));
        if let Err(violation) = play(&script, &mut world) {
            panic!("seed {seed} breaks rule {:?}: {}", violation.rule, violation.what);
        }
        // The first one is over within the second before the command is there.
        assert_eq!(count.borrow().0, 0, "seed {seed}");
    }
}

#[test]
fn the_same_stories_without_maintenance_begin_something() {
    let begun: usize = (0..20)
        .map(|seed| {
            let script = generate::generate(seed);
            let mut world = World::new(&script);
            let count = counted(&mut world, Duration::from_hours(24));
            assert_eq!(play(&script, &mut world), Ok(()), "seed {seed}");
            count.borrow().0
        })
        .sum();
    assert!(begun > 100, "otherwise the rule above could not be broken: {begun}");
}

#[test]
fn what_dies_in_a_maintenance_is_restarted_and_what_is_bad_after_it_is_told() {
    let spec = AppSpec { health: Some(script::health("api")), ..app("api") };
    let events = vec![user(SECOND / 10, maintenance(one(), Some(10 * MINUTE)))];
    let script =
        Script { calm_at: 20 * MINUTE, ..story(spec, Behaviour::Mortal(30 * SECOND), events) };
    let mut world = World::new(&script);
    let count = counted(&mut world, 10 * MINUTE);
    assert_eq!(world.run_until(DAWN + 9 * MINUTE), Ok(()));
    let view = world.supervisor.view();
    assert!(view.instances[0].restarts >= 5, "it is kept up: {}", view.instances[0].restarts);
    let aside = view.health.checks.iter().find(|it| it.component == "app:api");
    let aside = aside.and_then(|it| it.set_aside.clone()).expect("it is set aside");
    assert_eq!(aside.by.as_deref(), Some("ana"));
    assert!(aside.until.is_some_and(|until| until > world.now && until <= DAWN + 11 * MINUTE));
    // It outlives the engine.
    let records = world.kept.values().cloned().collect();
    let next = Supervisor::recover(surroundings(8, 0), world.now, records).health();
    assert!(next.checks.iter().any(|it| it.set_aside.as_ref() == Some(&aside)), "{next:?}");
    assert_eq!(world.run_until(DAWN + 20 * MINUTE), Ok(()));
    let (during, after) = *count.borrow();
    assert_eq!(during, 0);
    assert!(after > 0, "its deaths are an incident again");
}

#[test]
fn a_window_by_the_clock_opens_and_ends_by_itself() {
    // The story begins at 22:13:20 UTC.
    let window = Window { begins: CronPattern::new("15 22 * * *").unwrap(), lasts: 5 * MINUTE };
    let spec = AppSpec { maintenance: vec![window], ..app("api") };
    let script = Script { calm_at: 20 * MINUTE, ..story(spec, Behaviour::Good, Vec::new()) };
    let mut world = World::new(&script);
    let mut seen = Vec::new();
    for second in (0..600).step_by(10) {
        assert_eq!(world.run_until(DAWN + Duration::from_secs(second)), Ok(()));
        let health = world.supervisor.health();
        let aside = health.checks.iter().any(|it| it.set_aside.is_some());
        if seen.last().is_none_or(|(was, _)| *was != aside) {
            seen.push((aside, second));
        }
    }
    assert_eq!(seen, [(false, 0), (true, 100), (false, 400)], "22:15:00 to 22:20:00");
}
