//! Sentences of zelador's own are written in every language: what is told as it is, is somebody else's.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test may read files")]

use std::fs;
use std::path::{Path, PathBuf};

/// The sources that say something to people, from here.
const SOURCES: [&str; 2] = ["src", "../zelador-daemon/src"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|it| it == "rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The literals that follow `start` in a text.
fn literals<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let from = text.match_indices(start).filter_map(|(at, _)| {
        let rest = text[at + start.len()..].trim_start();
        rest.strip_prefix('"')?.split_once('"').map(|(literal, _)| literal)
    });
    from.collect()
}

/// Words of a language, without what stands in their place.
fn words(literal: &str) -> usize {
    let mut own = String::new();
    let mut depth = 0;
    for c in literal.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 0 => own.push(c),
            _ => {}
        }
    }
    let is_word = |word: &&str| {
        let is_name = ["pid", "zelador"].contains(word);
        !is_name && word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase())
    };
    own.split([' ', ',', ';', ':']).filter(is_word).count()
}

#[test]
fn nothing_that_zelador_says_itself_is_passed_off_as_a_quotation() {
    let mut files = Vec::new();
    for folder in SOURCES {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    let mut wrong = Vec::new();
    let mut sentences = 0;
    for path in files {
        let text = fs::read_to_string(&path).expect("a source can be read");
        let own = text.split("#[cfg(test)]").next().unwrap_or_default();
        sentences += literals(own, "words!(").len();
        let quoted = ["quoted(", "quoted(format!("].into_iter().flat_map(|it| literals(own, it));
        wrong.extend(
            quoted.filter(|it| words(it) >= 2).map(|it| format!("{}: {it}", path.display())),
        );
    }
    assert!(sentences > 200, "{sentences} are all that were found");
    assert_eq!(wrong, Vec::<String>::new(), "write it with `words!`, in both languages");
}
