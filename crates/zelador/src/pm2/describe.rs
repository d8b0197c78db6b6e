//! `pm2 describe`: its rows in its order, then what PM2 has no words for: health, the last death,
//! and why it was started.

use std::time::Duration;

use jiff::tz::TimeZone;
use zelador_api::spec::{Environment, RestartDelay};
use zelador_api::unit::Moment;
use zelador_api::{AppView, Metric, redact};

use super::table::{Cell, boxed, uptime};
use crate::render::jlist::{self, Versions};
use crate::render::node_version::NodeVersions;
use crate::render::terminal::{Colour, Terminal};
use crate::render::{text, words};

/// Returns everything about one instance; `here` is the environment of whoever asks.
pub fn app(app: &AppView, now: Moment, here: &Environment, terminal: Terminal) -> String {
    let (id, name) = (app.instance.id, text::plain(&app.instance.app));
    let title = format!(" Describing process with id {id} - name {name} ");
    let mut shown = format!("{}\n", terminal.paint(&title, Colour::Cyan));
    let rows: Vec<Vec<Cell>> = rows(app, now)
        .into_iter()
        .map(|(key, value)| {
            let value = match key {
                "status" => Cell::coloured(&value, words::status_colour(&value)),
                _ => Cell::new(&value),
            };
            vec![Cell::coloured(key, Colour::Cyan), value]
        })
        .collect();
    shown.push_str(&boxed(None, &rows, &[], terminal));
    shown.push_str(&offered(app, terminal));
    let differing = differing(app, here);
    shown.push_str(" Divergent env variables from local env \n");
    if !differing.is_empty() {
        shown.push_str(&boxed(None, &differing, &[], terminal));
    }
    shown.push_str(&format!(
        "\n Use `pm2 logs {name} [--lines 1000]` to display logs\n \
         Use `pm2 env {id}` to display environment variables\n \
         Use `pm2 monit` to monitor CPU and Memory usage {name}\n"
    ));
    shown
}

/// What it offers to do, and what it tells about itself.
fn offered(app: &AppView, terminal: Terminal) -> String {
    let instance = &app.instance;
    let mut shown = String::new();
    let title = |title: &str| format!("{}\n", terminal.paint(title, Colour::Cyan));
    if !instance.actions.is_empty() {
        shown.push_str(&title(" Actions available "));
        let rows = instance.actions.iter();
        let rows: Vec<Vec<Cell>> = rows.map(|action| vec![Cell::new(&action.name)]).collect();
        shown.push_str(&boxed(None, &rows, &[], terminal));
        let name = text::plain(&instance.app);
        shown.push_str(&format!(" Trigger via: pm2 trigger {name} <action_name>\n\n"));
    }
    if !instance.metrics.is_empty() {
        shown.push_str(&title(" Code metrics value "));
        let metric = |(name, metric): (&String, &Metric)| {
            vec![Cell::coloured(name, Colour::Cyan), Cell::new(&metric.shown())]
        };
        let rows: Vec<Vec<Cell>> = instance.metrics.iter().map(metric).collect();
        shown.push_str(&boxed(None, &rows, &[], terminal));
    }
    shown
}

fn rows(app: &AppView, now: Moment) -> Vec<(&'static str, String)> {
    let AppView { instance, spec, .. } = app;
    let launch = &spec.launch;
    let or_none = |text: String| if text.is_empty() { "N/A".to_owned() } else { text };
    let version = Versions::default().of_app(app);
    let node = NodeVersions::default().of_app(app);
    let mut rows = vec![
        ("status", instance.status.clone()),
        ("name", instance.app.clone()),
        ("namespace", spec.namespace.clone()),
        ("version", version),
        ("restarts", instance.restarts.to_string()),
    ];
    if let Some(limit) = spec.max_memory {
        rows.push(("max memory restart", limit.bytes().to_string()));
    }
    if let Some(cron) = &spec.cron {
        rows.push(("cron restart", cron.as_str().to_owned()));
    }
    rows.extend([
        ("uptime", uptime(app, now)),
        ("script path", launch.script.clone()),
        ("script args", or_none(launch.args.join(" "))),
        ("error log path", jlist::log(app.err_log.as_deref()).display().to_string()),
        ("out log path", jlist::log(app.out_log.as_deref()).display().to_string()),
    ]);
    if let Some(combined) = &spec.logs.combined {
        rows.push(("entire log path", combined.display().to_string()));
    }
    let node_env = launch.env.get("NODE_ENV").or_else(|| launch.inherited_env.get("NODE_ENV"));
    rows.extend([
        ("pid path", app.pid_file.display().to_string()),
        ("interpreter", launch.interpreter.clone().unwrap_or_else(|| "none".to_owned())),
        ("interpreter args", or_none(launch.interpreter_args.join(" "))),
        ("script id", instance.id.to_string()),
        ("exec cwd", launch.cwd.display().to_string()),
        ("exec mode", jlist::mode(spec).to_owned()),
        ("node.js version", node.unwrap_or_else(|| "N/A".to_owned())),
        ("node env", node_env.cloned().unwrap_or_else(|| "N/A".to_owned())),
        ("watch & reload", if spec.watch.on { "✔" } else { "✘" }.to_owned()),
        ("unstable restarts", instance.unstable_restarts.to_string()),
        ("created at", instance.created_at.to_string()),
    ]);
    rows.extend(beyond_pm2(app));
    rows
}

/// What PM2 does not know.
fn beyond_pm2(app: &AppView) -> Vec<(&'static str, String)> {
    let AppView { instance, spec, .. } = app;
    let zone = TimeZone::system();
    let mut rows = Vec::new();
    if let RestartDelay::Fixed(delay) | RestartDelay::Exponential(delay) = spec.restart.delay {
        rows.push(("restart delay", format!("{} ms", delay.as_millis())));
    }
    if let Some(health) = &instance.health {
        rows.push(("health", format!("{}: {}", health.status, health.message)));
    }
    if let Some(last) = instance.deaths.first() {
        let lived = words::uptime(Duration::from_millis(last.uptime_millis));
        let at = words::local(last.at, &zone);
        rows.push(("last death", format!("{}, at {at}, after {lived}", last.death)));
    }
    if let Some(start) = &instance.last_start {
        rows.push(("started because", start.cause.to_string()));
    }
    rows
}

/// The variables of the app that whoever asks has not, or has otherwise; secrets stay masked, and
/// what is masked is not compared.
fn differing(app: &AppView, here: &Environment) -> Vec<Vec<Cell>> {
    let launch = &app.spec.launch;
    let mut all = (*launch.inherited_env).clone();
    all.extend(launch.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    let differs = |(name, value): &(&String, &String)| {
        here.get(*name).is_none_or(|own| redact::variable(name, own) != **value)
    };
    all.iter()
        .filter(differs)
        .map(|(name, value)| vec![Cell::coloured(name, Colour::Cyan), Cell::new(value)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn the_rows_are_pm2s_and_then_ours() {
        let here = Environment::from([("PATH".to_owned(), "/usr/bin".to_owned())]);
        let now = Moment::from_micros(sample::NOW);
        let terminal = Terminal { width: 80, colours: false };
        let mut sample = sample::app();
        // Local time is the host's.
        sample.instance.deaths.clear();
        insta::assert_snapshot!(app(&sample, now, &here, terminal));
    }
}
