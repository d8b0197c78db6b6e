//! The log of the instance that is chosen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{fold, palette, sgr};
use crate::monit::follow::Stream;
use crate::monit::log;
use crate::monit::state::{Look, State};
use crate::render::terminal::Colour;

/// The columns of the mark before each line.
const MARK: usize = 2;

/// Draws as many lines as there is place for, the latest at the foot.
pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    if width <= MARK || height == 0 {
        return;
    }
    let mut rows: Vec<Line<'static>> = Vec::with_capacity(height);
    for line in state.log.upward() {
        let pieces = pieces(line, state, width - MARK);
        rows.extend(pieces.into_iter().rev());
        if rows.len() >= height {
            break;
        }
    }
    if rows.is_empty() {
        let said = match (state.instance(), state.app()) {
            (None, _) => "no app is chosen",
            (_, Some(app)) if app.out_log.is_none() && app.err_log.is_none() => "its logs are off",
            _ => "nothing was logged yet",
        };
        return frame.render_widget(Paragraph::new(said), area);
    }
    rows.truncate(height);
    rows.reverse();
    frame.render_widget(Paragraph::new(rows), area);
}

/// One line of the log, in one or more lines of the screen.
fn pieces(line: &log::Line, state: &State, width: usize) -> Vec<Line<'static>> {
    let look = &state.look;
    let content = sgr::line(&line.text, look.colours);
    let (mark, style) = mark(line.stream, look);
    let pieces = if state.log.cut {
        vec![fold::cut_line(content, width)]
    } else {
        fold::broken(content, width)
    };
    let marked = pieces.into_iter().map(|piece| {
        let mut spans = vec![Span::styled(mark, style)];
        spans.extend(piece.spans);
        Line::from(spans)
    });
    marked.collect()
}

fn mark(stream: Stream, look: &Look) -> (&'static str, Style) {
    match stream {
        Stream::Out => ("│ ", palette::paint(look, Colour::Green)),
        Stream::Err => ("┃ ", palette::paint(look, Colour::Red).add_modifier(Modifier::BOLD)),
    }
}
