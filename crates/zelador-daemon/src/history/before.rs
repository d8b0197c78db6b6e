//! The file as it was before it was brought to a newer layout: an upgrade may be rolled back.
//!
//! Always holds: a copy is there only until the engine that made it counts as good; an older engine that
//! finds one goes on with it, and sets the newer file aside.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use zelador_core::unit::Moment;

use super::damage::set_aside;
use super::{HistoryError, LAYOUT, layout};

/// From this age on an engine counts as good; its guardian decides within 18 s.
pub const GOOD_AFTER: Duration = Duration::from_secs(30);

/// What a newer file is called beside the name of the history, before the moment in seconds.
const NEWER: &str = ".newer-";

fn copy_of(path: &Path, layout: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".layout-{layout}"));
    PathBuf::from(name)
}

/// Copies an open file if it is of an older layout.
pub(super) fn keep_older(path: &Path, connection: &Connection) -> rusqlite::Result<()> {
    let found = layout(connection)?;
    if (1..LAYOUT).contains(&found) {
        keep(path, connection, found);
    }
    Ok(())
}

/// Copies an open file of this layout. Without room for that the upgrade goes on: there is a way back
/// for a person, who has the newer zelador.
pub(super) fn keep(path: &Path, connection: &Connection, found: i64) {
    let copy = copy_of(path, found);
    // One of an engine that did not live long enough to remove it: what was written since is newer.
    _ = fs::remove_file(&copy);
    let copied = connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()]);
    if let Err(error) = copied {
        tracing::warn!(%error, "the history cannot be copied before it is brought to a newer layout: an older zelador could not go on with it");
        _ = fs::remove_file(&copy);
    }
    _ = fs::set_permissions(&copy, fs::Permissions::from_mode(0o600));
}

/// Puts the copy of this version's layout in the place of a newer file; returns whether there was one.
///
/// # Errors
/// The newer file cannot be set aside.
pub(super) fn go_back(path: &Path, now: Moment) -> Result<bool, HistoryError> {
    let copy = copy_of(path, LAYOUT);
    if !copy.is_file() {
        return Ok(false);
    }
    let aside = set_aside(path, NEWER, now)?;
    fs::rename(&copy, path).map_err(|error| HistoryError::SetAside(copy, error))?;
    let aside = aside.unwrap_or_default();
    tracing::warn!(aside = %aside.display(), "the history was brought to a newer layout by a zelador that did not stay: what it wrote is set aside, and the history goes on from before");
    Ok(true)
}

/// Removes the copies: this engine counts as good.
pub fn forget(path: &Path) {
    for layout in 1..LAYOUT {
        _ = fs::remove_file(copy_of(path, layout));
    }
}
