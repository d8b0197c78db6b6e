//! What crosses the wire: types, paths and the client.
//!
//! The command line, the terminal screen and other programs see of the core what is re-exported
//! here, and nothing else.

pub mod bus;
pub mod calls;
pub mod client;
pub mod env_file;
pub mod home;
pub mod module_conf;
pub mod notify;
pub mod problem;
pub mod rest;
pub mod route;
pub mod saved;
pub mod segment;
pub mod shared;
pub mod spot;
pub mod token;
pub mod trpc;

pub use zelador_core::aside::{How, SetAside};
pub use zelador_core::breaker::Order;
pub use zelador_core::check::{CheckResult, Status};
pub use zelador_core::custom::{Action, Metric};
pub use zelador_core::death::{Death, SpawnFailure};
pub use zelador_core::effect::{Affected, Done, Refusal};
pub use zelador_core::evidence;
pub use zelador_core::healing::case::snapshot;
pub use zelador_core::healing::raise;
pub use zelador_core::healing::report::{A_PERSON_TAKES, LearnedOf, Report, report};
pub use zelador_core::healing::{Learned, Remedy, Risk};
pub use zelador_core::incident::{Incident, Outcome, Stage, Trouble, Try, TryResult};
pub use zelador_core::input::{Command, Declaration, IncidentOrder, Replicas, Surplus, Unchanged};
pub use zelador_core::instance::{Cause, Goal, Phase, Start};
pub use zelador_core::launch::{FILE_SERVER, FILE_SERVER_ROLE, RUN_VARIABLE, log_paths, pid_path};
pub use zelador_core::notify::Language;
pub use zelador_core::question::Question;
pub use zelador_core::retry::{Attempt, AttemptOutcome, OperationStats};
pub use zelador_core::supervisor::{
    AppView, BreakerView, CheckView, GroupView, HealthView, InstanceView, Readiness, RetryView,
    Saved, VerdictView, View,
};
pub use zelador_core::{
    config, date, diagnosis, id, identity, probe, redact, select, signal, spec, unit, unseen, words,
};

use serde::{Deserialize, Serialize};

/// The first word of a process that answers programs that use PM2's library.
pub const PM2_API_ROLE: &str = "pm2-api";

/// Who answers on the control socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Zelador's version.
    pub version: String,
    /// The engine's process.
    pub engine_pid: u32,
    /// The guardian's process.
    pub guardian_pid: u32,
    /// Where the health endpoints listen, if they do.
    pub http: Option<std::net::SocketAddr>,
}

/// Where an engine is to panic, for tests of what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PanicAt {
    /// In the driver, between two steps.
    Driver,
    /// In the thread that moves lines.
    Logs,
    /// In a task: the engine goes on.
    Task,
}

/// A trouble to explain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explain {
    /// The evidence.
    pub evidence: diagnosis::Snapshot,
    /// Whether a remedy for it failed: a model is asked although the rules are sure.
    #[serde(default)]
    pub remedy_failed: bool,
}

/// An explanation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explained {
    /// What is believed.
    #[serde(flatten)]
    pub answer: diagnosis::Answer,
    /// What became of the question to the model; `None`: it was not asked.
    pub advisor: Option<String>,
}

/// What a model would be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WouldAsk {
    /// The server; `None`: no advisor is set.
    pub url: Option<String>,
    /// Why it would be asked; `None`: the rules are sure, it would not.
    pub reason: Option<String>,
    /// The body of the request, exactly.
    pub body: Option<serde_json::Value>,
}

/// Which executable is to take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeTo {
    /// Its absolute path.
    pub program: std::path::PathBuf,
}

/// How to save.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveWish {
    /// True: a list without any app takes the place of one with apps, too.
    pub empty: bool,
}

/// What `save` wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveDone {
    /// The file.
    pub path: std::path::PathBuf,
    /// How many apps it holds.
    pub apps: usize,
    /// Apps of the list that was saved before, which this one does not have.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// What an instance is to read from its standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandardInput {
    /// Which one.
    pub instance: id::InstanceId,
    /// What; a line ends with its newline.
    pub bytes: Vec<u8>,
}

/// Which log files are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFiles {
    /// Those of every app, and zelador's own.
    All,
    /// Those of these instances.
    Of(Vec<id::InstanceId>),
}

/// What became of log files that were to be emptied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushDone {
    /// They are empty.
    pub emptied: Vec<std::path::PathBuf>,
    /// They are not, and why.
    pub failed: Vec<(std::path::PathBuf, String)>,
}
