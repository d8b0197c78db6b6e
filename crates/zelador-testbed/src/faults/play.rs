//! Plays faults in one zelador, all at once, and watches each to its end.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use zelador_api::unit::Moment;
use zelador_api::{Incident, Outcome, Stage};

use super::judge::{End, Seen, Verdict, judge};
use super::place::{Place, Scene};
use super::record;
use super::{Ends, Fault, LIMIT};
use crate::disk::own_mounts;
use crate::home::{Zelador, until_within};
use crate::receiver::{Receiver, Reply};

/// From one look at the record to the next.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// From one fault to the next. No host has sixty of them in the same moment, and on a small one their processes would only
/// wait for each other.
const APART: Duration = Duration::from_millis(500);

/// How long a service that is said to be healed may take to answer on a busy machine.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// An app that nothing is wrong with, and nobody may touch.
const BYSTANDER: &str = "bystander";

/// Plays these in one zelador (`binary`) with a home of its own, each begun soon after the one before. A fault that cannot be had
/// on this host says why.
///
/// # Panics
/// A world cannot be made, or an app does not work before anything is done to it.
pub fn play(binary: &Path, faults: &[&'static Fault]) -> Vec<Result<Verdict, String>> {
    // Zelador must see the disks too, so before it is started.
    let mounts = own_mounts();
    let zelador = Zelador::new(&binary.to_string_lossy());
    let person = Receiver::start(Reply::Say(200, "", "ok"));
    // Servers take seconds to start: all at the same time.
    let mut staged: Vec<(&'static Fault, Result<Scene, String>)> = thread::scope(|scope| {
        let staging: Vec<_> = faults
            .iter()
            .map(|fault| {
                let place = Place::new(&zelador, fault.name, mounts.clone());
                (*fault, scope.spawn(move || (fault.stage)(&place)))
            })
            .collect();
        let done = staging.into_iter();
        done.map(|(fault, it)| (fault, it.join().expect("a world can be made"))).collect()
    });
    let scenes = staged.iter_mut().filter_map(|(_, scene)| scene.as_mut().ok());
    begin(&zelador, &person, scenes);
    let bystander = zelador.pid(BYSTANDER);
    let seen: Vec<(&'static Fault, Result<Seen, String>)> = thread::scope(|scope| {
        let (zelador, person) = (&zelador, &person);
        let playing: Vec<_> = staged
            .into_iter()
            .zip(0_u32..)
            .map(|((fault, scene), number)| {
                let watch = move || {
                    let scene = scene?;
                    thread::sleep(APART * number);
                    Ok(watch(zelador, person, fault, scene))
                };
                (fault, scope.spawn(watch))
            })
            .collect();
        let done = playing.into_iter();
        done.map(|(fault, it)| (fault, it.join().expect("a fault can be watched"))).collect()
    });
    let touched = zelador.pid(BYSTANDER) != bystander || zelador.restarts(BYSTANDER) != 0;
    let verdict = |(fault, seen): (&'static Fault, Result<Seen, String>)| {
        let mut seen = seen?;
        if touched {
            seen.harm.push("an app was touched that nothing was wrong with".to_owned());
        }
        Ok(judge(fault, seen))
    };
    seen.into_iter().map(verdict).collect()
}

/// Declares everything, and waits until everything works.
fn begin<'a>(zelador: &Zelador, person: &Receiver, scenes: impl Iterator<Item = &'a mut Scene>) {
    let scenes: Vec<&mut Scene> = scenes.collect();
    let mut apps = vec![
        json!({ "name": BYSTANDER, "script": "sleep", "interpreter": "none", "args": ["100000"] }),
    ];
    let mut databases = Map::new();
    for scene in &scenes {
        apps.extend(scene.apps.iter().cloned());
        databases.extend(scene.databases.clone());
    }
    let settings = json!({
        "checks": { "cpu": false, "memory": false, "disk": false },
        "databases": databases,
        "notify": {
            "channels": { "person": { "webhook": { "url_env": "PERSON_URL" } } },
            "rate_limit": { "most": 1000, "within": "1m" },
        },
    });
    fs::create_dir_all(zelador.home()).expect("the folder is ours");
    let secret = format!("PERSON_URL={}\n", person.url());
    fs::write(zelador.home().join("secrets.env"), secret).expect("the folder is ours");
    let all: Value = json!({ "apps": apps, "zelador": settings });
    zelador.write("ecosystem.config.json", &all.to_string());
    zelador.ok(&["start", "ecosystem.config.json"]);
    for scene in scenes {
        let what = format!("{} to work", scene.apps[0]["name"]);
        until_within(&what, LIMIT, &mut || (scene.well)());
    }
}

/// Does one fault, and watches until it has come to its end.
fn watch(zelador: &Zelador, person: &Receiver, fault: &'static Fault, scene: Scene) -> Seen {
    // A busy machine may have been too slow for a check before anything was wrong.
    until_within("nothing to be treated", LIMIT, || {
        record::incidents(zelador, fault.name, Moment::default()).iter().all(|it| !it.is_open())
            && (scene.well)()
    });
    let (injected, begun) = (now(), Instant::now());
    (scene.inject)(zelador);
    let mut mend = scene.mend;
    let (mut falsely_healed, mut end) = (false, End::Neither);
    let (mut incidents, mut decided) = (Vec::new(), None);
    while end == End::Neither && begun.elapsed() < LIMIT {
        thread::park_timeout(LOOK_EVERY);
        incidents = record::incidents(zelador, fault.name, injected);
        decided = decided.or_else(|| incidents.first().filter(|it| is_decided(it)).cloned());
        if let Some(act) = mend.take_if(|_| decided.is_some()) {
            act(zelador);
        }
        let is_over = !incidents.is_empty() && incidents.iter().all(|it| !it.is_open());
        if is_over && incidents.iter().any(is_said_to_be_well) {
            if !comes_to_answer(&scene.well) {
                falsely_healed = true;
            }
            end = End::Healed(begun.elapsed());
        } else if decided.is_some()
            && let Some(at) = record::told(person, fault.name, begun)
            && (fault.ends == Ends::Told || incidents.iter().any(|it| it.stage == Stage::Escalated))
        {
            end = End::Told(at - begun);
        }
    }
    let harm = (scene.harm)().into_iter().collect();
    let events = record::events(zelador, injected);
    Seen { incidents, decided, events, injected, end, falsely_healed, harm }
}

/// Whether zelador knows what it is, and has begun to do something about it.
fn is_decided(incident: &Incident) -> bool {
    let looks = matches!(incident.stage, Stage::Gathering { .. } | Stage::Asking { .. });
    incident.diagnosis.is_some() && !looks
}

fn is_said_to_be_well(incident: &Incident) -> bool {
    matches!(incident.stage, Stage::Closed { outcome: Outcome::Healed | Outcome::Recovered })
}

fn comes_to_answer(well: &dyn Fn() -> bool) -> bool {
    let limit = Instant::now() + ANSWERS_WITHIN;
    while !well() {
        if Instant::now() > limit {
            return false;
        }
        thread::park_timeout(LOOK_EVERY);
    }
    true
}

/// The wall clock, which zelador's record is in.
fn now() -> Moment {
    Moment::from_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
