//! Owns the supervisor: takes inputs from one queue, reads the clock, calls `step`, and has the
//! effects performed.

mod backlogs;
mod beat;
mod begin;
mod boot;
mod channels;
mod collect;
mod consulting;
mod deeds;
mod ending;
mod far;
mod gathering;
mod handed;
mod hearing;
mod later;
mod message;
mod notified;
mod past;
mod pm2_sockets;
mod reply;
mod room;
mod sampling;
mod standard_input;
mod standstill;
mod stowed;
mod strangers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{self, AbortHandle, JoinSet};
use tokio::time::{self, Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use zelador_api::PanicAt;
use zelador_core::check::Status;
use zelador_core::chronicle::Chronicle;
use zelador_core::config::Switch;
use zelador_core::effect::{CallAnswer, Done, Refusal};
use zelador_core::history::{Journal, Tier, Trials};
use zelador_core::id::{CallId, ProbeId, RunId, Ticket};
use zelador_core::input::{Command, Fact, Input};
use zelador_core::spec::Settings;
use zelador_core::supervisor::Supervisor;

use crate::aside::Aside;
use crate::backend::native::Native;
use crate::checks::CpuMeter;
use crate::clock::Clock;
use crate::events::Outlet;
use crate::history::{Archive, History, Syncer};
use crate::ipc;
use crate::logs::{LogEvent, Logs, Memory};
use crate::mounts::FarMounts;
use crate::pids::PidFiles;
use crate::processes::{RunKey, Sampler};
use crate::watch::Watcher;

pub(crate) use begin::in_force;
pub use ending::Ended;
use ending::Stop;
use gathering::Gathering;
pub(crate) use handed::remove_socket;
pub(crate) use later::{Later, can_wait};
pub use message::Message;
#[cfg(feature = "otlp")]
pub(crate) use past::numbers;
use sampling::QUIET_FOR;
pub(crate) use standard_input::NoInput;

/// How many messages may wait for the driver.
const INBOX: usize = 1024;

/// How often runs are sampled. PM2 looks every 30 s, and misses what is quicker; a pass costs
/// about 9 µs a process.
const SAMPLE_EVERY: Duration = Duration::from_secs(2);

/// How often what everything is at becomes part of the history.
const HISTORY_EVERY: Duration = Duration::from_secs(Tier::Raw.width());

/// How often the guardian hears from us; it gives up after 20 s of silence.
const ALIVE_EVERY: Duration = Duration::from_secs(2);

/// How often the write-ahead log of the history is moved into its file.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(1);

/// The engine's centre.
pub struct Driver {
    pub(crate) supervisor: Supervisor,
    pub(crate) clock: Clock,
    pub(crate) home: zelador_api::home::Home,
    /// The executable of zelador itself.
    pub(crate) program: PathBuf,
    pub(crate) native: Native,
    pub(crate) logs: Logs,
    pub(crate) history: History,
    history_path: PathBuf,
    /// The thread that has the disk hold it.
    syncer: Syncer,
    /// The thread that keeps the past.
    pub(crate) archive: Archive,
    /// What happens, for the history.
    journal: Journal,
    trials: Trials,
    /// The last verdict of every check.
    verdicts: BTreeMap<String, Status>,
    pub(crate) pids: PidFiles,
    /// What happens, for those who listen and for a file.
    pub(crate) outlet: Outlet,
    /// What happens, for the log of a home of PM2's shape.
    pub(crate) chronicle: Option<Chronicle>,
    pub(crate) sender: mpsc::Sender<Message>,
    /// Closes what services have handed in.
    aside: Aside,
    pub(crate) answers: BTreeMap<Ticket, oneshot::Sender<Result<Done, Refusal>>>,
    /// Answers that rest on records which could not be written yet, the oldest first.
    held: VecDeque<reply::Held>,
    /// Until then everybody else has a turn: the guardian does not stop to speak.
    others_until: Option<Instant>,
    /// Where those wait who make calls.
    pub(crate) callers: BTreeMap<CallId, mpsc::Sender<CallAnswer>>,
    pub(crate) settings: watch::Sender<Settings>,
    /// The address that the environment asks for, which wins.
    pub(crate) http: Option<Switch<SocketAddr>>,
    /// Measures the host's processors; away while it does.
    pub(crate) meter: Option<CpuMeter>,
    /// Looks, sweeps, evidence: everything that takes its time.
    pub(crate) tasks: JoinSet<()>,
    /// The looks under way that can be ended.
    pub(crate) looks: BTreeMap<ProbeId, AbortHandle>,
    /// Watches the files of apps.
    pub(crate) watcher: Watcher,
    /// What runs say, for those who listen.
    sayings: ipc::Sayings,
    /// How to speak to runs that have a channel.
    pub(crate) speakers: BTreeMap<RunId, ipc::Speaker>,
    /// The tasks that listen to what runs say by `sd_notify`.
    listeners: BTreeMap<RunId, Vec<AbortHandle>>,
    /// Which runs have which shared port, as far as this engine knows.
    port_users: BTreeMap<Vec<u8>, BTreeSet<RunId>>,
    /// Where runs began in their logs.
    pub(crate) log_starts: gathering::LogStarts,
    /// Facts that came of performing, to be taken before anything else.
    pub(crate) facts: Vec<Fact>,
    /// What can wait until the guardian has nothing to say.
    later: VecDeque<(Instant, Later)>,
    /// Evidence that is to be gathered.
    gathering: Gathering,
    inbox: mpsc::Receiver<Message>,
    next_ticket: u64,
    sampler: Option<Sampler>,
    /// So many samples are left out, because there are many runs.
    passes_to_skip: usize,
    clock_ahead: i64,
    server: JoinSet<()>,
    closing: CancellationToken,
    shutting_down: bool,
    /// The executable that is to take over.
    upgrade_to: Option<PathBuf>,
    /// Services lived on of which a damaged history tells nothing: the saved list takes their place.
    is_list_lost: bool,
    /// The folder (device and inode) in which the control socket was seen last.
    socket_in: Option<(u64, u64)>,
    /// Whether it is there no more, and another engine is to have one.
    lost_socket: bool,
    /// The file systems that may hang.
    pub(crate) far_mounts: FarMounts,
    /// What is being swept, and has not been reported to be gone.
    pub(crate) sweeping: BTreeMap<RunId, RunKey>,
    /// The memories for lines that the guardian is still to be told of.
    unkept: Vec<Memory>,
    /// Since when the guardian was seen to be stopped.
    stands_still_since: Option<Instant>,
    /// The list is coming up with the host: when that is told at the latest.
    booting: Option<Instant>,
    /// When the last process was started, or the engine began, if nothing was given back since.
    pub(crate) busy_at: Option<Instant>,
    /// The runs that are over and that the guardian keeps until that is recorded.
    pub(crate) unrecorded: VecDeque<RunId>,
    /// Whether code was given back already.
    pub(crate) gave_back: bool,
    /// Where a language model is asked.
    advisor: Option<mpsc::Sender<crate::advisor::Question>>,
}

impl Driver {
    /// Runs until the end.
    pub async fn run(mut self) -> Ended {
        let stop = self.turn().await;
        // It holds all of the driver, and is rare.
        Box::pin(self.end(stop)).await
    }

    /// Does what there is to do, one thing after the other; returns why there is no more.
    async fn turn(&mut self) -> Stop {
        let mut sample = time::interval(SAMPLE_EVERY);
        let mut alive = time::interval(ALIVE_EVERY);
        let mut checkpoint = time::interval(CHECKPOINT_EVERY);
        let mut past = time::interval(HISTORY_EVERY);
        for interval in [&mut sample, &mut alive, &mut checkpoint, &mut past] {
            interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        }
        loop {
            let deadline = match self.supervisor.next_deadline() {
                Some((at, _)) => self.clock.instant(at),
                None => Instant::now() + CHECKPOINT_EVERY,
            };
            // Messages that were refused for what nobody reports the end of (`ETOOMANYREFS`) are tried again soon.
            let deadline = if self.native.is_behind() {
                deadline.min(Instant::now() + Duration::from_millis(5))
            } else {
                deadline
            };
            let deadline = self.history.due().map_or(deadline, |at| deadline.min(at.into()));
            let deadline = self.booting.map_or(deadline, |until| deadline.min(until));
            let deadline = self.gathering.due().map_or(deadline, |at| deadline.min(at));
            let deadline = self.busy_at.map_or(deadline, |at| deadline.min(at + QUIET_FOR));
            tokio::select! {
                biased;
                _ = self.native.readable(), if !self.is_others_turn() => {
                    if let Some(stop) = self.hear() {
                        return stop;
                    }
                }
                _ = self.native.writable(), if self.native.is_behind() => self.native.flush(),
                // Gives way to what the guardian says meanwhile.
                () = task::yield_now(), if !self.later.is_empty() => self.do_first(),
                Some(message) = self.inbox.recv(), if self.later.is_empty() => self.take(message),
                () = time::sleep_until(deadline) => {
                    self.native.flush();
                    self.give_back();
                    self.step(Input::Tick);
                }
                _ = alive.tick() => self.beat(),
                _ = sample.tick() => self.sample(),
                _ = past.tick() => self.sample_for_history(),
                _ = checkpoint.tick() => self.checkpoint(),
                Some(done) = self.tasks.join_next() => {
                    // A listener of a run that is over is aborted.
                    if let Err(error) = done
                        && !error.is_cancelled()
                    {
                        tracing::error!(%error, "a task of the engine failed");
                    }
                }
                // Nobody else wants it.
                () = future::ready(()), if self.others_until.is_some() => self.others_until = None,
            }
            self.catch_up();
            self.begin_to_gather();
            self.replace_lost_list();
            self.tell_when_booted();
            if self.upgrade_to.is_some() {
                return Stop::Upgrade;
            }
            if self.lost_socket {
                return Stop::SocketGone;
            }
            if self.shutting_down
                && self.answers.is_empty()
                && self.supervisor.view().instances.is_empty()
            {
                return Stop::Done;
            }
        }
    }

    fn ticket(&mut self, answer: Option<oneshot::Sender<Result<Done, Refusal>>>) -> Ticket {
        let ticket = Ticket::new(self.next_ticket);
        self.next_ticket += 1;
        if let Some(answer) = answer {
            self.answers.insert(ticket, answer);
        }
        ticket
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Input(input) => {
                if let Input::Fact(
                    Fact::CallDropped { call } | Fact::CallEnded { call, failed: None, .. },
                ) = &input
                {
                    self.callers.remove(call);
                }
                if let Input::Fact(Fact::Swept { run }) = &input {
                    self.sweeping.remove(run);
                }
                if let Input::Fact(Fact::Looked { probe, .. }) = &input {
                    self.looks.remove(probe);
                }
                self.step(input);
            }
            Message::Command(Command::Shutdown, answer) => self.begin_shutdown(Some(answer)),
            Message::Command(command, answer) => {
                let ticket = self.ticket(Some(answer));
                self.step(Input::Command(ticket, command));
            }
            Message::Answers(run, launch) => {
                self.spawn_now(run, *launch);
                self.settle(Vec::new());
            }
            Message::Reply(ticket, answer) => self.send_reply(ticket, answer),
            Message::Call { call, wanted, answers } => {
                self.callers.insert(call, answers);
                self.step(Input::Fact(Fact::CallWanted { call, wanted }));
            }
            Message::Ask(look) => {
                self.supervisor.tell_time(self.clock.now());
                look(&self.supervisor);
            }
            Message::Listen(after, answer) => {
                // As above.
                _ = answer.send(self.outlet.listen(after));
            }
            Message::Upgrade(program, answer) => {
                let allowed = self.may_upgrade();
                self.upgrade_to = allowed.is_ok().then_some(program);
                // Whoever asked may have gone.
                _ = answer.send(allowed);
            }
            Message::Say(of, message, answer) => {
                // As above.
                _ = answer.send(self.say_to(of, &message));
            }
            Message::SampleNew(done) => self.sample_new(done),
            Message::EmptyLogs(paths, answer) => {
                // Nobody listens any more: the client has gone.
                self.logs.empty(paths, move |failed| _ = answer.send(failed));
            }
            Message::StandardInput(of, answer) => {
                // As above.
                _ = answer.send(self.standard_input(of));
            }
            Message::Panic(PanicAt::Driver) => panic!("asked to panic"),
            Message::Panic(PanicAt::Logs) => self.logs.panic(),
            Message::Panic(PanicAt::Task) => {
                self.tasks.spawn(async { panic!("asked to panic") });
            }
            Message::ReopenLogs => self.logs.reopen(),
            Message::Heard { run, heard, done } => self.heard(run, heard, done),
            Message::Notified { run, sender, said, descriptors, aside, done } => {
                let is_own = self.notified(run, sender, *said, descriptors, &aside);
                // The task may have ended with its run.
                _ = done.send(is_own);
            }
            Message::Log(LogEvent::Drained { run }) => self.native.drained(run),
            Message::Log(LogEvent::Trouble { path, error }) => {
                tracing::warn!(path = %path.display(), %error, "a log cannot be written; its lines wait");
            }
            Message::Log(LogEvent::Keep { memory }) => self.keep_backlog(memory),
            Message::Log(LogEvent::Forget { number }) => self.forget_backlog(number),
            Message::Log(LogEvent::Due) => self.logs.rotate_all(self.supervisor.log_files(None)),
            Message::Log(LogEvent::Recovered { path }) => {
                tracing::info!(path = %path.display(), "a log is written again");
            }
            Message::Measured(meter) => self.meter = Some(meter),
            Message::Sampled(sampler, usages) => {
                self.sampler = Some(sampler);
                self.step(Input::Fact(Fact::Sampled { usages }));
            }
        }
    }
}
