//! What has happened, as the supervisor is told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::breaker::{BreakerKey, BreakerPolicy};
use crate::config::Overlay;
use crate::custom::Told;
use crate::death::{Death, SpawnFailure};
use crate::diagnosis::consult::Advice;
use crate::evidence::{Dump, Evidence, Heavy, PortHolder};
use crate::healing::host::Pressure;
use crate::id::{AppName, CallId, IncidentId, InstanceId, ProbeId, RunId};
use crate::notify::{DeliveryId, DeliveryOutcome};
use crate::probe::{ProbeOutcome, Usage};
use crate::pulse::{NotHeard, PingId};
use crate::retry::{Attempt, Failure, RetryPolicy};
use crate::sd_notify::Notified;
use crate::spec::Environment;
use crate::unit::Moment;
use crate::words::Words;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The guardian tells which runs it knows; runs that it does not know have no process.
    Inventory {
        /// What it knows.
        runs: Vec<KnownRun>,
    },
    /// The host wants zelador to end, and with it everything: what is up is up again when zelador begins anew.
    AskedToEnd,
    /// A process is up.
    Spawned {
        /// Which run.
        run: RunId,
        /// Its main process.
        pid: i32,
    },
    /// The files with variables of a run were read.
    EnvRead {
        /// Which run.
        run: RunId,
        /// What they say, all together.
        env: Environment,
    },
    /// A process could not be started.
    SpawnFailed {
        /// Which run.
        run: RunId,
        /// Why.
        failure: SpawnFailure,
    },
    /// A run said that it is ready: by message, or by listening as a worker.
    Ready {
        /// Which run.
        run: RunId,
        /// How.
        by: ReadyBy,
    },
    /// A run said something over `NOTIFY_SOCKET`, or to its notification descriptor.
    Notified {
        /// Which run.
        run: RunId,
        /// What.
        said: Box<Notified>,
    },
    /// Whether something that a run said waits to be taken in.
    Listened {
        /// Which run.
        run: RunId,
        /// Something does.
        waits: bool,
    },
    /// Limits of a run that this host cannot hold.
    NotLimited {
        /// Which run.
        run: RunId,
        /// Which, and why.
        why: Words,
    },
    /// A run said something about itself.
    Told {
        /// Which run.
        run: RunId,
        /// What.
        told: Told,
    },
    /// A main process ended.
    Exited {
        /// Which run.
        run: RunId,
        /// How.
        death: Death,
    },
    /// Nothing is left of a run's process tree.
    Swept {
        /// Which run.
        run: RunId,
    },
    /// A look is done.
    Looked {
        /// Which look.
        probe: ProbeId,
        /// What it found.
        outcome: ProbeOutcome,
    },
    /// Something was tried outside of the supervisor, for the statistics.
    Attempted {
        /// Doing what: `send`.
        operation: String,
        /// What came of it.
        attempt: Attempt,
    },
    /// Somebody wants to make a call; answered by [`crate::effect::Effect::Call`].
    CallWanted {
        /// Under this number from now on.
        call: CallId,
        /// What.
        wanted: Box<CallWanted>,
    },
    /// The pause before its next attempt is over.
    CallRepeated {
        /// Which call.
        call: CallId,
    },
    /// An attempt is over.
    CallEnded {
        /// Which call.
        call: CallId,
        /// How long it took.
        took: Duration,
        /// Why it failed; `None`: it worked, and the call is over.
        failed: Option<CallFailed>,
    },
    /// Nobody wants its answer any more.
    CallDropped {
        /// Which call.
        call: CallId,
    },
    /// A service called that calls by itself.
    Heartbeat {
        /// Under which name.
        name: String,
    },
    /// What runs use now.
    Sampled {
        /// One entry a run.
        usages: Vec<(RunId, Usage)>,
    },
    /// Evidence is there.
    Gathered {
        /// For which incident.
        incident: IncidentId,
        /// What was found.
        evidence: Box<Evidence>,
    },
    /// What a runtime says about itself, or why it says nothing.
    Dumped {
        /// For which incident.
        incident: IncidentId,
        /// What it says.
        dump: Result<Dump, Words>,
    },
    /// What a language model says about an incident, or why it says nothing.
    Advised {
        /// Which incident.
        incident: IncidentId,
        /// Its advice, checked.
        advice: Result<Advice, Words>,
    },
    /// The heaviest processes of the host were found.
    Surveyed {
        /// What there is too little of.
        of: Pressure,
        /// Which.
        processes: Vec<Heavy>,
    },
    /// What was to be done about an incident is done, or could not be.
    Applied {
        /// Which incident.
        incident: IncidentId,
        /// What it said, or why not.
        result: Result<Words, Words>,
    },
    /// The files of an app are watched.
    Watching {
        /// Whose.
        app: AppName,
        /// In how many folders.
        folders: u32,
    },
    /// The files of an app cannot be watched, or not all of them.
    CannotWatch {
        /// Whose.
        app: AppName,
        /// Why, and what to do about it.
        reason: Words,
    },
    /// Files of an app changed.
    FilesChanged {
        /// Whose.
        app: AppName,
        /// The first of them.
        paths: Vec<PathBuf>,
        /// How many others.
        more: u32,
    },
    /// A run ended because its port was taken.
    PortTaken {
        /// Whose run it was.
        instance: InstanceId,
        /// When it ended.
        died_at: Moment,
        /// Who has the port.
        holders: Vec<PortHolder>,
    },
    /// A delivery went like this.
    Delivered {
        /// Which one.
        delivery: DeliveryId,
        /// How.
        outcome: DeliveryOutcome,
    },
    /// A ping outward went like this.
    Pinged {
        /// Which one.
        id: PingId,
        /// How.
        went: Result<(), NotHeard>,
    },
    /// The wall clock was set: the difference to what [`crate::unit::Moment`] says changed.
    ClockJumped {
        /// How far the wall clock is ahead now, in microseconds.
        ahead_micros: i64,
    },
    /// The layer of settings below the ecosystem file's: `zelador.toml`.
    BaseSettings(Box<Overlay>),
    /// The settings of modules, which `set` changes.
    ModuleSettings(Box<ModuleSettings>),
    /// Both, as an engine finds them when it begins: with one of them alone it would do for a moment what
    /// nobody asked for, rotate logs by the default size or end checks that go on.
    Layers {
        /// `zelador.toml`.
        base: Box<Overlay>,
        /// Of modules.
        modules: Box<ModuleSettings>,
    },
}

/// A call that somebody wants to make.
#[derive(Clone, Debug, PartialEq)]
pub struct CallWanted {
    /// Doing what, towards what.
    pub key: BreakerKey,
    /// How often, how patiently, and for which failures it is tried again.
    pub retry: RetryPolicy,
    /// When its breaker opens, where there is none yet.
    pub breaker: BreakerPolicy,
}

/// Why an attempt of a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailed {
    /// What kind of failure, and what the other side asked for.
    pub failure: Failure,
    /// What was said, without secrets.
    pub error: Words,
}

/// What the settings of modules say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModuleSettings {
    /// The layer of settings above the ecosystem file's.
    pub overlay: Overlay,
    /// Variables that apps are given, above all others.
    pub env: BTreeMap<AppName, Environment>,
}

/// How a run says that it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadyBy {
    /// By the message `ready`.
    Message,
    /// By listening, as a worker.
    Listening,
}

/// A run as the guardian knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRun {
    /// Which run.
    pub run: RunId,
    /// Its main process.
    pub pid: i32,
    /// How it ended, if it did.
    pub death: Option<Death>,
    /// The instance that it was started for, as far as the guardian was told.
    pub instance: Option<InstanceId>,
    /// Whether the guardian has asked it to end.
    pub asked: bool,
}
