//! `incidents`: what went wrong and what was done about it.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use zelador_api::unit::Moment;
use zelador_api::{Incident, route};

use super::Context;
use super::health::pretty;
use crate::failure::Failure;
use crate::output;
use crate::render::{self, terminal::Terminal};

/// Shows all incidents, or the story of one.
pub fn incidents(context: &Context, id: Option<u64>, json: bool) -> Result<ExitCode, Failure> {
    let (zone, terminal) = (TimeZone::system(), Terminal::stdout());
    let shown = match id {
        Some(id) => {
            let incident: Incident = context.engine.get(&format!("{}/{id}", route::INCIDENTS))?;
            if json {
                pretty(&incident)?
            } else {
                render::incidents::story(&incident, now(), &zone, terminal)
            }
        }
        None => {
            let incidents: Vec<Incident> = context.engine.get(route::INCIDENTS)?;
            if json {
                pretty(&incidents)?
            } else {
                render::incidents::table(&incidents, now(), &zone, terminal)
            }
        }
    };
    output::answer(&shown)?;
    Ok(ExitCode::SUCCESS)
}

/// The moment, by this process's clock.
pub fn now() -> Moment {
    Moment::from_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
