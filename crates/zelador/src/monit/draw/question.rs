//! What stands over the screen: the help, and a question before something is done.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::{fold, palette};
use crate::monit::keys;
use crate::monit::state::{State, Verb, Wish};
use crate::render::terminal::Colour;
use crate::render::text;

/// Shows the keys.
pub fn help(frame: &mut Frame<'_>, state: &State) {
    let names = keys::HELP.iter().map(|(keys, _)| keys.width()).max().unwrap_or(0);
    let lines = keys::HELP.iter().map(|(keys, meaning)| {
        let blanks = " ".repeat(names + 2 - keys.width());
        let keys = Span::styled(*keys, palette::paint(&state.look, Colour::Cyan));
        Line::from(vec![keys, Span::raw(format!("{blanks}{meaning}"))])
    });
    over(frame, " keys (any key goes back) ", lines.collect(), state, Colour::Cyan);
}

/// Asks whether something is to be done.
pub fn ask(frame: &mut Frame<'_>, state: &State, wish: &Wish) {
    let (which, then) = match wish {
        Wish::Act { verb, id, .. } => (format!("id {id}"), then(*verb)),
        Wish::Answer { yes, question, .. } => {
            let incident = format!("incident {}", question.incident);
            let then = if *yes {
                "it is done now, and looked at whether it helped"
            } else {
                "it is not proposed again in this incident"
            };
            (incident, then)
        }
    };
    let asked = format!("{} ({which})?", text::plain(&wish.told()));
    let width = usize::from(state.size.0).saturating_sub(6).max(1);
    let key = |key: &'static str| Span::styled(key, palette::strong());
    let mut lines: Vec<Line<'static>> = fold::folded(&asked, width, 2)
        .into_iter()
        .map(|line| Line::from(Span::styled(line, palette::strong())))
        .collect();
    lines.push(Line::from(then));
    lines.push(Line::default());
    lines.push(Line::from(vec![key("y"), Span::raw(" yes    "), key("n"), Span::raw(" no")]));
    let deletes = matches!(wish, Wish::Act { verb: Verb::Delete, .. });
    let colour = if deletes { Colour::Red } else { Colour::Yellow };
    over(frame, "", lines, state, colour);
}

/// What becomes of an instance.
fn then(verb: Verb) -> &'static str {
    match verb {
        Verb::Restart => "it is stopped and started again",
        Verb::Reload => "it is replaced by a new process",
        Verb::Stop => "it is stopped, and stays in the list",
        Verb::Start => "it is brought up, if it is down",
        Verb::Delete => "it is stopped and forgotten",
    }
}

/// Draws lines in a box in the middle, as much of them as there is place for.
fn over(
    frame: &mut Frame<'_>,
    title: &'static str,
    lines: Vec<Line<'static>>,
    state: &State,
    colour: Colour,
) {
    let whole = frame.area();
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(title.width());
    let width = u16::try_from(widest + 4).unwrap_or(u16::MAX).min(whole.width);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(whole.height);
    let place = Rect::new((whole.width - width) / 2, (whole.height - height) / 2, width, height);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(palette::paint(&state.look, colour))
        .title(Span::styled(title, palette::strong()));
    let inner = block.inner(place);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let room = usize::from(inner.width);
    let lines: Vec<Line<'static>> =
        lines.into_iter().map(|line| fold::cut_line(line, room)).collect();
    frame.render_widget(Clear, place);
    frame.render_widget(block, place);
    frame.render_widget(Paragraph::new(lines), inner);
}
