//! Text made to fit into columns, by the width that characters have on a terminal.

use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::render::text;

/// Breaks a line after so many columns. There is always at least one piece.
pub fn broken(line: Line<'_>, width: usize) -> Vec<Line<'static>> {
    let (mut lines, mut line_now, mut at) = (Vec::new(), Vec::new(), 0);
    let style = line.style;
    for span in line.spans {
        let mut piece = String::new();
        for c in span.content.chars() {
            let columns = c.width().unwrap_or(0);
            if at + columns > width && at > 0 {
                line_now.push(Span::styled(std::mem::take(&mut piece), span.style));
                lines.push(Line::from(std::mem::take(&mut line_now)).style(style));
                at = 0;
            }
            piece.push(c);
            at += columns;
        }
        line_now.push(Span::styled(piece, span.style));
    }
    lines.push(Line::from(line_now).style(style));
    lines
}

/// Breaks text between words where that is possible; every line but the first is indented. What is
/// foreign in it is made harmless.
pub fn folded(said: &str, width: usize, indent: usize) -> Vec<String> {
    let said = text::plain(said);
    let room = width.saturating_sub(indent).max(1);
    let mut lines = vec![String::new()];
    let mut at = 0;
    for word in said.split(' ').filter(|word| !word.is_empty()) {
        let columns = word.width();
        if at > 0 && at + 1 + columns <= room {
            let line = lines.last_mut().expect("there is at least one");
            line.push(' ');
            line.push_str(word);
            at += 1 + columns;
            continue;
        }
        if at > 0 {
            lines.push(" ".repeat(indent));
            at = 0;
        }
        for c in word.chars() {
            let columns = c.width().unwrap_or(0);
            if at + columns > room && at > 0 {
                lines.push(" ".repeat(indent));
                at = 0;
            }
            lines.last_mut().expect("there is at least one").push(c);
            at += columns;
        }
    }
    lines
}

/// Returns text of at most so many columns, with an ellipsis where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut short, mut at) = (String::new(), 0);
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if at + columns + 1 > width {
            break;
        }
        short.push(c);
        at += columns;
    }
    if width > 0 { short + "…" } else { short }
}

/// Returns a line of at most so many columns, with an ellipsis where something is missing.
pub fn cut_line(line: Line<'static>, width: usize) -> Line<'static> {
    if line.width() <= width {
        return line;
    }
    let mut pieces = broken(line, width.saturating_sub(1).max(1));
    let mut first = pieces.swap_remove(0);
    first.push_span(Span::raw("…"));
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_twice() {
        let pieces = broken(Line::from("日本語 abc"), 5);
        let shown: Vec<String> = pieces.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["日本", "語 ab", "c"]);
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut_line(Line::from("日本語"), 5).to_string(), "日本…");
        assert_eq!(cut_line(Line::from("abc"), 3).to_string(), "abc");
        assert_eq!(broken(Line::from(""), 5).len(), 1);
        assert_eq!(broken(Line::from("日本"), 1).len(), 2, "too narrow is no endless loop");
    }

    #[test]
    fn text_is_broken_between_words_and_long_words_anywhere() {
        assert_eq!(folded("one two three", 9, 2), ["one two", "  three"]);
        assert_eq!(folded("abcdefghij", 6, 2), ["abcd", "  efgh", "  ij"]);
        assert_eq!(folded("", 6, 2), [""]);
        assert_eq!(folded("\u{1b}[31mred", 20, 0), ["red"]);
    }
}
