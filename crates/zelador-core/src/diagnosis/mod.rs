//! Why an app is sick: evidence goes in, a cause with its reasons and a remedy come out.
//!
//! Pure and deterministic. Always holds: the cause is one of [`Cause`], the remedy one of
//! [`Remedy`], and a diagnosis names what it rests on.

mod action;
mod alive;
mod board;
mod chain;
mod codes;
pub mod consult;
mod contexts;
mod ending;
mod judge;
mod level;
mod numbers;
mod origin;
mod pairs;
mod phrase;
mod quotes;
mod reasons;
mod record;
mod rules;
mod snapshot;
mod text;
mod trace;
mod user;

use serde::{Deserialize, Serialize};

pub use action::{Action, Helps, usual};
pub use judge::{Answer, Hypothesis, judge};
pub use reasons::Reasons;
pub use snapshot::{Metrics, Probe, Snapshot};
pub use user::{MOST_RULES, UserRule, judge_with, may_ask, pattern};

pub use crate::healing::Remedy;

use crate::evidence::{Evidence, Thread};
use crate::probe::Finding;
use crate::spec::OnDependencyDown;
use crate::words;
use crate::words::Words;

/// Why an app is sick; the words are those of the taxonomy of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its address is taken by another process.
    PortInUse,
    /// It may not do what it has to do.
    PermissionDenied,
    /// A library that it imports is not installed.
    MissingModule,
    /// A file that it needs is not there.
    MissingFile,
    /// A program that it needs is not there.
    MissingCommand,
    /// Its configuration is wrong.
    BadConfig,
    /// An environment variable that it needs is not set.
    MissingEnvVar,
    /// Its own source cannot be parsed.
    SyntaxError,
    /// Versions do not fit each other.
    VersionIncompatibility,
    /// It was built for another processor.
    WrongArchitecture,
    /// Another instance holds its lock.
    AlreadyRunning,
    /// The memory that its runtime may use is exhausted.
    OutOfMemoryHeap,
    /// It was killed because memory ran out.
    OomKilled,
    /// Its memory grows without end.
    MemoryLeak,
    /// It computes without getting anywhere.
    CpuRunaway,
    /// There is more work than it can do.
    Overload,
    /// It calls itself without end.
    StackOverflow,
    /// The disk is full.
    DiskFull,
    /// The limit of watched files is reached.
    InotifyLimit,
    /// The limit of open files is reached.
    TooManyOpenFiles,
    /// No more threads or processes can be made.
    ThreadExhaustion,
    /// The clock is wrong.
    ClockSkew,
    /// A dependency does not answer.
    DependencyUnreachable,
    /// A dependency refuses its credentials.
    DependencyAuthFailed,
    /// A name cannot be resolved.
    DnsFailure,
    /// A certificate is not accepted.
    TlsCertificate,
    /// The database has another schema than it expects.
    DbSchema,
    /// The database has no connection left.
    DbTooManyConnections,
    /// It lost against a lock in the database.
    DbLock,
    /// A service that it uses throttles it.
    RateLimited,
    /// It has a bug: nobody caught an exception.
    UncaughtException,
    /// One of its own checks failed.
    PanicAssertion,
    /// It touched memory that is not its own.
    Segfault,
    /// It hangs.
    DeadlockOrHang,
    /// Its data is damaged.
    DataCorruption,
    /// Somebody ended it.
    ExternalKill,
    /// Its work was done.
    CleanExit,
    /// The evidence does not tell.
    Unknown,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 38] = [
        Self::PortInUse,
        Self::PermissionDenied,
        Self::MissingModule,
        Self::MissingFile,
        Self::MissingCommand,
        Self::BadConfig,
        Self::MissingEnvVar,
        Self::SyntaxError,
        Self::VersionIncompatibility,
        Self::WrongArchitecture,
        Self::AlreadyRunning,
        Self::OutOfMemoryHeap,
        Self::OomKilled,
        Self::MemoryLeak,
        Self::CpuRunaway,
        Self::Overload,
        Self::StackOverflow,
        Self::DiskFull,
        Self::InotifyLimit,
        Self::TooManyOpenFiles,
        Self::ThreadExhaustion,
        Self::ClockSkew,
        Self::DependencyUnreachable,
        Self::DependencyAuthFailed,
        Self::DnsFailure,
        Self::TlsCertificate,
        Self::DbSchema,
        Self::DbTooManyConnections,
        Self::DbLock,
        Self::RateLimited,
        Self::UncaughtException,
        Self::PanicAssertion,
        Self::Segfault,
        Self::DeadlockOrHang,
        Self::DataCorruption,
        Self::ExternalKill,
        Self::CleanExit,
        Self::Unknown,
    ];

    /// Whether somebody or something outside of the program ended it, whatever its log says.
    fn is_about_its_end(self) -> bool {
        matches!(self, Self::ExternalKill | Self::OomKilled | Self::CleanExit | Self::Segfault)
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PortInUse => "its address is taken by another process",
            Self::PermissionDenied => "it may not do what it has to do",
            Self::MissingModule => "a library that it imports is not installed",
            Self::MissingFile => "a file that it needs is not there",
            Self::MissingCommand => "a program that it needs is not there",
            Self::BadConfig => "its configuration is wrong",
            Self::MissingEnvVar => "an environment variable that it needs is not set",
            Self::SyntaxError => "its own source cannot be parsed",
            Self::VersionIncompatibility => "versions do not fit each other",
            Self::WrongArchitecture => "it was built for another processor",
            Self::AlreadyRunning => "another instance holds its lock",
            Self::OutOfMemoryHeap => "the memory that its runtime may use is exhausted",
            Self::OomKilled => "it was killed because memory ran out",
            Self::MemoryLeak => "its memory grows without end",
            Self::CpuRunaway => "it computes without getting anywhere",
            Self::Overload => "there is more work than it can do",
            Self::StackOverflow => "it calls itself without end",
            Self::DiskFull => "the disk is full",
            Self::InotifyLimit => "the limit of watched files is reached",
            Self::TooManyOpenFiles => "the limit of open files is reached",
            Self::ThreadExhaustion => "no more threads or processes can be made",
            Self::ClockSkew => "the clock is wrong",
            Self::DependencyUnreachable => "a dependency does not answer",
            Self::DependencyAuthFailed => "a dependency refuses its credentials",
            Self::DnsFailure => "a name cannot be resolved",
            Self::TlsCertificate => "a certificate is not accepted",
            Self::DbSchema => "the database has another schema than it expects",
            Self::DbTooManyConnections => "the database has no connection left",
            Self::DbLock => "it lost against a lock in the database",
            Self::RateLimited => "a service that it uses throttles it",
            Self::UncaughtException => "it has a bug: nobody caught an exception",
            Self::PanicAssertion => "one of its own checks failed",
            Self::Segfault => "it touched memory that is not its own",
            Self::DeadlockOrHang => "it hangs",
            Self::DataCorruption => "its data is damaged",
            Self::ExternalKill => "somebody ended it",
            Self::CleanExit => "its work was done",
            Self::Unknown => "the evidence does not tell",
        })
    }
}

/// A cause, how sure it is, and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Why.
    pub cause: Cause,
    /// From 0 to 1.
    pub confidence: f64,
    /// What it rests on, one sentence each.
    #[serde(flatten)]
    pub because: Reasons,
    /// What to do.
    pub remedy: Remedy,
    /// All that was worth naming, the likeliest first.
    #[serde(default)]
    pub hypotheses: Vec<Hypothesis>,
}

/// What a diagnosis is made from.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// What the last look at the app found.
    pub finding: Option<&'a Finding>,
    /// What was gathered.
    pub evidence: Option<&'a Evidence>,
    /// The dependency that is down, and what its own check says.
    pub dependency: Option<(&'a str, &'a Words)>,
    /// What to do about a sick app while it is down.
    pub policy: OnDependencyDown,
    /// What it uses more of than its own check allows.
    pub over: Option<&'a str>,
}

/// From this share of one core on a process that does not answer counts as busy.
const BUSY_CPU: f64 = 80.0;

/// Below it a process waits, even if one of its threads was just about to look for work.
const SOME_CPU: f64 = 15.0;

/// From this effort on, in percent, a thread loops: its last wait for a turn is not counted yet.
const LOOPS: u8 = 60;

/// Says why an app whose own check fails is sick, and what to do about it.
pub fn diagnose(case: &Case<'_>) -> Diagnosis {
    let mut because = Reasons::default();
    if let Some(finding) = case.finding {
        let said = detail_of(finding);
        because.push(words!(
            "its own check says: {said}",
            "a própria verificação diz: {said}",
            said = said
        ));
    }
    if let Some((name, message)) = case.dependency {
        because.push(words!(
            "{name}, which it depends on, is down: {message}",
            "{name}, de que depende, está fora do ar: {message}",
            message = message,
        ));
        let remedy = match case.policy {
            OnDependencyDown::Wait => Remedy::WaitForDependency,
            OnDependencyDown::Restart => Remedy::Restart,
        };
        let cause = Cause::DependencyUnreachable;
        return Diagnosis { cause, confidence: 0.9, because, remedy, hypotheses: Vec::new() };
    }
    let (cause, confidence) = match case.over {
        Some(measure) => too_much(measure),
        None => alone(case, &mut because),
    };
    Diagnosis { cause, confidence, because, remedy: Remedy::Restart, hypotheses: Vec::new() }
}

/// The cause where it uses more of something than it may: it answers, as far as anybody asked.
fn too_much(measure: &str) -> (Cause, f64) {
    match measure {
        "memory" => (Cause::MemoryLeak, 0.75),
        "cpu" => (Cause::CpuRunaway, 0.75),
        "descriptors" => (Cause::TooManyOpenFiles, 0.75),
        "threads" | "processes" => (Cause::ThreadExhaustion, 0.65),
        _ => (Cause::Unknown, 0.3),
    }
}

/// The cause where no dependency is to blame.
fn alone(case: &Case<'_>, because: &mut Vec<Words>) -> (Cause, f64) {
    let cpu = case.evidence.and_then(|evidence| evidence.usage).map(|usage| usage.cpu);
    match case.finding {
        Some(Finding::TimedOut { .. }) => match cpu {
            Some(cpu) if cpu >= BUSY_CPU || case.evidence.is_some_and(|it| is_running(it, cpu)) => {
                because.push(words!(
                    "its processes use {cpu:.0} % of a core",
                    "os processos usam {cpu:.0} % de um núcleo",
                ));
                because.extend(case.evidence.and_then(loops));
                (Cause::CpuRunaway, 0.8)
            }
            Some(cpu) => {
                because.push(words!(
                    "its processes use only {cpu:.0} % of a core",
                    "os processos usam apenas {cpu:.0} % de um núcleo",
                ));
                because.extend(case.evidence.and_then(waiting));
                (Cause::DeadlockOrHang, 0.8)
            }
            None => (Cause::DeadlockOrHang, 0.5),
        },
        Some(Finding::Refused { .. }) => {
            because.push(words!(
                "the process is up, and nothing accepts connections",
                "o processo está no ar, e nada aceita conexões",
            ));
            (Cause::DeadlockOrHang, 0.5)
        }
        _ => (Cause::Unknown, 0.3),
    }
}

/// Whether one of its threads computes all the time, although others leave it but a part of a core.
fn is_running(evidence: &Evidence, cpu: f64) -> bool {
    match (keenest(evidence), evidence.threads.first()) {
        (Some((_, effort)), _) => effort >= LOOPS,
        // Where the kernel does not count that: what the busiest does at this moment.
        (None, busiest) => cpu >= SOME_CPU && busiest.is_some_and(|thread| thread.state == 'R'),
    }
}

/// The thread that wants a processor most, and its effort.
fn keenest(evidence: &Evidence) -> Option<(&Thread, u8)> {
    let known = evidence.threads.iter().filter_map(|thread| Some((thread, thread.effort?)));
    known.max_by_key(|(_, effort)| *effort)
}

fn loops(evidence: &Evidence) -> Option<Words> {
    let (Thread { tid, name, .. }, effort) = keenest(evidence)?;
    let text = words!(
        "thread {tid} ({name}) ran or waited for its turn {effort} % of the time",
        "a thread {tid} ({name}) executou ou esperou a vez em {effort} % do tempo",
    );
    (effort >= LOOPS).then_some(text)
}

fn waiting(evidence: &Evidence) -> Option<Words> {
    let main = evidence.threads.iter().find(|thread| thread.waits_in.is_some())?;
    let place = main.waits_in.as_deref()?;
    let Thread { tid, name, state, .. } = main;
    Some(words!(
        "thread {tid} ({name}) is in state {state} in {place}",
        "a thread {tid} ({name}) está no estado {state} em {place}",
    ))
}

fn detail_of(finding: &Finding) -> Words {
    match finding {
        Finding::Answered { detail }
        | Finding::Impaired { detail }
        | Finding::Measured { detail, .. }
        | Finding::WrongAnswer { detail }
        | Finding::Busy { detail, .. }
        | Finding::TimedOut { detail }
        | Finding::Refused { detail }
        | Finding::Unavailable { detail } => detail.clone(),
        Finding::Memory { .. }
        | Finding::Cpu { .. }
        | Finding::Disks { .. }
        | Finding::Inodes { .. } => Words::default(),
    }
}

#[cfg(test)]
mod tests;
