//! The past for small pictures: the last hour in lines, the last days in bars.
//!
//! Always holds: it is read once for all who look, and again when it is too old.

use std::collections::BTreeMap;
use std::sync::Arc;

use zelador_core::history::{Metric, Rollup};

use super::{Dashboard, parts};
use crate::history::Reader;

/// How long a sparkline looks back, in seconds.
const HOUR: u64 = 3600;

/// A day, in seconds.
const DAY: u64 = 24 * HOUR;

/// The width of a point of a sparkline, in seconds: 30 points.
pub const SPARK_STEP: u64 = 120;

/// How old the past may be that is drawn, in seconds.
const FRESH: u64 = 30;

/// Summaries over time, by what they are of.
pub type Lines = BTreeMap<String, Vec<(u64, Rollup)>>;

/// The past of everything, coarsely.
#[derive(Debug, Default)]
pub struct Past {
    /// Where sparklines begin, in seconds since the Unix epoch.
    pub from: u64,
    /// Where they end.
    pub to: u64,
    /// Of the last hour.
    pub memory: Lines,
    /// Of the last hour.
    pub cpu: Lines,
    /// Of the last hour: how long checks took.
    pub latency: Lines,
    /// The share of each day in which it was up.
    pub days: Lines,
}

impl Past {
    /// The beginning of the last day.
    pub fn today(&self) -> u64 {
        self.to - self.to % DAY
    }
}

/// What was read of the history.
#[derive(Debug, Default)]
pub struct Cache {
    apps: Kept,
    checks: Kept,
}

#[derive(Debug, Default)]
struct Kept {
    at: u64,
    past: Arc<Past>,
}

impl Cache {
    /// What apps and the host were at.
    pub async fn of_apps(&mut self, dashboard: &Dashboard) -> Arc<Past> {
        let read = |reader: &Reader, past: &mut Past| {
            past.memory = reader.minutes(Metric::Memory, past.from, past.to, SPARK_STEP)?;
            past.cpu = reader.minutes(Metric::Cpu, past.from, past.to, SPARK_STEP)?;
            Ok(())
        };
        self.apps.renewed(dashboard, read).await
    }

    /// What checks were at.
    pub async fn of_checks(&mut self, dashboard: &Dashboard) -> Arc<Past> {
        let read = |reader: &Reader, past: &mut Past| {
            past.latency = reader.minutes(Metric::Latency, past.from, past.to, SPARK_STEP)?;
            Ok(())
        };
        self.checks.renewed(dashboard, read).await
    }
}

impl Kept {
    /// The past, read anew when it is too old.
    async fn renewed(
        &mut self,
        dashboard: &Dashboard,
        more: fn(&Reader, &mut Past) -> rusqlite::Result<()>,
    ) -> Arc<Past> {
        let now = dashboard.seconds();
        if now.saturating_sub(self.at) < FRESH {
            return Arc::clone(&self.past);
        }
        self.at = now;
        let to = now - now % SPARK_STEP + SPARK_STEP;
        let first = now.saturating_sub(parts::DAYS * DAY);
        let read = dashboard.read(move |reader| {
            let days = reader.days(Metric::Up, first, now + 1)?;
            let mut past = Past { from: to - HOUR, to, days, ..Past::default() };
            more(reader, &mut past)?;
            Ok(past)
        });
        match read.await {
            Ok(past) => self.past = Arc::new(past),
            Err(failure) => {
                tracing::debug!(error = failure.error.english(), "no past for the dashboard");
            }
        }
        Arc::clone(&self.past)
    }
}
