//! What the mouse means.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::draw::titles;
use super::layout::areas;
use super::state::{Mode, State};
use super::update::{choose_by, scroll, show};

/// Lines that one turn of the wheel goes.
const WHEEL: isize = 3;

/// Takes in what was done with it.
pub fn moved(state: &mut State, event: MouseEvent) {
    if state.mode == Mode::Help && matches!(event.kind, MouseEventKind::Down(_)) {
        state.mode = Mode::Looking;
        return;
    }
    if matches!(state.mode, Mode::Help | Mode::Asking(_)) {
        return;
    }
    let at = Position::new(event.column, event.row);
    let areas = areas(state);
    match event.kind {
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
            let way = if event.kind == MouseEventKind::ScrollUp { -1 } else { 1 };
            if areas.rows.contains(at) { choose_by(state, way) } else { scroll(state, way * WHEEL) }
        }
        MouseEventKind::Down(MouseButton::Left) if areas.rows.contains(at) => {
            let place = state.first_row + usize::from(event.row - areas.rows.y);
            if let Some(clicked) = state.listed().get(place).map(|it| it.id) {
                state.chosen = Some(clicked);
            }
        }
        MouseEventKind::Down(MouseButton::Left) if areas.titles.contains(at) => {
            let hit = titles(state).into_iter().find(|title| title.area.contains(at));
            if let Some(title) = hit {
                show(state, title.pane);
            }
        }
        _ => {}
    }
}
