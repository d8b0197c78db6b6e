//! Scripts by chance: a seed goes in, a script comes out.

use std::time::Duration;

use zelador_core::config::Change;
use zelador_core::id::AppName;
use zelador_core::input::{Command, Replicas, Surplus, Unchanged};
use zelador_core::signal::Signal;
use zelador_core::spec::{
    AppSpec, Condition, CronPattern, ExecMode, OnDependencyDown, RestartDelay,
};
use zelador_core::unit::{ByteSize, SECOND};

use crate::script::{
    Behaviour, DATABASE, Event, Loss, Script, app, declare, delete, health, reload, restart,
    settings, start, stop,
};

/// Returns the story of a seed.
pub fn generate(seed: u64) -> Script {
    let mut rng = fastrand::Rng::with_seed(seed);
    let rudeness = rng.u8(0..3);
    let calm_at = rng.u32(60..240) * SECOND;
    let names = ["api", "web", "job"];
    let count = rng.usize(1..=names.len());
    let mut apps: Vec<(AppSpec, Behaviour)> =
        names[..count].iter().map(|name| random_app(&mut rng, name)).collect();
    for later in 1..count {
        depend_on_earlier(&mut rng, &mut apps, later);
    }
    let mut events = vec![(Duration::ZERO, Event::User(declare_all(&apps)))];
    let moment =
        |rng: &mut fastrand::Rng| Duration::from_millis(rng.u64(0..calm_at.as_millis() as u64));
    for _ in 0..rng.usize(0..8) {
        let command = random_command(&mut rng, &apps);
        events.push((moment(&mut rng), Event::User(command)));
    }
    for _ in 0..rng.usize(0..3) {
        let at = moment(&mut rng);
        events.push((at, Event::Database(false)));
        events.push((at + rng.u32(1..60) * SECOND, Event::Database(true)));
    }
    if rng.bool() {
        for _ in 0..rng.usize(1..4) {
            let away = Duration::from_millis(rng.u64(1..5_000));
            let at = moment(&mut rng);
            let when = if rng.bool() { Loss::InStep } else { Loss::Now };
            events.push((at, Event::EngineLost { when, away }));
        }
    }
    if rudeness == 2 && rng.u8(0..4) == 0 {
        events.push((moment(&mut rng), Event::Stall(rng.u32(1..50) * SECOND)));
    }
    for (spec, _) in &apps {
        if rng.u8(0..4) == 0 {
            let becomes = Event::Becomes(spec.name.to_string(), random_behaviour(&mut rng));
            events.push((moment(&mut rng), becomes));
        }
    }
    if rng.u8(0..3) == 0 {
        let away = Duration::from_millis(rng.u64(1..5_000));
        events.push((moment(&mut rng), Event::EngineLost { when: Loss::AheadOfRecord, away }));
    }
    if rng.u8(0..4) == 0 {
        let away = Duration::from_millis(rng.u64(1..5_000));
        let all_ends = Event::AllEnds { asked: rng.bool(), boots: rng.bool(), away };
        events.push((moment(&mut rng), all_ends));
    }
    Script { seed, rudeness, apps, events, calm_at }
}

fn declare_all(apps: &[(AppSpec, Behaviour)]) -> Command {
    let specs: Vec<&AppSpec> = apps.iter().map(|(spec, _)| spec).collect();
    let Command::Declare { apps, .. } = declare(&specs) else { unreachable!() };
    let unchanged = Unchanged::LeaveAlone;
    Command::Declare { apps, settings: Some(Box::new(settings())), unchanged }
}

fn random_app(rng: &mut fastrand::Rng, name: &str) -> (AppSpec, Behaviour) {
    let mut spec = app(name);
    let behaviour = random_behaviour(rng);
    spec.instances = rng.u32(1..=2);
    spec.restart.max_restarts = rng.u32(1..6);
    spec.restart.delay = match rng.u8(0..3) {
        0 => RestartDelay::None,
        1 => RestartDelay::Fixed(Duration::from_millis(rng.u64(0..3_000))),
        _ => RestartDelay::Exponential(Duration::from_millis(rng.u64(1..500))),
    };
    if rng.bool() {
        spec.mode = ExecMode::Cluster;
    }
    spec.readiness.wait = rng.u8(0..4) == 0;
    spec.readiness.within = Duration::from_millis(rng.u64(100..3_000));
    spec.stop.message = rng.u8(0..4) == 0;
    spec.restart.autorestart = rng.u8(0..8) > 0;
    if rng.u8(0..3) == 0 {
        spec.restart.restart_window = Some(rng.u32(5..120) * SECOND);
    }
    if rng.u8(0..8) == 0 {
        spec.restart.half_open_after = None;
    }
    spec.stop.grace = Duration::from_millis(rng.u64(100..5_000));
    if rng.u8(0..4) > 0 {
        spec.health = Some(health(name));
    }
    if rng.u8(0..4) == 0 {
        spec.probes.startup = Some(health(name));
    }
    if rng.u8(0..4) == 0 {
        spec.probes.readiness = Some(health(name));
    }
    if rng.bool() {
        spec.depends_on.push(DATABASE.to_owned());
    } else {
        spec.max_memory = Some(ByteSize::mebibytes(100));
        if rng.u8(0..4) == 0 {
            spec.cron = Some(CronPattern::new("* * * * *").unwrap());
        }
    }
    if rng.u8(0..4) == 0 {
        spec.on_dependency_down = OnDependencyDown::Restart;
    }
    (spec, behaviour)
}

/// Some apps need one that was declared before, with some condition that can come true.
fn depend_on_earlier(rng: &mut fastrand::Rng, apps: &mut [(AppSpec, Behaviour)], later: usize) {
    if rng.bool() {
        return;
    }
    let (needed, _) = &apps[rng.usize(0..later)];
    let (name, ends) = (needed.name.to_string(), !needed.restart.autorestart);
    let condition = match rng.u8(0..6) {
        0 => Some(Condition::Started),
        1 => Some(Condition::Ready),
        2 => Some(Condition::Healthy),
        3 if ends => Some(Condition::Completed),
        _ => None,
    };
    let with = ["api", "web", "job"].into_iter().find(|it| *it == name);
    match (rng.u8(0..4), with) {
        (0, Some(with)) => apps[later].1 = Behaviour::DiesWith(with),
        (1, Some(with)) => apps[later].1 = Behaviour::SickWith(with),
        _ => {}
    }
    let spec = &mut apps[later].0;
    spec.conditions.extend(condition.map(|condition| (name.clone(), condition)));
    spec.depends_on.push(name);
    if rng.u8(0..4) == 0 && spec.depends_on.iter().any(|name| name == DATABASE) {
        spec.conditions.insert(DATABASE.to_owned(), Condition::Healthy);
    }
}

fn random_behaviour(rng: &mut fastrand::Rng) -> Behaviour {
    match rng.u8(0..19) {
        0 | 1 => Behaviour::Mortal(Duration::from_millis(rng.u64(100..20_000))),
        2 => Behaviour::Stillborn,
        3 => Behaviour::Stubborn,
        4 => Behaviour::Leaky,
        5 | 6 => Behaviour::HangsAfter(rng.u32(0..40) * SECOND),
        7 => Behaviour::Sick,
        8 => Behaviour::DiesWithDatabase,
        9 => Behaviour::SickWithDatabase,
        10 => Behaviour::SickForGoodWithDatabase,
        11 => Behaviour::Unstartable,
        12 => Behaviour::FailsToSpawn,
        13 => Behaviour::Forking,
        14 => Behaviour::Broken,
        16 => Behaviour::Busy { until: rng.u32(10..300) * SECOND },
        17 => Behaviour::PortTaken,
        15 => Behaviour::ComesAndGoes { until: rng.u32(40..300) * SECOND },
        _ => Behaviour::Good,
    }
}

fn random_command(rng: &mut fastrand::Rng, apps: &[(AppSpec, Behaviour)]) -> Command {
    let (spec, _) = &apps[rng.usize(0..apps.len())];
    let selector = match rng.u8(0..4) {
        0 => "all".to_owned(),
        1 => rng.u32(0..3).to_string(),
        _ => spec.name.to_string(),
    };
    match rng.u8(0..17) {
        15 | 16 => {
            let to = match rng.u8(0..3) {
                0 => Replicas::Exactly(rng.u32(0..4)),
                1 => Replicas::More(rng.u32(0..3)),
                _ => Replicas::Fewer(rng.u32(0..3)),
            };
            let surplus = if rng.bool() { Surplus::Newest } else { Surplus::LowestId };
            Command::Scale { selectors: vec![selector], to, surplus }
        }
        12 => Command::Reset { selectors: vec![selector] },
        13 => Command::Signal { selectors: vec![selector], signal: Signal::TERM },
        14 => Command::Restart {
            selectors: vec![selector],
            change: Some(Box::new(change(rng, spec))),
        },
        0 | 1 => start(vec![selector]),
        2 | 3 => stop(vec![selector]),
        4 | 5 => restart(vec![selector]),
        6 => delete(vec![selector]),
        7 | 8 => reload(vec![selector]),
        9 => declare(&[spec]),
        10 => {
            let mut other = spec.clone();
            other.launch.args.push("--other".to_owned());
            other.instances = rng.u32(1..=3);
            declare(&[&other])
        }
        _ => Command::CheckNow,
    }
}

/// Another name, policy and number of replicas.
fn change(rng: &mut fastrand::Rng, spec: &AppSpec) -> Change {
    let mut app = spec.clone();
    app.name = AppName::new(["api", "web", "job", "other"][rng.usize(0..4)]).unwrap();
    app.restart.max_restarts = rng.u32(1..6);
    app.instances = rng.u32(1..=3);
    let mut fields = ["name", "max_restarts", "instances", "namespace"].map(str::to_owned).to_vec();
    fields.retain(|_| rng.bool());
    Change { fields: fields.into_iter().collect(), app: Some(Box::new(app)), inherited_env: None }
}
