//! Foreign text made harmless: names, messages and log lines are written by programs that may be
//! broken or hostile, and a terminal obeys what it is sent.
//!
//! Always holds: what comes out has no control character other than a tab, no character that
//! is not seen and changes what is ([`is_unseen`]), and no escape sequence, except whole SGR sequences
//! (colours) where they are asked to be kept.

use std::borrow::Cow;

use zelador_api::unseen::is_unseen;

/// What stands in the place of a character that must not be shown.
const REPLACEMENT: char = '\u{fffd}';

/// The longest SGR sequence that is kept; the longest useful one (two true colours) has 37.
const LONGEST_SGR: usize = 64;

/// Whether colours survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// All escape sequences go.
    Drop,
    /// SGR sequences stay.
    Keep,
}

/// Returns text for one line of a message, or a cell of a table: nothing but what is shown, and
/// blanks for tabs and line ends.
pub fn plain(text: &str) -> Cow<'_, str> {
    match harmless(text, Colours::Drop) {
        Cow::Borrowed(text) if !text.contains('\t') => Cow::Borrowed(text),
        text => Cow::Owned(text.replace('\t', " ")),
    }
}

/// Returns JSON in which every character that does harm is written as JSON escapes it: valid as before,
/// and with the same meaning.
pub fn json(text: String) -> String {
    let harms = |c: char| c != '\n' && is_harmful(c);
    if !text.contains(harms) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if harms(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns a line of an app's log. Where colours are kept, they end with the line.
pub fn log_line(line: &str, colours: Colours) -> Cow<'_, str> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    match harmless(line, colours) {
        Cow::Owned(mut line) if line.contains('\x1b') => {
            line.push_str("\x1b[0m");
            Cow::Owned(line)
        }
        line => line,
    }
}

fn harmless(text: &str, colours: Colours) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_harmful) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(first) = rest.chars().next() else { break };
        match first {
            '\x1b' => {
                let (length, is_colour) = escape(rest);
                if is_colour && colours == Colours::Keep {
                    shown.push_str(&rest[..length]);
                }
                rest = &rest[length..];
                continue;
            }
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => shown.push(' '),
            _ => shown.push(REPLACEMENT),
        }
        rest = &rest[first.len_utf8()..];
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Control characters, and those that are not seen and change what is.
pub(super) fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\t') || is_unseen(c)
}

/// Returns how many bytes the escape sequence at the start of `text` has, and whether it is SGR.
/// Of a sequence that does not end only the escape character counts: the rest is shown.
fn escape(text: &str) -> (usize, bool) {
    let bytes = text.as_bytes();
    match bytes.get(1) {
        Some(b'[') => {
            let parameters = bytes[2..].iter().take_while(|byte| matches!(byte, 0x30..=0x3f));
            let mut end = 2 + parameters.count();
            let plain = bytes[2..end].iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'));
            let between =
                bytes[end..].iter().take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
            end += between;
            match bytes.get(end) {
                Some(last @ 0x40..=0x7e) => {
                    let is_colour = *last == b'm' && plain && between == 0 && end < LONGEST_SGR;
                    (end + 1, is_colour)
                }
                _ => (1, false),
            }
        }
        // Strings: operating system command, device control, start of string, privacy, program.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let bell = text.find('\x07').map(|at| at + 1);
            let terminator = text[2..].find("\x1b\\").map(|at| at + 4);
            let end = match (bell, terminator) {
                (Some(bell), Some(terminator)) => Some(bell.min(terminator)),
                (bell, terminator) => bell.or(terminator),
            };
            (end.unwrap_or(1), false)
        }
        Some(0x20..=0x7e) => {
            let between = bytes[1..].iter().take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
            let has_final = matches!(bytes.get(1 + between), Some(0x30..=0x7e));
            (1 + between + usize::from(has_final), false)
        }
        _ => (1, false),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text made of what does harm, so that sequences are met more often than by chance.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\x1b[31m".to_owned()),
            Just("\x1b[2J".to_owned()),
            Just("\x1b]0;title\x07".to_owned()),
            Just("\x1b]8;;http://x\x1b\\".to_owned()),
            Just("\x1bP1$r\x1b\\".to_owned()),
            Just("\x1b[".to_owned()),
            Just("\x1b".to_owned()),
            Just("\u{9b}31m".to_owned()),
            Just("\u{202e}".to_owned()),
            Just("\x1b[?1049h\x1b(0".to_owned()),
            ".{0,6}",
            "[\\x00-\\x7f]{0,4}",
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_survives(text in hostile()) {
            let shown = plain(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_harmful(c)), "{shown:?}");
            prop_assert_eq!(plain(&shown), shown.clone(), "harmless text stays as it is");
            let line = log_line(&text, Colours::Drop);
            prop_assert!(!line.contains('\x1b'), "{line:?}");
        }

        #[test]
        fn only_whole_colours_survive_where_they_may(text in hostile()) {
            let line = log_line(&text, Colours::Keep);
            let mut parts = line.split('\x1b');
            let first = parts.next().unwrap_or_default();
            prop_assert!(!first.chars().any(is_harmful));
            for part in parts {
                let colour = part.strip_prefix('[').and_then(|part| part.split_once('m'));
                let (numbers, rest) = colour.expect("an escape begins a colour");
                prop_assert!(numbers.chars().all(|c| c.is_ascii_digit() || c == ';' || c == ':'));
                prop_assert!(!rest.chars().any(is_harmful));
            }
        }
    }

    #[test]
    fn whole_sequences_go_and_the_text_around_them_stays() {
        assert_eq!(plain("a\x1b[31mred\x1b[0m b"), "ared b");
        assert_eq!(plain("\x1b]0;owned\x07shell"), "shell");
        assert_eq!(plain("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"), "link");
        assert_eq!(plain("\x1b]0;never ended"), "]0;never ended");
        assert_eq!(plain("two\nlines\tand a tab"), "two lines and a tab");
        assert_eq!(plain("\x07\u{9b}2J\u{202e}evil"), "\u{fffd}\u{fffd}2J\u{fffd}evil");
        assert_eq!(plain("São Tomé 🌴 中文"), "São Tomé 🌴 中文");
    }

    #[test]
    fn json_means_the_same_and_does_nothing() {
        let evil = "a\u{7f}\u{9b}2J\u{202e}\u{feff}\u{e0001}\n\u{1b} é";
        let shown = json(serde_json::to_string_pretty(&[evil]).unwrap());
        assert!(!shown.chars().any(|c| c != '\n' && is_harmful(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [evil]);
    }

    #[test]
    fn a_kept_colour_ends_with_its_line() {
        assert_eq!(log_line("\x1b[32mok\x1b[2K\r", Colours::Keep), "\x1b[32mok\x1b[0m");
        assert_eq!(log_line("\x1b[32mok", Colours::Drop), "ok");
        assert_eq!(log_line("no colour", Colours::Keep), "no colour");
    }
}
