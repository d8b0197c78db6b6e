//! `list`, `jlist`, `show`: looking without touching.

use std::process::ExitCode;

use jiff::tz::TimeZone;
use serde::Deserialize;
use zelador_api::id::InstanceId;
use zelador_api::{AppView, View, route};

use super::incidents::now;
use super::{Context, select};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::output;
use crate::render::terminal::Terminal;
use crate::render::{self, list::Namespaces};

/// Shows the list.
pub fn list(context: &Context) -> Result<ExitCode, Failure> {
    print_list(&context.engine)?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the list, as every verb that changed something does at its end.
pub fn print_list(engine: &Engine) -> Result<(), Failure> {
    let terminal = Terminal::stdout();
    let (view, namespaces) = engine.get_both::<View, Vec<OfApp>>((route::VIEW, route::APPS))?;
    let namespaces: Namespaces =
        namespaces.into_iter().map(|app| (app.instance.id, app.spec.namespace)).collect();
    Ok(output::answer(&render::list::list(&view, &namespaces, terminal))?)
}

/// What the list needs of an [`AppView`] besides the [`View`]; the rest is skipped unread.
#[derive(Deserialize)]
struct OfApp {
    instance: OfInstance,
    spec: OfSpec,
}

#[derive(Deserialize)]
struct OfInstance {
    id: InstanceId,
}

#[derive(Deserialize)]
struct OfSpec {
    namespace: String,
}

/// Prints the list as JSON.
pub fn jlist(context: &Context) -> Result<ExitCode, Failure> {
    let apps: Vec<AppView> = context.engine.get(route::APPS)?;
    output::answer(&render::jlist::jlist(&apps))?;
    Ok(ExitCode::SUCCESS)
}

/// Shows everything about the instances that a selector names.
pub fn show(context: &Context, selector: &str) -> Result<ExitCode, Failure> {
    let apps: Vec<AppView> = context.engine.get(route::APPS)?;
    let (now, zone, terminal) = (now(), TimeZone::system(), Terminal::stdout());
    let chosen = select(&apps, selector)?;
    let shown = chosen.iter().map(|app| render::show::show(app, now, &zone, terminal));
    output::answer(&shown.collect::<Vec<_>>().join("\n"))?;
    Ok(ExitCode::SUCCESS)
}
