//! What is known about how programs say what ails them: one file a family of causes.
//!
//! A rule is a set of phrases in lower case, one of which a line must contain, and a weight: how much
//! such a line says when it is the last one; in a phrase, `<` and `>` stand for the edges of a word. To add one, put it where its cause stands.

mod address;
mod arguments;
mod certificates;
mod clients;
mod configuration;
mod credentials;
mod data;
mod database;
mod descriptors;
mod environment;
mod exception;
mod files;
mod frames;
mod host;
mod lock;
mod memory;
mod modules;
mod names;
mod operations;
mod program;
mod reach;
mod rights;
mod schema;
mod settings;
mod source;
mod throttle;
mod tongues;
mod versions;

pub use exception::BUGS;
pub use tongues::NO_SPACE;

use super::Cause;
use super::phrase::Haystack;

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
    /// Whether a line says so.
    pub fn matches(&self, text: &Haystack<'_>) -> bool {
        self.any.iter().any(|phrase| text.has(phrase))
            && self.all.iter().all(|phrase| text.has(phrase))
            && !self.none.iter().any(|phrase| text.has(phrase))
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
        address::RULES,
        rights::RULES,
        modules::RULES,
        files::RULES,
        configuration::RULES,
        settings::RULES,
        arguments::RULES,
        environment::RULES,
        source::RULES,
        versions::RULES,
        lock::RULES,
        memory::RULES,
        host::RULES,
        descriptors::RULES,
        reach::RULES,
        clients::RULES,
        names::RULES,
        credentials::RULES,
        certificates::RULES,
        database::RULES,
        schema::RULES,
        throttle::RULES,
        program::RULES,
        data::RULES,
        exception::RULES,
        operations::RULES,
        tongues::RULES,
    ]
    .into_iter()
    .flatten()
}

/// What the frames of a trace say.
pub fn of_frames() -> impl Iterator<Item = &'static Rule> {
    frames::RULES.iter()
}
