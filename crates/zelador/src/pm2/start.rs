//! `start` and its like: what a word means to PM2.
//!
//! In this order: an ecosystem file; a name, a namespace or a number of the list, which is
//! restarted; a script. A script that is in the list under this name is restarted when it is down,
//! and refused when it is up, unless `--force` asks for one process more.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use zelador_api::select::nearest;
use zelador_api::spec::AppSpec;
use zelador_api::{AppView, Command, Declaration, Goal, Replicas, Surplus, Unchanged};

use super::act::{Doing, applying, code, one, tell};
use super::words::Line;
use super::{files, listed, look, say, write};
use crate::boot::in_path;
use crate::bring_up::lock_is_free;
use crate::cli::boot::Runtime;
use crate::cli::{Logs, Start};
use crate::command::start::{DEFAULT_FILES, declaration, is_file, looks_like_a_path, resolve};
use crate::command::{self, Context, logs, runtime};
use crate::declare::{self, Asked};
use crate::failure::Failure;
use crate::output;
use crate::render::jlist;

/// What becomes of an app of a file that is in the list.
pub type Known = (Unchanged, Doing);
/// It is restarted.
pub const RESTART: Known = (Unchanged::Restart, Doing::Restart);
/// It is reloaded.
pub const RELOAD: Known = (Unchanged::Reload, Doing::Reload);

/// Starts something.
pub fn start(context: &Context, mut line: Line) -> Result<ExitCode, Failure> {
    let mut targets = line.rest().to_vec();
    if targets.is_empty() {
        // The word after `--watch` is taken for a path to watch, whatever it was meant for.
        let meant = line.options.watch.take_target();
        targets.push(match meant {
            Some(word) => word,
            None => default_file()?,
        });
    }
    let mut ok = true;
    for target in &targets {
        ok &= if declare::is_ecosystem(target) {
            file(context, target, &line, RESTART)?
        } else {
            word(context, target, &line)?
        };
    }
    look::print_list(context)?;
    if line.attach {
        let selector = match targets.as_slice() {
            [one] if !declare::is_ecosystem(one) => line.options.name.clone(),
            _ => None,
        };
        logs::logs(context, &Logs { selector, lines: ATTACHED_LINES, ..Logs::default() })?;
    }
    Ok(code(ok))
}

/// `start --no-daemon`: starts in the foreground, where an end of this process is the end of all. A
/// daemon that is up is used, and the logs are followed.
pub fn in_foreground(context: &Context, mut line: Line) -> Result<ExitCode, Failure> {
    if !lock_is_free(&context.home) {
        say::message("[--no-daemon] PM2 runs already: Continue to stream logs");
        line.attach = true;
        return start(context, line);
    }
    let start = Start {
        targets: line.rest().to_vec(),
        args: line.args,
        env_name: line.env_name,
        only: line.only,
        options: line.options,
        ..Start::default()
    };
    runtime::runtime(Runtime { start, formatted: true, no_auto_exit: true, ..Runtime::default() })
}

/// How many of the last lines `--attach` shows: as many as `logs`.
const ATTACHED_LINES: usize = 15;

/// `startOrRestart` and the like.
pub fn start_or(context: &Context, line: &Line, known: Known) -> Result<ExitCode, Failure> {
    let mut ok = true;
    for path in line.rest() {
        ok &= file(context, path, line, known)?;
    }
    look::print_list(context)?;
    Ok(code(ok))
}

fn default_file() -> Result<String, Failure> {
    let found = DEFAULT_FILES.into_iter().find(|name| Path::new(name).is_file());
    found.map(str::to_owned).ok_or_else(|| {
        Failure::with_help(
            "File ecosystem.config.js not found",
            "`pm2 start FILE` starts an ecosystem file, a script or a program",
        )
    })
}

/// A file that is not there is said as PM2 says it.
pub fn must_be_there(path: &str) -> Result<(), Failure> {
    if path == declare::STDIN || Path::new(path).exists() {
        return Ok(());
    }
    Err(Failure::new(format!("File {path} not found")))
}

/// Starts what a file declares; what is in the list is restarted, or reloaded, as the file says.
pub fn file(context: &Context, path: &str, line: &Line, known: Known) -> Result<bool, Failure> {
    must_be_there(path)?;
    let asked = Asked {
        env_name: line.env_name.clone(),
        only: line.only.clone(),
        known: Some(context.known_names()),
    };
    let (unchanged, doing) = known;
    let options = (&line.options, line.args.as_slice());
    let mut command = declaration(context, Path::new(path), asked, options, unchanged)?;
    let mut whole = true;
    if let Command::Declare { apps, .. } = &mut command {
        apps.retain(|app| {
            let missing = missing_interpreter(&app.spec);
            missing.iter().for_each(|missing| say::error(missing));
            whole &= missing.is_none();
            missing.is_none()
        });
    }
    let apps = listed::all(context)?;
    let names: Vec<String> = match &command {
        Command::Declare { apps, .. } => apps.iter().map(|it| it.spec.name.to_string()).collect(),
        _ => Vec::new(),
    };
    let of = |name: &str| -> Vec<&AppView> {
        apps.iter().filter(|app| app.instance.app == name).collect()
    };
    let missing: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| of(name).is_empty()).collect();
    files::up(context)?;
    for name in names.iter().filter(|name| !missing.contains(&name.as_str())) {
        applying(doing, name, &of(name));
    }
    if !missing.is_empty() {
        say::warning(&format!("Applications {} not running, starting...", missing.join(", ")));
    }
    let mut done = context.engine.command(&command)?;
    let fresh = done.instances.extract_if(.., |it| it.ok && missing.contains(&it.app.as_str()));
    let fresh: Vec<String> = fresh.map(|affected| affected.app).collect();
    let ok = tell(&done);
    let mut told = BTreeSet::new();
    for name in fresh.iter().filter(|name| told.insert(name.as_str())) {
        let count = fresh.iter().filter(|other| other == &name).count();
        say::message(&format!("App [{name}] launched ({count} instances)"));
    }
    Ok(ok && whole)
}

fn word(context: &Context, target: &str, line: &Line) -> Result<bool, Failure> {
    // What the word means depends on a list that comes back with the daemon.
    if lock_is_free(&context.home) && context.keeps_list() {
        files::up(context)?;
    }
    let apps = listed::all(context)?;
    let folder = line.options.cwd.as_deref().map_or(Path::new(""), Path::new);
    let is_path = looks_like_a_path(target) && is_file(folder, target);
    if target == "all" || (!is_path && command::find(&apps, target).is_ok()) {
        let ok = one(context, target, line, Doing::Restart)?;
        say::message("Process successfully started");
        return Ok(ok);
    }
    if target.parse::<u32>().is_ok() && !is_file(folder, target) {
        return listed::named(&apps, target).map(|_| true);
    }
    let Some(script) = resolve(target, folder) else {
        let path = declare::whole_path(&folder.join(target));
        let path = path.map_or(target.to_owned(), |path| path.display().to_string());
        let near = listed::meant(neighbour(&folder.join(target)));
        return Err(Failure::new(format!("Script not found: {path}{near}")));
    };
    if line.env_name.is_some() {
        say::warning(&format!("--env has no effect: {target} is no ecosystem file"));
    }
    let (mut spec, notes) = declare::script(&script, &line.args, &line.options)?;
    declare::look_at_env_files(&mut spec)?;
    notes.iter().for_each(|note| output::note(note));
    if line.write {
        write::write(&spec, line)?;
    }
    if let Some(missing) = missing_interpreter(&spec) {
        return Err(Failure::new(missing));
    }
    let same: Vec<&AppView> =
        apps.iter().filter(|app| app.instance.app == spec.name.as_str()).collect();
    match same.first() {
        None => fresh(context, spec),
        Some(app) if app.spec.launch.script == spec.launch.script => {
            again(context, &same, line, &spec)
        }
        Some(app) => {
            let (name, other) = (&spec.name, &app.spec.launch.script);
            Err(Failure::with_help(
                format!("another app is called {name}: {other}"),
                format!("give this one a name with --name, or `pm2 delete {name}` first"),
            ))
        }
    }
}

/// The file of the same folder and extension that was perhaps meant.
fn neighbour(path: &Path) -> Option<String> {
    let (stem, extension) = path.file_name()?.to_str()?.rsplit_once('.')?;
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let names: Vec<String> = entries.filter_map(|it| it.file_name().into_string().ok()).collect();
    let stems = names.iter().filter_map(|name| name.rsplit_once('.'));
    let stems = stems.filter(|(_, other)| *other == extension).map(|(stem, _)| stem);
    nearest(stem, stems).map(|stem| format!("{stem}.{extension}"))
}

/// The script as PM2 shows it: a program that was looked up in PATH by its whole path.
fn shown_script(spec: &AppSpec) -> String {
    let script = &spec.launch.script;
    let found = Some(script).filter(|it| !it.contains('/')).and_then(|it| in_path(it));
    found.map_or_else(|| script.clone(), |path| path.display().to_string())
}

/// Says that the program that is to run a script is not there, which PM2 refuses to list.
fn missing_interpreter(spec: &AppSpec) -> Option<String> {
    let program = spec.launch.interpreter.as_deref()?;
    let own = spec.launch.env.get("PATH").or_else(|| spec.launch.inherited_env.get("PATH"));
    // Where a program is looked up that says nothing about it is the engine's to know.
    let folders = own.filter(|_| !program.contains('/') && !program.starts_with("node@"))?;
    let there = |folder: &str| spec.launch.cwd.join(folder).join(program).is_file();
    let found = folders.split(':').filter(|folder| !folder.is_empty()).any(there);
    (!found).then(|| {
        format!(
            "Interpreter {program} is NOT AVAILABLE in PATH. (type 'which {program}' to double check.)"
        )
    })
}

/// Starts a script that is not in the list.
fn fresh(context: &Context, spec: AppSpec) -> Result<bool, Failure> {
    let mode = jlist::mode(&spec);
    let count = spec.instances;
    let plural = if count == 1 { "" } else { "s" };
    let script = shown_script(&spec);
    files::up(context)?;
    say::message(&format!("Starting {script} in {mode} ({count} instance{plural})"));
    let apps = vec![Declaration { spec, goal: Goal::Up, replace: true }];
    let unchanged = Unchanged::LeaveAlone;
    let done = context.engine.command(&Command::Declare { apps, settings: None, unchanged })?;
    let failed: Vec<_> = done.instances.iter().filter(|affected| !affected.ok).collect();
    failed.iter().for_each(|affected| output::failed(affected));
    done.notes.iter().for_each(|note| say::message(note));
    say::message("Done.");
    Ok(failed.is_empty())
}

/// Starts a script that is in the list under the same name.
fn again(
    context: &Context,
    same: &[&AppView],
    line: &Line,
    spec: &AppSpec,
) -> Result<bool, Failure> {
    let name = spec.name.to_string();
    if same.iter().all(|app| app.instance.phase.run().is_none()) {
        return one(context, &name, line, Doing::Restart);
    }
    if !line.force {
        return Err(Failure::new("Script already launched, add -f option to force re-execution"));
    }
    say::message(&format!("Starting {} once more, as {name}", spec.launch.script));
    let (selectors, to) = (vec![name], Replicas::More(1));
    let command = Command::Scale { selectors, to, surplus: Surplus::Newest };
    let done = context.engine.command(&command)?;
    let failed: Vec<_> = done.instances.iter().filter(|affected| !affected.ok).collect();
    failed.iter().for_each(|affected| output::failed(affected));
    say::message("Done.");
    Ok(failed.is_empty())
}
