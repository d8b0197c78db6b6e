//! `save`, `resurrect`, `cleardump`, `kill`, `ping`, `flush`, `reloadLogs`, `update`: what concerns
//! everything at once, as PM2 says it.

use std::process::ExitCode;

use zelador_api::client::ClientError;
use zelador_api::{
    AppView, Command, Declaration, FlushDone, LogFiles, SaveDone, SaveWish, Unchanged, route,
};

use super::act::{code, tell};
use super::words::Line;
use super::{dump, files, listed, look, say};
use crate::command::{self, Context, incidents, upgrade, whole};
use crate::failure::Failure;
use crate::output;

/// Saves the list.
pub fn save(context: &Context, force: bool) -> Result<ExitCode, Failure> {
    say::message("Saving current process list...");
    if listed::all(context)?.is_empty() && !force {
        say::warning("PM2 is not managing any process, skipping save...");
        say::warning("To force saving use: pm2 save --force");
        return Ok(ExitCode::SUCCESS);
    }
    files::up(context)?;
    let done: SaveDone = context.engine.post(route::SAVE, &SaveWish { empty: force })?;
    let path = dump::write(&context.home)?;
    say::message(&format!("Successfully saved in {}", path.display()));
    if !done.left_out.is_empty() {
        say::warning(&format!("not in it any more: {}", done.left_out.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts what was saved and is not in the list.
pub fn resurrect(context: &Context) -> Result<ExitCode, Failure> {
    say::message("Resurrecting");
    let Some(found) = dump::read(&context.home)? else {
        files::up(context)?;
        say::nothing(&format!(
            "No processes saved; DUMP file doesn't exist: {}",
            context.home.pm2_dump().display()
        ));
        return Ok(ExitCode::SUCCESS);
    };
    say::message(&format!("Restoring processes located in {}", found.path.display()));
    found.notes.iter().for_each(|note| output::note(note));
    files::up(context)?;
    let there = listed::all(context)?;
    let is_new =
        |app: &Declaration| there.iter().all(|other| other.instance.app != app.spec.name.as_str());
    let apps: Vec<Declaration> = found.apps.into_iter().filter(is_new).collect();
    let unchanged = Unchanged::LeaveAlone;
    let names: Vec<String> = apps.iter().map(|app| app.spec.name.to_string()).collect();
    let done = context.engine.command(&Command::Declare { apps, settings: None, unchanged })?;
    let failed: Vec<_> = done.instances.iter().filter(|affected| !affected.ok).collect();
    // One that was saved as stopped is in the list again, and nothing was done to it.
    let is_back = |name: &&String| failed.iter().all(|affected| affected.app != **name);
    for name in names.iter().filter(is_back) {
        say::message(&format!("Process {name} restored"));
    }
    failed.iter().for_each(|affected| output::failed(affected));
    look::print_list(context)?;
    Ok(code(failed.is_empty()))
}

/// Empties the saved list; the lists saved before are kept.
pub fn clear(context: &Context) -> Result<ExitCode, Failure> {
    crate::bring_up::make(context.home.path())?;
    let failed = |error| {
        Failure::new(format!("{} cannot be written: {error}", context.home.dump().display()))
    };
    zelador_daemon::clear_saved(&context.home.dump(), incidents::now()).map_err(failed)?;
    let path = dump::clear(&context.home)?;
    say::message(&format!("Successfully created {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

/// Stops and forgets everything, and ends zelador.
pub fn kill(context: &Context) -> Result<ExitCode, Failure> {
    let apps = listed::all(context)?;
    if apps.is_empty() {
        say::nothing("No process found");
    } else {
        let all: Vec<&AppView> = apps.iter().collect();
        super::act::applying(super::act::Doing::Delete, "all", &all);
    }
    let mut ok = true;
    whole::end(context, |done| {
        ok = tell(done);
        Ok(())
    })?;
    say::message("[v] All Applications Stopped");
    say::message("[v] PM2 Daemon Stopped");
    Ok(code(ok))
}

/// Tells that somebody answers; brings zelador up for that, as PM2 does.
pub fn ping(context: &Context) -> Result<ExitCode, Failure> {
    files::up(context)?;
    output::answer("{ msg: 'pong' }\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Empties log files.
pub fn flush(context: &Context, line: &Line) -> Result<ExitCode, Failure> {
    let apps = listed::all(context)?;
    let files = match line.rest() {
        [] => LogFiles::All,
        words => {
            let found =
                words.iter().flat_map(|word| command::find(&apps, word).unwrap_or_default());
            LogFiles::Of(found.map(|app| app.instance.id).collect())
        }
    };
    let done = match context.engine.post::<FlushDone>(route::LOGS_FLUSH, &files) {
        Err(ClientError::NotRunning(_)) => FlushDone::default(),
        answer => answer?,
    };
    say::message("Flushing:");
    for path in &done.emptied {
        say::message(&path.display().to_string());
    }
    for (path, error) in &done.failed {
        say::error(&format!("{} cannot be emptied: {error}", path.display()));
    }
    say::message("Logs flushed");
    Ok(code(done.failed.is_empty()))
}

/// Has every log file closed, and opened anew by its path.
pub fn reload_logs(context: &Context) -> Result<ExitCode, Failure> {
    output::tell("Reloading all logs...\n")?;
    match context.engine.post::<()>(route::LOGS_REOPEN, &()) {
        Ok(()) | Err(ClientError::NotRunning(_)) => {}
        Err(error) => return Err(error.into()),
    }
    output::tell("All logs reloaded\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Goes over to the program that is installed now.
pub fn update(context: &Context) -> Result<ExitCode, Failure> {
    files::up(context)?;
    say::message("Services and the list are kept as they are");
    let code = upgrade::upgrade(context, None)?;
    look::print_list(context)?;
    Ok(code)
}
