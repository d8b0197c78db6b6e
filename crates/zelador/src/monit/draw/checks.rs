//! How every component is, and why.

use std::cmp::Reverse;

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;
use zelador_api::unit::spoken;
use zelador_api::{CheckView, GroupView, Language};

use super::{fold, palette};
use crate::monit::state::State;
use crate::render::terminal::Colour;
use crate::render::{text, words};

/// Components have at most so many columns.
const COMPONENTS: usize = 24;
/// The columns of a status with the blanks after it.
const STATUS: usize = 13;

/// Returns its lines: groups, where there are several, then checks, the worst first.
pub fn lines(state: &State, width: u16) -> Vec<Line<'static>> {
    let mut checks: Vec<&CheckView> = state.view.health.checks.iter().collect();
    checks.sort_by_key(|check| (check.set_aside.is_some(), Reverse(check.status)));
    let names = checks.iter().map(|check| check.component.width()).max().unwrap_or(0);
    let names = names.min(COMPONENTS);
    let width = usize::from(width);
    let groups = state.view.health.groups.iter().flat_map(|it| group(it, state, width));
    let mut all: Vec<Line<'static>> =
        if state.view.health.groups.len() > 1 { groups.collect() } else { Vec::new() };
    all.extend(checks.into_iter().flat_map(|check| told(check, state, names, width)));
    all
}

fn group(group: &GroupView, state: &State, width: usize) -> Vec<Line<'static>> {
    let colour = palette::paint(&state.look, words::health_colour(group.status));
    let said = format!("group {}: {}", group.group, group.message);
    let mut status = format!("{:<11}  ", group.status);
    let parts = fold::folded(&said, width.saturating_sub(STATUS), 0).into_iter().map(|part| {
        let status = format!("{:<STATUS$}", std::mem::take(&mut status));
        Line::from(vec![Span::styled(status, colour), Span::raw(part)])
    });
    parts.collect()
}

fn told(check: &CheckView, state: &State, names: usize, width: usize) -> Vec<Line<'static>> {
    let look = &state.look;
    let (status, colour, message) = match &check.set_aside {
        Some(aside) => {
            let why = aside.told(state.now(), Language::En);
            let message = format!("{why}; {}: {}", check.status, check.message);
            (aside.how.told(Language::En).to_owned(), Colour::Grey, message)
        }
        None => {
            let colour = words::health_colour(check.status);
            (check.status.to_string(), colour, check.message.clone())
        }
    };
    let colour = palette::paint(look, colour);
    let indent = STATUS + names + 2;
    let name = fold::cut(&text::plain(&check.component), names);
    let blanks = " ".repeat(names + 2 - name.width());
    // What is known without a look is known now.
    let took = if check.took.is_zero() {
        String::new()
    } else {
        format!(" ({}, {} ago)", words::took(check.took), spoken(state.now().since(check.at)))
    };
    let mut parts = fold::folded(&message, width.saturating_sub(indent), 0).into_iter();
    let first = parts.next().unwrap_or_default();
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("{status:<11}  "), colour),
        Span::raw(format!("{name}{blanks}{first}")),
    ])];
    lines.extend(parts.map(|part| Line::from(format!("{}{part}", " ".repeat(indent)))));
    let last = lines.last_mut().expect("the first line is there");
    if last.width() + took.width() <= width {
        last.push_span(Span::styled(took, palette::paint(look, Colour::Grey)));
    }
    lines
}
