//! Rotation of logs as one file or one module's settings say it: every field optional.
//!
//! The block `zelador.logs` and the settings of pm2-logrotate are the same fields by two names, so
//! one check serves both.

use serde::{Deserialize, Serialize};

use super::node::Value;
use super::overlay::Switch;
use super::place::{Block, Place};
use crate::spec::{CronPattern, Keep, Rotation};
use crate::unit::ByteSize;

/// What is said about the rotation of logs; what is not said is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogsOverlay {
    /// At which size a log is rotated.
    pub max_size: Option<ByteSize>,
    /// How many rotated files are kept of each log.
    pub keep: Option<Keep>,
    /// How much they may take all together.
    pub max_total_size: Option<Switch<ByteSize>>,
    /// Whether they are compressed.
    pub compress: Option<bool>,
    /// The date in their names.
    pub date_format: Option<String>,
    /// When all logs are rotated by the clock.
    pub at: Option<Switch<CronPattern>>,
    /// The time zone of those dates and of that clock.
    pub zone: Option<Switch<String>>,
    /// Whether the logs of modules are rotated too.
    pub modules: Option<bool>,
}

/// A date of this length makes a name that every file system takes.
const LONGEST_DATE_FORMAT: usize = 64;

impl LogsOverlay {
    /// Returns `below` with what is said here.
    pub(super) fn over(&self, below: Rotation) -> Rotation {
        let switched = |said: Option<Switch<ByteSize>>, below| said.map_or(below, Switch::value);
        Rotation {
            max_size: self.max_size.unwrap_or(below.max_size),
            keep: self.keep.unwrap_or(below.keep),
            max_total_size: switched(self.max_total_size, below.max_total_size),
            compress: self.compress.unwrap_or(below.compress),
            date_format: self.date_format.clone().unwrap_or(below.date_format),
            at: self.at.clone().map_or(below.at, Switch::value),
            zone: self.zone.clone().map_or(below.zone, Switch::value),
            modules: self.modules.unwrap_or(below.modules),
        }
    }

    /// Reads the fields of a block that has them.
    pub(super) fn check(block: &Block<'_>) -> Self {
        if let Some(place) = block.get("worker_interval") {
            // PM2's module looks at the files by the clock. Here sizes are known at every write.
            _ = place.whole(0..=i64::from(u32::MAX));
        }
        Self {
            max_size: block.get("max_size").and_then(Place::size),
            keep: block.get("keep").and_then(keep),
            max_total_size: block.get("max_total_size").and_then(max_total_size),
            compress: block.get("compress").and_then(Place::flag),
            date_format: block.get("date_format").and_then(date_format),
            at: block.get("rotate_at").and_then(at),
            zone: block.get("time_zone").and_then(zone),
            modules: block.get("rotate_modules").and_then(Place::flag),
        }
    }

    /// Takes over what the other says.
    pub(super) fn extend(&mut self, other: Self) {
        let Self { max_size, keep, max_total_size, compress, date_format, at, zone, modules } =
            other;
        self.max_size = max_size.or(self.max_size);
        self.keep = keep.or(self.keep);
        self.max_total_size = max_total_size.or(self.max_total_size);
        self.compress = compress.or(self.compress);
        self.date_format = date_format.or(self.date_format.take());
        self.at = at.or(self.at.take());
        self.zone = zone.or(self.zone.take());
        self.modules = modules.or(self.modules);
    }
}

/// PM2's module keeps all for everything that is no number.
fn keep(place: &Place<'_>) -> Option<Keep> {
    const ALLOWED: &str = "a whole number from 0 to 100000, or `all`";
    if matches!(&place.node.value, Value::Text(text) if matches!(text.trim(), "all" | "none")) {
        return Some(Keep::All);
    }
    let count = place.number().filter(|count| count.fract() == 0.0);
    match count.filter(|count| (0.0..=100_000.0).contains(count)) {
        Some(count) => Some(Keep::Newest(count as u32)),
        None => place.refuse(ALLOWED),
    }
}

/// How a feature is switched off in a file, and on PM2's command line, which knows only text.
fn is_off(place: &Place<'_>) -> bool {
    place.is_false()
        || matches!(&place.node.value,
            Value::Text(text) if matches!(text.trim(), "" | "false" | "none" | "off"))
}

fn max_total_size(place: &Place<'_>) -> Option<Switch<ByteSize>> {
    if is_off(place) { Some(Switch::Off) } else { place.size().map(Switch::On) }
}

fn date_format(place: &Place<'_>) -> Option<String> {
    let format = place.text()?;
    if format.contains('/') || format.len() > LONGEST_DATE_FORMAT {
        return place.refuse(
            "a day.js format of at most 64 characters without `/`, like `YYYY-MM-DD_HH-mm-ss`",
        );
    }
    Some(format)
}

fn at(place: &Place<'_>) -> Option<Switch<CronPattern>> {
    if is_off(place) {
        return Some(Switch::Off);
    }
    let allowed =
        "a cron pattern of five fields like `0 0 * * *`, six with seconds first, or false";
    let Value::Text(text) = &place.node.value else { return place.refuse(allowed) };
    match CronPattern::new(text.trim()) {
        Ok(pattern) => Some(Switch::On(pattern)),
        Err(reason) => place.refuse_with_help(allowed, reason.trim_end_matches('.')),
    }
}

/// Whether the host knows such a zone shows when it is used.
fn zone(place: &Place<'_>) -> Option<Switch<String>> {
    if is_off(place) {
        return Some(Switch::Off);
    }
    let name = place.text()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    if !name.trim().chars().all(plain) || name.contains("..") || name.trim().starts_with('/') {
        return place.refuse("the name of a time zone like `America/Sao_Paulo` or `UTC`, or false");
    }
    Some(Switch::On(name.trim().to_owned()))
}
