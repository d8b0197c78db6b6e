//! Where things are on the screen.
//!
//! Pure. Always holds: no area reaches beyond the screen, and none overlaps another.

use ratatui::layout::Rect;

use super::state::{Pane, State};

/// From so many columns on, the details stand beside the pane.
const WIDE_FROM: u16 = 110;
/// The details beside a pane have at least so many columns.
const LEAST_BESIDE: u16 = 44;
/// With fewer lines there is no place for a pane below the list.
const PANE_FROM: u16 = 10;
/// The pane has at least so many lines, its titles not counted.
const LEAST_PANE: u16 = 4;

/// The areas; those that are not shown are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// How everything is, and the host.
    pub header: Rect,
    /// The names of the columns.
    pub columns: Rect,
    /// The rows of the list.
    pub rows: Rect,
    /// The titles of the panes.
    pub titles: Rect,
    /// The details, where they stand beside the pane.
    pub beside: Rect,
    /// What is shown below the list.
    pub pane: Rect,
    /// Keys, messages, the filter.
    pub footer: Rect,
}

impl Areas {
    /// The part of them that lies within another.
    pub fn within(self, whole: Rect) -> Self {
        let Self { header, columns, rows, titles, beside, pane, footer } = self;
        let [header, columns, rows, titles, beside, pane, footer] =
            [header, columns, rows, titles, beside, pane, footer]
                .map(|area| area.intersection(whole));
        Self { header, columns, rows, titles, beside, pane, footer }
    }
}

/// Returns where things are.
pub fn areas(state: &State) -> Areas {
    let (width, height) = state.size;
    let count = u16::try_from(state.listed().len()).unwrap_or(u16::MAX);
    let line = |y: u16, lines: u16| Rect::new(0, y, width, lines);
    let header = line(0, height.min(1));
    let footer = line(height.saturating_sub(1), height.min(2).saturating_sub(1));
    let body = height.saturating_sub(2);
    if height < PANE_FROM && !state.zoomed {
        let (columns, rows) = (line(1, body.min(1)), line(2, body.saturating_sub(1)));
        return Areas { header, columns, rows, footer, ..Areas::default() };
    }
    // The list has what it needs, and at most two fifths.
    let most = (body * 2 / 5).min(body.saturating_sub(LEAST_PANE + 2));
    let shown = if state.zoomed { 0 } else { count.max(1).min(most) };
    let heading = u16::from(!state.zoomed);
    let columns = line(1, heading);
    let rows = line(1 + heading, shown);
    let titles = line(1 + heading + shown, body.min(1));
    let (top, lines) = (titles.y + 1, body.saturating_sub(heading + shown + 1));
    let is_beside = width >= WIDE_FROM && state.pane != Pane::Details && !state.zoomed;
    if !is_beside {
        let pane = line(top, lines);
        return Areas { header, columns, rows, titles, pane, footer, ..Areas::default() };
    }
    let left = (width * 2 / 5).max(LEAST_BESIDE);
    let beside = Rect::new(0, top, left, lines);
    let pane = Rect::new(left + 2, top, width - left - 2, lines);
    Areas { header, columns, rows, titles, beside, pane, footer }
}
