//! The states of a breaker, and what a person does to it.

use serde::{Deserialize, Serialize};

use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// Whether calls are permitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// They are.
    #[default]
    Closed,
    /// They are not, for some time.
    Open {
        /// Since when.
        since: Moment,
        /// The first trial is permitted then.
        until: Moment,
    },
    /// Trials are.
    HalfOpen {
        /// Since when.
        since: Moment,
        /// Good trials in a row.
        successes: u32,
    },
    /// A person keeps it open.
    ForcedOpen,
    /// A person turned it off: everything is permitted, nothing counted.
    Disabled,
    /// A person has it count only: everything is permitted.
    MetricsOnly,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.words().english())
    }
}

impl State {
    /// Its word in every language.
    pub fn words(&self) -> Words {
        match self {
            Self::Closed => words!("closed", "fechado"),
            Self::Open { .. } => words!("open", "aberto"),
            Self::HalfOpen { .. } => words!("half-open", "meio aberto"),
            Self::ForcedOpen => words!("forced open", "mantido aberto"),
            Self::Disabled => words!("disabled", "desligado"),
            Self::MetricsOnly => words!("metrics only", "só métricas"),
        }
    }
}

/// What a person does to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Keep it open until told otherwise.
    ForceOpen,
    /// Permit everything, count nothing.
    Disable,
    /// Permit everything, count.
    MetricsOnly,
    /// Closed, as if nothing had happened.
    Reset,
}

impl Order {
    /// As it is given on a command line.
    pub const fn said(self) -> &'static str {
        match self {
            Self::ForceOpen => "force-open",
            Self::Disable => "disable",
            Self::MetricsOnly => "metrics-only",
            Self::Reset => "reset",
        }
    }
}

/// A change of state, to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
}
