//! Which home this command is about: the one that was chosen, else the one that the variables name.

use std::env;
use std::sync::OnceLock;

use zelador_api::home::{Home, HomeError};

static CHOSEN: OnceLock<Home> = OnceLock::new();

/// From here on everything is about this home.
pub fn choose(home: Home) {
    // Chosen once, before anything is asked; a second choice would be a mistake of ours.
    _ = CHOSEN.set(home);
}

/// Returns the home.
///
/// # Errors
/// Nobody says where it is.
pub fn current() -> Result<Home, HomeError> {
    match CHOSEN.get() {
        Some(home) => Ok(home.clone()),
        None => Home::from_variables(env::var_os("ZELADOR_HOME"), env::var_os("HOME")),
    }
}
