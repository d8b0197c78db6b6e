//! What follows a death, how a stop is done, and restarts by the clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::signal::Signal;

/// What follows a death.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// False: a death is the end until somebody starts it.
    pub autorestart: bool,
    /// That many runs in a row, each shorter than `min_uptime`, open the breaker.
    pub max_restarts: u32,
    /// A run that lives this long was a good start.
    pub min_uptime: Duration,
    /// How long to wait before the next start.
    pub delay: RestartDelay,
    /// Exit codes that mean "finished": no restart.
    pub stop_exit_codes: Vec<i32>,
    /// How long the breaker stays open before one trial start, doubled after each failed trial
    /// up to [`MAX_OPEN`]. `None`: it stays open until somebody starts the app.
    pub half_open_after: Option<Duration>,
    /// More than `max_restarts` restarts within this time open the breaker too, however long the
    /// runs were. Ours; `None`: only short runs count, as in PM2.
    #[serde(default)]
    pub restart_window: Option<Duration>,
}

/// The longest time a breaker stays open before its next trial: half an hour, so that a service
/// is never away longer than that after its cause is gone. Ours; PM2 gives up for good.
pub const MAX_OPEN: Duration = Duration::from_mins(30);

/// How long an instance that died waits for its next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartDelay {
    /// Not at all (PM2's default).
    None,
    /// Always this long: `restart_delay`.
    Fixed(Duration),
    /// This long, then half as long again each time, up to 15 s: `exp_backoff_restart_delay`.
    Exponential(Duration),
}

/// How a stop is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopPolicy {
    /// The signal that asks for an end.
    pub signal: Signal,
    /// How long the process tree has before `SIGKILL`.
    pub grace: Duration,
    /// Whether the signal goes to the whole tree, or to the main process only. What is left at
    /// the end of the grace is killed in both cases.
    pub tree: bool,
    /// True: the message `shutdown` over Node's channel takes the signal's place.
    #[serde(default)]
    pub message: bool,
}

/// A cron pattern that croner accepts: five fields, or six with seconds first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronPattern(String);

impl CronPattern {
    /// Returns the pattern, or what is wrong with it.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        crate::cron::parse(&text)?;
        Ok(Self(text))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CronPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<CronPattern> for String {
    fn from(pattern: CronPattern) -> Self {
        pattern.0
    }
}
