//! `inspect`: a Node app opens its inspector, and says where.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use zelador_api::config::is_node;
use zelador_api::signal::Signal;
use zelador_api::{AppView, Command};

use super::{Context, act, select};
use crate::failure::Failure;
use crate::output;
use crate::render::text;
use crate::tail::Tail;

/// How long Node may take to answer the signal: it comes at once unless the app is stuck.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// From one look at its log to the next.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Has Node open its inspector (`SIGUSR1`), and shows what it says about it in its error log.
pub fn inspect(context: &Context, selector: &str) -> Result<ExitCode, Failure> {
    let apps = context.engine.apps()?;
    let [app] = select(&apps, selector)?[..] else {
        return Err(Failure::with_help(
            format!("`{selector}` is several processes, and they would want the same port"),
            "inspect one of them, by its number",
        ));
    };
    let name = text::plain(&app.instance.name).into_owned();
    let launch = &app.spec.launch;
    if !is_node(launch.interpreter.as_deref().unwrap_or(&launch.script)) {
        // Anything else would be ended by the signal.
        return Err(Failure::new(format!("{name} is not run by Node, and has no inspector")));
    }
    if app.instance.pid.is_none() {
        return Err(Failure::new(format!("{name} is not running")));
    }
    let mut tail = app.err_log.as_ref().map(Tail::new);
    if let Some(tail) = &mut tail {
        tail.last(0, &mut |_: &[u8]| Ok(()))?;
    }
    let Some(signal) = Signal::parse("USR1") else { unreachable!("it is a signal's name") };
    let selectors = vec![app.instance.id.to_string()];
    let done = context.engine.command(&Command::Signal { selectors, signal })?;
    if act::code(&done) != ExitCode::SUCCESS {
        act::tell(&done)?;
        return Ok(ExitCode::FAILURE);
    }
    match tail.map(answer).transpose()?.flatten() {
        Some(said) if said.contains("ws://") => {
            output::tell(&format!("{name}: {}\n", text::plain(&said)))?;
            output::remark("open chrome://inspect, or give this address to a debugger");
            Ok(ExitCode::SUCCESS)
        }
        Some(said) => Err(Failure::new(format!("{name}: {said}"))),
        None => Err(silent(&name, app)),
    }
}

fn silent(name: &str, app: &AppView) -> Failure {
    let log =
        app.err_log.as_ref().map_or("its error log".to_owned(), |it| it.display().to_string());
    Failure::with_help(
        format!("{name} does not say that its inspector is open; it may have been open before"),
        format!("see {log}"),
    )
}

/// Returns what Node says about its inspector.
fn answer(mut tail: Tail) -> Result<Option<String>, Failure> {
    let until = Instant::now() + ANSWERS_WITHIN;
    let mut said = None;
    while said.is_none() && Instant::now() < until {
        tail.poll(&mut |line: &[u8]| {
            let line = String::from_utf8_lossy(line);
            let about_it = ["Debugger listening on ", "Starting inspector on "];
            let found = about_it.iter().find_map(|word| line.find(word));
            if let Some(at) = found.filter(|_| said.is_none()) {
                said = Some(line[at..].to_owned());
            }
            Ok(())
        })?;
        if output::is_abandoned(&LOOK_EVERY) {
            return Err(Failure::NobodyReads);
        }
    }
    Ok(said)
}
