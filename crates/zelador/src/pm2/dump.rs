//! `dump.pm2`: the saved list in PM2's shape, beside zelador's own.
//!
//! Written at every save, so that PM2 can take the apps back; read when it is newer than zelador's
//! own list, so that what PM2 has saved comes up. What is written has the declared variables and the
//! few without which no program starts, never the whole shell of whoever started an app; only the
//! owner may read it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use zelador_api::home::Home;
use zelador_api::spec::{AppSpec, Environment, RestartDelay};
use zelador_api::{Declaration, Goal, saved};

use crate::declare;
use crate::failure::Failure;
use crate::moving::pm2::apps as taken_over;
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
        file.write_all(&serde_json::to_vec_pretty(list)?)?;
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
    if is_newer(home) {
        return of_pm2(home, &home.pm2_dump()).map(Some);
    }
    if !home.dump().exists() {
        return Ok(None);
    }
    let found = own(home)?;
    Ok(Some(Found { path: home.pm2_dump(), apps: found.saved.apps, notes: found.instead_of }))
}

/// Whether `dump.pm2` was written by somebody else after zelador has saved its list.
pub fn is_newer(home: &Home) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|known| known.modified()).ok();
    changed(&home.pm2_dump()) > changed(&home.dump())
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
    let mut apps = Vec::new();
    for mut app in taken_over(&list).0 {
        // Where PM2 writes by default, zelador does too.
        for field in ["out_file", "error_file", "log_file"] {
            let file = app.fields.get(field).and_then(Value::as_str);
            if file.is_some_and(|file| Path::new(file).starts_with(home.logs())) {
                app.fields.remove(field);
            }
        }
        let fields = Value::Object(app.fields);
        let (spec, more) = declare::imported(&taken.to_string_lossy(), &fields, &app.cwd, app.env)?;
        notes.extend(more.into_iter().map(|note| format!("{}: {note}", app.name)));
        // What PM2 has given up on it tries again.
        let goal = if app.is_up || app.is_errored { Goal::Up } else { Goal::Down };
        apps.push(Declaration { spec, goal, replace: false });
    }
    Ok(Found { path: taken, apps, notes })
}

fn list(path: &Path) -> Result<Vec<Value>, String> {
    let bytes =
        fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{} is broken: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn fields() -> impl Strategy<Value = Value> {
        let word = || select(vec!["api", "web-2", "a b", "é", "x_1"]);
        let texts = || proptest::collection::vec(select(vec!["--port", "1", "a b", "'q'"]), 0..4);
        (
            (word(), 1_u32..5, any::<bool>(), any::<bool>(), texts(), texts()),
            (1_u32..40, 100_u32..90_000, 0_u32..3, 1_u32..60_000, any::<bool>(), any::<bool>()),
            proptest::option::of(1_u64..1 << 40),
            proptest::option::of(select(vec!["0 3 * * *", "*/5 * * * * *"])),
            proptest::option::of(select(vec!["YYYY-MM-DD", "HH:mm:ss.SSS"])),
            proptest::collection::btree_map("[A-Z]{1,4}", "[ -~]{0,12}", 0..4),
            proptest::collection::vec(0_i32..256, 0..3),
        )
            .prop_map(|(what, how, memory, cron, date, env, codes)| {
                let (name, instances, cluster, merge, args, node_args) = what;
                let (max_restarts, millis, delay, kill_timeout, wait, message) = how;
                let mut fields = json!({
                    "name": name, "namespace": name, "script": "/srv/app.js", "cwd": "/srv",
                    "interpreter": "node", "exec_mode": if cluster { "cluster" } else { "fork" },
                    "instances": instances, "merge_logs": merge, "args": args, "node_args": node_args,
                    "max_restarts": max_restarts, "min_uptime": millis, "kill_timeout": kill_timeout,
                    "wait_ready": wait, "listen_timeout": millis, "shutdown_with_message": message,
                    "stop_exit_codes": codes, "env": env, "treekill": wait, "autorestart": message,
                });
                if let Value::Object(fields) = &mut fields {
                    let mut put = |name: &str, value: Value| _ = fields.insert(name.to_owned(), value);
                    if delay > 0 {
                        let name = ["restart_delay", "exp_backoff_restart_delay"];
                        put(name[delay as usize - 1], json!(millis));
                    }
                    memory.into_iter().for_each(|it| put("max_memory_restart", json!(it)));
                    cron.into_iter().for_each(|it| put("cron_restart", json!(it)));
                    date.into_iter().for_each(|it| put("log_date_format", json!(it)));
                }
                fields
            })
    }

    proptest! {
        #[test]
        fn an_app_that_is_dumped_comes_back_as_it_was(fields in fields(), up in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let home = Home::new(folder.path());
            let (spec, _) =
                declare::imported("a test", &fields, Path::new("/srv"), Environment::new()).unwrap();
            let goal = if up { Goal::Up } else { Goal::Down };
            let app = Declaration { spec, goal, replace: false };
            put(&home, &Value::Array(entries(&home, &app))).unwrap();
            let found = of_pm2(&home, &home.pm2_dump()).unwrap();
            let [back] = found.apps.as_slice() else { panic!("{} apps", found.apps.len()) };
            let mut back = back.clone();
            // PM2 knows one environment; to the app it is the same.
            let (mine, theirs) = (&app.spec.launch, &back.spec.launch);
            let all = |launch: &zelador_api::spec::LaunchSpec| {
                let mut env = Environment::clone(&launch.inherited_env);
                env.extend(launch.env.clone());
                env
            };
            prop_assert_eq!(all(mine), all(theirs));
            back.spec.launch.env = mine.env.clone();
            back.spec.launch.inherited_env = mine.inherited_env.clone();
            prop_assert_eq!(back, app);
        }
    }
}
