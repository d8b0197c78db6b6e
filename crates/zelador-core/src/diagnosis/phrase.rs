//! Looking for many phrases in one line.
//!
//! A phrase is in lower case; `<` at its begin and `>` at its end stand for the edge of a word.

/// Whether a phrase is in a text.
pub fn has(text: &str, phrase: &str) -> bool {
    find(text, phrase).is_some()
}

/// Where in a text a phrase is first.
pub fn find(text: &str, phrase: &str) -> Option<usize> {
    let (left, phrase) = phrase.strip_prefix('<').map_or((false, phrase), |rest| (true, rest));
    let (right, phrase) = phrase.strip_suffix('>').map_or((false, phrase), |rest| (true, rest));
    if phrase.is_empty() || !(left || right) {
        return text.find(phrase);
    }
    let is_word = |(at, _): &(usize, &str)| {
        let ends = text[at + phrase.len()..].chars().next();
        let begins = text[..*at].chars().next_back();
        (!left || begins.is_none_or(|c| !c.is_alphanumeric()))
            && (!right || ends.is_none_or(|c| !c.is_alphanumeric()))
    };
    text.match_indices(phrase).find(is_word).map(|(at, _)| at)
}

/// A line in which thousands of phrases are looked for: which pairs of bytes it has is noted once, so that
/// nearly all of them are ruled out by two looks into a table.
pub struct Haystack<'a> {
    text: &'a str,
    pairs: Vec<u64>,
}

/// One bit for each pair of bytes.
const PAIRS: usize = 1 << 16;

impl<'a> Haystack<'a> {
    /// Takes in a line in lower case.
    pub fn new(text: &'a str) -> Self {
        let mut pairs = vec![0_u64; PAIRS / 64];
        for pair in text.as_bytes().windows(2) {
            let at = place(pair[0], pair[1]);
            pairs[at / 64] |= 1 << (at % 64);
        }
        Self { text, pairs }
    }

    /// Whether a phrase is in it.
    pub fn has(&self, phrase: &str) -> bool {
        let bytes = phrase.as_bytes();
        let from = usize::from(bytes.first() == Some(&b'<'));
        let to = bytes.len() - usize::from(bytes.last() == Some(&b'>') && bytes.len() > from);
        let plain = &bytes[from..to];
        if plain.len() >= 4 {
            let (first, last) = (place(plain[0], plain[1]), place(plain[2], plain[3]));
            let (near, end) =
                (place(plain[1], plain[2]), place(plain[plain.len() - 2], plain[plain.len() - 1]));
            if ![first, last, near, end].iter().all(|at| self.pairs[at / 64] >> (at % 64) & 1 == 1)
            {
                return false;
            }
        }
        has(self.text, phrase)
    }
}

fn place(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_words_are_minded_where_they_are_asked_for() {
        assert!(has("it is ready now", "<ready>") && !has("already", "<ready"));
        assert!(has("filenotfound", "enotfound") && !has("filenotfound", "<enotfound"));
        assert!(has("code 535.", "<535>") && !has("15353", "<535>"));
    }

    #[test]
    fn the_table_rules_out_nothing_that_is_there() {
        let text = "error: não há espaço em /x – \u{fffd} a";
        let line = Haystack::new(text);
        for from in text.char_indices().map(|(at, _)| at) {
            for to in text.char_indices().map(|(at, _)| at).filter(|to| *to > from) {
                assert!(line.has(&text[from..to]), "{}", &text[from..to]);
            }
        }
        assert!(!line.has("espanol") && !line.has("zzzz"));
    }
}
