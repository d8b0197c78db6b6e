//! `maintenance` and `check`: what is set aside for a while.

use std::process::ExitCode;
use std::time::Duration;

use zelador_api::{Command, HealthView, Language, config, route};

use super::Context;
use crate::cli::more::{Check, Maintenance};
use crate::failure::Failure;
use crate::output;
use crate::render::text;

/// Shows what is set aside, or begins or ends a maintenance.
pub fn maintenance(context: &Context, what: Option<Maintenance>) -> Result<ExitCode, Failure> {
    match what {
        None => show(context),
        Some(Maintenance::Start { span, selectors }) => {
            let lasts = Some(span_of(&span)?);
            let selectors = context.selectors(selectors)?;
            tell(context, &Command::Maintenance { selectors, lasts, by: None })
        }
        Some(Maintenance::End { selectors }) => {
            let selectors = context.selectors(selectors)?;
            tell(context, &Command::Maintenance { selectors, lasts: None, by: None })
        }
    }
}

/// Mutes a check, or unmutes it.
pub fn check(context: &Context, what: Check) -> Result<ExitCode, Failure> {
    let command = match what {
        Check::Mute { name, span } => {
            let lasts = span.as_deref().map(span_of).transpose()?;
            Command::Mute { check: name, muted: true, lasts, by: None }
        }
        Check::Unmute { name } => {
            Command::Mute { check: name, muted: false, lasts: None, by: None }
        }
    };
    tell(context, &command)
}

fn show(context: &Context) -> Result<ExitCode, Failure> {
    let health: HealthView = context.engine.get(route::HEALTH)?;
    let aside = health.checks.iter().filter_map(|check| {
        let why = check.set_aside.as_ref()?.told(health.at, Language::En);
        let line = format!("{}: {why}; {}: {}", check.component, check.status, check.message);
        Some(text::plain(&line).into_owned() + "\n")
    });
    let said: String = aside.collect();
    output::answer(if said.is_empty() { "nothing is in maintenance or muted\n" } else { &said })?;
    Ok(ExitCode::SUCCESS)
}

fn tell(context: &Context, command: &Command) -> Result<ExitCode, Failure> {
    let done = context.engine.command(command)?;
    for note in done.notes {
        output::answer(&format!("{}\n", text::plain(&note)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The longest time that something may be set aside at once: a month.
const LONGEST: Duration = Duration::from_hours(31 * 24);

fn span_of(text: &str) -> Result<Duration, Failure> {
    // A number alone would be milliseconds, as in a file; nobody means that here.
    match config::span(text).filter(|_| text.parse::<f64>().is_err()) {
        Some(span) if !span.is_zero() && span <= LONGEST => Ok(span),
        _ => Err(Failure::with_help(
            format!("time: found `{text}`, allowed: one like `30m` or `2h`, up to 31 days"),
            "`zelador maintenance start 30m`, `zelador check mute memory --for 1h`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_an_end() {
        assert!(matches!(span_of("30m"), Ok(span) if span == Duration::from_mins(30)));
        for wrong in ["5", "5.5", "", "0s", "32d", "soon"] {
            assert!(span_of(wrong).is_err(), "{wrong:?}");
        }
    }
}
