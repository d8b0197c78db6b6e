//! The screen as it is drawn.
//!
//! Pure: the state goes in, cells come out. Always holds: no text of an app, a file or the engine
//! reaches a cell before it was made harmless.

mod chart;
mod checks;
mod details;
mod fold;
mod footer;
mod header;
mod incidents;
mod list;
mod logs;
mod palette;
mod question;
mod sgr;
mod titles;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::layout::{Areas, areas};
use super::state::{Mode, Pane, State};
use crate::render::terminal::Colour;

pub use titles::titles;

/// Draws the screen.
pub fn draw(frame: &mut Frame<'_>, state: &State) {
    // The terminal may have changed since the state heard of its size.
    let areas = areas(state).within(frame.area());
    header::draw(frame, areas.header, state);
    list::draw(frame, areas.columns, areas.rows, state);
    titles::draw(frame, areas.titles, areas.beside, state);
    if !areas.beside.is_empty() {
        let lines = details::lines(state, areas.beside.width, areas.beside.height);
        part(frame, areas.beside, lines, 0);
        rule(frame, areas, state);
    }
    match state.pane {
        Pane::Logs => logs::draw(frame, areas.pane, state),
        pane => {
            let scrolled = state.scrolled.get(&pane).copied().unwrap_or(0);
            part(frame, areas.pane, lines(state, areas.pane), scrolled);
        }
    }
    footer::draw(frame, areas.footer, state);
    match &state.mode {
        Mode::Help => question::help(frame, state),
        Mode::Asking(wish) => question::ask(frame, state, wish),
        Mode::Looking | Mode::Filtering(_) => {}
    }
}

/// Draws what parts the details from the pane; each line of a log has a mark that does.
fn rule(frame: &mut Frame<'_>, areas: Areas, state: &State) {
    if state.pane == Pane::Logs {
        return;
    }
    let style = palette::paint(&state.look, Colour::Grey);
    let bars = vec![Line::styled("│", style); usize::from(areas.beside.height)];
    let place = Rect { x: areas.beside.right(), width: 1, ..areas.beside };
    frame.render_widget(Paragraph::new(bars), place.intersection(frame.area()));
}

/// How many lines the pane has, those included that are scrolled out of it.
pub fn pane_length(state: &State) -> usize {
    lines(state, areas(state).pane).len()
}

/// The lines of a pane that has a beginning.
fn lines(state: &State, area: Rect) -> Vec<Line<'static>> {
    match state.pane {
        Pane::Details => details::lines(state, area.width, area.height),
        Pane::Incidents => incidents::lines(state, area.width),
        Pane::Checks => checks::lines(state, area.width),
        Pane::Logs => Vec::new(),
    }
}

/// Draws as many lines as there is place for.
fn part(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>, scrolled: usize) {
    let first = scrolled.min(lines.len().saturating_sub(usize::from(area.height)));
    let shown: Vec<Line<'static>> =
        lines.into_iter().skip(first).take(usize::from(area.height)).collect();
    frame.render_widget(Paragraph::new(shown), area);
}
