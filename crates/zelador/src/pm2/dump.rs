//! `dump.pm2`: the saved list in PM2's shape, beside zelador's own.
//!
//! Written at every save, so that PM2 can take the apps back; read when it is newer than zelador's
//! own list, so that what PM2 has saved comes up. What is written has the declared variables and the
//! few without which no program starts, never the whole shell of whoever started an app; only the
//! owner may read it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use zelador_api::config::{self, Key, Node};
use zelador_api::home::Home;
use zelador_api::spec::{AppSpec, Environment, RestartDelay};
use zelador_api::{Declaration, Goal, saved};

use crate::declare;
use crate::failure::Failure;
use crate::render::jlist;

/// What was saved.
pub struct Found {
    /// In which file.
    pub path: PathBuf,
    /// The apps.
    pub apps: Vec<Declaration>,
    /// What is worth saying about them.
    pub notes: Vec<String>,
}

/// Variables of whoever started an app that are kept without being declared: without them hardly
/// any program starts.
const KEPT: [&str; 9] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// Writes what zelador has saved in PM2's shape, and returns the file.
///
/// # Errors
/// The disk is full, or the folder cannot be written; the file before is untouched then.
pub fn write(home: &Home) -> Result<PathBuf, Failure> {
    let saved = own(home)?.saved;
    let entries: Vec<Value> = saved.apps.iter().flat_map(|app| entries(home, app)).collect();
    put(home, &Value::Array(entries))
}

/// Writes an empty list in PM2's shape.
///
/// # Errors
/// As [`write()`].
pub fn clear(home: &Home) -> Result<PathBuf, Failure> {
    put(home, &json!([]))
}

/// What zelador has saved.
fn own(home: &Home) -> Result<saved::Found, Failure> {
    saved::read(&home.dump()).map_err(|error| Failure::with_help(error.to_string(), error.help()))
}

fn put(home: &Home, list: &Value) -> Result<PathBuf, Failure> {
    let path = home.pm2_dump();
    let written = || -> io::Result<()> {
        let temporary = home.path().join("dump.pm2.new");
        _ = fs::remove_file(&temporary);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        serde_json::to_writer_pretty(&mut file, list)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        let older = home.path().join("dump.pm2.bak");
        _ = fs::remove_file(&older);
        _ = fs::hard_link(&path, &older);
        fs::rename(&temporary, &path)?;
        // Zelador's own list is the newer one of the two.
        if let Ok(own) = OpenOptions::new().append(true).open(home.dump()) {
            own.set_modified(SystemTime::now())?;
        }
        Ok(())
    };
    written()
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))?;
    Ok(path)
}

/// One app as PM2 saves it: one entry a process.
fn entries(home: &Home, app: &Declaration) -> Vec<Value> {
    (0..app.spec.instances).map(|index| entry(home, &app.spec, app.goal, index)).collect()
}

fn entry(home: &Home, spec: &AppSpec, goal: Goal, index: u32) -> Value {
    let launch = &spec.launch;
    let kept = KEPT.iter().filter_map(|name| launch.inherited_env.get_key_value(*name));
    let mut env: Environment =
        kept.chain(&launch.env).map(|(k, v)| (k.clone(), v.clone())).collect();
    if let Some(name) = &launch.increment_var
        && let Some(first) = env.get(name).and_then(|first| first.trim().parse::<i64>().ok())
    {
        env.insert(name.clone(), (first + i64::from(index)).to_string());
    }
    let mut all: Map<String, Value> =
        env.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let id = zelador_api::id::InstanceId::new(index);
    let (out, err) = zelador_api::log_paths(spec, id, home.path());
    let log = |path: Option<PathBuf>| path.unwrap_or_else(|| "/dev/null".into());
    let fields = json!({
        "name": spec.name, "namespace": spec.namespace,
        "pm_exec_path": launch.script, "pm_cwd": launch.cwd,
        "exec_interpreter": launch.interpreter.as_deref().unwrap_or("none"),
        "exec_mode": jlist::mode(spec), "node_args": launch.interpreter_args,
        "args": launch.args, "env": env,
        "status": if goal == Goal::Up { "online" } else { "stopped" },
        "autostart": spec.autostart, "autorestart": spec.restart.autorestart,
        "max_restarts": spec.restart.max_restarts,
        "min_uptime": spec.restart.min_uptime.as_millis() as u64,
        "stop_exit_codes": spec.restart.stop_exit_codes,
        "kill_timeout": spec.stop.grace.as_millis() as u64, "treekill": spec.stop.tree,
        "shutdown_with_message": spec.stop.message, "wait_ready": spec.readiness.wait,
        "listen_timeout": spec.readiness.within.as_millis() as u64,
        "merge_logs": spec.logs.merge, "pm_out_log_path": log(out), "pm_err_log_path": log(err),
        "pm_pid_path": zelador_api::pid_path(spec, id, home.path()),
        "watch": spec.watch.on, "instance_var": launch.instance_var,
        "vizion": false, "pmx": false, "automation": true, "windowsHide": true,
        "km_link": false, "kill_retry_time": 100, "restart_time": 0, "unstable_restarts": 0,
        "axm_actions": [], "axm_monitor": {}, "axm_options": {}, "axm_dynamic": {},
    });
    let delay = match spec.restart.delay {
        RestartDelay::None => None,
        RestartDelay::Fixed(delay) => Some(("restart_delay", delay)),
        RestartDelay::Exponential(delay) => Some(("exp_backoff_restart_delay", delay)),
    };
    let optional = [
        ("pm_log_path", spec.logs.combined.as_ref().map(|path| json!(path))),
        ("max_memory_restart", spec.max_memory.map(|limit| json!(limit))),
        ("cron_restart", spec.cron.as_ref().map(|cron| json!(cron))),
        ("log_date_format", spec.logs.date_format.as_ref().map(|format| json!(format))),
        ("uid", launch.uid.as_ref().map(|uid| json!(uid))),
        ("gid", launch.gid.as_ref().map(|gid| json!(gid))),
    ];
    if let Value::Object(fields) = fields {
        all.extend(fields);
    }
    all.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    all.extend(delay.map(|(name, delay)| (name.to_owned(), json!(delay.as_millis() as u64))));
    all.insert(launch.instance_var.clone(), json!(index));
    Value::Object(all)
}

/// Reads what was saved: zelador's own list, or PM2's where that is newer; `None`: neither is there.
///
/// # Errors
/// What is there cannot be understood.
pub fn read(home: &Home) -> Result<Option<Found>, Failure> {
    let changed = |path: &Path| fs::metadata(path).and_then(|known| known.modified()).ok();
    let (ours, theirs) = (changed(&home.dump()), changed(&home.pm2_dump()));
    match (ours, theirs) {
        (None, None) => Ok(None),
        (ours, theirs) if ours >= theirs => {
            let found = own(home)?;
            let path = home.pm2_dump();
            Ok(Some(Found { path, apps: found.saved.apps, notes: found.instead_of }))
        }
        _ => of_pm2(home, &home.pm2_dump()).map(Some),
    }
}

/// Reads a list that PM2 has saved.
///
/// # Errors
/// It cannot be understood; the list before it cannot either.
pub fn of_pm2(home: &Home, path: &Path) -> Result<Found, Failure> {
    let older = path.with_extension("pm2.bak");
    let (taken, list, mut notes) = match list(path) {
        Ok(list) => (path.to_owned(), list, Vec::new()),
        Err(wrong) => match list(&older) {
            Ok(list) => (older, list, vec![format!("{wrong}; taking the list saved before")]),
            Err(_) => return Err(Failure::new(wrong)),
        },
    };
    let mut by_name: BTreeMap<String, Vec<&Map<String, Value>>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for entry in list.iter().filter_map(Value::as_object) {
        let name = entry.get("name").map(text).unwrap_or_default();
        if !by_name.contains_key(&name) {
            order.push(name.clone());
        }
        by_name.entry(name).or_default().push(entry);
    }
    let mut apps = Vec::new();
    for name in order {
        let entries = &by_name[&name];
        let (app, more) = app(home, &taken, entries)?;
        notes.extend(more);
        apps.push(app);
    }
    Ok(Found { path: taken, apps, notes })
}

fn list(path: &Path) -> Result<Vec<Value>, String> {
    let bytes =
        fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{} is broken: {error}", path.display()))
}

/// Fields that PM2 saves as an ecosystem file has them.
const SAME: [&str; 30] = [
    "name",
    "namespace",
    "exec_mode",
    "node_args",
    "args",
    "exec_interpreter",
    "autorestart",
    "autostart",
    "max_restarts",
    "min_uptime",
    "kill_timeout",
    "listen_timeout",
    "wait_ready",
    "treekill",
    "shutdown_with_message",
    "max_memory_restart",
    "cron_restart",
    "restart_delay",
    "exp_backoff_restart_delay",
    "stop_exit_codes",
    "watch",
    "ignore_watch",
    "watch_delay",
    "merge_logs",
    "log_date_format",
    "log_type",
    "instance_var",
    "uid",
    "gid",
    "disable_logs",
];

/// Variables by which PM2 marks what it started.
const MARKS: [&str; 5] =
    ["PM2_USAGE", "PM2_INTERACTOR_PROCESSING", "unique_id", "pm_id", "PM2_JSON_PROCESSING"];

/// Returns the app that these processes of one name are.
fn app(
    home: &Home,
    path: &Path,
    entries: &[&Map<String, Value>],
) -> Result<(Declaration, Vec<String>), Failure> {
    let first = entries[0];
    let field = |name: &str| first.get(name).filter(|value| is_given(value));
    let mut fields: Vec<(Key, Node)> = Vec::new();
    let mut put = |name: &str, value: config::Value| fields.push((Key::new(name), value.into()));
    for name in SAME {
        if let Some(value) = field(name).and_then(of_json) {
            put(name, value);
        }
    }
    put("instances", config::Value::from(entries.len().to_string().as_str()));
    if field("exec_mode").is_none() {
        put("exec_mode", config::Value::from("fork_mode"));
    }
    let merged = field("merge_logs") == Some(&Value::Bool(true));
    let renamed = [
        ("pm_exec_path", "script"),
        ("pm_cwd", "cwd"),
        ("pm_out_log_path", "out_file"),
        ("pm_err_log_path", "error_file"),
        ("pm_log_path", "log_file"),
    ];
    for (theirs, ours) in renamed {
        let Some(value) = field(theirs).map(text) else { continue };
        let is_log = theirs.ends_with("log_path");
        if is_log && Path::new(&value).starts_with(home.logs()) {
            continue;
        }
        let value = if is_log && !merged { without_number(&value) } else { value };
        put(ours, config::Value::from(value.as_str()));
    }
    let env = first.get("env").and_then(Value::as_object);
    let env: Environment = env
        .into_iter()
        .flatten()
        .filter(|(name, value)| !MARKS.contains(&name.as_str()) && !value.is_object())
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    let document = Node::from(config::Value::Table(fields));
    let mut declared = declare::document(&document, path, Arc::new(env))?;
    let Some(spec) = declared.apps.pop() else {
        return Err(Failure::new(format!("{} has an entry that is no app", path.display())));
    };
    let is_down = |entry: &&Map<String, Value>| {
        matches!(entry.get("status").and_then(Value::as_str), Some("stopped" | "stopping"))
    };
    let goal = if entries.iter().all(is_down) { Goal::Down } else { Goal::Up };
    let notes = declared.notes.iter().map(ToString::to_string).collect();
    Ok((Declaration { spec, goal, replace: false }, notes))
}

fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

fn of_json(value: &Value) -> Option<config::Value> {
    match value {
        Value::Bool(flag) => Some(config::Value::from(*flag)),
        Value::Number(number) => Some(config::Value::Number(number.as_f64()?)),
        Value::String(text) => Some(config::Value::from(text.as_str())),
        Value::Array(items) => {
            Some(config::Value::from(items.iter().map(text).collect::<Vec<_>>()))
        }
        Value::Null | Value::Object(_) => None,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A path without the number that PM2 put before its extension.
fn without_number(path: &str) -> String {
    let (stem, extension) = match path.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') => (stem, format!(".{extension}")),
        _ => (path, String::new()),
    };
    match stem.rsplit_once('-') {
        Some((before, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{before}{extension}")
        }
        _ => path.to_owned(),
    }
}
