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

/// What can be done with an incident.
const WORDS: &str = "show, export, explain, approve, reject, mute, close or open";

/// Shows all incidents, or one of them, says something to one, or opens one.
///
/// # Errors
/// Nobody answers, there is no such incident or app, or it cannot be done.
pub fn incidents(
    context: &Context,
    what: Option<&str>,
    of: &[String],
    json: bool,
    markdown: bool,
) -> Result<ExitCode, Failure> {
    let Some(what) = what else { return all(context, json) };
    if what == "open" {
        return open(context, of);
    }
    let number = what.parse::<u64>().ok();
    if number.is_none() && !WORDS.split([',', ' ']).any(|word| word == what) {
        return Err(Failure::with_help(
            format!("`{what}` is nothing that can be done with an incident"),
            WORDS,
        ));
    }
    let id = number_of(what, number, of)?;
    let order = match what {
        "approve" => Some(IncidentOrder::Approve),
        "reject" => Some(IncidentOrder::Reject),
        "mute" => Some(IncidentOrder::Mute),
        "close" => Some(IncidentOrder::Close),
        _ => None,
    };
    if let Some(order) = order {
        let (id, question, by) = (IncidentId::new(id), None, None);
        return tell(context, &Command::Incident { id, order, question, by });
    }
    let incident: Incident = context.engine.get(&format!("{}/{id}", route::INCIDENTS))?;
    let (zone, terminal, now) = (TimeZone::system(), Terminal::stdout(), now());
    let shown = match what {
        _ if json => pretty(&incident)?,
        "export" => render::post_mortem::markdown(&incident, now, &zone),
        "explain" => render::post_mortem::explained(&incident),
        _ if markdown => render::post_mortem::markdown(&incident, now, &zone),
        _ => render::incidents::story(&incident, now, &zone, terminal),
    };
    output::answer(&shown)?;
    Ok(ExitCode::SUCCESS)
}

/// The number that stands alone, or after a word.
fn number_of(what: &str, number: Option<u64>, of: &[String]) -> Result<u64, Failure> {
    match (number, of) {
        (Some(number), []) => Ok(number),
        (None, [id]) => id.parse().map_err(|_| {
            let found = format!("`{id}` is no number of an incident");
            Failure::with_help(found, "`zelador incidents` lists them")
        }),
        (None, []) => Err(Failure::with_help(
            format!("`{what}` needs the number of an incident"),
            "`zelador incidents` shows them; `zelador incident show 7`",
        )),
        (_, more) => {
            let more = more.join(" ");
            let found = format!("one incident at a time: `{more}` is too much");
            Err(Failure::with_help(found, "`zelador incident show 7`"))
        }
    }
}

/// A person says that something is wrong with an app.
fn open(context: &Context, of: &[String]) -> Result<ExitCode, Failure> {
    let [app, words @ ..] = of else {
        return Err(Failure::with_help(
            "`open` needs an app, and words that say what is wrong with it",
            r#"`zelador incident open api "answers are slow"`"#,
        ));
    };
    let selectors = context.selectors(vec![app.clone()])?;
    tell(context, &Command::Report { selectors, what: words.join(" "), by: None })
}

/// Gives a command, and says what it did.
fn tell(context: &Context, command: &Command) -> Result<ExitCode, Failure> {
    let done = context.engine.command(command)?;
    for note in done.notes {
        output::answer(&format!("{}\n", text::plain(&note)))?;
    }
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
