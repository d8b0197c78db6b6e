//! What reaches the driver by its one queue, besides what the guardian says.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use zelador_api::PanicAt;
use zelador_core::effect::{CallAnswer, Done, Refusal};
use zelador_core::id::{CallId, InstanceId, RunId, Ticket};
use zelador_core::input::{CallWanted, Command, Input};
use zelador_core::launch::Launch;
use zelador_core::probe::Usage;
use zelador_core::sd_notify::Notified;
use zelador_core::supervisor::Supervisor;

use super::{NoInput, notified};
use crate::aside::Aside;
use crate::checks::CpuMeter;
use crate::events::Listening;
use crate::ipc;
use crate::logs::{Failed, LogEvent};
use crate::processes::Sampler;

/// What reaches the driver.
pub enum Message {
    /// Something for the supervisor.
    Input(Input),
    /// A command, and where its answer goes.
    Command(Command, oneshot::Sender<Result<Done, Refusal>>),
    /// The file system answers on which something is to be started.
    Answers(RunId, Box<Launch>),
    /// What a command rests on is on the disk: it is answered.
    Reply(Ticket, Result<Done, Refusal>),
    /// Empty these log files; where those go that could not be emptied.
    EmptyLogs(Vec<PathBuf>, oneshot::Sender<Failed>),
    /// Close the log files, and open them anew.
    ReopenLogs,
    /// Asks for the write end of an instance's standard input.
    StandardInput(InstanceId, oneshot::Sender<Result<OwnedFd, NoInput>>),
    /// Say something to an instance over its channel; told whether it hears.
    Say(InstanceId, Value, oneshot::Sender<bool>),
    /// Sample what new runs use; told when that is done.
    SampleNew(oneshot::Sender<()>),
    /// Somebody listens to events, from after that one on.
    Listen(Option<u64>, oneshot::Sender<Listening>),
    /// Somebody wants to make a call.
    Call {
        /// Under which number.
        call: CallId,
        /// What.
        wanted: Box<CallWanted>,
        /// Where the answers go, one for each attempt.
        answers: mpsc::Sender<CallAnswer>,
    },
    /// A look inside.
    Ask(Box<dyn FnOnce(&Supervisor) + Send>),
    /// Go over to another executable; told when nothing is under way that would suffer, and else why
    /// not.
    Upgrade(PathBuf, oneshot::Sender<Result<(), String>>),
    /// Panic, to see what follows.
    Panic(PanicAt),
    /// A run said something over its channel; dealt with when answered.
    Heard {
        /// Which run.
        run: RunId,
        /// What.
        heard: ipc::Heard,
        /// Told when it was dealt with.
        done: oneshot::Sender<()>,
    },
    /// Something came over the `NOTIFY_SOCKET` of a run; dealt with when answered.
    Notified {
        /// Which run.
        run: RunId,
        /// Who sent it.
        sender: Option<notified::Sender>,
        /// What.
        said: Box<Notified>,
        /// What rode along.
        descriptors: Vec<OwnedFd>,
        /// Closes what the run, or whoever it was, hands in and has kept no longer.
        aside: Aside,
        /// Told when it was dealt with: whether it came from the run.
        done: oneshot::Sender<bool>,
    },
    /// The logs have something to say.
    Log(LogEvent),
    /// The processors were measured; the meter comes back.
    Measured(CpuMeter),
    /// A sample is taken; the sampler comes back.
    Sampled(Sampler, Vec<(RunId, Usage)>),
}
