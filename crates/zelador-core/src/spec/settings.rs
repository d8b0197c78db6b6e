//! The settings of zelador itself: where it listens, what it looks at, how it rotates logs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AdvisorSpec, BreakerChange, Cadence, Limit, ProbeTarget, PulseSpec, Resilience};
use super::{Rotation, Window};
use crate::diagnosis::UserRule;
use crate::history::retain::Retention;
use crate::notify::Plan;
use crate::unit::Percent;

/// The settings of zelador itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Where the health endpoints listen; `None`: on the control socket only.
    pub http: Option<std::net::SocketAddr>,
    /// Host memory in use; `None`: not looked at.
    pub memory: Option<Thresholds>,
    /// Host processors in use; `None`: not looked at.
    pub cpu: Option<Thresholds>,
    /// Use of each file system that zelador or an app writes to; `None`: not looked at.
    pub disk: Option<Thresholds>,
    /// Limits of single file systems, by mount, in the place of those of `disk`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Limit>,
    /// How often the host is looked at, and the default for databases and apps.
    pub cadence: Cadence,
    /// Databases, by name.
    pub databases: BTreeMap<String, DatabaseSpec>,
    /// Everything else that is looked at, by name.
    #[serde(default)]
    pub named: BTreeMap<String, Arc<NamedSpec>>,
    /// Rotation of every log.
    pub rotation: Rotation,
    /// How much of the past is kept.
    #[serde(default)]
    pub history: Retention,
    /// Who is told what.
    #[serde(default)]
    pub notify: Plan,
    /// What lines of logs mean, as the user knows.
    #[serde(default)]
    pub rules: Vec<UserRule>,
    /// When everything is in maintenance by the clock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<Window>,
    /// A language model that may be asked; `None`: there is none.
    #[serde(default)]
    pub advisor: Option<AdvisorSpec>,
    /// Who hears that this zelador lives; `None`: nobody.
    #[serde(default)]
    pub heartbeat: Option<PulseSpec>,
    /// What is changed of retries and breakers.
    #[serde(default)]
    pub resilience: Resilience,
}

impl Default for Settings {
    fn default() -> Self {
        let thresholds = |degraded, unhealthy, watch, cause| {
            Some(Thresholds {
                degraded: Percent::new(degraded)?,
                unhealthy: Percent::new(unhealthy)?,
                margin: Percent::new(MARGIN)?,
                watch,
                cause: Percent::new(cause)?,
                auto: false,
            })
        };
        Self {
            http: Some(std::net::SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT))),
            memory: thresholds(75.0, 90.0, Duration::ZERO, MEMORY_CAUSE),
            cpu: thresholds(60.0, 80.0, CPU_WATCH, CPU_CAUSE),
            disk: thresholds(80.0, 90.0, Duration::ZERO, 0.0),
            mounts: Vec::new(),
            cadence: Cadence::default(),
            databases: BTreeMap::new(),
            named: BTreeMap::new(),
            rotation: Rotation::default(),
            history: Retention::default(),
            notify: Plan::default(),
            rules: Vec::new(),
            maintenance: Vec::new(),
            advisor: None,
            heartbeat: None,
            resilience: Resilience::default(),
        }
    }
}

/// The port of PM2's web API, so that what scrapes it finds something.
pub const DEFAULT_PORT: u16 = 9615;

/// From which shares on something is degraded, and unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// At or above this: degraded.
    pub degraded: Percent,
    /// At or above this: unhealthy.
    pub unhealthy: Percent,
    /// It is better only when it is below by this much: 75 % in, 72 % out.
    #[serde(default)]
    pub margin: Percent,
    /// How long the host must have been unhealthy before it is asked who is the cause.
    #[serde(default)]
    pub watch: Duration,
    /// From this share of what is used an app is the cause.
    #[serde(default = "any_share")]
    pub cause: Percent,
    /// What is usual at this hour is learnt, and degraded is what lies beyond it, `degraded` at the
    /// latest.
    #[serde(default)]
    pub auto: bool,
}

impl Thresholds {
    /// The same as a limit to a share.
    pub fn limit(self, measure: &str) -> Limit {
        Limit {
            measure: measure.to_owned(),
            degraded: Some(self.degraded.value()),
            unhealthy: Some(self.unhealthy.value()),
            below: false,
            margin: self.margin.value(),
            auto: self.auto,
        }
    }
}

/// The measure of the limit of inodes that holds for every mount without one of its own.
pub const INODES: &str = "inodes";

/// Of processors: two minutes, the mission's. Memory that is full is dealt with at once.
pub const CPU_WATCH: Duration = Duration::from_mins(2);

/// Half of the busy time: nobody else can be more to blame.
pub const CPU_CAUSE: f64 = 50.0;

/// A fifth of the memory in use: with less, its end would not bring a host from 90 % back below 75 %.
pub const MEMORY_CAUSE: f64 = 20.0;

/// Settings that were kept by an older version say nothing of it.
fn any_share() -> Percent {
    Percent::new(CPU_CAUSE).unwrap_or_default()
}

/// How far a share must be back below its threshold, if nothing else is said: 3 points, about what
/// the shares of a quiet host vary by from look to look.
pub const MARGIN: f64 = 3.0;

/// Something with a name that is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedSpec {
    /// What is asked.
    pub target: NamedTarget,
    /// Slower than this is degraded.
    pub slow: Option<Duration>,
    /// How often and how patiently.
    pub cadence: Cadence,
    /// Limits to what is measured.
    pub limits: Vec<Limit>,
    /// What is said of its breaker.
    #[serde(default)]
    pub breaker: BreakerChange,
}

/// What a check with a name asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamedTarget {
    /// The same as of an app.
    Probe(Arc<ProbeTarget>),
    /// A property of the host.
    Host(HostMeter),
}

/// A property of the host beside memory, processors and disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostMeter {
    /// Swap in use, of all swap.
    Swap,
    /// Inodes in use, of each file system that zelador or an app writes to.
    Inodes,
    /// Open files, of the most that the kernel allows.
    Descriptors,
    /// Processes that want a processor, for each core (the load of a minute).
    Load,
    /// How far the clock is off, as the kernel knows.
    Clock,
    /// Whether an interface is up; errors and drops, for each minute.
    Network(String),
    /// How much of the time something waited for a resource.
    Pressure(Scarce),
}

/// What there may be too little of: the files of `/proc/pressure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scarce {
    /// A processor.
    Cpu,
    /// Memory: it is being freed, or comes back from swap.
    Memory,
    /// A disk.
    Io,
}

impl Scarce {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Io];

    /// The name of its file, and its word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Io => "io",
        }
    }
}

/// A database that is looked at.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct DatabaseSpec {
    /// `mysql://user:password@host:port/name` (also `mariadb://`, `?socket=/path`), or
    /// `sqlite:///absolute/path`, `postgres://…`, `redis://…`.
    pub url: String,
    /// Connect and `SELECT 1` slower than this is degraded. The mission: 100 ms.
    pub slow: Duration,
    /// How often and how patiently.
    pub cadence: Cadence,
    /// A query of one's own, in place of `SELECT 1`.
    #[serde(default)]
    pub query: Option<String>,
    /// What the first value of the first row must be.
    #[serde(default)]
    pub expect: Option<String>,
    /// Limits to what is measured: `connections`, `lag`, `connect`, `query`.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// What is said of its breaker.
    #[serde(default)]
    pub breaker: BreakerChange,
}

impl std::fmt::Debug for DatabaseSpec {
    /// The URL is shown without its password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseSpec")
            .field("url", &crate::redact::url(&self.url))
            .field("slow", &self.slow)
            .field("cadence", &self.cadence)
            .finish_non_exhaustive()
    }
}
