//! What `start` and `config check` read becomes apps: the bridge from the command line and the
//! files to the checker.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zelador_api::config;
use zelador_api::spec::{AppSpec, Cadence, Environment};

pub use zelador_api::config::{Context, Declared, Mistakes, Value};

use crate::cli::Options;
use crate::ecosystem;

/// Why nothing is declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// The file cannot be read at all.
    #[error("{0}")]
    Read(ecosystem::ReadError),
    /// What it says is wrong.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// There is no current directory.
    #[error("the current directory cannot be told")]
    NoFolder(#[source] std::io::Error),
}

impl DeclareError {
    /// Returns the next thing to try, shown under the error as `help:`.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Read(error) => Some(error.help().to_owned()),
            Self::Mistakes(_) => None,
            Self::NoFolder(_) => Some("go to a directory that exists".to_owned()),
        }
    }
}

/// Returns whether a word names an ecosystem file, by its extension.
pub fn is_ecosystem(word: &str) -> bool {
    ecosystem::is_ecosystem(Path::new(word))
}

/// Returns what an ecosystem file declares.
///
/// # Errors
/// It cannot be read, or something in it is wrong.
pub fn file(
    path: &Path,
    env_name: Option<&str>,
    only: Option<Vec<String>>,
) -> Result<Declared, DeclareError> {
    let here = env::current_dir().map_err(DeclareError::NoFolder)?;
    let inherited = Arc::new(inherited_env());
    let document = ecosystem::read(path, &inherited).map_err(DeclareError::Read)?;
    let whole = here.join(path);
    let folder = whole.parent().unwrap_or(&here).to_owned();
    let context = context(path.to_owned(), folder, inherited, env_name, only);
    config::check(&document, &context).map_err(DeclareError::Mistakes)
}

/// Returns the app that a script with options is, and what is worth saying about it.
///
/// # Errors
/// One of the options is wrong.
pub fn script(
    script: &str,
    args: &[String],
    options: &Options,
) -> Result<(AppSpec, Vec<String>), DeclareError> {
    let here = env::current_dir().map_err(DeclareError::NoFolder)?;
    let inherited = Arc::new(inherited_env());
    let context = context(PathBuf::from("command line"), here, inherited, None, None);
    let (app, notes) = config::script_app(script, args, fields(options), &context)
        .map_err(DeclareError::Mistakes)?;
    Ok((app, notes.iter().map(ToString::to_string).collect()))
}

fn context(
    file: PathBuf,
    folder: PathBuf,
    inherited_env: Arc<Environment>,
    env_name: Option<&str>,
    only: Option<Vec<String>>,
) -> Context {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    Context {
        file,
        folder,
        inherited_env,
        env_name: env_name.map(str::to_owned),
        cores,
        only,
        cadence: Cadence::default(),
    }
}

/// The variables of whoever gives the command. One that is no text cannot be written to a file
/// and read back, so it is left out.
fn inherited_env() -> Environment {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The options as the fields that an ecosystem file has for them.
fn fields(options: &Options) -> Vec<(&'static str, Value)> {
    let texts = [
        ("name", &options.name),
        ("instances", &options.instances),
        ("exec_interpreter", &options.interpreter),
        ("node_args", &options.interpreter_args),
        ("cwd", &options.cwd),
        ("namespace", &options.namespace),
        ("max_memory_restart", &options.max_memory_restart),
        ("restart_delay", &options.restart_delay),
        ("exp_backoff_restart_delay", &options.exp_backoff_restart_delay),
        ("max_restarts", &options.max_restarts),
        ("cron_restart", &options.cron_restart),
        ("kill_timeout", &options.kill_timeout),
        ("out_file", &options.output),
        ("error_file", &options.error),
        ("log_date_format", &options.log_date_format),
    ];
    let flags = [
        ("autorestart", options.no_autorestart, false),
        ("time", options.time, true),
        ("merge_logs", options.merge_logs, true),
    ];
    let texts = texts
        .into_iter()
        .filter_map(|(field, text)| text.as_ref().map(|text| (field, Value::from(text.as_str()))));
    let flags = flags.into_iter().filter(|(_, given, _)| *given);
    texts.chain(flags.map(|(field, _, value)| (field, Value::from(value)))).collect()
}
