//! Variables in the syntax of `.env` files, as Node's `--env-file` and the package `dotenv` read them.
//!
//! `NAME=value` on a line of its own, `export` before it if you like; `#` begins a comment. A value in
//! quotes (`'`, `"`, or a backtick) keeps blanks, `#` and line ends; in double quotes `\n` and `\r` mean
//! these characters. Nothing is expanded: `$` is a letter like any other, so that a password survives.
//! Other than there, a line that is none of that is a mistake, and not skipped.

use crate::spec::Environment;
use crate::words;
use crate::words::Words;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct DotenvError {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong with it; no value is shown.
    pub what: Words,
}

/// Returns the variables; of two with one name the last one counts.
///
/// # Errors
/// The first line that is none.
pub fn parse(text: &str) -> Result<Environment, DotenvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut env = Environment::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = first_line(rest);
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = after;
            continue;
        }
        let number = 1 + text[..text.len() - rest.len()].matches('\n').count();
        let wrong = |what| DotenvError { line: number, what };
        let Some((name, _)) = line.split_once('=') else {
            return Err(wrong(words!("there is no `=`", "não há `=`")));
        };
        let value = &rest[name.len() + 1..];
        let name = name.trim();
        let name = name
            .strip_prefix("export")
            .filter(|name| name.starts_with([' ', '\t']))
            .unwrap_or(name);
        let name = name.trim_start();
        let letter = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(letter) {
            return Err(wrong(words!(
                "the name has other characters than letters, digits, `_`, `.` and `-`",
                "o nome tem outros caracteres além de letras, dígitos, `_`, `.` e `-`",
            )));
        }
        let (value, after) = self::value(value).map_err(wrong)?;
        if value.contains('\0') {
            return Err(wrong(words!(
                "the value has a NUL character",
                "o valor tem um caractere NUL"
            )));
        }
        env.insert(name.to_owned(), value);
        rest = after;
    }
    Ok(env)
}

/// The first line without its end, and what follows it.
fn first_line(text: &str) -> (&str, &str) {
    match text.split_once('\n') {
        Some((line, after)) => (line.strip_suffix('\r').unwrap_or(line), after),
        None => (text, ""),
    }
}

/// The value at the beginning of `text`, and what follows its last line.
fn value(text: &str) -> Result<(String, &str), Words> {
    let begin = text.trim_start_matches([' ', '\t']);
    let Some(quote) = begin.chars().next().filter(|c| matches!(c, '\'' | '"' | '`')) else {
        let (line, after) = first_line(text);
        let value = line.split('#').next().unwrap_or_default();
        return Ok((value.trim().to_owned(), after));
    };
    let unclosed = || words!("a quote is not closed", "uma aspa não é fechada");
    let end = closing(&begin[1..], quote).ok_or_else(unclosed)?;
    let (inside, behind) = (&begin[1..=end], &begin[end + 2..]);
    let (behind, after) = first_line(behind);
    let behind = behind.trim();
    if !behind.is_empty() && !behind.starts_with('#') {
        return Err(words!(
            "there is something behind the closing quote",
            "há algo depois da aspa que fecha"
        ));
    }
    let value = inside.replace("\r\n", "\n");
    let value = match quote {
        '"' => value.replace("\\n", "\n").replace("\\r", "\r"),
        _ => value,
    };
    Ok((value, after))
}

/// Where the quote is closed; a backslash before a quote keeps it, and stays.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut kept = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == quote && !kept;
        kept = c == '\\' && !kept;
        closes.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_node_reads_them() {
        let text = "\u{feff}# comment\r\nA=1\r\n\n  B = two words  # why\nexport C='single # kept $x'\n\
            D=\"line\\nnext\"\nE=`a 'b' \"c\"`\nF=\nG=pa$$word${x}\nH=\"two\nlines\"\nI=a=b=c\nJ=it's\n\
            K=\"a \\\" b\" # c\nL.m-n=x\nA=last\nexported=1\nM=\"\"";
        let env = parse(text).unwrap();
        let expected = [
            ("A", "last"),
            ("B", "two words"),
            ("C", "single # kept $x"),
            ("D", "line\nnext"),
            ("E", "a 'b' \"c\""),
            ("F", ""),
            ("G", "pa$$word${x}"),
            ("H", "two\nlines"),
            ("I", "a=b=c"),
            ("J", "it's"),
            ("K", "a \\\" b"),
            ("L.m-n", "x"),
            ("M", ""),
            ("exported", "1"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(env, Environment::from(expected));
    }

    #[test]
    fn a_line_that_is_none_is_named_without_its_value() {
        for (text, line, what) in [
            ("A=1\n\nhunter2", 3, "no `=`"),
            ("A=\"x\ny", 1, "not closed"),
            ("A='x\ny'\nB='x' hunter2", 3, "behind the closing"),
            ("a b=hunter2", 1, "the name"),
            ("=hunter2", 1, "the name"),
            ("A=x\0y", 1, "NUL"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}");
            let said = error.to_string();
            assert!(said.contains(what) && !said.contains("hunter2"), "{said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[A-C= \\\\'\"`#\n\rñ\u{feff}]{0,60}") {
            let _ = parse(&text);
        }
    }
}
