//! Everything about one instance, for a person.

use std::path::Path;

use jiff::tz::TimeZone;
use zelador_api::evidence::PastDeath;
use zelador_api::raise::spoken_value;
use zelador_api::spec::{AppSpec, OnDependencyDown, RestartDelay};
use zelador_api::unit::{Moment, spoken};
use zelador_api::{AppView, Goal, InstanceView, Language, Phase};

use super::terminal::{Colour, Terminal};
use super::{list, text, words};

/// How many deaths are shown.
const DEATHS_SHOWN: usize = 5;

/// Returns the tables of one instance; they end with a line end.
pub fn show(app: &AppView, now: Moment, zone: &TimeZone, terminal: Terminal) -> String {
    let instance = &app.instance;
    let title = format!("{} (id {})", instance.name, instance.id);
    let mut shown = terminal.paint(&text::plain(&title), Colour::Cyan);
    shown.push('\n');
    shown.push_str(&pairs(&[state(&app.instance, now, zone), declared(app)].concat(), terminal));
    if !instance.deaths.is_empty() {
        shown.push_str("last deaths, the latest first\n");
        shown.push_str(&deaths(app, zone, terminal));
    }
    let file = app.file_env.as_ref();
    let environments = [
        ("declared environment (secrets masked)", Some(&app.spec.launch.env)),
        ("environment of env_file at the last start (secrets masked)", file),
    ];
    for (title, env) in environments {
        let rows = env.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
        let rows: Vec<Row> = rows.collect();
        if !rows.is_empty() {
            shown.push_str(&format!("{title}\n"));
            shown.push_str(&pairs(&rows, terminal));
        }
    }
    shown
}

/// A name and its value.
pub type Row = (String, String);

fn row(name: &str, value: impl ToString) -> Row {
    (name.to_owned(), value.to_string())
}

fn pairs(rows: &[Row], terminal: Terminal) -> String {
    let mut table = terminal.table();
    for (name, value) in rows {
        let value = match name.as_str() {
            "status" => terminal.coloured(value, words::status_colour(value)),
            _ => terminal.cell(value),
        };
        table.add_row([terminal.heading(name), value]);
    }
    format!("{table}\n")
}

/// How it is now.
pub fn state(instance: &InstanceView, now: Moment, zone: &TimeZone) -> Vec<Row> {
    let health = match &instance.health {
        Some(health) => format!("{}: {}", health.status, health.message),
        None if instance.goal == Goal::Down => "not wanted up".to_owned(),
        None => "-".to_owned(),
    };
    let mut rows = vec![row("status", list::status(instance, now)), row("health", health)];
    let aside = instance.set_aside.as_ref().map(|it| row("set aside", it.told(now, Language::En)));
    rows.extend(aside);
    if let Some(last) = instance.deaths.first() {
        let said = format!(
            "the process {}, at {}, after {}",
            last.death,
            words::local(last.at, zone),
            lived(last.uptime_millis)
        );
        rows.push(row("last death", said));
        rows.extend(last.explained.as_ref().map(|why| row("it seems", why)));
    }
    if let Some(start) = &instance.last_start {
        let said = format!("{}, {}", start.cause, words::local(start.at, zone));
        rows.push(row("started because", said));
    }
    rows.extend(instance.says.as_ref().map(|says| row("says", says)));
    rows.extend(instance.not_limited.as_ref().map(|why| row("not limited", why)));
    rows.push(row("pid", instance.pid.map_or("-".to_owned(), |pid| pid.to_string())));
    let up = match instance.phase {
        Phase::Running { since, .. } => {
            format!("{} (since {})", spoken(now.since(since)), words::local(since, zone))
        }
        _ => "-".to_owned(),
    };
    rows.push(row("uptime", up));
    let restarts = match instance.unstable_restarts {
        0 => instance.restarts.to_string(),
        short => format!("{} ({short} short runs in a row)", instance.restarts),
    };
    rows.push(row("restarts", restarts));
    if let Some(usage) = instance.usage.filter(|_| instance.pid.is_some()) {
        let use_now = format!(
            "{} of memory, {} cpu, processes: {}",
            usage.memory,
            words::cpu(usage.cpu),
            usage.processes
        );
        rows.push(row("uses", use_now));
    }
    if !instance.actions.is_empty() {
        let names: Vec<&str> = instance.actions.iter().map(|it| it.name.as_str()).collect();
        rows.push(row("actions", format!("{} (`zelador trigger`)", names.join(", "))));
    }
    for (name, metric) in &instance.metrics {
        rows.push(row("metric", format!("{name}: {}", metric.shown())));
    }
    rows.push(row("declared at", words::local(instance.created_at, zone)));
    rows
}

/// What was asked for.
pub fn declared(app: &AppView) -> Vec<Row> {
    let AppSpec { launch, logs, restart, stop, .. } = &app.spec;
    let mut rows = vec![row("namespace", &app.spec.namespace), row("script", &launch.script)];
    for (limit, value) in &app.spec.raised {
        rows.push(row("raised", format!("{limit}, to {}", spoken_value(*limit, *value))));
    }
    match &launch.interpreter {
        Some(program) => {
            let words = [std::slice::from_ref(program), launch.interpreter_args.as_slice()];
            rows.push(row("interpreter", words.concat().join(" ")));
        }
        None => rows.push(row("interpreter", "none")),
    }
    rows.push(row("args", if launch.args.is_empty() { "-".into() } else { launch.args.join(" ") }));
    rows.push(row("cwd", launch.cwd.display()));
    if let Some(user) = &launch.uid {
        rows.push(row("user", user));
    }
    rows.push(row("instances", app.spec.instances));
    rows.push(row("pid file", app.pid_file.display()));
    rows.push(row("out log", path(app.out_log.as_deref())));
    rows.push(row("error log", path(app.err_log.as_deref())));
    if let Some(combined) = &logs.combined {
        rows.push(row("combined log", combined.display()));
    }
    let delay = match restart.delay {
        RestartDelay::None => "at once".to_owned(),
        RestartDelay::Fixed(delay) => format!("after {}", spoken(delay)),
        RestartDelay::Exponential(first) => {
            format!("after {}, half as long again each time", spoken(first))
        }
    };
    let mut policy = format!(
        "{delay}; given up after {} runs in a row shorter than {}",
        restart.max_restarts,
        spoken(restart.min_uptime)
    );
    if let Some(window) = restart.restart_window {
        policy.push_str(&format!(", or so many restarts within {}", spoken(window)));
    }
    rows.push(row("restart", if restart.autorestart { policy } else { "never".to_owned() }));
    if !restart.stop_exit_codes.is_empty() {
        let codes: Vec<String> = restart.stop_exit_codes.iter().map(i32::to_string).collect();
        rows.push(row("finished by exit code", codes.join(", ")));
    }
    rows.push(row("stop", format!("{}, SIGKILL after {}", stop.signal, spoken(stop.grace))));
    if let Some(limit) = app.spec.max_memory {
        rows.push(row("memory limit", limit));
    }
    if let Some(cron) = &app.spec.cron {
        rows.push(row("cron restart", cron.as_str()));
    }
    let files = launch.env_files.iter().map(|file| file.path.display().to_string());
    let files: Vec<String> = files.collect();
    if !files.is_empty() {
        rows.push(row("env file", files.join(", ")));
    }
    rows.extend(watch(app));
    rows.extend(health_check(&app.spec));
    if let Some(source) = &app.spec.source {
        rows.push(row("declared in", source.display()));
    }
    rows
}

fn watch(app: &AppView) -> Option<Row> {
    let (spec, state) = (&app.spec.watch, app.watching.as_ref());
    if !spec.on {
        return None;
    }
    let what = match spec.paths.as_slice() {
        [] => "below cwd".to_owned(),
        paths => paths.join(", "),
    };
    let said = match state.map(|state| (&state.trouble, state.folders)) {
        None => format!("{what}, when it is started"),
        Some((_, Some(folders))) => format!("{what}; folders: {folders}"),
        Some((None, None)) => what,
        Some((Some(_), None)) => format!("{what}: not watched"),
    };
    let trouble = state.and_then(|state| state.trouble.as_ref());
    let changed = state.and_then(|state| state.changed.as_ref());
    let parts = [
        Some(said),
        trouble.cloned(),
        changed.map(|(_, changed)| format!("last change: {changed}")),
    ];
    Some(row("watch", parts.into_iter().flatten().collect::<Vec<_>>().join("; ")))
}

fn health_check(spec: &AppSpec) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(health) = &spec.health {
        let asked = health.probe.said();
        let cadence = health.cadence;
        rows.push(row(
            "health check",
            format!(
                "{asked}; every {}, within {}, slow from {} on, unhealthy after {} failures",
                spoken(cadence.interval),
                spoken(cadence.timeout),
                spoken(health.slow),
                cadence.failure_threshold
            ),
        ));
    }
    if !spec.depends_on.is_empty() {
        let then = match spec.on_dependency_down {
            OnDependencyDown::Wait => "waits while one is down",
            OnDependencyDown::Restart => "is restarted even while one is down",
        };
        let needed = spec.depends_on.iter().map(|name| match spec.conditions.get(name) {
            Some(condition) => format!("{name} ({})", condition.word()),
            None => name.clone(),
        });
        let needed: Vec<String> = needed.collect();
        rows.push(row("depends on", format!("{} ({then})", needed.join(", "))));
    }
    rows
}

fn deaths(app: &AppView, zone: &TimeZone, terminal: Terminal) -> String {
    let mut table = terminal.table();
    table.set_header(["at", "had lived", "the process"].map(|name| terminal.heading(name)));
    for past in app.instance.deaths.iter().take(DEATHS_SHOWN) {
        table.add_row([
            terminal.cell(&words::local(past.at, zone)),
            terminal.cell(&lived(past.uptime_millis)),
            terminal.cell(&told(past)),
        ]);
    }
    format!("{table}\n")
}

/// How a run ended, and what was found out about it.
fn told(past: &PastDeath) -> String {
    match &past.explained {
        Some(why) => format!("{}: {why}", past.death),
        None => past.death.to_string(),
    }
}

fn lived(millis: u64) -> String {
    spoken(std::time::Duration::from_millis(millis))
}

fn path(path: Option<&Path>) -> String {
    path.map_or_else(|| "off".to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn everything_about_an_instance_is_shown() {
        let now = Moment::from_micros(sample::NOW);
        let terminal = Terminal { width: 100, colours: false };
        insta::assert_snapshot!(show(&sample::app(), now, &TimeZone::UTC, terminal));
    }
}
