//! `stop`, `restart`, `reload`, `delete`, `scale`, `reset`, `sendSignal`, as PM2 says them.

use std::path::Path;
use std::process::ExitCode;

use zelador_api::config::Change;
use zelador_api::signal::Signal;
use zelador_api::{AppView, Command, Done, Replicas, Surplus};

use super::words::Line;
use super::{listed, look, say, start};
use crate::command::act::{change, names};
use crate::command::{self, Context, number};
use crate::declare;
use crate::failure::Failure;
use crate::output;

/// What is done to what is in the list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    Stop,
    Restart,
    Reload,
    Delete,
}

impl Doing {
    /// PM2's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stopProcessId",
            Self::Restart => "restartProcessId",
            Self::Reload => "reloadProcessId",
            Self::Delete => "deleteProcessId",
        }
    }

    fn command(self, selectors: Vec<String>, change: Option<Box<Change>>) -> Command {
        match self {
            Self::Stop => Command::Stop { selectors },
            Self::Restart => Command::Restart { selectors, change },
            Self::Reload => Command::Reload { selectors, change },
            Self::Delete => Command::Delete { selectors },
        }
    }
}

/// Stops apps.
pub fn stop(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    row(context, line, Doing::Stop)
}

/// Stops and starts apps.
pub fn restart(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    row(context, line, Doing::Restart)
}

/// Replaces processes one after another.
pub fn reload(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    row(context, line, Doing::Reload)
}

/// Stops and forgets apps.
pub fn delete(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    row(context, line, Doing::Delete)
}

/// One after another, as PM2 does: the first that fails ends the row.
fn row(context: &Context, line: &Line, doing: Doing) -> Result<ExitCode, Failure> {
    let changes = matches!(doing, Doing::Restart | Doing::Reload);
    let mut ok = true;
    for word in line.rest() {
        ok &= match (declare::is_ecosystem(word), doing) {
            (true, Doing::Restart) => start::file(context, word, line, start::RESTART)?,
            (true, Doing::Reload) => start::file(context, word, line, start::RELOAD)?,
            (true, Doing::Stop | Doing::Delete) => of_file(context, word, line, doing)?,
            (false, _) => {
                if changes && line.env_name.is_some() {
                    return Err(Failure::new(
                        "Using --env [env] without passing the ecosystem.config.js does not work",
                    ));
                }
                if changes && !line.update_env {
                    say::advice("Use --update-env to update environment variables");
                }
                one(context, word, line, doing)?
            }
        };
    }
    // PM2 shows no list after a reload.
    if doing != Doing::Reload {
        look::print_list(context)?;
    }
    Ok(code(ok))
}

/// Acts on what a word names; with the options that change what is stored, where there are any.
///
/// # Errors
/// It names nothing, or the engine says no.
pub fn one(context: &Context, word: &str, line: &Line, doing: Doing) -> Result<bool, Failure> {
    let apps = listed::all(context)?;
    let named = listed::named(&apps, word)?;
    let changes = matches!(doing, Doing::Restart | Doing::Reload);
    let change = if changes { change(&line.options, &line.args, line.update_env)? } else { None };
    if changes {
        // What runs is not stopped for a file with variables that nothing can be started with.
        for app in &named {
            declare::look_at_env_files(&mut app.spec.clone())?;
        }
    }
    applying(doing, word, &named);
    let selectors = context.selectors(vec![word.to_owned()])?;
    let done = context.engine.command(&doing.command(selectors, change.map(Box::new)))?;
    Ok(tell(&done))
}

/// Says what is about to be done to what.
pub fn applying(doing: Doing, word: &str, apps: &[&AppView]) {
    let ids = listed::shown_ids(word, apps);
    say::message(&format!("Applying action {} on app [{word}](ids: {ids})", doing.name()));
}

/// Acts on those apps of a file that are in the list.
fn of_file(context: &Context, word: &str, line: &Line, doing: Doing) -> Result<bool, Failure> {
    start::must_be_there(word)?;
    let selectors = crate::cli::Selectors {
        selectors: vec![Path::new(word).to_string_lossy().into_owned()],
        only: line.only.clone(),
    };
    let declared = names(context, selectors)?;
    let apps = listed::all(context)?;
    let is_listed = |name: &String| apps.iter().any(|app| app.instance.app == *name);
    let selectors: Vec<String> = declared.into_iter().filter(is_listed).collect();
    if selectors.is_empty() {
        say::nothing("No process found");
        return Err(Failure::SaidAlready);
    }
    let done = context.engine.command(&doing.command(selectors, None))?;
    Ok(tell(&done))
}

/// Says what a command did; returns whether everything became what was asked for.
pub fn tell(done: &Done) -> bool {
    for affected in &done.instances {
        if affected.ok {
            say::message(&format!("[{}]({}) ✓", affected.app, affected.id));
        } else {
            output::failed(affected);
        }
    }
    done.notes.iter().for_each(|note| say::message(note));
    done.instances.iter().all(|affected| affected.ok)
}

/// The exit code of a verb.
pub fn code(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Has more or fewer processes of an app; the oldest go first, as in PM2.
pub fn scale(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    let [name, number] = line.rest() else {
        return Err(Failure::new("`pm2 scale` takes a name and a number"));
    };
    let Some(to) = number::replicas(number) else {
        return Err(Failure::new(format!(
            "number of processes: found `{number}`, allowed: a whole number or `+N`"
        )));
    };
    let apps = listed::all(context)?;
    let there = apps.iter().filter(|app| app.instance.app == *name).count();
    if there == 0 {
        return Err(Failure::new(format!("Application {name} not found")));
    }
    let wanted = match to {
        Replicas::Exactly(exactly) => exactly as usize,
        Replicas::More(more) => there + more as usize,
        Replicas::Fewer(fewer) => there.saturating_sub(fewer as usize),
    };
    if wanted == there {
        return Err(Failure::new("Nothing to do"));
    }
    if wanted > there {
        say::message("Scaling up application");
    }
    let selectors = vec![name.clone()];
    let command = Command::Scale { selectors, to, surplus: Surplus::LowestId };
    let done = context.engine.command(&command)?;
    let mut ok = true;
    for affected in &done.instances {
        ok &= affected.ok;
        if !affected.ok {
            output::failed(affected);
        } else if wanted < there {
            let id = affected.id;
            say::message(&format!("Applying action deleteProcessId on app [{id}](ids: [ {id} ])"));
            say::message(&format!("[{}]({id}) ✓", affected.app));
        }
    }
    look::print_list(context)?;
    Ok(code(ok))
}

/// Counts restarts from 0 on.
pub fn reset(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    for word in line.rest() {
        let apps = listed::all(context)?;
        let named = command::find(&apps, word).map_err(|_| unknown())?;
        for app in named {
            say::message(&format!("Resetting meta for process id {}", app.instance.id));
        }
        let selectors = context.selectors(vec![word.clone()])?;
        context.engine.command(&Command::Reset { selectors })?;
    }
    look::print_list(context)?;
    Ok(ExitCode::SUCCESS)
}

/// Sends a signal to main processes.
pub fn signal(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    let [name, words @ ..] = line.rest() else { return Err(unknown()) };
    for word in words {
        let what = if word.parse::<u32>().is_ok() { "id" } else { "name" };
        say::message(&format!("Sending signal to process {what} {word}"));
        let signal =
            Signal::parse(name).ok_or_else(|| Failure::new(format!("Unknown signal: {name}")))?;
        let apps = listed::all(context)?;
        command::find(&apps, word).map_err(|_| unknown())?;
        let selectors = context.selectors(vec![word.clone()])?;
        let done = context.engine.command(&Command::Signal { selectors, signal })?;
        let failed = done.instances.iter().filter(|affected| !affected.ok);
        if failed.inspect(|affected| output::failed(affected)).count() > 0 {
            return Err(Failure::SaidAlready);
        }
        output::tell(&format!("successfully sent signal {signal} to process {what} {word}\n"))?;
    }
    look::print_list(context)?;
    Ok(ExitCode::SUCCESS)
}

fn unknown() -> Failure {
    Failure::new("Unknown process name")
}
