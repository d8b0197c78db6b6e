//! Carries out what the supervisor wants done. Nothing here waits: what takes its time becomes a
//! task that reports back by a fact.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;
use zelador_core::check::CheckTarget;
use zelador_core::effect::{CallAnswer, Effect, Notice, Severity};
use zelador_core::history::{Event, Kind};
use zelador_core::id::{InstanceId, ProbeId, RunId};
use zelador_core::input::{Fact, Input};
use zelador_core::launch::{FILE_SERVER, FILE_SERVER_ROLE, Launch};
use zelador_core::notify::{Delivery, DeliveryOutcome};
use zelador_core::record::Record;
use zelador_core::signal::Signal;
use zelador_core::unit::Moment;
use zelador_core::words::Words;

use crate::checks::{self, Target};
use crate::driver::{Driver, Later, Message, can_wait, in_force};
use crate::evidence;
use crate::history::Item;
use crate::processes::{self, RunKey};
use crate::{env_files, logs, notify, pulse};

impl Driver {
    /// Does all of these: processes that are ahead of their records are asked for first, then records are
    /// written, then the other processes are asked for, which people wait for, then comes the rest in its order,
    /// but for what can wait.
    pub(crate) fn perform(&mut self, mut effects: Vec<Effect>) {
        self.start_ahead(&mut effects);
        let mut records = Vec::new();
        let mut spawns = Vec::new();
        let mut sweeps = Vec::new();
        let mut rest = Vec::new();
        for effect in effects {
            match effect {
                Effect::Record(record) => records.push(record),
                Effect::Spawn { run, launch, .. } => spawns.push((run, launch)),
                // Looking for what a dead run left behind can wait until its successor was started.
                sweep @ Effect::Sweep { .. } => sweeps.push(sweep),
                other => rest.push(other),
            }
        }
        let now = self.clock.now();
        if !records.is_empty() {
            self.history.keep(&records, now);
        }
        for (run, launch) in spawns {
            self.spawn(run, *launch);
        }
        if self.history.is_frozen() {
            // How each run ends is told; nothing is removed, since all of it comes back.
            records.retain(|record| matches!(record, Record::Instance(_)));
        }
        if !records.is_empty() {
            self.put_off(Later::Told(now, records));
        }
        for effect in rest.into_iter().chain(sweeps) {
            if can_wait(&effect) {
                self.put_off(Later::Do(effect));
            } else {
                self.do_one(effect);
            }
        }
    }

    /// Asks for the processes that are ahead of their records: they come first among the effects of a step.
    /// Returns which.
    pub(crate) fn start_ahead(&mut self, effects: &mut Vec<Effect>) -> Vec<RunId> {
        let rest = effects.iter().take_while(|effect| effect.is_ahead()).count();
        let mut begun = Vec::new();
        for effect in effects.drain(..rest) {
            if let Effect::Spawn { run, launch, .. } = effect {
                self.spawn(run, *launch);
                begun.push(run);
            }
        }
        begun
    }

    pub(crate) fn do_one(&mut self, effect: Effect) {
        match effect {
            Effect::Record(_) | Effect::Spawn { .. } => {}
            Effect::Sweep { run, kill_at } => self.sweep(run, kill_at),
            Effect::Terminate { run, signal, tree } => self.terminate_run(run, signal, tree),
            Effect::Say { run, say } => self.say(run, &say),
            Effect::Signal { run, signal } => self.signal(run, signal),
            Effect::Listen { run } => {
                let waits = self.has_words_waiting(run);
                self.facts.push(Fact::Listened { run, waits });
            }
            Effect::WritePid { path, pid } => self.pids.write(path, pid),
            Effect::RemovePid { path } => self.pids.remove(path),
            Effect::Kill { run } => {
                self.native.note_kill(run);
                self.native.linger(run);
                self.sweep_slowly(run, Instant::now());
            }
            Effect::Look { probe, target, timeout } => self.look(probe, target, timeout),
            Effect::LeaveLook { probe } => {
                if let Some(look) = self.looks.remove(&probe) {
                    look.abort();
                }
            }
            Effect::Gather { incident, run, ended, pid: _, logs, port, folders, place } => {
                self.gather(incident, (run, ended), logs, port, folders, *place);
            }
            Effect::Explain { instance, died_at, logs, port } => {
                let logs = [logs.1, logs.0].into_iter().flatten().collect();
                self.explain(instance, died_at, logs, port);
            }
            Effect::Dump { incident, pid, runtime, timeout } => {
                self.dump(incident, pid, runtime, timeout);
            }
            Effect::Consult { incident, evidence } => self.consult(incident, *evidence),
            Effect::Survey { of } => self.survey(of),
            Effect::Apply { incident, deed, timeout } => self.apply(incident, *deed, timeout),
            Effect::Watch { app, plan } => self.watcher.set(app, plan.map(|plan| *plan)),
            Effect::Configure(settings) => {
                self.logs.set_rotation(settings.rotation.clone());
                self.archive.keep(Item::Retention(settings.history));
                self.settings.send_replace(in_force(*settings, self.http));
            }
            Effect::Notify(notice) => {
                self.outlet.notice(self.clock.now(), &notice);
                let event = Event::new(self.clock.now(), Kind::Notice, notice.text.clone());
                self.archive.keep(Item::Event(event.of(&notice.subject)));
                tell(&notice);
            }
            Effect::Deliver(delivery) => self.deliver(*delivery),
            Effect::Ping { id, to, failing, timeout } => {
                let (sender, home) = (self.sender.clone(), self.home.clone());
                self.tasks.spawn(async move {
                    let went = pulse::ping(&to, failing, timeout, &home).await;
                    _ = sender.send(Message::Input(Input::Fact(Fact::Pinged { id, went }))).await;
                });
            }
            Effect::Call { call, answer } => {
                let is_last = matches!(answer, CallAnswer::GiveUp(_));
                // It has room: one answer is asked for at a time. Whoever asked may have gone.
                let heard = self.callers.get(&call).is_some_and(|it| it.try_send(answer).is_ok());
                if is_last || !heard {
                    self.callers.remove(&call);
                }
            }
            Effect::Reply(ticket, answer) => self.reply(ticket, answer),
        }
    }

    fn spawn(&mut self, run: RunId, launch: Launch) {
        match self.far_mount(&launch) {
            Some(mount) => self.spawn_when_it_answers(run, launch, mount),
            None => self.spawn_now(run, launch),
        }
    }

    pub(crate) fn spawn_now(&mut self, run: RunId, mut launch: Launch) {
        self.busy_at = Some(Instant::now());
        if launch.program == FILE_SERVER {
            launch.program = self.program.display().to_string();
            launch.args.insert(0, FILE_SERVER_ROLE.to_owned());
        }
        self.log_starts.note(run, &launch);
        let spawned = env_files::lay(&mut launch).and_then(|env| {
            self.facts.extend(env.map(|env| Fact::EnvRead { run, env }));
            let handed = self.hand_over(run, &launch)?;
            self.native.spawn(run, &launch, handed)
        });
        if let Ok(not_held) = &spawned
            && !not_held.is_empty()
        {
            self.facts.push(Fact::NotLimited { run, why: Words::joined(not_held, "; ") });
        }
        if let Err(failure) = spawned {
            self.close_notify(run);
            tracing::warn!(%run, %failure, "a process could not be started");
            self.facts.push(Fact::SpawnFailed { run, failure });
        }
    }

    /// Asks a run to end: the whole process group at once, and what left the group one by one.
    pub(crate) fn terminate_run(&mut self, run: RunId, signal: Signal, tree: bool) {
        let key = self.native.key(run).filter(|key| tree && processes::has_children(key.pid));
        // It may be gone at once: whether it has children is to be seen before.
        self.native.ask_to_end(run, signal, tree);
        let Some(key) = key else { return };
        self.tasks.spawn(async move { processes::signal_outside_group(&key, signal).await });
    }

    /// Sends a signal to the main process: through the guardian, unless another one than that which was started has
    /// become it (`MAINPID`) and still is of the run.
    fn signal(&mut self, run: RunId, signal: Signal) {
        let named = self.supervisor.main_pid_of(run).and_then(|pid| {
            let key = self.native.key(run).filter(|key| key.pid != pid)?;
            let member = processes::member(pid).ok()??;
            (processes::is_member(&key, pid) == Some(true)).then_some(member)
        });
        let Some(member) = named else { return self.native.signal(run, signal, false) };
        if let Err(error) = processes::signal(member, signal) {
            tracing::warn!(%run, pid = member.pid, %error, "the main process cannot be signalled");
        }
    }

    /// The main process of a run is gone: reports when nothing of its tree is left.
    fn sweep(&mut self, run: RunId, kill_at: Moment) {
        let Some(key) = self.key_to_sweep(run) else { return };
        // The usual case costs a system call or two instead of a pass over all processes.
        let gone = match &key.group {
            Some(group) => processes::cgroup::is_empty(group),
            None => {
                let may_have_left = self.native.has_orphans() || self.native.is_foreign(run);
                processes::group_is_empty(key.pid) && !may_have_left
            }
        };
        if gone {
            self.native.swept(run);
            self.facts.push(Fact::Swept { run });
            return;
        }
        self.sweep_slowly(run, self.clock.instant(kill_at));
    }

    /// By what the processes of a run are known. One that is over and of which nothing is being swept is swept.
    fn key_to_sweep(&mut self, run: RunId) -> Option<RunKey> {
        let key = self.native.key(run).or_else(|| self.sweeping.get(&run).cloned());
        if key.is_none() {
            self.facts.push(Fact::Swept { run });
        }
        key
    }

    fn sweep_slowly(&mut self, run: RunId, until: Instant) {
        let Some(key) = self.key_to_sweep(run) else { return };
        // The guardian may forget the run before everything of it is gone.
        self.sweeping.insert(run, key.clone());
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            let swept = processes::sweep(&key, until).await;
            if swept.killed > 0 {
                tracing::info!(%run, processes = swept.killed, "killed what was left of a run");
            }
            if let Some(error) = &swept.blind {
                tracing::warn!(%run, %error, "it is not known whether anything is left of a run");
            }
            if !swept.survivors.is_empty() {
                let pids: Vec<i32> = swept.survivors.iter().map(|member| member.pid).collect();
                tracing::error!(%run, ?pids, "processes cannot be killed: they wait for a device");
                return;
            }
            _ = sender.send(Message::Input(Input::Fact(Fact::Swept { run }))).await;
            if let Some(group) = &key.group {
                processes::cgroup::remove_when_dead(group).await;
            }
        });
    }

    fn look(&mut self, probe: ProbeId, target: CheckTarget, timeout: Duration) {
        let target = match target {
            CheckTarget::Memory => Target::Memory,
            CheckTarget::Cpu => Target::Cpu,
            CheckTarget::Disk => Target::Disk { paths: self.supervisor.watched_folders() },
            CheckTarget::Database { url, query, expect } => Target::Database { url, query, expect },
            CheckTarget::Host(meter) => {
                Target::Host { meter, paths: self.supervisor.watched_folders() }
            }
            CheckTarget::Process { pid, usage, restarts } => {
                Target::Process { pid, usage, restarts }
            }
            CheckTarget::App(probe) => Target::Probe(probe),
        };
        let sender = self.sender.clone();
        let looked = move |outcome| Message::Input(Input::Fact(Fact::Looked { probe, outcome }));
        if target == Target::Cpu {
            // The meter comes back with the result: it measures from one look to the next.
            let mut meter = self.meter.take().unwrap_or_default();
            self.tasks.spawn(async move {
                let outcome = meter.look().await;
                _ = sender.send(Message::Measured(meter)).await;
                _ = sender.send(looked(outcome)).await;
            });
            return;
        }
        let look = self.tasks.spawn(async move {
            let outcome = checks::look(&target, timeout).await;
            tracing::trace!(?target, ?outcome, "looked");
            _ = sender.send(looked(outcome)).await;
        });
        self.looks.insert(probe, look);
    }

    /// Brings a message to its channel; the desk hears how that went.
    fn deliver(&mut self, delivery: Delivery) {
        let (sender, home) = (self.sender.clone(), self.home.clone());
        self.tasks.spawn(async move {
            let outcome = notify::deliver(&delivery, &home).await;
            let channel = &delivery.name;
            match &outcome {
                DeliveryOutcome::Delivered { .. } => {
                    tracing::debug!(%channel, "a notice is delivered");
                }
                DeliveryOutcome::Failed { reason, .. } => {
                    tracing::warn!(%channel, %reason, "a notice is not delivered: it waits");
                }
                DeliveryOutcome::Refused { reason } => {
                    tracing::error!(%channel, %reason, "a notice is refused: it is dropped");
                }
            }
            let fact = Fact::Delivered { delivery: delivery.id, outcome };
            _ = sender.send(Message::Input(Input::Fact(fact))).await;
        });
    }
}

/// Its last line may still be on its way to the log: it is looked for again after these pauses.
const LINE_ON_ITS_WAY: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(60),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// How much of a log is read for it.
const PORT_LINES: usize = 40;
/// The same in bytes.
const PORT_BYTES: u64 = 32 << 10;

/// How long it is looked for who has a port. Nothing waits for it, and a busy host takes its time.
const HOLDER_WITHIN: Duration = Duration::from_secs(3);

impl Driver {
    /// Finds out whether a run ended because its port was taken, and who has it.
    fn explain(
        &mut self,
        instance: InstanceId,
        died_at: Moment,
        logs: Vec<PathBuf>,
        port: Option<u16>,
    ) {
        let (now, sender) = (self.clock.now(), self.sender.clone());
        let format = self.supervisor.settings().rotation.date_format.clone();
        self.tasks.spawn(async move {
            for pause in LINE_ON_ITS_WAY {
                tokio::time::sleep(pause).await;
                let (logs, format) = (logs.clone(), format.clone());
                let holders = tokio::task::spawn_blocking(move || {
                    let lines = |log: &PathBuf| {
                        logs::tail(log, PORT_LINES, PORT_BYTES, &format).unwrap_or_default()
                    };
                    let taken =
                        logs.iter().find_map(|log| evidence::port::taken(&lines(log), port))?;
                    let limit = std::time::Instant::now() + HOLDER_WITHIN;
                    Some(evidence::port::holders(taken, now, limit))
                });
                if let Ok(Some(holders)) = holders.await {
                    if !holders.is_empty() {
                        let fact = Fact::PortTaken { instance, died_at, holders };
                        _ = sender.send(Message::Input(Input::Fact(fact))).await;
                    }
                    return;
                }
            }
        });
    }
}

/// Tells people; so far they read zelador's own log.
fn tell(notice: &Notice) {
    let Notice { severity, subject, text, .. } = notice;
    match severity {
        Severity::Info => tracing::info!(%subject, "{text}"),
        Severity::Warning => tracing::warn!(%subject, "{text}"),
        Severity::Critical => tracing::error!(%subject, "{text}"),
    }
}
