use std::time::Duration;

use super::*;
use crate::config::{Context, Node, check};
use crate::death::Death;
use crate::id::{RunId, Ticket};
use crate::input::{Command, Declaration, Fact, Input, KnownRun, Unchanged};
use crate::supervisor::{Deadline, Surroundings, View};
use crate::unit::SECOND;

/// A supervisor, what it asked for, and the time.
struct World {
    supervisor: Supervisor,
    now: Moment,
    asked: Vec<Effect>,
    ticket: u64,
}

const HOME: &str = "/srv/app/.zelador";

impl World {
    fn new() -> Self {
        let surroundings = Surroundings {
            home: HOME.into(),
            zone: jiff::tz::TimeZone::UTC,
            seed: 1,
            boot: String::new(),
            last_up: None,
        };
        let now = Moment::from_micros(1_000_000_000);
        let supervisor = Supervisor::new(surroundings, now);
        Self { supervisor, now, asked: Vec::new(), ticket: 0 }
    }

    /// With one app `api` in `/srv/app` that is up.
    fn watching(fields: &str) -> Self {
        let mut world = Self::new();
        world.declare(fields);
        world.come_up();
        world
    }

    fn declare(&mut self, fields: &str) {
        let context = Context {
            file: "ecosystem.config.js".into(),
            folder: "/srv/app".into(),
            inherited_env: std::sync::Arc::default(),
            env_name: None,
            cores: 1,
            only: None,
            known: None,
            is_file: |_| false,
            cadence: crate::spec::Cadence::default(),
            defaults: crate::config::Defaults::default(),
        };
        let text = format!(r#"{{"script":"api.js","name":"api",{fields}}}"#);
        let node: Node = serde_json::from_str(&text).unwrap();
        let declared = check(&node, &context).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let up = |spec| Declaration { spec, goal: Goal::Up, replace: true };
        let apps = declared.apps.into_iter().map(up).collect();
        let unchanged = Unchanged::LeaveAlone;
        self.command(Command::Declare { apps, settings: None, unchanged });
    }

    fn command(&mut self, command: Command) {
        self.ticket += 1;
        self.step(Input::Command(Ticket::new(self.ticket), command));
    }

    fn stop(&mut self) {
        self.command(Command::Stop { selectors: vec!["api".to_owned()] });
    }

    fn step(&mut self, input: Input) {
        let effects = self.supervisor.step(self.now, input);
        self.asked.extend(effects);
    }

    /// Answers every start that was asked for.
    fn come_up(&mut self) {
        for instance in self.view().instances {
            if let Phase::Starting { run, .. } = instance.phase {
                self.step(Input::Fact(Fact::Spawned { run, pid: 100 }));
            }
        }
    }

    /// Ends every process that was asked to end, and answers the starts that follow.
    fn restart(&mut self) {
        for instance in self.view().instances {
            if let Phase::Stopping { run, .. } = instance.phase {
                self.die(run, 0);
                self.step(Input::Fact(Fact::Swept { run }));
            }
        }
        self.come_up();
    }

    fn die(&mut self, run: RunId, code: i32) {
        self.step(Input::Fact(Fact::Exited { run, death: Death::Exited { code } }));
    }

    fn changed(&mut self, paths: &[&str]) {
        let paths = paths.iter().map(PathBuf::from).collect();
        let app = AppName::new("api").unwrap();
        self.step(Input::Fact(Fact::FilesChanged { app, paths, more: 0 }));
    }

    /// Lets time pass, ticking where somebody wants to be called.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.supervisor.next_deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.step(Input::Tick);
        }
        self.now = end;
    }

    fn view(&self) -> View {
        self.supervisor.view()
    }

    fn phases(&self) -> Vec<&'static str> {
        self.view().instances.iter().map(|it| it.phase.pm2_status()).collect()
    }

    fn watched(&mut self) -> Vec<Option<WatchPlan>> {
        let watches =
            std::mem::take(&mut self.asked).into_iter().filter_map(|effect| match effect {
                Effect::Watch { plan, .. } => Some(plan.map(|plan| *plan)),
                _ => None,
            });
        watches.collect()
    }

    fn warnings(&mut self) -> Vec<String> {
        let notices =
            std::mem::take(&mut self.asked).into_iter().filter_map(|effect| match effect {
                Effect::Notify(notice)
                    if notice.severity == Severity::Warning && notice.subject == "api" =>
                {
                    Some(notice.text.to_string())
                }
                _ => None,
            });
        notices.collect()
    }

    fn causes(&self) -> Vec<String> {
        let starts = self.view().instances.into_iter().filter_map(|it| it.last_start);
        starts.map(|start| start.cause.to_string()).collect()
    }
}

const MILLIS: Duration = Duration::from_millis(1);

#[test]
fn a_change_restarts_all_replicas_once_it_is_quiet_and_is_no_death() {
    let mut world = World::watching(r#""watch":true,"instances":2,"exec_mode":"fork""#);
    world.changed(&["/srv/app/src/a.js", "/srv/app/b.js"]);
    world.pass(90 * MILLIS);
    assert_eq!(world.phases(), ["online", "online"], "an editor may not be done");
    world.changed(&["/srv/app/c.js"]);
    world.pass(90 * MILLIS);
    assert_eq!(world.phases(), ["online", "online"], "more has changed");
    world.pass(20 * MILLIS);
    assert_eq!(world.phases(), ["stopping", "stopping"]);
    world.restart();
    assert_eq!(world.phases(), ["online", "online"]);
    assert_eq!(world.causes(), ["src/a.js and 2 more changed (watch)"; 2]);
    let instances = world.view().instances;
    assert!(instances.iter().all(|it| it.deaths.is_empty() && it.restarts == 1));
    assert!(world.warnings().is_empty());
    world.pass(60 * SECOND);
    assert_eq!(world.phases(), ["online", "online"], "once");
}

#[test]
fn changes_without_end_do_not_put_the_restart_off_for_ever() {
    let mut world = World::watching(r#""watch":true,"watch_delay":1000"#);
    for _ in 0..60 {
        world.changed(&["/srv/app/a.js"]);
        world.pass(90 * MILLIS);
    }
    assert_eq!(world.phases(), ["stopping"]);
}

#[test]
fn only_what_is_wanted_up_is_watched() {
    let mut world = World::watching(r#""watch":["src","/etc/api.conf"],"ignore_watch":["tmp"]"#);
    let plans = world.watched();
    let [Some(plan)] = plans.as_slice() else { panic!("{plans:?}") };
    assert_eq!(plan.paths, [Path::new("/srv/app/src"), Path::new("/etc/api.conf")]);
    assert_eq!(
        (plan.ignore.as_slice(), plan.cwd.as_path()),
        (&["tmp".to_owned()][..], Path::new("/srv/app"))
    );
    assert_eq!(plan.never, [Path::new(HOME)]);
    world.stop();
    assert_eq!(world.watched(), [None]);
    world.restart();
    world.changed(&["/srv/app/src/a.js"]);
    world.pass(SECOND);
    assert_eq!(world.phases(), ["stopped"], "a late fact");
    world.command(Command::Start { selectors: vec!["api".to_owned()] });
    assert!(matches!(world.watched().as_slice(), [Some(_)]), "watched again");
    world.declare(r#""watch":false"#);
    assert_eq!(world.watched(), [None]);
}

#[test]
fn a_new_engine_watches_again() {
    let mut world = World::watching(r#""watch":true"#);
    let records = world.supervisor.durable();
    let surroundings = Surroundings {
        home: HOME.into(),
        zone: jiff::tz::TimeZone::UTC,
        seed: 1,
        boot: String::new(),
        last_up: None,
    };
    let supervisor = Supervisor::recover(surroundings, world.now, records);
    world = World { supervisor, asked: Vec::new(), ..world };
    let Phase::Running { run, pid, .. } = world.view().instances[0].phase else { panic!("up") };
    let runs = vec![KnownRun { run, pid, death: None, instance: None, asked: false }];
    world.step(Input::Fact(Fact::Inventory { runs }));
    assert!(matches!(world.watched().as_slice(), [Some(_)]));
}

#[test]
fn what_zelador_writes_itself_restarts_nothing() {
    let fields = r#""watch":true,"out_file":"logs/api.log","error_file":"logs/api.err","log_file":"all.log",
        "pid_file":"api.pid","instances":2,"exec_mode":"fork","merge_logs":true"#;
    let mut world = World::watching(fields);
    for path in [
        "/srv/app/logs/api.log",
        "/srv/app/logs/api.err",
        "/srv/app/logs/api__2026-11-24_01-02-03.log",
        "/srv/app/all.log",
        "/srv/app/api-0.pid",
        "/srv/app/.zelador/zelador.log",
    ] {
        world.changed(&[path]);
        world.pass(SECOND);
        assert_eq!(world.phases(), ["online", "online"], "{path}");
    }
    world.changed(&["/srv/app/logs/api.log", "/srv/app/logs/api.js"]);
    world.pass(SECOND);
    assert_eq!(world.phases(), ["stopping", "stopping"]);
    world.restart();
    assert_eq!(world.causes()[0], "logs/api.js changed (watch)");
}

#[test]
fn a_change_while_it_stops_needs_no_second_restart() {
    let mut world = World::watching(r#""watch":true"#);
    world.changed(&["/srv/app/a.js"]);
    world.pass(SECOND);
    world.changed(&["/srv/app/b.js"]);
    world.restart();
    world.pass(60 * SECOND);
    assert_eq!((world.phases()[0], world.view().instances[0].restarts), ("online", 1));
}

#[test]
fn what_keeps_dying_gets_a_trial_when_a_file_changes() {
    let mut world = World::watching(r#""watch":true,"max_restarts":2,"half_open_after":false"#);
    for _ in 0..2 {
        let Phase::Running { run, .. } = world.view().instances[0].phase else { panic!("up") };
        world.die(run, 1);
        world.come_up();
    }
    assert_eq!(world.phases(), ["errored"]);
    world.changed(&["/srv/app/a.js"]);
    world.pass(SECOND);
    world.come_up();
    assert_eq!(
        (world.phases(), world.causes()[0].as_str()),
        (vec!["online"], "a.js changed (watch)")
    );
    let Phase::Running { run, .. } = world.view().instances[0].phase else { panic!("up") };
    world.die(run, 1);
    assert_eq!(world.phases(), ["errored"], "one trial, not a new budget");
}

#[test]
fn an_app_that_writes_what_it_watches_is_slowed_down_and_named() {
    let mut world = World::watching(r#""watch":true"#);
    let mut starts = Vec::new();
    while starts.len() < 20 {
        world.changed(&["/srv/app/data.db"]);
        let before = world.view().instances[0].restarts;
        while world.view().instances[0].restarts == before {
            world.pass(100 * MILLIS);
            world.restart();
        }
        starts.push(world.now);
    }
    let gaps: Vec<u64> = starts.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert!(gaps[..9].iter().all(|gap| *gap == 0), "{gaps:?}");
    assert!(gaps[10..].iter().all(|gap| *gap >= 30), "{gaps:?}");
    let warnings = world.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("ignore_watch"), "{warnings:?}");
    // A person who saves after a pause is served at once again.
    world.pass(60 * SECOND);
    for _ in 0..2 {
        world.changed(&["/srv/app/a.js"]);
        world.pass(SECOND);
        assert_eq!(world.phases(), ["stopping"]);
        world.restart();
        world.pass(10 * SECOND);
    }
}

#[test]
fn what_cannot_be_watched_is_said_once_and_kept() {
    let mut world = World::watching(r#""watch":true"#);
    let app = AppName::new("api").unwrap();
    world.step(Input::Fact(Fact::Watching { app: app.clone(), folders: 3 }));
    let reason = "the limit is reached".to_owned();
    let said = words::quoted(&reason);
    world.step(Input::Fact(Fact::CannotWatch { app: app.clone(), reason: said }));
    assert_eq!(world.warnings(), ["api: the limit is reached"]);
    let watching = world.supervisor.app_views()[0].watching.clone().unwrap();
    assert_eq!((watching.folders, watching.trouble), (Some(3), Some(reason)));
    assert!(!matches!(world.supervisor.next_deadline(), Some((_, Deadline::Watch(_)))));
}
