//! Restarts that change what is stored, and what does not need one.

use std::collections::BTreeSet;

use zelador_core::config::{Change, Value, change};
use zelador_core::death::Death;
use zelador_core::effect::Refusal;
use zelador_core::input::{Command, Unchanged};
use zelador_core::instance::{Cause, Phase};
use zelador_core::signal::Signal;
use zelador_core::spec::{EnvFilter, Environment, RestartDelay};
use zelador_core::unit::ByteSize;

use crate::world::{World, app, context};

fn restart(selector: &str, change: Change) -> Command {
    Command::Restart { selectors: vec![selector.to_owned()], change: Some(Box::new(change)) }
}

fn changing(fields: Vec<(&str, Value)>) -> Change {
    change(fields, &[], &context(&[])).unwrap().0
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn options_at_a_restart_change_what_is_stored_and_nothing_else() {
    let mut world = World::new();
    let fields = vec![
        ("name", "api".into()),
        ("cron_restart", "0 3 * * *".into()),
        ("restart_delay", 500.0.into()),
        ("args", "--port 1".into()),
    ];
    world.declare(app(fields), Unchanged::LeaveAlone);
    let before = world.spec("api");
    let options = vec![
        ("max_memory_restart", "300M".into()),
        ("cron_restart", "0".into()),
        ("name", "shop".into()),
    ];
    let done = world.command(restart("api", changing(options))).unwrap();
    assert_eq!(done.notes, ["api: changed: name, max_memory_restart, cron_restart"]);
    let after = world.spec("shop");
    assert_eq!(after.max_memory, Some(ByteSize::mebibytes(300)));
    assert_eq!(after.cron, None);
    assert_eq!(after.restart.delay, RestartDelay::Fixed(std::time::Duration::from_millis(500)));
    assert_eq!(after.launch, before.launch);
    let list = world.list();
    assert_eq!((list[0].app.as_str(), list[0].restarts), ("shop", 1));
    assert!(world.pid_files_are_right(), "{:?}", world.pid_files);
}

#[test]
fn a_name_is_for_one_app_and_must_be_free() {
    let mut world = World::new();
    for name in ["api", "web"] {
        world.declare(app(vec![("name", name.into())]), Unchanged::LeaveAlone);
    }
    let refusal = |world: &mut World, selector: &str, name: &str| {
        let change = changing(vec![("name", name.into())]);
        match world.command(restart(selector, change)) {
            Err(Refusal::NotPossible { reason, .. }) => reason.english().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal(&mut world, "api", "web"), "another app is called `web`");
    let both = refusal(&mut world, "all", "x");
    assert_eq!(both, "`api` and `web` cannot both be called `x`");
    assert!(world.list().iter().all(|it| it.restarts == 0), "nothing was done");
}

#[test]
fn an_updated_environment_loses_what_is_gone_and_stays_filtered() {
    let mut world = World::new();
    let mut spec = app(vec![("name", "api".into())]);
    spec.launch.filter_env = EnvFilter::Containing(vec!["AWS".to_owned()]);
    spec.launch.inherited_env = environment(&[("OLD", "1"), ("KEPT", "1")]).into();
    spec.launch.env = environment(&[("OWN", "declared")]);
    world.declare(spec, Unchanged::LeaveAlone);
    let env = environment(&[("KEPT", "2"), ("NEW", "1"), ("AWS_KEY", "s3cr3t"), ("OWN", "shell")]);
    let update = Change { inherited_env: Some(env), ..Change::default() };
    let done = world.command(restart("api", update)).unwrap();
    let said = "api: inherited environment: new NEW, OWN; gone OLD; changed KEPT";
    assert_eq!(done.notes, [said]);
    let last = world.last_env();
    assert_eq!((last.get("OLD"), last["KEPT"].as_str()), (None, "2"));
    assert_eq!((last.get("AWS_KEY"), last["OWN"].as_str()), (None, "declared"));
}

#[test]
fn a_file_is_the_truth_at_a_restart_and_what_changed_is_told_without_values() {
    let mut world = World::new();
    let mut spec = app(vec![("name", "api".into())]);
    spec.launch.env = environment(&[("DB_PASSWORD", "old-secret"), ("GONE", "1")]);
    world.declare(spec.clone(), Unchanged::LeaveAlone);
    let same = world.declare(spec.clone(), Unchanged::LeaveAlone);
    assert!(same.notes[0].contains("left alone") && world.launches.len() == 1);
    spec.launch.env = environment(&[("DB_PASSWORD", "new-secret"), ("ADDED", "1")]);
    spec.namespace = "shop".to_owned();
    let done = world.declare(spec.clone(), Unchanged::Restart);
    let said = done.notes.join("\n");
    let expected = "api: changed: namespace\napi: declared environment: new ADDED; gone GONE; changed DB_PASSWORD";
    assert_eq!(said, expected);
    assert_eq!(world.last_env().get("GONE"), None);
    world.declare(spec, Unchanged::Restart);
    assert_eq!(world.launches.len(), 3, "restarted although nothing changed");
}

#[test]
fn every_start_tells_why() {
    let mut world = World::new();
    let cause = |world: &World| world.list()[0].last_start.clone().unwrap().cause;
    world.declare(app(vec![("name", "api".into())]), Unchanged::LeaveAlone);
    assert_eq!(cause(&world), Cause::Declared);
    let Phase::Running { run, .. } = world.list()[0].phase else { panic!("it is up") };
    let death = Death::Exited { code: 3 };
    world.die(run, death.clone());
    assert_eq!(cause(&world), Cause::Died { death });
    let selectors = vec!["api".to_owned()];
    world.command(Command::Restart { selectors: selectors.clone(), change: None }).unwrap();
    assert_eq!(cause(&world), Cause::Asked { verb: "restart".to_owned() });
    world.command(Command::Stop { selectors: selectors.clone() }).unwrap();
    world.command(Command::Start { selectors: selectors.clone() }).unwrap();
    assert_eq!(cause(&world), Cause::Asked { verb: "start".to_owned() });
    assert_eq!(world.list()[0].restarts, 2);
    world.command(Command::Reset { selectors }).unwrap();
    assert_eq!(world.list()[0].restarts, 0);
}

#[test]
fn a_signal_goes_to_what_has_a_process_and_says_what_has_none() {
    let mut world = World::new();
    for name in ["api", "web"] {
        world.declare(app(vec![("name", name.into())]), Unchanged::LeaveAlone);
    }
    world.command(Command::Stop { selectors: vec!["web".to_owned()] }).unwrap();
    let selectors = vec!["all".to_owned()];
    let done = world.command(Command::Signal { selectors, signal: Signal::TERM }).unwrap();
    let ok: Vec<bool> = done.instances.iter().map(|it| it.ok).collect();
    assert_eq!((ok, world.signals.len()), (vec![true, false], 1));
}

#[test]
fn a_change_of_nothing_is_none() {
    assert!(changing(Vec::new()).is_empty());
    let known: BTreeSet<String> = changing(vec![("autorestart", false.into())]).fields;
    assert_eq!(known, BTreeSet::from(["autorestart".to_owned()]));
}
