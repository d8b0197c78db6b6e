//! Why an instance was started: who asked, or the exact death before.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::death::Death;
use crate::id::IncidentId;
use crate::unit::{ByteSize, Moment};
use crate::watch::Changed;
use crate::words;
use crate::words::Words;

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
    /// Zelador was asked to end, stopped everything, and has begun again.
    ZeladorRestarted {
        /// When it was asked.
        ended_at: Moment,
    },
    /// The host was restarted, and everything with it.
    HostRestarted {
        /// When zelador was asked to end before that, or, as after a loss of power, when it was last known to be up;
        /// `None`: nobody knows.
        ended_at: Option<Moment>,
    },
}

impl Cause {
    /// Whether the run before ended with zelador or with the host.
    pub fn is_end_of_all(&self) -> bool {
        matches!(self, Self::ZeladorRestarted { .. } | Self::HostRestarted { .. })
    }

    /// When the run before ended, where it was ended with zelador.
    pub fn ended_at(&self) -> Option<Moment> {
        match self {
            Self::ZeladorRestarted { ended_at } => Some(*ended_at),
            Self::HostRestarted { ended_at } => *ended_at,
            _ => None,
        }
    }
}

impl Cause {
    /// Whether nobody asked for it: whoever starts zelador or the host wants what was up.
    pub fn is_automatic(&self) -> bool {
        match self {
            Self::Declared
            | Self::Redeclared
            | Self::Asked { .. }
            | Self::Scaled
            | Self::ZeladorRestarted { .. }
            | Self::HostRestarted { .. } => false,
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

impl Cause {
    /// Fits after "started because ": `somebody asked for a restart`, `it exited with code 1`.
    pub fn words(&self) -> Words {
        match self {
            Self::Declared => words!("it was declared", "foi declarado"),
            Self::Redeclared => words!("its declaration changed", "a declaração mudou"),
            Self::Asked { verb } => {
                words!("somebody asked for it ({verb})", "alguém pediu ({verb})")
            }
            Self::Scaled => {
                words!("there were to be more replicas", "devia haver mais réplicas")
            }
            Self::Died { death } => words!("it {death}", "{death}", death = death),
            Self::Memory { used, limit } => words!(
                "it used {used} of memory, above its limit of {limit}",
                "usou {used} de memória, acima do limite de {limit}",
                used = used,
                limit = limit,
            ),
            Self::Watchdog { within } => words!(
                "it did not say within {within} that it is alive (watchdog)",
                "não disse em {within} que está vivo (watchdog)",
                within = within,
            ),
            Self::Cron => {
                words!("the clock asked for it (cron_restart)", "o relógio pediu (cron_restart)")
            }
            Self::FilesChanged { changed } => {
                words!("{changed} changed (watch)", "{changed} mudou (watch)", changed = changed)
            }
            Self::Healed { incident } => words!(
                "the healer restarted it (incident {incident})",
                "o tratamento o reiniciou (incidente {incident})",
            ),
            Self::StartLost => words!("the start before was lost", "o início anterior se perdeu"),
            Self::ZeladorRestarted { .. } => words!(
                "zelador was ended and has begun again",
                "o zelador foi encerrado e começou de novo",
            ),
            Self::HostRestarted { .. } => {
                words!("the host was restarted", "o servidor foi reiniciado")
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().english())
    }
}
