//! A history as an engine would have left it, without the time that this takes.

use std::path::Path;

use rusqlite::{Connection, params};
use zelador_core::history::{Metric, block};

/// An hour, in seconds.
const HOUR: u64 = 3600;

/// A day, in seconds.
const DAY: u64 = 24 * HOUR;

/// What is measured of each app.
const METRICS: [Metric; 7] = [
    Metric::Memory,
    Metric::Cpu,
    Metric::Descriptors,
    Metric::Threads,
    Metric::Restarts,
    Metric::Latency,
    Metric::Up,
];

/// How often a day something happens to an app that a chart marks.
const MARKS: u64 = 4;

/// How much of the past there is: apps, and days of each fineness.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// How many apps; they are called `svc-0`, `svc-1`, ….
    pub apps: u32,
    /// Days of summaries by the day and the quarter of an hour, and of what happened.
    pub days: u64,
    /// Days of summaries by the minute.
    pub minutes: u64,
    /// Days of single samples, one every 10 s.
    pub raw: u64,
}

/// Writes it into a file of this version that no engine has open; `now`: seconds since the Unix epoch.
///
/// # Panics
/// The file cannot be written, or is not of this layout.
pub fn fill(path: &Path, past: Past, now: u64) {
    let connection = Connection::open(path).expect("the file is there");
    connection.execute_batch("PRAGMA synchronous = OFF; BEGIN").expect("nobody else writes");
    for app in 0..past.apps {
        for metric in METRICS {
            connection
                .execute(
                    "INSERT OR IGNORE INTO series (subject, metric, unit) VALUES (?1, ?2, ?3)",
                    params![format!("app:svc-{app}/0"), metric.word(), metric.unit()],
                )
                .expect("a series");
        }
    }
    for (width, kept) in [(DAY, past.days), (HOUR / 4, past.days), (60, past.minutes)] {
        let (from, until) = (now - kept * DAY, now - now % width);
        connection
            .execute(
                "INSERT OR REPLACE INTO rollup (width, series, at, count, min, mean, max, p95)
                 WITH RECURSIVE at(x) AS (SELECT ?2 - ?2 % ?1 UNION ALL SELECT x + ?1 FROM at WHERE x + ?1 < ?3)
                 SELECT ?1, id, x, 90, 1000, 2000 + x % 977, 9000, 8000
                 FROM series CROSS JOIN at WHERE subject GLOB 'app:svc-*'",
                params![width, from, until],
            )
            .expect("summaries");
    }
    let samples: Vec<(u32, i64)> =
        (0..360).map(|at| (at * 10, 1000 + i64::from(at * 7919 % 977))).collect();
    connection
        .execute(
            "INSERT OR REPLACE INTO block (series, hour, points)
             WITH RECURSIVE at(x) AS (SELECT ?1 UNION ALL SELECT x + 3600 FROM at WHERE x + 3600 < ?2)
             SELECT id, x, ?3 FROM series CROSS JOIN at WHERE ?1 < ?2 AND subject GLOB 'app:svc-*'",
            params![now - past.raw * DAY - now % HOUR, now - now % HOUR, block::pack(&samples)],
        )
        .expect("samples");
    connection
        .execute(
            "INSERT INTO event (at, kind, app, text)
             WITH RECURSIVE at(x) AS (SELECT ?1 UNION ALL SELECT x + ?2 FROM at WHERE x + ?2 < ?3)
             SELECT DISTINCT x * 1000000, 'died', substr(subject, 5, length(subject) - 6), 'exited with code 1'
             FROM series CROSS JOIN at WHERE subject GLOB 'app:svc-*'",
            params![now - past.days * DAY, DAY / MARKS, now],
        )
        .expect("events");
    connection
        .execute_batch(&format!(
            "INSERT OR REPLACE INTO meta VALUES ('rolled-until', {}), ('day-until', {}); COMMIT",
            now - now % HOUR,
            now - now % DAY
        ))
        .expect("all of it");
}
