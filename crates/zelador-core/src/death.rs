//! How a run ended, kept exactly and said in words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::signal::Signal;
use crate::words::Words;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Death {
    /// The process ended itself.
    Exited {
        /// Its exit code, 0 to 255.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// Which one.
        signal: Signal,
        /// Whether the kernel wrote a core image.
        core_dumped: bool,
    },
    /// The kernel ended it because memory ran out.
    OutOfMemory,
    /// It was not up in time.
    StartTimedOut,
    /// It could not be started.
    NeverStarted(SpawnFailure),
    /// Nobody saw it end.
    Unknown,
}

impl Death {
    /// Returns whether the process ended with exit code 0.
    pub fn is_clean(&self) -> bool {
        *self == Self::Exited { code: 0 }
    }

    /// Whether nothing was wrong with the app: the host could not start anything, or somebody else has its socket.
    pub fn is_for_want_of_room(&self) -> bool {
        match self {
            Self::NeverStarted(SpawnFailure::Other(_)) => true,
            Self::NeverStarted(SpawnFailure::Setting { field, .. }) => field.starts_with("sockets"),
            _ => false,
        }
    }

    /// The exit code, where there is one.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Exited { code } => Some(*code),
            _ => None,
        }
    }
}

impl fmt::Display for Death {
    /// Fits after "the process ": `exited with code 1`, `was ended by SIGSEGV (core dumped)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exited with code {code}"),
            Self::Signaled { signal, core_dumped: false } => write!(f, "was ended by {signal}"),
            Self::Signaled { signal, core_dumped: true } => {
                write!(f, "was ended by {signal} (core dumped)")
            }
            Self::OutOfMemory => f.write_str("was killed because memory ran out"),
            Self::StartTimedOut => f.write_str("was not up in time"),
            Self::NeverStarted(failure) => write!(f, "could not be started: {failure}"),
            Self::Unknown => f.write_str("ended while nobody was watching"),
        }
    }
}

/// Why a process could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why", content = "detail")]
pub enum SpawnFailure {
    /// The program is neither a file nor in the app's PATH.
    #[error("program `{0}` {lack}", lack = lack_of(.0))]
    ProgramNotFound(String),
    /// No version manager has this version of a program.
    #[error("{wanted} is not installed by nvm, fnm, volta, mise, asdf or n; installed: {found}")]
    NoSuchVersion {
        /// As it was written: `node@20`.
        wanted: String,
        /// The versions that there are.
        found: Words,
    },
    /// The file exists and may not be executed, or is no program.
    #[error("program `{program}` cannot be executed: {reason}")]
    NotExecutable {
        /// The program's path.
        program: String,
        /// What the system said.
        reason: Words,
    },
    /// The working directory cannot be entered.
    #[error("directory `{path}` cannot be entered: {reason}")]
    Directory {
        /// The directory.
        path: String,
        /// What the system said.
        reason: Words,
    },
    /// The user or group does not exist, or zelador may not become it.
    #[error("cannot run as `{user}`: {reason}")]
    User {
        /// The user or group as it was written.
        user: String,
        /// What the system said.
        reason: Words,
    },
    /// A file with variables cannot be used.
    #[error("env_file `{path}` cannot be used: {reason}")]
    EnvFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: Words,
    },
    /// What a field asks for is not to be had.
    #[error("{field}: found {found}, allowed: {allowed}")]
    Setting {
        /// The field.
        field: String,
        /// What it asks for, and what the system said.
        found: Words,
        /// What it may ask for.
        allowed: Words,
    },
    /// Anything else.
    #[error("{0}")]
    Other(Words),
}

impl SpawnFailure {
    /// Returns the next thing to try, shown under the error as `help:`.
    pub fn help(&self) -> &'static str {
        match self {
            Self::ProgramNotFound(program) => missing(program),
            Self::NoSuchVersion { .. } => {
                "install that version (`nvm install`, `fnm install`, `volta install`), or name one that is there"
            }
            Self::NotExecutable { .. } => {
                "make the file executable (chmod +x), or name the program that runs it in `interpreter`"
            }
            Self::Directory { .. } => "check that `cwd` exists and that zelador may enter it",
            Self::User { .. } => {
                "only root may start an app as another user; check `uid` and `gid`"
            }
            Self::EnvFile { .. } => {
                "correct the file, or change `env_file`; lines are like NAME=value"
            }
            Self::Setting { .. } => "change that field, or give zelador the right to it",
            Self::Other(_) => "see the log of zelador itself: `zelador logs --self`",
        }
    }
}

/// What is said of a program that is not there: who names a file means that one.
fn lack_of(program: &str) -> &'static str {
    if program.contains('/') { "does not exist" } else { "not found in PATH" }
}

/// What to do about a program that is not there.
fn missing(program: &str) -> &'static str {
    match program {
        "node" => {
            "install Node.js (a package of the system, or `nvm install --lts`); if it is there, give its \
             path in `interpreter`: a manager's folder is not in every PATH"
        }
        "bun" => "install Bun (`npm install -g bun`), or give its path in `interpreter`",
        "deno" => "install Deno, or give its path in `interpreter`",
        "tsx" | "ts-node" => {
            "install it in the project (`npm install tsx`), or give its path in `interpreter`"
        }
        "python3" | "python" => {
            "install Python 3 (`apt install python3`), or make a virtual environment: `.venv` beside the \
             script is used"
        }
        "ruby" => "install Ruby (`apt install ruby`), or give its path in `interpreter`",
        "php" => "install PHP (`apt install php-cli`), or give its path in `interpreter`",
        "perl" => "install Perl (`apt install perl`), or give its path in `interpreter`",
        "bash" => "install Bash, or set `interpreter` to the shell that is there: `sh`",
        "coffee" => "install CoffeeScript (`npm install -g coffeescript`)",
        "lsc" => "install LiveScript (`npm install -g livescript`)",
        _ => "install it, give an absolute path in `interpreter` or `script`, or set `env.PATH`",
    }
}
