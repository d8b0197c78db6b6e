//! `save` and `resurrect`: the list that survives a reboot.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zelador_api::{Command, Declaration, SaveDone, Saved, Unchanged, View, route};

use super::{Context, act, look, start};
use crate::failure::Failure;
use crate::output;
use crate::render::{text, words};

/// The layout of the file that this version reads.
const VERSION: u32 = 1;

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
    let done: SaveDone = context.engine.post(route::SAVE, &())?;
    let apps = words::counted(done.apps, "app");
    let path = done.path.display().to_string();
    output::answer(&format!("saved {apps} to {}\n", text::plain(&path)))?;
    Ok(ExitCode::SUCCESS)
}

/// Starts what was saved and is not in the list.
pub fn resurrect(context: &Context) -> Result<ExitCode, Failure> {
    let saved = read(&context.home.dump())?;
    let keep = |app| Declaration { replace: false, ..app };
    let apps = saved.apps.into_iter().map(keep).collect();
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
            output::tell(
                "no list is saved
",
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let failed =
        |error: io::Error| Failure::new(format!("{} cannot be written: {error}", path.display()));
    zelador_daemon::clear_saved(&path, super::incidents::now()).map_err(failed)?;
    output::tell(
        "the saved list is empty now; the one before is kept beside it
",
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Reads what was saved; where that is broken, what was saved before it.
fn read(path: &Path) -> Result<Saved, Failure> {
    let older = PathBuf::from(format!("{}.bak", path.display()));
    let wrong = match read_one(path) {
        Ok(saved) => return Ok(saved),
        Err(wrong) => wrong,
    };
    match read_one(&older) {
        Ok(saved) => {
            let problem = wrong.unwrap_or_else(|| format!("{} is missing", path.display()));
            output::note(&format!("{problem}; taking the list saved before: {}", older.display()));
            Ok(saved)
        }
        Err(also) => {
            let Some(wrong) = wrong else {
                return Err(Failure::with_help(
                    format!("no list was saved: there is no {}", path.display()),
                    "`zelador save` saves the list",
                ));
            };
            let also = also.unwrap_or_else(|| format!("there is no {}", older.display()));
            Err(Failure::with_help(
                format!("{wrong}; {also}"),
                "start the apps from their ecosystem file, then `zelador save`",
            ))
        }
    }
}

/// Reads one file; `Err(None)`: it is not there, else what is wrong with it.
fn read_one(path: &Path) -> Result<Saved, Option<String>> {
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => None,
        _ => Some(format!("{} cannot be read: {error}", path.display())),
    })?;
    // The layout first: a file of a later version may be anything else.
    #[derive(serde::Deserialize)]
    struct Layout {
        version: u32,
    }
    let broken = |error| Some(format!("{} is broken: {error}", path.display()));
    let layout: Layout = serde_json::from_slice(&bytes).map_err(broken)?;
    if layout.version != VERSION {
        let found = layout.version;
        let path = path.display();
        return Err(Some(format!("{path} has layout {found}, this zelador reads {VERSION}")));
    }
    serde_json::from_slice(&bytes).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_is_named_and_the_one_before_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.json");
        let said = |failure: Failure| match failure {
            Failure::Said { error, .. } => error,
            other => panic!("{other:?}"),
        };
        assert!(said(read(&path).unwrap_err()).starts_with("no list was saved"));
        fs::write(&path, "{ \"version\": 1, \"at\": 5, \"ap").unwrap();
        let error = said(read(&path).unwrap_err());
        assert!(error.contains("dump.json is broken: EOF"), "{error}");
        fs::write(&path, r#"{ "version": 2, "anything": true }"#).unwrap();
        let error = said(read(&path).unwrap_err());
        assert!(error.contains("has layout 2, this zelador reads 1"), "{error}");
        let older = folder.path().join("dump.json.bak");
        fs::write(older, r#"{ "version": 1, "at": 5, "apps": [] }"#).unwrap();
        assert_eq!(read(&path).unwrap().at.as_micros(), 5);
    }
}
