//! What a history that no engine has open is asked by others: whether it keeps a list.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Returns whether the next engine finds apps in this history. Also `true` where that cannot be told: the file is
/// there, and what the engine makes of it shows when there is one.
pub fn keeps_list(path: &Path) -> bool {
    path.exists() && has_apps(path).unwrap_or(true)
}

fn has_apps(path: &Path) -> rusqlite::Result<bool> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let history = Connection::open_with_flags(path, flags)?;
    history.query_row("SELECT EXISTS (SELECT 1 FROM state WHERE key GLOB 'app/*')", [], |row| {
        row.get(0)
    })
}
