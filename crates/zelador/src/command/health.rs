//! `health`: how everything is, for people, scripts and monitors.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use zelador_api::{HealthView, Status, route};

use super::Context;
use crate::failure::Failure;
use crate::output;
use crate::render::{self, terminal::Terminal};

/// The exit code for "unhealthy", and for "no answer", which is no better.
pub const UNHEALTHY: u8 = 2;

/// Shows how everything is; with `watch` again and again, until the output is closed.
pub fn health(
    context: &Context,
    json: bool,
    now: bool,
    watch: Option<u64>,
) -> Result<ExitCode, Failure> {
    let Some(seconds) = watch else { return show(context, json, now) };
    loop {
        // On a terminal each table takes the place of the one before; into a pipe they follow.
        if !json && std::io::stdout().is_terminal() {
            output::answer("\x1b[H\x1b[2J")?;
        }
        show(context, json, now)?;
        std::thread::sleep(Duration::from_secs(seconds));
    }
}

fn show(context: &Context, json: bool, now: bool) -> Result<ExitCode, Failure> {
    let view: HealthView = if now {
        context.engine.post(route::HEALTH_CHECK, &())?
    } else {
        context.engine.get(route::HEALTH)?
    };
    output::answer(&if json {
        pretty(&view)?
    } else {
        render::health::health(&view, Terminal::stdout())
    })?;
    Ok(match view.overall {
        Status::Healthy => ExitCode::SUCCESS,
        Status::Degraded => ExitCode::from(1),
        Status::Unhealthy => ExitCode::from(UNHEALTHY),
    })
}

/// Returns a value as JSON for people and programs, with a line end.
pub fn pretty(value: &impl serde::Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(value);
    let json = json.map_err(|error| Failure::new(format!("no JSON can be made: {error}")))?;
    Ok(render::text::json(json) + "\n")
}
