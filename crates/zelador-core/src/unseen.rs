//! Characters that nobody sees and that change what is read: they turn text around, break or hide it, or
//! make one text look like another.

/// Whether a character is not seen itself, and what stands around it is not what it seems.
///
/// The joiners U+200C and U+200D are none: Persian, the scripts of India and many emoji are written with
/// them. Control characters are another matter, since terminals obey them.
pub fn is_unseen(c: char) -> bool {
    matches!(c,
        // The soft hyphen, and the separator of Mongolian vowels.
        '\u{ad}' | '\u{180e}'
        // Marks, embeddings, overrides and isolates of direction.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Ends of lines and paragraphs.
        | '\u{2028}' | '\u{2029}'
        // Blanks and joiners without width, signs of mathematics that are not written, and the former formats.
        | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        // Annotations, and tags.
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a character makes a name look like another: an unseen one, and a joiner.
pub fn is_unfit_in_name(c: char) -> bool {
    is_unseen(c) || matches!(c, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_seen() {
        for text in
            ["São Tomé 🌴 中文", "می\u{200c}خواهم", "👩\u{200d}💻 ❤\u{fe0f}", "क्\u{200d}ष", "a\tb"]
        {
            assert!(!text.contains(is_unseen), "{text}");
        }
        for text in
            ["api\u{200b}", "a\u{ad}pi", "\u{2060}api", "ap\u{e0069}i", "\u{202e}ipa", "api\u{61c}"]
        {
            assert!(text.contains(is_unseen) && text.contains(is_unfit_in_name), "{text:?}");
        }
        assert!("api\u{200d}".contains(is_unfit_in_name));
    }
}
