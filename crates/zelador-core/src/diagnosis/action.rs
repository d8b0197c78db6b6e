//! Which action a cause calls for, and whether a restart helps.

use serde::{Deserialize, Serialize};

use super::Cause;
use super::snapshot::Snapshot;

/// What can be done: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Start it again.
    Restart,
    /// Start it again, later each time.
    RestartWithBackoff,
    /// Leave it down, and tell a person: starting again cannot help.
    StopAndNotify,
    /// Hold the start until what it needs is back.
    WaitForDependency,
    /// Remove rotated logs that zelador owns.
    FreeDisk,
    /// Give it more of what it ran out of.
    RaiseLimitAndRestart,
    /// Replace its processes one after another.
    Reload,
    /// Have more of it.
    ScaleOut,
    /// Tell a person.
    NotifyOnly,
    /// Nothing.
    None,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Restart,
        Self::RestartWithBackoff,
        Self::StopAndNotify,
        Self::WaitForDependency,
        Self::FreeDisk,
        Self::RaiseLimitAndRestart,
        Self::Reload,
        Self::ScaleOut,
        Self::NotifyOnly,
        Self::None,
    ];

    /// Whether the program runs again by it.
    pub fn starts_again(self) -> bool {
        matches!(
            self,
            Self::Restart
                | Self::RestartWithBackoff
                | Self::RaiseLimitAndRestart
                | Self::Reload
                | Self::ScaleOut
        )
    }
}

/// Whether one restart ends an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Helps {
    /// As a rule.
    Yes,
    /// It comes back, or only sometimes.
    Temporarily,
    /// The next start fails in the same way, or is not wanted.
    No,
}

/// From this share of the disk on, freeing some is no guess.
const DISK_IS_FULL: f64 = 85.0;

/// Chooses the action.
pub fn choose(cause: Cause, snapshot: &Snapshot) -> (Action, Helps) {
    if snapshot.stop_requested {
        return (Action::None, Helps::No);
    }
    let (action, helps) = usual(cause);
    if snapshot.is_crash_loop() && gives_up_in_a_loop(cause) {
        return (Action::StopAndNotify, Helps::No);
    }
    match cause {
        // A quota, a small volume, or a disk that nobody has looked at: zelador's own logs may be elsewhere.
        Cause::DiskFull if snapshot.metrics.disk_pct.is_none_or(|used| used < DISK_IS_FULL) => {
            (Action::StopAndNotify, Helps::No)
        }
        _ => (action, helps),
    }
}

fn gives_up_in_a_loop(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::PortInUse
            | Cause::UncaughtException
            | Cause::PanicAssertion
            | Cause::Segfault
            | Cause::StackOverflow
            | Cause::OutOfMemoryHeap
            | Cause::OomKilled
            | Cause::Unknown
    )
}

/// What a cause calls for as a rule, whatever else is known.
pub fn usual(cause: Cause) -> (Action, Helps) {
    match cause {
        Cause::PortInUse | Cause::OomKilled | Cause::Segfault | Cause::Unknown => {
            (Action::RestartWithBackoff, Helps::Temporarily)
        }
        Cause::DbLock => (Action::RestartWithBackoff, Helps::Yes),
        Cause::RateLimited => (Action::RestartWithBackoff, Helps::No),
        Cause::OutOfMemoryHeap | Cause::TooManyOpenFiles | Cause::ThreadExhaustion => {
            (Action::RaiseLimitAndRestart, Helps::Temporarily)
        }
        Cause::InotifyLimit => (Action::RaiseLimitAndRestart, Helps::No),
        Cause::MemoryLeak | Cause::StackOverflow => (Action::Restart, Helps::Temporarily),
        Cause::CpuRunaway
        | Cause::UncaughtException
        | Cause::PanicAssertion
        | Cause::DeadlockOrHang
        | Cause::ExternalKill => (Action::Restart, Helps::Yes),
        Cause::Overload => (Action::ScaleOut, Helps::No),
        Cause::DiskFull => (Action::FreeDisk, Helps::No),
        Cause::DependencyUnreachable | Cause::DnsFailure => (Action::WaitForDependency, Helps::No),
        Cause::DbTooManyConnections => (Action::WaitForDependency, Helps::Temporarily),
        Cause::CleanExit => (Action::None, Helps::No),
        Cause::PermissionDenied
        | Cause::MissingModule
        | Cause::MissingFile
        | Cause::MissingCommand
        | Cause::BadConfig
        | Cause::MissingEnvVar
        | Cause::SyntaxError
        | Cause::VersionIncompatibility
        | Cause::WrongArchitecture
        | Cause::AlreadyRunning
        | Cause::ClockSkew
        | Cause::DependencyAuthFailed
        | Cause::TlsCertificate
        | Cause::DbSchema
        | Cause::DataCorruption => (Action::StopAndNotify, Helps::No),
    }
}
