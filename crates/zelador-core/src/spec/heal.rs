//! What the healer may do to an app, and by which means.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{BreakerChange, RetryChange};
use crate::diagnosis::Cause;
use crate::healing::raise::Bound;
use crate::signal::Signal;
use crate::unit::SECOND;

/// How much the healer may do by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealMode {
    /// It tells what it would have done. The app's own restart policy is at work all the same.
    Observe,
    /// A person says yes before anything is done to a process that lives.
    Ask,
    /// It heals, and tells.
    #[default]
    Heal,
}

/// What the healer may do to an app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealSpec {
    /// How much by itself.
    pub mode: HealMode,
    /// When it leaves what lives alone, in local time.
    pub quiet: Option<QuietHours>,
    /// How long a question to a person stands.
    pub approve_within: Duration,
    /// The most replicas that it may make of it; `None`: none more than are declared.
    pub most_instances: Option<u32>,
    /// How far the healer may raise a limit: bytes, or a number.
    #[serde(default)]
    pub ceilings: BTreeMap<Bound, u64>,
    /// Folders whose content may be removed when the disk is full.
    pub caches: Vec<PathBuf>,
    /// What the app offers.
    pub hooks: Hooks,
    /// Commands that may be run for it, by name.
    pub commands: BTreeMap<String, HealCommand>,
    /// How a remedy that did not help is tried again, where that is said of this app.
    #[serde(default)]
    pub retry: RetryChange,
    /// When a remedy is left alone, where that is said of this app.
    #[serde(default)]
    pub breaker: BreakerChange,
}

impl Default for HealSpec {
    /// It heals; a question stands for 15 minutes, which is as long as a budget's window.
    fn default() -> Self {
        Self {
            mode: HealMode::Heal,
            quiet: None,
            approve_within: Duration::from_mins(15),
            most_instances: None,
            ceilings: BTreeMap::new(),
            caches: Vec::new(),
            hooks: Hooks::default(),
            commands: BTreeMap::new(),
            retry: RetryChange::default(),
            breaker: BreakerChange::default(),
        }
    }
}

/// What an app offers to do about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// Collects garbage; `None`: by its runtime, where that needs no preparation.
    pub gc: Option<Hook>,
    /// Empties caches.
    pub clear_cache: Option<Hook>,
    /// Drops its connections and makes new ones.
    pub reconnect: Option<Hook>,
}

/// How an app is asked to do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// By the means of its runtime: the inspector of Node, `jcmd` of a JVM. For garbage only.
    Runtime,
    /// Not at all, although its runtime could be asked. For garbage only.
    Off,
    /// By a signal to its main process.
    Signal(Signal),
    /// By a command line, run by `sh` in its folder and as its user; `$ZELADOR_PID` is its main
    /// process.
    Command(String),
}

/// A command that may be run for an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealCommand {
    /// The program and its arguments. `{app}`, `{instance}`, `{pid}` and `{port}` stand for what they
    /// say: a name, and three numbers.
    pub run: Vec<String>,
    /// Against which causes.
    pub when: Vec<Cause>,
    /// How long it may take.
    pub timeout: Duration,
}

/// How long a hook or a command may take, if nothing else is said: ours, as long as Kubernetes gives
/// its own to end a container.
pub const HOOK_WITHIN: Duration = Duration::from_secs(30);

/// Hours of every day, in local time, from one minute to another; over midnight where the second is
/// the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// The first minute of the day.
    pub from: u16,
    /// The first minute after it.
    pub to: u16,
}

/// Minutes of a day.
const DAY: u16 = 24 * 60;

impl QuietHours {
    /// Reads `22:00-06:30`.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let (from, to) = (minute(from)?, minute(to)?);
        (from != to).then_some(Self { from, to })
    }

    /// How long they last still at this minute of the day; `None`: it is not within them.
    pub fn left(&self, minute: u16) -> Option<Duration> {
        let since = (minute + DAY - self.from) % DAY;
        let length = (self.to + DAY - self.from) % DAY;
        (since < length).then(|| 60 * SECOND * u32::from(length - since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_may_lie_over_midnight() {
        let night = QuietHours::parse("22:00-06:30").unwrap();
        let left = |hour: u16, minute: u16| night.left(hour * 60 + minute);
        assert_eq!(left(21, 59), None);
        assert_eq!(left(22, 0), Some(Duration::from_mins(510)));
        assert_eq!(left(6, 29), Some(Duration::from_mins(1)));
        assert_eq!(left(6, 30), None);
        for wrong in ["22-6", "22:00", "24:00-06:00", "06:00-06:00", "6:60-7:00", ""] {
            assert_eq!(QuietHours::parse(wrong), None, "{wrong}");
        }
    }
}
