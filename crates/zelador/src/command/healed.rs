//! `report --since`: what was healed, what not, and what restarts only hide.

use std::process::ExitCode;
use std::time::Duration;

use zelador_api::unit::spoken;
use zelador_api::{A_PERSON_TAKES, Incident, Learned, LearnedOf, Report, report as sum_up, route};

use super::health::pretty;
use super::{Context, incidents};
use crate::failure::Failure;
use crate::output;
use crate::render::{text, words};

/// Prints it.
pub fn report(context: &Context, since: &str, json: bool) -> Result<ExitCode, Failure> {
    let Some(span) = span(since) else {
        return Err(Failure::with_help(
            format!("--since: `{since}` is no span of time"),
            "a number with m, h or d: 90m, 12h, 7d",
        ));
    };
    let all: Vec<Incident> = context.engine.get(route::INCIDENTS)?;
    let now = incidents::now();
    let report = sum_up(&all, now - span, now);
    output::answer(&if json { pretty(&report)? } else { shown(&report, span) })?;
    Ok(ExitCode::SUCCESS)
}

fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.trim().split_at_checked(text.trim().len().checked_sub(1)?)?;
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    // Longer than anything is kept.
    (1..=10_000_000)
        .contains(&(number.checked_mul(minutes)?))
        .then(|| Duration::from_mins(number * minutes))
}

fn shown(report: &Report, span: Duration) -> String {
    let mut said = format!(
        "{} in the last {}: {} healed, {} recovered by themselves, {} taken over by a person, \
         {} open for a person, {} under way\n",
        words::counted(report.incidents, "incident"),
        spoken(span),
        report.healed,
        report.recovered,
        report.taken_over,
        report.escalated,
        report.under_way
    );
    if report.incidents == 0 {
        return said;
    }
    said.push_str(&format!(
        "{} in trouble; {} saved, if a person would have taken {}\n",
        spoken(report.downtime),
        spoken(report.saved),
        spoken(A_PERSON_TAKES)
    ));
    for app in &report.apps {
        said.push_str(&format!(
            "  {}: {}, {} healed, {} in trouble\n",
            text::plain(&app.app),
            words::counted(app.incidents, "incident"),
            app.healed,
            spoken(app.downtime)
        ));
    }
    for (app, times) in &report.noisy {
        let app = text::plain(app);
        said.push_str(&format!(
            "noisy: the check of {app} was bad {times} times and good again by itself\n"
        ));
    }
    for (app, cause, times) in &report.hidden {
        let app = text::plain(app);
        said.push_str(&format!("hidden: {app} was restarted {times} times because {cause}\n"));
    }
    for LearnedOf { app, cause, remedies } in &report.learned {
        let app = text::plain(app);
        for Learned { remedy, seen } in remedies {
            said.push_str(&format!("learned: {app}, when {cause}: {remedy}: {}\n", seen.spoken()));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_unit() {
        assert_eq!(span("7d"), Some(Duration::from_hours(168)));
        assert_eq!(span("90m"), Some(Duration::from_mins(90)));
        for wrong in ["", "7", "d", "0d", "-1h", "7w", "99999999999999999999d", "\u{e9}"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }
}
