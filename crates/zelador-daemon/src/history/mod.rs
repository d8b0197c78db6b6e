//! What outlives the engine, and what was: in one `SQLite` file that anybody's `sqlite3` can read.
//!
//! Always holds: the newest record of each key is in the file before the effects that rest on it
//! are done; a file that cannot be read is set aside, never overwritten; a disk that is full costs
//! nothing but the freshness of the file; a file that cannot be written, or not even opened where it is,
//! is read, and kept in memory until it can be.

mod archive;
mod before;
mod copy;
mod host;
mod item;
mod points;
mod query;
mod room;
mod row;
mod schema;
mod tidy;
mod trial;
mod wal;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, params};
use zelador_core::record::Record;
use zelador_core::unit::{Moment, set_back};

pub use archive::Archive;
pub use before::forget;
#[cfg(feature = "otlp")]
pub use host::HostMeter;
pub use item::{Audit, Item, Sample};
pub use query::Reader;
pub use row::{IncidentRow, Line, Run};
pub(crate) use schema::LAYOUT;
pub use wal::{checkpoint, is_large, sync};

use schema::{layout, migrate};

/// How often a file that could not be opened is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What a damaged file is called beside the name of the history, before the moment in seconds.
const DAMAGED: &str = ".damaged-";

/// A page cache of 512 KiB: the state of a thousand instances fits.
const CACHE_KIB: i64 = -512;

/// Why the history cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A newer zelador wrote it.
    #[error("{} was written by a newer zelador (layout {found}, this one knows {LAYOUT})", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: i64,
    },
    /// `SQLite` says no.
    #[error("{} cannot be opened", .0.display())]
    Open(PathBuf, #[source] rusqlite::Error),
    /// A file that is of no use could not be set aside.
    #[error("{} cannot be used and cannot be set aside", .0.display())]
    SetAside(PathBuf, #[source] io::Error),
}

/// The open file.
pub struct History {
    path: PathBuf,
    /// `None`: it can be read only, and not where it is.
    connection: Option<Connection>,
    opened_at: Instant,
    /// When it was last tried to open.
    tried_at: Instant,
    /// Records that could not be written yet, by key.
    waiting: BTreeMap<String, Record>,
    in_trouble: bool,
    /// What was in the file cannot be read any more.
    damaged: bool,
    frozen: bool,
    /// The keys of records that this version does not understand.
    left_out: Vec<String>,
    last_up: Option<Moment>,
}

impl History {
    /// Opens or makes the file and returns the records in it. A damaged file is renamed to
    /// `….damaged-SECONDS`, and a new one begun; the second value says where the old one went.
    ///
    /// # Errors
    /// The file is newer than this program, or cannot be made.
    pub fn open(
        path: &Path,
        now: Moment,
    ) -> Result<(Self, Vec<Record>, Option<PathBuf>), HistoryError> {
        match Self::try_open(path, now) {
            Ok((history, records)) => Ok((history, records, None)),
            Err(HistoryError::Open(_, error)) if is_damage(&error) => {
                let aside = set_aside(path, DAMAGED, now)?;
                let (history, records) = Self::try_open(path, now)?;
                Ok((history, records, Some(aside)))
            }
            Err(HistoryError::Open(_, error)) if is_of_the_disk(&error) => {
                let failed = |error| HistoryError::Open(path.to_owned(), error);
                let records = copy::read(path, now).map_err(failed)?;
                tracing::error!(%error, "the history cannot be written; it is kept in memory");
                Ok((Self { in_trouble: true, ..Self::of(path, None) }, records, None))
            }
            Err(HistoryError::Newer { .. }) if before::go_back(path, now)? => {
                let (history, records) = Self::try_open(path, now)?;
                Ok((history, records, None))
            }
            Err(error) => Err(error),
        }
    }

    fn try_open(path: &Path, now: Moment) -> Result<(Self, Vec<Record>), HistoryError> {
        let failed = |error| HistoryError::Open(path.to_owned(), error);
        let mut connection = connect(path).map_err(failed)?;
        let found = layout(&connection).map_err(failed)?;
        if found > LAYOUT {
            return Err(HistoryError::Newer { path: path.to_owned(), found });
        }
        before::keep_older(path, &connection).map_err(failed)?;
        migrate(&connection).map_err(failed)?;
        connection.busy_handler(Some(a_moment)).map_err(failed)?;
        let (records, left_out) = load(&connection, now).map_err(failed)?;
        let last_up = last_up(&connection).map_err(failed)?.map(|at| at.min(now));
        Ok((Self { left_out, last_up, ..Self::of(path, Some(connection)) }, records))
    }

    fn of(path: &Path, connection: Option<Connection>) -> Self {
        Self {
            path: path.to_owned(),
            connection,
            opened_at: Instant::now(),
            tried_at: Instant::now(),
            waiting: BTreeMap::new(),
            in_trouble: false,
            damaged: false,
            frozen: false,
            left_out: Vec::new(),
            last_up: None,
        }
    }

    /// Keeps these records. One that cannot be written waits in memory for the next time.
    pub fn keep(&mut self, records: &[Record], at: Moment) {
        if self.frozen || (records.is_empty() && self.waiting.is_empty()) {
            return;
        }
        match self.write(records, at) {
            Ok(()) => {
                self.waiting.clear();
                if std::mem::take(&mut self.in_trouble) {
                    tracing::info!("the history is written again");
                }
            }
            Err(error) => {
                let new = records.iter().map(|record| (record.key(), record.clone()));
                self.waiting.extend(new);
                self.damaged |= is_damage(&error);
                if !std::mem::replace(&mut self.in_trouble, true) {
                    tracing::error!(%error, "the history cannot be written; it is kept in memory");
                }
            }
        }
    }

    /// Writes what waits and these records after it.
    fn write(&mut self, records: &[Record], at: Moment) -> rusqlite::Result<()> {
        let at = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
        if self.connection.is_none() && self.tried_at.elapsed() >= TRY_AGAIN {
            self.tried_at = Instant::now();
            let mut connection = connect(&self.path)?;
            before::keep_older(&self.path, &connection)?;
            migrate(&connection)?;
            connection.busy_handler(Some(a_moment))?;
            self.connection = Some(connection);
        }
        let Some(connection) = &mut self.connection else { return Err(unopened()) };
        let mut newest: BTreeMap<String, &Record> =
            self.waiting.iter().map(|(key, record)| (key.clone(), record)).collect();
        newest.extend(records.iter().map(|record| (record.key(), record)));
        let transaction = connection.transaction()?;
        for (key, record) in newest {
            if record.is_end() {
                transaction.prepare_cached("DELETE FROM state WHERE key = ?1")?.execute([key])?;
                continue;
            }
            let value = serde_json::to_string(record)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO state (key, value, at) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![key, value, at])?;
        }
        transaction.commit()
    }

    /// Writes nothing more: what follows is not to be remembered.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Whether nothing more is written.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// The keys of records that were in the file and are not understood.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// When the engine before was last known to be up, by what it wrote.
    pub fn last_up(&self) -> Option<Moment> {
        self.last_up
    }

    /// Whether writing has shown that the file is damaged.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Sets a file aside that was found damaged while it was in use, and begins a new one with the whole
    /// state; returns where the old one is.
    ///
    /// # Errors
    /// The file cannot be moved away. What is to be kept waits in memory.
    pub fn begin_anew(&mut self, state: Vec<Record>, now: Moment) -> Result<PathBuf, HistoryError> {
        self.connection = None;
        let aside = set_aside(&self.path, DAMAGED, now)?;
        self.damaged = false;
        self.waiting.clear();
        // The new file is not waited for: it is opened by the first write.
        self.tried_at = Instant::now().checked_sub(TRY_AGAIN).unwrap_or(self.tried_at);
        self.keep(&state, now);
        Ok(aside)
    }

    /// Whether an engine that opened it then counts as good by now.
    pub fn is_settled(&self) -> bool {
        self.opened_at.elapsed() >= before::GOOD_AFTER
    }

    /// Whether records wait in memory because the file cannot be written.
    pub fn is_behind(&self) -> bool {
        self.in_trouble
    }
}

/// The thread that keeps the past writes the same file, for a few milliseconds at a time: it is
/// waited for, at most [`PATIENCE`] times [`PAUSE`]. What still cannot be written waits in memory.
fn a_moment(tries: i32) -> bool {
    std::thread::sleep(PAUSE);
    tries < PATIENCE
}

/// How long to wait before the file is tried again.
const PAUSE: Duration = Duration::from_micros(250);
/// How often: 50 ms in all.
const PATIENCE: i32 = 200;
fn unopened() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
    rusqlite::Error::SqliteFailure(code, None)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
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

/// Returns the records, and the keys of those that are not understood.
///
/// What was written by a clock that was set back since is read as if it were written now: what is to happen 5 s after
/// that happens in 5 s, and not hours later.
fn load(connection: &Connection, now: Moment) -> rusqlite::Result<(Vec<Record>, Vec<String>)> {
    let mut statement = connection.prepare("SELECT key, value, at FROM state ORDER BY key")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, u64>(2)?))
    })?;
    let (mut records, mut left_out) = (Vec::new(), Vec::new());
    for row in rows {
        let (key, value, at) = row?;
        let ahead = Moment::from_micros(at).since(now);
        match set_back(ahead, || serde_json::from_slice(value.as_bytes())) {
            Ok(record) => records.push(record),
            Err(error) => {
                tracing::error!(%key, %error, "a record is not understood: left out");
                left_out.push(key);
            }
        }
    }
    Ok((records, left_out))
}

/// When something was last written of what happened; `None`: nothing was.
fn last_up(connection: &Connection) -> rusqlite::Result<Option<Moment>> {
    let newest = "SELECT max(at) FROM (SELECT max(at) * 1000000 AS at FROM tick UNION ALL SELECT max(at) FROM event)";
    let micros: Option<u64> = connection.query_row(newest, [], |row| row.get(0))?;
    Ok(micros.map(Moment::from_micros))
}

/// Whether what the file says cannot be what was written.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
    )
}

/// Reads all of a file; whether it is damaged.
fn is_damaged(path: &Path) -> bool {
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
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    let code = error.sqlite_error_code();
    code.is_some_and(|code| {
        [CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure].contains(&code)
    })
}

fn set_aside(path: &Path, why: &str, now: Moment) -> Result<PathBuf, HistoryError> {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = named(&format!("{why}{}", now.as_millis() / 1000));
    std::fs::rename(path, &aside)
        .map_err(|error| HistoryError::SetAside(path.to_owned(), error))?;
    // What was written last is in the write-ahead log: beside its file, whoever mends it can use it.
    let mut log = aside.clone().into_os_string();
    log.push("-wal");
    _ = std::fs::rename(named("-wal"), log);
    _ = std::fs::remove_file(named("-shm"));
    Ok(aside)
}

#[cfg(test)]
mod chart_tests;
#[cfg(test)]
mod past_tests;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod tests;
