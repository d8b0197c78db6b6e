//! What the supervisor wants done.

mod refusal;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check::{CheckTarget, Status};
use crate::diagnosis::Snapshot;
use crate::healing::Runtime;
use crate::healing::host::Pressure;
use crate::id::{AppName, CallId, CheckId, IncidentId, InstanceId, ProbeId, RunId, Ticket};
use crate::launch::Launch;
use crate::notify::Delivery;
use crate::pulse::PingId;
use crate::record::Record;
use crate::signal::Signal;
use crate::spec::{Environment, PulseAddress, Settings};
use crate::unit::Moment;
use crate::watch::WatchPlan;
use crate::words::{Words, in_english};

pub use refusal::Refusal;

/// One thing that must be done. Of one step the spawns that are ahead of their records come first, then the
/// records, then the other spawns, then the rest in its order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Keep this, so that the next engine knows it.
    Record(Record),
    /// Start a process; answered by `Spawned` or `SpawnFailed`.
    Spawn {
        /// For this run.
        run: RunId,
        /// What to execute.
        launch: Box<Launch>,
        /// The run before it has just ended, and it need not wait until that is recorded: an engine that is
        /// lost in between finds it among the guardian's runs.
        ahead: bool,
    },
    /// Ask a run to end.
    Terminate {
        /// Which run.
        run: RunId,
        /// With which signal.
        signal: Signal,
        /// Whether the whole tree gets it.
        tree: bool,
    },
    /// Say something to a run over its channel.
    Say {
        /// Which run.
        run: RunId,
        /// What.
        say: Say,
    },
    /// Send a signal to the main process of a run, and nothing more.
    Signal {
        /// Which run.
        run: RunId,
        /// Which signal.
        signal: Signal,
    },
    /// Find out whether something that a run said over its `NOTIFY_SOCKET` waits to be taken in; answered by
    /// `Listened`.
    Listen {
        /// Which run.
        run: RunId,
    },
    /// Write the file that tells the main process of an instance.
    WritePid {
        /// The file; its folder is made where it is missing.
        path: PathBuf,
        /// The process.
        pid: i32,
    },
    /// Remove that file: there is no such process any more.
    RemovePid {
        /// The file.
        path: PathBuf,
    },
    /// The main process is gone: wait until nothing of its tree is left, kill the rest at
    /// `kill_at`; answered by `Swept`.
    Sweep {
        /// Which run.
        run: RunId,
        /// When to kill what is left.
        kill_at: Moment,
    },
    /// Kill the whole tree; answered by `Exited` and `Swept`.
    Kill {
        /// Which run.
        run: RunId,
    },
    /// Look at something; answered by `Looked`.
    Look {
        /// Which look.
        probe: ProbeId,
        /// At what.
        target: CheckTarget,
        /// How long it may take.
        timeout: Duration,
    },
    /// Nobody wants to know any more: end a look that is under way, and what it has started.
    LeaveLook {
        /// Which look.
        probe: ProbeId,
    },
    /// Gather evidence; answered by `Gathered`.
    Gather {
        /// For which incident.
        incident: IncidentId,
        /// About which run, if one lives.
        run: Option<RunId>,
        /// The run that ended, where that is what it is about: its last lines may be on their way.
        ended: Option<RunId>,
        /// Its main process.
        pid: Option<i32>,
        /// Its log files: standard output, standard error.
        logs: (Option<PathBuf>, Option<PathBuf>),
        /// The port that it was told to use.
        port: Option<u16>,
        /// Folders that it writes to, as far as they are known.
        folders: Vec<PathBuf>,
        /// Where it is, and since when what changed there counts.
        place: Box<Place>,
    },
    /// Have a runtime say more about itself; answered by `Dumped`.
    Dump {
        /// For which incident.
        incident: IncidentId,
        /// Which process.
        pid: i32,
        /// What it is.
        runtime: Runtime,
        /// How long it may take.
        timeout: Duration,
    },
    /// Ask a language model about an incident; answered by `Advised`.
    Consult {
        /// Which one.
        incident: IncidentId,
        /// What is known of it, masked before it leaves.
        evidence: Box<Snapshot>,
    },
    /// Find the heaviest processes of the host; answered by [`crate::input::Fact::Surveyed`].
    Survey {
        /// What there is too little of.
        of: Pressure,
    },
    /// Do something about an incident outside of its processes' lives; answered by `Applied`.
    Apply {
        /// For which incident.
        incident: IncidentId,
        /// What.
        deed: Box<Deed>,
        /// How long it may take.
        timeout: Duration,
    },
    /// Watch the files of an app, instead of what was watched for it before; `None`: no more.
    /// Answered by `Watching` or `CannotWatch`; changes are told by `FilesChanged`.
    Watch {
        /// Whose.
        app: AppName,
        /// What to watch.
        plan: Option<Box<WatchPlan>>,
    },
    /// Find out whether a run ended because its port was taken; answered by `PortTaken` if so.
    Explain {
        /// Whose run it was.
        instance: InstanceId,
        /// When it ended.
        died_at: Moment,
        /// Its log files: standard output, standard error.
        logs: (Option<PathBuf>, Option<PathBuf>),
        /// The port that it was told to use.
        port: Option<u16>,
    },
    /// The settings are now these.
    Configure(Box<Settings>),
    /// Say it in zelador's own log.
    Notify(Notice),
    /// Send a message to a channel; answered by `Delivered`.
    Deliver(Box<Delivery>),
    /// Tell somebody elsewhere that this zelador lives; answered by `Pinged`.
    Ping {
        /// Which ping.
        id: PingId,
        /// Where.
        to: PulseAddress,
        /// Tell that something is wrong here.
        failing: bool,
        /// How long it may take.
        timeout: Duration,
    },
    /// Answer somebody who wants to make a call.
    Call {
        /// Which call.
        call: CallId,
        /// What may be done.
        answer: CallAnswer,
    },
    /// Answer a command.
    Reply(Ticket, Result<Done, Refusal>),
}

impl Effect {
    /// Whether this is a start that is done before the records of its step are written.
    pub fn is_ahead(&self) -> bool {
        matches!(self, Self::Spawn { ahead: true, .. })
    }
}

/// Where an app is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its folder.
    pub folder: PathBuf,
    /// Its script or program.
    pub script: PathBuf,
    /// When the last run began that was good; `None`: there was none.
    pub good_since: Option<Moment>,
}

/// What somebody hears who wants to make a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallAnswer {
    /// Make it.
    Go,
    /// It failed: ask again after this pause.
    After(Duration),
    /// No attempt follows; why not.
    GiveUp(Words),
}

/// What is done about an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Run a program to its end; it must exit with 0.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Where.
        cwd: PathBuf,
        /// With exactly these variables.
        env: Environment,
        /// As which user; `None`: zelador's own.
        uid: Option<String>,
        /// As which group; `None`: that of the user.
        gid: Option<String>,
    },
    /// Remove the renamed logs beside these, and what lies in these folders.
    FreeDisk {
        /// Log files that zelador writes.
        logs: Vec<PathBuf>,
        /// Folders that were declared as caches.
        caches: Vec<PathBuf>,
        /// Only what is on the file system of this folder; `None`: wherever it is.
        on: Option<PathBuf>,
    },
    /// Say how much that would remove, and touch nothing.
    WeighDisk {
        /// Log files that zelador writes.
        logs: Vec<PathBuf>,
        /// Folders that were declared as caches.
        caches: Vec<PathBuf>,
        /// Only what is on the file system of this folder.
        on: PathBuf,
    },
    /// Have the runtime of a process collect its garbage.
    Collect {
        /// The main process of the app.
        pid: i32,
    },
    /// End a process that is not ours, if it is still the one that was seen.
    End {
        /// Its id.
        pid: i32,
        /// When it was started.
        started_at: Option<Moment>,
    },
}

/// What zelador says to a run over Node's channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// The message `shutdown`: finish, then exit.
    Shutdown,
    /// To a worker: close what you listen on, finish, then exit.
    Disconnect,
    /// Do what you offered.
    Act {
        /// Which action.
        action: String,
        /// What it is given.
        param: Option<String>,
    },
}

/// Something that people should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// How bad.
    pub severity: Severity,
    /// What it is about.
    pub subject: String,
    /// In one sentence.
    pub text: Words,
    /// Of a check: how it is now, which a later notice changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<(CheckId, Status)>,
}

/// How bad a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be read tomorrow.
    Warning,
    /// A person is needed.
    Critical,
}

/// What a command did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// One entry for every instance that it concerned.
    pub instances: Vec<Affected>,
    /// What the person should know besides.
    pub notes: Vec<String>,
}

/// What a command did to one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// Which one.
    pub id: InstanceId,
    /// Its app.
    pub app: String,
    /// What happened: `started`, `stopped`, `failed to start: …`.
    #[serde(serialize_with = "in_english")]
    pub what: Words,
    /// False: it did not become what was asked for.
    pub ok: bool,
    /// What to try, when it failed.
    pub help: Option<String>,
}
