//! Letting go of what is too old, and of what is too much.
//!
//! Always holds: after an hour, or a minute when it is too large, the history takes no more of the disk
//! than is allowed, but for the state, and for a damaged file in its first day; what goes, goes in short
//! transactions, with as long a pause after each, for people wait for the state that is written beside.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Params, params};
use zelador_core::history::Tier;
use zelador_core::history::retain::Spans;

use super::damage::DAMAGED;
use super::wal;
use super::write::{CHUNK, Writer};

/// How many pages are given back at once.
const VACUUM_PAGES: u32 = 64;

impl Writer {
    pub(super) fn let_go(&mut self) -> rusqlite::Result<()> {
        let mut spans = Spans::of(&self.retention);
        self.let_go_of(&spans)?;
        let mut aside = self.set_aside();
        while self.is_too_large()?
            && let Some(oldest) = aside.pop()
        {
            tracing::warn!(file = %oldest.display(), "a damaged history is removed: the history is too large");
            remove(&oldest);
        }
        while self.is_too_large()?
            && let Some(tighter) = spans.tightened()
        {
            spans = tighter;
            self.let_go_of(&spans)?;
        }
        Ok(())
    }

    /// Whether the file, what its log may have, and damaged files are more than is allowed.
    pub(super) fn is_too_large(&self) -> rusqlite::Result<bool> {
        let aside: u64 = self.set_aside().iter().map(|it| length(it) + length(&log_of(it))).sum();
        let size = self.retention.size;
        Ok(self.size()? + aside + wal::share(size) > size)
    }

    /// The damaged files that count, the newest first: one that was set aside within a day does not, so
    /// that there is time to look at it.
    fn set_aside(&self) -> Vec<PathBuf> {
        let Some((folder, name)) = self.path.parent().zip(self.path.file_name()) else {
            return Vec::new();
        };
        let prefix = format!("{}{DAMAGED}", name.to_string_lossy());
        let at = |name: &str| name.strip_prefix(&prefix)?.parse::<u64>().ok();
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let found = entries.filter_map(|it| Some((at(it.file_name().to_str()?)?, it.path())));
        let mut found: Vec<(u64, PathBuf)> =
            found.filter(|(at, _)| at + Tier::Day.width() <= self.now).collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.into_iter().map(|(_, path)| path).collect()
    }

    /// The size of the file, in bytes, without what is free in it (that is given back).
    pub fn size(&self) -> rusqlite::Result<u64> {
        let pragma = |name: &str| -> rusqlite::Result<u64> {
            self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
        };
        Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
    }

    fn let_go_of(&mut self, spans: &Spans) -> rusqlite::Result<()> {
        let before = |span: Duration| self.now.saturating_sub(span.as_secs());
        let widths = [
            (Tier::Minute, before(spans.minute)),
            (Tier::Quarter, before(spans.quarter)),
            (Tier::Day, before(spans.rest)),
        ];
        let raw = before(spans.raw);
        for id in self.series.values() {
            self.delete(
                "DELETE FROM block WHERE series = ?1 AND hour IN
                 (SELECT hour FROM block WHERE series = ?1 AND hour < ?2 ORDER BY hour LIMIT ?3)",
                params![id, raw, CHUNK],
            )?;
            for (tier, before) in widths {
                self.delete(
                    "DELETE FROM rollup WHERE width = ?1 AND series = ?2 AND at IN
                     (SELECT at FROM rollup WHERE width = ?1 AND series = ?2 AND at < ?3 ORDER BY at LIMIT ?4)",
                    params![tier.width(), id, before, CHUNK],
                )?;
            }
        }
        let rest = i64::try_from(before(spans.rest) * 1_000_000).unwrap_or(i64::MAX);
        for (table, old) in [
            ("event", "at < ?1"),
            ("audit", "at < ?1"),
            ("retry", "at < ?1"),
            ("breaker", "at < ?1"),
            ("incident", "opened_at < ?1 AND closed_at IS NOT NULL"),
            ("run", "begun_at < ?1 AND ended_at IS NOT NULL"),
        ] {
            self.delete_rows(table, old, rest)?;
        }
        loop {
            let begun = Instant::now();
            let free: u32 =
                self.connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
            if free <= VACUUM_PAGES {
                return Ok(());
            }
            let vacuum = format!("PRAGMA incremental_vacuum({VACUUM_PAGES})");
            self.connection.execute_batch(&vacuum)?;
            thread::sleep(begun.elapsed());
        }
    }

    /// Executes a statement that deletes [`CHUNK`] rows at most until it finds fewer.
    pub(super) fn delete(
        &self,
        statement: &str,
        params: impl Params + Copy,
    ) -> rusqlite::Result<()> {
        loop {
            let begun = Instant::now();
            let deleted = self.connection.prepare_cached(statement)?.execute(params)?;
            if deleted < CHUNK {
                return Ok(());
            }
            thread::sleep(begun.elapsed());
        }
    }

    /// Deletes the rows of a table that are `old`. They are looked for before each transaction: not every table has
    /// them in its order.
    fn delete_rows(&mut self, table: &str, old: &str, before: i64) -> rusqlite::Result<()> {
        let find = format!("SELECT rowid FROM {table} WHERE {old} LIMIT {CHUNK}");
        let delete = format!("DELETE FROM {table} WHERE rowid = ?1");
        loop {
            let mut found = self.connection.prepare_cached(&find)?;
            let rows = found.query_map([before], |row| row.get(0))?;
            let rows: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
            drop(found);
            let begun = Instant::now();
            let transaction = self.connection.transaction()?;
            for row in &rows {
                transaction.prepare_cached(&delete)?.execute([row])?;
            }
            transaction.commit()?;
            if rows.len() < CHUNK {
                return Ok(());
            }
            thread::sleep(begun.elapsed());
        }
    }
}

/// The write-ahead log of a file.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |it| it.len())
}

/// Removes a damaged file with its log; what cannot be removed is tried again the next time.
fn remove(path: &Path) {
    for path in [path.to_owned(), log_of(path)] {
        _ = std::fs::remove_file(path);
    }
}
