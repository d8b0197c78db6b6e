//! What is read of the history, a row at a time.

use zelador_core::diagnosis::Cause;
use zelador_core::history::{Metric, Rollup};
use zelador_core::id::{IncidentId, InstanceId, RunId};
use zelador_core::unit::Moment;
use zelador_core::words::Words;

/// The numbers of one series over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Of what: `host`, `app:NAME/INDEX`, `check:COMPONENT`.
    pub subject: String,
    /// Which number.
    pub metric: Metric,
    /// Beginning (seconds since the Unix epoch) and summary of each bucket, oldest first.
    pub points: Vec<(u64, Rollup)>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which.
    pub id: RunId,
    /// Of which replica.
    pub instance: InstanceId,
    /// Why it was started.
    pub cause: Words,
    /// When it was asked for.
    pub begun_at: Moment,
    /// When it came up.
    pub up_at: Option<Moment>,
    /// When it ended.
    pub ended_at: Option<Moment>,
    /// How.
    pub ended: Option<Words>,
    /// Whether somebody asked for that.
    pub asked: bool,
}

/// An incident in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentRow {
    /// Which.
    pub id: IncidentId,
    /// Whose.
    pub app: String,
    /// What kind.
    pub trouble: Words,
    /// Why, as far as that is known.
    pub cause: Option<Cause>,
    /// When it was detected.
    pub opened_at: Moment,
    /// When it was over.
    pub closed_at: Option<Moment>,
    /// Its state in words.
    pub state: Words,
    /// Tries so far.
    pub attempts: u32,
}
