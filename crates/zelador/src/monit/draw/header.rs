//! The first line: how everything is, and the host.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use zelador_api::unit::Percent;
use zelador_api::{Goal, InstanceView, Language, Status};

use super::{chart, palette};
use crate::monit::state::{Link, State};
use crate::render::terminal::Colour;
use crate::render::words;

/// Columns of the chart of the host's processors, and where there is less room.
const CHART: usize = 16;
const SHORT_CHART: usize = 8;

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let left = left(state);
    let room = usize::from(area.width).saturating_sub(left.width() + 2);
    frame.render_widget(Paragraph::new(left), area);
    let right = host(state, room);
    frame.render_widget(Paragraph::new(right).alignment(Alignment::Right), area);
}

fn left(state: &State) -> Line<'static> {
    let look = &state.look;
    let mut spans = vec![Span::styled("zelador ", palette::strong())];
    if let Link::Lost(_) = state.link {
        let style = palette::paint(look, Colour::Red).patch(palette::chosen());
        spans.push(Span::styled(" disconnected, trying again ", style));
        return Line::from(spans);
    }
    let mut apps: BTreeMap<&str, Vec<&InstanceView>> = BTreeMap::new();
    for instance in &state.view.instances {
        apps.entry(&instance.app).or_default().push(instance);
    }
    let (mut sick, mut aside, mut stopped) = (0, 0, 0);
    for instances in apps.values() {
        let wanted = || instances.iter().filter(|it| it.goal == Goal::Up);
        let mut counted = wanted().filter(|it| it.set_aside.is_none()).peekable();
        if wanted().next().is_none() {
            stopped += 1;
        } else if counted.peek().is_none() {
            aside += 1;
        } else if counted
            .any(|it| it.health.as_ref().is_some_and(|health| health.status != Status::Healthy))
        {
            sick += 1;
        }
    }
    let overall = state.view.health.overall;
    let style = palette::paint(look, words::health_colour(overall));
    spans.push(Span::styled(format!("● {overall}"), style));
    spans.push(Span::raw(format!("  {}", words::counted(apps.len(), "app"))));
    if sick > 0 {
        let style = palette::paint(look, Colour::Red);
        spans.push(Span::styled(format!(", {sick} not healthy"), style));
    }
    if let Some(whole) = &state.view.health.set_aside {
        let said = format!(", {}", whole.told(state.now(), Language::En));
        spans.push(Span::styled(said, palette::paint(look, Colour::Yellow)));
    } else if aside > 0 {
        spans.push(Span::raw(format!(", {aside} set aside")));
    }
    if stopped > 0 {
        spans.push(Span::raw(format!(", {stopped} stopped")));
    }
    Line::from(spans)
}

/// As much about the host as there is room for.
fn host(state: &State, room: usize) -> Line<'static> {
    let (host, look) = (&state.host, &state.look);
    let used = host.memory_used();
    let share = Percent::of(used.bytes(), host.memory_total.bytes()).value();
    let [one, five, fifteen] = host.load;
    let grave = |share: f64| match share {
        90.0.. => palette::paint(look, Colour::Red),
        75.0.. => palette::paint(look, Colour::Yellow),
        _ => Style::new(),
    };
    let said = host.cpu.map_or("cpu   -".to_owned(), |cpu| format!("cpu {:>3.0}%", cpu.value()));
    let cpu = Span::styled(said, grave(host.cpu.map_or(0.0, Percent::value)));
    let bars = |width| {
        let bars = chart::bars(state.host_cpu.iter().copied(), 100.0, width, 1).concat();
        Span::styled(format!(" {bars}"), palette::paint(look, Colour::Cyan))
    };
    let (bars, fewer) = (bars(CHART), bars(SHORT_CHART));
    let memory = Span::styled(format!("  mem {share:.0}%"), grave(share));
    let of = Span::raw(format!(" of {}", host.memory_total));
    let load = Span::raw(format!("  load {one:.2}"));
    let loads = Span::raw(format!(" {five:.2} {fifteen:.2}"));
    let choices: [&[&Span<'static>]; 7] = [
        &[&cpu, &bars, &memory, &of, &load, &loads],
        &[&cpu, &fewer, &memory, &of, &load, &loads],
        &[&cpu, &memory, &of, &load, &loads],
        &[&cpu, &memory, &of, &load],
        &[&cpu, &memory, &load],
        &[&cpu, &memory],
        &[&cpu],
    ];
    let mut lines = choices.iter().map(|spans| spans.iter().copied().cloned().collect::<Line>());
    lines.find(|line| line.width() <= room).unwrap_or_default()
}
