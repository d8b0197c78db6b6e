//! `start`: what a word on the command line means, and bringing it up.
//!
//! A word means, in this order: an ecosystem file, by its extension; `all`; a script, if it has a
//! slash or an extension and is there; an app, a number or a replica of the list; a command, if it
//! has a blank; a file here; a program in PATH. PM2 has the same order; other than there, starting
//! an app that is up does not restart it.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zelador_api::client::ClientError;
use zelador_api::config::Overlay;
use zelador_api::spec::AppSpec;
use zelador_api::{Command, Declaration, Done, Goal, Unchanged, View, route};

use super::{Context, act, logs, look, nearest, of_instance};
use crate::bring_up::bring_up;
use crate::cli::more::OfFile;
use crate::cli::{Logs, Options, Start};
use crate::declare::Asked;
use crate::failure::Failure;
use crate::{declare, output};

/// What `start` without a word means, as in PM2.
pub const DEFAULT_FILES: [&str; 3] =
    ["ecosystem.config.js", "ecosystem.config.cjs", "ecosystem.config.mjs"];

/// Starts something.
pub fn start(context: &Context, start: &Start) -> Result<ExitCode, Failure> {
    let mut start = start.clone();
    if start.targets.is_empty() {
        start.targets.extend(start.options.watch.take_target());
    }
    let start = &start;
    let default;
    let targets = if start.targets.is_empty() {
        default = [default_file()?];
        default.as_slice()
    } else {
        start.targets.as_slice()
    };
    if start.force {
        output::note(
            "`--force` has no effect: an app has one declaration; for a second app of the same script \
             give `--name`",
        );
    }
    let mut whole = Done::default();
    for target in targets {
        let done = one(context, target, start)?;
        act::tell(&done)?;
        whole.instances.extend(done.instances);
    }
    look::print_list(&context.engine)?;
    if start.attach {
        let names: BTreeSet<&str> = whole.instances.iter().map(|it| it.app.as_str()).collect();
        return attach(context, &names);
    }
    Ok(act::code(&whole))
}

/// How many of the last lines `--attach` shows: as many as `logs`.
const ATTACHED_LINES: usize = 15;

/// Follows the logs of these apps.
fn attach(context: &Context, names: &BTreeSet<&str>) -> Result<ExitCode, Failure> {
    let selector = match names.len() {
        1 => names.first().map(|name| (*name).to_owned()),
        _ => None,
    };
    logs::logs(context, &Logs { selector, lines: ATTACHED_LINES, ..Logs::default() })
}

fn one(context: &Context, target: &str, start: &Start) -> Result<Done, Failure> {
    if declare::is_ecosystem(target) {
        return file(context, Path::new(target), start);
    }
    if start.env_name.is_some() || start.only.is_some() {
        return Err(Failure::with_help(
            format!("`--env` and `--only` are for ecosystem files, and `{target}` is none"),
            "set variables in the shell: `NODE_ENV=production zelador start …`",
        ));
    }
    let folder = start.options.cwd.as_deref().map_or(Path::new(""), Path::new);
    let view = match context.engine.get::<View>(route::VIEW) {
        Ok(view) => Some(view),
        Err(ClientError::NotRunning(_)) if may_be_listed(context, folder, target) => {
            up(context)?;
            Some(context.engine.get(route::VIEW)?)
        }
        Err(ClientError::NotRunning(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let is_listed = view.as_ref().is_some_and(|view| is_listed(view, target));
    if target == "all" || (is_listed && !(looks_like_a_path(target) && is_file(folder, target))) {
        return listed(context, target, start);
    }
    script(context, target, folder, start, view.as_ref())
}

/// Whether a zelador that is not running has to be brought up to know what the word means: it kept a list when it
/// went, which comes back with it, and the word may stand in it or name an app as one that does.
fn may_be_listed(context: &Context, folder: &Path, target: &str) -> bool {
    let is_no_file = looks_like_a_path(target) && !is_file(folder, target);
    !target.trim().is_empty() && !is_no_file && context.keeps_list()
}

/// Starts what an ecosystem file declares.
fn file(context: &Context, path: &Path, start: &Start) -> Result<Done, Failure> {
    let asked = Asked {
        env_name: start.env_name.clone(),
        only: start.only.clone(),
        known: Some(context.known_names()),
    };
    let options = (&start.options, start.args.as_slice());
    let command = declaration(context, path, asked, options, Unchanged::LeaveAlone)?;
    up(context)?;
    Ok(context.engine.command(&command)?)
}

/// `startOrRestart` and the like.
pub fn start_or(context: &Context, of: &OfFile, known: Unchanged) -> Result<ExitCode, Failure> {
    let asked = Asked {
        env_name: of.env_name.clone(),
        only: of.only.clone(),
        known: Some(context.known_names()),
    };
    let command = declaration(context, &of.file, asked, (&Options::default(), &[]), known)?;
    up(context)?;
    act::act(context, &command)
}

/// Returns the command that declares what an ecosystem file says, with options laid over it.
pub fn declaration(
    context: &Context,
    path: &Path,
    mut asked: Asked,
    (options, args): (&Options, &[String]),
    unchanged: Unchanged,
) -> Result<Command, Failure> {
    if asked.known.is_none() {
        asked.known = Some(context.known_names());
    }
    let declared = declare::file(path, asked)?;
    let (change, notes) = declare::change(options, args)?;
    if change.renames() && declared.apps.len() > 1 {
        return Err(Failure::with_help(
            format!("{} declares several apps, and `--name` is for one", path.display()),
            "`--only` names one of them",
        ));
    }
    for note in declared.notes.iter().map(ToString::to_string).chain(notes) {
        output::note(&note);
    }
    let mut apps = Vec::with_capacity(declared.apps.len());
    for spec in declared.apps {
        let mut spec = change.of(&spec);
        declare::look_at_env_files(&mut spec)?;
        apps.push(Declaration { spec, goal: Goal::Up, replace: true });
    }
    // A file that says nothing about zelador leaves the settings of another one alone.
    let settings = Some(declared.settings).filter(|settings| *settings != Overlay::default());
    Ok(Command::Declare { apps, settings: settings.map(Box::new), unchanged })
}

/// Declares one app and brings it up; `known`: what becomes of one that is up and unchanged.
pub fn declare_one(context: &Context, spec: AppSpec, known: Unchanged) -> Result<Done, Failure> {
    up(context)?;
    let apps = vec![Declaration { spec, goal: Goal::Up, replace: true }];
    Ok(context.engine.command(&Command::Declare { apps, settings: None, unchanged: known })?)
}

/// Returns the command that declares what a word means where there is no list yet.
///
/// # Errors
/// The word means nothing, or something in what it names is wrong.
pub fn alone(context: &Context, target: Option<&str>, start: &Start) -> Result<Command, Failure> {
    let default;
    let target = match target {
        Some(target) => target,
        None => {
            default = default_file()?;
            &default
        }
    };
    if declare::is_ecosystem(target) {
        let asked = Asked {
            env_name: start.env_name.clone(),
            only: start.only.clone(),
            known: Some(BTreeSet::new()),
        };
        let options = (&start.options, start.args.as_slice());
        return declaration(context, Path::new(target), asked, options, Unchanged::LeaveAlone);
    }
    let folder = start.options.cwd.as_deref().map_or(Path::new(""), Path::new);
    let script = resolve(target, folder).ok_or_else(|| not_found(target, None))?;
    let (mut spec, notes) = declare::script(&script, &start.args, &start.options)?;
    declare::look_at_env_files(&mut spec)?;
    for note in &notes {
        output::note(note);
    }
    let apps = vec![Declaration { spec, goal: Goal::Up, replace: true }];
    Ok(Command::Declare { apps, settings: None, unchanged: Unchanged::LeaveAlone })
}

/// Brings zelador up if it is down.
pub fn up(context: &Context) -> Result<(), Failure> {
    let program = env::current_exe()
        .map_err(|error| Failure::new(format!("the zelador executable cannot be told: {error}")))?;
    bring_up(&context.home, &context.engine, &program)?;
    Ok(())
}

/// Brings up what is in the list.
fn listed(context: &Context, target: &str, start: &Start) -> Result<Done, Failure> {
    if start.options != Options::default() || !start.args.is_empty() {
        return Err(Failure::with_help(
            format!("`{target}` is in the list, and options are for what is not"),
            format!(
                "`zelador restart {target} --…` changes it; for another app, give the script with a slash"
            ),
        ));
    }
    Ok(context.engine.command(&Command::Start { selectors: vec![target.to_owned()] })?)
}

fn script(
    context: &Context,
    target: &str,
    folder: &Path,
    start: &Start,
    view: Option<&View>,
) -> Result<Done, Failure> {
    let script = resolve(target, folder).ok_or_else(|| not_found(target, view))?;
    let (mut spec, notes) = declare::script(&script, &start.args, &start.options)?;
    declare::look_at_env_files(&mut spec)?;
    if view.is_some_and(|view| view.instances.iter().any(|of| of.app == spec.name.as_str())) {
        let apps = context.engine.apps()?;
        let other = apps.iter().map(|app| &app.spec).find(|other| {
            other.name == spec.name
                && (&other.launch.script, &other.launch.args)
                    != (&spec.launch.script, &spec.launch.args)
        });
        if let Some(other) = other {
            return Err(Failure::with_help(
                format!("another app is called `{}`: {}", spec.name, other.launch.script),
                format!("give a name with `--name`, or `zelador delete {}` first", spec.name),
            ));
        }
    }
    for note in &notes {
        output::note(note);
    }
    declare_one(context, spec, Unchanged::LeaveAlone)
}

fn default_file() -> Result<String, Failure> {
    let found = DEFAULT_FILES.into_iter().find(|name| Path::new(name).is_file());
    found.map(str::to_owned).ok_or_else(|| {
        Failure::with_help(
            "nothing to start: there is no ecosystem.config.js here",
            "`zelador start FILE` starts an ecosystem file, a script or a program",
        )
    })
}

fn is_listed(view: &View, target: &str) -> bool {
    let candidates: Vec<_> = view.instances.iter().map(of_instance).collect();
    super::is_listed(target, &candidates)
}

/// PM2 takes a word with a slash or an extension for a path, any other first for a name.
pub fn looks_like_a_path(word: &str) -> bool {
    word.contains('/') || Path::new(word).extension().is_some()
}

pub fn is_file(folder: &Path, word: &str) -> bool {
    folder.join(word).is_file()
}

/// Returns the script as the checker understands it; `None` when there is nothing of that name.
pub fn resolve(target: &str, folder: &Path) -> Option<String> {
    if is_file(folder, target) {
        // A bare word would be looked up in PATH: PM2 prefers the file that is here.
        let here = if target.contains('/') { target.to_owned() } else { format!("./{target}") };
        return Some(here);
    }
    if target.trim().contains(char::is_whitespace) {
        return Some(target.to_owned());
    }
    (!target.contains('/')).then(|| in_path(target)).flatten().map(|_| target.to_owned())
}

fn in_path(word: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(word)).find(|file| file.is_file())
}

fn not_found(target: &str, view: Option<&View>) -> Failure {
    if target.parse::<u32>().is_ok() && view.is_none() {
        return ClientError::NotRunning(PathBuf::new()).into();
    }
    let error = format!("no app, file or program is called `{target}`");
    let names = view.map(|view| view.instances.as_slice()).unwrap_or_default();
    let near = nearest(target, names.iter().map(|instance| instance.app.as_str()));
    let help = match near {
        Some(name) => format!("did you mean `{name}`?"),
        None => "check the path, or `zelador list` for names".to_owned(),
    };
    Failure::with_help(error, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_file_here_before_it_is_a_program() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sh"), "").unwrap();
        std::fs::write(folder.path().join("app.js"), "").unwrap();
        assert_eq!(resolve("sh", folder.path()).as_deref(), Some("./sh"));
        assert_eq!(resolve("app.js", folder.path()).as_deref(), Some("./app.js"));
        assert_eq!(resolve("env", folder.path()).as_deref(), Some("env"), "from PATH");
        assert_eq!(resolve("npm run x", folder.path()).as_deref(), Some("npm run x"));
        assert_eq!(resolve("nope.js", folder.path()), None);
        assert_eq!(resolve("./env", folder.path()), None);
    }
}
