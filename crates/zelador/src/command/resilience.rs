//! `retries` and `breaker`: what was tried, and what is not tried for now.

use std::process::ExitCode;

use jiff::tz::TimeZone;
use zelador_api::{BreakerView, Command, Order, RetryView, route};

use super::Context;
use super::health::pretty;
use super::incidents::now;
use crate::cli::more::BreakerOrder;
use crate::failure::Failure;
use crate::output;
use crate::render::{self, terminal::Terminal};

/// Shows the numbers of all operations, or the attempts of one.
pub fn retries(
    context: &Context,
    operation: Option<&str>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let mut views: Vec<RetryView> = context.engine.get(route::RETRIES)?;
    if let Some(operation) = operation {
        let known: Vec<&str> = views.iter().map(|view| view.operation.as_str()).collect();
        if !known.contains(&operation) {
            let error = format!("nothing is known of an operation `{operation}`");
            let help = match known.as_slice() {
                [] => "nothing was tried yet".to_owned(),
                known => format!("these were tried: {}", known.join(", ")),
            };
            return Err(Failure::with_help(error, help));
        }
        views.retain(|view| view.operation == operation);
    }
    let (zone, terminal) = (TimeZone::system(), Terminal::stdout());
    output::answer(&match (json, operation) {
        (true, _) => pretty(&views)?,
        (false, None) => render::resilience::operations(&views, terminal),
        (false, Some(_)) => render::resilience::attempts(&views, now(), &zone, terminal),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Shows all breakers, or does something to those of a target.
pub fn breaker(
    context: &Context,
    what: BreakerOrder,
    target: Option<String>,
    operation: Option<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let order = match what {
        BreakerOrder::List => None,
        BreakerOrder::ForceOpen => Some(Order::ForceOpen),
        BreakerOrder::Disable => Some(Order::Disable),
        BreakerOrder::MetricsOnly => Some(Order::MetricsOnly),
        BreakerOrder::Reset => Some(Order::Reset),
    };
    if let (Some(order), Some(target)) = (order, target) {
        let done = context.engine.command(&Command::Breaker { target, operation, order })?;
        output::answer(&(done.notes.join("\n") + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let views: Vec<BreakerView> = context.engine.get(route::BREAKERS)?;
    output::answer(&if json {
        pretty(&views)?
    } else {
        render::resilience::breakers(&views, Terminal::stdout())
    })?;
    Ok(ExitCode::SUCCESS)
}
