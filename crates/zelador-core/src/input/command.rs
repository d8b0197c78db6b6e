//! What a person or a program wants of the supervisor.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::breaker::Order;
use crate::config::{Change, Overlay};
use crate::id::IncidentId;
use crate::instance::Goal;
use crate::signal::Signal;
use crate::spec::AppSpec;
use crate::unit::Moment;

/// What a person or a program wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verb")]
pub enum Command {
    /// Declare apps and bring them up; an app of the same name is replaced, and restarted when
    /// its declaration changed. Read by [`Command::read`] only.
    #[serde(skip_deserializing)]
    Declare {
        /// The apps.
        apps: Vec<Declaration>,
        /// Settings that stood beside them.
        settings: Option<Box<Overlay>>,
        /// What becomes of an app that is up and whose declaration did not change.
        #[serde(default)]
        unchanged: Unchanged,
    },
    /// Bring up what is down.
    Start {
        /// Names, numbers or `all`.
        selectors: Vec<String>,
    },
    /// Bring down.
    Stop {
        /// Names, numbers or `all`.
        selectors: Vec<String>,
    },
    /// Stop and start.
    Restart {
        /// Names, numbers or `all`.
        selectors: Vec<String>,
        /// What to change of their apps before.
        #[serde(default)]
        change: Option<Box<Change>>,
    },
    /// Replace one after another, without a moment in which nobody answers where the app allows
    /// that.
    Reload {
        /// Names, numbers or `all`.
        selectors: Vec<String>,
        /// What to change of their apps before.
        #[serde(default)]
        change: Option<Box<Change>>,
    },
    /// Call actions that apps offer over their channel; answered when all have.
    Trigger {
        /// Names, numbers or `all`.
        selectors: Vec<String>,
        /// Which action.
        action: String,
        /// What it is given.
        param: Option<String>,
    },
    /// Stop and forget.
    Delete {
        /// Names, numbers or `all`.
        selectors: Vec<String>,
    },
    /// Have more or fewer replicas.
    Scale {
        /// Names, numbers or `all`: the apps.
        selectors: Vec<String>,
        /// How many.
        to: Replicas,
        /// Which go when there are to be fewer.
        surplus: Surplus,
    },
    /// Count restarts and short runs from 0 on.
    Reset {
        /// Names, numbers or `all`.
        selectors: Vec<String>,
    },
    /// Send a signal to main processes, and nothing more.
    Signal {
        /// Names, numbers or `all`.
        selectors: Vec<String>,
        /// Which signal.
        signal: Signal,
    },
    /// Say yes or no to what an incident asks, or have it leave people alone.
    Incident {
        /// Which one.
        id: IncidentId,
        /// What.
        order: IncidentOrder,
        /// The question that is answered, by when it was asked; `None`: the one that stands.
        #[serde(default)]
        question: Option<Moment>,
        /// Who says it; whoever takes the command in says so.
        #[serde(default)]
        by: Option<String>,
    },
    /// Open an incident of apps with which something is wrong, as a person says.
    Report {
        /// Names, numbers or `all`.
        selectors: Vec<String>,
        /// What is wrong, in that person's words.
        what: String,
        /// Who says it; whoever takes the command in says so.
        #[serde(default)]
        by: Option<String>,
    },
    /// Look at everything now; answered when every look is done.
    CheckNow,
    /// Do something to the breakers of a target.
    Breaker {
        /// Which target: `app:api`, `notify:slack`.
        target: String,
        /// Which operation; `None`: all.
        #[serde(default)]
        operation: Option<String>,
        /// What.
        order: Order,
    },
    /// Begin a maintenance, or end it.
    Maintenance {
        /// Names, numbers or `all`: the apps; none: everything.
        #[serde(default)]
        selectors: Vec<String>,
        /// How long it lasts; `None`: it ends now.
        #[serde(default)]
        lasts: Option<Duration>,
        /// Who wants it; whoever takes the command in says so.
        #[serde(default)]
        by: Option<String>,
    },
    /// Mute a check, or unmute it.
    Mute {
        /// Which: `memory`, `database:main`, `app:api`.
        check: String,
        /// True: mute.
        muted: bool,
        /// For how long; `None`: until it is unmuted.
        #[serde(default)]
        lasts: Option<Duration>,
        /// Who wants it; whoever takes the command in says so.
        #[serde(default)]
        by: Option<String>,
    },
    /// Stop and forget everything, for the end of zelador.
    Shutdown,
    /// The same, and who wants it.
    By {
        /// Who; whoever takes the command in says so.
        who: String,
        /// What.
        command: Box<Command>,
    },
}

impl Command {
    /// Reads one from JSON.
    ///
    /// What has its word among its fields is held by serde as a whole before it is known what it is, and read
    /// by code of its own. For what may be thousands of apps with all their variables that is too much: they
    /// are read as they come.
    ///
    /// # Errors
    /// It is no JSON, or no command.
    pub fn read(json: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Word<'a> {
            #[serde(borrow)]
            verb: Cow<'a, str>,
        }
        #[derive(Deserialize)]
        struct Declare {
            apps: Vec<Declaration>,
            settings: Option<Box<Overlay>>,
            #[serde(default)]
            unchanged: Unchanged,
        }
        let Word { verb } = serde_json::from_slice(json)?;
        if verb == "declare" {
            let Declare { apps, settings, unchanged } = serde_json::from_slice(json)?;
            return Ok(Self::Declare { apps, settings, unchanged });
        }
        serde_json::from_slice(json)
    }

    /// The same with who wants it, where that is kept; what it said itself of that does not count.
    #[must_use]
    pub fn signed(mut self, who: &str) -> Self {
        if let Self::By { command, .. } = self {
            return command.signed(who);
        }
        if let Self::Maintenance { by, .. }
        | Self::Mute { by, .. }
        | Self::Report { by, .. }
        | Self::Incident { by, .. } = &mut self
        {
            *by = Some(who.to_owned());
        }
        match self {
            Self::Start { .. }
            | Self::Stop { .. }
            | Self::Restart { .. }
            | Self::Reload { .. }
            | Self::Signal { .. } => Self::By { who: who.to_owned(), command: Box::new(self) },
            other => other,
        }
    }
}

/// What a person says to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentOrder {
    /// Do what it asks.
    Approve,
    /// Do not.
    Reject,
    /// Tell nobody of it any more.
    Mute,
    /// It is over; of one that a person opened.
    Close,
}

/// What becomes of an app that is up when it is declared again without a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unchanged {
    /// It is left alone.
    #[default]
    LeaveAlone,
    /// It is restarted all the same: the file is the truth, whatever the app has run with.
    Restart,
    /// It is reloaded, and so is one whose declaration changed.
    Reload,
}

/// How many replicas there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replicas {
    /// So many.
    Exactly(u32),
    /// So many more.
    More(u32),
    /// So many fewer.
    Fewer(u32),
}

/// Which replicas go when there are to be fewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surplus {
    /// Those that came last: the highest index.
    #[default]
    Newest,
    /// Those with the lowest number, as PM2 does.
    LowestId,
}

/// An app to declare, and what is wanted of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declaration {
    /// The app.
    pub spec: AppSpec,
    /// What is wanted; down for apps that were saved while stopped.
    pub goal: Goal,
    /// False: an app of this name that exists already is left as it is (for `resurrect`).
    pub replace: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_it_was_written() {
        let settings: Overlay = serde_json::from_str(r#"{"cpu": "off"}"#).unwrap();
        let declare = Command::Declare {
            apps: Vec::new(),
            settings: Some(Box::new(settings)),
            unchanged: Unchanged::Reload,
        };
        let stop = Command::Stop { selectors: vec!["all".to_owned()] };
        for command in [declare, stop, Command::Shutdown] {
            let json = serde_json::to_vec(&command).unwrap();
            assert_eq!(Command::read(&json).unwrap(), command);
        }
        let brief = Command::read(br#"{"apps": [], "verb": "declare"}"#).unwrap();
        let nothing =
            Command::Declare { apps: Vec::new(), settings: None, unchanged: Unchanged::default() };
        assert_eq!(brief, nothing);
    }

    #[test]
    fn what_is_no_command_says_where() {
        let refused = |json: &str| Command::read(json.as_bytes()).unwrap_err().to_string();
        assert!(refused(r#"{"verb": "declare"}"#).starts_with("missing field `apps`"));
        assert!(refused(r#"{"verb": "dance"}"#).starts_with("unknown variant `dance`"));
        assert!(refused(r#"{"apps": []}"#).starts_with("missing field `verb`"));
        assert!(refused("[").starts_with("EOF"));
    }
}
