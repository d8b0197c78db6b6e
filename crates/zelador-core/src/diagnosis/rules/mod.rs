//! What is known about how programs say what ails them: one file a family of causes.
//!
//! A rule is a set of phrases in lower case, one of which a line must contain, and a weight: how much
//! such a line says when it is the last one. To add one, put it where its cause stands.

mod dependency;
mod host;
mod memory;
mod operations;
mod program;
mod startup;

use super::Cause;

/// One piece of knowledge.
#[derive(Debug)]
pub struct Rule {
    /// What it points to.
    pub cause: Cause,
    /// How much, from 0 to 1; below 0.5 only where nothing else is found.
    pub weight: f64,
    /// One of these is in the line.
    pub any: &'static [&'static str],
    /// All of these are too.
    pub all: &'static [&'static str],
    /// None of these is.
    pub none: &'static [&'static str],
}

impl Rule {
    /// Whether a line in lower case says so.
    pub fn matches(&self, text: &str) -> bool {
        self.any.iter().any(|word| text.contains(word))
            && self.all.iter().all(|word| text.contains(word))
            && !self.none.iter().any(|word| text.contains(word))
    }
}

const fn rule(cause: Cause, weight: f64, any: &'static [&'static str]) -> Rule {
    Rule { cause, weight, any, all: &[], none: &[] }
}

const fn with(
    cause: Cause,
    weight: f64,
    any: &'static [&'static str],
    all: &'static [&'static str],
    none: &'static [&'static str],
) -> Rule {
    Rule { cause, weight, any, all, none }
}

/// All of it.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        startup::RULES,
        memory::RULES,
        host::RULES,
        dependency::RULES,
        program::RULES,
        operations::RULES,
    ]
    .into_iter()
    .flatten()
}
