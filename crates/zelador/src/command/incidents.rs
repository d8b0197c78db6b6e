//! `incidents`: what went wrong, what was done about it, and what a person says to it.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use zelador_api::unit::Moment;
use zelador_api::{Command, Incident, IncidentOrder, id::IncidentId, route};

use super::Context;
use super::health::pretty;
use crate::failure::Failure;
use crate::output;
use crate::render::{self, terminal::Terminal, text};

/// Shows all incidents, or one of them, or says something to one.
pub fn incidents(
    context: &Context,
    what: Option<&str>,
    id: Option<u64>,
    json: bool,
    markdown: bool,
) -> Result<ExitCode, Failure> {
    let Some(what) = what else { return all(context, json) };
    let order = match what {
        "approve" => Some(IncidentOrder::Approve),
        "reject" => Some(IncidentOrder::Reject),
        "mute" => Some(IncidentOrder::Mute),
        _ => None,
    };
    let number = what.parse::<u64>().ok();
    let Some(id) = number.or(id) else {
        return Err(Failure::with_help(
            format!("`{what}` needs the number of an incident"),
            "`zelador incidents` shows them; `zelador incident show 7`, `export`, `explain`, `approve`, \
             `reject` or `mute`",
        ));
    };
    if let Some(order) = order {
        let done = context.engine.command(&Command::Incident {
            id: IncidentId::new(id),
            order,
            question: None,
            by: None,
        })?;
        for note in done.notes {
            output::answer(&format!("{}\n", text::plain(&note)))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let incident: Incident = context.engine.get(&format!("{}/{id}", route::INCIDENTS))?;
    let (zone, terminal, now) = (TimeZone::system(), Terminal::stdout(), now());
    let shown = match what {
        _ if json => pretty(&incident)?,
        "export" => render::post_mortem::markdown(&incident, now, &zone),
        "explain" => render::post_mortem::explained(&incident),
        _ if number.is_none() && what != "show" => {
            return Err(Failure::with_help(
                format!("`{what}` is nothing that can be done with an incident"),
                "show, export, explain, approve, reject or mute",
            ));
        }
        _ if markdown => render::post_mortem::markdown(&incident, now, &zone),
        _ => render::incidents::story(&incident, now, &zone, terminal),
    };
    output::answer(&shown)?;
    Ok(ExitCode::SUCCESS)
}

fn all(context: &Context, json: bool) -> Result<ExitCode, Failure> {
    let incidents: Vec<Incident> = context.engine.get(route::INCIDENTS)?;
    let shown = if json {
        pretty(&incidents)?
    } else {
        render::incidents::table(&incidents, now(), &TimeZone::system(), Terminal::stdout())
    };
    output::answer(&shown)?;
    Ok(ExitCode::SUCCESS)
}

/// The moment, by this process's clock.
pub fn now() -> Moment {
    Moment::from_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
