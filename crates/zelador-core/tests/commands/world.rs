//! A world where every process starts and ends at once.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zelador_core::config::{Context, Value, script_app};
use zelador_core::death::Death;
use zelador_core::effect::{Done, Effect, Refusal};
use zelador_core::id::{RunId, Ticket};
use zelador_core::input::{Command, Declaration, Fact, Input, Unchanged};
use zelador_core::instance::Goal;
use zelador_core::launch::Launch;
use zelador_core::signal::Signal;
use zelador_core::spec::{AppSpec, Cadence, Environment};
use zelador_core::supervisor::{InstanceView, Supervisor, Surroundings};
use zelador_core::unit::{Moment, SECOND};

/// A supervisor, and what its effects brought about.
pub struct World {
    pub supervisor: Supervisor,
    pub now: Moment,
    /// The last launch of each app's processes, in order.
    pub launches: Vec<Launch>,
    /// The pid files that are there.
    pub pid_files: BTreeMap<PathBuf, i32>,
    pub signals: Vec<(RunId, Signal)>,
    next_ticket: u64,
}

/// What a checker is told when nothing matters.
pub fn context(env: &[(&str, &str)]) -> Context {
    let env: Environment = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Context {
        file: PathBuf::from("command line"),
        folder: PathBuf::from("/srv"),
        inherited_env: Arc::new(env),
        env_name: None,
        cores: 4,
        only: None,
        known: None,
        is_file: |_| false,
        cadence: Cadence::default(),
        defaults: zelador_core::config::Defaults::default(),
    }
}

/// An app of one script with these fields.
pub fn app(fields: Vec<(&str, Value)>) -> AppSpec {
    script_app("/srv/server.js", &[], fields, &context(&[("PATH", "/bin")])).unwrap().0
}

/// Those of every world and of who takes over from it.
pub fn surroundings() -> Surroundings {
    Surroundings {
        home: "/home/z".into(),
        zone: jiff::tz::TimeZone::UTC,
        seed: 7,
        boot: String::new(),
        last_up: None,
    }
}

impl World {
    pub fn new() -> Self {
        let now = Moment::from_micros(1_700_000_000_000_000);
        Self {
            supervisor: Supervisor::new(surroundings(), now),
            now,
            launches: Vec::new(),
            pid_files: BTreeMap::new(),
            signals: Vec::new(),
            next_ticket: 0,
        }
    }

    /// Declares an app, and returns what that did.
    pub fn declare(&mut self, spec: AppSpec, unchanged: Unchanged) -> Done {
        let apps = vec![Declaration { spec, goal: Goal::Up, replace: true }];
        self.command(Command::Declare { apps, settings: None, unchanged }).unwrap()
    }

    /// Gives a command and lets everything happen that follows.
    pub fn command(&mut self, command: Command) -> Result<Done, Refusal> {
        let ticket = Ticket::new(self.next_ticket);
        self.next_ticket += 1;
        self.now = self.now + SECOND;
        self.play(Input::Command(ticket, command)).expect("a command is answered")
    }

    /// Takes in a fact.
    pub fn hear(&mut self, fact: Fact) {
        self.play(Input::Fact(fact));
    }

    /// Lets a process end.
    pub fn die(&mut self, run: RunId, death: Death) {
        self.hear(Fact::Exited { run, death });
    }

    /// Lets time pass, and with it everything that was due.
    pub fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some((due, _)) = self.supervisor.next_deadline().filter(|(at, _)| *at <= until) {
            self.now = due.max(self.now);
            self.play(Input::Tick);
        }
        self.now = until;
    }

    fn play(&mut self, input: Input) -> Option<Result<Done, Refusal>> {
        let mut inputs = VecDeque::from([input]);
        let mut answer = None;
        while let Some(input) = inputs.pop_front() {
            for effect in self.supervisor.step(self.now, input) {
                match effect {
                    Effect::Spawn { run, launch, .. } => {
                        self.launches.push(*launch);
                        let pid = i32::try_from(run.number()).unwrap() + 1000;
                        inputs.push_back(Input::Fact(Fact::Spawned { run, pid }));
                    }
                    Effect::Terminate { run, .. } => {
                        let death = Death::Exited { code: 0 };
                        inputs.push_back(Input::Fact(Fact::Exited { run, death }));
                    }
                    Effect::Sweep { run, .. } => inputs.push_back(Input::Fact(Fact::Swept { run })),
                    // Nothing is found that tells why it ended.
                    Effect::Gather { incident, .. } => {
                        let evidence = Box::default();
                        inputs.push_back(Input::Fact(Fact::Gathered { incident, evidence }));
                    }
                    Effect::Signal { run, signal } => self.signals.push((run, signal)),
                    Effect::WritePid { path, pid } => _ = self.pid_files.insert(path, pid),
                    Effect::RemovePid { path } => _ = self.pid_files.remove(&path),
                    Effect::Reply(_, reply) => answer = Some(reply),
                    _ => {}
                }
            }
        }
        answer
    }

    pub fn list(&self) -> Vec<InstanceView> {
        self.supervisor.view().instances
    }

    /// The declaration of an app.
    pub fn spec(&self, name: &str) -> AppSpec {
        let apps = self.supervisor.app_views();
        apps.into_iter().find(|it| it.spec.name.as_str() == name).expect("it is listed").spec
    }

    /// The environment of the process that was started last.
    pub fn last_env(&self) -> &Environment {
        &self.launches.last().expect("something was started").env
    }

    /// Whether each process has its pid file, and no other is there.
    pub fn pid_files_are_right(&self) -> bool {
        let mut expected: BTreeMap<PathBuf, i32> = BTreeMap::new();
        for app in self.supervisor.app_views() {
            if let Some(pid) = app.instance.pid {
                expected.insert(app.pid_file, pid);
            }
        }
        expected == self.pid_files && expected.keys().all(|path| path.starts_with(Path::new("/")))
    }
}
