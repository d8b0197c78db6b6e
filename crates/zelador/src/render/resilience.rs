//! What was tried, and the breakers.

use comfy_table::CellAlignment;
use jiff::tz::TimeZone;
use zelador_api::unit::{Moment, spoken};
use zelador_api::{AttemptOutcome, BreakerView, RetryView};

use super::terminal::{Colour, Terminal};
use super::words;

/// Returns the table of operations; it ends with a line end.
pub fn operations(views: &[RetryView], terminal: Terminal) -> String {
    if views.is_empty() {
        return "nothing was tried yet\n".to_owned();
    }
    let mut table = terminal.table();
    let headings = [
        "operation",
        "total",
        "successful",
        "failed",
        "attempts",
        "success",
        "average",
        "last error",
    ];
    table.set_header(headings.map(|heading| terminal.heading(heading)));
    for view in views {
        let stats = &view.stats;
        let number = |text: String| terminal.cell(&text).set_alignment(CellAlignment::Right);
        let error = stats.last_errors().next().map_or("", |(_, error)| error.english());
        table.add_row([
            terminal.cell(&view.operation),
            number(stats.total.to_string()),
            number(stats.successful.to_string()),
            number(stats.failed.to_string()),
            number(stats.attempts.to_string()),
            number(view.success_rate.map_or("-".to_owned(), |rate| format!("{rate:.1} %"))),
            number(view.average_attempts.map_or("-".to_owned(), |average| format!("{average:.2}"))),
            terminal.cell(error),
        ]);
    }
    format!("{table}\n{}\n", words::counted(views.len(), "operation"))
}

/// Returns the attempts of operations, the latest first; it ends with a line end.
pub fn attempts(views: &[RetryView], now: Moment, zone: &TimeZone, terminal: Terminal) -> String {
    let mut table = terminal.table();
    let headings = ["when", "target", "attempt", "outcome", "took", "what followed"];
    table.set_header(headings.map(|heading| terminal.heading(heading)));
    let mut count = 0;
    for attempt in views.iter().flat_map(|view| view.stats.latest.iter().rev()) {
        let (word, colour, followed) = match &attempt.outcome {
            AttemptOutcome::Succeeded => ("succeeded", Colour::Green, String::new()),
            AttemptOutcome::Retrying { error, delay, .. } => {
                ("failed", Colour::Yellow, format!("again after {}: {error}", spoken(*delay)))
            }
            AttemptOutcome::GaveUp { error, why, .. } => {
                ("gave up", Colour::Red, format!("{why}: {error}"))
            }
        };
        let age = spoken(now.since(attempt.at));
        table.add_row([
            terminal.cell(&format!("{} ({age} ago)", words::local(attempt.at, zone))),
            terminal.cell(&attempt.target),
            terminal.cell(&attempt.number.to_string()).set_alignment(CellAlignment::Right),
            terminal.coloured(word, colour),
            terminal.cell(&spoken(attempt.took)).set_alignment(CellAlignment::Right),
            terminal.cell(&followed),
        ]);
        count += 1;
    }
    format!("{table}\n{}\n", words::counted(count, "attempt"))
}

/// Returns the table of breakers; it ends with a line end.
pub fn breakers(views: &[BreakerView], terminal: Terminal) -> String {
    if views.is_empty() {
        return "no breakers\n".to_owned();
    }
    let mut table = terminal.table();
    let headings = ["target", "operation", "state", "opened", "message"];
    table.set_header(headings.map(|heading| terminal.heading(heading)));
    for view in views {
        let colour = match (view.is_closed(), view.is_open()) {
            (true, _) => Colour::Green,
            (false, true) => Colour::Red,
            (false, false) => Colour::Yellow,
        };
        table.add_row([
            terminal.cell(&view.target),
            terminal.cell(&view.operation),
            terminal.coloured(view.state.english(), colour),
            terminal.cell(&view.trips.to_string()).set_alignment(CellAlignment::Right),
            terminal.cell(view.message.english()),
        ]);
    }
    let open = views.iter().filter(|view| !view.is_closed()).count();
    format!("{table}\n{}, {open} not closed\n", words::counted(views.len(), "breaker"))
}
