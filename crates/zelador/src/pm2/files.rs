//! The files by which PM2's home is known, and bringing zelador up in one.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use zelador_api::client::ClientError;
use zelador_api::home::Home;
use zelador_api::{Pong, route};

use super::say;
use crate::bring_up;
use crate::command::{Context, start};
use crate::failure::Failure;

/// Brings zelador up if it is down; what it is brought up in has PM2's shape from then on.
///
/// # Errors
/// There is no home to do it in, or nobody answers in time.
pub fn up(context: &Context) -> Result<(), Failure> {
    match context.engine.get::<Pong>(route::PING) {
        Ok(_) => return Ok(()),
        Err(ClientError::NotRunning(_)) => {}
        // Somebody listens; waiting for an answer is `start::up`'s.
        Err(_) => return start::up(context),
    }
    bring_up::make(context.home.path())?;
    // Two commands at once, and one that was brought up in zelador's voice meanwhile, keep the shape
    // that the home has.
    if bring_up::lock_is_free(&context.home) {
        shape(&context.home).map_err(|error| {
            Failure::new(format!("{} cannot be written: {error}", context.home.path().display()))
        })?;
    }
    say::message(&format!("Spawning PM2 daemon with pm2_home={}", context.home.path().display()));
    start::up(context)?;
    say::message("PM2 Successfully daemonized");
    Ok(())
}

/// Makes what PM2's home has before anything runs in it; what is there stays.
///
/// # Errors
/// Something cannot be written.
pub fn shape(home: &Home) -> io::Result<()> {
    for folder in ["logs", "pids"] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(home.path().join(folder))?;
    }
    keep(&home.path().join("module_conf.json"), "{}")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    keep(&home.pm2_mark(), &now.as_millis().to_string())
}

/// Writes a file that is not there.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_gets_its_shape_once() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        assert!(!home.is_pm2() && home.own_log().ends_with("zelador.log"));
        shape(&home).unwrap();
        assert!(home.is_pm2() && home.own_log().ends_with("pm2.log"));
        fs::write(home.path().join("module_conf.json"), "{\"a\":1}").unwrap();
        shape(&home).unwrap();
        assert_eq!(fs::read_to_string(home.path().join("module_conf.json")).unwrap(), "{\"a\":1}");
        assert!(home.path().join("logs").is_dir() && home.path().join("pids").is_dir());
    }
}
