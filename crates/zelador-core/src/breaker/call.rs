//! One call through a breaker: its permit, how it went, why it may not be made, and how many there were.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// The right to make one call; to be given back.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not given back takes up a place"]
pub struct Permit {
    pub(super) epoch: u64,
    pub(super) began_at: Moment,
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// It did what it should.
    pub ok: bool,
    /// How long it took.
    pub took: Duration,
}

impl Call {
    /// It worked.
    pub const fn worked(took: Duration) -> Self {
        Self { ok: true, took }
    }

    /// It failed.
    pub const fn failed(took: Duration) -> Self {
        Self { ok: false, took }
    }
}

/// Why a call is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The breaker is open.
    Open {
        /// How long until a trial is permitted.
        wait: Duration,
    },
    /// It is half-open, and its trials are under way.
    TrialUnderWay,
    /// A person keeps it open.
    ForcedOpen,
    /// Too many calls are under way.
    Full {
        /// How many are allowed at once.
        limit: u32,
    },
}

impl Denied {
    /// The reason in every language.
    pub fn words(self) -> Words {
        match self {
            Self::Open { wait } => words!(
                "its breaker is open: the next trial is in {wait}",
                "o disjuntor está aberto: o próximo teste é em {wait}",
                wait = wait,
            ),
            Self::TrialUnderWay => words!(
                "its breaker is half-open, and a trial is under way",
                "o disjuntor está meio aberto, e um teste está em andamento",
            ),
            Self::ForcedOpen => words!(
                "its breaker is kept open by a person",
                "o disjuntor é mantido aberto por uma pessoa",
            ),
            Self::Full { limit } => words!(
                "{limit} calls are under way, which is the limit",
                "{limit} chamadas estão em andamento, que é o limite",
            ),
        }
    }
}

/// Numbers over the life of a breaker, for screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Calls that worked.
    pub worked: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that were not permitted.
    pub denied: u64,
    /// How often it opened.
    pub opened: u64,
}
