//! Opening the file, and how long to wait for somebody else who writes to it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// A page cache of 512 KiB: the state of a thousand instances fits.
const CACHE_KIB: i64 = -512;

/// How long to wait before the file is tried again.
const PAUSE: Duration = Duration::from_micros(250);
/// How often: 50 ms in all.
const TRIES: i32 = 200;

/// How long a write waits for somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Not at all: it is tried again later.
    None,
    /// The thread that keeps the past writes the same file, for a few milliseconds at a time.
    Moment,
    /// So long: there is no later.
    Last(Duration),
}

impl Patience {
    pub(super) fn set(self, connection: &mut Connection) -> rusqlite::Result<()> {
        match self {
            Self::None => connection.busy_timeout(Duration::ZERO),
            Self::Moment => connection.busy_handler(Some(|tries| {
                std::thread::sleep(PAUSE);
                tries < TRIES
            })),
            Self::Last(limit) => connection.busy_timeout(limit),
        }
    }
}

/// Whether a file is made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    Yes,
    No,
}

pub(super) fn connect(path: &Path, make: Make) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, make == Make::Yes);
    let connection = Connection::open_with_flags(path, flags)?;
    // `SQLite` falls back to reading by itself, and every write would fail for ever.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
        return Err(rusqlite::Error::SqliteFailure(code, None));
    }
    // Declarations carry whole environments: for the owner's eyes only.
    _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    // A checkpoint waits for the disk: never on the thread that restarts services.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// Which file a path names: its device and its inode.
pub(super) fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// The error of a file that could not be opened.
pub(super) fn unopened() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
    rusqlite::Error::SqliteFailure(code, None)
}

/// Whether somebody else writes to the file just now.
pub(super) fn is_lock(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}
