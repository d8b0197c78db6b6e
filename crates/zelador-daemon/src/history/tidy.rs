//! Summing up what is over. Letting go of what is too old or too much is in `room`.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};
use zelador_core::history::block;
use zelador_core::history::rollup::{buckets, rebuckets};
use zelador_core::history::{Rollup, Tier};

use super::points::{DAY_UNTIL, HOUR, ROLLED_UNTIL, meta, rollups, ticks};
use super::write::{CHUNK, Writer};

/// How often old things are looked for, in seconds.
const TIDY_EVERY: u64 = HOUR;

/// How often they are when the file is too large, in seconds: the finest summary's width.
const TIGHTEN_EVERY: u64 = 60;

impl Writer {
    /// Sums up what is over, and lets go of what is too old.
    pub fn tidy(&mut self) -> rusqlite::Result<()> {
        while self.roll_one_quarter()? {}
        while self.close_one_hour()? {}
        while self.roll_one_day()? {}
        let idle = self.now.saturating_sub(self.tidied_at);
        if idle >= TIDY_EVERY || idle >= TIGHTEN_EVERY && self.is_too_large()? {
            self.tidied_at = self.now;
            self.let_go()?;
        }
        Ok(())
    }

    fn set_meta(&self, name: &str, value: u64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute(params![name, value])?;
        Ok(())
    }

    /// Sums up the oldest quarter of an hour that is over and not summed up; false: there is none.
    fn roll_one_quarter(&mut self) -> rusqlite::Result<bool> {
        let until = meta(&self.connection, ROLLED_UNTIL)?;
        let oldest: Option<u64> = self
            .connection
            .prepare_cached("SELECT MIN(at) FROM tick WHERE at >= ?1")?
            .query_row([until], |row| row.get(0))?;
        let Some(oldest) = oldest else { return Ok(false) };
        let width = Tier::Quarter.width();
        let begin = oldest - oldest % width;
        if begin + width > self.now {
            return Ok(false);
        }
        let points = ticks(&self.connection, begin, begin + width)?;
        let mut rows = Vec::new();
        for (series, points) in &points {
            for tier in [Tier::Minute, Tier::Quarter] {
                let rolled = buckets(points, tier.width());
                rows.extend(rolled.into_iter().map(|(at, rollup)| (tier, *series, at, rollup)));
            }
        }
        self.put_rollups(&rows)?;
        self.set_meta(ROLLED_UNTIL, begin + width)?;
        Ok(true)
    }

    fn put_rollups(&mut self, rows: &[(Tier, u32, u64, Rollup)]) -> rusqlite::Result<()> {
        for chunk in rows.chunks(CHUNK) {
            let transaction = self.connection.transaction()?;
            for (tier, series, at, rollup) in chunk {
                let Rollup { count, min, mean, max, p95 } = *rollup;
                transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO rollup (width, series, at, count, min, mean, max, p95)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    )?
                    .execute(params![tier.width(), series, at, count, min, mean, max, p95])?;
            }
            transaction.commit()?;
        }
        Ok(())
    }

    /// Packs the points of the oldest hour that is summed up; false: there is none.
    fn close_one_hour(&mut self) -> rusqlite::Result<bool> {
        let until = meta(&self.connection, ROLLED_UNTIL)?;
        let oldest: Option<u64> =
            self.connection.query_row("SELECT MIN(at) FROM tick", [], |row| row.get(0))?;
        let Some(hour) = oldest.map(|at| at - at % HOUR).filter(|hour| hour + HOUR <= until) else {
            return Ok(false);
        };
        let series: Vec<(u32, Vec<(u64, i64)>)> =
            ticks(&self.connection, hour, hour + HOUR)?.into_iter().collect();
        for chunk in series.chunks(CHUNK / 4) {
            let transaction = self.connection.transaction()?;
            for (series, points) in chunk {
                let known: Option<Vec<u8>> = transaction
                    .prepare_cached("SELECT points FROM block WHERE series = ?1 AND hour = ?2")?
                    .query_row(params![series, hour], |row| row.get(0))
                    .optional()?;
                let known = known.and_then(|bytes| block::unpack(&bytes)).unwrap_or_default();
                let new = points.iter().map(|(at, value)| ((at - hour) as u32, *value));
                let all: BTreeMap<u32, i64> = known.into_iter().chain(new).collect();
                let packed = block::pack(&all.into_iter().collect::<Vec<_>>());
                transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO block (series, hour, points) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![series, hour, packed])?;
            }
            transaction.commit()?;
        }
        self.delete(
            "DELETE FROM tick WHERE at IN
             (SELECT at FROM tick WHERE at >= ?1 AND at < ?2 LIMIT ?3)",
            params![hour, hour + HOUR, CHUNK],
        )?;
        Ok(true)
    }

    /// Sums up the oldest day that is over and not summed up; false: there is none.
    fn roll_one_day(&mut self) -> rusqlite::Result<bool> {
        let width = Tier::Day.width();
        let rolled = meta(&self.connection, ROLLED_UNTIL)?;
        let today = rolled - rolled % width;
        let until = meta(&self.connection, DAY_UNTIL)?;
        if until >= today {
            return Ok(false);
        }
        let mut rows = Vec::new();
        let mut next = today;
        let series: Vec<u32> = self.series.values().copied().collect();
        // The oldest day that any series has and that is not summed up.
        for id in &series {
            let oldest: Option<u64> = self
                .connection
                .prepare_cached(
                    "SELECT MIN(at) FROM rollup WHERE width = ?1 AND series = ?2 AND at >= ?3",
                )?
                .query_row(params![Tier::Quarter.width(), id, until], |row| row.get(0))?;
            next = oldest.map_or(next, |at| next.min(at - at % width));
        }
        if next < today {
            for id in &series {
                let quarters = rollups(&self.connection, Tier::Quarter, *id, next, next + width)?;
                let day = rebuckets(&quarters, width).into_iter();
                rows.extend(day.map(|(at, rollup)| (Tier::Day, *id, at, rollup)));
            }
            self.put_rollups(&rows)?;
        }
        self.set_meta(DAY_UNTIL, (next + width).min(today))?;
        Ok(true)
    }
}
