//! `stop`, `restart`, `delete`: acting on what is in the list.

use std::path::Path;
use std::process::ExitCode;

use zelador_api::{Command, Done};

use super::{Context, look};
use crate::cli::Selectors;
use crate::failure::Failure;
use crate::render::done;
use crate::render::terminal::Terminal;
use crate::{declare, output};

/// Stops apps.
pub fn stop(context: &Context, selectors: Selectors) -> Result<ExitCode, Failure> {
    let selectors = names(selectors)?;
    act(context, &Command::Stop { selectors })
}

/// Restarts apps.
pub fn restart(context: &Context, selectors: Selectors) -> Result<ExitCode, Failure> {
    let has_file = selectors.selectors.iter().any(|selector| declare::is_ecosystem(selector));
    let selectors = names(selectors)?;
    let code = act(context, &Command::Restart { selectors, change: None })?;
    if has_file {
        output::note("restarted as declared before: `zelador start FILE` applies a changed file");
    }
    Ok(code)
}

/// Replaces apps one instance after another.
pub fn reload(context: &Context, selectors: Selectors) -> Result<ExitCode, Failure> {
    let selectors = names(selectors)?;
    act(context, &Command::Reload { selectors })
}

/// Stops and forgets apps.
pub fn delete(context: &Context, selectors: Selectors) -> Result<ExitCode, Failure> {
    let selectors = names(selectors)?;
    act(context, &Command::Delete { selectors })
}

/// Returns the selectors with the names of its apps in the place of each ecosystem file.
fn names(given: Selectors) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for selector in given.selectors {
        if !declare::is_ecosystem(&selector) {
            names.push(selector);
            continue;
        }
        let declared = declare::file(Path::new(&selector), None, None)?;
        if declared.apps.is_empty() {
            return Err(Failure::new(format!("{selector} declares no app")));
        }
        names.extend(declared.apps.iter().map(|app| app.name.to_string()));
    }
    Ok(names)
}

fn act(context: &Context, command: &Command) -> Result<ExitCode, Failure> {
    let done = context.engine.command(command)?;
    tell(&done)?;
    look::print_list(&context.engine)?;
    Ok(code(&done))
}

/// Says what a command did.
pub fn tell(done: &Done) -> Result<(), Failure> {
    let terminal = Terminal::stdout();
    let mut said = String::new();
    for affected in &done.instances {
        if affected.ok {
            said.push_str(&done::line(affected, terminal));
            said.push('\n');
        }
    }
    output::answer(&said)?;
    for affected in done.instances.iter().filter(|affected| !affected.ok) {
        output::failed(affected);
    }
    for note in &done.notes {
        output::note(note);
    }
    Ok(())
}

/// The exit code of a command that was carried out.
pub fn code(done: &Done) -> ExitCode {
    if done::is_success(done) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
