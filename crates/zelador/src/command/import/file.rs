//! `import supervisord|systemd|procfile`: an ecosystem file on stdout, and on stderr every line that
//! could not be translated.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use zelador_api::{Command, Declaration, Goal, Unchanged};

use super::super::{Context, act, look, start};
use crate::cli::import::FromFile;
use crate::failure::Failure;
use crate::moving::{Translated, procfile, supervisord, systemd};
use crate::{declare, output};

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `supervisord.conf`
    Supervisord,
    /// `api.service`
    Systemd,
    /// `Procfile`
    Procfile,
}

/// Translates a file, and prints it or starts what it declares.
pub fn import(context: &Context, of: &FromFile, kind: Kind) -> Result<ExitCode, Failure> {
    let shown = of.file.display();
    let text = fs::read_to_string(&of.file)
        .map_err(|error| Failure::new(format!("{shown} cannot be read: {error}")))?;
    let whole = declare::whole_path(&of.file).unwrap_or_else(|| of.file.clone());
    let folder = whole.parent().unwrap_or(Path::new("/"));
    let here = folder.to_string_lossy();
    let env = declare::inherited_env();
    let done = match kind {
        Kind::Supervisord => supervisord::translate(&text, &here, &env),
        Kind::Systemd => {
            let name = of.file.file_stem().unwrap_or_default().to_string_lossy();
            systemd::translate(&text, name.trim_end_matches('@'))
        }
        Kind::Procfile => procfile::translate(&text, &here, folder.join(".env").is_file()),
    };
    for left in &done.left {
        output::note(&format!("{shown}:{}: `{}`: {}", left.line, left.what, left.why));
    }
    if done.apps.is_empty() {
        return Err(Failure::new(format!("{shown} declares nothing that could be an app")));
    }
    if of.start {
        return start_all(context, of, &done, folder);
    }
    output::answer(&done.to_ecosystem())?;
    Ok(ExitCode::SUCCESS)
}

fn start_all(
    context: &Context,
    of: &FromFile,
    done: &Translated,
    folder: &Path,
) -> Result<ExitCode, Failure> {
    let mut apps = Vec::new();
    for app in &done.apps {
        let from = of.file.to_string_lossy();
        let env = declare::inherited_env();
        let (mut spec, notes) = declare::imported(&from, &app.to_json(), folder, env)?;
        notes.iter().for_each(|note| output::note(note));
        declare::look_at_env_files(&mut spec)?;
        apps.push(Declaration { spec, goal: Goal::Up, replace: true });
    }
    start::up(context)?;
    let unchanged = Unchanged::LeaveAlone;
    let done = context.engine.command(&Command::Declare { apps, settings: None, unchanged })?;
    act::tell(&done)?;
    look::print_list(&context.engine)?;
    Ok(act::code(&done))
}
