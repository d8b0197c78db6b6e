//! `stop`, `restart`, `reload`, `delete`: acting on what is in the list.

use std::path::Path;
use std::process::ExitCode;

use zelador_api::config::Change;
use zelador_api::{AppView, Command, Done, Unchanged};

use super::{Context, look, select, start};
use crate::cli::{Options, Restart, Selectors};
use crate::declare::Asked;
use crate::failure::Failure;
use crate::render::done;
use crate::render::terminal::Terminal;
use crate::{declare, output, pm2, voice};

/// Stops apps.
pub fn stop(context: &Context, selectors: Selectors) -> Result<ExitCode, Failure> {
    let selectors = names(context, selectors)?;
    act(context, &Command::Stop { selectors })
}

/// Restarts apps: by name as they are stored, with changes where options are given; by a file as
/// the file says.
pub fn restart(context: &Context, asked: Restart) -> Result<ExitCode, Failure> {
    let Restart { selectors, args, env_name, only, update_env, options } = asked;
    let (files, words): (Vec<String>, Vec<String>) =
        selectors.into_iter().partition(|word| declare::is_ecosystem(word));
    if files.is_empty() && (env_name.is_some() || only.is_some()) {
        return Err(Failure::with_help(
            "`--env` and `--only` are for ecosystem files",
            "give the file: `zelador restart ecosystem.config.js --env NAME`",
        ));
    }
    let mut whole = Done::default();
    if !words.is_empty() {
        let change = change(&options, &args, update_env)?.map(Box::new);
        let selectors = context.selectors(words)?;
        look_at_env_files(context, &selectors)?;
        whole = context.engine.command(&Command::Restart { selectors, change })?;
    }
    for file in files {
        let asked = Asked { env_name: env_name.clone(), only: only.clone(), ..Asked::default() };
        let path = Path::new(&file);
        let command =
            start::declaration(context, path, asked, (&options, &args), Unchanged::Restart)?;
        let done = context.engine.command(&command)?;
        whole.instances.extend(done.instances);
        whole.notes.extend(done.notes);
    }
    finish(context, &whole)
}

/// Returns what options at a restart change; `None`: nothing.
pub fn change(options: &Options, args: &[String], update: bool) -> Result<Option<Change>, Failure> {
    let (mut change, notes) = declare::change(options, args)?;
    if let Some(app) = &mut change.app {
        declare::look_at_env_files(app)?;
    }
    if update {
        change.inherited_env = Some(declare::inherited_env());
    }
    notes.iter().for_each(|note| output::note(note));
    Ok((!change.is_empty()).then_some(change))
}

/// What runs is not stopped for a file with variables that nothing can be started with.
fn look_at_env_files(context: &Context, selectors: &[String]) -> Result<(), Failure> {
    let mut apps: Vec<AppView> = context.engine.apps()?;
    apps.retain(|app| !app.spec.launch.env_files.is_empty());
    for selector in selectors {
        // What the selector names is the engine's to say; here it may name none of these.
        let Ok(chosen) = select(&apps, selector) else { continue };
        for app in chosen {
            declare::look_at_env_files(&mut app.spec.clone())?;
        }
    }
    Ok(())
}

/// Replaces apps one instance after another.
pub fn reload(context: &Context, selectors: Selectors) -> Result<ExitCode, Failure> {
    let selectors = names(context, selectors)?;
    look_at_env_files(context, &selectors)?;
    act(context, &Command::Reload { selectors, change: None })
}

/// Calls an action of apps, and shows what each answered.
pub fn trigger(
    context: &Context,
    selector: String,
    action: String,
    param: Option<String>,
) -> Result<ExitCode, Failure> {
    let selectors = vec![selector];
    let done = context.engine.command(&Command::Trigger { selectors, action, param })?;
    tell(&done)?;
    Ok(code(&done))
}

/// Stops and forgets apps.
pub fn delete(context: &Context, selectors: Selectors) -> Result<ExitCode, Failure> {
    let selectors = names(context, selectors)?;
    act(context, &Command::Delete { selectors })
}

/// Returns the selectors with the names of its apps in the place of each ecosystem file.
pub fn names(context: &Context, given: Selectors) -> Result<Vec<String>, Failure> {
    let Selectors { selectors, only } = given;
    let (mut words, mut names) = (Vec::new(), Vec::new());
    for selector in selectors {
        if !declare::is_ecosystem(&selector) {
            words.push(selector);
            continue;
        }
        let asked = Asked { only: only.clone(), ..Asked::default() };
        let declared = declare::file(Path::new(&selector), asked)?;
        if declared.apps.is_empty() {
            return Err(Failure::new(format!("{selector} declares no app")));
        }
        names.extend(declared.apps.iter().map(|app| app.name.to_string()));
    }
    if only.is_some() && names.is_empty() {
        return Err(Failure::new("`--only` is for ecosystem files"));
    }
    Ok([context.selectors(words)?, names].concat())
}

/// Gives a command, says what it did, and shows the list.
pub fn act(context: &Context, command: &Command) -> Result<ExitCode, Failure> {
    let done = context.engine.command(command)?;
    finish(context, &done)
}

pub fn finish(context: &Context, done: &Done) -> Result<ExitCode, Failure> {
    if voice::is_pm2() {
        pm2::tell(done);
    } else {
        tell(done)?;
    }
    print_list(context)?;
    Ok(code(done))
}

/// Shows the list in the voice that is spoken.
///
/// # Errors
/// Nobody answers, or nobody reads.
pub fn print_list(context: &Context) -> Result<(), Failure> {
    if voice::is_pm2() { pm2::print_list(context) } else { look::print_list(&context.engine) }
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
    output::tell(&said)?;
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
