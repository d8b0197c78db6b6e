//! JavaScript: evaluated by `zelador evaluate`, a child process of the same executable, and by
//! node where a file asks for what only node has.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use zelador_api::config::Node;
use zelador_api::spec::Environment;

use super::error::ReadError;
use super::evaluate::{LIMIT, Request};
use super::outcome::{Answer, Outcome};
use super::run::{Left, run};
use super::with_node;

/// How much longer than the child itself the parent waits.
const PATIENCE: Duration = Duration::from_millis(500);

/// Returns what the file exports.
pub(super) fn read(file: &Path, env: &Environment) -> Result<Node, ReadError> {
    let failed = |reason: String| ReadError::Evaluator { file: file.to_owned(), reason };
    let path =
        file.canonicalize().map_err(|error| ReadError::Unreadable(file.to_owned(), error))?;
    let Answer { outcome, unmet } = evaluate(&path, None, env).map_err(&failed)?;
    let needs_node = !unmet.is_empty() && !matches!(outcome, Outcome::TooSlow);
    if !needs_node {
        return outcome.read(file, LIMIT);
    }
    if let Some(node) = with_node::program(env) {
        return with_node::evaluate(&node, &path, env)
            .map_err(&failed)?
            .read(file, with_node::LIMIT);
    }
    match outcome {
        // The file caught the error and went on, as it would where the package is not installed.
        Outcome::Exports(_) => outcome.read(file, LIMIT),
        _ => Err(ReadError::NeedsNode { file: file.to_owned(), module: unmet.join("`, `") }),
    }
}

/// Returns what a JavaScript expression is; `file` is where it stands.
pub(super) fn read_expression(
    file: &Path,
    text: &str,
    env: &Environment,
) -> Result<Node, ReadError> {
    let failed = |reason: String| ReadError::Evaluator { file: file.to_owned(), reason };
    let here = std::env::current_dir().map_err(|error| failed(error.to_string()))?;
    let path = here.join(file);
    // On the first line, so that mistakes keep their line.
    let source = format!("module.exports = ({text}\n)");
    let Answer { outcome, .. } = evaluate(&path, Some(source), env).map_err(&failed)?;
    outcome.read(file, LIMIT)
}

/// `source` stands for what the file at `path` holds.
fn evaluate(path: &Path, source: Option<String>, env: &Environment) -> Result<Answer, String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let request = Request { file: path.to_owned(), source, argv: std::env::args().collect() };
    let input = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
    // Also right when the executable was replaced while it runs.
    let mut command = Command::new("/proc/self/exe");
    command.arg("evaluate").env_clear().envs(env).current_dir(folder);
    let left = run(&mut command, &input, LIMIT + PATIENCE).map_err(|error| error.to_string())?;
    let Left::Output(output) = left else {
        return Ok(Answer { outcome: Outcome::TooSlow, unmet: Vec::new() });
    };
    serde_json::from_slice(&output).map_err(|_| "the child process died".to_owned())
}
