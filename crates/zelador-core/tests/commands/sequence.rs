//! Starts and stops in order.

use std::collections::{BTreeMap, VecDeque};

use zelador_core::death::Death;
use zelador_core::effect::{Done, Effect, Refusal};
use zelador_core::id::{AppName, RunId, Ticket};
use zelador_core::input::{Command, Declaration, Fact, Input, ReadyBy, Unchanged};
use zelador_core::instance::{Goal, Phase};
use zelador_core::spec::{AppSpec, Condition};
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::{Moment, SECOND};

use crate::world::{app, surroundings};

/// A supervisor whose processes do what a test says.
struct Stage {
    supervisor: Supervisor,
    now: Moment,
    /// What was asked for, in order: `spawn api`, `stop api`.
    asked: Vec<String>,
    runs: BTreeMap<String, RunId>,
    answer: Option<Result<Done, Refusal>>,
}

fn spec(name: &str, needs: &[(&str, Option<Condition>)]) -> AppSpec {
    let mut spec = app(Vec::new());
    spec.name = AppName::new(name).unwrap();
    spec.depends_on = needs.iter().map(|(name, _)| (*name).to_owned()).collect();
    let given = needs.iter().filter_map(|(name, it)| Some(((*name).to_owned(), (*it)?)));
    spec.conditions = given.collect();
    spec
}

impl Stage {
    fn new() -> Self {
        let now = Moment::from_micros(1_700_000_000_000_000);
        let supervisor = Supervisor::new(surroundings(), now);
        Self { supervisor, now, asked: Vec::new(), runs: BTreeMap::new(), answer: None }
    }

    fn declare(&mut self, specs: &[AppSpec]) -> Vec<String> {
        let declared =
            |spec: &AppSpec| Declaration { spec: spec.clone(), goal: Goal::Up, replace: true };
        let apps = specs.iter().map(declared).collect();
        let unchanged = Unchanged::LeaveAlone;
        self.command(Command::Declare { apps, settings: None, unchanged })
    }

    /// Returns what this command asks for at once.
    fn command(&mut self, command: Command) -> Vec<String> {
        self.answer = None;
        self.step(Input::Command(Ticket::new(1), command))
    }

    fn step(&mut self, input: Input) -> Vec<String> {
        self.now = self.now + SECOND / 10;
        let mut inputs = VecDeque::from([input]);
        let mut asked = Vec::new();
        while let Some(input) = inputs.pop_front() {
            for effect in self.supervisor.step(self.now, input) {
                match effect {
                    Effect::Spawn { run, launch, .. } => {
                        self.runs.insert(launch.app.clone(), run);
                        asked.push(format!("spawn {}", launch.app));
                    }
                    Effect::Terminate { run, .. } => {
                        let app = self.runs.iter().find(|(_, its)| **its == run);
                        asked.push(format!("stop {}", app.unwrap().0));
                    }
                    Effect::Sweep { run, .. } => inputs.push_back(Input::Fact(Fact::Swept { run })),
                    Effect::Reply(_, answer) => self.answer = Some(answer),
                    _ => {}
                }
            }
        }
        self.asked.extend(asked.iter().cloned());
        asked
    }

    fn up(&mut self, app: &str) -> Vec<String> {
        let run = self.runs[app];
        let pid = i32::try_from(run.number()).unwrap() + 1_000;
        self.step(Input::Fact(Fact::Spawned { run, pid }))
    }

    fn ready(&mut self, app: &str) -> Vec<String> {
        let run = self.runs[app];
        self.step(Input::Fact(Fact::Ready { run, by: ReadyBy::Message }))
    }

    fn ends(&mut self, app: &str, code: i32) -> Vec<String> {
        let run = self.runs[app];
        self.step(Input::Fact(Fact::Exited { run, death: Death::Exited { code } }))
    }

    fn said(&self, app: &str) -> String {
        let view = self.supervisor.view();
        let instance = view.instances.into_iter().find(|it| it.app == app).unwrap();
        instance.health.map(|health| health.message).unwrap_or_default()
    }

    fn selected(verb: fn(Vec<String>) -> Command, name: &str) -> Command {
        verb(vec![name.to_owned()])
    }
}

fn start(selectors: Vec<String>) -> Command {
    Command::Start { selectors }
}

fn stop(selectors: Vec<String>) -> Command {
    Command::Stop { selectors }
}

fn restart(selectors: Vec<String>) -> Command {
    Command::Restart { selectors, change: None }
}

#[test]
fn what_needs_nothing_starts_together_and_the_rest_follows_wherever_it_stands_in_the_file() {
    let mut stage = Stage::new();
    let web = spec("web", &[("api", None), ("cache", None)]);
    let api = spec("api", &[("base", None)]);
    let asked = stage.declare(&[web, api, spec("base", &[]), spec("cache", &[])]);
    assert_eq!(asked, ["spawn base", "spawn cache"]);
    assert_eq!(
        stage.said("web"),
        "waits for api to be ready: it waits for base to be ready: it is being started"
    );
    assert_eq!(stage.up("cache"), Vec::<String>::new());
    assert_eq!(stage.up("base"), ["spawn api"]);
    assert!(stage.answer.is_none(), "the command waits for all of them");
    assert_eq!(stage.up("api"), ["spawn web"]);
    stage.up("web");
    let done = stage.answer.take().unwrap().unwrap();
    assert!(done.instances.iter().all(|it| it.ok), "{done:?}");
    assert!(stage.supervisor.view().instances.iter().all(|it| it.restarts == 0));
}

#[test]
fn what_needs_an_app_is_gone_before_the_app_is_asked_to_stop() {
    let mut stage = Stage::new();
    stage.declare(&[spec("base", &[]), spec("api", &[("base", None)]), spec("other", &[])]);
    for app in ["base", "other", "api"] {
        stage.up(app);
    }
    assert_eq!(stage.command(Stage::selected(stop, "all")), ["stop api", "stop other"]);
    let base = &stage.supervisor.view().instances[0];
    assert!(matches!(base.phase, Phase::Stopping { waits: true, .. }), "{base:?}");
    assert_eq!(stage.ends("api", 0), ["stop base"]);
    stage.ends("base", 0);
    stage.ends("other", 0);
    assert!(stage.answer.take().unwrap().is_ok());
}

#[test]
fn a_dependant_that_does_not_stop_holds_nobody_longer_than_it_may() {
    let mut stage = Stage::new();
    stage.declare(&[spec("base", &[]), spec("api", &[("base", None)])]);
    stage.up("base");
    stage.up("api");
    assert_eq!(stage.command(Stage::selected(stop, "all")), ["stop api"]);
    let mut ticks = 0;
    while !stage.asked.contains(&"stop base".to_owned()) {
        let (at, _) = stage.supervisor.next_deadline().unwrap();
        stage.now = stage.now.max(at);
        stage.step(Input::Tick);
        ticks += 1;
        assert!(ticks < 100, "base is never asked");
    }
}

#[test]
fn one_app_alone_stops_at_once_whoever_needs_it() {
    let mut stage = Stage::new();
    stage.declare(&[spec("base", &[]), spec("api", &[("base", None)])]);
    stage.up("base");
    stage.up("api");
    assert_eq!(stage.command(Stage::selected(stop, "base")), ["stop base"]);
    stage.ends("base", 0);
    // A person stopped it: the api is restarted without it.
    assert_eq!(stage.command(Stage::selected(restart, "api")), ["stop api"]);
    assert_eq!(stage.ends("api", 0), ["spawn api"]);
}

#[test]
fn a_start_brings_up_what_it_needs_too() {
    let mut stage = Stage::new();
    stage.declare(&[spec("base", &[]), spec("api", &[("base", None)])]);
    stage.up("base");
    stage.up("api");
    stage.command(Stage::selected(stop, "all"));
    stage.ends("api", 0);
    stage.ends("base", 0);
    assert_eq!(stage.command(Stage::selected(start, "api")), ["spawn base"]);
    assert_eq!(stage.up("base"), ["spawn api"]);
    stage.up("api");
    let done = stage.answer.take().unwrap().unwrap();
    assert_eq!(done.notes, ["base is started too: it is needed"]);
}

#[test]
fn ready_means_that_it_said_so_and_started_that_it_is_there() {
    let mut stage = Stage::new();
    let mut base = spec("base", &[]);
    base.readiness.wait = true;
    let early = spec("early", &[("base", Some(Condition::Started))]);
    let asked = stage.declare(&[base, spec("api", &[("base", None)]), early]);
    assert_eq!(asked, ["spawn base"]);
    assert_eq!(stage.up("base"), ["spawn early"]);
    assert_eq!(stage.said("api"), "waits for base to be ready: it has not said that it is ready");
    assert_eq!(stage.ready("base"), ["spawn api"]);
}

#[test]
fn a_job_that_ends_badly_holds_its_dependants_and_says_so() {
    let mut stage = Stage::new();
    let mut job = spec("migrate", &[]);
    job.restart.autorestart = false;
    let api = spec("api", &[("migrate", Some(Condition::Completed))]);
    stage.declare(&[api, job]);
    stage.up("migrate");
    assert_eq!(stage.said("api"), "waits for migrate to end well: it has not ended yet");
    assert!(stage.answer.is_none());
    assert_eq!(stage.ends("migrate", 3), Vec::<String>::new());
    let why = "waits for migrate to end well: the process exited with code 3";
    assert_eq!(stage.said("api"), why);
    let done = stage.answer.take().unwrap().unwrap();
    let told = done.instances.iter().find(|it| it.app == "api").unwrap();
    assert_eq!((told.ok, told.what.english()), (false, why));
    // Mended, and started again.
    assert_eq!(stage.command(Stage::selected(start, "migrate")), ["spawn migrate"]);
    stage.up("migrate");
    assert_eq!(stage.ends("migrate", 0), ["spawn api"]);
}

#[test]
fn a_circle_over_several_declarations_is_refused_with_all_its_names() {
    let mut stage = Stage::new();
    stage.declare(&[spec("a", &[("b", None)]), spec("b", &[("c", None)])]);
    let asked = stage.declare(&[spec("c", &[("x", None), ("a", None)])]);
    assert_eq!(asked, Vec::<String>::new());
    let refusal = stage.answer.take().unwrap().unwrap_err();
    assert_eq!(refusal.to_string(), "a circle of `depends_on`: c needs a needs b needs c");
    assert!(stage.supervisor.view().instances.iter().all(|it| it.app != "c"));
}
