//! What a line says that no rule knows: a thing, and what is wrong with it.
//!
//! Programs say in endless wordings that their settings are invalid or their server is away. Two words of two lists, in the
//! same line, tell that well enough to be believed when nothing more exact was found. Always holds: a line that a
//! rule knows is not read again, so pairs add to what is known and correct nothing.

mod dependency;
mod eastern;
mod host;
mod parts;
mod settings;
mod western;

use super::Cause;
use super::phrase::Haystack;

/// From this weight on a rule knows a line.
pub const KNOWN: f64 = 0.6;

/// How much a pair says: more than that nobody caught an exception, less than any rule.
pub const WEIGHT: f64 = 0.58;

/// What is wrong with the things of a program's start is found at its start; later it says little of them.
const LATE_WEIGHT: f64 = 0.3;

/// A program that has run for so long, in seconds, has all that it needs for its start.
const LATE: f64 = 600.0;

/// A thing, and what is wrong with it; one file a family.
struct Pair {
    cause: Cause,
    /// Whether only a start fails of it.
    at_start: bool,
    things: &'static [&'static str],
    wrongs: &'static [&'static str],
    /// None of these is in the line.
    none: &'static [&'static str],
}

/// Words of a bug: what its message is about is not what ails the service.
const BUGS: &[&str] = &[
    "typeerror",
    "referenceerror",
    "attributeerror",
    "indexerror",
    "unboundlocalerror",
    "zerodivisionerror",
    "nullpointer",
    "nullreference",
    "classcastexception",
    "outofbounds",
    "outofrange",
    "index out of",
    "is not a function",
    "undefined (reading",
    "of undefined",
    "undefined method",
    "stack traceback",
    "assertion",
    "panicked at",
    "argumenterror",
    "keyword argument",
    "positional argument",
    "duplicate key",
    "in json at position",
    "unique constraint",
];

/// Words of what somebody else did wrong: a request that is refused is a service that works.
const REQUESTS: &[&str] = &[
    "answered",
    "request from",
    "client sent",
    "user-agent",
    "remote_addr",
    "visitor",
    "http/1.1\"",
    "http/2\"",
];

/// Returns what a line that no rule knows says, and how much.
pub fn pairs(text: &Haystack<'_>, uptime: Option<f64>) -> Vec<(Cause, f64)> {
    let has = |words: &[&str]| words.iter().any(|word| text.has(word));
    if has(BUGS) || has(REQUESTS) {
        return Vec::new();
    }
    let is_late = uptime.is_some_and(|seconds| seconds >= LATE);
    [
        settings::PAIRS,
        parts::PAIRS,
        host::PAIRS,
        dependency::PAIRS,
        western::start::PAIRS,
        western::work::PAIRS,
        eastern::PAIRS,
    ]
    .into_iter()
    .flatten()
    .filter(|pair| has(pair.things) && has(pair.wrongs) && !has(pair.none))
    .map(|pair| (pair.cause, if pair.at_start && is_late { LATE_WEIGHT } else { WEIGHT }))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bug_says_of_a_property_is_no_setting_that_is_missing() {
        let said = |line: &str| pairs(&Haystack::new(line), Some(27.0));
        for bug in [
            "error: cannot read property of undefined",
            "error cannot read property 'region' of undefined",
        ] {
            assert_eq!(said(bug), [], "{bug}");
        }
        assert_eq!(said("property region is undefined"), [(Cause::MissingEnvVar, WEIGHT)]);
    }
}
