//! What is known about an incident: gathered before anything is killed, bounded in size.

use serde::{Deserialize, Serialize};

use crate::death::Death;
use crate::id::RunId;
use crate::probe::Usage;
use crate::unit::{ByteSize, Moment, spoken};

/// Everything that was found about one sick instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// When it was gathered.
    pub gathered_at: Moment,
    /// How long gathering took, in milliseconds.
    pub took_millis: u64,
    /// The last lines of standard output, oldest first, secrets masked.
    pub out_tail: Vec<String>,
    /// The last lines of standard error, oldest first, secrets masked.
    pub err_tail: Vec<String>,
    /// What the process tree used at that moment.
    pub usage: Option<Usage>,
    /// Open descriptors and the limit on them.
    pub descriptors: Option<Descriptors>,
    /// Threads of the main process, the busiest first.
    pub threads: Vec<Thread>,
    /// Deaths before this, the latest first.
    pub deaths: Vec<PastDeath>,
    /// How the run ended that this is about; `None`: it lived.
    #[serde(default)]
    pub death: Option<Death>,
    /// How long it had lived, in milliseconds.
    #[serde(default)]
    pub uptime_millis: Option<u64>,
    /// How often it died within the last hour, as far as that is remembered.
    #[serde(default)]
    pub deaths_last_hour: u32,
    /// What the run used over its life, the oldest first.
    #[serde(default)]
    pub course: Vec<(Moment, Usage)>,
    /// What its own check said last.
    #[serde(default)]
    pub probe: Option<ProbeSeen>,
    /// Of the host's memory, in use, in percent.
    #[serde(default)]
    pub host_memory: Option<f64>,
    /// The file systems that it writes to, the fullest first.
    #[serde(default)]
    pub volumes: Vec<VolumeSeen>,
    /// Kills by the kernel in its control group since the run began.
    #[serde(default)]
    pub oom_kills: Option<u64>,
    /// Its memory limit.
    #[serde(default)]
    pub memory_limit: Option<ByteSize>,
    /// Who has the port that it says it could not get.
    #[serde(default)]
    pub port_holders: Vec<PortHolder>,
    /// What could not be gathered, and why.
    pub missing: Vec<String>,
}

/// The last words of an app's own check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeSeen {
    /// Failures in a row.
    pub failures: u32,
    /// What it found, short.
    pub message: String,
    /// How long the last look took, in milliseconds.
    pub took_millis: u64,
}

/// A file system, as full as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VolumeSeen {
    /// A folder on it.
    pub path: String,
    /// In use, in percent.
    pub used: f64,
    /// Of its inodes, in use, in percent; `None` where it has none.
    pub inodes: Option<f64>,
}

/// A process that listens on a port which an app could not get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortHolder {
    /// The port.
    pub port: u16,
    /// The process; `None`: zelador may not see whose it is.
    pub pid: Option<i32>,
    /// What it is called.
    pub name: String,
    /// When it was started.
    pub started_at: Option<Moment>,
    /// The run of a zelador that it belongs to.
    pub run: Option<RunId>,
    /// The home of that zelador.
    pub home: Option<String>,
    /// The instance of this zelador that it belongs to.
    pub app: Option<String>,
    /// Whose it is, where that is all that is known.
    pub user: Option<u32>,
}

impl PortHolder {
    /// Says it in words, as seen at `now`: `port 3000 is held by node (pid 7, up for 3 min, app api)`.
    pub fn spoken(&self, now: Moment) -> String {
        let port = self.port;
        let Some(pid) = self.pid else {
            let user = self.user.map(|user| format!(" of user {user}")).unwrap_or_default();
            return format!("port {port} is held by a process{user} that zelador may not look at");
        };
        let age = self.started_at.map(|at| format!(", up for {}", spoken(now.since(at))));
        let whose = match (&self.app, &self.home) {
            (Some(app), _) => format!(", app {app}"),
            (None, Some(home)) => format!(", of the zelador in {home}"),
            (None, None) => String::new(),
        };
        format!(
            "port {port} is held by {} (pid {pid}{}{whose})",
            self.name,
            age.unwrap_or_default()
        )
    }
}

/// Open descriptors of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptors {
    /// How many are open.
    pub open: u32,
    /// The soft limit (`RLIMIT_NOFILE`).
    pub limit: u64,
    /// How many of them are sockets.
    pub sockets: u32,
    /// How many of them are pipes.
    pub pipes: u32,
    /// How many of them are files and devices.
    pub files: u32,
}

/// One thread of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its id.
    pub tid: i32,
    /// Its name.
    pub name: String,
    /// The state letter of `/proc`: `R` running, `S` sleeping, `D` waiting for a device, `T`
    /// stopped, `Z` dead.
    pub state: char,
    /// The kernel function it waits in, where the kernel tells.
    pub waits_in: Option<String>,
    /// Processor time it has used, in milliseconds.
    pub cpu_millis: u64,
}

/// One death in an instance's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastDeath {
    /// When.
    pub at: Moment,
    /// How.
    pub death: Death,
    /// How long that run had lived, in milliseconds.
    pub uptime_millis: u64,
    /// What was found out about its cause.
    #[serde(default)]
    pub explained: Option<String>,
}
