//! What the user declared, checked: the settings of apps and of zelador itself.
//!
//! Values of these types come from [`crate::config`] and cannot be wrong in themselves.

mod advisor;
mod filter;
mod heal;
mod health;
mod json_condition;
mod launch;
mod lifecycle;
mod limits;
mod logs;
mod maintenance;
mod probe;
mod protocol;
mod pulse;
mod resilience;
mod settings;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::healing::raise::Bound;
use crate::id::AppName;
use crate::unit::{ByteSize, SECOND};
use crate::watch::WatchSpec;

pub use advisor::{AdvisorSpec, KeyFrom, Provider};
pub use filter::EnvFilter;
pub use heal::{HOOK_WITHIN, HealCommand, HealMode, HealSpec, Hook, Hooks, QuietHours};
pub use health::{Cadence, HealthSpec, Limit, ProbesSpec};
pub use json_condition::{JsonCondition, Operator};
pub use launch::{EnvFile, LaunchSpec};
pub use lifecycle::{CronPattern, MAX_OPEN, RestartDelay, RestartPolicy, StopPolicy};
pub use limits::{CAPABILITIES, IoPriority, Limits, Resource, ResourceLimit};
pub use logs::{Keep, LogFormat, LogSpec, LogTarget, ROTATED_DATE, Rotation};
pub use maintenance::{InWindow, Window};
pub use probe::{CommandProbe, FileProbe, HEALTHY_STATUS, HttpProbe, ProbeTarget, TalkProbe};
pub use protocol::{Listen, Notify, SOCKET_MODE, SocketSpec};
pub use pulse::{PulseAddress, PulseSpec, failing};
pub use resilience::{BreakerChange, REMEDY, Resilience, RetryChange};
pub use settings::{
    CPU_CAUSE, CPU_WATCH, DEFAULT_PORT, DatabaseSpec, HostMeter, INODES, MARGIN, MEMORY_CAUSE,
    NamedSpec, NamedTarget, Scarce, Settings, Thresholds,
};

/// Environment variables, by name.
pub type Environment = BTreeMap<String, String>;

/// One app as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppSpec {
    /// Unique in a home.
    pub name: AppName,
    /// PM2's grouping word; `default` when not given.
    pub namespace: String,
    /// What is executed.
    pub launch: LaunchSpec,
    /// How many replicas; at least 1.
    pub instances: u32,
    /// Whether the replicas share their ports.
    #[serde(default)]
    pub mode: ExecMode,
    /// When a run counts as ready.
    #[serde(default)]
    pub readiness: Readiness,
    /// False: listed as stopped until somebody starts it.
    pub autostart: bool,
    /// What follows a death.
    pub restart: RestartPolicy,
    /// How a stop is done.
    pub stop: StopPolicy,
    /// Above this resident memory of the whole process tree an instance is restarted.
    pub max_memory: Option<ByteSize>,
    /// When to restart by the clock: a cron pattern, in local time.
    pub cron: Option<CronPattern>,
    /// When it is in maintenance by the clock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<Window>,
    /// Where the output goes.
    pub logs: LogSpec,
    /// The app's own health check.
    pub health: Option<HealthSpec>,
    /// What is asked before and beside it.
    #[serde(default, skip_serializing_if = "ProbesSpec::is_empty")]
    pub probes: ProbesSpec,
    /// Names of databases (of `zelador.databases`) and apps that this app needs.
    pub depends_on: Vec<String>,
    /// How far each of those must be before this app is started, where that was said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, Condition>,
    /// What to do with a sick app while one of those is down.
    pub on_dependency_down: OnDependencyDown,
    /// Which changes of files restart it.
    #[serde(default)]
    pub watch: WatchSpec,
    /// What the healer may do to it.
    #[serde(default)]
    pub heal: HealSpec,
    /// Limits that the healer has raised, above what was declared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub raised: BTreeMap<Bound, u64>,
    /// How it says that it is ready and alive.
    #[serde(default)]
    pub notify: Notify,
    /// The sockets that it is handed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sockets: Vec<SocketSpec>,
    /// What it may use and do at most.
    #[serde(default)]
    pub limits: Limits,
    /// The file that declared it.
    pub source: Option<PathBuf>,
    /// The file that tells the main process; the instance's number is put before its extension.
    /// `None`: `$ZELADOR_HOME/pids/NAME-ID.pid`.
    #[serde(default)]
    pub pid_file: Option<PathBuf>,
}

impl AppSpec {
    /// Whether the healer may give it one instance more.
    pub fn may_grow(&self) -> bool {
        self.heal.most_instances.is_some_and(|most| most > self.instances)
    }

    /// Whether a run says by itself that it is ready: by message, or by listening as a worker.
    pub fn says_ready(&self) -> bool {
        self.readiness.wait || self.mode == ExecMode::Cluster || self.notify.says_ready()
    }

    /// How far an app of this name must be before this one is started.
    pub fn condition_of(&self, name: &str) -> Condition {
        self.conditions.get(name).copied().unwrap_or_default()
    }
}

/// How far something that an app depends on must be before the app is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Its processes are there.
    Started,
    /// They are ready: they said so, where they are asked to.
    #[default]
    Ready,
    /// Its check, or the database's, is not unhealthy.
    Healthy,
    /// It has ended, and well.
    Completed,
}

impl Condition {
    /// Every condition.
    pub const ALL: [Self; 4] = [Self::Started, Self::Ready, Self::Healthy, Self::Completed];

    /// Its word in a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Healthy => "healthy",
            Self::Completed => "completed",
        }
    }
}

/// How the replicas of an app stand to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecMode {
    /// Separate processes.
    #[default]
    Fork,
    /// Workers of `node:cluster`: they share the ports that they listen on, and are replaced one
    /// after another by `reload`.
    Cluster,
}

/// When a run counts as ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// True: not before it sends the message `ready` over Node's channel (PM2: `wait_ready`). A
    /// worker is ready when it listens, unless this is set.
    pub wait: bool,
    /// A run that has said nothing after this time is taken as ready (PM2: `listen_timeout`).
    pub within: Duration,
}

impl Default for Readiness {
    /// PM2: 3000 ms.
    fn default() -> Self {
        Self { wait: false, within: 3 * SECOND }
    }
}

/// What to do with a sick app while something that it depends on is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDependencyDown {
    /// Leave it alone until the dependency is back, then look again.
    #[default]
    Wait,
    /// Restart it as if nothing else were wrong.
    Restart,
}
