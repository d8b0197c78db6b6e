//! What a supervisor on the same host can see of a service at the moment of an incident; the shape of
//! the evidence that `zelador diagnose --json -` reads.
//!
//! Every field may be missing or `null`, and what is not known is ignored: evidence is rarely complete.

use serde::{Deserialize, Deserializer, Serialize};

/// What is seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// The exit code; `None` with `signal`: it was ended by one; without: it lives.
    pub exit_code: Option<i32>,
    /// `SIGKILL`.
    pub signal: Option<String>,
    /// How long it has lived, in seconds.
    pub uptime_s: Option<f64>,
    /// How often it was restarted within the last hour.
    pub restarts_last_hour: Option<f64>,
    /// Whether zelador was asked to stop it.
    #[serde(deserialize_with = "known")]
    pub stop_requested: bool,
    /// What was asked of zelador for it lately, the latest first: `signal SIGTERM, 3 s before`; not by whom.
    #[serde(deserialize_with = "known")]
    pub asked: Vec<String>,
    /// The last lines of both streams, the oldest first.
    #[serde(deserialize_with = "known")]
    pub log_tail: Vec<String>,
    /// How long before it was looked at each of these lines arrived, in seconds, in their order; `None`, or none
    /// at all: that is not known.
    #[serde(deserialize_with = "known")]
    pub log_ages_s: Vec<Option<f64>>,
    /// What it used.
    #[serde(deserialize_with = "known")]
    pub metrics: Metrics,
}

/// What it used, and how the host is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Resident memory over its life, the oldest first, in MiB.
    #[serde(deserialize_with = "samples")]
    pub rss_mb: Vec<f64>,
    /// Its memory limit, in MiB.
    pub mem_limit_mb: Option<f64>,
    /// Of the host's memory, in use.
    pub mem_pct: Option<f64>,
    /// Kills by the kernel in its control group since it began.
    pub oom_kill_events: Option<f64>,
    /// 100: one core.
    pub cpu_pct: Option<f64>,
    /// How much of the processors it may use (the quota of its control group); 100: one core.
    pub cpu_limit_pct: Option<f64>,
    /// Threads.
    pub threads: Option<f64>,
    /// Open descriptors.
    pub open_fds: Option<f64>,
    /// How many it may have.
    pub nofile_limit: Option<f64>,
    /// Of the volume that it writes to, in use.
    pub disk_pct: Option<f64>,
    /// Its health check.
    pub probe: Option<Probe>,
}

/// The health check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Probe {
    /// Failures in a row.
    #[serde(deserialize_with = "known")]
    pub consecutive_failures: f64,
    /// The last HTTP status.
    pub last_status: Option<f64>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// How long the last answer took, in milliseconds.
    pub last_latency_ms: Option<f64>,
}

/// A value that is `null` is as little known as one that is missing.
fn known<'de, D, T>(value: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// Samples, without those that were not taken.
fn samples<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<f64>, D::Error> {
    let all: Vec<Option<f64>> = known(value)?;
    Ok(all.into_iter().flatten().collect())
}

impl Snapshot {
    /// Whether the process lives.
    pub fn is_alive(&self) -> bool {
        self.exit_code.is_none() && self.signal.is_none()
    }

    /// The signal that ended it; a shell in between tells it as 128 + n, Node's own negative codes and
    /// C's unsigned ones likewise.
    pub fn ending_signal(&self) -> Option<&str> {
        if let Some(signal) = &self.signal {
            return Some(signal);
        }
        let code = self.exit_code?;
        // Some parents tell a signal as its negative.
        let number = if (-64..-1).contains(&code) { -code } else { code - 128 };
        Some(match number {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            5 => "SIGTRAP",
            6 => "SIGABRT",
            7 => "SIGBUS",
            8 => "SIGFPE",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            15 => "SIGTERM",
            24 => "SIGXCPU",
            31 => "SIGSYS",
            _ => return None,
        })
    }

    /// Whether it keeps dying soon after its start.
    pub fn is_crash_loop(&self) -> bool {
        let is_often = self.restarts_last_hour.is_some_and(|count| count >= 8.0);
        is_often && self.uptime_s.is_some_and(|seconds| seconds < 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_null_is_not_known() {
        let written = r#"{ "exit_code": null, "signal": null, "uptime_s": null, "stop_requested": null, "asked": null,
            "log_tail": null, "log_ages_s": null, "metrics": { "rss_mb": [5, null, 7], "probe":
            { "consecutive_failures": null, "last_status": null } } }"#;
        let read: Snapshot = serde_json::from_str(written).expect("it is evidence");
        let metrics =
            Metrics { rss_mb: vec![5.0, 7.0], probe: Some(Probe::default()), ..Metrics::default() };
        assert_eq!(read, Snapshot { metrics, ..Snapshot::default() });
        for nothing in [r#"{ "metrics": null }"#, r#"{ "metrics": { "rss_mb": null } }"#, "{}"] {
            let read: Snapshot = serde_json::from_str(nothing).expect("it is evidence");
            assert_eq!(read, Snapshot::default(), "{nothing}");
        }
    }
}
