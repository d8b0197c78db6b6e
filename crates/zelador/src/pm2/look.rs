//! `ls`, `jlist`, `prettylist`, `describe`, `pid`, `id`, `env`, as PM2 shows them.

use std::process::ExitCode;

use serde_json::json;
use zelador_api::select::nearest;
use zelador_api::{AppView, HealthView, InstanceView, Phase, route};

use super::words::Line;
use super::{describe, listed, say, table};
use crate::command::{self, Context, environment, incidents};
use crate::failure::Failure;
use crate::output;
use crate::render::inspect::inspect;
use crate::render::order::Order;
use crate::render::terminal::Terminal;
use crate::render::{self, jlist};

/// Shows the list.
pub fn list(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    let draw = || draw(context, line.sort.as_deref(), line.mini);
    if line.options.watch.paths.is_empty() {
        output::tell(&draw()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::redraw(draw)
}

/// Shows the list, as every verb that changed something does at its end.
pub fn print_list(context: &Context) -> Result<(), Failure> {
    if output::is_silent() {
        return Ok(());
    }
    Ok(output::tell(&draw(context, None, false)?)?)
}

fn draw(context: &Context, sort: Option<&str>, mini: bool) -> Result<String, Failure> {
    let mut apps = listed::all(context)?;
    // A field that PM2 does not know is passed over there.
    let order = sort.and_then(Order::read).or_else(|| Order::read("name"));
    if let Some(order) = order {
        order.sort_by(&mut apps, |app| &app.instance);
    }
    let now = incidents::now();
    let terminal = Terminal::stdout();
    if mini {
        return Ok(table::blocks(&apps, now));
    }
    let mut shown = table::list(&apps, now, Terminal::columns(), terminal);
    if let Some(troubles) = troubles(context, &apps, terminal) {
        shown.push_str(&troubles);
    }
    Ok(shown)
}

/// What is not healthy, which PM2 has no words for; nothing while all is well.
fn troubles(context: &Context, apps: &[AppView], terminal: Terminal) -> Option<String> {
    if apps.is_empty() {
        return None;
    }
    let health: HealthView = context.engine.get(route::HEALTH).ok()?;
    // What was restarted a moment ago is no trouble.
    let settled = |it: &&InstanceView| !matches!(it.phase, Phase::Starting { .. });
    let instances: Vec<&InstanceView> =
        apps.iter().map(|app| &app.instance).filter(settled).collect();
    render::list::troubles(&instances, &health, terminal)
}

/// Prints the list as JSON, without a line end.
pub fn jlist(context: &Context) -> Result<ExitCode, Failure> {
    output::answer(&jlist::jlist(&listed::all(context)?))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the list as JavaScript shows an object, without a line end.
pub fn prettylist(context: &Context) -> Result<ExitCode, Failure> {
    output::answer(&jlist::shown(&listed::all(context)?))?;
    Ok(ExitCode::SUCCESS)
}

/// Shows everything about the instances of one app, or about one instance.
pub fn describe(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    let word = line.rest().first().map_or("", String::as_str);
    let apps = listed::all(context)?;
    let is_meant = |app: &&AppView| {
        app.instance.app == word || app.instance.id.to_string() == word || app.instance.name == word
    };
    let meant: Vec<&AppView> = apps.iter().filter(is_meant).collect();
    if meant.is_empty() {
        let near = nearest(word, apps.iter().map(|app| app.instance.app.as_str()));
        let near = listed::meant(near.map(str::to_owned));
        say::nothing(&format!("{word} doesn't exist{near}"));
        return Err(Failure::SaidAlready);
    }
    let (now, terminal) = (incidents::now(), Terminal::stdout());
    for app in meant {
        output::tell(&describe::app(app, now, &crate::declare::inherited_env(), terminal))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints main processes, one a line; an empty line for a name that is not there.
pub fn pid(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    let apps = listed::all(context)?;
    let Some(word) = line.rest().first() else {
        output::answer(&pids(apps.iter()))?;
        return Ok(ExitCode::SUCCESS);
    };
    let found = command::find(&apps, word).unwrap_or_default();
    output::answer(&if found.is_empty() { "\n".to_owned() } else { pids(found.into_iter()) })?;
    Ok(ExitCode::SUCCESS)
}

fn pids<'a>(apps: impl Iterator<Item = &'a AppView>) -> String {
    let pids: Vec<String> = apps.map(|app| app.instance.pid.unwrap_or(0).to_string()).collect();
    if pids.is_empty() { String::new() } else { format!("{}\n", pids.join("\n")) }
}

/// Prints the numbers of the instances of an app, as JavaScript shows a list.
pub fn id(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    let name = line.rest().first().map_or("", String::as_str);
    let apps = listed::all(context)?;
    let ids = apps.iter().filter(|app| app.instance.app == name);
    let ids: Vec<u32> = ids.map(|app| app.instance.id.number()).collect();
    output::answer(&format!("{}\n", inspect(&json!(ids))))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the environment of an instance; secrets are masked.
pub fn env(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    let word = line.rest().first().map_or("", String::as_str);
    let apps = listed::all(context)?;
    if command::find(&apps, word).is_err() {
        return Err(Failure::new(format!("Modules with id {word} not found")));
    }
    environment::env(context, word, false)
}
