//! From evidence to ranked causes.
//!
//! Status and numbers come before text; of the text, the end comes before what was said earlier, and
//! what was overcome counts for little. Deterministic: the same evidence has the same answer.

use std::collections::BTreeMap;

use serde::Serialize;

use super::snapshot::Snapshot;
use super::text::{Level, Line, lines, says};
use super::{Action, Cause, action, rules};
use crate::redact;

/// One explanation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hypothesis {
    /// Why it is sick.
    pub cause: Cause,
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// What it rests on: lines and numbers, secrets masked.
    pub because: Vec<String>,
    /// Whether a restart ends the incident.
    pub restart_helps: action::Helps,
    /// What to do.
    pub action: Action,
}

/// What is found, the likeliest first.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The likeliest.
    #[serde(flatten)]
    pub best: Hypothesis,
    /// All that is worth naming, the likeliest first.
    pub hypotheses: Vec<Hypothesis>,
}

/// Below this nothing is known.
const LEAST: f64 = 0.22;

/// A line that many ordinary ones follow says at least this part of what it would say as the last.
const FADED: f64 = 0.12;

#[derive(Debug, Default)]
struct Score {
    value: f64,
    because: Vec<(usize, String)>,
}

#[derive(Debug, Default)]
struct Board(BTreeMap<Cause, Score>);

impl Board {
    /// Something points to a cause; of several, the strongest counts, and others a little.
    fn add(&mut self, cause: Cause, value: f64, because: impl Into<String>, order: usize) {
        let score = self.0.entry(cause).or_default();
        let (high, low) = (score.value.max(value), score.value.min(value));
        score.value = high + 0.04 * low.min(0.5);
        score.because.push((order, because.into()));
    }

    fn value(&self, cause: Cause) -> f64 {
        self.0.get(&cause).map_or(0.0, |score| score.value)
    }

    fn scale(&mut self, cause: Cause, by: f64) {
        if let Some(score) = self.0.get_mut(&cause) {
            score.value *= by;
        }
    }
}

/// Returns what the evidence says.
pub fn judge(snapshot: &Snapshot) -> Answer {
    let lines = lines(&snapshot.log_tail);
    let mut board = Board::default();
    read(&mut board, &lines, snapshot);
    contexts(&mut board, &lines, snapshot);
    status(&mut board, snapshot, &lines);
    if snapshot.is_alive() {
        alive(&mut board, snapshot);
    }
    rank(board, snapshot)
}

/// What the lines say.
fn read(board: &mut Board, lines: &[Line], snapshot: &Snapshot) {
    for line in lines.iter().filter(|line| !line.text.is_empty()) {
        let grave = match line.level {
            Level::Calm => 0.12,
            Level::Warning => 0.4,
            Level::Unsaid | Level::Error => 1.0,
        };
        // What a service that lives warns of is what it suffers from.
        let grave = if snapshot.is_alive() && line.level == Level::Warning { 0.75 } else { grave };
        let overcome = if line.recovered { 0.15 } else { 1.0 };
        let fade = 0.9_f64.powi(i32::try_from(line.followed_by).unwrap_or(i32::MAX)).max(FADED);
        for rule in rules::all().filter(|rule| rule.matches(&line.text)) {
            let value = rule.weight * grave * overcome * fade;
            if value > 0.05 {
                board.add(rule.cause, value, quote(line), usize::MAX - line.number);
            }
        }
    }
}

fn quote(line: &Line) -> String {
    let text: String = line.written.trim().chars().take(200).collect();
    format!("line {}: {}", line.number + 1, redact::text(&text))
}

/// What only several lines together say.
fn contexts(board: &mut Board, lines: &[Line], snapshot: &Snapshot) {
    let any = |words: &[&str]| lines.iter().any(|line| !line.recovered && says(&line.text, words));
    // KeyError of a name in capitals, out of the environment.
    for line in lines {
        let name = line
            .written
            .trim()
            .strip_prefix("KeyError: '")
            .and_then(|rest| rest.strip_suffix('\''));
        let is_capital = |name: &str| {
            name.len() > 2
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        };
        if name.is_some_and(|name| {
            is_capital(name) && (any(&["environ", "getenv", "config"]) || name.contains('_'))
        }) {
            board.add(Cause::MissingEnvVar, 1.1, quote(line), usize::MAX - line.number);
        }
    }
    // ENOSPC of a watch on a disk with room.
    let disk_is_fine = snapshot.metrics.disk_pct.is_none_or(|used| used < 95.0);
    if board.value(Cause::DiskFull) > 0.3
        && disk_is_fine
        && any(&["syscall: 'watch'", "inotify", "fswatcher", "watch '", "watchers"])
    {
        let value = board.value(Cause::DiskFull);
        board.add(
            Cause::InotifyLimit,
            value + 0.2,
            "the disk has room, and a watch was refused",
            0,
        );
    }
    // The disk first: what it breaks says other things.
    if board.value(Cause::DiskFull) > 0.1
        && snapshot.metrics.disk_pct.is_some_and(|used| used >= 95.0)
    {
        let used = snapshot.metrics.disk_pct.unwrap_or_default();
        board.add(Cause::DiskFull, 1.3, format!("{used:.0} % of the disk is in use"), 0);
    }
    if snapshot.metrics.disk_pct.is_some_and(|used| used < 85.0) {
        // Small volumes and quotas are full while the disk is not: only plain words count.
        if !any(&[
            "enospc",
            "no space left",
            "errno 28",
            "quota",
            "disk full",
            "error 28",
            "disk is full",
        ]) {
            board.scale(Cause::DiskFull, 0.4);
        }
    }
    // Descriptors at their limit.
    let metrics = &snapshot.metrics;
    if let (Some(open), Some(limit)) = (metrics.open_fds, metrics.nofile_limit)
        && limit > 0.0
        && open >= 0.97 * limit
    {
        board.add(
            Cause::TooManyOpenFiles,
            1.2,
            format!("{open:.0} of {limit:.0} descriptors are open"),
            0,
        );
    }
    // A certificate that is not valid yet together with a clock that is off.
    if any(&["not yet valid"]) && any(&["clock", "ntp", "time sync", "1970", "skew"]) {
        board.add(
            Cause::ClockSkew,
            1.25,
            "a certificate or token is not valid yet, and the clock is off",
            0,
        );
    }
    // The bug that is left when nothing behind it is found.
    let specific: f64 = board
        .0
        .iter()
        .filter(|(cause, _)| {
            !matches!(cause, Cause::UncaughtException | Cause::PanicAssertion | Cause::ExternalKill)
        })
        .map(|(_, score)| score.value)
        .fold(0.0, f64::max);
    if specific > 0.6 {
        board.scale(Cause::UncaughtException, 0.5);
        board.scale(Cause::PanicAssertion, 0.6);
    }
}

/// What the wait status says.
fn status(board: &mut Board, snapshot: &Snapshot, lines: &[Line]) {
    let metrics = &snapshot.metrics;
    let ended = snapshot.ending_signal();
    if snapshot.stop_requested {
        board.add(Cause::ExternalKill, 3.0, "it was asked to stop", 0);
        return;
    }
    let rss = metrics.rss_mb.last().copied().unwrap_or_default();
    let at_limit = metrics.mem_limit_mb.is_some_and(|limit| limit > 0.0 && rss >= 0.93 * limit);
    let events = metrics.oom_kill_events.unwrap_or_default();
    let host_is_full = metrics.mem_pct.is_some_and(|used| used >= 95.0);
    match ended {
        Some("SIGKILL") => {
            if events > 0.0 || at_limit || host_is_full || board.value(Cause::OomKilled) > 0.5 {
                let why = if events > 0.0 {
                    format!("the kernel counts {events:.0} kills for memory")
                } else if at_limit {
                    format!("{rss:.0} MiB were in use, at the limit")
                } else {
                    "the host's memory was full".to_owned()
                };
                board.add(Cause::OomKilled, 2.5, why, 0);
            } else if board.value(Cause::DeadlockOrHang) < 0.5 {
                board.add(
                    Cause::ExternalKill,
                    1.6,
                    "ended by SIGKILL, and memory was not short",
                    0,
                );
            }
        }
        Some(signal @ ("SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT")) => {
            board.add(Cause::ExternalKill, 1.4, format!("ended by {signal}"), 0);
        }
        Some(signal @ ("SIGSEGV" | "SIGBUS")) => {
            board.add(Cause::Segfault, 2.0, format!("ended by {signal}"), 0);
            let deep = board.value(Cause::StackOverflow);
            if deep > 0.5 {
                board.add(Cause::StackOverflow, 2.2, "the stack overflowed before", 0);
            }
        }
        Some("SIGILL") => board.add(Cause::WrongArchitecture, 1.2, "ended by SIGILL", 0),
        Some("SIGFPE" | "SIGTRAP" | "SIGSYS") => {
            board.add(Cause::Segfault, 0.6, "ended by a fault of the processor", 0);
        }
        Some("SIGABRT") => board.add(Cause::PanicAssertion, 0.45, "it ended itself by SIGABRT", 0),
        _ => {}
    }
    match snapshot.exit_code {
        Some(0) => {
            let was_told = board.value(Cause::ExternalKill) > 0.05
                || lines.iter().any(|line| {
                    says(
                        &line.text,
                        &[
                            "sigterm",
                            "sigint",
                            "shutdown request",
                            "received signal",
                            "graceful shutdown",
                        ],
                    )
                });
            let cause = if was_told { Cause::ExternalKill } else { Cause::CleanExit };
            board.add(cause, 1.8, "it ended with code 0", 0);
        }
        Some(127) => {
            board.add(Cause::MissingCommand, 0.9, "exit code 127: a program was not found", 0);
        }
        Some(126) => {
            let refused = board.value(Cause::PermissionDenied);
            let cause =
                if refused > 0.5 { Cause::PermissionDenied } else { Cause::WrongArchitecture };
            board.add(cause, 0.9, "exit code 126: a program could not be executed", 0);
        }
        Some(101) if board.value(Cause::PanicAssertion) > 0.3 => {
            board.add(Cause::PanicAssertion, 0.7, "exit code 101: a panic of Rust", 0);
        }
        Some(_) | None => {}
    }
    if events > 0.0
        && !snapshot.is_alive()
        && ended != Some("SIGKILL")
        && board.value(Cause::OutOfMemoryHeap) < 0.5
    {
        board.add(Cause::OomKilled, 0.9, "the kernel has killed for memory in its group", 0);
    }
}

/// What is seen of a process that lives.
fn alive(board: &mut Board, snapshot: &Snapshot) {
    let metrics = &snapshot.metrics;
    let probe = metrics.probe.as_ref();
    let fails = probe.is_some_and(|probe| probe.consecutive_failures >= 1.0);
    let answers = probe.is_some_and(|probe| probe.last_status.is_some());
    if let Some(growth) = leak(&metrics.rss_mb, snapshot.uptime_s)
        && (metrics.mem_pct.is_some_and(|used| used >= 80.0)
            || near(metrics.rss_mb.last(), metrics.mem_limit_mb)
            || growth >= 3.0)
    {
        board.add(
            Cause::MemoryLeak,
            1.4,
            format!("memory grows steadily, to {growth:.1} times what it was"),
            0,
        );
    }
    let told = board
        .0
        .iter()
        .filter(|(cause, _)| **cause != Cause::UncaughtException)
        .map(|(_, it)| it.value)
        .fold(0.0, f64::max);
    if let Some(cpu) = metrics.cpu_pct.filter(|_| fails && !answers) {
        let whole = cpu >= 90.0 && (cpu / 100.0 - (cpu / 100.0).round()).abs() <= 0.12;
        let share = if told > 0.8 { 0.6 } else { 1.3 };
        if whole {
            board.add(Cause::CpuRunaway, share, format!("{cpu:.0} % of a core, and no answer"), 0);
        } else if cpu < 15.0 {
            board.add(
                Cause::DeadlockOrHang,
                share,
                format!("no answer, and {cpu:.0} % of a core"),
                0,
            );
        } else if cpu >= 90.0 {
            board.add(
                Cause::CpuRunaway,
                share * 0.6,
                format!("{cpu:.0} % of a core, and no answer"),
                0,
            );
        }
    } else if fails && !answers && told < 0.5 {
        board.add(Cause::DeadlockOrHang, 0.6, "it lives and does not answer", 0);
    }
    let is_slow =
        probe.and_then(|probe| probe.last_latency_ms).is_some_and(|millis| millis >= 1000.0);
    if answers && is_slow && metrics.cpu_pct.is_some_and(|cpu| cpu >= 80.0) {
        board.add(Cause::Overload, 0.9, "it answers, slowly, and computes all the time", 0);
    }
}

fn near(value: Option<&f64>, limit: Option<f64>) -> bool {
    value.zip(limit).is_some_and(|(value, limit)| *value >= 0.8 * limit)
}

/// How many times as much memory it uses as at first, where that grew steadily and for long.
fn leak(rss: &[f64], uptime: Option<f64>) -> Option<f64> {
    if rss.len() < 4 || uptime.is_some_and(|seconds| seconds < 1800.0) {
        return None;
    }
    // The first sample may be of a program that was just loading.
    let from = rss[rss.len() / 4].max(1.0);
    let steps = rss.windows(2).filter(|pair| pair[1] >= pair[0] * 0.98).count();
    let is_steady = steps + 1 >= rss.len() - rss.len() / 8;
    let late = rss[rss.len() - 1] / rss[rss.len() / 2].max(1.0);
    let growth = rss[rss.len() - 1] / from;
    (is_steady && growth >= 1.4 && late >= 1.15).then_some(growth)
}

/// The causes by their scores, with how sure each is.
fn rank(board: Board, snapshot: &Snapshot) -> Answer {
    let mut scores: Vec<(Cause, Score)> =
        board.0.into_iter().filter(|(_, score)| score.value >= LEAST).collect();
    scores.sort_by(|a, b| b.1.value.total_cmp(&a.1.value).then(a.0.cmp(&b.0)));
    let best = scores.first().map_or(0.0, |(_, score)| score.value);
    let second = scores.get(1).map_or(0.0, |(_, score)| score.value);
    let mut hypotheses: Vec<Hypothesis> = scores
        .into_iter()
        .take(4)
        .map(|(cause, mut score)| {
            score.because.sort_by_key(|(order, _)| *order);
            let mut because: Vec<String> = score.because.into_iter().map(|(_, why)| why).collect();
            because.dedup();
            because.truncate(5);
            let confidence = confidence(score.value, best, second);
            hypothesis(cause, confidence, because, snapshot)
        })
        .collect();
    if hypotheses.is_empty() {
        let because = vec!["nothing in the evidence tells".to_owned()];
        hypotheses.push(hypothesis(Cause::Unknown, 0.4, because, snapshot));
    }
    Answer { best: hypotheses[0].clone(), hypotheses }
}

/// How sure a score makes: by its height, and by how far the next one is behind.
fn confidence(value: f64, best: f64, second: f64) -> f64 {
    if value < best {
        return (0.5 * value / best).min(0.45);
    }
    let height: f64 = match value {
        v if v >= 0.85 => 0.98,
        v if v >= 0.6 => 0.93,
        v if v >= 0.4 => 0.85,
        _ => 0.6,
    };
    let ahead = (best - second) / best;
    if ahead < 0.05 {
        height - 0.2
    } else if ahead < 0.15 {
        height - 0.07
    } else {
        height
    }
}

fn hypothesis(
    cause: Cause,
    confidence: f64,
    because: Vec<String>,
    snapshot: &Snapshot,
) -> Hypothesis {
    let (action, restart_helps) = action::choose(cause, snapshot);
    Hypothesis { cause, confidence, because, restart_helps, action }
}
