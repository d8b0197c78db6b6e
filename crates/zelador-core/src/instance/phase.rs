//! Where an instance is in its life.

use serde::{Deserialize, Serialize};

use crate::death::Death;
use crate::id::RunId;
use crate::unit::Moment;

/// Where an instance is in its life. Every state carries what only it needs; deadlines live here,
/// so none can outlive its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "phase")]
pub enum Phase {
    /// No process, and none is wanted.
    Stopped,
    /// A process was asked for.
    Starting {
        /// The run that was asked for.
        run: RunId,
        /// When it counts as [`Death::StartTimedOut`].
        give_up_at: Moment,
    },
    /// The process is up.
    Running {
        /// Which run.
        run: RunId,
        /// Its main process.
        pid: i32,
        /// Since when.
        since: Moment,
        /// It has not said that it is ready; at this moment it is taken as ready.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ready_by: Option<Moment>,
    },
    /// The process was asked to end.
    Stopping {
        /// Which run.
        run: RunId,
        /// Its main process, when it was known.
        pid: Option<i32>,
        /// `SIGKILL` is due at this moment.
        kill_at: Moment,
        /// What follows.
        then: Then,
        /// How the main process ended; the rest of its tree may still be there.
        death: Option<Death>,
        /// It was not asked yet: what needs it stops first. At `kill_at` it is asked all the same.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        waits: bool,
    },
    /// Without a process, and to be started.
    Backoff {
        /// When.
        retry_at: Moment,
        /// True: not before what it depends on is far enough.
        held: bool,
        /// True: the start is no restart, and is not counted as one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        fresh: bool,
    },
    /// The breaker is open: too many short runs in a row.
    Tripped {
        /// When one trial start is made; `None`: not before somebody starts it.
        trial_at: Option<Moment>,
    },
    /// It ended, and that was the end.
    Finished {
        /// How.
        death: Death,
    },
}

/// What follows a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// Nothing.
    Stay,
    /// A new run.
    Start,
    /// The breaker is open.
    Trip {
        /// When one trial start is made; `None`: not before somebody starts it.
        trial_at: Option<Moment>,
    },
    /// The instance is removed.
    Remove,
}

impl Phase {
    /// The run that has, may have or is about to have a process.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Starting { run, .. } | Self::Running { run, .. } | Self::Stopping { run, .. } => {
                Some(*run)
            }
            Self::Stopped | Self::Backoff { .. } | Self::Tripped { .. } | Self::Finished { .. } => {
                None
            }
        }
    }

    /// The main process, where it is known.
    pub fn pid(&self) -> Option<i32> {
        match self {
            Self::Running { pid, .. } => Some(*pid),
            Self::Stopping { pid, .. } => *pid,
            _ => None,
        }
    }

    /// Whether the process is up and ready.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Running { ready_by: None, .. })
    }

    /// PM2's word for it.
    pub fn pm2_status(&self) -> &'static str {
        match self {
            Self::Stopped | Self::Finished { .. } => "stopped",
            Self::Starting { .. } | Self::Running { ready_by: Some(_), .. } => "launching",
            Self::Running { .. } => "online",
            Self::Stopping { .. } => "stopping",
            Self::Backoff { .. } => "waiting restart",
            Self::Tripped { .. } => "errored",
        }
    }
}
