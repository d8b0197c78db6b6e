//! Where the output of apps goes, and what becomes of files that have grown.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::CronPattern;
use crate::unit::ByteSize;

/// Where the output of an app goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSpec {
    /// Standard output.
    pub out: LogTarget,
    /// Standard error.
    pub err: LogTarget,
    /// A file that gets both as well.
    pub combined: Option<PathBuf>,
    /// day.js format of the date before each line; `None`: no date.
    pub date_format: Option<String>,
    /// How a line stands in the file.
    #[serde(default)]
    pub format: LogFormat,
    /// True: all instances share the files; false: the instance's number is put before the
    /// extension.
    pub merge: bool,
}

/// How a line stands in its file (PM2: `log_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// As it was written, with a date before it where one is asked for.
    #[default]
    Raw,
    /// As an object of JSON, with its date, its stream and its app.
    Json,
}

/// Where one stream goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogTarget {
    /// `$ZELADOR_HOME/logs/NAME-out.log` or `NAME-error.log`.
    Default,
    /// This file, absolute.
    File(PathBuf),
    /// Nowhere.
    Off,
    /// Where zelador's own goes, untouched: it runs in the foreground (`zelador runtime`).
    Inherit,
}

/// When a log file is rotated, and what becomes of the rotated ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rotation {
    /// A file that has grown to this size is renamed and a new one begun.
    pub max_size: ByteSize,
    /// How many renamed files are kept of each log.
    pub keep: Keep,
    /// How much the renamed files of a log may take all together; the oldest go first.
    pub max_total_size: Option<ByteSize>,
    /// Whether renamed files are compressed.
    pub compress: bool,
    /// day.js format of the date in the name of a renamed file.
    pub date_format: String,
    /// When every file that is not empty is renamed, whatever its size.
    pub at: Option<CronPattern>,
    /// The time zone of that and of the dates in names; `None`: the host's.
    pub zone: Option<String>,
    /// Whether the logs of modules are rotated too.
    pub modules: bool,
}

/// `dateFormat` of pm2-logrotate.
pub const ROTATED_DATE: &str = "YYYY-MM-DD_HH-mm-ss";

impl Default for Rotation {
    /// 10 MiB × 30, as pm2-logrotate has it.
    fn default() -> Self {
        Self {
            max_size: ByteSize::mebibytes(10),
            keep: Keep::Newest(30),
            max_total_size: None,
            compress: false,
            date_format: ROTATED_DATE.to_owned(),
            at: None,
            zone: None,
            modules: true,
        }
    }
}

/// How many renamed files are kept of each log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// All of them.
    All,
    /// So many of the newest.
    #[serde(untagged)]
    Newest(u32),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Newest(count) => write!(f, "{count}"),
        }
    }
}
