//! `list`, `jlist`, `show`: looking without touching.

use std::process::ExitCode;

use jiff::tz::TimeZone;
use zelador_api::{View, route};

use super::incidents::now;
use super::{Context, select};
use crate::cli::List;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::history_file;
use crate::output;
use crate::render::order::Order;
use crate::render::{self, terminal::Terminal};

/// Shows the list.
pub fn list(context: &Context, asked: &List) -> Result<ExitCode, Failure> {
    let order = Order::read(&asked.sort).ok_or_else(|| {
        let found = &asked.sort;
        let allowed = Order::FIELDS.join(", ");
        Failure::new(format!(
            "--sort: found `{found}`, allowed: one of {allowed}; `:asc` or `:desc` after it"
        ))
    })?;
    let draw = || -> Result<String, Failure> {
        let mut view: View = context.engine.get(route::VIEW)?;
        order.sort(&mut view.instances);
        let terminal = Terminal::stdout();
        let shown = if asked.mini {
            render::list::blocks(&view, terminal)
        } else {
            render::list::list(&view, terminal)
        };
        let damaged = history_file::set_aside(&context.home.history());
        Ok(shown + &render::aside::lines(&view, &damaged, terminal))
    };
    if !asked.watch {
        output::tell(&draw()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::redraw(draw)
}

/// Shows the list, as every verb that changed something does at its end.
pub fn print_list(engine: &Engine) -> Result<(), Failure> {
    if output::is_silent() {
        return Ok(());
    }
    let view: View = engine.get(route::VIEW)?;
    Ok(output::answer(&render::list::list(&view, Terminal::stdout()))?)
}

/// Prints the list as JavaScript shows an object.
pub fn prettylist(context: &Context) -> Result<ExitCode, Failure> {
    let apps = context.engine.apps()?;
    output::answer(&render::jlist::shown(&apps))?;
    output::answer("\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the list as JSON.
pub fn jlist(context: &Context) -> Result<ExitCode, Failure> {
    let apps = context.engine.apps()?;
    output::answer(&render::jlist::jlist(&apps))?;
    Ok(ExitCode::SUCCESS)
}

/// Shows everything about the instances that a selector names.
pub fn show(context: &Context, selector: &str) -> Result<ExitCode, Failure> {
    let apps = context.engine.apps()?;
    let (now, zone, terminal) = (now(), TimeZone::system(), Terminal::stdout());
    let chosen = select(&apps, selector)?;
    let shown = chosen.iter().map(|app| render::show::show(app, now, &zone, terminal));
    output::answer(&shown.collect::<Vec<_>>().join("\n"))?;
    Ok(ExitCode::SUCCESS)
}
