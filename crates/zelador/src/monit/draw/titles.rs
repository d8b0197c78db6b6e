//! The line between the list and what is below it: the titles of the panes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::{fold, palette};
use crate::monit::layout::areas;
use crate::monit::log::Shown;
use crate::monit::state::{Pane, State};
use crate::render::terminal::Colour;
use crate::render::text;

/// One title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Whose.
    pub pane: Pane,
    /// Where it is.
    pub area: Rect,
    /// As it is written.
    pub text: String,
}

/// Returns the titles, and where they are.
pub fn titles(state: &State) -> Vec<Title> {
    let area = areas(state).titles;
    let start = areas(state).pane.x;
    let mut x = start + 1;
    let open = state.open_incidents();
    let title = |pane| {
        let text = match pane {
            Pane::Details => " details ".to_owned(),
            Pane::Logs => " logs ".to_owned(),
            Pane::Incidents if open > 0 => format!(" incidents ({open} open) "),
            Pane::Incidents => " incidents ".to_owned(),
            Pane::Checks => " checks ".to_owned(),
        };
        let place = Rect::new(x, area.y, u16::try_from(text.width()).unwrap_or(0), area.height);
        x = place.right() + 1;
        Title { pane, area: place.intersection(area), text }
    };
    Pane::ALL.into_iter().map(title).filter(|title| !title.area.is_empty()).collect()
}

/// Draws them.
pub fn draw(frame: &mut Frame<'_>, area: Rect, beside: Rect, state: &State) {
    if area.is_empty() {
        return;
    }
    let look = &state.look;
    let grey = palette::paint(look, Colour::Grey);
    let rule = Span::styled("─".repeat(usize::from(area.width)), grey);
    frame.render_widget(Paragraph::new(Line::from(rule)), area);
    let titles = titles(state);
    for title in &titles {
        let style = if title.pane == state.pane {
            palette::chosen()
        } else if title.pane == Pane::Incidents && state.open_incidents() > 0 {
            palette::paint(look, Colour::Red)
        } else {
            palette::paint(look, Colour::Cyan)
        };
        let line = Line::from(Span::styled(title.text.clone(), style));
        frame.render_widget(Paragraph::new(line), title.area.intersection(area));
    }
    let name = state.instance().map(|of| text::plain(&of.name).into_owned()).unwrap_or_default();
    if !beside.is_empty() {
        let room = usize::from(beside.width).saturating_sub(4);
        let said = Span::styled(format!(" {} ", fold::cut(&name, room)), palette::strong());
        let place = Rect::new(1, area.y, u16::try_from(said.width()).unwrap_or(0), 1);
        frame.render_widget(Paragraph::new(Line::from(said)), place.intersection(area));
    }
    let end = titles.last().map_or(area.x, |title| title.area.right());
    let room = usize::from(area.right().saturating_sub(end)).saturating_sub(4);
    let is_named = beside.is_empty() && matches!(state.pane, Pane::Details | Pane::Logs);
    let mut said = if is_named { vec![name] } else { Vec::new() };
    said.extend(standing(state));
    let said = fold::cut(&said.join(", "), room);
    if said.is_empty() {
        return;
    }
    let said = format!(" {said} ");
    let width = u16::try_from(said.width()).unwrap_or(0);
    let place = Rect::new(area.right().saturating_sub(width + 1), area.y, width, 1);
    let line = Line::from(Span::styled(said, palette::strong()));
    frame.render_widget(Paragraph::new(line), place.intersection(area));
}

/// What is not as usual with the pane.
fn standing(state: &State) -> Vec<String> {
    let log = &state.log;
    let mut said = Vec::new();
    if state.pane != Pane::Logs {
        return said;
    }
    match log.shown {
        Shown::Both => {}
        Shown::Out => said.push("stdout only".to_owned()),
        Shown::Err => said.push("stderr only".to_owned()),
    }
    if !log.is_following() {
        said.push(match log.below() {
            0 => "held".to_owned(),
            below => format!("held, {below} below"),
        });
    }
    if log.cut {
        said.push("lines cut".to_owned());
    }
    said
}
