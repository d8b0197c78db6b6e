//! What was tried, and whether a model was asked.

use serde::{Deserialize, Serialize};

use crate::diagnosis::consult::Advice;
use crate::healing::Remedy;
use crate::unit::Moment;

/// What became of a question to a language model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consulted {
    /// There is no answer yet.
    Asked {
        /// When it was asked.
        at: Moment,
    },
    /// There will be none.
    Silent,
    /// It said this.
    Said(Advice),
}

/// One try of a remedy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Try {
    /// What was tried.
    pub remedy: Remedy,
    /// When.
    pub at: Moment,
    /// What came of it; `None`: that is not known yet, or never will be.
    pub result: Option<TryResult>,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TryResult {
    /// It helped.
    Healed,
    /// It changed nothing.
    NoEffect,
    /// It made it worse.
    Worse,
}

impl std::fmt::Display for TryResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Healed => "healed",
            Self::NoEffect => "no effect",
            Self::Worse => "worse",
        })
    }
}
