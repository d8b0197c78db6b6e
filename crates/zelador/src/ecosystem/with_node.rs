//! Asks node what a file exports, for files that need installed packages.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use zelador_api::spec::Environment;

use super::outcome::{Answer, Outcome};
use super::run::{Left, run};

/// How long node is given: starting it and loading packages takes longer than evaluating.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// What node executes. A file may write to the standard output, so the answer stands between
/// marks; what it logs goes to the standard error.
const SCRIPT: &str = include_str!("with_node.js");

/// Returns the `node` of PATH, if there is one.
pub(super) fn program(env: &Environment) -> Option<PathBuf> {
    let executable = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let folders = std::env::split_paths(env.get("PATH")?);
    folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join("node")).find(executable)
}

/// Returns what came of it, or why node could not be asked.
pub(super) fn evaluate(node: &Path, file: &Path, env: &Environment) -> Result<Outcome, String> {
    let mark = format!("zelador-{}-{:x}", std::process::id(), std::ptr::from_ref(env) as usize);
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut command = Command::new(node);
    command.args(["-e", SCRIPT, "--"]).arg(file).arg(&mark);
    command.env_clear().envs(env).current_dir(folder);
    let left = run(&mut command, b"", LIMIT).map_err(|error| format!("node: {error}"))?;
    let Left::Output(output) = left else { return Ok(Outcome::TooSlow) };
    let output = String::from_utf8_lossy(&output);
    let between = output.rsplit(mark.as_str()).nth(1).unwrap_or_default();
    let answer: Result<Answer, _> = serde_json::from_slice(between.as_bytes());
    answer.map(|answer| answer.outcome).map_err(|_| "node ended without an answer".to_owned())
}
