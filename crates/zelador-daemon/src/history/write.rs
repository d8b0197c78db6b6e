//! Writing the past: items as they come, summaries when their time is over, and letting go.
//!
//! Always holds: every transaction is short, so that the state, which is written by another
//! connection, never waits long; a summary is made of points that are in the file, so that one that was
//! interrupted is made anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use zelador_core::history::block;
use zelador_core::history::retain::{Retention, Spans};
use zelador_core::history::rollup::{buckets, rebuckets};
use zelador_core::history::{Event, Kind, Metric, Rollup, Tier};
use zelador_core::id::{IncidentId, InstanceId, RunId};
use zelador_core::incident::Incident;
use zelador_core::unit::Moment;

use super::item::{Audit, Item, Sample};
use super::trial;

/// How many rows go into one transaction.
const CHUNK: usize = 256;

/// An hour, in seconds.
pub const HOUR: u64 = 3600;

/// How often old things are looked for, in seconds.
const TIDY_EVERY: u64 = HOUR;

/// How many pages are given back at once.
const VACUUM_PAGES: u32 = 64;

/// How long the state's connection may keep this one waiting.
const PATIENCE: Duration = Duration::from_secs(2);

/// The one writer of the past.
pub struct Writer {
    connection: Connection,
    series: BTreeMap<(String, Metric), u32>,
    retention: Retention,
    /// The newest sample, in seconds since the Unix epoch.
    now: u64,
    tidied_at: u64,
}

impl Writer {
    /// Opens the file, which has its layout already.
    pub fn open(path: &Path, retention: Retention) -> rusqlite::Result<Self> {
        let connection = super::connect(path)?;
        connection.busy_timeout(PATIENCE)?;
        let mut writer =
            Self { connection, series: BTreeMap::new(), retention, now: 0, tidied_at: 0 };
        writer.series = writer.known_series()?;
        Ok(writer)
    }

    fn known_series(&self) -> rusqlite::Result<BTreeMap<(String, Metric), u32>> {
        let mut statement = self.connection.prepare("SELECT subject, metric, id FROM series")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?))
        })?;
        let mut series = BTreeMap::new();
        for row in rows {
            let (subject, metric, id) = row?;
            if let Some(metric) = Metric::from_word(&metric) {
                series.insert((subject, metric), id);
            }
        }
        Ok(series)
    }

    /// Writes what came, in order; what was written is taken away.
    pub fn write(&mut self, items: &mut Vec<Item>) -> rusqlite::Result<()> {
        while !items.is_empty() {
            let count = items.len().min(CHUNK);
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            let done = items[..count].iter().try_for_each(|item| self.item(item));
            let done = done.and_then(|()| self.connection.execute_batch("COMMIT"));
            if let Err(error) = done {
                // `SQLite` may have rolled back by itself. The series that were made are gone, too:
                // after an error the file is opened anew.
                _ = self.connection.execute_batch("ROLLBACK");
                return Err(error);
            }
            items.drain(..count);
        }
        Ok(())
    }

    fn item(&mut self, item: &Item) -> rusqlite::Result<()> {
        match item {
            Item::Sample(sample) => self.sample(sample),
            Item::Event(event) => self.event(event),
            Item::Incident(incident) => self.incident(incident),
            Item::Audit(audit) => self.audit(audit),
            Item::Trial(trial) => trial::write(&self.connection, trial),
            Item::Retention(_) | Item::Doubt | Item::Anew | Item::Flush(_) => Ok(()),
        }
    }

    fn sample(&mut self, sample: &Sample) -> rusqlite::Result<()> {
        let mut points = Vec::with_capacity(sample.values.len());
        for (subject, metric, value) in &sample.values {
            points.push((self.series_of(subject, *metric)?, *value));
        }
        points.sort_unstable();
        points.dedup_by_key(|(series, _)| *series);
        let at = sample.at.as_millis() / 1000;
        self.now = self.now.max(at);
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO tick (at, points) VALUES (?1, ?2)")?
            .execute(params![at, block::pack_row(&points)])?;
        Ok(())
    }

    fn series_of(&mut self, subject: &str, metric: Metric) -> rusqlite::Result<u32> {
        let key = (subject.to_owned(), metric);
        if let Some(id) = self.series.get(&key) {
            return Ok(*id);
        }
        let id = self
            .connection
            .prepare_cached(
                "INSERT INTO series (subject, metric, unit) VALUES (?1, ?2, ?3)
                 ON CONFLICT (subject, metric) DO UPDATE SET unit = excluded.unit RETURNING id",
            )?
            .query_row(params![subject, metric.word(), metric.unit()], |row| row.get(0))?;
        self.series.insert(key, id);
        Ok(id)
    }

    fn event(&self, event: &Event) -> rusqlite::Result<()> {
        let at = micros(event.at);
        let lasted = event.lasted.map(|it| i64::try_from(it.as_micros()).unwrap_or(i64::MAX));
        let (instance, run) =
            (event.instance.map(InstanceId::number), event.run.map(RunId::number));
        self.connection
            .prepare_cached(
                "INSERT INTO event (at, kind, app, instance, run, incident, text, lasted)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                at,
                event.kind.word(),
                event.app,
                instance,
                run,
                event.incident.map(IncidentId::number),
                event.text,
                lasted
            ])?;
        let Some(run) = run else { return Ok(()) };
        match event.kind {
            Kind::Begun => self
                .connection
                .prepare_cached(
                    "INSERT INTO run (run, app, instance, cause, begun_at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (run) DO NOTHING",
                )?
                .execute(params![run, event.app, instance, event.text, at])?,
            Kind::Up => self
                .connection
                .prepare_cached("UPDATE run SET up_at = ?2 WHERE run = ?1 AND up_at IS NULL")?
                .execute(params![run, at])?,
            Kind::Died | Kind::Stopped => self
                .connection
                .prepare_cached(
                    "UPDATE run SET ended_at = ?2, ended = ?3, asked = ?4
                     WHERE run = ?1 AND (ended IS NULL OR ended = '')",
                )?
                .execute(params![run, at, event.text, event.kind == Kind::Stopped])?,
            _ => 0,
        };
        Ok(())
    }

    fn incident(&self, incident: &Incident) -> rusqlite::Result<()> {
        let document = serde_json::to_string(incident)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO incident
                 (id, app, trouble, opened_at, closed_at, state, attempts, document)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                incident.id.number(),
                incident.app.as_str(),
                incident.trouble.to_string(),
                micros(incident.opened_at),
                incident.closed_at.map(micros),
                incident.state(),
                incident.attempts,
                document
            ])?;
        Ok(())
    }

    fn audit(&self, audit: &Audit) -> rusqlite::Result<()> {
        let Audit { at, who, origin, verb, target, ok, result } = audit;
        self.connection
            .prepare_cached(
                "INSERT INTO audit (at, who, origin, verb, target, ok, result)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![micros(*at), who, origin, verb, target, ok, result])?;
        Ok(())
    }

    /// Keeps so much from now on.
    pub fn set_retention(&mut self, retention: Retention) {
        self.retention = retention;
        self.tidied_at = 0;
    }

    /// Sums up what is over, and lets go of what is too old.
    pub fn tidy(&mut self) -> rusqlite::Result<()> {
        while self.roll_one_quarter()? {}
        while self.close_one_hour()? {}
        while self.roll_one_day()? {}
        if self.now >= self.tidied_at + TIDY_EVERY {
            self.tidied_at = self.now;
            self.let_go()?;
        }
        Ok(())
    }

    fn meta(&self, name: &str) -> rusqlite::Result<u64> {
        let value = self
            .connection
            .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        Ok(value.unwrap_or(0))
    }

    fn set_meta(&self, name: &str, value: u64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute(params![name, value])?;
        Ok(())
    }

    /// Sums up the oldest quarter of an hour that is over and not summed up; false: there is none.
    fn roll_one_quarter(&mut self) -> rusqlite::Result<bool> {
        let until = self.meta(ROLLED_UNTIL)?;
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
        let until = self.meta(ROLLED_UNTIL)?;
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
        self.connection
            .prepare_cached("DELETE FROM tick WHERE at >= ?1 AND at < ?2")?
            .execute([hour, hour + HOUR])?;
        Ok(true)
    }

    /// Sums up the oldest day that is over and not summed up; false: there is none.
    fn roll_one_day(&mut self) -> rusqlite::Result<bool> {
        let width = Tier::Day.width();
        let rolled = self.meta(ROLLED_UNTIL)?;
        let today = rolled - rolled % width;
        let until = self.meta(DAY_UNTIL)?;
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

    fn let_go(&mut self) -> rusqlite::Result<()> {
        let mut spans = Spans::of(&self.retention);
        self.let_go_of(&spans)?;
        while self.size()? > self.retention.size
            && let Some(tighter) = spans.tightened()
        {
            spans = tighter;
            self.let_go_of(&spans)?;
        }
        Ok(())
    }

    /// The size of the file, in bytes, without what is free in it.
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
            self.connection
                .prepare_cached("DELETE FROM block WHERE series = ?1 AND hour < ?2")?
                .execute(params![id, raw])?;
            for (tier, before) in widths {
                self.connection
                    .prepare_cached(
                        "DELETE FROM rollup WHERE width = ?1 AND series = ?2 AND at < ?3",
                    )?
                    .execute(params![tier.width(), id, before])?;
            }
        }
        let rest = i64::try_from(before(spans.rest) * 1_000_000).unwrap_or(i64::MAX);
        for statement in [
            "DELETE FROM event WHERE at < ?1",
            "DELETE FROM audit WHERE at < ?1",
            "DELETE FROM retry WHERE at < ?1",
            "DELETE FROM breaker WHERE at < ?1",
            "DELETE FROM incident WHERE opened_at < ?1 AND closed_at IS NOT NULL",
            "DELETE FROM run WHERE begun_at < ?1 AND ended_at IS NOT NULL",
        ] {
            self.connection.execute(statement, [rest])?;
        }
        loop {
            let free: u32 =
                self.connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
            if free <= VACUUM_PAGES {
                return Ok(());
            }
            let vacuum = format!("PRAGMA incremental_vacuum({VACUUM_PAGES})");
            self.connection.execute_batch(&vacuum)?;
        }
    }
}

/// Up to when minutes and quarters are summed up.
pub const ROLLED_UNTIL: &str = "rolled-until";

/// Up to when days are.
pub const DAY_UNTIL: &str = "day-until";

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

pub(super) fn micros(at: Moment) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX)
}
