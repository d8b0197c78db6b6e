//! The list as PM2's `jlist` prints it, for the programs that read that.
//!
//! Differences that a reader can see: a process that a signal ended has the shell's exit code (128 +
//! the signal's number) where PM2 says 0; secrets in the environment are masked; `zelador` holds what
//! PM2 has no word for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Serialize as DeriveSerialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use zelador_api::id::InstanceId;
use zelador_api::identity::unique_id;
use zelador_api::spec::{AppSpec, LogFormat, Readiness, RestartDelay};
use zelador_api::unit::ByteSize;
use zelador_api::{AppView, CheckResult, Death, InstanceView, Phase};

use super::inspect::inspect_with;
use super::node_version::NodeVersions;

/// PM2's default, which clients read: 100 ms from one look for a dying process to the next.
const KILL_RETRY_TIME: u32 = 100;

/// Returns the list as one JSON array, without a line end.
pub fn jlist(apps: &[AppView]) -> String {
    let mut found = Found::default();
    let elements: Vec<Element<'_>> = apps.iter().map(|app| Element::of(app, &mut found)).collect();
    super::text::json(serde_json::to_string(&elements).expect("every key is text"))
}

/// Returns the list as JavaScript shows it, without a line end.
pub fn shown(apps: &[AppView]) -> String {
    inspect_with(&values(apps), &FIRST)
}

/// Returns the list as one array.
pub fn values(apps: &[AppView]) -> Value {
    let mut found = Found::default();
    let element = |app| serde_json::to_value(Element::of(app, &mut found));
    Value::Array(apps.iter().map(element).map(|it| it.expect("every key is text")).collect())
}

/// The fields that stand first, in the order in which PM2 shows them.
const FIRST: [&str; 7] = ["pid", "name", "pm2_env", "pm_id", "monit", "memory", "cpu"];

/// What was looked up on the disk.
#[derive(Default)]
struct Found {
    packages: Versions,
    nodes: NodeVersions,
}

/// One instance. Written as it goes: with its environment twice it is by far the largest thing that
/// zelador prints, and a hundred of them are printed while somebody waits.
#[derive(DeriveSerialize)]
struct Element<'a> {
    pid: i32,
    name: &'a str,
    pm2_env: Pm2Env<'a>,
    pm_id: InstanceId,
    monit: Monit,
    zelador: Own<'a>,
}

#[derive(DeriveSerialize)]
struct Monit {
    memory: ByteSize,
    cpu: f64,
}

/// What PM2 has no word for.
#[derive(DeriveSerialize)]
struct Own<'a> {
    health: &'a Option<CheckResult>,
    last_death: Option<String>,
    phase: &'a Phase,
}

/// The environment at the level of the fields, as PM2 has it; a variable never hides a field.
struct Pm2Env<'a> {
    env: Variables<'a>,
    fields: Map<String, Value>,
}

type Variables<'a> = BTreeMap<&'a str, Cow<'a, str>>;

impl<'a> Element<'a> {
    fn of(app: &'a AppView, found: &mut Found) -> Self {
        let instance = &app.instance;
        let online = matches!(instance.phase, Phase::Running { .. });
        let usage = instance.usage.filter(|_| online).unwrap_or_default();
        let fields = match fields(app, found) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Self {
            pid: instance.pid.unwrap_or(0),
            name: &instance.app,
            pm2_env: Pm2Env { env: environment(app), fields },
            pm_id: instance.id,
            monit: Monit { memory: usage.memory, cpu: (usage.cpu * 10.0).round() / 10.0 },
            zelador: Own {
                health: &instance.health,
                last_death: instance.deaths.first().map(|past| past.death.to_string()),
                phase: &instance.phase,
            },
        }
    }
}

impl Serialize for Pm2Env<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.env {
            if !self.fields.contains_key(*name) && *name != "env" {
                map.serialize_entry(name, value)?;
            }
        }
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("env", &OwnVariables(self))?;
        map.end()
    }
}

fn fields(app: &AppView, found: &mut Found) -> Value {
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
        "exec_mode": mode(spec),
        "exec_interpreter": spec.launch.interpreter.as_deref().unwrap_or("none"),
        "node_args": spec.launch.interpreter_args,
        "args": spec.launch.args,
        "pm_exec_path": spec.launch.script,
        "pm_cwd": spec.launch.cwd,
        "pm_out_log_path": log(app.out_log.as_deref()),
        "pm_err_log_path": log(app.err_log.as_deref()),
        "version": found.packages.of_app(app),
        "watch": watch(spec),
        "autorestart": spec.restart.autorestart,
        "autostart": spec.autostart,
        "merge_logs": spec.logs.merge,
        "max_restarts": spec.restart.max_restarts,
        "min_uptime": spec.restart.min_uptime.as_millis() as u64,
        "kill_timeout": spec.stop.grace.as_millis() as u64,
        "treekill": spec.stop.tree,
        "prev_restart_delay": instance.backoff.map_or(0, |delay| delay.as_millis() as u64),
        "axm_actions": instance.actions,
        "axm_dynamic": {},
        "axm_monitor": instance.metrics,
        "axm_options": library(app),
        "pmx_module": false,
    });
    let always = [
        ("pm_pid_path", json!(app.pid_file)),
        ("unique_id", json!(unique_id(&instance.app, instance.created_at, instance.id))),
        ("instance_var", json!(spec.launch.instance_var)),
        ("kill_retry_time", json!(KILL_RETRY_TIME)),
        ("km_link", json!(false)),
        ("vizion", json!(true)),
        ("vizion_running", json!(false)),
        ("pmx", json!(true)),
        ("automation", json!(true)),
        ("windowsHide", json!(true)),
    ];
    let optional = [
        ("pm_log_path", spec.logs.combined.as_ref().map(|path| json!(path))),
        ("max_memory_restart", spec.max_memory.map(|limit| json!(limit))),
        ("cron_restart", spec.cron.as_ref().map(|cron| json!(cron))),
        ("exit_code", last_exit_code(instance)),
        ("node_version", found.nodes.of_app(app).map(|version| json!(version))),
        ("wait_ready", spec.readiness.wait.then_some(json!(true))),
        ("listen_timeout", unless(spec.readiness.within, Readiness::default().within)),
        ("shutdown_with_message", spec.stop.message.then_some(json!(true))),
        ("stop_exit_codes", written(&spec.restart.stop_exit_codes)),
        ("ignore_watch", written(&spec.watch.ignore)),
        ("watch_delay", unless(spec.watch.delay, Duration::ZERO)),
        ("increment_var", spec.launch.increment_var.as_ref().map(|name| json!(name))),
        ("log_type", (spec.logs.format == LogFormat::Json).then(|| json!("json"))),
        ("username", user(spec).map(|name| json!(name))),
        ("uid", spec.launch.uid.as_ref().map(|uid| json!(uid))),
        ("gid", spec.launch.gid.as_ref().map(|gid| json!(gid))),
        ("log_date_format", spec.logs.date_format.as_ref().map(|format| json!(format))),
        ("restart_delay", restart_delay(spec, false)),
        ("exp_backoff_restart_delay", restart_delay(spec, true)),
    ];
    if let Value::Object(all) = &mut fields {
        all.insert(spec.launch.instance_var.clone(), json!(instance.index));
        all.extend(always.map(|(name, value)| (name.to_owned(), value)));
        let present = optional.into_iter();
        all.extend(present.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    fields
}

/// The environment of its own: without what tells a process who it is, and with the settings of a
/// module of this name, of which there are none. Programs count how often PM2 prints a name.
struct OwnVariables<'a>(&'a Pm2Env<'a>);

impl Serialize for OwnVariables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Pm2Env { env, fields } = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in env.iter().filter(|(name, _)| !["pm_id", "name"].contains(*name)) {
            map.serialize_entry(name, value)?;
        }
        match fields.get("name").and_then(Value::as_str) {
            Some(app) if !env.contains_key(app) => map.serialize_entry(app, &Map::new())?,
            _ => {}
        }
        map.end()
    }
}

/// What an app is told by the library that PM2 loads into Node apps, as far as clients read it.
fn library(app: &AppView) -> Value {
    let program = app.spec.launch.interpreter.as_deref().unwrap_or_default();
    if program.ends_with("node") { json!({ "module_name": app.instance.app }) } else { json!({}) }
}

/// PM2's word for the mode.
pub fn mode(spec: &AppSpec) -> &'static str {
    spec.mode.pm2_name()
}

/// As it was written: true, or the paths.
fn watch(spec: &AppSpec) -> Value {
    match spec.watch.paths.as_slice() {
        paths if spec.watch.on && !paths.is_empty() => json!(paths),
        _ => json!(spec.watch.on),
    }
}

/// What the process gets: the inherited variables, the declared ones over them, and who it is.
fn environment(app: &AppView) -> Variables<'_> {
    let AppView { instance, spec, .. } = app;
    let launch = &spec.launch;
    let file = app.file_env.iter().flatten();
    let all = launch.inherited_env.iter().chain(file).chain(&launch.env);
    let mut env: Variables<'_> =
        all.map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_str()))).collect();
    if let Some(name) = &launch.increment_var
        && let Some(first) = env.get(name.as_str()).and_then(|it| it.trim().parse::<i64>().ok())
    {
        let own = first.saturating_add(instance.index.into());
        env.insert(name, Cow::Owned(own.to_string()));
    }
    env.insert("pm_id", Cow::Owned(instance.id.to_string()));
    env.insert("name", Cow::Borrowed(&instance.app));
    env.insert(&launch.instance_var, Cow::Owned(instance.index.to_string()));
    env
}

/// PM2 writes `/dev/null` where nothing is written.
pub fn log(path: Option<&Path>) -> &Path {
    path.unwrap_or(Path::new("/dev/null"))
}

/// That of the last death; 0, as in PM2, where the runs before ended because somebody asked.
fn last_exit_code(instance: &InstanceView) -> Option<Value> {
    let ended = instance.restarts > 0 || (instance.pid.is_none() && instance.started_at.is_some());
    let last = instance.deaths.first();
    last.map_or_else(|| ended.then(|| json!(0)), |past| exit_code(&past.death))
}

/// In milliseconds, where it is not what it is by default.
fn unless(time: Duration, default: Duration) -> Option<Value> {
    (time != default).then(|| json!(time.as_millis() as u64))
}

fn written<T: DeriveSerialize>(list: &[T]) -> Option<Value> {
    (!list.is_empty()).then(|| json!(list))
}

fn exit_code(death: &Death) -> Option<Value> {
    match death {
        Death::Exited { code } => Some(json!(code)),
        Death::Signaled { signal, .. } => Some(json!(128 + u32::from(signal.number()))),
        Death::OutOfMemory => Some(json!(137)),
        Death::StartTimedOut | Death::NeverStarted(_) | Death::Unknown => None,
    }
}

/// The user that an app runs as.
pub fn user(spec: &AppSpec) -> Option<String> {
    let variable = |name: &str| spec.launch.inherited_env.get(name).cloned();
    let given = spec.launch.uid.clone().or_else(|| variable("USER"));
    given.or_else(|| variable("LOGNAME")).or_else(own_name)
}

/// The name of the user of this process, who is the one of whoever runs zelador. Looked up once: every
/// app of a host that is booted has no other.
fn own_name() -> Option<String> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    NAME.get_or_init(look_up_own_name).clone()
}

fn look_up_own_name() -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let own = rustix::process::getuid().as_raw().to_string();
    let user = users.lines().find(|line| line.split(':').nth(2) == Some(own.as_str()))?;
    user.split(':').next().map(str::to_owned)
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
pub struct Versions(BTreeMap<PathBuf, Option<String>>);

impl Versions {
    /// Returns the version of an app; `N/A` when nobody says it.
    pub fn of_app(&mut self, app: &AppView) -> String {
        self.of(Path::new(&app.spec.launch.script))
    }

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
        let element = values(&[sample::app()])[0].take();
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
        assert_eq!(back[0]["pm2_env"]["env"]["name"], Value::Null);
        assert_eq!(values(&[sample::app()]), Value::Array(back));
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
