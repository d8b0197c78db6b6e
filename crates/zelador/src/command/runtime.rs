//! `runtime` and `dev`: zelador in the foreground, as the main process of a container is.
//!
//! This process starts the guardian as its child, declares the apps, hands signals on, reaps what
//! is orphaned to it (it may be process 1), and ends when the guardian has ended, with the exit code
//! that `over` has decided on. Always holds: the output of apps does not pass through zelador
//! unless a format is asked for; it is this process's own.

mod lines;
mod over;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use tokio::runtime::{Builder, Runtime as Events};
use tokio::signal::unix::{self, SignalKind};
use tokio::time;
use zelador_api::client::{Client, ClientError};
use zelador_api::home::Home;
use zelador_api::spec::{AppSpec, LogFormat, LogTarget};
use zelador_api::{Command, Done, Pong, View, route};

use super::{Context, start};
use crate::bring_up::{lock_is_free, spawn_foreground};
use crate::cli::boot::Runtime;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::{home, output, roles};

use lines::{Follower, Format};
use over::{Verdict, verdict};

/// How long the engine may take to answer; the host may start everything at once.
const UP_WITHIN: Duration = Duration::from_secs(20);

/// From one look at the apps to the next.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long nothing must be up before that is the end, when it was somebody's wish. PM2 looks three
/// times in 6 s.
const IDLE_FOR: Duration = Duration::from_secs(6);

/// How long a look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// How long starting may take: an app that waits for `ready` may be slow.
const START_WITHIN: Duration = Duration::from_mins(10);

/// How long a guardian that took a killed one's place may take to end.
const SUCCESSOR_ENDS_WITHIN: Duration = Duration::from_secs(70);

/// Runs apps in the foreground.
pub fn runtime(wish: Runtime) -> Result<ExitCode, Failure> {
    let home = home::current()?;
    let format = Format::asked(&wish);
    run(home, &wish, format)
}

/// Runs apps in the foreground, restarts them when files change, and shows whose line it is.
pub fn dev(mut wish: Runtime) -> Result<ExitCode, Failure> {
    // Apart from the apps that this user keeps running.
    let home = match env::var_os("ZELADOR_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Home::from_variables(Some(home), None)?,
        None => {
            Home::new(PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".zelador-dev"))
        }
    };
    if wish.start.options.watch.paths.is_empty() {
        wish.start.options.watch.paths.push(String::new());
    }
    wish.formatted |= !wish.raw && !wish.json && !wish.format;
    let format = Format::asked(&wish);
    run(home, &wish, format)
}

fn run(home: Home, wish: &Runtime, format: Option<Format>) -> Result<ExitCode, Failure> {
    if !lock_is_free(&home) {
        return Err(Failure::with_help(
            format!("a zelador runs already with the home {}", home.path().display()),
            "set ZELADOR_HOME to another folder for this one",
        ));
    }
    let delay = Duration::try_from_secs_f64(wish.delay)
        .map_err(|_| Failure::new(format!("`--delay` is {}: it must be seconds", wish.delay)))?;
    let context = Context { engine: Engine::new(&home)?, home: home.clone() };
    let targets: Vec<Option<&str>> = match wish.start.targets.as_slice() {
        [] => vec![None],
        targets => targets.iter().map(|target| Some(target.as_str())).collect(),
    };
    let mut commands = Vec::new();
    for target in targets {
        let mut command = start::alone(&context, target, &wish.start)?;
        if let Command::Declare { apps, .. } = &mut command {
            apps.iter_mut().for_each(|app| redirect(&mut app.spec, &home, format.is_some()));
        }
        commands.push(command);
    }
    let events = events()?;
    forget(&home);
    let foreground = Foreground {
        client: Client::new(&home, LOOK_WITHIN),
        home,
        guardian: None,
        follower: format.map(Follower::new),
        auto_exit: !wish.no_auto_exit,
        idle_since: None,
        ending: None,
    };
    events.block_on(foreground.run(commands, delay))
}

fn events() -> Result<Events, Failure> {
    let events = Builder::new_current_thread().enable_all().build();
    events.map_err(|error| Failure::new(format!("no event loop can be made: {error}")))
}

/// A run in the foreground begins with an empty list, whatever one before it has left.
fn forget(home: &Home) {
    let history = home.foreground_history();
    for suffix in ["", "-wal", "-shm"] {
        let mut path = history.clone().into_os_string();
        path.push(suffix);
        _ = std::fs::remove_file(PathBuf::from(path));
    }
    _ = std::fs::remove_dir_all(home.foreground_logs());
}

/// Sends the output of an app where ours goes, or through files that are followed.
fn redirect(spec: &mut AppSpec, home: &Home, followed: bool) {
    let files = [&spec.logs.out, &spec.logs.err]
        .into_iter()
        .filter_map(|target| match target {
            LogTarget::File(path) => Some(path),
            _ => None,
        })
        .chain(&spec.logs.combined);
    for path in files {
        let path = path.display();
        output::note(&format!(
            "{}: {path} is not written, output is that of this process",
            spec.name
        ));
    }
    let target = |kind: &str| {
        let file = format!("{}-{kind}.log", spec.name.file_stem());
        let file = || LogTarget::File(home.foreground_logs().join(file));
        if followed { file() } else { LogTarget::Inherit }
    };
    (spec.logs.out, spec.logs.err) = (target("out"), target("error"));
    (spec.logs.combined, spec.logs.date_format, spec.logs.merge) = (None, None, false);
    spec.logs.format = LogFormat::Raw;
}

/// A zelador in the foreground.
struct Foreground {
    home: Home,
    client: Client,
    guardian: Option<Pid>,
    follower: Option<Follower>,
    auto_exit: bool,
    idle_since: Option<Instant>,
    /// It has been asked to end, with this exit code.
    ending: Option<u8>,
}

impl Foreground {
    async fn run(mut self, commands: Vec<Command>, delay: Duration) -> Result<ExitCode, Failure> {
        let listen =
            |kind| unix::signal(kind).map_err(|error| Failure::new(format!("no signals: {error}")));
        // Before anything is started: process 1 gets no signal that it does not listen to.
        let (mut terminate, mut interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let mut child = listen(SignalKind::child())?;
        let program = roles::program().map_err(Failure::new)?;
        self.guardian = Some(spawn_foreground(&self.home, &program)?);
        let client = Client::new(&self.home, START_WITHIN);
        let starting = declare_all(&client, commands, delay);
        tokio::pin!(starting);
        let mut started = false;
        let mut look = time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                biased;
                _ = terminate.recv() => self.asked().await,
                _ = interrupt.recv() => self.asked().await,
                _ = child.recv() => {
                    if let Some(status) = self.reap() {
                        return self.ended(status);
                    }
                }
                answer = &mut starting, if !started && self.ending.is_none() => {
                    started = true;
                    if !told(answer) {
                        self.end(1);
                    }
                }
                _ = look.tick() => self.look(started).await,
            }
        }
    }

    /// Somebody asks for the end.
    async fn asked(&mut self) {
        self.discover().await;
        self.end(0);
    }

    /// Asks the guardian to end; asked twice it kills what is left.
    fn end(&mut self, code: u8) {
        self.ending.get_or_insert(code);
        if let Some(guardian) = self.guardian {
            _ = kill_process(guardian, Signal::TERM);
        }
    }

    /// Looks at the apps, and tells new lines of their output.
    async fn look(&mut self, started: bool) {
        self.discover().await;
        if self.follower.as_mut().is_some_and(|follower| follower.tell(false).is_err()) {
            self.end(0); // nobody reads any more
        }
        if !started || !self.auto_exit || self.ending.is_some() {
            return;
        }
        let Ok(view) = self.client.get::<View>(route::VIEW).await else { return };
        let idle_since = match verdict(&view) {
            Verdict::Up => None,
            Verdict::Idle => Some(self.idle_since.unwrap_or_else(Instant::now)),
            Verdict::Over(code) => return self.end(code),
        };
        self.idle_since = idle_since;
        if idle_since.is_some_and(|since| since.elapsed() >= IDLE_FOR) {
            output::remark("no app is up any more");
            self.end(over::NONE_UP);
        }
    }

    /// Takes on the files of apps that are new.
    async fn discover(&mut self) {
        let Some(follower) = &mut self.follower else { return };
        if let Ok(apps) = self.client.get(route::APPS).await {
            follower.take_on(apps);
        }
    }

    /// Reaps everything that has ended; returns how the guardian did, if it has.
    fn reap(&mut self) -> Option<WaitStatus> {
        let mut of_guardian = None;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if Some(pid) == self.guardian {
                of_guardian = Some(status);
            }
        }
        of_guardian
    }

    /// The guardian has ended, and so does this process.
    fn ended(mut self, status: WaitStatus) -> Result<ExitCode, Failure> {
        let clean = status.exit_status() == Some(0);
        if !clean {
            self.end_successor();
        }
        if let Some(follower) = &mut self.follower {
            _ = follower.tell(true);
        }
        _ = std::fs::remove_dir_all(self.home.foreground_logs());
        match self.ending {
            Some(code) if clean => Ok(ExitCode::from(code)),
            // By `zelador kill`, from beside.
            None if clean => Ok(ExitCode::SUCCESS),
            _ => Err(Failure::new("the guardian was killed: everything is ended")),
        }
    }

    /// The engine of a killed guardian takes its place; without this process it would run on.
    fn end_successor(&self) {
        let until = Instant::now() + SUCCESSOR_ENDS_WITHIN;
        let mut asked = None;
        // It needs some milliseconds to be there: only a lock that stays free means nobody.
        let mut free_since = None;
        while Instant::now() < until {
            if lock_is_free(&self.home) {
                let since = *free_since.get_or_insert_with(Instant::now);
                if since.elapsed() > Duration::from_secs(1) {
                    return;
                }
            } else {
                free_since = None;
                let pid = std::fs::read_to_string(self.home.lock()).unwrap_or_default();
                let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
                if let Some(pid) = pid.filter(|pid| Some(*pid) != asked) {
                    asked = Some(pid);
                    _ = kill_process(pid, Signal::TERM);
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Waits for the engine, and gives it the commands.
async fn declare_all(
    client: &Client,
    commands: Vec<Command>,
    delay: Duration,
) -> Result<Vec<Done>, ClientError> {
    let until = Instant::now() + UP_WITHIN;
    loop {
        match client.get::<Pong>(route::PING).await {
            Ok(_) => break,
            Err(ClientError::NotRunning(_) | ClientError::Broken(_)) if Instant::now() < until => {
                time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => return Err(error),
        }
    }
    time::sleep(delay).await;
    let mut all = Vec::new();
    for command in commands {
        all.push(client.post(route::COMMANDS, &command).await?);
    }
    Ok(all)
}

/// Says what went wrong at the start. Returns false when nothing could be started at all; an app
/// that does not come up is an app's matter.
fn told(answer: Result<Vec<Done>, ClientError>) -> bool {
    match answer {
        Ok(all) => {
            for affected in all.iter().flat_map(|done| &done.instances).filter(|it| !it.ok) {
                output::failed(affected);
            }
            true
        }
        Err(error) => {
            Failure::from(error).report();
            false
        }
    }
}
