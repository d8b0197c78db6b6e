//! What happens to the virtual world: apps and how they behave, databases, people, lost engines.
//!
//! Pure: a seed goes in, a script comes out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use zelador_core::config::Overlay;
use zelador_core::id::AppName;
use zelador_core::input::{Command, Declaration, Unchanged};
use zelador_core::instance::Goal;
use zelador_core::signal::Signal;
use zelador_core::spec::{
    AppSpec, Cadence, EnvFilter, Environment, ExecMode, HealthSpec, HttpProbe, LaunchSpec, Limits,
    LogFormat, LogSpec, LogTarget, Notify, OnDependencyDown, ProbeTarget, Readiness, RestartDelay,
    RestartPolicy, StopPolicy,
};
use zelador_core::unit::SECOND;
use zelador_core::watch::WatchSpec;

/// Whether a process of this kind ever says that it is ready.
pub fn says_ready(behaviour: Behaviour) -> bool {
    !matches!(
        behaviour,
        Behaviour::Sick
            | Behaviour::Stillborn
            | Behaviour::Broken
            | Behaviour::Damaged
            | Behaviour::PortTaken
    )
}

/// How the processes of an app behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers, and ends when asked.
    Good,
    /// Ends after a random time of about this length.
    Mortal(Duration),
    /// Ends soon after its start.
    Stillborn,
    /// Its source cannot be parsed: ends at once with 1, and says so.
    Broken,
    /// Its data is damaged: the same.
    Damaged,
    /// Another process has its port: the same.
    PortTaken,
    /// Does not listen to the stop signal.
    Stubborn,
    /// Uses more and more memory.
    Leaky,
    /// Does not answer from this age on, and then does not listen to the stop signal either.
    HangsAfter(Duration),
    /// Answers with an error from its birth on.
    Sick,
    /// Answers with an error in every second 25 s until this age.
    ComesAndGoes { until: Duration },
    /// Says until this age that it has too much to do, and asks to be left alone.
    Busy { until: Duration },
    /// Ends while the database is down.
    DiesWithDatabase,
    /// Answers with an error while the database is down.
    SickWithDatabase,
    /// Answers with an error once it has seen the database down, until it is restarted.
    SickForGoodWithDatabase,
    /// Ends with the processes of another app, and says why.
    DiesWith(&'static str),
    /// Answers with an error while no process of another app answers.
    SickWith(&'static str),
    /// Its program is not there.
    Unstartable,
    /// Cannot be started just now.
    FailsToSpawn,
    /// Ends of itself soon, and leaves children behind.
    Forking,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody wants something.
    User(Command),
    /// The database goes down, or comes back.
    Database(bool),
    /// The engine is killed, and is back after a while.
    EngineLost { when: Loss, away: Duration },
    /// Everything ends at once: zelador was asked to, the host boots, or somebody killed all.
    AllEnds { asked: bool, boots: bool, away: Duration },
    /// From here on new processes of the app behave like this.
    Becomes(String, Behaviour),
    /// The guardian does nothing for this long.
    Stall(Duration),
}

/// When an engine is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Between two steps.
    Now,
    /// In the middle of its next step.
    InStep,
    /// The next time that it starts a process ahead of its record, right after that.
    AheadOfRecord,
}

/// A whole story.
#[derive(Clone, Debug)]
pub struct Script {
    pub seed: u64,
    /// 0: facts arrive at once and once; 1: late and twice; 2: also lost looks, rumours, stalls.
    pub rudeness: u8,
    pub apps: Vec<(AppSpec, Behaviour)>,
    pub events: Vec<(Duration, Event)>,
    /// From here on the world is kind.
    pub calm_at: Duration,
}

/// The only database.
pub const DATABASE: &str = "db";

/// An app with this project's defaults, made quick.
pub fn app(name: &str) -> AppSpec {
    AppSpec {
        name: AppName::new(name).unwrap(),
        namespace: "default".to_owned(),
        launch: LaunchSpec {
            script: format!("/srv/{name}.js"),
            interpreter: Some("node".to_owned()),
            interpreter_args: Vec::new(),
            args: Vec::new(),
            cwd: PathBuf::from("/srv"),
            env: Environment::new(),
            inherited_env: Arc::default(),
            env_files: Vec::new(),
            instance_var: "NODE_APP_INSTANCE".to_owned(),
            uid: None,
            gid: None,
            increment_var: None,
            filter_env: EnvFilter::None,
        },
        instances: 1,
        mode: ExecMode::Fork,
        readiness: Readiness::default(),
        autostart: true,
        restart: RestartPolicy {
            autorestart: true,
            max_restarts: 4,
            min_uptime: SECOND,
            delay: RestartDelay::None,
            stop_exit_codes: Vec::new(),
            half_open_after: Some(20 * SECOND),
            restart_window: None,
        },
        stop: StopPolicy {
            signal: Signal::INT,
            grace: 1_600 * SECOND / 1000,
            tree: true,
            message: false,
        },
        max_memory: None,
        cron: None,
        maintenance: Vec::new(),
        logs: LogSpec {
            out: LogTarget::Default,
            err: LogTarget::Default,
            combined: None,
            date_format: None,
            format: LogFormat::Raw,
            merge: false,
        },
        probes: zelador_core::spec::ProbesSpec::default(),
        health: None,
        depends_on: Vec::new(),
        conditions: BTreeMap::new(),
        on_dependency_down: OnDependencyDown::Wait,
        notify: Notify::default(),
        sockets: Vec::new(),
        limits: Limits::default(),
        source: None,
        pid_file: None,
        watch: WatchSpec::default(),
        heal: zelador_core::spec::HealSpec::default(),
        raised: BTreeMap::new(),
    }
}

/// A check that looks every five seconds.
pub fn health(name: &str) -> HealthSpec {
    let url = format!("http://{name}/health");
    HealthSpec {
        probe: ProbeTarget::Http(HttpProbe::get(url)),
        cadence: Cadence { interval: 5 * SECOND, timeout: SECOND, ..Cadence::default() },
        slow: SECOND,
        start_period: Duration::ZERO,
        verify_within: 10 * SECOND,
        limits: Vec::new(),
    }
}

/// Declares apps that are wanted up.
pub fn declare(specs: &[&AppSpec]) -> Command {
    let declared =
        |spec: &&AppSpec| Declaration { spec: (*spec).clone(), goal: Goal::Up, replace: true };
    let apps = specs.iter().map(declared).collect();
    Command::Declare { apps, settings: None, unchanged: Unchanged::LeaveAlone }
}

/// The settings of the virtual host: no host checks, one database that is looked at every 10 s, channels
/// of notices, and somebody who hears that zelador lives.
pub fn settings() -> Overlay {
    let seconds = |secs: u64| serde_json::json!({ "secs": secs, "nanos": 0 });
    serde_json::from_value(serde_json::json!({
        "memory": "off", "cpu": "off", "disk": "off",
        "databases": { DATABASE: {
            "url": "mysql://u:secret@db/x",
            "cadence": { "interval": seconds(10), "timeout": seconds(2) },
        }},
        "advisor": { "on": {
            "provider": "openai", "url": "http://model", "model": "oracle", "key": "nowhere",
            "timeout": seconds(8), "max_tokens": 300, "budget_per_day": 100_000, "language": "english",
        }},
        "notify": { "channels": {
            "machine": { "kind": { "webhook": { "url": { "env": "HOOK" }, "secret": null } } },
            "chat": { "kind": { "discord": { "url": { "env": "CHAT" } } } },
        }, "limit": { "on": { "most": 6, "within": seconds(60) } }},
        "heartbeat": { "on": {
            "to": { "url": "https://example.org/x" }, "fail": true,
            "interval": seconds(crate::pulse::INTERVAL.as_secs()), "timeout": seconds(10),
        }},
    }))
    .unwrap()
}

pub fn start(selectors: Vec<String>) -> Command {
    Command::Start { selectors }
}

pub fn stop(selectors: Vec<String>) -> Command {
    Command::Stop { selectors }
}

pub fn restart(selectors: Vec<String>) -> Command {
    Command::Restart { selectors, change: None }
}

pub fn reload(selectors: Vec<String>) -> Command {
    Command::Reload { selectors, change: None }
}

pub fn delete(selectors: Vec<String>) -> Command {
    Command::Delete { selectors }
}

/// What a supervisor of this boot of the world's host is given.
pub fn surroundings(seed: u64, boot: u32) -> zelador_core::supervisor::Surroundings {
    zelador_core::supervisor::Surroundings {
        home: "/var/zelador".into(),
        zone: jiff::tz::TimeZone::UTC,
        seed,
        boot: format!("boot {boot}"),
        last_up: None,
    }
}
