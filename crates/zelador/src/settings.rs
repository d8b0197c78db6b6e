//! Zelador's own settings file, `$ZELADOR_HOME/zelador.toml`.

use std::path::Path;
use std::sync::Arc;

use zelador_api::config::{Context, Overlay, check_settings};
use zelador_api::spec::{Cadence, Environment};

use crate::ecosystem;

/// Returns what the file says; nothing when there is none.
///
/// # Errors
/// Everything that is wrong with it, a line each.
pub fn read(path: &Path) -> Result<Overlay, String> {
    if !path.exists() {
        return Ok(Overlay::default());
    }
    let document = ecosystem::read(path, &Environment::new()).map_err(|error| error.to_string())?;
    let context = Context {
        file: path.to_owned(),
        folder: path.parent().unwrap_or(Path::new("/")).to_owned(),
        inherited_env: Arc::default(),
        env_name: None,
        cores: 1,
        only: None,
        known: None,
        is_file: Path::is_file,
        cadence: Cadence::default(),
        defaults: zelador_api::config::Defaults::default(),
    };
    let checked = check_settings(&document, &context);
    checked.map(|(overlay, _)| overlay).map_err(|mistakes| mistakes.to_string())
}
