//! Everything about the instance that is chosen.

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;
use zelador_api::unit::spoken;
use zelador_api::{InstanceView, Phase};

use super::{chart, fold, palette};
use crate::monit::state::{Sample, State};
use crate::render::terminal::Colour;
use crate::render::{list, show, text, words};

/// From so many columns on the charts stand side by side.
const BESIDE_FROM: usize = 56;
/// From so many lines on the charts are high.
const HIGH_FROM: u16 = 16;
/// The names of values have at most so many columns.
const NAMES: usize = 16;

/// Values of `show` that the first line or the charts say already.
const SAID: [&str; 5] = ["status", "pid", "uptime", "restarts", "uses"];

/// Returns its lines.
pub fn lines(state: &State, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(of) = state.instance() else {
        return vec![Line::from("no app is chosen")];
    };
    let width = usize::from(width);
    let mut lines = headline(of, state, width);
    lines.extend(charts(of, state, width, if height >= HIGH_FROM { 3 } else { 1 }));
    let mut rows = show::state(of, state.now(), &state.look.zone);
    rows.retain(|(name, _)| !SAID.contains(&name.as_str()));
    rows.extend(state.app().map(show::declared).unwrap_or_default());
    let names = rows.iter().map(|(name, _)| name.width()).max().unwrap_or(0).min(NAMES);
    for (name, value) in rows {
        let colour = of.health.as_ref().filter(|_| name == "health");
        let colour = colour.map(|health| words::health_colour(health.status));
        lines.extend(row(state, (&name, &value), names, width, colour));
    }
    lines
}

fn headline(of: &InstanceView, state: &State, width: usize) -> Vec<Line<'static>> {
    let look = &state.look;
    let status = text::plain(&list::status(of, state.now())).into_owned();
    let mut line = Line::from(vec![
        Span::styled(text::plain(&of.name).into_owned(), palette::strong()),
        Span::raw("  "),
        Span::styled(status, palette::paint(look, words::status_colour(&of.status))),
    ]);
    let mut facts = vec![format!("id {}", of.id)];
    facts.extend(of.pid.map(|pid| format!("pid {pid}")));
    if let Phase::Running { since, .. } = of.phase {
        facts.push(format!("up {}", spoken(state.now().since(since))));
    }
    facts.push(words::counted(of.restarts as usize, "restart"));
    let facts = facts.join(", ");
    if line.width() + 2 + facts.width() <= width {
        line.push_span(Span::raw(format!("  {facts}")));
        return vec![line];
    }
    let mut lines = fold::broken(line, width);
    lines.extend(fold::folded(&facts, width, 0).into_iter().map(Line::from));
    lines
}

/// Processor and memory over time.
fn charts(of: &InstanceView, state: &State, width: usize, height: usize) -> Vec<Line<'static>> {
    let samples: Vec<Sample> = state.samples.get(&of.id).into_iter().flatten().copied().collect();
    let Some(last) = samples.last().filter(|_| of.pid.is_some()) else { return Vec::new() };
    let limit = state.app().and_then(|app| app.spec.max_memory);
    let is_beside = width >= BESIDE_FROM;
    let columns = if is_beside { (width - 2) / 2 } else { width };
    let shares = samples.iter().map(|it| it.cpu);
    let most = shares.clone().fold(0.0, f64::max);
    let cpu = format!("cpu {}, at most {}", words::cpu(last.cpu), words::cpu(most));
    let cpu = (cpu, chart::bars(shares, most.max(10.0), columns, height));
    let bytes = samples.iter().map(|it| it.memory.bytes() as f64);
    let top =
        limit.map_or(0.0, |limit| limit.bytes() as f64).max(bytes.clone().fold(1.0, f64::max));
    let of_limit = limit.map(|limit| format!(", limit {limit}")).unwrap_or_default();
    let memory = format!("memory {}{of_limit}", last.memory);
    let memory = (memory, chart::bars(bytes, top, columns, height));
    let bars = |text: String, colour| Span::styled(text, palette::paint(&state.look, colour));
    let mut lines = Vec::new();
    if !is_beside {
        for ((name, rows), colour) in [(cpu, Colour::Cyan), (memory, Colour::Green)] {
            lines.push(Line::from(fold::cut(&name, width)));
            lines.extend(rows.into_iter().map(|row| Line::from(bars(row, colour))));
        }
        return lines;
    }
    let (left, right) = (fold::cut(&cpu.0, columns), fold::cut(&memory.0, columns));
    let blanks = " ".repeat(columns + 2 - left.width());
    lines.push(Line::from(format!("{left}{blanks}{right}")));
    for (left, right) in cpu.1.into_iter().zip(memory.1) {
        let (left, right) = (bars(left, Colour::Cyan), bars(right, Colour::Green));
        lines.push(Line::from(vec![left, Span::raw("  "), right]));
    }
    lines
}

fn row(
    state: &State,
    (name, value): (&str, &str),
    names: usize,
    width: usize,
    colour: Option<Colour>,
) -> Vec<Line<'static>> {
    let room = width.saturating_sub(names + 1);
    let style = colour.map(|colour| palette::paint(&state.look, colour)).unwrap_or_default();
    let mut name = fold::cut(name, names);
    let parts = fold::folded(value, room, 0).into_iter().map(|part| {
        let name = format!("{:<names$} ", std::mem::take(&mut name));
        let name = Span::styled(name, palette::paint(&state.look, Colour::Grey));
        Line::from(vec![name, Span::styled(part, style)])
    });
    parts.collect()
}
