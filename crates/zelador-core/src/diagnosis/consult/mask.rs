//! Taking out of a line what must not leave the host.
//!
//! Always holds: what is masked once stays as it is when it is masked again.

use crate::redact::{self, MASK};

/// From this length on a word may be a key.
const LONG: usize = 20;

/// Bits a character from which on a long word is no word: English has 1 to 4, random base64 5 and more.
const RANDOM: f64 = 3.6;

/// Beginnings of the keys of services.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_",
    "pk_",
    "rk_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "eyJ",
    "SG.",
    "npm_",
    "dop_v1_",
    "hf_",
    "whsec_",
    "shpat_",
    "EAAC",
    "Bearer",
    "AGE-SECRET",
];

/// Returns the line with keys, tokens, passwords, connection strings, e-mail addresses and card numbers masked.
pub fn mask(line: &str) -> String {
    let line = line.replace(['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'], "");
    if line.contains("-----BEGIN") || line.contains("PRIVATE KEY") {
        return MASK.to_owned();
    }
    let line = cards(&pairs(&redact::text(&line)));
    let mut masked = String::with_capacity(line.len());
    for (is_word, part) in words(&line) {
        masked.push_str(if is_word && is_secret(part) { MASK } else { part });
    }
    masked
}

/// `password 'x'`, `pwd=x`, `senha: x`: more names than a log line of our own has.
fn pairs(line: &str) -> String {
    const NAMES: &[&str] = &[
        "pwd=",
        "pass=",
        "senha=",
        "senha:",
        "contraseña:",
        "passwort:",
        "_key=",
        "-key:",
        "apikey:",
        "cookie:",
        "dsn=",
        "sig=",
        "signature=",
    ];
    let mut masked = line.to_owned();
    for name in NAMES {
        let lower = masked.to_ascii_lowercase();
        let Some(at) = lower.find(name) else { continue };
        let from = at + name.len();
        let begin = from + masked[from..].find(|c: char| !" \"'".contains(c)).unwrap_or(0);
        let end = masked[begin..].find(|c: char| c.is_whitespace() || "\"',;&)]}".contains(c));
        let end = end.map_or(masked.len(), |end| begin + end);
        if end > begin {
            masked.replace_range(begin..end, MASK);
        }
    }
    masked
}

/// Words and what stands between them.
fn words(line: &str) -> Vec<(bool, &str)> {
    let in_word = |c: char| c.is_alphanumeric() || "_-+/=.@~%*".contains(c);
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut was = None;
    for (at, c) in line.char_indices() {
        let is = in_word(c);
        if was.is_some_and(|was| was != is) {
            parts.push((!is, &line[begin..at]));
            begin = at;
        }
        was = Some(is);
    }
    if let Some(was) = was {
        parts.push((was, &line[begin..]));
    }
    parts
}

fn is_secret(word: &str) -> bool {
    is_mail(word)
        || PREFIXES.iter().any(|it| word.len() >= 12 && word.starts_with(it))
        || is_random(word)
}

fn is_mail(word: &str) -> bool {
    let Some((name, host)) = word.split_once('@') else { return false };
    let host = host.trim_end_matches('.');
    // A module of npm is no person: `@scope/name`, `pg@8.1.0`.
    !name.is_empty()
        && host.rsplit_once('.').is_some_and(|(before, top)| {
            !before.is_empty() && top.len() >= 2 && top.bytes().all(|c| c.is_ascii_alphabetic())
        })
}

/// Whether a word is long and has no language: its characters are spread as those of a key are. Paths and names of classes
/// are judged part by part.
fn is_random(word: &str) -> bool {
    word.split(['/', '.', '=', '@', '*']).filter(|part| part.len() >= LONG).any(|part| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let upper = part.bytes().filter(u8::is_ascii_uppercase).count();
        let lower = part.bytes().filter(u8::is_ascii_lowercase).count();
        let is_hex = part.len() >= 32 && part.bytes().all(|c| c.is_ascii_hexdigit());
        is_hex
            || digits >= 2
                && (upper >= 1 || lower >= 1)
                && entropy(part) >= RANDOM
                && !is_stamp(part)
    })
}

/// Times and numbers with dashes are no keys.
fn is_stamp(part: &str) -> bool {
    part.bytes().filter(|c| c.is_ascii_digit() || b"-_:TZ+".contains(c)).count() * 10
        >= part.len() * 8
}

/// Shannon's bits a character.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let length = text.len() as f64;
    let share = |count: &u32| f64::from(*count) / length;
    counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

/// Masks runs of 13 to 19 digits, with blanks or dashes between, that satisfy Luhn's check.
fn cards(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        masked.push_str(&rest[..at]);
        let run = &rest[at..];
        let end =
            run.find(|c: char| !c.is_ascii_digit() && c != ' ' && c != '-').unwrap_or(run.len());
        let run = run[..end].trim_end_matches([' ', '-']);
        let digits: Vec<u32> = run.chars().filter_map(|c| c.to_digit(10)).collect();
        let is_card = (13..=19).contains(&digits.len()) && luhn(&digits);
        masked.push_str(if is_card { MASK } else { run });
        rest = &rest[at + run.len()..];
    }
    masked.push_str(rest);
    masked
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match index % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}
