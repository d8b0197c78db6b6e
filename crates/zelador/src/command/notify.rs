//! `notify`: who is told what, and whether a channel works.

use std::process::ExitCode;
use std::time::Duration;

use zelador_api::notify::{NotifyView, Trial};
use zelador_api::route;

use super::Context;
use super::health::pretty;
use super::incidents::now;
use crate::failure::Failure;
use crate::output;
use crate::render::{self, terminal::Terminal};

/// Shows channels and routes.
pub fn list(context: &Context, json: bool) -> Result<ExitCode, Failure> {
    let view: NotifyView = context.engine.get(route::NOTIFY)?;
    let shown = if json {
        pretty(&view)?
    } else {
        render::notify::notify(&view, now(), Terminal::stdout())
    };
    output::answer(&shown)?;
    Ok(ExitCode::SUCCESS)
}

/// Sends a message to a channel, and says whether it was taken.
pub fn test(context: &Context, channel: &str) -> Result<ExitCode, Failure> {
    let trial = Trial { channel: channel.to_owned() };
    let began = std::time::Instant::now();
    context.engine.post::<()>(route::NOTIFY_TEST, &trial)?;
    let took = Duration::from_millis(began.elapsed().as_millis() as u64);
    let took = zelador_api::unit::spoken(took);
    output::answer(&format!("✓ {channel} took the message ({took})\n"))?;
    Ok(ExitCode::SUCCESS)
}
