//! Writing the past: items as they come. Summing up and letting go are in `tidy`.
//!
//! Always holds: every transaction is short, so that the state, which is written by another
//! connection, never waits long; a summary is made of points that are in the file, so that one that was
//! interrupted is made anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};
use zelador_core::history::block;
use zelador_core::history::retain::Retention;
use zelador_core::history::{Event, Kind, Metric};
use zelador_core::id::{IncidentId, InstanceId, RunId};
use zelador_core::incident::Incident;
use zelador_core::notify::Language;
use zelador_core::unit::Moment;
use zelador_core::words::Words;

use super::connect::{Make, connect};
use super::item::{Audit, Item, Sample};
use super::trial;

/// How many rows go into one transaction.
pub(super) const CHUNK: usize = 256;

/// How long the state's connection may keep this one waiting.
const PATIENCE: Duration = Duration::from_secs(2);

/// The one writer of the past.
pub struct Writer {
    pub(super) connection: Connection,
    pub(super) series: BTreeMap<(String, Metric), u32>,
    pub(super) retention: Retention,
    /// The newest sample, in seconds since the Unix epoch.
    pub(super) now: u64,
    pub(super) tidied_at: u64,
    pub(super) path: PathBuf,
}

impl Writer {
    /// Opens the file, which has its layout already; where there is none, none is made.
    pub fn open(path: &Path, retention: Retention) -> rusqlite::Result<Self> {
        let connection = connect(path, Make::No)?;
        connection.busy_timeout(PATIENCE)?;
        let series = BTreeMap::new();
        let path = path.to_owned();
        let mut writer = Self { connection, series, retention, now: 0, tidied_at: 0, path };
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
        let (en, pt) = (event.text.english(), portuguese(&event.text));
        let lasted = event.lasted.map(|it| i64::try_from(it.as_micros()).unwrap_or(i64::MAX));
        let (instance, run) =
            (event.instance.map(InstanceId::number), event.run.map(RunId::number));
        if event.kind == Kind::Stopped && self.has_ended(run)? {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO event (at, kind, app, instance, run, incident, text, lasted, text_pt)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                at,
                event.kind.word(),
                event.app,
                instance,
                run,
                event.incident.map(IncidentId::number),
                en,
                lasted,
                pt
            ])?;
        let Some(run) = run else { return Ok(()) };
        match event.kind {
            Kind::Begun => self
                .connection
                .prepare_cached(
                    "INSERT INTO run (run, app, instance, cause, begun_at, cause_pt)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (run) DO NOTHING",
                )?
                .execute(params![run, event.app, instance, en, at, pt])?,
            Kind::Up => self
                .connection
                .prepare_cached("UPDATE run SET up_at = ?2 WHERE run = ?1 AND up_at IS NULL")?
                .execute(params![run, at])?,
            Kind::Died | Kind::Stopped => self
                .connection
                .prepare_cached(
                    "UPDATE run SET ended_at = ?2, ended = ?3, asked = ?4, ended_pt = ?5
                     WHERE run = ?1 AND (ended IS NULL OR ended = '')",
                )?
                .execute(params![run, at, en, event.kind == Kind::Stopped, pt])?,
            _ => 0,
        };
        Ok(())
    }

    /// Whether the end of a run was told: an engine that was asked to end tells it, and the next one cannot know that.
    fn has_ended(&self, run: Option<u64>) -> rusqlite::Result<bool> {
        let ended = "SELECT 1 FROM run WHERE run = ?1 AND ended != ''";
        self.connection.prepare_cached(ended)?.exists([run])
    }

    fn incident(&self, incident: &Incident) -> rusqlite::Result<()> {
        let state = incident.state_words();
        let document = serde_json::to_string(incident)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO incident
                 (id, app, trouble, opened_at, closed_at, state, attempts, document, state_pt)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                incident.id.number(),
                incident.app.as_str(),
                incident.trouble.to_string(),
                micros(incident.opened_at),
                incident.closed_at.map(micros),
                state.english(),
                incident.attempts,
                document,
                portuguese(&state)
            ])?;
        Ok(())
    }

    fn audit(&self, audit: &Audit) -> rusqlite::Result<()> {
        let Audit { at, who, origin, verb, target, ok, result } = audit;
        self.connection
            .prepare_cached(
                "INSERT INTO audit (at, who, origin, verb, target, ok, result, result_pt)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                micros(*at),
                who,
                origin,
                verb,
                target,
                ok,
                result.english(),
                portuguese(result)
            ])?;
        Ok(())
    }

    /// Keeps so much from now on.
    pub fn set_retention(&mut self, retention: Retention) {
        self.retention = retention;
        self.tidied_at = 0;
    }
}

/// The sentence in Portuguese; `None`: it is the same.
fn portuguese(words: &Words) -> Option<&str> {
    (!words.is_quoted()).then(|| words.told(Language::Pt))
}

pub(super) fn micros(at: Moment) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX)
}
