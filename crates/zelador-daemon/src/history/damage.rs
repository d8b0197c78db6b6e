//! Files that cannot be read any more, and where they go.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use zelador_core::unit::Moment;

use super::HistoryError;

/// What a damaged file is called beside the name of the history, before the moment in seconds.
pub(super) const DAMAGED: &str = ".damaged-";

/// Whether what the file says cannot be what was written.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
    )
}

/// Reads all of a file; whether it is damaged.
pub(super) fn is_damaged(path: &Path) -> bool {
    let read = || -> rusqlite::Result<String> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
    };
    match read() {
        Ok(verdict) => verdict != "ok",
        Err(error) => is_damage(&error),
    }
}

/// Whether the disk, or the right to write to it, is what is missing.
pub(super) fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    let code = error.sqlite_error_code();
    code.is_some_and(|code| {
        [CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure].contains(&code)
    })
}

/// Moves a file away, to its name with `why` and the moment in seconds behind it; `None`: there is none.
pub(super) fn set_aside(
    path: &Path,
    why: &str,
    now: Moment,
) -> Result<Option<PathBuf>, HistoryError> {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = named(&format!("{why}{}", now.as_millis() / 1000));
    match std::fs::rename(path, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // They would be taken for those of the next file.
            for left in ["-wal", "-shm"] {
                _ = std::fs::remove_file(named(left));
            }
            return Ok(None);
        }
        Err(error) => return Err(HistoryError::SetAside(path.to_owned(), error)),
    }
    // What was written last is in the write-ahead log: beside its file, whoever mends it can use it.
    let mut log = aside.clone().into_os_string();
    log.push("-wal");
    _ = std::fs::rename(named("-wal"), log);
    _ = std::fs::remove_file(named("-shm"));
    Ok(Some(aside))
}
