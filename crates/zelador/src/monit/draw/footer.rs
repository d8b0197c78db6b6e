//! The last line: the filter while it is written, what is to be said, or the keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{fold, palette};
use crate::monit::state::{Link, Mode, Pane, State};
use crate::render::terminal::Colour;
use crate::render::{text, words};

/// The keys that are shown, the most useful first.
const KEYS: [(&str, &str); 9] = [
    ("?", "help"),
    ("q", "quit"),
    ("/", "filter"),
    ("r", "restart"),
    ("s", "stop"),
    ("l", "logs"),
    ("d", "details"),
    ("i", "incidents"),
    ("z", "enlarge"),
];

/// The keys of logs.
const LOG_KEYS: [(&str, &str); 3] = [("Space", "hold"), ("e", "streams"), ("w", "break")];

/// The keys where an incident asks for a yes.
const ANSWER_KEYS: [(&str, &str); 2] = [("a", "approve"), ("A", "reject")];

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    if area.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let line = match (&state.mode, &state.link, &state.message) {
        (Mode::Filtering(_), ..) => {
            let found = words::counted(state.listed().len(), "app");
            let said = format!("/{}▏", text::plain(&state.filter));
            Line::from(vec![
                Span::styled(fold::cut(&said, width), palette::strong()),
                Span::styled(
                    format!("  {found}; Enter keeps it, Esc takes it back"),
                    palette::paint(&state.look, Colour::Grey),
                ),
            ])
        }
        (_, Link::Lost(why), _) => {
            let said = format!("disconnected, trying again: {}", text::plain(why));
            let style = palette::paint(&state.look, Colour::Red);
            Line::from(Span::styled(fold::cut(&said, width), style))
        }
        (_, _, Some(message)) => {
            let colour = if message.is_error { Colour::Red } else { Colour::Green };
            let mark = match (message.is_error, message.stands) {
                (true, _) => "✗",
                (false, Some(_)) => "✓",
                (false, None) => "…",
            };
            let said = format!("{mark} {}", text::plain(&message.text));
            Line::from(Span::styled(fold::cut(&said, width), palette::paint(&state.look, colour)))
        }
        _ => keys(state, width),
    };
    frame.render_widget(Paragraph::new(line), area);
}

/// As many keys as there is room for.
fn keys(state: &State, width: usize) -> Line<'static> {
    let mut line = Line::default();
    if !state.filter.is_empty() {
        let said = format!("/{}", text::plain(&state.filter));
        line.push_span(Span::styled(fold::cut(&said, width / 3), palette::strong()));
        line.push_span(Span::raw("  "));
    }
    let answers: &[_] = if state.asked().is_some() { &ANSWER_KEYS } else { &[] };
    let of_logs: &[_] = if state.pane == Pane::Logs { &LOG_KEYS } else { &[] };
    for (key, meaning) in answers.iter().chain(&KEYS).chain(of_logs) {
        let key = Span::styled(*key, palette::paint(&state.look, Colour::Cyan));
        let meaning = Span::raw(format!(" {meaning}  "));
        if line.width() + key.width() + meaning.width() > width + 2 {
            break;
        }
        line.push_span(key);
        line.push_span(meaning);
    }
    line
}
