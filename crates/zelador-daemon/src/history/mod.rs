//! What outlives the engine, and what was: in one `SQLite` file that anybody's `sqlite3` can read.
//!
//! Always holds: the newest record of each key is in the file before the effects that rest on it
//! are done; a file that cannot be read is set aside, never overwritten; a disk that is full costs
//! nothing but the freshness of the file; a file that cannot be written, or not even opened where it is,
//! is read, and kept in memory until it can be.

mod archive;
mod before;
mod connect;
mod copy;
mod damage;
mod host;
mod item;
mod kept;
mod points;
mod query;
mod room;
mod row;
mod schema;
mod syncer;
mod tidy;
mod trial;
mod wal;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior, params};
use zelador_core::record::Record;
use zelador_core::unit::{Moment, set_back};

pub use archive::Archive;
pub use before::forget;
pub use damage::is_damage;
#[cfg(feature = "otlp")]
pub use host::HostMeter;
pub use item::{Audit, Item, Sample};
pub use kept::keeps_list;
pub use query::Reader;
pub use row::{IncidentRow, Line, Run};
pub(crate) use schema::LAYOUT;
pub use syncer::Syncer;
pub use wal::{checkpoint, is_large, sync};

use connect::{Make, Patience, connect, identity, is_lock, unopened};
use damage::{DAMAGED, is_of_the_disk, set_aside};
use schema::{layout, migrate};

/// How often a file that could not be opened is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// How often a file that somebody else writes to is tried again: people wait for it.
const WHILE_LOCKED: Duration = Duration::from_millis(15);

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

/// What keeps records from being written, and since the last try when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Somebody else writes to the file.
    Locked(Instant),
    /// The disk, or the file.
    Lasting(Instant),
}

/// The open file.
pub struct History {
    path: PathBuf,
    /// `None`: it can be read only, and not where it is.
    connection: Option<Connection>,
    opened_at: Instant,
    /// Which file that is.
    identity: Option<(u64, u64)>,
    /// When it was last tried to open.
    tried_at: Instant,
    /// Records that could not be written yet, by key.
    waiting: BTreeMap<String, Record>,
    trouble: Option<Trouble>,
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
                Ok((history, records, aside))
            }
            Err(HistoryError::Open(_, error)) if is_of_the_disk(&error) => {
                let failed = |error| HistoryError::Open(path.to_owned(), error);
                let records = copy::read(path, now).map_err(failed)?;
                tracing::error!(%error, "the history cannot be written; it is kept in memory");
                let trouble = Some(Trouble::Lasting(Instant::now()));
                Ok((Self { trouble, ..Self::of(path, None) }, records, None))
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
        let connection = connect(path, Make::Yes).map_err(failed)?;
        let found = layout(&connection).map_err(failed)?;
        if found > LAYOUT {
            return Err(HistoryError::Newer { path: path.to_owned(), found });
        }
        before::keep_older(path, &connection).map_err(failed)?;
        migrate(&connection).map_err(failed)?;
        let (records, left_out) = load(&connection, now).map_err(failed)?;
        let last_up = last_up(&connection).map_err(failed)?.map(|at| at.min(now));
        Ok((Self { left_out, last_up, ..Self::of(path, Some(connection)) }, records))
    }

    fn of(path: &Path, connection: Option<Connection>) -> Self {
        Self {
            path: path.to_owned(),
            identity: connection.as_ref().and_then(|_| identity(path).ok()),
            connection,
            opened_at: Instant::now(),
            tried_at: Instant::now(),
            waiting: BTreeMap::new(),
            trouble: None,
            damaged: false,
            frozen: false,
            left_out: Vec::new(),
            last_up: None,
        }
    }

    /// Keeps these records. One that cannot be written waits in memory for the next time, and no other waits
    /// for the file before that is over.
    pub fn keep(&mut self, records: &[Record], at: Moment) {
        let patience = if self.is_behind() { Patience::None } else { Patience::Moment };
        self.keep_with(patience, records, at);
    }

    /// Tries for the last time to write what waits, no longer than `limit`; whether nothing waits any more.
    pub fn keep_last(&mut self, at: Moment, limit: Duration) -> bool {
        self.keep_with(Patience::Last(limit), &[], at);
        self.waiting.is_empty()
    }

    fn keep_with(&mut self, patience: Patience, records: &[Record], at: Moment) {
        let records = if self.frozen { &[] } else { records };
        if records.is_empty() && self.waiting.is_empty() {
            return;
        }
        match self.write(patience, records, at) {
            Ok(()) => {
                self.waiting.clear();
                if self.trouble.take().is_some() {
                    tracing::info!("the history is written again");
                }
            }
            Err(error) => {
                let new = records.iter().map(|record| (record.key(), record.clone()));
                self.waiting.extend(new);
                self.damaged |= is_damage(&error);
                let trouble = if is_lock(&error) { Trouble::Locked } else { Trouble::Lasting };
                if self.trouble.replace(trouble(Instant::now())).is_none() {
                    tracing::error!(%error, "the history cannot be written; it is kept in memory");
                }
            }
        }
    }

    /// Writes what waits and these records after it.
    fn write(
        &mut self,
        patience: Patience,
        records: &[Record],
        at: Moment,
    ) -> rusqlite::Result<()> {
        let at = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
        if self.connection.is_none() && self.tried_at.elapsed() >= TRY_AGAIN {
            self.tried_at = Instant::now();
            let connection = connect(&self.path, Make::Yes)?;
            before::keep_older(&self.path, &connection)?;
            migrate(&connection)?;
            self.identity = identity(&self.path).ok();
            self.connection = Some(connection);
        }
        let Some(connection) = &mut self.connection else { return Err(unopened()) };
        patience.set(connection)?;
        // Before anything is put into words: that it is locked is known at once.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut newest: BTreeMap<String, &Record> =
            self.waiting.iter().map(|(key, record)| (key.clone(), record)).collect();
        newest.extend(records.iter().map(|record| (record.key(), record)));
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

    /// Takes nothing more: what follows is not to be remembered.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Whether nothing more is taken.
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

    /// Whether the path names another file than the one that is open, or none. (Of a folder that is gone as a whole
    /// nothing can be said: no other file can be made in it.)
    pub fn is_removed(&self) -> bool {
        let (Some(open), Some(folder)) = (self.identity, self.path.parent()) else { return false };
        match identity(&self.path) {
            Ok(found) => found != open,
            Err(error) => error.kind() == io::ErrorKind::NotFound && folder.exists(),
        }
    }

    /// Sets a file aside that was found damaged while it was in use, or that took the place of the one in use, and
    /// begins a new one with the whole state; returns where the old one is, if there was one.
    ///
    /// # Errors
    /// The file cannot be moved away. What is to be kept waits in memory.
    pub fn begin_anew(
        &mut self,
        state: Vec<Record>,
        now: Moment,
    ) -> Result<Option<PathBuf>, HistoryError> {
        (self.connection, self.identity) = (None, None);
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

    /// Whether the file cannot be written.
    pub fn is_behind(&self) -> bool {
        self.trouble.is_some()
    }

    /// Whether records wait in memory.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether records wait for somebody else who writes to the file, which may end any moment.
    pub fn is_locked(&self) -> bool {
        self.has_waiting() && matches!(self.trouble, Some(Trouble::Locked(_)))
    }

    /// When what waits is to be tried again.
    pub fn due(&self) -> Option<Instant> {
        let due = match self.trouble? {
            Trouble::Locked(tried_at) => tried_at + WHILE_LOCKED,
            Trouble::Lasting(tried_at) => tried_at + TRY_AGAIN,
        };
        self.has_waiting().then_some(due)
    }
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

#[cfg(test)]
mod chart_tests;
#[cfg(test)]
mod past_tests;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod tests;
