//! Why an instance was started: who asked, or the exact death before.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::death::Death;
use crate::id::IncidentId;
use crate::unit::{ByteSize, Moment};
use crate::watch::Changed;

/// Why the last start of an instance was decided, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// When it was decided.
    pub at: Moment,
    /// Why.
    pub cause: Cause,
}

/// Why an instance is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "cause")]
pub enum Cause {
    /// It was declared.
    Declared,
    /// Its declaration changed.
    Redeclared,
    /// Somebody asked for it.
    Asked {
        /// With this verb: `start`, `restart`.
        verb: String,
    },
    /// There were to be more replicas.
    Scaled,
    /// The run before ended by itself.
    Died {
        /// How.
        death: Death,
    },
    /// The run before used more memory than it may.
    Memory {
        /// So much.
        used: ByteSize,
        /// So much is allowed.
        limit: ByteSize,
    },
    /// It has not said in time that it is alive.
    Watchdog {
        /// How often it was to say so.
        within: Duration,
    },
    /// The clock asked for it.
    Cron,
    /// Files that it asks to be watched changed.
    FilesChanged {
        /// Which.
        changed: Changed,
    },
    /// It was sick, and the healer restarted it.
    Healed {
        /// The incident with the whole story.
        incident: IncidentId,
    },
    /// The start before was lost: the guardian did not answer, or the engine ended in between.
    StartLost,
}

impl Cause {
    /// Whether nobody asked for it.
    pub fn is_automatic(&self) -> bool {
        match self {
            Self::Declared | Self::Redeclared | Self::Asked { .. } | Self::Scaled => false,
            Self::Died { .. }
            | Self::Memory { .. }
            | Self::Watchdog { .. }
            | Self::Cron
            | Self::FilesChanged { .. }
            | Self::Healed { .. }
            | Self::StartLost => true,
        }
    }
}

impl fmt::Display for Cause {
    /// Fits after "started because ": `somebody asked for a restart`, `it exited with code 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared => f.write_str("it was declared"),
            Self::Redeclared => f.write_str("its declaration changed"),
            Self::Asked { verb } => write!(f, "somebody asked for it ({verb})"),
            Self::Scaled => f.write_str("there were to be more replicas"),
            Self::Died { death } => write!(f, "it {death}"),
            Self::Memory { used, limit } => {
                write!(f, "it used {used} of memory, above its limit of {limit}")
            }
            Self::Watchdog { within } => {
                let within = crate::unit::spoken(*within);
                write!(f, "it did not say within {within} that it is alive (watchdog)")
            }
            Self::Cron => f.write_str("the clock asked for it (cron_restart)"),
            Self::FilesChanged { changed } => write!(f, "{changed} changed (watch)"),
            Self::Healed { incident } => write!(f, "the healer restarted it (incident {incident})"),
            Self::StartLost => f.write_str("the start before was lost"),
        }
    }
}
