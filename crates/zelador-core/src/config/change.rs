//! Options that are given at a restart: they change the app that is stored.
//!
//! The fields are read by the same checker as a file, as fields of an app that has nothing else;
//! what comes out is that app and the names of the fields, so that everything else of the stored
//! app stays as it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ecosystem::Context;
use super::fields::APP;
use super::mistake::{Mistakes, Note};
use super::names::canonical;
use super::node::Value;
use super::script_app;
use crate::notify::Language;
use crate::spec::{AppSpec, Environment, RestartDelay};
use crate::words::Tell;

/// What to change of an app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The fields that get another value, by their first names.
    pub fields: BTreeSet<String>,
    /// An app in which they have it.
    pub app: Option<Box<AppSpec>>,
    /// The variables of whoever gives the command, to take the place of those that the app has:
    /// one that is gone there goes.
    pub inherited_env: Option<Environment>,
}

/// A script that no rule of the checker takes for anything: it never reaches an app.
const NO_SCRIPT: &str = "unchanged";

/// Returns the change that these fields of an app are.
///
/// # Errors
///
/// Every mistake in the fields, not only the first.
pub fn change(
    fields: Vec<(&str, Value)>,
    args: &[String],
    context: &Context,
) -> Result<(Change, Vec<Note>), Mistakes> {
    let mut names: BTreeSet<String> =
        fields.iter().map(|(name, _)| canonical(name, APP).unwrap_or(name).to_owned()).collect();
    if !args.is_empty() {
        names.insert("args".to_owned());
    }
    if names.is_empty() {
        return Ok((Change::default(), Vec::new()));
    }
    let (app, notes) = script_app(NO_SCRIPT, args, fields, context)?;
    Ok((Change { fields: names, app: Some(Box::new(app)), inherited_env: None }, notes))
}

impl Change {
    /// Returns whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.inherited_env.is_none()
    }

    /// Returns whether the app gets another name.
    pub fn renames(&self) -> bool {
        self.fields.contains("name")
    }

    /// Returns the app with the change.
    pub fn of(&self, app: &AppSpec) -> AppSpec {
        let mut changed = app.clone();
        if let Some(from) = &self.app {
            for field in &self.fields {
                take(&mut changed, field, from);
            }
        }
        if let Some(env) = &self.inherited_env {
            changed.launch.inherited_env = changed.launch.filter_env.apply(&Arc::new(env.clone()));
        } else if self.fields.contains("filter_env") {
            let env = Arc::clone(&changed.launch.inherited_env);
            changed.launch.inherited_env = changed.launch.filter_env.apply(&env);
        }
        changed
    }
}

/// Gives one field of an app the value that it has in another. Returns false for a field that can
/// only be given when an app is declared.
fn take(app: &mut AppSpec, field: &str, from: &AppSpec) -> bool {
    let (launch, restart, stop, logs) =
        (&mut app.launch, &mut app.restart, &mut app.stop, &mut app.logs);
    match field {
        "name" => app.name.clone_from(&from.name),
        "namespace" => app.namespace.clone_from(&from.namespace),
        "cwd" => launch.cwd.clone_from(&from.launch.cwd),
        "args" => launch.args.clone_from(&from.launch.args),
        "exec_interpreter" => launch.interpreter.clone_from(&from.launch.interpreter),
        "node_args" => launch.interpreter_args.clone_from(&from.launch.interpreter_args),
        "instances" => app.instances = from.instances,
        "exec_mode" => app.mode = from.mode,
        "wait_ready" => app.readiness.wait = from.readiness.wait,
        "listen_timeout" => app.readiness.within = from.readiness.within,
        "shutdown_with_message" => stop.message = from.stop.message,
        "instance_var" => launch.instance_var.clone_from(&from.launch.instance_var),
        "increment_var" => launch.increment_var.clone_from(&from.launch.increment_var),
        "env" | "port" => {
            let given = from.launch.env.iter();
            launch.env.extend(given.map(|(name, value)| (name.clone(), value.clone())));
        }
        "filter_env" => launch.filter_env.clone_from(&from.launch.filter_env),
        "autostart" => app.autostart = from.autostart,
        "autorestart" => restart.autorestart = from.restart.autorestart,
        "stop_exit_codes" => restart.stop_exit_codes.clone_from(&from.restart.stop_exit_codes),
        "max_restarts" => restart.max_restarts = from.restart.max_restarts,
        "min_uptime" => restart.min_uptime = from.restart.min_uptime,
        "restart_window" => restart.restart_window = from.restart.restart_window,
        "half_open_after" => restart.half_open_after = from.restart.half_open_after,
        // Of both the growing one counts, as in a file.
        "restart_delay" | "exp_backoff_restart_delay" => {
            let keeps_growing = field == "restart_delay"
                && matches!(restart.delay, RestartDelay::Exponential(_))
                && from.restart.delay == RestartDelay::None;
            if !keeps_growing {
                restart.delay = from.restart.delay;
            }
        }
        "max_memory_restart" => app.max_memory = from.max_memory,
        "cron_restart" => app.cron.clone_from(&from.cron),
        "kill_timeout" => stop.grace = from.stop.grace,
        "kill_signal" => stop.signal = from.stop.signal,
        "treekill" => stop.tree = from.stop.tree,
        "out_file" => logs.out.clone_from(&from.logs.out),
        "error_file" => logs.err.clone_from(&from.logs.err),
        "log_file" => logs.combined.clone_from(&from.logs.combined),
        "log_type" => logs.format = from.logs.format,
        "merge_logs" => logs.merge = from.logs.merge,
        "log_date_format" | "time" => logs.date_format.clone_from(&from.logs.date_format),
        "disable_logs" => logs.clone_from(&from.logs),
        "pid_file" => app.pid_file.clone_from(&from.pid_file),
        "watch" => {
            app.watch.on = from.watch.on;
            app.watch.paths.clone_from(&from.watch.paths);
        }
        "ignore_watch" => app.watch.ignore.clone_from(&from.watch.ignore),
        "watch_delay" => app.watch.delay = from.watch.delay,
        "watch_options" => {
            app.watch.follow_symlinks = from.watch.follow_symlinks;
            app.watch.polling = from.watch.polling;
        }
        "env_file" => launch.env_files.clone_from(&from.launch.env_files),
        "uid" => launch.uid.clone_from(&from.launch.uid),
        "gid" => launch.gid.clone_from(&from.launch.gid),
        _ => return false,
    }
    true
}

/// The names of the variables in which two environments differ: come, gone, changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvDifference {
    /// Only in the new one.
    pub come: Vec<String>,
    /// Only in the old one.
    pub gone: Vec<String>,
    /// In both, with another value.
    pub changed: Vec<String>,
}

impl EnvDifference {
    /// Compares two environments; their values are not in the answer.
    pub fn between(old: &Environment, new: &Environment) -> Self {
        let gone = old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
        let mut difference = Self { gone, ..Self::default() };
        for (name, value) in new {
            match old.get(name) {
                None => difference.come.push(name.clone()),
                Some(before) if before != value => difference.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        difference
    }

    /// Without the variables that a shell changes by itself with every command.
    #[must_use]
    pub fn without_shell_noise(mut self) -> Self {
        for names in [&mut self.come, &mut self.gone, &mut self.changed] {
            names.retain(|name| !SHELL_NOISE.contains(&name.as_str()));
        }
        self
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.come.is_empty() && self.gone.is_empty() && self.changed.is_empty()
    }
}

/// Variables that a shell or terminal changes by itself.
const SHELL_NOISE: [&str; 10] = [
    "_",
    "SHLVL",
    "PWD",
    "OLDPWD",
    "COLUMNS",
    "LINES",
    "WINDOWID",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
];

impl Tell for EnvDifference {
    /// Names only: `new A, B; gone C; changed D`.
    fn tell(&self, language: Language) -> String {
        let parts = [
            (language.pick("new", "novas"), &self.come),
            (language.pick("gone", "ausentes"), &self.gone),
            (language.pick("changed", "alteradas"), &self.changed),
        ];
        let part = |(word, names): (&str, &Vec<String>)| {
            let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>();
            let shown = shown.join(", ");
            match (names.len().saturating_sub(SHOWN), language) {
                (0, _) => format!("{word} {shown}"),
                (rest, Language::En) => format!("{word} {shown} and {rest} more"),
                (rest, Language::Pt) => format!("{word} {shown} e mais {rest}"),
            }
        };
        let parts = parts.into_iter().filter(|(_, names)| !names.is_empty()).map(part);
        parts.collect::<Vec<_>>().join("; ")
    }
}

impl std::fmt::Display for EnvDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.tell(Language::En))
    }
}

/// So many names of a kind are told.
const SHOWN: usize = 8;

/// Returns the fields in which two declarations of an app differ, environments apart, by their
/// names in a file.
pub fn differing_fields(old: &AppSpec, new: &AppSpec) -> Vec<&'static str> {
    let plain = |app: &AppSpec| {
        let mut app = app.clone();
        app.launch.inherited_env = Arc::default();
        app.launch.env = Environment::new();
        app.source = None;
        app
    };
    let (old, new) = (plain(old), plain(new));
    let mut step = old.clone();
    let mut fields: Vec<&'static str> = Vec::new();
    for (field, _) in APP {
        let before = step.clone();
        if take(&mut step, field, &new) && step != before {
            fields.push(field);
        }
    }
    if old.launch.script != new.launch.script {
        fields.insert(0, "script");
    }
    for (field, differs) in [
        ("health", old.health != new.health),
        ("probes", old.probes != new.probes),
        ("depends_on", (&old.depends_on, &old.conditions) != (&new.depends_on, &new.conditions)),
        ("notify", old.notify != new.notify),
        ("sockets", old.sockets != new.sockets),
        ("limits", old.limits != new.limits),
        ("on_dependency_down", old.on_dependency_down != new.on_dependency_down),
    ] {
        if differs {
            fields.push(field);
        }
    }
    fields
}
