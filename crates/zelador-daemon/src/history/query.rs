//! Reading the past: charts, days, events, runs, incidents, the audit.
//!
//! Every answer is read by a connection of its own, which can only read; call it where waiting is
//! allowed.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::time::Duration;
use zelador_core::diagnosis::Cause;
use zelador_core::history::block;
use zelador_core::history::rollup::{buckets, rebuckets};
use zelador_core::history::{Event, Kind, Metric, Rollup, Tier};
use zelador_core::id::{IncidentId, InstanceId, RunId};
use zelador_core::incident::{Incident, Trouble};
use zelador_core::unit::Moment;
use zelador_core::words::{Words, quoted};

use super::item::Audit;
use super::points::{DAY_UNTIL, HOUR, ROLLED_UNTIL, meta, rollups, ticks};
use super::row::{IncidentRow, Line, Run};

/// A chart is made of at most so many rows; there is always a tier that has fewer.
const MOST_ROWS: u64 = 9000;

/// And drawn from at most so many points: more than a screen has columns.
const MOST_POINTS: u64 = 1200;

/// The open file, to be read.
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens the file.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(1))?;
        Ok(Self { connection })
    }

    /// The series whose subject is one of these, or begins with one of them and a slash.
    fn series(
        &self,
        subjects: &[String],
        metrics: &[Metric],
    ) -> rusqlite::Result<Vec<(u32, String, Metric)>> {
        let mut statement =
            self.connection.prepare("SELECT id, subject, metric FROM series ORDER BY subject")?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, subject, metric): (u32, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let wanted = subjects.iter().any(|it| {
                subject
                    .strip_prefix(it.as_str())
                    .is_some_and(|rest| rest.is_empty() || is_index(rest))
            });
            if let Some(metric) =
                Metric::from_word(&metric).filter(|it| wanted && metrics.contains(it))
            {
                found.push((id, subject, metric));
            }
        }
        Ok(found)
    }

    /// The lines of a chart between two moments (seconds since the Unix epoch), and the width of a
    /// point in seconds. `app:NAME` stands for all its replicas.
    pub fn chart(
        &self,
        subjects: &[String],
        metrics: &[Metric],
        span: (u64, u64),
    ) -> rusqlite::Result<(u64, Vec<Line>)> {
        let (from, to) = span;
        let length = to.saturating_sub(from).max(1);
        let series = self.series(subjects, metrics)?;
        let oldest = self.oldest(&series)?;
        let tier = Tier::for_chart(from, length, MOST_ROWS, |tier| {
            oldest.iter().find(|(it, _)| *it == tier).and_then(|(_, at)| *at)
        });
        let steps = length.div_ceil(MOST_POINTS).div_ceil(tier.width()).max(1);
        let width = steps * tier.width();
        let mut recent = self.recent(tier, from, to)?;
        let mut lines = Vec::new();
        for (id, subject, metric) in series {
            let mut rows = self.stored(tier, id, from, to)?;
            rows.extend(buckets(&recent.remove(&id).unwrap_or_default(), tier.width()));
            let points = rebuckets(&rows, width);
            lines.push(Line { subject, metric, points });
        }
        Ok((width, lines))
    }

    /// Where each tier begins, of these series: what was let go because the file was too large is
    /// younger than the settings say.
    fn oldest(
        &self,
        series: &[(u32, String, Metric)],
    ) -> rusqlite::Result<[(Tier, Option<u64>); 4]> {
        let tick: Option<u64> =
            self.connection.query_row("SELECT MIN(at) FROM tick", [], |row| row.get(0))?;
        let mut hour =
            self.connection.prepare_cached("SELECT MIN(hour) FROM block WHERE series = ?1")?;
        let mut rolled = self
            .connection
            .prepare_cached("SELECT MIN(at) FROM rollup WHERE width = ?1 AND series = ?2")?;
        let mut oldest = Tier::ALL.map(|tier| (tier, tick));
        for (tier, found) in &mut oldest {
            for (id, ..) in series {
                let at: Option<u64> = match tier {
                    Tier::Raw => hour.query_row([id], |row| row.get(0))?,
                    _ => rolled.query_row(params![tier.width(), id], |row| row.get(0))?,
                };
                *found = [*found, at].into_iter().flatten().min();
            }
        }
        // Days that are not summed up yet are made of quarters.
        let quarters = oldest[2].1;
        oldest[3].1 = [oldest[3].1, quarters].into_iter().flatten().min();
        Ok(oldest)
    }

    /// What is not summed up, or not packed, yet.
    fn recent(
        &self,
        tier: Tier,
        from: u64,
        to: u64,
    ) -> rusqlite::Result<BTreeMap<u32, Vec<(u64, i64)>>> {
        let begin = match tier {
            Tier::Raw => 0,
            Tier::Minute | Tier::Quarter | Tier::Day => meta(&self.connection, ROLLED_UNTIL)?,
        };
        ticks(&self.connection, begin.max(from), to)
    }

    fn stored(
        &self,
        tier: Tier,
        series: u32,
        from: u64,
        to: u64,
    ) -> rusqlite::Result<Vec<(u64, Rollup)>> {
        match tier {
            Tier::Raw => self.raw(series, from, to),
            Tier::Minute | Tier::Quarter => {
                rollups(&self.connection, tier, series, from - from % tier.width(), to)
            }
            Tier::Day => {
                let until = meta(&self.connection, DAY_UNTIL)?;
                let begin = from - from % tier.width();
                let mut rows = rollups(&self.connection, tier, series, begin, to)?;
                let rest = rollups(&self.connection, Tier::Quarter, series, until.max(begin), to)?;
                rows.extend(rebuckets(&rest, tier.width()));
                Ok(rows)
            }
        }
    }

    fn raw(&self, series: u32, from: u64, to: u64) -> rusqlite::Result<Vec<(u64, Rollup)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT hour, points FROM block WHERE series = ?1 AND hour >= ?2 AND hour < ?3 ORDER BY hour",
        )?;
        let mut rows = statement.query(params![series, from - from % HOUR, to])?;
        let mut points = Vec::new();
        while let Some(row) = rows.next()? {
            let hour: u64 = row.get(0)?;
            let unpacked = block::unpack(row.get_ref(1)?.as_blob()?).unwrap_or_default();
            let absolute = unpacked.into_iter().map(|(at, value)| (hour + u64::from(at), value));
            points.extend(absolute.filter(|(at, _)| (from..to).contains(at)));
        }
        Ok(buckets(&points, Tier::Raw.width()))
    }

    /// The daily means of every series of a metric since a moment, by subject: for bars of uptime.
    pub fn days(
        &self,
        metric: Metric,
        from: u64,
        to: u64,
    ) -> rusqlite::Result<BTreeMap<String, Vec<(u64, Rollup)>>> {
        let mut recent = self.recent(Tier::Day, from, to)?;
        let mut days = BTreeMap::new();
        for (id, subject, _) in self.all_series(metric)? {
            let mut rows = self.stored(Tier::Day, id, from, to)?;
            rows.extend(buckets(&recent.remove(&id).unwrap_or_default(), Tier::Day.width()));
            days.insert(subject, rebuckets(&rows, Tier::Day.width()));
        }
        Ok(days)
    }

    /// The last values of every series of some metrics, minute by minute: for sparklines.
    pub fn minutes(
        &self,
        metric: Metric,
        from: u64,
        to: u64,
        width: u64,
    ) -> rusqlite::Result<BTreeMap<String, Vec<(u64, Rollup)>>> {
        let mut recent = self.recent(Tier::Minute, from, to)?;
        let mut lines = BTreeMap::new();
        for (id, subject, _) in self.all_series(metric)? {
            let mut rows = self.stored(Tier::Minute, id, from, to)?;
            rows.extend(buckets(&recent.remove(&id).unwrap_or_default(), Tier::Minute.width()));
            lines.insert(subject, rebuckets(&rows, width));
        }
        Ok(lines)
    }

    fn all_series(&self, metric: Metric) -> rusqlite::Result<Vec<(u32, String, Metric)>> {
        let mut statement =
            self.connection.prepare_cached("SELECT id, subject FROM series WHERE metric = ?1")?;
        let rows =
            statement.query_map([metric.word()], |row| Ok((row.get(0)?, row.get(1)?, metric)))?;
        rows.collect()
    }

    /// Events between two moments, the latest first; `app`: of that app only.
    pub fn events(
        &self,
        app: Option<&str>,
        from: Moment,
        to: Moment,
        most: u32,
    ) -> rusqlite::Result<Vec<Event>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at, kind, app, instance, run, incident, text, lasted, text_pt FROM event
             WHERE (?1 IS NULL OR app = ?1) AND at >= ?2 AND at <= ?3 ORDER BY at DESC, id DESC LIMIT ?4",
        )?;
        let rows =
            statement.query_map(params![app, from.as_micros(), to.as_micros(), most], event)?;
        rows.filter_map(Result::transpose).collect()
    }

    /// The latest runs of an app.
    pub fn runs(&self, app: &str, most: u32) -> rusqlite::Result<Vec<Run>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT run, instance, cause, begun_at, up_at, ended_at, ended, asked, cause_pt, ended_pt FROM run
             WHERE app = ?1 ORDER BY begun_at DESC, run DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![app, most], |row| {
            let (ended, ended_pt) = (row.get::<_, Option<String>>(6)?, row.get(9)?);
            Ok(Run {
                id: RunId::new(row.get(0)?),
                instance: InstanceId::new(row.get(1)?),
                cause: words(row.get(2)?, row.get(8)?),
                begun_at: Moment::from_micros(row.get(3)?),
                up_at: row.get::<_, Option<u64>>(4)?.map(Moment::from_micros),
                ended_at: row.get::<_, Option<u64>>(5)?.map(Moment::from_micros),
                ended: ended.map(|ended| words(ended, ended_pt)),
                asked: row.get(7)?,
            })
        })?;
        rows.collect()
    }

    /// The latest incidents since a moment; `app`: of that app only.
    pub fn incidents(
        &self,
        app: Option<&str>,
        from: Moment,
        most: u32,
    ) -> rusqlite::Result<Vec<IncidentRow>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, app, trouble, opened_at, closed_at, state, attempts, state_pt,
                 CASE WHEN json_valid(document) THEN document ->> '$.diagnosis.cause' END
             FROM incident WHERE (?1 IS NULL OR app = ?1) AND opened_at >= ?2 ORDER BY opened_at DESC LIMIT ?3",
        )?;
        let rows = statement.query_map(params![app, from.as_micros(), most], |row| {
            Ok(IncidentRow {
                id: IncidentId::new(row.get(0)?),
                app: row.get(1)?,
                trouble: trouble(row.get(2)?),
                cause: row.get::<_, Option<String>>(8)?.and_then(cause),
                opened_at: Moment::from_micros(row.get(3)?),
                closed_at: row.get::<_, Option<u64>>(4)?.map(Moment::from_micros),
                state: words(row.get(5)?, row.get(7)?),
                attempts: row.get(6)?,
            })
        })?;
        rows.collect()
    }

    /// One incident with all of it; `None`: it is not there, or was written in words that this
    /// version does not know.
    pub fn incident(&self, id: IncidentId) -> rusqlite::Result<Option<Incident>> {
        let document: Option<String> = self
            .connection
            .prepare_cached("SELECT document FROM incident WHERE id = ?1")?
            .query_row([id.number()], |row| row.get(0))
            .optional()?;
        Ok(document.and_then(|document| serde_json::from_slice(document.as_bytes()).ok()))
    }

    /// The latest commands.
    pub fn audit(&self, most: u32) -> rusqlite::Result<Vec<Audit>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at, who, origin, verb, target, ok, result, result_pt FROM audit ORDER BY at DESC, id DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([most], |row| {
            Ok(Audit {
                at: Moment::from_micros(row.get(0)?),
                who: row.get(1)?,
                origin: row.get(2)?,
                verb: row.get(3)?,
                target: row.get(4)?,
                ok: row.get(5)?,
                result: words(row.get(6)?, row.get(7)?),
            })
        })?;
        rows.collect()
    }
}

/// A sentence as it is kept.
fn words(en: String, pt: Option<String>) -> Words {
    match pt {
        Some(pt) => Words::new(en, pt),
        None => quoted(en),
    }
}

/// What kind of trouble a word is; one that this version does not know is told as it is.
fn trouble(word: String) -> Words {
    let known = Trouble::ALL.into_iter().map(Trouble::words).find(|it| it.english() == word);
    known.unwrap_or_else(|| quoted(word))
}

/// `None` of one that this version does not know.
fn cause(word: String) -> Option<Cause> {
    serde_json::from_value(word.into()).ok()
}

/// `None` of a kind that this version does not know.
fn event(row: &Row<'_>) -> rusqlite::Result<Option<Event>> {
    let Some(kind) = Kind::from_word(&row.get::<_, String>(1)?) else { return Ok(None) };
    Ok(Some(Event {
        at: Moment::from_micros(row.get(0)?),
        kind,
        app: row.get(2)?,
        instance: row.get::<_, Option<u32>>(3)?.map(InstanceId::new),
        run: row.get::<_, Option<u64>>(4)?.map(RunId::new),
        incident: row.get::<_, Option<u64>>(5)?.map(IncidentId::new),
        text: words(row.get(6)?, row.get(8)?),
        lasted: row.get::<_, Option<u64>>(7)?.map(Duration::from_micros),
    }))
}

/// Whether this is `/` and a number.
fn is_index(rest: &str) -> bool {
    rest.strip_prefix('/')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}
