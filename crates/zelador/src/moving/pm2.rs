//! PM2's list (`pm2 jlist`, `dump.pm2`) as apps of an ecosystem file.
//!
//! PM2 keeps one entry an instance, with everything it knows of it at one level; entries of one name
//! and script are one app here. The environment that PM2 has frozen becomes what the app inherits,
//! so that an ecosystem file that is started later has its say. Always holds: apps stand in the
//! order of PM2's ids.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use zelador_api::spec::Environment;

/// One app of PM2.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Its name here.
    pub name: String,
    /// PM2's ids of its instances; empty in a saved list of old.
    pub ids: Vec<u64>,
    /// Whether it is up, or was when it was saved.
    pub is_up: bool,
    /// Whether PM2 has given up on it.
    pub is_errored: bool,
    /// What it is, in the fields of an ecosystem file.
    pub fields: Map<String, Value>,
    /// What it inherits.
    pub env: Environment,
    /// Where it runs.
    pub cwd: PathBuf,
    /// What is different here.
    pub notes: Vec<String>,
}

/// Fields that are called the same and mean the same.
const SAME: [&str; 26] = [
    "namespace",
    "args",
    "node_args",
    "instance_var",
    "increment_var",
    "filter_env",
    "autostart",
    "autorestart",
    "stop_exit_codes",
    "max_restarts",
    "min_uptime",
    "restart_delay",
    "exp_backoff_restart_delay",
    "max_memory_restart",
    "cron_restart",
    "kill_timeout",
    "treekill",
    "shutdown_with_message",
    "wait_ready",
    "listen_timeout",
    "watch",
    "ignore_watch",
    "watch_delay",
    "disable_logs",
    "log_date_format",
    "log_type",
];

/// Variables that PM2 or its shell put there, and that mean nothing outside of it.
const OF_PM2: [&str; 6] = [
    "PM2_USAGE",
    "PM2_JSON_PROCESSING",
    "PM2_INTERACTOR_PROCESSING",
    "PM2_PROGRAMMATIC",
    "unique_id",
    "_",
];

/// Returns the apps of a list, and the modules in it, which are no apps.
pub fn apps(list: &[Value]) -> (Vec<Taken>, Vec<String>) {
    // In `jlist` what PM2 knows is one level down; in a saved list it is the entry.
    let entries: Vec<&Value> =
        list.iter().map(|entry| entry.get("pm2_env").unwrap_or(entry)).collect();
    let mut entries: Vec<(u64, &Value)> = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| (entry["pm_id"].as_u64().unwrap_or(index as u64), entry))
        .collect();
    entries.sort_by_key(|(id, _)| *id);
    let mut taken: Vec<(Taken, &Value)> = Vec::new();
    let mut modules = Vec::new();
    for (id, entry) in entries {
        let name = text(entry, "name").unwrap_or_else(|| format!("app-{id}"));
        if entry["pmx_module"] == true {
            modules.push(name);
            continue;
        }
        let id = entry["pm_id"].as_u64();
        let same = |other: &Value| {
            ["name", "pm_exec_path", "args", "namespace"].iter().all(|it| other[it] == entry[it])
        };
        let is_up = is_up(entry);
        if let Some((app, _)) = taken.iter_mut().find(|(_, first)| same(first)) {
            app.ids.extend(id);
            app.is_up |= is_up;
            continue;
        }
        taken.push((one(name, id, is_up, entry), entry));
    }
    let mut apps: Vec<Taken> = Vec::new();
    for (mut app, entry) in taken {
        let count = match app.ids.len() {
            // A saved list has one entry an instance as well, without its id.
            0 => 1.max(list.iter().filter(|other| other["name"] == entry["name"]).count()),
            count => count,
        };
        if count > 1 {
            app.fields.insert("instances".to_owned(), count.into());
        }
        logs(&mut app, entry, count);
        rename_if_taken(&mut app, &apps);
        apps.push(app);
    }
    (apps, modules)
}

fn one(name: String, id: Option<u64>, is_up: bool, entry: &Value) -> Taken {
    let mut notes = Vec::new();
    let cwd = text(entry, "pm_cwd").unwrap_or_else(|| "/".to_owned());
    let mut fields = Map::new();
    let mut set = |field: &str, value: Value| _ = fields.insert(field.to_owned(), value);
    set("name", name.clone().into());
    set("script", entry["pm_exec_path"].clone());
    set("cwd", cwd.clone().into());
    set(
        "exec_interpreter",
        text(entry, "exec_interpreter").unwrap_or_else(|| "none".into()).into(),
    );
    let cluster = entry["exec_mode"] == "cluster_mode";
    set("exec_mode", if cluster { "cluster" } else { "fork" }.into());
    for field in SAME {
        let value = &entry[field];
        let says_nothing = value.is_null()
            || value == ""
            || value.as_array().is_some_and(Vec::is_empty)
            || (field == "watch" && value == false);
        if !says_nothing {
            set(field, value.clone());
        }
    }
    // One code is written as a number.
    if let Some(code) = entry["stop_exit_codes"].as_i64() {
        set("stop_exit_codes", json!([code]));
    }
    for field in ["uid", "gid"] {
        if entry[field].is_u64() || entry[field].is_string() {
            set(field, entry[field].clone());
        }
    }
    let env = environment(entry, &name);
    if let Some((variable, value)) = text(entry, "increment_var")
        .and_then(|variable| Some((variable.clone(), env.get(&variable)?.clone())))
    {
        set("env", json!({ variable: value }));
    }
    let is_errored = entry["status"] == "errored";
    if is_errored {
        notes.push("PM2 has given up on it: it is taken over as stopped".to_owned());
    }
    if entry["source_map_support"] == true {
        notes.push("source maps: add `--enable-source-maps` to node_args".to_owned());
    }
    let ids = id.into_iter().collect();
    Taken { name, ids, is_up, is_errored, fields, env, cwd: cwd.into(), notes }
}

fn is_up(entry: &Value) -> bool {
    matches!(entry["status"].as_str(), Some("online" | "launching" | "waiting restart"))
}

/// The files go on being the same: PM2 puts the id before the extension unless they are shared.
fn logs(app: &mut Taken, entry: &Value, count: usize) {
    let id = entry["pm_id"].as_u64();
    // The file of a single one stays the same, whatever its number will be. In a saved list there are
    // no numbers: those in the names are given anew.
    let merged = entry["merge_logs"] == true || (count == 1 && id.is_some());
    for (field, of_pm2) in [
        ("out_file", "pm_out_log_path"),
        ("error_file", "pm_err_log_path"),
        ("log_file", "pm_log_path"),
    ] {
        let Some(path) = text(entry, of_pm2) else { continue };
        let path = if merged { path } else { without_id(&path, id) };
        app.fields.insert(field.to_owned(), path.into());
    }
    app.fields.insert("merge_logs".to_owned(), merged.into());
}

fn without_id(path: &str, id: Option<u64>) -> String {
    let whole = Path::new(path);
    let Some(stem) = whole.file_stem().and_then(|stem| stem.to_str()) else {
        return path.to_owned();
    };
    let is_id = |text: &str| match id {
        Some(id) => text == id.to_string(),
        // A saved list does not tell it.
        None => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
    };
    let Some((base, _)) = stem.rsplit_once('-').filter(|(_, number)| is_id(number)) else {
        return path.to_owned();
    };
    let name = match whole.extension() {
        Some(extension) => format!("{base}.{}", extension.to_string_lossy()),
        None => base.to_owned(),
    };
    whole.with_file_name(name).to_string_lossy().into_owned()
}

/// The variables that PM2 has frozen, without its own.
fn environment(entry: &Value, name: &str) -> Environment {
    let mut env = Environment::new();
    for (variable, value) in entry["env"].as_object().into_iter().flatten() {
        let of_pm2 = OF_PM2.contains(&variable.as_str()) || variable == name;
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => continue,
        };
        if !of_pm2 {
            env.insert(variable.clone(), value);
        }
    }
    env
}

/// PM2 takes a name twice; here it is one app's.
fn rename_if_taken(app: &mut Taken, others: &[Taken]) {
    let is_taken = |name: &str| others.iter().any(|other| other.name == name);
    if !is_taken(&app.name) {
        return;
    }
    let mut number = 2;
    while is_taken(&format!("{}-{number}", app.name)) {
        number += 1;
    }
    let name = format!("{}-{number}", app.name);
    app.notes.push(format!("another app is called `{}`: this one is `{name}` here", app.name));
    app.fields.insert("name".to_owned(), name.clone().into());
    app.name = name;
}

fn text(entry: &Value, field: &str) -> Option<String> {
    entry[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Returns the list in what `pm2 jlist` has printed; there may be banners before it.
pub fn list_in(text: &str) -> Option<Vec<Value>> {
    let begins = text.match_indices('[').map(|(at, _)| at);
    begins.into_iter().find_map(|at| {
        let list: Vec<Value> = serde_json::from_str(text[at..].trim_end()).ok()?;
        list.iter().all(Value::is_object).then_some(list)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_of_one_name_are_one_app_and_modules_are_none() {
        let cluster = |id: u64| {
            json!({ "pm_id": id, "name": "web", "pm2_env": {
                "pm_id": id, "name": "web", "status": "online", "exec_mode": "cluster_mode",
                "pm_exec_path": "/srv/web.js", "pm_cwd": "/srv", "exec_interpreter": "node",
                "instances": 2, "node_args": [], "filter_env": [], "watch": false, "kill_timeout": 2000,
                "pm_out_log_path": format!("/root/.pm2/logs/web-out-{id}.log"),
                "pm_err_log_path": format!("/root/.pm2/logs/web-error-{id}.log"),
                "env": { "PORT": 3000, "web": "{}", "unique_id": "x", "HOME": "/root", "PM2_USAGE": "CLI" },
            } })
        };
        let job = json!({ "pm2_env": {
            "pm_id": 1, "name": "job", "status": "errored", "exec_mode": "fork_mode", "merge_logs": true,
            "pm_exec_path": "/usr/bin/bash", "args": ["-c", "sleep 5"], "pm_cwd": "/srv",
            "exec_interpreter": "none", "stop_exit_codes": 3, "watch": ["lib"],
            "pm_out_log_path": "/var/log/job.log", "env": { "job": {} } } });
        let other = json!({ "pm2_env": {
            "pm_id": 4, "name": "job", "status": "stopped", "pm_exec_path": "/srv/other.sh" } });
        let module =
            json!({ "pm2_env": { "pm_id": 3, "name": "pm2-logrotate", "pmx_module": true } });
        let (apps, modules) = apps(&[module, cluster(2), job, cluster(0), other]);
        assert_eq!(modules, ["pm2-logrotate"]);
        let names: Vec<_> = apps.iter().map(|app| (app.name.as_str(), app.ids.clone())).collect();
        assert_eq!(names, [("web", vec![0, 2]), ("job", vec![1]), ("job-2", vec![4])]);
        assert_eq!(apps.iter().map(|app| app.is_up).collect::<Vec<_>>(), [true, false, false]);
        let shown: Vec<_> = apps.iter().map(|app| (&app.fields, &app.env, &app.notes)).collect();
        insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
    }

    #[test]
    fn a_list_is_found_behind_banners() {
        let printed = "[PM2] Spawning PM2 daemon\n>>>> In-memory [out]-of-date\n[{\"pm_id\": 0}]";
        assert_eq!(list_in(printed), Some(vec![json!({ "pm_id": 0 })]));
        assert_eq!(list_in("[PM2] hello\n[]"), Some(vec![]));
        assert_eq!(list_in("nothing"), None);
    }
}
