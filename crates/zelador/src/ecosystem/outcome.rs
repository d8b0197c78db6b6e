//! What came of evaluating a file: the answer of a child process, be it ours or node.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zelador_api::config::{Node, Position};

use super::error::ReadError;

/// What a child process writes to its standard output, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    /// What came of it.
    pub(super) outcome: Outcome,
    /// What the file asked for that only node has, also when it went on without.
    #[serde(default)]
    pub(super) unmet: Vec<String>,
}

/// What came of evaluating a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// It exports this, as `JSON.stringify` writes it.
    Exports(String),
    /// It exports nothing.
    Nothing,
    /// It exports this, which is no object.
    NoObject(String),
    /// It threw, or could not even be parsed.
    Threw(Thrown),
    /// It did not end.
    TooSlow,
    /// It used up its memory.
    TooMuchMemory,
}

/// What was thrown, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Thrown {
    /// Name and message of the error.
    pub(super) message: String,
    /// The text after the message: where the error comes from, a line a frame.
    #[serde(default)]
    pub(super) stack: String,
}

impl Outcome {
    /// Returns the tree that `file` exports, or why there is none.
    pub(super) fn read(self, file: &Path, limit: Duration) -> Result<Node, ReadError> {
        let file = file.to_owned();
        match self {
            Self::Exports(json) => {
                serde_json::from_slice(json.as_bytes()).map_err(|error| ReadError::Evaluator {
                    file,
                    reason: format!("its exports cannot be read: {error}"),
                })
            }
            Self::Nothing => Err(ReadError::ExportsNothing(file)),
            Self::NoObject(what) => Err(ReadError::ExportsNoObject { file, what }),
            Self::TooSlow => Err(ReadError::TooSlow { file, limit }),
            Self::TooMuchMemory => Err(ReadError::TooMuchMemory(file)),
            Self::Threw(thrown) => Err(thrown.error(file)),
        }
    }
}

impl Thrown {
    fn error(self, file: PathBuf) -> ReadError {
        let (file, position) = place(&self.stack, &file);
        let message = self.message;
        if message.starts_with("SyntaxError") {
            return ReadError::Syntax { file, position, message };
        }
        ReadError::Threw { file, position, message }
    }
}

/// The first frame of the stack that lies in a file: `at f (/srv/a.js:3:5)`, `/srv/a.js:3`.
fn place(stack: &str, file: &Path) -> (PathBuf, Option<Position>) {
    let name = file.file_name();
    for line in stack.lines() {
        let line = line.trim().trim_end_matches(')');
        let start = line.find(['(', '/']).unwrap_or(line.len());
        let frame = line[start..].trim_start_matches('(');
        let mut parts = frame.rsplitn(3, ':');
        let (last, middle, first) = (parts.next(), parts.next(), parts.next());
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok());
        let (path, line, column) = match (first, number(middle), number(last)) {
            (Some(path), Some(line), Some(column)) => (path, line, column),
            _ => match (frame.rsplit_once(':'), number(last)) {
                (Some((path, _)), Some(line)) => (path, line, 1),
                _ => continue,
            },
        };
        let path = Path::new(path.trim_start_matches("file://"));
        if !path.is_absolute() {
            continue;
        }
        // The user's own spelling of the path for the file itself.
        let shown = if path.file_name() == name { file } else { path };
        return (shown.to_owned(), Some(Position { line, column }));
    }
    (file.to_owned(), None)
}
