//! One app: the block in the file becomes an [`AppSpec`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::defaults::Defaults;
use super::ecosystem::Context;
use super::fields::{APP, DEPENDENCY};
use super::interpreter::is_node;
use super::names::{canonical, nearest};
use super::node::{Key, Value};
use super::place::{Block, Place};
use super::probe::Around;
use super::{heal, health, launch, limits, logs, maintenance, protocol, watch};
use crate::id::AppName;
use crate::signal::Signal;
use crate::spec::{
    AppSpec, Cadence, Condition, CronPattern, ExecMode, LaunchSpec, MAX_OPEN, Notify,
    OnDependencyDown, ProbesSpec, Readiness, RestartDelay, RestartPolicy, StopPolicy,
};
use crate::unit::SECOND;
use crate::unseen::is_unfit_in_name;
use crate::watch::absolute;

/// PM2: `max_restarts` in its schema.
const MAX_RESTARTS: i64 = 16;
/// PM2: `min_uptime` in its schema.
const MIN_UPTIME: Duration = SECOND;
/// PM2 refuses less.
const LEAST_MIN_UPTIME: Duration = Duration::from_millis(100);
/// Ours: how long a breaker stays open before its first trial.
const HALF_OPEN_AFTER: Duration = Duration::from_mins(1);
/// More replicas than this are a slip of the finger.
const MOST_INSTANCES: i64 = 1024;

/// An app, and where things of it stand that are checked over the whole file.
pub(super) struct Checked<'a> {
    pub(super) app: AppSpec,
    pub(super) name: Place<'a>,
    pub(super) depends_on: Option<Place<'a>>,
}

/// Returns the app; `None` if it is no table at all.
pub(super) fn check<'a>(
    place: &Place<'a>,
    context: &Context,
    cadence: Cadence,
) -> Option<Checked<'a>> {
    let mut env_blocks: Vec<(&'a Key, Place<'a>)> = Vec::new();
    let entries = place.entries().unwrap_or_default();
    for (key, place) in entries {
        if is_env_block(&key.name) && !place.is_null() {
            env_blocks.push((key, place));
        }
    }
    let lenient = context.defaults.lenient;
    let app = place.block_with("an app", APP, |key, place| {
        is_env_block(&key.name) || (lenient && passed_over(&key.name, place))
    })?;
    let launch =
        launch::check(&app, &env_blocks, context).unwrap_or_else(|| launch::placeholder(context));
    let name_place = app.get("name").or_else(|| app.get("script")).unwrap_or(place).clone();
    let flag = |name: &str, default| app.get(name).and_then(Place::flag).unwrap_or(default);
    let name = name(&app, &name_place, &launch.default_name, context);
    let defaults = &context.defaults;
    let combined = defaults.logs.join(format!("{}.log", name.file_stem()));
    let namespace = app.get("namespace").and_then(Place::text_or_number);
    let (needs, conditions) = depends_on(&app, &name);
    let sockets = protocol::sockets(&app, &launch.spec.cwd);
    let notify = protocol::notify(&app, sockets.len());
    let around = Around {
        env: &launch.spec.env,
        folder: &launch.spec.cwd,
        user: launch.spec.uid.as_deref(),
    };
    let mut probes = ProbesSpec::default();
    let spec = AppSpec {
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
        instances: instances(&app, context.cores),
        mode: mode(&app, &launch.spec),
        readiness: readiness(&app, defaults, &notify),
        autostart: flag("autostart", true),
        restart: restart(&app),
        stop: StopPolicy {
            signal: app.get("kill_signal").and_then(signal).unwrap_or(defaults.signal),
            grace: span(&app, "kill_timeout").unwrap_or(defaults.grace),
            tree: flag("treekill", true),
            message: flag("shutdown_with_message", defaults.message),
        },
        max_memory: app.get("max_memory_restart").filter(|p| !p.is_false()).and_then(Place::size),
        cron: app.get("cron_restart").and_then(cron),
        maintenance: app.get("maintenance").map(maintenance::windows).unwrap_or_default(),
        logs: logs::check(&app, &launch.spec.cwd, &combined),
        health: health::all(&app, &around, cadence, &mut probes),
        probes,
        depends_on: needs,
        conditions,
        on_dependency_down: app
            .get("on_dependency_down")
            .and_then(on_dependency_down)
            .unwrap_or_default(),
        watch: watch::check(&app),
        heal: heal::check(&app, &launch.spec.cwd),
        raised: BTreeMap::new(),
        notify,
        sockets,
        limits: limits::check(&app),
        source: None,
        pid_file: app.get("pid_file").and_then(|place| pid_file(place, &launch.spec.cwd)),
        launch: launch.spec,
        name,
    };
    note_what_has_no_effect(&app);
    Some(Checked { app: spec, name: name_place, depends_on: app.get("depends_on").cloned() })
}

/// Notes a field that nobody knows; true: that is no mistake.
fn passed_over(name: &str, place: &Place<'_>) -> bool {
    let near = nearest(name, APP).map(|near| format!("; did you mean `{near}`?"));
    place.note(format!("is an unknown field, and has no effect{}", near.unwrap_or_default()));
    true
}

fn is_env_block(name: &str) -> bool {
    name.len() > 4 && name.starts_with("env_") && canonical(name, APP).is_none()
}

fn name(app: &Block<'_>, place: &Place<'_>, default: &str, context: &Context) -> AppName {
    let given = app.get("name").map(Place::text_or_number);
    let mut name = match &given {
        Some(Some(given)) => given.trim().to_owned(),
        _ => default.to_owned(),
    };
    if let Some(prefix) = app.get("name_prefix").and_then(Place::text_or_number) {
        name = format!("{prefix}:{name}");
    }
    let append = app.get("append_env_to_name").and_then(Place::flag).unwrap_or(false);
    if let (true, Some(env)) = (append, &context.env_name) {
        name = format!("{name}-{env}");
    }
    let name = Some(name).filter(|name| !name.contains(is_unfit_in_name)).and_then(AppName::new);
    name.unwrap_or_else(|| {
        if given != Some(None) {
            place.refuse::<()>(
                "a name of 1 to 128 bytes without control characters and characters that are not seen",
            );
        }
        AppName::new("unnamed").expect("a plain word is a name")
    })
}

fn instances(app: &Block<'_>, cores: u32) -> u32 {
    let Some(place) = app.get("instances") else { return 1 };
    let cores = i64::from(cores.max(1));
    let given = match &place.node.value {
        Value::Text(text) if text.trim() == "max" => Some(0),
        Value::Number(_) | Value::Text(_) => place
            .number()
            .filter(|number| number.fract() == 0.0 && number.abs() <= MOST_INSTANCES as f64)
            .map(|number| number as i64),
        _ => None,
    };
    let Some(given) = given else {
        place.refuse::<()>(format!(
            "a whole number up to {MOST_INSTANCES}, `max` (as many as processors), or a negative \
             number (that many fewer)"
        ));
        return 1;
    };
    let count = if given > 0 { given } else { (cores + given).max(1) };
    count as u32
}

/// As PM2 has it: what is asked for, else cluster when the number of instances of a Node app is given.
fn mode(app: &Block<'_>, launch: &LaunchSpec) -> ExecMode {
    let program = launch.interpreter.as_deref().unwrap_or_default();
    let node = is_node(program);
    let Some(place) = app.get("exec_mode") else {
        let counted = app.get("instances").is_some();
        return if node && counted { ExecMode::Cluster } else { ExecMode::Fork };
    };
    match &place.node.value {
        Value::Text(mode) if mode == "fork" || mode == "fork_mode" => ExecMode::Fork,
        Value::Text(mode) if mode == "cluster" || mode == "cluster_mode" => {
            if !node {
                place.note(
                    "cluster mode is for programs that node or bun runs: these are separate processes",
                );
                return ExecMode::Fork;
            }
            ExecMode::Cluster
        }
        _ => place.refuse("`fork` or `cluster`").unwrap_or_default(),
    }
}

fn readiness(app: &Block<'_>, defaults: &Defaults, notify: &Notify) -> Readiness {
    let usual = if notify.says_ready() { protocol::READY_WITHIN } else { defaults.ready_within };
    Readiness {
        wait: app.get("wait_ready").and_then(Place::flag).unwrap_or_default(),
        within: span(app, "listen_timeout").unwrap_or(usual),
    }
}

fn restart(app: &Block<'_>) -> RestartPolicy {
    let flag = |name: &str, default| app.get(name).and_then(Place::flag).unwrap_or(default);
    let max = |place: &Place<'_>| place.whole(0..=i64::from(u32::MAX));
    let fixed = span(app, "restart_delay").filter(|delay| !delay.is_zero());
    let growing = span(app, "exp_backoff_restart_delay").filter(|delay| !delay.is_zero());
    let delay = match (growing, fixed) {
        (Some(first), _) => RestartDelay::Exponential(first),
        (None, Some(always)) => RestartDelay::Fixed(always),
        (None, None) => RestartDelay::None,
    };
    let min_uptime = app.get("min_uptime").and_then(|place| place.span(LEAST_MIN_UPTIME));
    RestartPolicy {
        autorestart: flag("autorestart", true),
        max_restarts: app.get("max_restarts").and_then(max).unwrap_or(MAX_RESTARTS) as u32,
        min_uptime: min_uptime.unwrap_or(MIN_UPTIME),
        delay,
        stop_exit_codes: app.get("stop_exit_codes").and_then(exit_codes).unwrap_or_default(),
        half_open_after: match app.get("half_open_after") {
            None => Some(HALF_OPEN_AFTER),
            Some(place) if place.is_false() => None,
            Some(place) => half_open_after(place),
        },
        restart_window: app
            .get("restart_window")
            .filter(|place| !place.is_false())
            .and_then(|place| place.span(SECOND)),
    }
}

fn pid_file(place: &Place<'_>, cwd: &Path) -> Option<PathBuf> {
    Some(absolute(cwd, &place.text()?))
}

fn half_open_after(place: &Place<'_>) -> Option<Duration> {
    match place.span(SECOND)? {
        span if span > MAX_OPEN => place.refuse("at most 30m, or false"),
        span => Some(span),
    }
}

fn exit_codes(place: &Place<'_>) -> Option<Vec<i32>> {
    let code = |place: &Place<'_>| place.whole(0..=255).map(|code| code as i32);
    match &place.node.value {
        Value::List(_) => place.items().iter().map(code).collect(),
        _ => Some(vec![code(place)?]),
    }
}

fn span(app: &Block<'_>, name: &str) -> Option<Duration> {
    app.get(name).and_then(|place| place.span(Duration::ZERO))
}

fn signal(place: &Place<'_>) -> Option<Signal> {
    match Signal::parse(place.text_or_number()?.trim()) {
        Some(signal) => Some(signal),
        None => place.refuse("a signal like `SIGTERM`, or its number from 1 to 64"),
    }
}

/// `false`, 0 and an empty text switch it off, as on PM2's command line.
fn cron(place: &Place<'_>) -> Option<CronPattern> {
    let text = match &place.node.value {
        Value::Bool(false) => return None,
        Value::Text(text) if text.trim().is_empty() || text.trim() == "0" => return None,
        Value::Number(number) if number.abs() < 0.5 => return None,
        Value::Text(text) => text.trim(),
        _ => return place.refuse("a cron pattern like `0 3 * * *`"),
    };
    match CronPattern::new(text) {
        Ok(pattern) => Some(pattern),
        Err(reason) => place.refuse_with_help(
            "a cron pattern of five fields like `0 3 * * *`, or six with seconds first",
            reason.trim_end_matches('.').to_owned(),
        ),
    }
}

/// A list of names, or an object: each name with its condition.
fn depends_on(app: &Block<'_>, own_name: &AppName) -> (Vec<String>, BTreeMap<String, Condition>) {
    let Some(place) = app.get("depends_on") else { return Default::default() };
    let mut conditions = BTreeMap::new();
    let names = match place.entries() {
        Some(entries) => {
            let named = entries.into_iter().map(|(key, place)| {
                conditions.extend(condition(&place).map(|it| (key.name.clone(), it)));
                key.name.clone()
            });
            named.collect()
        }
        None => place.words().unwrap_or_default(),
    };
    if names.iter().any(|name| name == own_name.as_str()) {
        place.refuse_found::<()>("the app itself", "names of databases and of other apps");
    }
    if names.iter().any(|name| name.trim().is_empty()) {
        place.refuse_found::<()>("an empty name", "names of databases and of other apps");
    }
    (names, conditions)
}

/// What a condition may be, and what docker compose calls it.
const CONDITIONS: [(&str, Condition); 4] = [
    ("service_started", Condition::Started),
    ("service_ready", Condition::Ready),
    ("service_healthy", Condition::Healthy),
    ("service_completed_successfully", Condition::Completed),
];

/// A word, or an object with the word; null: the default.
fn condition(place: &Place<'_>) -> Option<Condition> {
    let place = match &place.node.value {
        Value::Null => return None,
        Value::Table(_) => place.block("a dependency", DEPENDENCY)?.get("condition").cloned()?,
        _ => place.clone(),
    };
    let word = match &place.node.value {
        Value::Text(word) => word.as_str(),
        _ => "",
    };
    let own = Condition::ALL.into_iter().find(|condition| condition.word() == word);
    let theirs = || CONDITIONS.iter().find(|(name, _)| *name == word).map(|(_, it)| *it);
    own.or_else(theirs).or_else(|| place.refuse("`started`, `ready`, `healthy` or `completed`"))
}

fn on_dependency_down(place: &Place<'_>) -> Option<OnDependencyDown> {
    match &place.node.value {
        Value::Text(text) if text == "wait" => Some(OnDependencyDown::Wait),
        Value::Text(text) if text == "restart" => Some(OnDependencyDown::Restart),
        _ => place.refuse("`wait` or `restart`"),
    }
}

/// Fields of PM2 that do not act here yet, or never will. `kill_retry_time` (a stop is waited for,
/// not polled), `vizion`, `pmx`, `automation`,
/// `windowsHide`, `source_map_support` and `force` are not among them: what they ask for is so
/// anyway, or is nothing that one can miss.
const WITHOUT_EFFECT: [&str; 10] = [
    "trace",
    "v8",
    "event_loop_inspector",
    "deep_monitoring",
    "io",
    "post_update",
    "install_url",
    "execute_command",
    "write",
    "username",
];

fn note_what_has_no_effect(app: &Block<'_>) {
    for name in WITHOUT_EFFECT {
        let Some(place) = app.get(name) else { continue };
        let default = match &place.node.value {
            Value::Bool(flag) => !flag,
            Value::List(items) => items.is_empty(),
            Value::Text(text) => text.is_empty() || text == "false",
            _ => false,
        };
        if !default {
            place.note(format!("field `{name}` is accepted but has no effect yet"));
        }
    }
}
