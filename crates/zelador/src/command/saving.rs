//! `save` and `resurrect`: the list that survives a reboot.

use std::fs;
use std::io;
use std::process::ExitCode;

use zelador_api::saved::{self, SavedError};
use zelador_api::{Command, Declaration, SaveDone, SaveWish, Unchanged, View, route};

use super::{Context, act, look, start};
use crate::failure::Failure;
use crate::output;
use crate::render::{text, words};

/// Saves the list.
pub fn save(context: &Context, force: bool) -> Result<ExitCode, Failure> {
    if !force {
        let view: View = context.engine.get(route::VIEW)?;
        if view.instances.is_empty() {
            output::note(
                "there is no app: nothing is saved, a list that was saved before is kept \
                 (`--force` saves an empty one)",
            );
            return Ok(ExitCode::SUCCESS);
        }
    }
    let done: SaveDone = context.engine.post(route::SAVE, &SaveWish { empty: force })?;
    let apps = words::counted(done.apps, "app");
    let path = done.path.display().to_string();
    output::tell(&format!("saved {apps} to {}\n", text::plain(&path)))?;
    if !done.left_out.is_empty() {
        let before = saved::generation(&done.path, 1);
        output::note(&format!(
            "not in it any more: {}; the list saved before is {}",
            done.left_out.join(", "),
            before.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts what was saved and is not in the list; where nothing was saved, what zelador knew when it was last up.
pub fn resurrect(context: &Context) -> Result<ExitCode, Failure> {
    let found = match saved::read(&context.home.dump()) {
        // What zelador knew before it was killed, or the host went down, is there again with it.
        Err(SavedError::Missing(_)) if context.keeps_list() => {
            start::up(context)?;
            look::print_list(&context.engine)?;
            return Ok(ExitCode::SUCCESS);
        }
        found => found.map_err(|error| Failure::with_help(error.to_string(), error.help()))?,
    };
    if !found.instead_of.is_empty() {
        let problems = found.instead_of.join("; ");
        let taken = found.path.display();
        output::note(&format!("{problems}; taking the list saved before: {taken}"));
    }
    let keep = |app| Declaration { replace: false, ..app };
    let apps = found.saved.apps.into_iter().map(keep).collect();
    start::up(context)?;
    let done = context.engine.command(&Command::Declare {
        apps,
        settings: None,
        unchanged: Unchanged::LeaveAlone,
    })?;
    act::tell(&done)?;
    look::print_list(&context.engine)?;
    Ok(act::code(&done))
}

/// Empties the saved list; the lists saved before are kept.
pub fn clear(context: &Context) -> Result<ExitCode, Failure> {
    let path = context.home.dump();
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            output::tell("no list is saved\n")?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let failed =
        |error: io::Error| Failure::new(format!("{} cannot be written: {error}", path.display()));
    zelador_daemon::clear_saved(&path, super::incidents::now()).map_err(failed)?;
    output::tell("the saved list is empty now; the one before is kept beside it\n")?;
    Ok(ExitCode::SUCCESS)
}
