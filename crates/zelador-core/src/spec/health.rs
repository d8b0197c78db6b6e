//! An app's own health checks: what is asked, how often, and within which limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ProbeTarget;
use crate::unit::SECOND;

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
