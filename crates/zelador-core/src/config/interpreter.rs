//! Who runs a script when nobody is named: by its extension, and by what lies beside it.
//!
//! A virtual environment beside a Python script is what its packages were installed in; a runner in a
//! project's `node_modules` is what its TypeScript was written for. Where neither is there, PM2's table.

use std::path::{Path, PathBuf};

use super::ecosystem::Context;
use super::place::Place;
use crate::watch::absolute;

/// PM2's table, without what needs a program to be probed.
const INTERPRETERS: [(&str, &str); 14] = [
    ("sh", "bash"),
    ("py", "python3"),
    ("rb", "ruby"),
    ("php", "php"),
    ("pl", "perl"),
    ("js", "node"),
    ("cjs", "node"),
    ("mjs", "node"),
    ("ts", "node"),
    ("tsx", "node"),
    ("mts", "node"),
    ("cts", "node"),
    ("coffee", "coffee"),
    ("ls", "lsc"),
];

/// Folders that a virtual environment is usually made in.
const VIRTUAL: [&str; 2] = [".venv", "venv"];

/// Programs of a project that run TypeScript.
const TYPESCRIPT: [&str; 2] = ["tsx", "ts-node"];

/// What a person said about it.
pub(super) enum Interpreter {
    /// The script is executed itself.
    None,
    /// This one: a word in PATH, an absolute path, or `node@VERSION`.
    Program(String),
}

/// Returns what a person said.
pub(super) fn named(place: &Place<'_>, cwd: &Path) -> Option<Interpreter> {
    let text = place.text()?;
    let text = text.trim();
    if text == "none" {
        return Some(Interpreter::None);
    }
    if let Some(version) = text.strip_prefix("node@") {
        let version = version.strip_prefix('v').unwrap_or(version);
        let is_number = !version.is_empty()
            && version.split('.').count() <= 3
            && version.split('.').all(|part| part.parse::<u32>().is_ok());
        if !is_number && version != "latest" {
            return place.refuse("`node@` and a version: `node@20`, `node@20.11.1`, `node@latest`");
        }
        return Some(Interpreter::Program(format!("node@{version}")));
    }
    if !text.contains('/') {
        return Some(Interpreter::Program(text.to_owned()));
    }
    let program = absolute(cwd, text).to_string_lossy().into_owned();
    Some(Interpreter::Program(program))
}

/// Returns whether a program is Node, or does what Node does: it has Node's channel.
pub fn is_node(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    matches!(name, "node" | "bun") || name.starts_with("node@")
}

/// Whether files with this extension are run by somebody.
pub(super) fn has_one(extension: &str) -> bool {
    INTERPRETERS.iter().any(|(known, _)| *known == extension)
}

/// Returns who runs a file with this extension; `None`: nobody is known.
pub(super) fn by_extension(
    place: &Place<'_>,
    script: &Path,
    extension: &str,
    cwd: &Path,
    context: &Context,
) -> Option<String> {
    let (_, usual) = INTERPRETERS.iter().find(|(known, _)| *known == extension)?;
    let found = match extension {
        "py" => python(script, cwd, context),
        "ts" | "tsx" | "mts" | "cts" => typescript(place, script, cwd, context),
        _ => None,
    };
    Some(found.unwrap_or_else(|| (*usual).to_owned()))
}

fn python(script: &Path, cwd: &Path, context: &Context) -> Option<String> {
    let beside = folders(script, cwd).into_iter();
    let mut candidates =
        beside.flat_map(|folder| VIRTUAL.map(|name| folder.join(name).join("bin/python")));
    let virtual_one = candidates.find(|path| (context.is_file)(path));
    let plain = || {
        let only_old = !in_path("python3", context) && in_path("python", context);
        only_old.then(|| "python".to_owned())
    };
    virtual_one.map(|path| path.to_string_lossy().into_owned()).or_else(plain)
}

fn typescript(place: &Place<'_>, script: &Path, cwd: &Path, context: &Context) -> Option<String> {
    let modules = folders(script, cwd)
        .into_iter()
        .flat_map(|folder| TYPESCRIPT.map(|name| folder.join("node_modules/.bin").join(name)));
    let mut modules = modules.filter(|path| (context.is_file)(path));
    if let Some(own) = modules.next() {
        return Some(own.to_string_lossy().into_owned());
    }
    let installed = ["bun", "tsx"].into_iter().find(|name| in_path(name, context));
    if installed.is_none() {
        place.note(
            "is run by `node`, which needs 22.18 or newer for it; `npm install tsx` in the project, or \
             set `interpreter`",
        );
    }
    installed.map(str::to_owned)
}

/// The folder of the script, and the app's.
fn folders(script: &Path, cwd: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = script.parent().map(Path::to_owned).into_iter().collect();
    if !folders.iter().any(|folder| folder == cwd) {
        folders.push(cwd.to_owned());
    }
    folders
}

fn in_path(program: &str, context: &Context) -> bool {
    let path = context.inherited_env.get("PATH").map(String::as_str).unwrap_or_default();
    let mut folders = path.split(':').filter(|folder| !folder.is_empty());
    folders.any(|folder| (context.is_file)(&Path::new(folder).join(program)))
}
