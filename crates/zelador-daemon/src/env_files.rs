//! Lays the variables of `env_file` into what is about to be started.
//!
//! They are read at every start, so that the file is the truth, and kept nowhere on disk.

use zelador_api::env_file;
use zelador_core::death::SpawnFailure;
use zelador_core::launch::Launch;
use zelador_core::spec::Environment;

/// Reads the files of a launch, lays their variables below the declared ones, and returns them;
/// `None` where it has no files.
///
/// # Errors
/// A file cannot be used: nothing may be started with half of its variables.
pub fn lay(launch: &mut Launch) -> Result<Option<Environment>, SpawnFailure> {
    if launch.env_files.is_empty() {
        return Ok(None);
    }
    let mut env = Environment::new();
    for path in &launch.env_files {
        env.extend(env_file::read(path).map_err(|error| SpawnFailure::EnvFile {
            path: path.display().to_string(),
            reason: error.words(),
        })?);
    }
    launch.lay(env.clone());
    Ok(Some(env))
}
