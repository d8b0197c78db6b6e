//! The kinds of things that happen, and their words in the history.

use serde::{Deserialize, Serialize};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An app was declared.
    Declared,
    /// An app's declaration changed: a deploy.
    Changed,
    /// An app was removed.
    Removed,
    /// A run was asked for; the text says why.
    Begun,
    /// A run is up.
    Up,
    /// A run that was up has become ready.
    Ready,
    /// A run ended because somebody asked for it.
    Stopped,
    /// A run ended by itself; the text says how.
    Died,
    /// The next start comes later; the text says when.
    Waiting,
    /// The next start waits for what it depends on.
    Held,
    /// It ended, and is not started again.
    Finished,
    /// The breaker opened: too many short runs.
    Tripped,
    /// The healer tried a remedy; the text says which.
    Remedy,
    /// An incident began.
    Opened,
    /// A person is needed.
    Escalated,
    /// An incident is over; the text says how.
    Closed,
    /// The verdict of a check changed.
    Verdict,
    /// People were told something.
    Notice,
    /// An engine began.
    Engine,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Declared,
        Self::Changed,
        Self::Removed,
        Self::Begun,
        Self::Up,
        Self::Ready,
        Self::Stopped,
        Self::Died,
        Self::Waiting,
        Self::Held,
        Self::Finished,
        Self::Tripped,
        Self::Remedy,
        Self::Opened,
        Self::Escalated,
        Self::Closed,
        Self::Verdict,
        Self::Notice,
        Self::Engine,
    ];

    /// Its word in the history.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Begun => "begun",
            Self::Up => "up",
            Self::Ready => "ready",
            Self::Stopped => "stopped",
            Self::Died => "died",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Finished => "finished",
            Self::Tripped => "tripped",
            Self::Remedy => "remedy",
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Closed => "closed",
            Self::Verdict => "verdict",
            Self::Notice => "notice",
            Self::Engine => "engine",
        }
    }

    /// Returns the kind of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}
