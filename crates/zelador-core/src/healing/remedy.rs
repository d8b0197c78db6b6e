//! What can be done about a sick app: a closed set, and what each of them risks, must bring about and
//! leaves undone.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::diagnosis::Action;

/// What can be done: a closed set. Nothing that is not in it is ever done, whoever advises it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Stop it gracefully, kill what is left, start it again.
    Restart,
    /// The same, later each time.
    RestartWithBackoff,
    /// Leave it down, and tell a person: starting again cannot help.
    StopAndNotify,
    /// Leave it alone until what it needs is back.
    WaitForDependency,
    /// Remove rotated logs that zelador owns, and what lies in declared cache folders.
    FreeDisk,
    /// Give it more of what it ran out of, within its ceiling, and start it again.
    RaiseLimitAndRestart,
    /// Replace its processes one after another.
    Reload,
    /// Have one more of it, within its maximum.
    ScaleOut,
    /// End the process that has its port; never without a person's word.
    KillPortHolder,
    /// Have it collect its garbage.
    CollectGarbage,
    /// Have it empty its caches.
    ClearCache,
    /// Have it drop its connections and make new ones.
    Reconnect,
    /// Run a command that was declared under this name.
    Command(String),
    /// Tell a person.
    NotifyOnly,
    /// Nothing.
    None,
}

/// How much can be lost by a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Nothing is touched.
    None,
    /// The process stays up, and does something that it was made for.
    Low,
    /// What it was doing is lost, or things are removed that can be made again.
    Medium,
    /// Something is touched that is not the app's: a person must say yes.
    High,
}

impl Remedy {
    /// The remedy that an action of the diagnosis asks for.
    pub fn of(action: Action) -> Self {
        match action {
            Action::Restart => Self::Restart,
            Action::RestartWithBackoff => Self::RestartWithBackoff,
            Action::StopAndNotify => Self::StopAndNotify,
            Action::WaitForDependency => Self::WaitForDependency,
            Action::FreeDisk => Self::FreeDisk,
            Action::RaiseLimitAndRestart => Self::RaiseLimitAndRestart,
            Action::Reload => Self::Reload,
            Action::ScaleOut => Self::ScaleOut,
            Action::NotifyOnly => Self::NotifyOnly,
            Action::None => Self::None,
        }
    }

    /// How much can be lost.
    pub fn risk(&self) -> Risk {
        match self {
            Self::WaitForDependency | Self::NotifyOnly | Self::None => Risk::None,
            Self::CollectGarbage | Self::ClearCache | Self::Reconnect | Self::ScaleOut => Risk::Low,
            Self::Restart
            | Self::RestartWithBackoff
            | Self::StopAndNotify
            | Self::FreeDisk
            | Self::RaiseLimitAndRestart
            | Self::Reload
            | Self::Command(_) => Risk::Medium,
            Self::KillPortHolder => Risk::High,
        }
    }

    /// Whether it ends the process that is there and starts another one.
    pub fn restarts(&self) -> bool {
        matches!(
            self,
            Self::Restart | Self::RestartWithBackoff | Self::RaiseLimitAndRestart | Self::Reload
        )
    }

    /// Whether it may be tried again when it could not be done: whatever became of the first time, a second
    /// one changes nothing more. A declared command may have done half of its work, a second kill may meet
    /// another process, and where there was nothing to remove there is nothing a moment later.
    pub fn is_repeatable(&self) -> bool {
        match self {
            Self::Restart
            | Self::RestartWithBackoff
            | Self::RaiseLimitAndRestart
            | Self::Reload
            | Self::CollectGarbage
            | Self::ClearCache
            | Self::Reconnect => true,
            Self::ScaleOut
            | Self::FreeDisk
            | Self::KillPortHolder
            | Self::Command(_)
            | Self::StopAndNotify
            | Self::WaitForDependency
            | Self::NotifyOnly
            | Self::None => false,
        }
    }

    /// What must be true afterwards, to stand after "then ".
    pub fn must_hold(&self) -> &'static str {
        match self {
            Self::Restart
            | Self::RestartWithBackoff
            | Self::RaiseLimitAndRestart
            | Self::Reload => "it must be up, stay up, and its own check be good",
            Self::CollectGarbage | Self::ClearCache => {
                "it must use less memory, and not climb again"
            }
            Self::Reconnect | Self::ScaleOut | Self::Command(_) => "its own check must be good",
            Self::FreeDisk => "the volume must have room again",
            Self::KillPortHolder => "the port must be free",
            Self::WaitForDependency => "what it needs must be back, and it must recover by itself",
            Self::StopAndNotify | Self::NotifyOnly | Self::None => "a person must know",
        }
    }

    /// What takes it back, where anything does.
    pub fn undo(&self) -> Option<&'static str> {
        match self {
            Self::ScaleOut => Some("take the replica away that was added"),
            Self::RaiseLimitAndRestart => Some("set the limit back at the next start"),
            Self::StopAndNotify => Some("start it"),
            _ => None,
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restart => "restart",
            Self::RestartWithBackoff => "restart, later each time",
            Self::StopAndNotify => "leave it down and tell a person",
            Self::WaitForDependency => "wait for the dependency",
            Self::FreeDisk => "free the disk of zelador's own old logs",
            Self::RaiseLimitAndRestart => "raise the limit and restart",
            Self::Reload => "reload",
            Self::ScaleOut => "add a replica",
            Self::KillPortHolder => "end the process that has its port",
            Self::CollectGarbage => "collect garbage",
            Self::ClearCache => "clear its caches",
            Self::Reconnect => "reconnect",
            Self::Command(name) => return write!(f, "run `{name}`"),
            Self::NotifyOnly => "tell a person",
            Self::None => "nothing",
        })
    }
}

/// How long a remedy may take to show that it helped, beyond what the app's own check is given.
pub const STABLE_FOR: Duration = Duration::from_secs(10);
