//! The host under pressure: who is restarted for its sake, and who is not.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use zelador_core::check::Status;
use zelador_core::config::Overlay;
use zelador_core::effect::{Deed, Effect};
use zelador_core::incident::{Incident, Trouble};
use zelador_core::input::Fact;
use zelador_core::record::Record;
use zelador_core::spec::{AppSpec, Hook};
use zelador_core::unit::SECOND;

use crate::host_model::{GIGABYTE, Holds, HostModel};
use crate::script::{self, Behaviour, Event, Script, app, declare};
use crate::world::{DAWN, World};

const MINUTE: Duration = Duration::from_mins(1);

/// The host's checks every 10 s, believed after three results, and no notices.
fn settings() -> Overlay {
    let seconds = |secs: u64| serde_json::json!({ "secs": secs, "nanos": 0 });
    serde_json::from_value(serde_json::json!({
        "disk": "off", "cadence": { "interval": seconds(10), "timeout": seconds(2) },
        "heartbeat": script::settings().heartbeat,
    }))
    .unwrap()
}

fn offering(name: &str, gc: bool, cache: bool) -> AppSpec {
    let mut spec = app(name);
    spec.heal.hooks.gc = gc.then(|| Hook::Command("gc".to_owned()));
    spec.heal.hooks.clear_cache = cache.then(|| Hook::Command("cache".to_owned()));
    spec
}

fn holds(now: u64, after_gc: u64, after_cache: u64) -> Holds {
    Holds { now, after_gc, after_cache, fresh: GIGABYTE / 10, cpu: 1.0 }
}

/// A world with this host and these apps.
fn world(specs: &[AppSpec], host: HostModel, seed: u64, rudeness: u8) -> World {
    let refs: Vec<&AppSpec> = specs.iter().collect();
    let events = vec![(Duration::ZERO, Event::User(declare(&refs)))];
    let apps = specs.iter().map(|spec| (spec.clone(), Behaviour::Good)).collect();
    let script = Script { seed, rudeness, apps, events, calm_at: 30 * MINUTE };
    let mut world = World::new(&script);
    world.host = Some(host);
    let base = Fact::BaseSettings(Box::new(settings()));
    world.say(DAWN + SECOND / 100, base, false);
    world
}

fn done(world: &World) -> Vec<String> {
    let host = world.host.as_ref().expect("it has a host");
    let deeds = host.done.iter().map(|(_, what)| what.clone()).filter(|what| what != "look");
    deeds.collect()
}

fn incidents(world: &World, trouble: Trouble) -> Vec<Incident> {
    let all = world.supervisor.incidents().into_iter();
    all.filter(|it| it.trouble == trouble).cloned().collect()
}

fn story_of(incident: &Incident) -> String {
    let lines: Vec<&str> = incident.story.iter().map(|entry| entry.what.as_str()).collect();
    lines.join("\n")
}

#[test]
fn memory_that_a_garbage_collection_frees_costs_nobody_a_restart() {
    let apps = [("api".to_owned(), holds(8 * GIGABYTE, 2 * GIGABYTE, 8 * GIGABYTE))].into();
    let host = HostModel { others: 7 * GIGABYTE, apps, ..HostModel::default() };
    let mut world = world(&[offering("api", true, true)], host, 1, 0);
    assert_eq!(world.run_until(DAWN + 10 * MINUTE), Ok(()));
    assert_eq!(done(&world), ["start api", "gc api"]);
    let incidents = incidents(&world, Trouble::HostMemory);
    let story = story_of(&incidents[0]);
    assert_eq!(incidents[0].state(), "healed", "{story}");
    assert!(story.contains("api (pid 100, app api) uses 1 % of a core and 8.0 GB"), "{story}");
    assert!(story.contains("holds 53.3 % of what is used, and is the cause"), "{story}");
}

#[test]
fn the_biggest_offender_is_restarted_once_and_only_when_nothing_gentler_helped() {
    let big = holds(9 * GIGABYTE, 9 * GIGABYTE, 9 * GIGABYTE);
    let small = holds(GIGABYTE, GIGABYTE / 2, GIGABYTE);
    let apps = [("api".to_owned(), big), ("web".to_owned(), small)].into();
    let host = HostModel { others: 5 * GIGABYTE, apps, ..HostModel::default() };
    let specs = [offering("api", true, true), offering("web", true, false)];
    let mut world = world(&specs, host, 2, 0);
    assert_eq!(world.run_until(DAWN + 20 * MINUTE), Ok(()));
    let done = done(&world);
    assert_eq!(done, ["start api", "start web", "gc api", "cache api", "start api"], "{done:?}");
}

#[test]
fn a_host_that_others_fill_costs_our_apps_nothing() {
    let apps = [("api".to_owned(), holds(GIGABYTE, GIGABYTE, GIGABYTE))].into();
    let host = HostModel { others: 15 * GIGABYTE, apps, ..HostModel::default() };
    let mut world = world(&[offering("api", false, false)], host, 3, 0);
    assert_eq!(world.run_until(DAWN + 20 * MINUTE), Ok(()));
    assert_eq!(done(&world), ["start api"]);
    let incidents = incidents(&world, Trouble::HostMemory);
    let story = story_of(&incidents[0]);
    assert_eq!(incidents[0].app.as_str(), Incident::HOST_NAME);
    assert!(story.contains("mysqld (pid 2) uses") && story.contains("none of our apps"), "{story}");
    // It is over when the others are smaller.
    if let Some(host) = world.host.as_mut() {
        host.others = 4 * GIGABYTE;
    }
    assert_eq!(world.run_until(DAWN + 25 * MINUTE), Ok(()));
    assert!(!self::incidents(&world, Trouble::HostMemory)[0].is_open());
}

#[test]
fn busy_processors_are_watched_for_two_minutes() {
    let busy = Holds { cpu: 390.0, ..holds(GIGABYTE, GIGABYTE, GIGABYTE) };
    let host = HostModel { apps: [("api".to_owned(), busy)].into(), ..HostModel::default() };
    let mut world = world(&[app("api")], host, 4, 0);
    assert_eq!(world.run_until(DAWN + 2 * MINUTE - SECOND), Ok(()));
    assert_eq!(incidents(&world, Trouble::HostCpu), [], "not yet");
    assert_eq!(world.run_until(DAWN + 3 * MINUTE), Ok(()));
    let incidents = incidents(&world, Trouble::HostCpu);
    let story = story_of(&incidents[0]);
    assert!(story.contains("uses 390 % of a core"), "{story}");
    assert!(story.contains("its busiest threads: api 390 %"), "{story}");
    assert!(story.contains("its own work goes on: it is left alone"), "{story}");
    assert_eq!(world.run_until(DAWN + 15 * MINUTE), Ok(()));
    assert_eq!(done(&world), ["start api"], "nobody restarts what works");
}

#[test]
fn one_that_is_the_cause_and_has_stalled_itself_is_restarted() {
    let busy = Holds { cpu: 390.0, ..holds(GIGABYTE, GIGABYTE, GIGABYTE) };
    let host = HostModel { apps: [("api".to_owned(), busy)].into(), ..HostModel::default() };
    let mut spec = app("api");
    // It is not ready, and no liveness probe says so.
    spec.probes.readiness = Some(script::health("api"));
    let mut world = world(&[spec], host, 5, 0);
    world.behaviours.insert("api".to_owned(), Behaviour::Sick);
    assert_eq!(world.run_until(DAWN + 4 * MINUTE), Ok(()));
    let done = done(&world);
    assert!(done.iter().filter(|what| *what == "start api").count() >= 2, "{done:?}");
    let incidents = incidents(&world, Trouble::HostCpu);
    assert!(story_of(&incidents[0]).contains("its own work has stalled"), "{incidents:?}");
}

/// What the host's rules forbid, as seen from outside: the first thing that breaks one.
fn broken(world: &World, specs: &[AppSpec], shares: &BTreeMap<String, f64>) -> Option<String> {
    let done = &world.host.as_ref()?.done;
    for spec in specs {
        let name = spec.name.as_str();
        let starts = done.iter().filter(|(_, what)| *what == format!("start {name}")).count();
        if starts <= 1 {
            continue;
        }
        if shares[name] < 20.0 {
            return Some(format!("{name} is restarted with {} %", shares[name]));
        }
        let place = |what: String| done.iter().position(|(_, it)| *it == what);
        let start = done.iter().rposition(|(_, what)| *what == format!("start {name}"))?;
        let hooks = &spec.heal.hooks;
        for (offered, word) in [(hooks.gc.is_some(), "gc"), (hooks.clear_cache.is_some(), "cache")]
        {
            if !offered {
                continue;
            }
            let Some(tried) = place(format!("{word} {name}")).filter(|at| *at < start) else {
                return Some(format!("{name} is restarted before `{word}` was tried"));
            };
            if !done[tried..start].iter().any(|(_, what)| what == "look") {
                return Some(format!("{name}: nobody measured again after `{word}`"));
            }
        }
    }
    None
}

/// A host at random.
fn random(seed: u64) -> (Vec<AppSpec>, HostModel) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut size = |most: u64| rng.u64(1..most * 10) * GIGABYTE / 10;
    let others = size(14);
    let apps: Vec<(String, Holds)> = ["api", "web", "job"]
        .into_iter()
        .map(|name| {
            let now = size(8);
            (name.to_owned(), holds(now, size(8), size(8)))
        })
        .collect();
    let specs = ["api", "web", "job"].map(|name| offering(name, rng.bool(), rng.bool())).to_vec();
    (specs, HostModel { others, apps: apps.into_iter().collect(), ..HostModel::default() })
}

#[test]
fn on_no_host_is_an_app_restarted_that_is_not_the_cause_or_before_what_is_gentle() {
    let mut restarted = 0;
    for seed in 0..150 {
        let (specs, host) = random(seed);
        // At the moment of the survey they hold what they hold now, or less.
        let shares = specs.iter().map(|it| it.name.to_string());
        let shares: BTreeMap<String, f64> = shares
            .map(|name| (name.clone(), host.share(&name).max(share_alone(&host, &name))))
            .collect();
        let mut world = world(&specs, host, seed, (seed % 3) as u8);
        assert_eq!(world.run_until(DAWN + 20 * MINUTE), Ok(()), "seed {seed}");
        assert_eq!(broken(&world, &specs, &shares), None, "seed {seed}: {:?}", done(&world));
        restarted += done(&world).iter().filter(|what| what.starts_with("start")).count() - 3;
    }
    assert!(restarted > 5, "otherwise the rule could not be broken: {restarted}");
}

/// The most that an app's share can become while the other apps free what they can.
fn share_alone(host: &HostModel, name: &str) -> f64 {
    let own = host.apps[name].now;
    let least = host.apps.iter().filter(|(other, _)| *other != name);
    let least: u64 =
        least.map(|(_, it)| it.now.min(it.after_gc).min(it.after_cache).min(it.fresh)).sum();
    own as f64 / (host.others + own + least) as f64 * 100.0
}

#[test]
fn the_rule_of_the_host_is_seen_broken() {
    let big = holds(9 * GIGABYTE, 9 * GIGABYTE, 9 * GIGABYTE);
    let host = HostModel {
        others: 6 * GIGABYTE,
        apps: [("api".to_owned(), big)].into(),
        ..HostModel::default()
    };
    let specs = [offering("api", true, true)];
    let mut world = world(&specs, host, 6, 0);
    // A remedy that never reaches the app.
    let lost = Rc::new(RefCell::new(0));
    let count = Rc::clone(&lost);
    world.sabotage = Some(Box::new(move |_, effects| {
        for effect in effects {
            if let Effect::Apply { deed, .. } = effect
                && let Deed::Command { argv, .. } = &mut **deed
            {
                *argv = vec!["nothing".to_owned()];
                *count.borrow_mut() += 1;
            }
        }
    }));
    assert_eq!(world.run_until(DAWN + 10 * MINUTE), Ok(()));
    assert!(*lost.borrow() > 0);
    let shares = [("api".to_owned(), 60.0)].into();
    let broken = broken(&world, &specs, &shares).unwrap_or_default();
    assert!(broken.contains("before `gc` was tried"), "{broken}");
    let kept = world.kept.values().any(|it| matches!(it, Record::Incident(_)));
    assert!(kept);
}

/// A day and two hours of a quiet host; then it is not quiet any more.
#[test]
fn what_is_usual_is_learnt_kept_and_never_silences_what_is_fixed() {
    let hours = |count: u32| 60 * MINUTE * count;
    let apps = [("api".to_owned(), holds(6 * GIGABYTE, GIGABYTE, GIGABYTE))].into();
    let host = HostModel { others: GIGABYTE / 2, apps, ..HostModel::default() };
    let mut world = world(&[app("api")], host, 9, 0);
    let seconds = |secs: u64| serde_json::json!({ "secs": secs, "nanos": 0 });
    let settings: Overlay = serde_json::from_value(serde_json::json!({
        "disk": "off", "cpu": "off", "cadence": { "interval": seconds(60), "timeout": seconds(2) },
        "memory": { "on": { "degraded": 90.0, "unhealthy": 90.0, "margin": 3.0,
            "watch": seconds(0), "cause": 99.0, "auto": true } },
        "heartbeat": script::settings().heartbeat,
    }))
    .unwrap();
    world.say(DAWN + SECOND, Fact::BaseSettings(Box::new(settings)), false);
    assert_eq!(world.run_until(DAWN + hours(26)), Ok(()));
    let memory = |world: &World| {
        let health = world.supervisor.health();
        health.checks.into_iter().find(|it| it.component == "memory").expect("it is looked at")
    };
    assert_eq!(memory(&world).status, Status::Healthy);
    assert!(world.kept.contains_key("usual/memory share"), "it outlives the engine");
    if let Some(host) = world.host.as_mut() {
        host.others += 3 * GIGABYTE;
    }
    assert_eq!(world.run_until(DAWN + hours(26) + 10 * MINUTE), Ok(()));
    let found = memory(&world);
    assert_eq!(found.status, Status::Degraded, "{found:?}");
    assert!(found.message.ends_with(": normally 40.6 %–40.6 % at this hour"), "{found:?}");
    if let Some(host) = world.host.as_mut() {
        host.others += 7 * GIGABYTE;
    }
    assert_eq!(world.run_until(DAWN + hours(26) + 20 * MINUTE), Ok(()));
    assert_eq!(memory(&world).status, Status::Unhealthy, "90 % is fixed");
}
