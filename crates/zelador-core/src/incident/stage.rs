//! What kind of trouble an incident is about, how far its treatment is, and how it ended.

use serde::{Deserialize, Serialize};

use crate::healing::host::Pressure;
use crate::id::RunId;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// The kinds of trouble; an app has at most one open incident of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Its own check fails: it hangs, or its answers are wrong.
    Unresponsive,
    /// It ended, and nobody had asked it to.
    Died,
    /// It keeps dying young: its breaker opened.
    CrashLoop,
    /// The host's processors are busy, and it is the cause.
    HostCpu,
    /// The host's memory is full, and it is the cause or can free some.
    HostMemory,
    /// The host's disk is full.
    HostDisk,
    /// It is well, and will come to a limit soon if it goes on like this.
    Forecast,
    /// A person says that something is wrong with it.
    Reported,
    /// A channel of notices takes nothing: it is told of through the others.
    Channel,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Unresponsive,
        Self::Died,
        Self::CrashLoop,
        Self::HostCpu,
        Self::HostMemory,
        Self::HostDisk,
        Self::Forecast,
        Self::Reported,
        Self::Channel,
    ];

    /// What the host has too little of, where it is about the host.
    pub fn pressure(self) -> Option<Pressure> {
        match self {
            Self::HostCpu => Some(Pressure::Cpu),
            Self::HostMemory => Some(Pressure::Memory),
            Self::Unresponsive
            | Self::Died
            | Self::CrashLoop
            | Self::HostDisk
            | Self::Forecast
            | Self::Reported
            | Self::Channel => None,
        }
    }

    /// Whether it is about runs that ended.
    pub fn is_deadly(self) -> bool {
        matches!(self, Self::Died | Self::CrashLoop)
    }

    /// Whether the app serves nobody, as far as it is known.
    pub fn is_outage(self) -> bool {
        self == Self::Unresponsive || self.is_deadly()
    }
}

impl Trouble {
    /// Its word in every language.
    pub fn words(self) -> Words {
        match self {
            Self::Unresponsive => words!("unresponsive", "não responde"),
            Self::Died => words!("died", "morreu"),
            Self::CrashLoop => words!("crash loop", "quedas em série"),
            Self::HostCpu => words!("busy processors", "processadores ocupados"),
            Self::HostMemory => words!("full memory", "memória cheia"),
            Self::HostDisk => words!("full disk", "disco cheio"),
            Self::Forecast => words!("limit ahead", "limite à vista"),
            Self::Reported => words!("reported", "relatado"),
            Self::Channel => words!("notices not delivered", "avisos não entregues"),
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.words().english())
    }
}

/// What the healer is doing about it; deadlines live here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stage")]
pub enum Stage {
    /// Evidence was asked for.
    Gathering {
        /// When to go on without it.
        give_up_at: Moment,
    },
    /// What it depends on is being looked at.
    Asking {
        /// When to go on without an answer.
        give_up_at: Moment,
    },
    /// Its runtime is asked to say more about itself.
    Dumping {
        /// When to go on without.
        give_up_at: Moment,
    },
    /// A language model was asked.
    Consulting {
        /// When to go on without its word.
        give_up_at: Moment,
    },
    /// A dependency is down: nothing is done to the app.
    WaitingForDependency {
        /// Which one.
        dependency: String,
    },
    /// The dependency is back: does the app recover by itself?
    Rechecking {
        /// Until when it may.
        until: Moment,
    },
    /// A pause before the next try.
    Pausing {
        /// Its end.
        retry_at: Moment,
    },
    /// The remedy is being applied.
    Applying {
        /// The run that was sick.
        run: Option<RunId>,
        /// When the new run must be up.
        give_up_at: Moment,
    },
    /// The remedy was applied: does it help?
    Verifying {
        /// Until when it must.
        until: Moment,
    },
    /// It is down, and its restart policy has the next word.
    AwaitingStart,
    /// The breaker is open: its trial start decides.
    AwaitingTrial,
    /// A person is asked.
    AwaitingApproval {
        /// Until when the question stands.
        until: Moment,
    },
    /// It is only told what would be done.
    Observing,
    /// Nothing helped; a person is needed.
    Escalated,
    /// Over.
    Closed {
        /// How it ended.
        outcome: Outcome,
    },
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The remedy helped, and its own check says so.
    Healed,
    /// It became healthy without a remedy.
    Recovered,
    /// A person stopped, restarted or removed the app, or another incident stands for it.
    TakenOver,
}

impl Outcome {
    /// Its word in every language.
    pub fn words(self) -> Words {
        match self {
            Self::Healed => words!("healed", "curado"),
            Self::Recovered => words!("recovered", "recuperado"),
            Self::TakenOver => words!("taken over", "assumido por alguém"),
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.words().english())
    }
}
