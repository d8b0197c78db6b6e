//! The list as PM2's `jlist` prints it, for the programs that read that.
//!
//! Differences that a reader can see: `exec_mode` is always `fork_mode`; a process that a signal
//! ended has the shell's exit code (128 + the signal's number) where PM2 says 0; secrets in the
//! environment are masked; `zelador` holds what PM2 has no word for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use zelador_api::spec::{AppSpec, RestartDelay};
use zelador_api::{AppView, Death, Phase};

/// Returns the list as one JSON array, without a line end.
pub fn jlist(apps: &[AppView]) -> String {
    values(apps).to_string()
}

/// Returns the list as one array.
pub fn values(apps: &[AppView]) -> Value {
    let mut versions = Versions::default();
    Value::Array(apps.iter().map(|app| element(app, &mut versions)).collect())
}

fn element(app: &AppView, versions: &mut Versions) -> Value {
    let instance = &app.instance;
    let online = matches!(instance.phase, Phase::Running { .. });
    let usage = instance.usage.filter(|_| online).unwrap_or_default();
    let death = instance.deaths.first().map(|past| past.death.to_string());
    json!({
        "pid": instance.pid.unwrap_or(0),
        "name": instance.app,
        "pm_id": instance.id,
        "monit": { "memory": usage.memory, "cpu": (usage.cpu * 10.0).round() / 10.0 },
        "pm2_env": pm2_env(app, versions),
        "zelador": { "health": instance.health, "last_death": death, "phase": instance.phase },
    })
}

/// The environment at the level of the fields, as PM2 has it; a variable never hides a field.
fn pm2_env(app: &AppView, versions: &mut Versions) -> Value {
    let env = environment(app);
    let mut all: Map<String, Value> =
        env.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    if let Value::Object(fields) = fields(app, versions) {
        all.extend(fields);
    }
    all.insert("env".to_owned(), json!(env));
    Value::Object(all)
}

fn fields(app: &AppView, versions: &mut Versions) -> Value {
    let AppView { instance, spec, .. } = app;
    let started = instance.started_at.unwrap_or(instance.created_at);
    let mut fields = json!({
        "status": instance.status,
        "restart_time": instance.restarts,
        "unstable_restarts": instance.unstable_restarts,
        "pm_uptime": started.as_millis(),
        "created_at": instance.created_at.as_millis(),
        "name": instance.app,
        "namespace": spec.namespace,
        "pm_id": instance.id,
        "instances": spec.instances,
        "exec_mode": "fork_mode",
        "exec_interpreter": spec.launch.interpreter.as_deref().unwrap_or("none"),
        "node_args": spec.launch.interpreter_args,
        "args": spec.launch.args,
        "pm_exec_path": spec.launch.script,
        "pm_cwd": spec.launch.cwd,
        "pm_out_log_path": log(app.out_log.as_deref()),
        "pm_err_log_path": log(app.err_log.as_deref()),
        "version": versions.of(Path::new(&spec.launch.script)),
        "watch": watch(spec),
        "autorestart": spec.restart.autorestart,
        "autostart": spec.autostart,
        "merge_logs": spec.logs.merge,
        "max_restarts": spec.restart.max_restarts,
        "min_uptime": spec.restart.min_uptime.as_millis() as u64,
        "kill_timeout": spec.stop.grace.as_millis() as u64,
        "treekill": spec.stop.tree,
        "prev_restart_delay": instance.backoff.map_or(0, |delay| delay.as_millis() as u64),
        "axm_actions": [],
        "axm_dynamic": {},
        "axm_monitor": {},
        "axm_options": {},
        "pmx_module": false,
    });
    let optional = [
        ("pm_log_path", spec.logs.combined.as_ref().map(|path| json!(path))),
        ("max_memory_restart", spec.max_memory.map(|limit| json!(limit))),
        ("cron_restart", spec.cron.as_ref().map(|cron| json!(cron))),
        ("exit_code", instance.deaths.first().and_then(|past| exit_code(&past.death))),
        ("username", user(spec).map(|name| json!(name))),
        ("uid", spec.launch.uid.as_ref().map(|uid| json!(uid))),
        ("gid", spec.launch.gid.as_ref().map(|gid| json!(gid))),
        ("log_date_format", spec.logs.date_format.as_ref().map(|format| json!(format))),
        ("restart_delay", restart_delay(spec, false)),
        ("exp_backoff_restart_delay", restart_delay(spec, true)),
    ];
    if let Value::Object(all) = &mut fields {
        all.insert(spec.launch.instance_var.clone(), json!(instance.index));
        let present = optional.into_iter();
        all.extend(present.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    fields
}

/// As it was written: true, or the paths.
fn watch(spec: &AppSpec) -> Value {
    match spec.watch.paths.as_slice() {
        paths if spec.watch.on && !paths.is_empty() => json!(paths),
        _ => json!(spec.watch.on),
    }
}

/// What the process gets: the inherited variables, the declared ones over them, and who it is.
fn environment(app: &AppView) -> BTreeMap<String, String> {
    let AppView { instance, spec, .. } = app;
    let mut env = (*spec.launch.inherited_env).clone();
    let file = app.file_env.iter().flatten();
    env.extend(file.map(|(name, value)| (name.clone(), value.clone())));
    env.extend(spec.launch.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    env.insert("pm_id".to_owned(), instance.id.to_string());
    env.insert("name".to_owned(), instance.app.clone());
    env.insert(spec.launch.instance_var.clone(), instance.index.to_string());
    env
}

/// PM2 writes `/dev/null` where nothing is written.
fn log(path: Option<&Path>) -> &Path {
    path.unwrap_or(Path::new("/dev/null"))
}

fn exit_code(death: &Death) -> Option<Value> {
    match death {
        Death::Exited { code } => Some(json!(code)),
        Death::Signaled { signal, .. } => Some(json!(128 + u32::from(signal.number()))),
        Death::OutOfMemory => Some(json!(137)),
        Death::StartTimedOut | Death::NeverStarted(_) | Death::Unknown => None,
    }
}

fn user(spec: &AppSpec) -> Option<&str> {
    let variable = |name: &str| spec.launch.inherited_env.get(name).map(String::as_str);
    spec.launch.uid.as_deref().or_else(|| variable("USER")).or_else(|| variable("LOGNAME"))
}

fn restart_delay(spec: &AppSpec, growing: bool) -> Option<Value> {
    match spec.restart.delay {
        RestartDelay::Exponential(first) if growing => Some(json!(first.as_millis() as u64)),
        RestartDelay::Fixed(delay) if !growing => Some(json!(delay.as_millis() as u64)),
        _ => None,
    }
}

/// The versions in the package.json files nearest to scripts, each folder looked at once.
#[derive(Default)]
struct Versions(BTreeMap<PathBuf, Option<String>>);

impl Versions {
    fn of(&mut self, script: &Path) -> String {
        let folder = script.parent().filter(|_| script.is_absolute());
        folder.and_then(|folder| self.near(folder)).unwrap_or_else(|| "N/A".to_owned())
    }

    fn near(&mut self, folder: &Path) -> Option<String> {
        if let Some(known) = self.0.get(folder) {
            return known.clone();
        }
        let found = match std::fs::read(folder.join("package.json")) {
            Ok(package) => version(&package),
            Err(_) => folder.parent().and_then(|parent| self.near(parent)),
        };
        self.0.insert(folder.to_owned(), found.clone());
        found
    }
}

fn version(package: &[u8]) -> Option<String> {
    let package: Value = serde_json::from_slice(package).ok()?;
    Some(package.get("version")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn an_element_has_pm2s_shape() {
        let element = element(&sample::app(), &mut Versions::default());
        insta::assert_snapshot!(serde_json::to_string_pretty(&element).unwrap());
    }

    #[test]
    fn the_list_is_one_array_without_a_line_end() {
        assert_eq!(jlist(&[]), "[]");
        let list = jlist(&[sample::app()]);
        assert!(list.starts_with('[') && list.ends_with(']') && !list.contains('\n'));
        let back: Vec<Value> = serde_json::from_str(&list).unwrap();
        assert_eq!(back[0]["pm2_env"]["status"], "online", "a variable called status hid it");
        assert_eq!(back[0]["pm2_env"]["env"]["status"], "mine");
    }

    #[test]
    fn the_version_is_that_of_the_nearest_package() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("src/bin");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(folder.path().join("package.json"), r#"{ "version": "4.2.0" }"#).unwrap();
        let mut versions = Versions::default();
        assert_eq!(versions.of(&deep.join("server.js")), "4.2.0");
        assert_eq!(versions.of(Path::new("sleep")), "N/A");
    }
}
