//! What the user declared, checked: the settings of apps and of zelador itself.
//!
//! Values of these types come from [`crate::config`] and cannot be wrong in themselves.

mod advisor;
mod filter;
mod heal;
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
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::healing::raise::Bound;
use crate::id::AppName;
use crate::signal::Signal;
use crate::unit::{ByteSize, SECOND};
use crate::watch::WatchSpec;

pub use advisor::{AdvisorSpec, KeyFrom, Provider};
pub use filter::EnvFilter;
pub use heal::{HOOK_WITHIN, HealCommand, HealMode, HealSpec, Hook, Hooks, QuietHours};
pub use limits::{CAPABILITIES, IoPriority, Limits, Resource, ResourceLimit};
pub use logs::{Keep, LogFormat, LogSpec, LogTarget, ROTATED_DATE, Rotation};
pub use maintenance::{InWindow, Window};
pub use probe::{
    CommandProbe, FileProbe, HEALTHY_STATUS, HttpProbe, JsonCondition, Operator, ProbeTarget,
    TalkProbe,
};
pub use protocol::{Listen, Notify, SocketSpec};
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

/// What is executed, where, and with which environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// Absolute path of the script or program; a bare word is looked up in PATH.
    pub script: String,
    /// The program that runs the script; `None`: the script is executed itself.
    pub interpreter: Option<String>,
    /// Arguments of the interpreter, before the script.
    pub interpreter_args: Vec<String>,
    /// Arguments of the script.
    pub args: Vec<String>,
    /// Working directory, absolute.
    pub cwd: PathBuf,
    /// Variables that were declared; they win over the inherited ones.
    pub env: Environment,
    /// Variables of whoever gave the command.
    pub inherited_env: Arc<Environment>,
    /// Name of the variable that carries the replica's index (PM2: `NODE_APP_INSTANCE`).
    pub instance_var: String,
    /// A declared variable that counts the replicas: the first one has its value, each following
    /// one 1 more.
    #[serde(default)]
    pub increment_var: Option<String>,
    /// Which variables of whoever gives the command the app does not get.
    #[serde(default)]
    pub filter_env: EnvFilter,
    /// Files with variables, read at every start; they win over the inherited variables, the
    /// declared ones over them, and of two files the last one.
    #[serde(default)]
    pub env_files: Vec<EnvFile>,
    /// User to run as, by name or number; `None`: zelador's own.
    pub uid: Option<String>,
    /// Group to run as, by name or number; `None`: that of the user.
    pub gid: Option<String>,
}

/// A file with variables, in the syntax of [`crate::dotenv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvFile {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// When it was written, as seen when the app was declared: another time is a change of the
    /// declaration. Microseconds since the Unix epoch.
    pub written_at: Option<u64>,
}

/// What follows a death.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// False: a death is the end until somebody starts it.
    pub autorestart: bool,
    /// That many runs in a row, each shorter than `min_uptime`, open the breaker.
    pub max_restarts: u32,
    /// A run that lives this long was a good start.
    pub min_uptime: Duration,
    /// How long to wait before the next start.
    pub delay: RestartDelay,
    /// Exit codes that mean "finished": no restart.
    pub stop_exit_codes: Vec<i32>,
    /// How long the breaker stays open before one trial start, doubled after each failed trial
    /// up to [`MAX_OPEN`]. `None`: it stays open until somebody starts the app.
    pub half_open_after: Option<Duration>,
    /// More than `max_restarts` restarts within this time open the breaker too, however long the
    /// runs were. Ours; `None`: only short runs count, as in PM2.
    #[serde(default)]
    pub restart_window: Option<Duration>,
}

/// The longest time a breaker stays open before its next trial: half an hour, so that a service
/// is never away longer than that after its cause is gone. Ours; PM2 gives up for good.
pub const MAX_OPEN: Duration = Duration::from_mins(30);

/// How long an instance that died waits for its next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartDelay {
    /// Not at all (PM2's default).
    None,
    /// Always this long: `restart_delay`.
    Fixed(Duration),
    /// This long, then half as long again each time, up to 15 s: `exp_backoff_restart_delay`.
    Exponential(Duration),
}

/// How a stop is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopPolicy {
    /// The signal that asks for an end.
    pub signal: Signal,
    /// How long the process tree has before `SIGKILL`.
    pub grace: Duration,
    /// Whether the signal goes to the whole tree, or to the main process only. What is left at
    /// the end of the grace is killed in both cases.
    pub tree: bool,
    /// True: the message `shutdown` over Node's channel takes the signal's place.
    #[serde(default)]
    pub message: bool,
}

/// A cron pattern that croner accepts: five fields, or six with seconds first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronPattern(String);

impl CronPattern {
    /// Returns the pattern, or what is wrong with it.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        crate::cron::parse(&text)?;
        Ok(Self(text))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CronPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<CronPattern> for String {
    fn from(pattern: CronPattern) -> Self {
        pattern.0
    }
}

/// An app's own health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// What is asked.
    pub probe: ProbeTarget,
    /// How often and how patiently.
    pub cadence: Cadence,
    /// An answer slower than this is degraded.
    pub slow: Duration,
    /// Nothing is asked before a run is this old.
    pub start_period: Duration,
    /// How long a restart by the healer has to make the check healthy again.
    pub verify_within: Duration,
    /// Limits to what is measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
}

/// What is asked of an app before and beside its health check, as Kubernetes has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbesSpec {
    /// Until this was good once, nothing else is asked; a run that does not come to it is restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<HealthSpec>,
    /// Whether it can take work: it is told to whoever asks, and nothing is restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<HealthSpec>,
}

impl ProbesSpec {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.startup.is_none() && self.readiness.is_none()
    }
}

/// From where on something that is measured is degraded, and unhealthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The measure: `connections`.
    pub measure: String,
    /// From here on degraded.
    pub degraded: Option<f64>,
    /// From here on unhealthy.
    pub unhealthy: Option<f64>,
    /// True: too little is bad, not too much.
    #[serde(default)]
    pub below: bool,
    /// What is bad is better only when it is back by this much: no flapping at the edge.
    #[serde(default)]
    pub margin: f64,
    /// What is usual at this hour is learnt, and degraded is what lies beyond it, within the fixed limits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
}

/// How often something is looked at, and how many equal results change its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cadence {
    /// From the beginning of one look to the next.
    pub interval: Duration,
    /// A look that takes longer has failed.
    pub timeout: Duration,
    /// That many worse results in a row make the verdict worse.
    pub failure_threshold: u32,
    /// That many better results in a row make the verdict better.
    pub success_threshold: u32,
    /// The thresholds need not be reached in a row, but within this many results, which catches
    /// what comes and goes. Monit: `X times within Y cycles`, at most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<u32>,
}

impl Default for Cadence {
    /// Every 30 s (the mission), patience 3 s (Kubernetes' 1 s restarts under load), 3 bad
    /// results (Kubernetes), 2 good ones (the mission's breaker).
    fn default() -> Self {
        Self {
            interval: 30 * SECOND,
            timeout: 3 * SECOND,
            failure_threshold: 3,
            success_threshold: 2,
            within: None,
        }
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
