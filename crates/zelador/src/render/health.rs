//! How every component is.

use comfy_table::CellAlignment;
use zelador_api::unit::spoken;
use zelador_api::{GroupView, HealthView, Language};

use super::terminal::{Colour, Terminal};
use super::{text, words};

/// Returns the table of components and the worst of all; it ends with a line end.
pub fn health(view: &HealthView, terminal: Terminal) -> String {
    let mut table = terminal.table();
    let headings = ["component", "status", "message", "took", "looked at"];
    table.set_header(headings.map(|heading| terminal.heading(heading)));
    for check in &view.checks {
        let (status, message) = match &check.set_aside {
            Some(why) => {
                let word = why.how.told(Language::En);
                let why = why.told(view.at, Language::En);
                let message = format!("{why}; {}: {}", check.status, check.message);
                (terminal.coloured(word, Colour::Grey), terminal.cell(&message))
            }
            None => {
                let colour = words::health_colour(check.status);
                let status = terminal.coloured(&check.status.to_string(), colour);
                (status, terminal.cell(&check.message))
            }
        };
        table.add_row([
            terminal.cell(&check.component),
            status,
            message,
            terminal.cell(&words::took(check.took)).set_alignment(CellAlignment::Right),
            terminal.cell(&format!("{} ago", spoken(view.at.since(check.at)))),
        ]);
    }
    let overall = terminal.paint(&view.overall.to_string(), words::health_colour(view.overall));
    let count = words::counted(view.checks.len(), "component");
    let groups: String = if view.groups.len() > 1 {
        let line = |group: &GroupView| {
            let status =
                terminal.paint(&group.status.to_string(), words::health_colour(group.status));
            format!(
                "group {}: {status}, {}\n",
                text::plain(&group.group),
                text::plain(&group.message)
            )
        };
        view.groups.iter().map(line).collect()
    } else {
        String::new()
    };
    format!("{table}\n{groups}{overall}: {count}, engine up for {}\n", spoken(view.uptime))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn every_component_has_a_line() {
        let terminal = Terminal { width: 100, colours: false };
        insta::assert_snapshot!(health(&sample::health_view(), terminal));
    }
}
