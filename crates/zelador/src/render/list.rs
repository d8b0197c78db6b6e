//! The list of instances, as `pm2 list` shows it, and one line that says how everything is.

use std::collections::BTreeSet;

use comfy_table::{Cell, CellAlignment};
use zelador_api::spec::ExecMode;
use zelador_api::unit::{ByteSize, Moment, spoken};
use zelador_api::{Goal, HealthView, InstanceView, Phase, Status, View};

use super::terminal::{Colour, Terminal};
use super::{text, words};

/// From this width on all columns are shown.
const FULL_FROM: u16 = 100;
/// From this width on the most useful columns are shown.
const MEDIUM_FROM: u16 = 76;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Id,
    Name,
    Namespace,
    Mode,
    Pid,
    Uptime,
    Restarts,
    Status,
    Health,
    Cpu,
    Memory,
}

use Column::{Cpu, Health, Id, Memory, Mode, Name, Namespace, Pid, Restarts, Uptime};

const FULL: &[Column] =
    &[Id, Name, Namespace, Mode, Pid, Uptime, Restarts, Column::Status, Health, Cpu, Memory];
const MEDIUM: &[Column] = &[Id, Name, Uptime, Restarts, Column::Status, Health, Cpu, Memory];
const MINI: &[Column] = &[Id, Name, Column::Status, Cpu, Memory];

/// Returns the list; it ends with a line end.
pub fn list(view: &View, terminal: Terminal) -> String {
    let columns = match terminal.width {
        FULL_FROM.. => FULL,
        MEDIUM_FROM.. => MEDIUM,
        _ => MINI,
    };
    let mut table = terminal.table();
    table.set_header(columns.iter().map(|column| terminal.heading(column.heading())));
    for instance in &view.instances {
        let row = columns.iter().map(|column| column.cell(instance, view.at, terminal));
        table.add_row(row);
    }
    format!("{table}\n{}\n", summary_of(view, terminal))
}

/// Returns the list as blocks of `key : value`, for narrow terminals and readers of lines; it ends
/// with a line end.
pub fn blocks(view: &View, terminal: Terminal) -> String {
    let mut shown = String::new();
    for of in &view.instances {
        let usage = of.usage.filter(|_| of.pid.is_some()).unwrap_or_default();
        let health = of.health.as_ref().map_or("-".to_owned(), |health| health.status.to_string());
        let rows = [
            ("namespace", of.namespace.clone()),
            ("id", of.id.to_string()),
            ("pid", of.pid.unwrap_or(0).to_string()),
            ("status", status(of, view.at)),
            ("health", health),
            ("uptime", up_for(of, view.at).unwrap_or_else(|| "0".to_owned())),
            ("restarted", of.restarts.to_string()),
            ("cpu", words::cpu(usage.cpu)),
            ("memory", usage.memory.to_string()),
        ];
        shown.push_str(&format!("+--- {}\n", text::plain(&of.name)));
        for (key, value) in rows {
            shown.push_str(&format!("{key} : {}\n", text::plain(&value)));
        }
        shown.push('\n');
    }
    format!("{shown}{}\n", summary_of(view, terminal))
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Id => "id",
            Name => "name",
            Namespace => "namespace",
            Mode => "mode",
            Pid => "pid",
            Uptime => "uptime",
            Restarts => "↺",
            Self::Status => "status",
            Health => "health",
            Cpu => "cpu",
            Memory => "mem",
        }
    }

    fn cell(self, of: &InstanceView, now: Moment, terminal: Terminal) -> Cell {
        let usage = of.usage.filter(|_| of.pid.is_some());
        let number = |text: String| terminal.cell(&text).set_alignment(CellAlignment::Right);
        match self {
            Id => number(of.id.to_string()),
            Name => terminal.cell(&of.name),
            Namespace => terminal.cell(&of.namespace),
            Mode => terminal.cell(match of.mode {
                ExecMode::Fork => "fork",
                ExecMode::Cluster => "cluster",
            }),
            Pid => number(of.pid.unwrap_or(0).to_string()),
            Uptime => number(up_for(of, now).unwrap_or_else(|| "0".to_owned())),
            Restarts => number(of.restarts.to_string()),
            Self::Status => terminal.coloured(&status(of, now), words::status_colour(&of.status)),
            Health => match &of.health {
                Some(health) => {
                    let colour = words::health_colour(health.status);
                    terminal.coloured(&health.status.to_string(), colour)
                }
                None => terminal.cell("-"),
            },
            Cpu => number(words::cpu(usage.map_or(0.0, |usage| usage.cpu))),
            Memory => number(usage.map_or(ByteSize::default(), |usage| usage.memory).to_string()),
        }
    }
}

/// How long it has been up.
pub fn up_for(of: &InstanceView, now: Moment) -> Option<String> {
    match of.phase {
        Phase::Running { since, .. } => Some(words::uptime(now.since(since))),
        _ => None,
    }
}

/// PM2's word, and when it will be tried again.
pub fn status(of: &InstanceView, now: Moment) -> String {
    match of.phase {
        Phase::Backoff { held: true, .. } => format!("{} (for what it needs)", of.status),
        Phase::Stopping { waits: true, .. } => format!("{} (after what needs it)", of.status),
        Phase::Backoff { retry_at, .. } => {
            format!("{} ({})", of.status, spoken(retry_at.since(now)))
        }
        Phase::Tripped { trial_at: Some(at) } => {
            format!("{} (trial in {})", of.status, spoken(at.since(now)))
        }
        // What it said is true while it is there.
        _ => match of.says.as_ref().filter(|_| of.pid.is_some()) {
            Some(says) => format!("{} ({})", of.status, short(says)),
            None => of.status.clone(),
        },
    }
}

/// What an app says of itself is as long as it likes.
fn short(says: &str) -> String {
    const SHOWN: usize = 32;
    match says.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &says[..end]),
        None => says.to_owned(),
    }
}

/// What is not well; `None` while everything is.
pub fn troubles(
    instances: &[&InstanceView],
    whole: &HealthView,
    terminal: Terminal,
) -> Option<String> {
    let sick = instances.iter().any(|it| is_wanted(it) && health(it) != Status::Healthy);
    if sick {
        return Some(format!("{}\n", summary(instances, whole, terminal)));
    }
    let own = own_troubles(whole, terminal);
    (!own.is_empty()).then(|| format!("{}\n", own.join("\n")))
}

fn summary_of(view: &View, terminal: Terminal) -> String {
    summary(&view.instances.iter().collect::<Vec<_>>(), &view.health, terminal)
}

/// How everything is: one line if all is well, else one line for each trouble.
fn summary(instances: &[&InstanceView], whole: &HealthView, terminal: Terminal) -> String {
    if instances.is_empty() {
        let hint = "no apps yet: `zelador start FILE` starts one, `zelador --help` tells more";
        return own_troubles(whole, terminal)
            .into_iter()
            .chain([hint.to_owned()])
            .collect::<Vec<_>>()
            .join("\n");
    }
    let names = |of: &[&InstanceView]| -> usize {
        of.iter().map(|it| &it.app).collect::<BTreeSet<_>>().len()
    };
    let wanted: Vec<&InstanceView> = instances.iter().copied().filter(|it| is_wanted(it)).collect();
    let sick: Vec<&InstanceView> =
        wanted.iter().copied().filter(|it| health(it) != Status::Healthy).collect();
    let apps = names(&wanted);
    let resting = names(instances) - apps;
    let resting = if resting == 0 { String::new() } else { format!(", {resting} stopped") };
    let mut lines = Vec::new();
    if sick.is_empty() {
        let said = match apps {
            0 => "nothing is wanted up".to_owned(),
            1 => "1 app healthy".to_owned(),
            many => format!("all {many} apps healthy"),
        };
        lines.push(terminal.paint(&format!("{said}{resting}"), Colour::Green));
    } else {
        let apps = words::counted(apps, "app");
        let said = format!("{} of {apps} not healthy{resting}", names(&sick));
        lines.push(terminal.paint(&said, Colour::Red));
    }
    for instance in sick {
        let message = instance.health.as_ref().map_or("", |health| health.message.as_str());
        let said = format!("{}: {}: {message}", instance.name, health(instance));
        lines.push(format!("  {}", text::plain(&said)));
    }
    lines.extend(own_troubles(whole, terminal));
    lines.join("\n")
}

/// An instance that ended by itself and well is not waited for.
fn is_wanted(of: &InstanceView) -> bool {
    of.goal == Goal::Up && of.health.is_some()
}

fn health(of: &InstanceView) -> Status {
    of.health.as_ref().map_or(Status::Healthy, |health| health.status)
}

/// What is wrong with the host, the databases and zelador itself.
fn own_troubles(health: &HealthView, terminal: Terminal) -> Vec<String> {
    let sick = health
        .checks
        .iter()
        .filter(|check| check.status != Status::Healthy && !check.component.starts_with("app:"));
    let line = |check: &zelador_api::CheckView| {
        let name = match check.component.as_str() {
            "zelador" => "zelador itself".to_owned(),
            "memory" | "cpu" | "disk" => format!("host {}", check.component),
            other => other.replacen(':', " ", 1),
        };
        let said = format!("{name}: {}: {}", check.status, check.message);
        terminal.paint(&text::plain(&said), words::health_colour(check.status))
    };
    sick.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    fn shown(width: u16) -> String {
        let terminal = Terminal { width, colours: false };
        list(&sample::view(), terminal)
    }

    #[test]
    fn a_wide_terminal_shows_every_column() {
        insta::assert_snapshot!(shown(140));
    }

    #[test]
    fn narrower_terminals_show_less() {
        insta::assert_snapshot!(format!("{}\n{}", shown(80), shown(60)));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [40, 60, 76, 80, 99, 100, 120] {
            for line in shown(width).lines().filter(|line| line.starts_with(['┌', '│', '└']))
            {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
        }
    }

    #[test]
    fn blocks_have_a_line_for_each_thing() {
        insta::assert_snapshot!(blocks(&sample::view(), Terminal { width: 80, colours: false }));
    }

    #[test]
    fn an_empty_list_has_a_header_and_a_hint() {
        let view = View { instances: Vec::new(), ..sample::view() };
        let terminal = Terminal { width: 120, colours: false };
        insta::assert_snapshot!(list(&view, terminal));
    }

    #[test]
    fn colours_are_there_when_asked_for_and_never_those_of_an_app() {
        let terminal = Terminal { width: 140, colours: true };
        let shown = list(&sample::view(), terminal);
        assert!(shown.contains("\x1b["));
        assert!(!shown.contains("\x1b]0;"), "a title sequence in a message went through");
    }
}
