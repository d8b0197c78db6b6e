//! The list of instances.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};
use unicode_width::UnicodeWidthStr;
use zelador_api::spec::ExecMode;
use zelador_api::unit::{ByteSize, Moment};
use zelador_api::{InstanceView, Language, Phase};

use super::{chart, fold, palette};
use crate::monit::state::{Link, SORTS, State};
use crate::render::terminal::Colour;
use crate::render::{list, text, words};

/// The least columns of the chart of an instance.
const CHART: u16 = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Id,
    Name,
    Namespace,
    Mode,
    Pid,
    Status,
    Health,
    Cpu,
    Chart,
    Memory,
    Restarts,
    Uptime,
}

use Column::{Chart, Cpu, Health, Id, Memory, Mode, Name, Namespace, Pid, Restarts, Uptime};

/// From so many columns of the terminal on a status is told in full.
const ROOMY_FROM: u16 = 110;

/// The columns that have a place from so many columns of the terminal on.
const SETS: [(u16, &[Column]); 5] = [
    (
        130,
        &[
            Id,
            Name,
            Namespace,
            Mode,
            Pid,
            Column::Status,
            Health,
            Cpu,
            Chart,
            Memory,
            Restarts,
            Uptime,
        ],
    ),
    (ROOMY_FROM, &[Id, Name, Pid, Column::Status, Health, Cpu, Chart, Memory, Restarts, Uptime]),
    (76, &[Id, Name, Column::Status, Health, Cpu, Memory, Restarts, Uptime]),
    (50, &[Id, Name, Column::Status, Cpu, Memory, Restarts]),
    (0, &[Name, Column::Status, Cpu]),
];

/// Draws the names of the columns, and the rows.
pub fn draw(frame: &mut Frame<'_>, heading: Rect, rows: Rect, state: &State) {
    if heading.is_empty() {
        return;
    }
    let set = SETS.iter().find(|(from, _)| heading.width >= *from);
    let columns = set.map_or(SETS[4].1, |(_, columns)| *columns);
    let widths = widths(columns, heading.width, state);
    let places = || widths.iter().map(|width| Constraint::Length(*width));
    let style = palette::paint(&state.look, Colour::Cyan);
    let names = columns.iter().map(|it| it.name(state));
    let names = Table::new([Row::new(names).style(style)], places());
    frame.render_widget(names, heading);
    let listed = state.listed();
    if listed.is_empty() {
        let said = if state.view.instances.is_empty() {
            "no apps yet: `zelador start FILE` starts one".to_owned()
        } else {
            format!("nothing has “{}” in name, namespace or status", text::plain(&state.filter))
        };
        return frame.render_widget(Paragraph::new(said), rows);
    }
    let shown = listed.into_iter().skip(state.first_row).take(usize::from(rows.height));
    let is_stale = state.link != Link::Up;
    let shown = shown.map(|of| {
        let cells = columns.iter().zip(&widths);
        let cells = cells.map(|(column, width)| column.cell(of, state, usize::from(*width)));
        let row = Row::new(cells);
        let style = if state.chosen == Some(of.id) { palette::chosen() } else { Style::new() };
        row.style(if is_stale { style.add_modifier(Modifier::DIM) } else { style })
    });
    frame.render_widget(Table::new(shown, places()), rows);
}

/// The columns of each; the names have what they need, the charts the rest.
fn widths(columns: &[Column], whole: u16, state: &State) -> Vec<u16> {
    let mut widths: Vec<u16> = columns.iter().map(|it| it.least(whole)).collect();
    let gaps = u16::try_from(columns.len()).unwrap_or(0).saturating_sub(1);
    let mut rest = whole.saturating_sub(widths.iter().sum::<u16>() + gaps);
    let longest = state.view.instances.iter().map(|it| text::plain(&it.name).width()).max();
    let longest = u16::try_from(longest.unwrap_or(0)).unwrap_or(u16::MAX);
    for (column, width) in columns.iter().zip(&mut widths) {
        let more = match column {
            Name if columns.contains(&Chart) => longest.saturating_sub(*width).min(rest),
            Name | Chart => rest,
            _ => 0,
        };
        *width += more;
        rest -= more;
    }
    widths
}

/// PM2's word and when it will be tried again, short where there is little room.
fn status(of: &InstanceView, now: Moment, width: usize) -> String {
    let whole = text::plain(&list::status(of, now)).into_owned();
    if whole.width() <= width {
        return whole;
    }
    let short = match of.phase {
        Phase::Backoff { held: false, retry_at, .. } => {
            format!("waiting, {}", words::uptime(retry_at.since(now)))
        }
        Phase::Backoff { held: true, .. } => "waiting".to_owned(),
        Phase::Tripped { trial_at: Some(at) } => {
            format!("errored, {}", words::uptime(at.since(now)))
        }
        _ => whole,
    };
    fold::cut(&short, width)
}

impl Column {
    /// The columns that it has at least.
    fn least(self, whole: u16) -> u16 {
        match self {
            Id => 3,
            Name => 9,
            Health | Namespace => 11,
            Mode | Pid | Uptime => 7,
            Self::Status if whole < ROOMY_FROM => 13,
            Self::Status => 30,
            Cpu => 6,
            Chart => CHART,
            Memory => 8,
            Restarts => 4,
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Id | Pid | Cpu | Memory | Restarts | Uptime)
    }

    /// The name; that of the order with an arrow.
    fn name(self, state: &State) -> Line<'static> {
        let (name, order) = match self {
            Id => ("id", "id"),
            Name => ("name", "name"),
            Namespace => ("namespace", ""),
            Mode => ("mode", ""),
            Pid => ("pid", ""),
            Self::Status => ("status", "status"),
            Health => ("health", ""),
            Cpu => ("cpu", "cpu"),
            Chart => ("", ""),
            Memory => ("mem", "memory"),
            Restarts => ("↺", ""),
            Uptime => ("up", "uptime"),
        };
        let (sorted, way) = SORTS[state.sort];
        let is_down = way.ends_with(":desc") != state.reversed;
        let arrow = if is_down { "▾" } else { "▴" };
        let name = if sorted == order { format!("{name}{arrow}") } else { name.to_owned() };
        let line = Line::from(name);
        if self.is_number() { line.right_aligned() } else { line }
    }

    fn cell(self, of: &InstanceView, state: &State, width: usize) -> Cell<'static> {
        let look = &state.look;
        let usage = of.usage.filter(|_| of.pid.is_some());
        // What is chosen is turned round as a whole: a colour would be that of its background.
        let is_chosen = state.chosen == Some(of.id);
        let coloured = |text: String, colour| {
            let style = if is_chosen { Style::new() } else { palette::paint(look, colour) };
            Line::from(Span::styled(text, style))
        };
        let foreign = |text: &str| Line::from(fold::cut(&text::plain(text), width));
        let line = match self {
            Id => Line::from(of.id.to_string()),
            Name => foreign(&of.name),
            Namespace => foreign(&of.namespace),
            Mode => Line::from(match of.mode {
                ExecMode::Fork => "fork",
                ExecMode::Cluster => "cluster",
            }),
            Pid => Line::from(of.pid.map_or("-".to_owned(), |pid| pid.to_string())),
            Self::Status => {
                coloured(status(of, state.now(), width), words::status_colour(&of.status))
            }
            Health => match (&of.health, &of.set_aside) {
                (_, Some(aside)) => coloured(aside.how.told(Language::En).to_owned(), Colour::Grey),
                (Some(health), None) => {
                    coloured(health.status.to_string(), words::health_colour(health.status))
                }
                (None, None) => Line::from("-"),
            },
            Cpu => Line::from(words::cpu(usage.map_or(0.0, |usage| usage.cpu))),
            Chart => {
                let samples = state.samples.get(&of.id).into_iter().flatten();
                let shares: Vec<f64> = samples.map(|sample| sample.cpu).collect();
                let most = shares.iter().copied().fold(100.0, f64::max);
                let bars = chart::bars(shares.into_iter(), most, width, 1);
                coloured(bars.concat(), Colour::Cyan)
            }
            Memory => {
                let memory = usage.map_or(ByteSize::default(), |usage| usage.memory);
                Line::from(memory.to_string())
            }
            Restarts => Line::from(of.restarts.to_string()),
            Uptime => Line::from(list::up_for(of, state.now()).unwrap_or_else(|| "-".to_owned())),
        };
        Cell::from(if self.is_number() { line.right_aligned() } else { line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_columns_has_room_where_it_is_shown() {
        for (from, columns) in SETS {
            let least: u16 = columns.iter().map(|it| it.least(from)).sum();
            let gaps = columns.len() as u16 - 1;
            assert!(least + gaps <= from.max(30), "{from}: {least} and {gaps}");
        }
    }
}
