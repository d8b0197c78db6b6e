//! How an engine begins: settings, the guardian's welcome, what the engine before knew.

use crate::advisor::Advisor;
use crate::aside::Aside;
use crate::backend::native::Native;
use crate::calls::Caller;
use crate::checks::CpuMeter;
use crate::clock::Clock;
use crate::events::Outlet;
use crate::history::{self, Archive, History, Item, Syncer};
use crate::logs::{Adopted, Logs};
use crate::mounts::FarMounts;
use crate::pids::PidFiles;
use crate::processes::Sampler;
use crate::watch::Watcher;
use crate::{Error, Options, pm2, server};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zelador_core::config::Switch;
use zelador_core::history::{Event, Journal, Kind, Trials};
use zelador_core::input::{Fact, Input};
use zelador_core::spec::Settings;
use zelador_core::supervisor::{Supervisor, Surroundings};
use zelador_core::words::quoted;

use super::stowed::Stowed;
use super::{Driver, INBOX, Message};

/// So much of what runs say may wait for a listener; a line is at most 64 KiB.
const SAYINGS_WAITING: usize = 128;

impl Driver {
    /// Takes over from the engine before: records, then the guardian's inventory.
    pub fn begin(options: Options, socket: OwnedFd) -> Result<Self, Error> {
        let Options { home, program, history: history_path, base, modules, http, complaints } =
            options;
        let clock = Clock::start();
        for complaint in complaints {
            tracing::warn!("settings: {complaint}");
        }
        let aside = Aside::default();
        let (mut native, mut sources) =
            Native::connect(socket, home.path().to_owned(), aside.clone())
                .map_err(Error::Guardian)?;
        let (history, records, damaged) = History::open(&history_path, clock.now())?;
        if let Some(path) = &damaged {
            tracing::error!(path = %path.display(), "the history was damaged: set aside, begun anew");
        }
        let path = history_path.clone();
        let syncer = Syncer::start(move || history::sync(&path))
            .map_err(|error| Error::System("the thread of the disk cannot be started", error))?;
        let archive = Archive::start(&history_path)
            .map_err(|error| Error::System("the history's thread cannot be started", error))?;
        let (mut journal, mut trials) = (Journal::default(), Trials::default());
        for record in &records {
            // What was is known already.
            drop((journal.tell(clock.now(), record), trials.tell(clock.now(), record)));
        }
        let version = env!("CARGO_PKG_VERSION");
        let begun = quoted(format!("zelador {version}, pid {}", std::process::id()));
        archive.keep(Item::Event(Event::new(clock.now(), Kind::Engine, begun)));
        let found = native.take_on_lost(&records).map_err(|error| {
            Error::System("it is not known which runs of the engine before still live", error)
        })?;
        sources.extend(found.sources);
        for (app, declared, socket) in found.sockets {
            let name = Stowed::of_socket(app, &declared).bytes();
            if native.stowed(&name).is_none()
                && let Err(error) = native.stow(&name, &socket)
            {
                tracing::warn!(%error, "the socket of an adopted run cannot be kept");
            }
        }
        // Of an engine that began there is always a record.
        let is_lost = damaged.is_some() || records.is_empty();
        let is_list_lost = is_lost && !native.live_runs().is_empty();
        let inventory = native.inventory();
        let (sender, inbox) = mpsc::channel(INBOX);
        let log_events = sender.clone();
        let watch_facts = sender.clone();
        // A thread of the watcher may wait for the driver; the driver never waits for one.
        let watched = move |fact| _ = watch_facts.blocking_send(Message::Input(Input::Fact(fact)));
        let surroundings = Surroundings {
            home: home.path().to_owned(),
            zone: TimeZone::system(),
            seed: seed(),
            boot: super::boot::id(),
            last_up: history.last_up(),
        };
        let outlet = Outlet::start(home.events(), &records);
        let chronicle = pm2::begin(&home, native.guardian_pid(), &records, clock.now());
        let mut supervisor = Supervisor::recover(surroundings, clock.now(), records);
        supervisor.leave_out(history.left_out().to_vec());
        // Before the logs begin: by other settings old ones would be deleted that are to be kept.
        let layers = Fact::Layers { base: Box::new(base), modules: Box::new(modules) };
        let effects = supervisor.step(clock.now(), Input::Fact(layers));
        let backlogs = super::backlogs::left_behind(&native);
        let logs = Logs::start(
            supervisor.settings().rotation.clone(),
            Some(home.own_log()),
            Adopted { sources, backlogs },
            // The log thread may wait for the driver; the driver never waits for the log thread.
            move |event| _ = log_events.blocking_send(Message::Log(event)),
        )
        .map_err(|error| Error::System("the log thread cannot be started", error))?;
        archive.keep(Item::Retention(supervisor.settings().history));
        let settings = in_force(supervisor.settings().clone(), http);
        let (settings, _) = watch::channel(settings);
        let mut driver = Self {
            supervisor,
            clock,
            home,
            native,
            logs,
            history,
            history_path,
            syncer,
            archive,
            journal,
            trials,
            verdicts: BTreeMap::new(),
            pids: PidFiles::start(),
            program,
            outlet,
            chronicle,
            sender,
            aside,
            answers: BTreeMap::new(),
            held: VecDeque::new(),
            others_until: None,
            callers: BTreeMap::new(),
            settings,
            http,
            meter: Some(CpuMeter::new()),
            tasks: JoinSet::new(),
            looks: BTreeMap::new(),
            watcher: Watcher::new(watched),
            sayings: broadcast::channel(SAYINGS_WAITING).0,
            speakers: BTreeMap::new(),
            listeners: BTreeMap::new(),
            port_users: BTreeMap::new(),
            log_starts: super::gathering::LogStarts::default(),
            facts: Vec::new(),
            later: VecDeque::new(),
            gathering: super::gathering::Gathering::default(),
            inbox,
            next_ticket: 0,
            sampler: Some(Sampler::new()),
            passes_to_skip: 0,
            clock_ahead: 0,
            server: JoinSet::new(),
            closing: CancellationToken::new(),
            shutting_down: false,
            upgrade_to: None,
            is_list_lost,
            socket_in: None,
            lost_socket: false,
            stands_still_since: None,
            unkept: Vec::new(),
            sweeping: BTreeMap::new(),
            far_mounts: FarMounts::read(),
            booting: None,
            busy_at: Some(tokio::time::Instant::now()),
            unrecorded: VecDeque::new(),
            gave_back: false,
            advisor: None,
        };
        driver.serve()?;
        driver.native.greet();
        driver.perform(effects);
        for run in driver.native.ended_runs() {
            driver.logs.finish(run);
        }
        if driver.native.is_ending() {
            // Before it is looked what is gone: none of it is started again.
            driver.terminate();
        }
        driver.step(Input::Fact(inventory));
        for run in driver.native.ended_runs() {
            driver.native.recorded(run);
        }
        for run in driver.native.live_runs() {
            driver.open_channel(run);
            driver.open_notify(run);
        }
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            pid = std::process::id(),
            guardian = driver.native.guardian_pid(),
            "the engine is up"
        );
        Ok(driver)
    }

    pub(super) fn serve(&mut self) -> Result<(), Error> {
        let failed = |error: io::Error| Error::System("the control socket cannot be used", error);
        let listener = self.native.listener().map_err(failed)?;
        let file = self.home.advice();
        let caller = Caller::new(self.sender.clone());
        let (advisor, questions) =
            Advisor::new(&file, self.clock, self.settings.subscribe(), caller);
        self.server.spawn(advisor.run(self.closing.clone()));
        self.advisor = Some(questions.clone());
        let handle = server::Handle {
            advisor: questions,
            inbox: self.sender.clone(),
            guardian_pid: self.native.guardian_pid().unsigned_abs(),
            home: self.home.clone(),
            settings: self.settings.subscribe(),
            archive: self.archive.clone(),
            clock: self.clock,
            sayings: self.sayings.clone(),
        };
        #[cfg(feature = "otlp")]
        if let Some(exporter) = crate::otlp::Exporter::of(&handle) {
            self.server.spawn(exporter.run(self.closing.clone()));
        }
        server::start(&mut self.server, handle, listener, &self.closing).map_err(failed)?;
        self.answer_pm2s_clients();
        Ok(())
    }
}

/// The settings with what the environment says over them.
pub(crate) fn in_force(settings: Settings, http: Option<Switch<SocketAddr>>) -> Settings {
    let address = match http {
        None => settings.http,
        Some(Switch::Off) => None,
        Some(Switch::On(address)) => Some(address),
    };
    Settings { http: address, ..settings }
}

/// A number that nobody can guess, for the supervisor's own generator.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
