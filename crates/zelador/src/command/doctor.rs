//! `doctor`: whether the installation and the host are as zelador needs them, what is missing, and what
//! to do about it.
//!
//! Looks and changes nothing. Always holds: every look ends within seconds, also on a host where nothing
//! answers; a zelador that does not run is looked at as far as its files go.

mod home;
mod host;
mod program;

use std::process::ExitCode;

use serde::Serialize;
use zelador_api::client::ClientError;
use zelador_api::{PanicAt, Pong, route};

use super::Context;
use super::health::pretty;
use crate::cli::more::PanicPlace;
use crate::failure::Failure;
use crate::output;
use crate::render::terminal::{Colour, Terminal};
use crate::render::text;

/// How a look ended, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works, and something is weaker than it could be.
    Warning,
    /// Something does not work.
    Failure,
}

/// What one look found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub status: Grade,
    /// What was found.
    pub found: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Finding {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Grade::Ok, found: found.into(), help: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, status: Grade::Warning, found: found.into(), help: Some(help.into()) }
    }

    fn failure(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, status: Grade::Failure, found: found.into(), help: Some(help.into()) }
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    status: Grade,
    version: &'static str,
    checks: Vec<Finding>,
}

/// Looks at everything and tells. Exit code: 0 all is well, 1 warnings, 2 something does not work.
pub fn doctor(context: &Context, json: bool) -> Result<ExitCode, Failure> {
    let running = program::running(context);
    let mut checks = program::all(context, running.as_ref());
    checks.extend(home::all(&context.home, running.is_some()));
    checks.extend(host::all(&context.home, running.as_ref().map(|pong| pong.guardian_pid)));
    let status = checks.iter().map(|finding| finding.status).max().unwrap_or(Grade::Ok);
    let report = Report { status, version: env!("CARGO_PKG_VERSION"), checks };
    output::answer(&if json { pretty(&report)? } else { shown(&report, Terminal::stdout()) })?;
    Ok(match status {
        Grade::Ok => ExitCode::SUCCESS,
        Grade::Warning => ExitCode::from(1),
        Grade::Failure => ExitCode::from(2),
    })
}

/// Has the engine panic.
pub fn panic(context: &Context, at: PanicPlace) -> Result<ExitCode, Failure> {
    let at = match at {
        PanicPlace::Driver => PanicAt::Driver,
        PanicPlace::Logs => PanicAt::Logs,
        PanicPlace::Task => PanicAt::Task,
    };
    let pong: Pong = context.engine.get(route::PING)?;
    // An engine that ends by it does not answer.
    match context.engine.post::<Option<()>>(route::PANIC, &at) {
        Ok(_) | Err(ClientError::Broken(_)) => {}
        Err(error) => return Err(error.into()),
    }
    output::remark(&format!("engine {} was told to panic", pong.engine_pid));
    Ok(ExitCode::SUCCESS)
}

fn shown(report: &Report, terminal: Terminal) -> String {
    let width = report.checks.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let mut shown = String::new();
    for finding in &report.checks {
        let (mark, colour) = match finding.status {
            Grade::Ok => ("✓", Colour::Green),
            Grade::Warning => ("!", Colour::Yellow),
            Grade::Failure => ("✗", Colour::Red),
        };
        let (mark, found) = (terminal.paint(mark, colour), text::plain(&finding.found));
        shown.push_str(&format!("{mark} {:width$}  {found}\n", finding.name));
        if let Some(help) = &finding.help {
            let help = text::plain(help);
            let arrow = terminal.paint("→", Colour::Grey);
            shown.push_str(&format!("  {:width$}  {arrow} {help}\n", ""));
        }
    }
    let count = |grade| report.checks.iter().filter(|it| it.status == grade).count();
    let (failures, warnings) = (count(Grade::Failure), count(Grade::Warning));
    let words = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    shown.push_str(&match (failures, warnings) {
        (0, 0) => format!("all {} looks are well\n", report.checks.len()),
        (0, _) => format!("{}, nothing that does not work\n", words(warnings, "warning")),
        (_, 0) => format!("{}\n", words(failures, "failure")),
        _ => format!("{}, {}\n", words(failures, "failure"), words(warnings, "warning")),
    });
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_with_what_to_do() {
        let report = Report {
            status: Grade::Failure,
            version: "0.1.0",
            checks: vec![
                Finding::ok("kernel", "Linux 6.12.1"),
                Finding::warning("node", "no `node` in PATH", "install Node, or \x1b[2Jelse"),
                Finding::failure("home", "/srv/z belongs to user 7", "run this as the owner"),
            ],
        };
        insta::assert_snapshot!(shown(&report, Terminal { width: 80, colours: false }));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(
            json["checks"][0],
            serde_json::json!({ "name": "kernel", "status": "ok", "found": "Linux 6.12.1" })
        );
        assert_eq!(json["status"], "failure");
    }
}
