//! A line of an app's output as it may be shown: no escape sequences, no secrets, not too long.

use zelador_core::redact;
use zelador_core::unseen::is_unseen;

/// The longest line that is kept, in characters.
pub(super) const LONGEST: usize = 500;

/// Put where a line was cut.
const CUT: char = '…';

/// Returns the line without what a terminal would obey, secrets masked, cut.
pub(super) fn presentable(line: &str) -> String {
    let masked = redact::text(&plain(line));
    match masked.char_indices().nth(LONGEST) {
        None => masked,
        Some(_) => masked.chars().take(LONGEST - 1).chain([CUT]).collect(),
    }
}

/// Removes escape sequences, control characters and what is not seen; a tab becomes a blank.
fn plain(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => match letters.next() {
                // CSI: parameters, then a final letter from `@` to `~`.
                Some('[') => {
                    letters.by_ref().find(|letter| ('@'..='~').contains(letter));
                }
                // OSC, DCS, SOS, PM, APC: a text up to BEL or ESC \.
                Some(']' | 'P' | 'X' | '^' | '_') => skip_text(&mut letters),
                // Two or three characters: a character set, save cursor and the like.
                Some(' '..='/') => {
                    letters.next();
                }
                _ => {}
            },
            '\u{9b}' => {
                letters.by_ref().find(|letter| ('@'..='~').contains(letter));
            }
            '\t' => kept.push(' '),
            letter if letter.is_control() || is_unseen(letter) => {}
            letter => kept.push(letter),
        }
    }
    kept
}

fn skip_text(letters: &mut impl Iterator<Item = char>) {
    while let Some(letter) = letters.next() {
        if letter == '\u{7}' || (letter == '\u{1b}' && letters.next() == Some('\\')) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_removed() {
        assert_eq!(presentable("\u{1b}[1;31merror\u{1b}[0m: a\tb"), "error: a b");
        assert_eq!(presentable("\u{1b}]0;title\u{7}x\u{1b}]8;;u\u{1b}\\y"), "xy");
        assert_eq!(presentable("\u{1b}(Bz\u{1b}7\r\u{9b}2Jq\u{1b}"), "zq");
    }

    #[test]
    fn what_is_not_seen_and_turns_the_rest_around_is_removed() {
        assert_eq!(presentable("a\u{202e}b\u{2066}c\u{200b}d\u{feff}"), "abcd");
        assert_eq!(presentable("pass\u{200b}word=hunter2"), "password=********");
        assert_eq!(presentable("می\u{200c}خواهم"), "می\u{200c}خواهم");
    }

    #[test]
    fn a_secret_is_masked_even_if_colours_tear_it() {
        assert_eq!(presentable("pass\u{1b}[0mword=hunter2"), "password=********");
        let long = format!("{} password=hunter2", "x".repeat(LONGEST - 15));
        assert!(!presentable(&long).contains("hunter"));
    }

    #[test]
    fn a_long_line_is_cut_by_characters() {
        assert_eq!(presentable(&"é".repeat(LONGEST)).chars().count(), LONGEST);
        let cut = presentable(&"é".repeat(LONGEST + 1));
        assert_eq!(cut.chars().count(), LONGEST);
        assert!(cut.ends_with(CUT));
    }
}
