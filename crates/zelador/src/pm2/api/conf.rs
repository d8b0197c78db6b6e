//! An app as PM2's library describes it to its daemon: what it declares, and what a restart changes.
//!
//! The library sends the whole environment of the program that calls, with what the program declares
//! laid over it. Which variables are declared shows by the environment that the program was itself
//! started with. Always holds: what is read from a caller's process decides where a variable is kept, never
//! whether the app gets it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use zelador_api::config::Change;
use zelador_api::redact::MASK;
use zelador_api::spec::{AppSpec, Environment};
use zelador_api::{AppView, route};

use super::caller;
use crate::command::Context;
use crate::declare::{self, DeclareError};
use crate::failure::Failure;
use crate::moving::pm2::apps;

/// Where fields are said to come from.
const FROM: &str = "PM2's library";

/// The fields that a restart may bring, by PM2's name and by the library's.
const CHANGES: [(&str, &str); 21] = [
    ("args", "args"),
    ("node_args", "nodeArgs"),
    ("namespace", "namespace"),
    ("max_memory_restart", "maxMemoryRestart"),
    ("max_restarts", "maxRestarts"),
    ("min_uptime", "minUptime"),
    ("restart_delay", "restartDelay"),
    ("exp_backoff_restart_delay", "expBackoffRestartDelay"),
    ("cron_restart", "cronRestart"),
    ("kill_timeout", "killTimeout"),
    ("listen_timeout", "listenTimeout"),
    ("wait_ready", "waitReady"),
    ("shutdown_with_message", "shutdownWithMessage"),
    ("stop_exit_codes", "stopExitCodes"),
    ("autorestart", "autorestart"),
    ("watch", "watch"),
    ("ignore_watch", "ignoreWatch"),
    ("watch_delay", "watchDelay"),
    ("log_date_format", "logDateFormat"),
    ("log_type", "logType"),
    ("merge_logs", "mergeLogs"),
];

/// Returns the app that a program wants started. `pid` is its process.
///
/// # Errors
/// Something in it is wrong.
pub fn declared(conf: &Value, pid: Option<i32>) -> Result<AppSpec, Failure> {
    let (taken, _) = apps(std::slice::from_ref(conf));
    let Some(mut app) = taken.into_iter().next() else {
        return Err(Failure::new("an app needs a name and a script"));
    };
    if conf["instances"].as_u64().is_some_and(|count| count > 1) {
        app.fields.insert("instances".to_owned(), conf["instances"].clone());
    }
    // The library names files without a number: where one is needed it is put in here.
    for (field, theirs) in [
        ("out_file", "pm_out_log_path"),
        ("error_file", "pm_err_log_path"),
        ("log_file", "pm_log_path"),
    ] {
        if conf[theirs].is_string() {
            app.fields.insert(field.to_owned(), conf[theirs].clone());
        }
    }
    let alone = conf["exec_mode"] == "fork_mode" && conf["instances"].is_null();
    let merge = conf["merge_logs"].as_bool().unwrap_or(alone);
    app.fields.insert("merge_logs".to_owned(), merge.into());
    let given = app.fields.remove("env").and_then(|env| env.as_object().cloned());
    let (declared, inherited) = split(app.env, &pid.map(caller::environment).unwrap_or_default());
    let mut env: Map<String, Value> =
        declared.into_iter().map(|(name, value)| (name, value.into())).collect();
    env.extend(given.unwrap_or_default());
    app.fields.insert("env".to_owned(), env.into());
    let fields = Value::Object(app.fields);
    let (spec, _) = declare::imported(FROM, &fields, &app.cwd, inherited).map_err(wrong)?;
    Ok(spec)
}

/// The caller is told, and not a terminal.
fn wrong(error: DeclareError) -> Failure {
    Failure::new(error.to_string())
}

/// What differs from what the caller was started with is declared.
fn split(all: Environment, callers: &Environment) -> (Environment, Environment) {
    all.into_iter().partition(|(name, value)| callers.get(name) != Some(value))
}

/// Returns what a restart changes; `None`: nothing. `env` is what the library sends with it.
///
/// # Errors
/// A value is wrong, or nobody answers.
pub fn change(context: &Context, app: &AppView, env: &Value) -> Result<Option<Change>, Failure> {
    let mut fields = Map::new();
    for (name, theirs) in CHANGES {
        let value = [&env["current_conf"][name], &env["current_conf"][theirs]];
        if let Some(value) = value.into_iter().find(|value| !value.is_null()) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    let variables: Environment = scalars(env);
    // The library says "update the environment" by sending all of its own.
    let inherited_env = variables.contains_key("PATH").then(|| variables.clone());
    if !variables.is_empty()
        && let Some(env) = redeclared(context, app, &variables, inherited_env.is_none())?
    {
        fields.insert("env".to_owned(), json!(env));
    }
    if fields.is_empty() {
        return Ok(
            inherited_env.map(|env| Change { inherited_env: Some(env), ..Change::default() })
        );
    }
    let names = fields.keys().cloned().collect();
    fields.insert("name".to_owned(), app.instance.app.clone().into());
    fields.insert("script".to_owned(), "true".into());
    fields.insert("exec_interpreter".to_owned(), "none".into());
    let fields = Value::Object(fields);
    let imported = declare::imported(FROM, &fields, Path::new("/"), Environment::new());
    let (spec, _) = imported.map_err(wrong)?;
    Ok(Some(Change { fields: names, app: Some(Box::new(spec)), inherited_env }))
}

/// The declared variables with their new values; `None`: they stay. `add`: those that are not declared yet
/// are from now on.
fn redeclared(
    context: &Context,
    app: &AppView,
    new: &Environment,
    add: bool,
) -> Result<Option<Environment>, Failure> {
    let mut env = app.spec.launch.env.clone();
    if env.values().any(|value| value.contains(MASK)) {
        let path = format!("{}/{}?secrets=true", route::ENVIRONMENT, app.instance.id);
        let whole: Environment = context.engine.get(&path)?;
        for (name, value) in &mut env {
            if let Some(known) = whole.get(name) {
                value.clone_from(known);
            }
        }
    }
    let before = env.clone();
    for (name, value) in new {
        if add || env.contains_key(name) {
            env.insert(name.clone(), value.clone());
        }
    }
    Ok((env != before).then_some(env))
}

/// The variables in an object; what is no text, number or truth value is none.
fn scalars(env: &Value) -> BTreeMap<String, String> {
    let variable = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        Some((name.clone(), value))
    };
    env.as_object().into_iter().flatten().filter_map(variable).collect()
}

#[cfg(test)]
mod tests {
    use zelador_api::spec::LogTarget;

    use super::*;

    #[test]
    fn what_a_program_declares_is_told_from_what_it_was_started_with() {
        let of = |pairs: &[(&str, &str)]| -> Environment {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let callers = of(&[("PATH", "/bin"), ("NODE_ENV", "test"), ("GONE", "1")]);
        let all = of(&[("PATH", "/bin"), ("NODE_ENV", "production"), ("PORT", "80")]);
        let (declared, inherited) = split(all, &callers);
        assert_eq!(declared, of(&[("NODE_ENV", "production"), ("PORT", "80")]));
        assert_eq!(inherited, of(&[("PATH", "/bin")]));
    }

    #[test]
    fn an_app_is_what_the_library_says() {
        let conf = json!({
            "name": "api", "namespace": "default", "args": ["a", "b"], "node_args": [],
            "env": { "A": 1, "api": "{}", "PM2_PROGRAMMATIC": "true" },
            "max_memory_restart": 104_857_600, "instances": 2, "exec_mode": "cluster_mode",
            "exec_interpreter": "node", "pm_exec_path": "/srv/api.js", "pm_cwd": "/srv",
            "pm_out_log_path": "/srv/logs/api-1.log", "autorestart": true, "kill_retry_time": 100,
        });
        let spec = declared(&conf, None).unwrap();
        assert_eq!((spec.name.as_str(), spec.instances), ("api", 2));
        assert_eq!(spec.launch.script, "/srv/api.js");
        assert_eq!(spec.launch.args, ["a", "b"]);
        assert_eq!(spec.launch.env, Environment::from([("A".to_owned(), "1".to_owned())]));
        assert_eq!(spec.logs.out, LogTarget::File("/srv/logs/api-1.log".into()));
        assert!(!spec.logs.merge);
        assert!(declared(&json!({ "name": "x" }), None).is_err());
    }

    #[test]
    fn only_scalars_are_variables() {
        let env = json!({ "A": 1, "B": true, "C": "x", "current_conf": {}, "D": null });
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(scalars(&env), Environment::from([of("A", "1"), of("B", "true"), of("C", "x")]));
    }
}
