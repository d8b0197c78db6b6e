//! What `start` and `config check` read becomes apps: the bridge from the command line and the
//! files to the checker.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zelador_api::config;
use zelador_api::env_file::{self, EnvFileError};
use zelador_api::identity;
use zelador_api::spec::{AppSpec, Cadence, Environment};

pub use zelador_api::config::{Context, Declared, Mistakes, Value};

use crate::cli::Options;
use crate::{ecosystem, voice};

/// Why nothing is declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// The file cannot be read at all.
    #[error("{0}")]
    Read(ecosystem::ReadError),
    /// What it says is wrong.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// A file with variables cannot be used.
    #[error("{app}: env_file `{}` cannot be used: {error}", .path.display())]
    EnvFile {
        /// Whose.
        app: String,
        /// The file.
        path: PathBuf,
        /// Why.
        error: EnvFileError,
    },
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
            Self::EnvFile { .. } => Some(
                "correct the file or its path in `env_file`; lines are like NAME=value".to_owned(),
            ),
            Self::NoFolder(_) => Some("go to a directory that exists".to_owned()),
        }
    }
}

/// Returns whether a word names an ecosystem file, by its extension; `-` is one on standard input.
pub fn is_ecosystem(word: &str) -> bool {
    word == STDIN || ecosystem::is_ecosystem(Path::new(word))
}

/// The word for an ecosystem file on standard input.
pub const STDIN: &str = "-";

/// What is asked of an ecosystem file.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `env_NAME` is laid over `env`.
    pub env_name: Option<String>,
    /// Only these apps.
    pub only: Option<Vec<String>>,
    /// The names that apps may depend on besides those of the file; `None`: any.
    pub known: Option<BTreeSet<String>>,
}

/// Returns what an ecosystem file declares.
///
/// # Errors
/// It cannot be read, or something in it is wrong.
pub fn file(path: &Path, asked: Asked) -> Result<Declared, DeclareError> {
    let here = env::current_dir().map_err(DeclareError::NoFolder)?;
    let inherited = Arc::new(inherited_env());
    let (document, folder, name) = if path == Path::new(STDIN) {
        let document = ecosystem::read_stdin(&inherited).map_err(DeclareError::Read)?;
        (document, here, PathBuf::from(ecosystem::STDIN_NAME))
    } else {
        let document = ecosystem::read(path, &inherited).map_err(DeclareError::Read)?;
        let whole = here.join(path);
        (document, whole.parent().unwrap_or(&here).to_owned(), path.to_owned())
    };
    let context = context(name, folder, inherited, asked);
    let mut declared = config::check(&document, &context).map_err(DeclareError::Mistakes)?;
    if path == Path::new(STDIN) {
        declared.apps.iter_mut().for_each(|app| app.source = None);
    }
    Ok(declared)
}

/// Returns the app that the fields of an ecosystem file say; `from` is where they come from, `env`
/// what it inherits, and paths begin in `folder`.
///
/// # Errors
/// Something in the fields is wrong.
pub fn imported(
    from: &str,
    fields: &serde_json::Value,
    folder: &Path,
    env: Environment,
) -> Result<(AppSpec, Vec<String>), DeclareError> {
    let name = PathBuf::from(from);
    let text = serde_json::json!({ "apps": [fields] }).to_string();
    let document = ecosystem::read_text(&name, &text).map_err(DeclareError::Read)?;
    let asked = Asked { known: None, ..Asked::default() };
    let context = context(name, folder.to_owned(), Arc::new(env), asked);
    let declared = config::check(&document, &context).map_err(DeclareError::Mistakes)?;
    let notes = declared.notes.iter().map(ToString::to_string).collect();
    let Some(mut app) = declared.apps.into_iter().next() else {
        unreachable!("one app was written into the document");
    };
    app.source = None;
    Ok((app, notes))
}

/// Looks whether the files with variables of an app can be used, and notes when they were written.
///
/// # Errors
/// One cannot: better told now than when the app was stopped.
pub fn look_at_env_files(app: &mut AppSpec) -> Result<(), DeclareError> {
    for file in &mut app.launch.env_files {
        let path = file.path.clone();
        if let Err(error) = env_file::read(&path) {
            return Err(DeclareError::EnvFile { app: app.name.to_string(), path, error });
        }
        file.written_at = env_file::written_at(&path);
    }
    Ok(())
}

/// Returns a path made whole: absolute, without `.` and `..`; `None` without a current directory.
pub fn whole_path(path: &Path) -> Option<PathBuf> {
    Some(config::absolute(&env::current_dir().ok()?, &path.to_string_lossy()))
}

/// Returns what options, and arguments, at a restart or beside a file change, and what is worth
/// saying about it.
///
/// # Errors
/// One of the options is wrong.
pub fn change(
    options: &Options,
    args: &[String],
) -> Result<(config::Change, Vec<String>), DeclareError> {
    let here = env::current_dir().map_err(DeclareError::NoFolder)?;
    let context = context(PathBuf::from(COMMAND_LINE), here, Arc::default(), Asked::default());
    let (change, notes) =
        config::change(options.fields(), args, &context).map_err(DeclareError::Mistakes)?;
    Ok((change, notes.iter().map(ToString::to_string).collect()))
}

/// What mistakes in options begin with.
const COMMAND_LINE: &str = "command line";

/// Returns the app that a script with options is, and what is worth saying about it.
///
/// # Errors
/// One of the options is wrong.
pub fn script(
    script: &str,
    args: &[String],
    options: &Options,
) -> Result<(AppSpec, Vec<String>), DeclareError> {
    app(script, args, options.fields())
}

/// Returns the app that a script with fields of an ecosystem file is, and what is worth saying about
/// it.
///
/// # Errors
/// One of the fields is wrong.
pub fn app(
    script: &str,
    args: &[String],
    fields: Vec<(&str, Value)>,
) -> Result<(AppSpec, Vec<String>), DeclareError> {
    let here = env::current_dir().map_err(DeclareError::NoFolder)?;
    let inherited = Arc::new(inherited_env());
    let context = context(PathBuf::from(COMMAND_LINE), here, inherited, Asked::default());
    let (app, notes) =
        config::script_app(script, args, fields, &context).map_err(DeclareError::Mistakes)?;
    Ok((app, notes.iter().map(ToString::to_string).collect()))
}

fn context(
    file: PathBuf,
    folder: PathBuf,
    inherited_env: Arc<Environment>,
    asked: Asked,
) -> Context {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    Context {
        file,
        folder,
        inherited_env,
        env_name: asked.env_name,
        cores,
        only: asked.only,
        known: asked.known,
        is_file: Path::is_file,
        cadence: Cadence::default(),
        defaults: voice::defaults(),
    }
}

/// The variables of whoever gives the command. One that is no text cannot be written to a file
/// and read back, so it is left out; so are those that zelador gives its own apps, when one of them
/// gives the command.
pub fn inherited_env() -> Environment {
    let variables = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut env: Environment = variables.collect();
    if env.remove(zelador_api::RUN_VARIABLE).is_some() {
        for own in identity::VARIABLES {
            env.remove(own);
        }
    }
    env
}
