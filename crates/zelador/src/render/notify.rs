//! Channels and routes.

use comfy_table::CellAlignment;
use zelador_api::notify::{ChannelState, NotifyView, Route, Severity};
use zelador_api::unit::{Moment, spoken};

use super::terminal::{Colour, Terminal};
use super::words;

/// Returns the table of channels, and the routes; it ends with a line end.
pub fn notify(view: &NotifyView, now: Moment, terminal: Terminal) -> String {
    if view.channels.is_empty() {
        return "no channel is configured: nobody is told of anything (docs/notifications.md)\n"
            .to_owned();
    }
    let mut table = terminal.table();
    let headings = ["channel", "kind", "place", "state", "waiting", "delivered"];
    table.set_header(headings.map(|heading| terminal.heading(heading)));
    for channel in &view.channels {
        let state = match &channel.state {
            ChannelState::Good => terminal.coloured("good", Colour::Green),
            ChannelState::Failing { since, reason, retry_at } => {
                let (since, next) = (spoken(now.since(*since)), spoken(retry_at.since(now)));
                let text = format!("failing for {since}: {reason}; next try in {next}");
                terminal.coloured(&text, Colour::Red)
            }
        };
        let delivered = channel.delivered_at.map_or_else(
            || "not since this engine began".to_owned(),
            |at| format!("{} ago", spoken(now.since(at))),
        );
        let waiting = terminal.cell(&channel.waiting.to_string());
        table.add_row([
            terminal.cell(&channel.name),
            terminal.cell(&channel.kind),
            terminal.cell(&channel.place),
            state,
            waiting.set_alignment(CellAlignment::Right),
            terminal.cell(&delivered),
        ]);
    }
    let mut shown = format!("{table}\n");
    if view.routes.is_empty() {
        shown.push_str("no routes: every channel is told of everything from a warning on\n");
    }
    for route in &view.routes {
        shown.push_str(&format!("route: {}\n", said(route)));
    }
    for name in &view.unknown {
        shown.push_str(&format!("a route names {name}, and there is no such channel\n"));
    }
    if let Some(until) = view.quiet_until {
        shown.push_str(&format!("quiet for another {}\n", spoken(until.since(now))));
    }
    let open = words::counted(view.open, "matter");
    shown.push_str(&format!("{open} open\n"));
    shown
}

fn said(route: &Route) -> String {
    let list = |words: &[String], all: &str| {
        if words.is_empty() { all.to_owned() } else { words.join(", ") }
    };
    let severity = match route.severity {
        Severity::Info => "everything",
        Severity::Warning => "from a warning on",
        Severity::Critical => "what is critical",
    };
    let (apps, kinds) =
        (list(&route.apps, "all apps and the host"), list(&route.kinds, "any kind"));
    format!("{apps}, {kinds}, {severity} → {}", route.to.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zelador_api::notify::ChannelView;
    use zelador_api::words::quoted;

    #[test]
    fn a_failing_channel_and_a_route_to_nowhere_are_seen() {
        let now = Moment::from_micros(1_700_000_000_000_000);
        let channel = |name: &str, kind: &str, state| ChannelView {
            name: name.to_owned(),
            kind: kind.to_owned(),
            place: "$URL".to_owned(),
            state,
            waiting: 2,
            delivered_at: Some(now),
        };
        let minute = std::time::Duration::from_mins(1);
        let failing = ChannelState::Failing {
            since: now,
            reason: quoted("HTTP 500"),
            retry_at: now + 2 * minute,
        };
        let view = NotifyView {
            channels: vec![
                channel("chat", "discord", ChannelState::Good),
                channel("ops", "slack", failing),
            ],
            routes: vec![Route {
                apps: vec!["shop-*".to_owned()],
                severity: Severity::Warning,
                kinds: vec!["crash-loop".to_owned()],
                to: vec!["ops".to_owned(), "pager".to_owned()],
            }],
            quiet_until: Some(now + 5 * minute),
            open: 1,
            unknown: vec!["pager".to_owned()],
        };
        let terminal = Terminal { width: 110, colours: false };
        insta::assert_snapshot!(notify(&view, now + minute, terminal));
    }
}
