//! Settings of zelador as one file says them: every field optional, so that one file can be laid
//! over another.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notify::NotifyOverlay;
use super::place::{Block, Place};
use super::rotation::LogsOverlay;
use crate::diagnosis::UserRule;
use crate::history::retain::Retention;
use crate::spec::{
    AdvisorSpec, BreakerChange, Cadence, DatabaseSpec, Limit, MARGIN, NamedSpec, NamedTarget,
    PulseSpec, Resilience, Settings, Thresholds, Window,
};
use crate::unit::ByteSize;

/// A feature that a file switches off, or on with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch<T> {
    /// `false` was written.
    Off,
    /// A value was written.
    On(T),
}

impl<T> Switch<T> {
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value),
        }
    }
}

/// What one file says about the settings; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overlay {
    /// Where the health endpoints listen.
    pub http: Option<Switch<SocketAddr>>,
    /// How often the host, and by default everything else, is looked at.
    pub cadence: CadenceOverlay,
    /// Host memory.
    pub memory: Option<Switch<Thresholds>>,
    /// Host processors.
    pub cpu: Option<Switch<Thresholds>>,
    /// File systems.
    pub disk: Option<Switch<Thresholds>>,
    /// Limits of single file systems; said together with `disk`.
    pub mounts: Option<Vec<Limit>>,
    /// Other checks by name; `None` is one that a lower layer has and this one switches off.
    pub named: BTreeMap<String, Option<Box<NamedOverlay>>>,
    /// Databases by name; one of the same name in a lower layer is replaced as a whole.
    pub databases: BTreeMap<String, DatabaseOverlay>,
    /// Rotation of logs.
    pub logs: LogsOverlay,
    /// How much of the past is kept.
    pub history: HistoryOverlay,
    /// Notices.
    pub notify: NotifyOverlay,
    /// What lines of logs mean.
    pub rules: Option<Vec<UserRule>>,
    /// When everything is in maintenance by the clock.
    pub maintenance: Option<Vec<Window>>,
    /// A language model that may be asked.
    pub advisor: Option<Switch<AdvisorSpec>>,
    /// Who hears that this zelador lives.
    pub heartbeat: Option<Switch<PulseSpec>>,
    /// Retries and breakers, operation by operation.
    pub resilience: Resilience,
}

/// What a file says about the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryOverlay {
    /// So long.
    pub age: Option<Duration>,
    /// The file may become so large.
    pub size: Option<ByteSize>,
}

impl HistoryOverlay {
    fn over(self, below: Retention) -> Retention {
        Retention {
            age: self.age.unwrap_or(below.age),
            size: self.size.map_or(below.size, ByteSize::bytes),
        }
    }

    /// Reads the block.
    pub(super) fn check(block: &Block<'_>) -> Self {
        let size = |place: &Place<'_>| {
            let least = ByteSize::new(Retention::SMALLEST);
            let size = place.size()?;
            if size < least { place.refuse(format!("at least {least}")) } else { Some(size) }
        };
        Self {
            age: block.get("age").and_then(|place| place.span(Retention::SHORTEST)),
            size: block.get("size").and_then(size),
        }
    }
}

/// What a file says about how often something is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CadenceOverlay {
    /// From the beginning of one look to the next.
    pub interval: Option<Duration>,
    /// A look that takes longer has failed.
    pub timeout: Option<Duration>,
    /// That many worse results in a row make the verdict worse.
    pub failure_threshold: Option<u32>,
    /// That many better results in a row make the verdict better.
    pub success_threshold: Option<u32>,
    /// The thresholds count within so many results.
    pub within: Option<u32>,
}

impl CadenceOverlay {
    /// Returns `below` with what is said here. A window holds every threshold: what is said below gives
    /// way to what is said here.
    pub fn over(self, below: Cadence) -> Cadence {
        let most = self.within.unwrap_or(u32::MAX);
        let threshold = |said: Option<u32>, below: u32| said.unwrap_or(below.min(most));
        let failure_threshold = threshold(self.failure_threshold, below.failure_threshold);
        let success_threshold = threshold(self.success_threshold, below.success_threshold);
        let least = failure_threshold.max(success_threshold);
        Cadence {
            interval: self.interval.unwrap_or(below.interval),
            timeout: self.timeout.unwrap_or(below.timeout),
            failure_threshold,
            success_threshold,
            within: self.within.or(below.within).map(|within| within.max(least)),
        }
    }

    /// Reads the four fields of a block that has them.
    pub(super) fn check(block: &Block<'_>) -> Self {
        let span = |name: &str, least| {
            block.get(name).and_then(|place| place.span(Duration::from_millis(least)))
        };
        let count = |name: &str| {
            let count = |place: &Place<'_>| place.whole(1..=1000);
            block.get(name).and_then(count).map(|count| count as u32)
        };
        let within = block.get("within").and_then(|place| place.whole(1..=LONGEST_WINDOW));
        let within = within.map(|within| within as u32);
        let threshold = |name: &str| match (count(name), within) {
            (Some(count), Some(within)) if count > within => block
                .get(name)?
                .refuse(format!("at most {within}, as many results as `within` looks at")),
            (count, _) => count,
        };
        Self {
            interval: span("interval", 100),
            timeout: span("timeout", 10),
            failure_threshold: threshold("failure_threshold"),
            success_threshold: threshold("success_threshold"),
            within,
        }
    }
}

/// Monit's bound to `X times within Y cycles`.
const LONGEST_WINDOW: i64 = 64;

/// What a file says about a database.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct DatabaseOverlay {
    /// As in [`DatabaseSpec`].
    pub url: String,
    /// Slower than this is degraded.
    #[serde(default)]
    pub slow: Option<Duration>,
    /// How often and how patiently.
    #[serde(default)]
    pub cadence: CadenceOverlay,
    /// A query of one's own.
    #[serde(default)]
    pub query: Option<String>,
    /// What it must answer.
    #[serde(default)]
    pub expect: Option<String>,
    /// Limits to what is measured; they take the place of those that hold by default.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// What is said of its breaker.
    #[serde(default)]
    pub breaker: BreakerChange,
}

/// What a file says about a check with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedOverlay {
    /// What is asked.
    pub target: NamedTarget,
    /// Slower than this is degraded.
    #[serde(default)]
    pub slow: Option<Duration>,
    /// How often and how patiently.
    #[serde(default)]
    pub cadence: CadenceOverlay,
    /// Limits to what is measured.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// What is said of its breaker.
    #[serde(default)]
    pub breaker: BreakerChange,
}

impl fmt::Debug for DatabaseOverlay {
    /// The URL is shown without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseOverlay")
            .field("url", &crate::redact::url(&self.url))
            .field("slow", &self.slow)
            .field("cadence", &self.cadence)
            .finish_non_exhaustive()
    }
}

/// Connect and `SELECT 1` slower than this is degraded, if nothing else is said: the mission.
const SLOW_DATABASE: Duration = Duration::from_millis(100);

/// From these shares of its connections on a database is near its end: the one in reserve for an
/// administrator is taken next.
const CONNECTIONS: (f64, f64) = (80.0, 95.0);

fn with_default_limits(said: &[Limit]) -> Vec<Limit> {
    let mut limits = said.to_vec();
    if !limits.iter().any(|limit| limit.measure == "connections") {
        limits.push(Limit {
            measure: "connections".to_owned(),
            degraded: Some(CONNECTIONS.0),
            unhealthy: Some(CONNECTIONS.1),
            below: false,
            margin: MARGIN,
            auto: false,
        });
    }
    limits
}

impl Settings {
    /// Returns the defaults with each layer laid over them, the last one on top.
    pub fn resolve(layers: &[&Overlay]) -> Self {
        let mut settings = Self::default();
        let (mut databases, mut named) = (BTreeMap::new(), BTreeMap::new());
        for layer in layers {
            if let Some(http) = layer.http {
                settings.http = http.value();
            }
            let shares = [
                (layer.memory, &mut settings.memory),
                (layer.cpu, &mut settings.cpu),
                (layer.disk, &mut settings.disk),
            ];
            for (said, share) in shares {
                if let Some(said) = said {
                    *share = said.value();
                }
            }
            if let Some(mounts) = &layer.mounts {
                settings.mounts.clone_from(mounts);
            }
            settings.cadence = layer.cadence.over(settings.cadence);
            databases.extend(&layer.databases);
            named.extend(&layer.named);
            settings.rotation = layer.logs.over(settings.rotation);
            settings.history = layer.history.over(settings.history);
            settings.notify = layer.notify.over(settings.notify);
            if let Some(maintenance) = &layer.maintenance {
                settings.maintenance.clone_from(maintenance);
            }
            if let Some(rules) = &layer.rules {
                settings.rules.clone_from(rules);
            }
            if let Some(advisor) = &layer.advisor {
                settings.advisor = advisor.clone().value();
            }
            if let Some(heartbeat) = &layer.heartbeat {
                settings.heartbeat = heartbeat.clone().value();
            }
            settings.resilience.extend(&layer.resilience);
        }
        settings.notify.retry = settings.resilience.retry_of_messages(settings.notify.retry);
        let cadence = settings.cadence;
        let resolved = |(name, database): (&String, &DatabaseOverlay)| {
            let spec = DatabaseSpec {
                url: database.url.clone(),
                slow: database.slow.unwrap_or(SLOW_DATABASE),
                cadence: database.cadence.over(cadence),
                query: database.query.clone(),
                expect: database.expect.clone(),
                limits: with_default_limits(&database.limits),
                breaker: database.breaker,
            };
            (name.clone(), spec)
        };
        let resolved_name = |(name, check): (&String, &Option<Box<NamedOverlay>>)| {
            let check = check.as_ref()?;
            let spec = NamedSpec {
                target: check.target.clone(),
                slow: check.slow,
                cadence: check.cadence.over(cadence),
                limits: check.limits.clone(),
                breaker: check.breaker,
            };
            Some((name.clone(), Arc::new(spec)))
        };
        settings.named = named.into_iter().filter_map(resolved_name).collect();
        settings.databases = databases.into_iter().map(resolved).collect();
        settings
    }
}
