//! What is executed.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{EnvFilter, Environment};

/// What is executed, where, and with which environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// Absolute path of the script or program; a bare word is looked up in PATH.
    pub script: String,
    /// The program that runs the script; `None`: the script is executed itself.
    pub interpreter: Option<String>,
    /// Arguments of the interpreter, before the script.
    pub interpreter_args: Vec<String>,
    /// Arguments of the script.
    pub args: Vec<String>,
    /// Working directory, absolute.
    pub cwd: PathBuf,
    /// Variables that were declared; they win over the inherited ones.
    pub env: Environment,
    /// Variables of whoever gave the command.
    pub inherited_env: Arc<Environment>,
    /// Name of the variable that carries the replica's index (PM2: `NODE_APP_INSTANCE`).
    pub instance_var: String,
    /// A declared variable that counts the replicas: the first one has its value, each following
    /// one 1 more.
    #[serde(default)]
    pub increment_var: Option<String>,
    /// Which variables of whoever gives the command the app does not get.
    #[serde(default)]
    pub filter_env: EnvFilter,
    /// Files with variables, read at every start; they win over the inherited variables, the
    /// declared ones over them, and of two files the last one.
    #[serde(default)]
    pub env_files: Vec<EnvFile>,
    /// User to run as, by name or number; `None`: zelador's own.
    pub uid: Option<String>,
    /// Group to run as, by name or number; `None`: that of the user.
    pub gid: Option<String>,
}

/// A file with variables, in the syntax of [`crate::dotenv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvFile {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// When it was written, as seen when the app was declared: another time is a change of the
    /// declaration. Microseconds since the Unix epoch.
    pub written_at: Option<u64>,
}
