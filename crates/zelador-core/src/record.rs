//! What outlives the engine: every record replaces the one with the same key, so the newest of
//! each key together are the state.

use serde::{Deserialize, Serialize};

use crate::breaker::{Breaker, BreakerKey};
use crate::check::Usual;
use crate::config::Overlay;
use crate::healing::History;
use crate::id::{AppName, CheckId, IncidentId, InstanceId, RunId};
use crate::incident::Incident;
use crate::instance::{Instance, Retiring};
use crate::notify::{Matter, Parcel, ParcelId};
use crate::retry::OperationStats;
use crate::spec::AppSpec;
use crate::supervisor::{Aside, Heard, LeftAlone};
use crate::unit::Moment;

/// One piece of the supervisor's state, as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// An app was declared or changed.
    App(Box<AppSpec>),
    /// An app was removed.
    AppGone(AppName),
    /// An instance is now like this.
    Instance(Box<Instance>),
    /// An instance was removed.
    InstanceGone(InstanceId),
    /// A run whose place was taken is now like this.
    Retiring(Box<Retiring>),
    /// Nothing is left of such a run.
    Retired(RunId),
    /// An incident is now like this.
    Incident(Box<Incident>),
    /// An incident was forgotten: too old.
    IncidentGone(IncidentId),
    /// What was done to apps, and whether it helped.
    History(Box<History>),
    /// The settings that came with an ecosystem file.
    Settings(Box<Overlay>),
    /// What people were told of a matter.
    Matter(Box<Matter>),
    /// A matter is over, and everybody knows.
    MatterGone(String),
    /// A message waits for its channel.
    Parcel(Box<Parcel>),
    /// It was delivered, or dropped.
    ParcelGone(ParcelId),
    /// What came of an operation's attempts.
    Retries(Box<(String, OperationStats)>),
    /// The attempts of an operation made room for others.
    RetriesGone(String),
    /// A breaker is now like this.
    Breaker(Box<(BreakerKey, Breaker)>),
    /// A breaker made room for others.
    BreakerGone(BreakerKey),
    /// What people muted or put into maintenance.
    Aside(Box<Aside>),
    /// Nothing is muted or in maintenance any more.
    AsideGone,
    /// What is usual of a measure of a check.
    Usual(Box<(String, Usual)>),
    /// A service called by itself, or its first call is waited for.
    Heartbeat(Box<(String, Heard)>),
    /// Nobody waits for its calls any more.
    HeartbeatGone(String),
    /// Who is looked at asks to be left alone.
    LeftAlone(Box<(CheckId, LeftAlone)>),
    /// It does so no more.
    LeftAloneGone(CheckId),
    /// Where zelador runs, and whether it was asked to end there.
    Era(Era),
    /// The next numbers.
    Counters(Counters),
}

/// A boot of the host in which zelador runs: what ended with either is told apart from what died.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Era {
    /// The boot, by the kernel's name for it. Empty: it has none.
    pub boot: String,
    /// When zelador was asked to end in it, and to stop everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
}

/// Numbers that are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The next instance; back to 0 when no app is left, as in PM2.
    pub instance: u32,
    /// The next run.
    pub run: u64,
    /// The next incident.
    pub incident: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self { instance: 0, run: 1, incident: 1 }
    }
}

impl Record {
    /// What this record replaces: records with the same key.
    pub fn key(&self) -> String {
        match self {
            Self::App(spec) => format!("app/{}", spec.name),
            Self::AppGone(name) => format!("app/{name}"),
            Self::Instance(instance) => format!("instance/{}", instance.id),
            Self::InstanceGone(id) => format!("instance/{id}"),
            Self::Retiring(retiring) => format!("retiring/{}", retiring.run),
            Self::Retired(run) => format!("retiring/{run}"),
            Self::Incident(incident) => format!("incident/{}", incident.id),
            Self::IncidentGone(id) => format!("incident/{id}"),
            Self::History(_) => "history".to_owned(),
            Self::Retries(kept) => format!("retries/{}", kept.0),
            Self::RetriesGone(operation) => format!("retries/{operation}"),
            Self::Breaker(kept) => format!("breaker/{}", kept.0),
            Self::BreakerGone(key) => format!("breaker/{key}"),
            Self::Settings(_) => "settings".to_owned(),
            Self::Aside(_) | Self::AsideGone => "aside".to_owned(),
            Self::Usual(kept) => format!("usual/{}", kept.0),
            Self::Matter(matter) => format!("matter/{}", matter.key),
            Self::MatterGone(key) => format!("matter/{key}"),
            Self::Parcel(parcel) => format!("parcel/{}", parcel.id),
            Self::ParcelGone(id) => format!("parcel/{id}"),
            Self::Heartbeat(kept) => format!("heartbeat/{}", kept.0),
            Self::HeartbeatGone(name) => format!("heartbeat/{name}"),
            Self::LeftAlone(kept) => format!("alone/{}", kept.0.key()),
            Self::LeftAloneGone(id) => format!("alone/{}", id.key()),
            Self::Era(_) => "era".to_owned(),
            Self::Counters(_) => "counters".to_owned(),
        }
    }

    /// Returns whether it says that something is no more, so that nothing need be kept.
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Self::AppGone(_)
                | Self::InstanceGone(_)
                | Self::IncidentGone(_)
                | Self::Retired(_)
                | Self::MatterGone(_)
                | Self::ParcelGone(_)
                | Self::RetriesGone(_)
                | Self::BreakerGone(_)
                | Self::HeartbeatGone(_)
                | Self::LeftAloneGone(_)
                | Self::AsideGone
        )
    }
}
