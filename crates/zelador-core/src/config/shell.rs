//! Text split into words as a shell does, without expansion.

/// Returns the words of `text`: blanks separate, quotes keep blanks, a backslash keeps the next
/// character. `None` if a quote is not closed.
pub fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Returns the first character of `text` that means something to a shell only: two commands, a pipe, a file, a
/// variable. In quotes it is a plain one.
pub fn operator(text: &str) -> Option<char> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => _ = chars.find(|c| *c == '\''),
            '"' => loop {
                match chars.next() {
                    None | Some('"') => break,
                    Some('\\') => _ = chars.next(),
                    Some(c @ ('$' | '`')) => return Some(c),
                    Some(_) => {}
                }
            },
            '\\' => _ = chars.next(),
            ';' | '|' | '&' | '<' | '>' | '$' | '`' => return Some(c),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_keep_blanks() {
        let split = |text| words(text).unwrap();
        assert_eq!(split("  a  b "), ["a", "b"]);
        assert_eq!(split(r#"--x="a b" 'c d'e \ f"#), ["--x=a b", "c de", " f"]);
        assert_eq!(split(r#""" "a\"b\n""#), ["", r#"a"b\n"#]);
        assert_eq!(words("it's"), None);
    }

    #[test]
    fn what_only_a_shell_understands_is_found_outside_of_quotes() {
        for (text, found) in [
            ("pg_isready -q", None),
            ("pg_isready -q && true", Some('&')),
            ("a; b", Some(';')),
            ("a | b", Some('|')),
            ("a > b", Some('>')),
            ("curl localhost:$PORT", Some('$')),
            (r#"echo "$HOME""#, Some('$')),
            (r#"curl 'http://x/?a=1&b=2' "c;d" e\;f"#, None),
            ("sh -c 'a && b'", None),
        ] {
            assert_eq!(operator(text), found, "{text}");
        }
    }
}
