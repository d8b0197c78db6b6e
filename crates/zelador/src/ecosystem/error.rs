//! Why an ecosystem file could not be read.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use zelador_api::config::Position;

/// Why an ecosystem file could not be read; every text names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("{}: no such file", .0.display())]
    Missing(PathBuf),
    /// A folder, a device, a socket.
    #[error("{}: not a file", .0.display())]
    NotAFile(PathBuf),
    /// The operating system refuses.
    #[error("{}: cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// Nothing, or blanks, or comments.
    #[error("{}: the file is empty", .0.display())]
    Empty(PathBuf),
    /// More than 4 MiB.
    #[error("{}: larger than 4 MiB, which no ecosystem file is", .0.display())]
    TooLarge(PathBuf),
    /// Not UTF-8.
    #[error("{}: not text in UTF-8", .0.display())]
    NotText(PathBuf),
    /// The name says nothing about the format.
    #[error("{}: not the name of an ecosystem file", .0.display())]
    UnknownFormat(PathBuf),
    /// The file is not written in its format.
    #[error("{}{}: {message}", .file.display(), At(*.position))]
    Syntax {
        /// The file, or one that it requires.
        file: PathBuf,
        /// Where.
        position: Option<Position>,
        /// What the parser says.
        message: String,
    },
    /// The file was evaluated and threw.
    #[error("{}{}: {message}", .file.display(), At(*.position))]
    Threw {
        /// The file, or one that it requires.
        file: PathBuf,
        /// Where.
        position: Option<Position>,
        /// What was thrown.
        message: String,
    },
    /// `module.exports` was never set.
    #[error("{}: exports nothing", .0.display())]
    ExportsNothing(PathBuf),
    /// `module.exports` is a function or a promise, for instance.
    #[error("{}: exports {what}, not an object with `apps`", .file.display())]
    ExportsNoObject {
        /// The file.
        file: PathBuf,
        /// What it exports.
        what: String,
    },
    /// It did not end.
    #[error("{}: still running after {} s: an endless loop?", .file.display(), .limit.as_secs())]
    TooSlow {
        /// The file.
        file: PathBuf,
        /// How long it was given.
        limit: Duration,
    },
    /// It used up its memory.
    #[error("{}: needs more than 64 MB of memory", .0.display())]
    TooMuchMemory(PathBuf),
    /// It requires what only node has, and there is no node.
    #[error("{}: requires `{module}`, for which node is needed, and no `node` is in PATH", .file.display())]
    NeedsNode {
        /// The file.
        file: PathBuf,
        /// What it requires.
        module: String,
    },
    /// The child process failed.
    #[error("{}: could not be evaluated: {reason}", .file.display())]
    Evaluator {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

impl ReadError {
    /// Returns the next thing to try, shown under the error as `help:`.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Missing(_) => "check the path; `ls` shows what is there",
            Self::NotAFile(_) => "name the file itself, as `ecosystem.config.js`",
            Self::Unreadable(..) => "check that you may read it (`ls -l`)",
            Self::Empty(_) => {
                "declare apps in it: `module.exports = { apps: [{ script: 'server.js' }] }`"
            }
            Self::TooLarge(_) => "name the file that declares apps",
            Self::NotText(_) => "save the file as UTF-8",
            Self::UnknownFormat(_) => {
                "use a name that ends in .config.js, .config.cjs, .config.mjs, .json, .yml, .yaml or .toml"
            }
            Self::Syntax { .. } => "correct the file at that place",
            Self::Threw { message, .. } if message.contains("Cannot find module") => {
                "install the package beside the file (`npm install`), or correct the name"
            }
            Self::Threw { .. } => "correct the file; `node FILE` may tell more",
            Self::ExportsNothing(_) | Self::ExportsNoObject { .. } => {
                "end the file with `module.exports = { apps: [...] }`, or `export const apps = [...]`"
            }
            Self::TooSlow { .. } => {
                "an ecosystem file may only compute values: take loops and waiting out of it"
            }
            Self::TooMuchMemory(_) => {
                "an ecosystem file may only compute values: take the data out of it"
            }
            Self::NeedsNode { .. } => "install node, or take that `require` out of the file",
            Self::Evaluator { .. } => "try again; if it stays, please report it",
        }
    }
}

/// Prints `:line:column`, or nothing.
struct At(Option<Position>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |Position { line, column }| write!(f, ":{line}:{column}"))
    }
}
