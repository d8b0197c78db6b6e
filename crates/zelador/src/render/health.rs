//! How every component is.

use comfy_table::CellAlignment;
use zelador_api::HealthView;
use zelador_api::unit::spoken;

use super::terminal::Terminal;
use super::words;

/// Returns the table of components and the worst of all; it ends with a line end.
pub fn health(view: &HealthView, terminal: Terminal) -> String {
    let mut table = terminal.table();
    let headings = ["component", "status", "message", "took", "looked at"];
    table.set_header(headings.map(|heading| terminal.heading(heading)));
    for check in &view.checks {
        let colour = words::health_colour(check.status);
        table.add_row([
            terminal.cell(&check.component),
            terminal.coloured(&check.status.to_string(), colour),
            terminal.cell(&check.message),
            terminal.cell(&words::took(check.took)).set_alignment(CellAlignment::Right),
            terminal.cell(&format!("{} ago", spoken(view.at.since(check.at)))),
        ]);
    }
    let overall = terminal.paint(&view.overall.to_string(), words::health_colour(view.overall));
    let count = words::counted(view.checks.len(), "component");
    format!("{table}\n{overall}: {count}, engine up for {}\n", spoken(view.uptime))
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
