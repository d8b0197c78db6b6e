//! What is read of the past's points by who writes it and by who asks.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use zelador_core::history::block;
use zelador_core::history::{Rollup, Tier};

/// An hour, in seconds.
pub const HOUR: u64 = 3600;

/// Up to when minutes and quarters are summed up.
pub const ROLLED_UNTIL: &str = "rolled-until";

/// Up to when days are.
pub const DAY_UNTIL: &str = "day-until";

/// How far something has come; 0: it has not begun.
pub fn meta(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let value = connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(value.unwrap_or(0))
}

/// The points of every series between two moments that are not packed yet.
pub fn ticks(
    connection: &Connection,
    from: u64,
    to: u64,
) -> rusqlite::Result<BTreeMap<u32, Vec<(u64, i64)>>> {
    let mut statement = connection
        .prepare_cached("SELECT at, points FROM tick WHERE at >= ?1 AND at < ?2 ORDER BY at")?;
    let mut rows = statement.query([from, to])?;
    let mut points: BTreeMap<u32, Vec<(u64, i64)>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let at: u64 = row.get(0)?;
        for (series, value) in block::unpack_row(row.get_ref(1)?.as_blob()?).unwrap_or_default() {
            points.entry(series).or_default().push((at, value));
        }
    }
    Ok(points)
}

/// The summaries of one series between two moments, oldest first.
pub fn rollups(
    connection: &Connection,
    tier: Tier,
    series: u32,
    from: u64,
    to: u64,
) -> rusqlite::Result<Vec<(u64, Rollup)>> {
    let mut statement = connection.prepare_cached(
        "SELECT at, count, min, mean, max, p95 FROM rollup
         WHERE width = ?1 AND series = ?2 AND at >= ?3 AND at < ?4 ORDER BY at",
    )?;
    let rows = statement.query_map(params![tier.width(), series, from, to], |row| {
        let rollup = Rollup {
            count: row.get(1)?,
            min: row.get(2)?,
            mean: row.get(3)?,
            max: row.get(4)?,
            p95: row.get(5)?,
        };
        Ok((row.get(0)?, rollup))
    })?;
    rows.collect()
}
