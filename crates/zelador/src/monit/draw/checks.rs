//! How every component is, and why.

use std::cmp::Reverse;

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;
use zelador_api::CheckView;
use zelador_api::unit::spoken;

use super::{fold, palette};
use crate::monit::state::State;
use crate::render::terminal::Colour;
use crate::render::{text, words};

/// Components have at most so many columns.
const COMPONENTS: usize = 24;
/// The columns of a status with the blanks after it.
const STATUS: usize = 11;

/// Returns its lines, the worst first.
pub fn lines(state: &State, width: u16) -> Vec<Line<'static>> {
    let mut checks: Vec<&CheckView> = state.view.health.checks.iter().collect();
    checks.sort_by_key(|check| Reverse(check.status));
    let names = checks.iter().map(|check| check.component.width()).max().unwrap_or(0);
    let names = names.min(COMPONENTS);
    let all = checks.into_iter().flat_map(|check| told(check, state, names, usize::from(width)));
    all.collect()
}

fn told(check: &CheckView, state: &State, names: usize, width: usize) -> Vec<Line<'static>> {
    let look = &state.look;
    let colour = palette::paint(look, words::health_colour(check.status));
    let indent = STATUS + names + 2;
    let name = fold::cut(&text::plain(&check.component), names);
    let blanks = " ".repeat(names + 2 - name.width());
    let took =
        format!(" ({}, {} ago)", words::took(check.took), spoken(state.now().since(check.at)));
    let mut parts = fold::folded(&check.message, width.saturating_sub(indent), 0).into_iter();
    let first = parts.next().unwrap_or_default();
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("{:<9}  ", check.status), colour),
        Span::raw(format!("{name}{blanks}{first}")),
    ])];
    lines.extend(parts.map(|part| Line::from(format!("{}{part}", " ".repeat(indent)))));
    let last = lines.last_mut().expect("the first line is there");
    if last.width() + took.width() <= width {
        last.push_span(Span::styled(took, palette::paint(look, Colour::Grey)));
    }
    lines
}
