//! `upgrade`: another executable takes over guardian and engine, and no service notices.
//!
//! It is tried with an empty home first. Then the engine ends, the guardian becomes the new
//! executable in its own process, with everything that it keeps, and starts a new engine; a guardian
//! whose engine does not come up, or does not stay, goes back by itself. What became of it is told
//! by what the guardian's process executes in the end.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use zelador_api::client::ClientError;
use zelador_api::home::Home;
use zelador_api::{Pong, UpgradeTo, View, route};

use super::{Context, whole};
use crate::bring_up::{bring_up_quietly, lock_is_free, tail};
use crate::ecosystem::run::{Left, run};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::render::{text, words};
use crate::{output, roles};

/// How long an executable may take to say what it is; zelador takes milliseconds.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How long commands that are under way may take.
const COMMANDS_END_WITHIN: Duration = Duration::from_secs(10);

/// How long the guardian and a new engine may take to change: the guardian gives an engine 5 s to end
/// and 15 s to come up.
const CHANGES_WITHIN: Duration = Duration::from_secs(25);

/// A new engine must stay for 3 s; then the guardian counts it as good.
const STAYS: Duration = Duration::from_millis(3500);

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Which file a process executes.
type Identity = (u64, u64);

/// Goes over to another executable.
pub fn upgrade(context: &Context, binary: Option<&Path>) -> Result<ExitCode, Failure> {
    let program = match binary {
        Some(path) => fs::canonicalize(path)
            .map_err(|error| Failure::new(format!("{} is not there: {error}", path.display())))?,
        None => roles::program().map_err(Failure::new)?,
    };
    let shown = text::plain(&program.to_string_lossy()).into_owned();
    let new_version = version(&program)?;
    let pong: Pong = context.engine.get(route::PING)?;
    let new = identity(&program).ok_or_else(|| Failure::new(format!("{shown} cannot be read")))?;
    if executed(pong.guardian_pid) == Some(new) && executed(pong.engine_pid) == Some(new) {
        output::tell(&format!("zelador {} runs from {shown} already\n", pong.version))?;
        return Ok(ExitCode::SUCCESS);
    }
    try_out(&program)?;
    let before = pids(context)?;
    let log = fs::metadata(context.home.own_log()).map_or(0, |log| log.len());
    ask(context, &program)?;
    if !has_changed(context, &pong, new) {
        let said = tail(&context.home, log);
        let Ok(back) = context.engine.get::<Pong>(route::PING) else {
            return Err(Failure::with_help(
                format!("{shown} did not come up, and no zelador answers{said}"),
                "`zelador start` brings it up again, and takes over the services that outlived it",
            ));
        };
        return Err(Failure::with_help(
            format!(
                "{shown} did not come up, and zelador {} is back: no service was touched{said}",
                back.version
            ),
            "the whole log: `zelador logs --self`",
        ));
    }
    let after = pids(context)?;
    let kept = before.iter().filter(|pid| after.contains(pid)).count();
    output::tell(&format!(
        "zelador {} became {new_version} ({shown}); {} untouched\n",
        pong.version,
        words::counted(kept, "service")
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// What an executable says that it is.
fn version(program: &Path) -> Result<String, Failure> {
    let mut ask = Command::new(program);
    let said = run(ask.arg("--version").stderr(Stdio::null()), &[], ANSWERS_WITHIN);
    let said = said.map_err(|error| {
        Failure::new(format!("{} cannot be executed: {error}", program.display()))
    })?;
    let text = match &said {
        Left::Output(text) => String::from_utf8_lossy(text),
        Left::TooSlow => "".into(),
    };
    match text.trim().strip_prefix("zelador ") {
        Some(version) => Ok(text::plain(version).into_owned()),
        None => Err(Failure::new(format!("{} is no zelador", program.display()))),
    }
}

/// Brings the executable up with a home of its own, has it take over from itself as it shall from this
/// zelador, and ends it again.
fn try_out(program: &Path) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("zelador-upgrade-{}", std::process::id()));
    let home = Home::new(&folder);
    let trial = Context { engine: Engine::new(&home)?, home: home.clone() };
    let came_up = bring_up_quietly(&home, &trial.engine, program).map_err(Failure::from);
    let took_over = came_up.and_then(|(pong, _)| {
        let log = fs::metadata(home.own_log()).map_or(0, |log| log.len());
        ask(&trial, program)?;
        if answers_anew(&trial, &pong) {
            return Ok(());
        }
        let said = tail(&home, log);
        Err(Failure::new(format!("it came up, and did not take over from another zelador{said}")))
    });
    let told = took_over.and_then(|()| whole::end(&trial, |_| Ok(())));
    whole::end_by_force(&trial);
    _ = fs::remove_dir_all(&folder);
    match told {
        Ok(_) => Ok(()),
        Err(Failure::Said { error, help }) => Err(Failure::Said {
            error: format!(
                "{} was tried with an empty home, and nothing else was touched: {error}",
                program.display()
            ),
            help: help.filter(|help| !help.contains("logs --self")),
        }),
        Err(other) => Err(other),
    }
}

/// Waits until the same guardian answers by another engine.
fn answers_anew(trial: &Context, before: &Pong) -> bool {
    let until = Instant::now() + CHANGES_WITHIN;
    while Instant::now() < until {
        match trial.engine.get::<Pong>(route::PING) {
            Ok(pong) if pong.engine_pid != before.engine_pid => {
                return pong.guardian_pid == before.guardian_pid;
            }
            // Its guardian is gone, and with it whoever would begin another engine.
            Err(ClientError::NotRunning(_)) if lock_is_free(&trial.home) => return false,
            _ => std::thread::sleep(LOOK_EVERY),
        }
    }
    false
}

/// Has the engine hand over; commands that are under way come first.
fn ask(context: &Context, program: &Path) -> Result<(), Failure> {
    let until = Instant::now() + COMMANDS_END_WITHIN;
    let wish = UpgradeTo { program: PathBuf::from(program) };
    loop {
        match context.engine.post::<()>(route::UPGRADE, &wish) {
            // The answer may break off with the engine that gave it.
            Ok(()) | Err(ClientError::Broken(_)) => return Ok(()),
            Err(ClientError::Problem(_)) if Instant::now() < until => {
                std::thread::sleep(LOOK_EVERY);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until the guardian executes the new file with an engine that stays; returns false when it
/// went back, or never changed.
fn has_changed(context: &Context, before: &Pong, new: Identity) -> bool {
    let until = Instant::now() + CHANGES_WITHIN;
    let guardian = before.guardian_pid;
    let mut up_since = None;
    while Instant::now() < until {
        let pong = context.engine.get_within::<Pong>(route::PING, LOOK_EVERY.saturating_mul(10));
        let is_new = executed(guardian) == Some(new);
        match pong {
            Ok(pong) if is_new && executed(pong.engine_pid) == Some(new) => {
                let since = *up_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= STAYS {
                    return true;
                }
            }
            // Another engine, and not of the new file: it went back.
            Ok(pong) if pong.engine_pid != before.engine_pid && !is_new => return false,
            _ => {}
        }
        std::thread::sleep(LOOK_EVERY);
    }
    false
}

/// The main processes that run.
fn pids(context: &Context) -> Result<Vec<i32>, Failure> {
    let view: View = context.engine.get(route::VIEW)?;
    Ok(view.instances.iter().filter_map(|instance| instance.pid).collect())
}

fn executed(pid: u32) -> Option<Identity> {
    identity(Path::new(&format!("/proc/{pid}/exe")))
}

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}
