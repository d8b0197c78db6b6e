//! What is executed: script, interpreter, arguments and directory.
//!
//! The rules, PM2's where it has one:
//! - a `script` with a blank and no interpreter is a command: `bash -c "<script>"`; `args` are
//!   handed to it as well;
//! - a `script` with a slash, or with an extension of a known one, is a file, made absolute
//!   against `cwd`; any other word stays as it is and is looked up in PATH when it is spawned;
//! - the interpreter is the one that is named (`none`: the script is executed itself), else that
//!   of the extension, else `node` if `node_args` or `exec_mode: 'cluster'` say so, else none.

use std::path::Path;
use std::sync::Arc;

use super::ecosystem::Context;
use super::environment;
use super::interpreter::{self, Interpreter};
use super::node::{Key, Value};
use super::place::{Block, Place};
use crate::launch::FILE_SERVER;
use crate::spec::{EnvFile, EnvFilter, LaunchSpec};
use crate::watch::absolute;

/// PM2's word for its own server of static files; a program of that name is given by its path, or
/// with `interpreter: 'none'`.
const SERVE: &str = "serve";

/// What is executed, and the name that follows from it.
pub(super) struct Launch {
    pub(super) spec: LaunchSpec,
    pub(super) default_name: String,
}

/// Returns what is executed; `None` without a script, which is reported.
pub(super) fn check<'a>(
    app: &Block<'a>,
    env_blocks: &[(&'a Key, Place<'a>)],
    context: &Context,
) -> Option<Launch> {
    let cwd = app.get("cwd").and_then(Place::text);
    let cwd = absolute(&context.folder, cwd.as_deref().unwrap_or("."));
    let args = app.get("args").and_then(Place::words).unwrap_or_default();
    let interpreter_args = app.get("node_args").and_then(Place::words).unwrap_or_default();
    let interpreter = app.get("exec_interpreter").and_then(|place| interpreter::named(place, &cwd));
    let instance_var = app.get("instance_var").and_then(environment::variable_name);
    let env = environment::declared(app, env_blocks, context);
    let filter_env = environment::filter(app);
    let (uid, gid) = (app.get("uid").and_then(who), app.get("gid").and_then(who));
    let env_files = app.get("env_file").map(|place| env_files(place, &cwd)).unwrap_or_default();
    let mut spec = LaunchSpec {
        script: String::new(),
        interpreter: None,
        interpreter_args,
        args,
        cwd,
        increment_var: environment::counted(app, &env, context.defaults.lenient),
        env,
        inherited_env: filter_env.apply(&context.inherited_env),
        filter_env,
        env_files,
        instance_var: instance_var.unwrap_or_else(|| context.defaults.instance_var.clone()),
        uid,
        gid,
    };
    let Some(place) = app.get("script") else {
        let allowed = "text: the file or program to execute".to_owned();
        let (position, field) = (app.place.node.position, app.place.field.clone());
        app.place.report.mistake(position, &field, "no `script`".to_owned(), allowed, None);
        return None;
    };
    let script = place.text()?;
    let default_name = match interpreter {
        None | Some(Interpreter::None) if script.trim().contains(char::is_whitespace) => {
            command(&mut spec, &script)
        }
        interpreter => file(app, place, &mut spec, script.trim(), interpreter, context),
    };
    unbuffered(&mut spec);
    Some(Launch { spec, default_name })
}

/// PM2 puts bash in the script's place; no `exec` is added.
fn command(spec: &mut LaunchSpec, script: &str) -> String {
    let given = std::mem::take(&mut spec.args);
    let text = if given.is_empty() { script.to_owned() } else { format!("{script} \"$@\"") };
    "bash".clone_into(&mut spec.script);
    spec.args = vec!["-c".to_owned(), text];
    if !given.is_empty() {
        spec.args.push("bash".to_owned()); // `$0`, so that `$@` begins with the first argument
        spec.args.extend(given);
    }
    script.rsplit_once('.').map_or(script, |(stem, _)| stem).to_owned()
}

fn file(
    app: &Block<'_>,
    place: &Place<'_>,
    spec: &mut LaunchSpec,
    script: &str,
    interpreter: Option<Interpreter>,
    context: &Context,
) -> String {
    if script == SERVE && interpreter.is_none() {
        FILE_SERVER.clone_into(&mut spec.script);
        return SERVE.to_owned();
    }
    let extension = Path::new(script).extension().and_then(|extension| extension.to_str());
    let extension = extension.unwrap_or_default();
    let is_file = script.contains('/') || interpreter::has_one(extension);
    spec.script = if is_file { shown(&absolute(&spec.cwd, script)) } else { script.to_owned() };
    spec.interpreter = match interpreter {
        Some(Interpreter::None) => None,
        Some(Interpreter::Program(program)) => Some(program),
        None => {
            let whole = Path::new(&spec.script);
            let usual = interpreter::by_extension(place, whole, extension, &spec.cwd, context);
            usual.or_else(|| {
                let for_node = app.get("node_args").is_some() || environment::wants_cluster(app);
                (is_file && for_node).then(|| "node".to_owned())
            })
        }
    };
    let stem = Path::new(script).file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or(script).to_owned()
}

/// Python keeps its output to itself when it is no terminal; PM2 turns that off too.
fn unbuffered(spec: &mut LaunchSpec) {
    const VARIABLE: &str = "PYTHONUNBUFFERED";
    let python = spec.interpreter.as_ref().is_some_and(|program| program.contains("python"));
    if python && !spec.inherited_env.contains_key(VARIABLE) {
        spec.env.entry(VARIABLE.to_owned()).or_insert_with(|| "1".to_owned());
    }
}

/// One file or a list; a blank belongs to a name.
fn env_files(place: &Place<'_>, cwd: &Path) -> Vec<EnvFile> {
    let file = |path: String| EnvFile { path: absolute(cwd, &path), written_at: None };
    match &place.node.value {
        Value::Bool(false) => Vec::new(),
        Value::List(_) => place.items().iter().filter_map(Place::text).map(file).collect(),
        Value::Text(_) => place.text().map(file).into_iter().collect(),
        _ => place.refuse("the path of a file, or a list of paths").unwrap_or_default(),
    }
}

fn who(place: &Place<'_>) -> Option<String> {
    match &place.node.value {
        Value::Number(_) => Some(place.whole(0..=i64::from(u32::MAX))?.to_string()),
        _ => place.text(),
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What an app of which nothing is right is checked on with, so that all its mistakes are found.
pub(super) fn placeholder(context: &Context) -> Launch {
    let spec = LaunchSpec {
        script: String::new(),
        interpreter: None,
        interpreter_args: Vec::new(),
        args: Vec::new(),
        cwd: context.folder.clone(),
        env: crate::spec::Environment::new(),
        inherited_env: Arc::clone(&context.inherited_env),
        env_files: Vec::new(),
        instance_var: String::new(),
        increment_var: None,
        filter_env: EnvFilter::None,
        uid: None,
        gid: None,
    };
    Launch { spec, default_name: "unnamed".to_owned() }
}
