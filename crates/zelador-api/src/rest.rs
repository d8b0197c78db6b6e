//! What `/api/v1` answers; `openapi.json` beside this crate's manifest describes it.
//!
//! Always holds: units are in the names, times are RFC 3339 in UTC, and nothing here has an environment,
//! a command line or, except by [`Lines`], what an app wrote.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Incident, InstanceView, Status, Trouble};

/// The document that describes the API.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// One instance of an app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct App {
    /// PM2's `pm_id`.
    pub id: u32,
    /// The app's name.
    pub app: String,
    /// Which replica.
    pub index: u32,
    /// Its namespace.
    pub namespace: String,
    /// PM2's word for where it is: `online`, `stopped`, `errored` …
    pub status: String,
    /// Whether it is to run.
    pub wanted: bool,
    /// How it is; missing while nothing is wanted of it.
    pub health: Option<Health>,
    /// Its main process.
    pub pid: Option<i32>,
    /// Starts after the first one.
    pub restarts: u32,
    /// When the last run came up.
    pub started_at: Option<String>,
    /// Resident memory of its processes.
    pub memory_bytes: Option<u64>,
    /// Processors that it uses.
    pub cpu_cores: Option<f64>,
}

/// How something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The verdict.
    pub status: Status,
    /// In one sentence.
    pub message: String,
}

/// One trouble of one app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentStory {
    /// Its number.
    pub id: u64,
    /// Whose.
    pub app: String,
    /// What kind.
    pub trouble: Trouble,
    /// `verifying`, `healed`, `escalated` …
    pub state: String,
    /// Whether it is not over.
    pub open: bool,
    /// When it was detected.
    pub opened_at: String,
    /// When it was over.
    pub closed_at: Option<String>,
    /// Remedies so far.
    pub attempts: u32,
    /// What happened, oldest first.
    pub story: Vec<Sentence>,
}

/// One sentence of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// When.
    pub at: String,
    /// What.
    pub what: String,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// `memory`, `database:main`, `app:api` …
    pub component: String,
    /// The verdict.
    pub status: Status,
    /// In one sentence.
    pub message: String,
    /// When it was looked at.
    pub at: String,
    /// How long that took.
    pub took_seconds: f64,
}

/// The last lines of a log, what looks like a secret masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Oldest first.
    pub lines: Vec<String>,
}

/// What a person says is wrong with an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// In that person's words.
    pub what: String,
}

/// What can be done to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// What is down comes up.
    Start,
    /// It goes down and stays there.
    Stop,
    /// It goes down and comes up again.
    Restart,
    /// Its successor takes over.
    Reload,
}

impl Verb {
    /// As it stands in the path.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
        }
    }
}

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// As it stands in the query.
    pub fn word(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }
}

/// The worst of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overall {
    /// The verdict.
    pub status: Status,
}

/// The engine answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// `alive`.
    pub status: String,
}

/// Whether everything can take work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllReady {
    /// All of them can.
    pub ready: bool,
    /// The apps of which something is wanted.
    pub apps: Vec<Ready>,
}

/// Whether one app can take work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Which.
    pub app: String,
    /// Enough of its instances can.
    pub ready: bool,
    /// Each of them.
    pub instances: Vec<ReadyInstance>,
}

/// Whether one instance can take work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyInstance {
    /// Which.
    pub name: String,
    /// It can.
    pub ready: bool,
    /// Why, or why not.
    pub message: String,
}

/// Everything, by draft-inadarei-api-health-check-06.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// `pass`, `warn` or `fail`.
    pub status: String,
    /// What was observed, by `component:measurement`.
    pub checks: BTreeMap<String, Vec<Value>>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Counts up while this engine lives.
    pub id: u64,
    /// What kind: `process`, `incident` …
    pub kind: String,
    /// All of it.
    pub data: Value,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    /// Whether it became what was asked for.
    pub ok: bool,
    /// One sentence an instance: `started (pid 12)`.
    pub what: Vec<String>,
}

impl From<InstanceView> for App {
    fn from(view: InstanceView) -> Self {
        Self {
            id: view.id.number(),
            app: view.app,
            index: view.index,
            namespace: view.namespace,
            status: view.status,
            wanted: view.goal == crate::Goal::Up,
            health: view.health.map(|it| Health { status: it.status, message: it.message }),
            pid: view.pid,
            restarts: view.restarts,
            started_at: view.started_at.map(|at| at.to_string()),
            memory_bytes: view.usage.map(|usage| usage.memory.bytes()),
            cpu_cores: view.usage.map(|usage| usage.cpu / 100.0),
        }
    }
}

impl From<&Incident> for IncidentStory {
    fn from(incident: &Incident) -> Self {
        let sentence = |it: &zelador_core::incident::Entry| Sentence {
            at: it.at.to_string(),
            what: it.what.clone(),
        };
        Self {
            id: incident.id.number(),
            app: incident.app.to_string(),
            trouble: incident.trouble,
            state: incident.state(),
            open: incident.is_open(),
            opened_at: incident.opened_at.to_string(),
            closed_at: incident.closed_at.map(|at| at.to_string()),
            attempts: incident.attempts,
            story: incident.story.iter().map(sentence).collect(),
        }
    }
}
