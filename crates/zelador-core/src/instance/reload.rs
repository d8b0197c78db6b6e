//! The runs beside the current one while an instance is replaced without a gap: the new one before
//! it is ready, the old one after.

use serde::{Deserialize, Serialize};

use crate::custom::Action;
use crate::death::Death;
use crate::id::{AppName, InstanceId, RunId};
use crate::unit::Moment;

/// A run that takes the current one's place as soon as it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Successor {
    /// Which run.
    pub run: RunId,
    /// Its main process, once it is up.
    pub pid: Option<i32>,
    /// When it was asked for, then when it came up.
    pub since: Moment,
    /// When it is not waited for any more.
    pub give_up_at: Moment,
    /// What it offers to do already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
}

/// A run whose place was taken: it finishes what it is at, and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retiring {
    /// Which run.
    pub run: RunId,
    /// Of which instance it was.
    pub instance: InstanceId,
    /// Of which app.
    pub app: AppName,
    /// Its main process, once it is known.
    pub pid: Option<i32>,
    /// When the stop signal is due, if it was only told to disconnect so far.
    pub signal_at: Option<Moment>,
    /// When `SIGKILL` is due.
    pub kill_at: Moment,
    /// How the main process ended; the rest of its tree may still be there.
    pub death: Option<Death>,
}

impl Retiring {
    /// When it wants to be called.
    pub fn deadline(&self) -> Moment {
        self.signal_at.map_or(self.kill_at, |at| at.min(self.kill_at))
    }
}
