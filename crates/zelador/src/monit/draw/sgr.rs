//! The colours that an app gives its log lines.
//!
//! Pure. Always holds: nothing else that an app writes has an effect, and no tab is left.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthChar;

use crate::render::text::{self, Colours};

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// Returns a line of a log as it is shown; with its colours, where they are wanted.
pub fn line(written: &str, colours: bool) -> Line<'static> {
    let harmless = text::log_line(written, if colours { Colours::Keep } else { Colours::Drop });
    let (mut spans, mut style, mut at) = (Vec::new(), Style::new(), 0);
    for (place, part) in harmless.split('\x1b').enumerate() {
        let mut shown = part;
        if place > 0
            && let Some((codes, rest)) = part.strip_prefix('[').and_then(|it| it.split_once('m'))
        {
            style = changed(style, codes);
            shown = rest;
        }
        if !shown.is_empty() {
            spans.push(Span::styled(without_tabs(shown, &mut at), style));
        }
    }
    Line::from(spans)
}

/// Puts blanks up to the next tab stop in the place of each tab; `at` is the column.
fn without_tabs(text: &str, at: &mut usize) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\t' {
            let blanks = TAB - *at % TAB;
            plain.push_str(&" ".repeat(blanks));
            *at += blanks;
        } else {
            plain.push(c);
            *at += c.width().unwrap_or(0);
        }
    }
    plain
}

/// Applies the codes of one sequence; those that are not understood change nothing.
fn changed(mut style: Style, codes: &str) -> Style {
    let numbers = codes.split([';', ':']).map(|code| code.parse::<u8>().unwrap_or(0));
    let mut numbers = numbers.collect::<Vec<u8>>().into_iter();
    while let Some(code) = numbers.next() {
        style = match code {
            0 => Style::new(),
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
            23 => style.remove_modifier(Modifier::ITALIC),
            24 => style.remove_modifier(Modifier::UNDERLINED),
            27 => style.remove_modifier(Modifier::REVERSED),
            29 => style.remove_modifier(Modifier::CROSSED_OUT),
            30..=37 => style.fg(Color::Indexed(code - 30)),
            40..=47 => style.bg(Color::Indexed(code - 40)),
            90..=97 => style.fg(Color::Indexed(code - 90 + 8)),
            100..=107 => style.bg(Color::Indexed(code - 100 + 8)),
            39 => Style { fg: None, ..style },
            49 => Style { bg: None, ..style },
            38 | 48 => match extended(&mut numbers) {
                Some(colour) if code == 38 => style.fg(colour),
                Some(colour) => style.bg(colour),
                None => style,
            },
            _ => style,
        };
    }
    style
}

/// The rest of a colour of 256 or of 16 million.
fn extended(numbers: &mut impl Iterator<Item = u8>) -> Option<Color> {
    match numbers.next()? {
        5 => Some(Color::Indexed(numbers.next()?)),
        2 => Some(Color::Rgb(numbers.next()?, numbers.next()?, numbers.next()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(written: &str) -> Vec<(String, Style)> {
        let spans = line(written, true).spans.into_iter();
        spans.map(|span| (span.content.into_owned(), span.style)).collect()
    }

    #[test]
    fn colours_are_kept_and_everything_else_is_not() {
        let written = "a\x1b[1;31mred\x1b[39mbold\x1b[0m \x1b[2J\x1b]0;evil\x07b\x1b[38;5;200mx";
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let wanted = [
            ("a".to_owned(), Style::new()),
            ("red".to_owned(), bold.fg(Color::Indexed(1))),
            ("bold".to_owned(), bold),
            (" b".to_owned(), Style::new()),
            ("x".to_owned(), Style::new().fg(Color::Indexed(200))),
        ];
        assert_eq!(shown(written), wanted);
        let rgb = Style::new().bg(Color::Rgb(1, 2, 3));
        assert_eq!(shown("\x1b[48;2;1;2;3mx"), [("x".to_owned(), rgb)]);
        assert_eq!(line(written, false).to_string(), "aredbold bx");
        assert_eq!(line(written, false).spans.len(), 1);
    }

    #[test]
    fn tabs_go_to_their_stops() {
        let blanks = |count| " ".repeat(count);
        let said = line("a\tb\x1b[31m\t\tc", true).to_string();
        assert_eq!(said, format!("a{}b{}c", blanks(7), blanks(15)));
    }
}
