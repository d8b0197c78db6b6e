//! What is looked at, how often, and by which limits.

use std::sync::Arc;
use std::time::Duration;

use crate::id::CheckId;
use crate::probe::Usage;
use crate::spec::{Cadence, HostMeter, Limit, NamedTarget, ProbeTarget, Settings, Thresholds};

/// What is looked at, and what is too much.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckPlan {
    /// Which check this is.
    pub id: CheckId,
    /// What is asked.
    pub target: CheckTarget,
    /// How often and how patiently.
    pub cadence: Cadence,
    /// An answer slower than this is degraded.
    pub slow: Option<Duration>,
    /// From which shares on a host check is degraded and unhealthy.
    pub thresholds: Option<Thresholds>,
    /// Limits to what is measured; of file systems by mount, which come before what holds for all.
    pub limits: Vec<Limit>,
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckTarget {
    /// The host's memory.
    Memory,
    /// The host's processors.
    Cpu,
    /// The file systems that zelador or an app writes to; the daemon knows which.
    Disk,
    /// A database, by its URL.
    Database {
        /// The URL, with its password.
        url: String,
        /// A query of one's own, in place of `SELECT 1`.
        query: Option<String>,
        /// What the first value of the first row must be.
        expect: Option<String>,
    },
    /// A property of the host.
    Host(HostMeter),
    /// The process tree of a run.
    Process {
        /// Its main process.
        pid: i32,
        /// What its tree uses, by the last sample.
        usage: Option<Usage>,
        /// How often it was restarted within ten minutes.
        restarts: u32,
    },
    /// An app, or something else that can be asked.
    App(Arc<ProbeTarget>),
}

impl CheckTarget {
    /// How often a service calls by itself, where it does.
    pub fn heartbeat(&self) -> Option<Duration> {
        match self {
            Self::App(probe) => match **probe {
                ProbeTarget::Heartbeat { every } => Some(every),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a look does to somebody else, as retries and breakers call it; `None`: it asks nobody but
    /// this host.
    pub fn operation(&self) -> Option<&'static str> {
        match self {
            Self::Database { .. } => Some("query"),
            Self::App(probe) => match &**probe {
                ProbeTarget::Http(_) => Some("request"),
                ProbeTarget::Tcp(_) | ProbeTarget::Udp(_) | ProbeTarget::Unix(_) => Some("connect"),
                ProbeTarget::Grpc { .. } => Some("call"),
                ProbeTarget::WebSocket { .. } => Some("open"),
                ProbeTarget::Dns { .. } => Some("resolve"),
                ProbeTarget::Certificate { of } => (!of.starts_with('/')).then_some("handshake"),
                ProbeTarget::Command(_)
                | ProbeTarget::File(_)
                | ProbeTarget::Log { .. }
                | ProbeTarget::Heartbeat { .. }
                | ProbeTarget::Process => None,
            },
            Self::Memory | Self::Cpu | Self::Disk | Self::Host(_) | Self::Process { .. } => None,
        }
    }
}

/// The host's and the databases' checks that the settings ask for.
pub fn plans(settings: &Settings) -> Vec<CheckPlan> {
    let host = |id, target, thresholds: Option<Thresholds>, limits: &[Limit]| {
        thresholds.map(|thresholds| CheckPlan {
            id,
            target,
            cadence: settings.cadence,
            slow: None,
            thresholds: Some(thresholds),
            limits: limits.to_vec(),
        })
    };
    let databases = settings.databases.iter().map(|(name, spec)| CheckPlan {
        id: CheckId::Database(name.clone()),
        target: CheckTarget::Database {
            url: spec.url.clone(),
            query: spec.query.clone(),
            expect: spec.expect.clone(),
        },
        cadence: spec.cadence,
        slow: Some(spec.slow),
        thresholds: None,
        limits: spec.limits.clone(),
    });
    let named = settings.named.iter().map(|(name, spec)| CheckPlan {
        id: CheckId::Named(name.clone()),
        target: match &spec.target {
            NamedTarget::Probe(probe) => CheckTarget::App(Arc::clone(probe)),
            NamedTarget::Host(meter) => CheckTarget::Host(meter.clone()),
        },
        cadence: spec.cadence,
        slow: spec.slow,
        thresholds: None,
        limits: spec.limits.clone(),
    });
    [
        host(CheckId::Memory, CheckTarget::Memory, settings.memory, &[]),
        host(CheckId::Cpu, CheckTarget::Cpu, settings.cpu, &[]),
        host(CheckId::Disk, CheckTarget::Disk, settings.disk, &settings.mounts),
    ]
    .into_iter()
    .flatten()
    .chain(databases)
    .chain(named)
    .collect()
}
