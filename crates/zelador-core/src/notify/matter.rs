//! A matter: what several messages are about, like one incident.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::effect::Severity;
use crate::id::IncidentId;
use crate::question::Question;
use crate::unit::Moment;

/// What a matter is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// `crash-loop`, `unresponsive`, `check`, `app`, `channel`.
    pub kind: String,
    /// Which app; `None`: the host, or zelador itself.
    pub app: Option<String>,
    /// Which incident.
    pub incident: Option<IncidentId>,
}

/// How far a matter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// It began.
    Opened,
    /// It is known what it is.
    Diagnosed,
    /// A person is needed.
    Escalated,
    /// It is over.
    Closed,
}

/// What was told to one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When at last.
    pub at: Moment,
    /// By what the channel knows the first message, where it can be changed or answered.
    pub handle: Option<String>,
    /// The last words.
    pub text: String,
    /// How often they were not said again since.
    pub repeats: u32,
}

/// One matter, as long as it is open or its words are fresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    /// `incident/3`, `check/memory`, `channel/ops`, `event/api`.
    pub key: String,
    /// What it is about.
    pub about: About,
    /// The worst so far.
    pub severity: Severity,
    /// How far it is; `None`: it has no end, and was over when it was told.
    pub progress: Option<Progress>,
    /// When it began.
    pub opened_at: Moment,
    /// The headline.
    pub title: String,
    /// The latest news.
    pub text: String,
    /// What is asked of a person.
    #[serde(default)]
    pub question: Option<Question>,
    /// What was told to whom.
    pub told: BTreeMap<String, Told>,
    /// Nobody wants to hear more of it than its end.
    #[serde(default)]
    pub muted: bool,
}

impl Matter {
    /// Whether people wait for its end.
    pub fn is_open(&self) -> bool {
        self.progress.is_some_and(|progress| progress != Progress::Closed)
    }
}
