//! From what was gathered to a diagnosis: the evidence in the shape that the rules read, their
//! answer in the shape that the healer follows.
//!
//! Pure. Always holds: what is known for certain (a program that is not there, a dependency whose
//! own check fails) comes before what a log says.

use crate::death::{Death, SpawnFailure};
use crate::diagnosis::Reasons;
use crate::diagnosis::{
    Action, Cause, Diagnosis, Helps, Hypothesis, Metrics, Probe, Snapshot, UserRule, judge_with,
    usual,
};
use crate::evidence::{Evidence, VolumeSeen};
use crate::healing::Remedy;
use crate::unit::{Moment, spoken};
use crate::words;

/// From this confidence on a cause that forbids a restart is believed.
pub const BELIEVED: f64 = 0.5;

/// From this confidence on even a run that lives is stopped, where its data is at stake.
pub const CERTAIN: f64 = 0.7;

/// The most hypotheses that an incident keeps.
const HYPOTHESES: usize = 5;

/// Says why a run ended, or why one that lives is sick, by the rules, those of the user first.
pub fn by_rules(evidence: &Evidence, rules: &[UserRule]) -> Diagnosis {
    if let Some(Death::NeverStarted(failure)) = &evidence.death {
        return never_started(failure);
    }
    let answer = judge_with(&snapshot(evidence), rules);
    let Hypothesis { cause, confidence, because, action, .. } = answer.best;
    // Of a crash loop the breaker takes care, as its policy says; a cause that no start can help stands
    // for itself, and what the user asks for is meant.
    let is_wish = rules.iter().any(|rule| rule.cause == cause && rule.action == Some(action));
    let action = if evidence.death.is_some() && !is_wish { usual(cause).0 } else { action };
    let remedy = Remedy::of(action);
    let hypotheses = answer.hypotheses.into_iter().take(HYPOTHESES).collect();
    Diagnosis { cause, confidence, because, remedy, hypotheses }
}

/// The evidence as the rules read it.
pub fn snapshot(evidence: &Evidence) -> Snapshot {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let usage = evidence.usage.as_ref();
    let mut rss: Vec<f64> =
        evidence.course.iter().map(|(_, usage)| mebibytes(usage.memory.bytes())).collect();
    if rss.is_empty() {
        rss.extend(usage.map(|usage| mebibytes(usage.memory.bytes())));
    }
    let last = evidence.course.last().map(|(_, usage)| usage);
    let age = |at: Moment| evidence.gathered_at.since(at).as_secs_f64();
    let said = evidence.said().into_iter();
    let (log_ages_s, log_tail) = said.map(|(at, line)| (at.map(age), line.clone())).unzip();
    let mut snapshot = Snapshot {
        uptime_s: evidence.uptime_millis.map(|millis| millis as f64 / 1000.0),
        restarts_last_hour: Some(f64::from(evidence.deaths_last_hour)),
        asked: evidence
            .asked
            .iter()
            .map(|it| format!("{}, {} before", it.what, spoken(evidence.gathered_at.since(it.at))))
            .collect(),
        log_tail,
        log_ages_s,
        metrics: Metrics {
            rss_mb: rss,
            mem_limit_mb: evidence.memory_limit.map(|limit| mebibytes(limit.bytes())),
            mem_pct: evidence.host_memory,
            oom_kill_events: evidence.oom_kills.map(|kills| kills as f64),
            cpu_pct: usage.or(last).map(|usage| usage.cpu),
            cpu_limit_pct: evidence.cpu_limit,
            // A process that is gone has none any more: what it had last counts.
            threads: [evidence.threads_of_process() as f64]
                .into_iter()
                .chain(last.map(|usage| f64::from(usage.threads)))
                .find(|count| *count > 0.0),
            open_fds: evidence
                .descriptors
                .as_ref()
                .map(|it| it.open)
                .or(last.and_then(|usage| usage.descriptors))
                .map(f64::from),
            nofile_limit: evidence.descriptors.as_ref().map(|it| it.limit as f64),
            disk_pct: evidence.volumes.iter().map(VolumeSeen::fullness).reduce(f64::max),
            probe: evidence.probe.as_ref().map(|probe| Probe {
                consecutive_failures: f64::from(probe.failures),
                last_status: status_in(&probe.message),
                last_error: Some(probe.message.clone()),
                last_latency_ms: Some(probe.took_millis as f64),
            }),
        },
        ..Snapshot::default()
    };
    match &evidence.death {
        None => {}
        Some(Death::Exited { code }) => snapshot.exit_code = Some(*code),
        Some(Death::Signaled { signal, .. }) => snapshot.signal = Some(signal.to_string()),
        Some(Death::OutOfMemory) => {
            snapshot.signal = Some("SIGKILL".to_owned());
            let kills = snapshot.metrics.oom_kill_events.unwrap_or_default();
            snapshot.metrics.oom_kill_events = Some(kills.max(1.0));
        }
        // It has no log that could say why.
        Some(Death::NeverStarted(failure)) => {
            snapshot.exit_code = Some(-1);
            snapshot.log_tail.push(failure.to_string());
            snapshot.log_ages_s.push(None);
        }
        // It ended, and nobody knows how: no code that means anything.
        Some(Death::StartTimedOut | Death::Unknown) => snapshot.exit_code = Some(-1),
    }
    snapshot
}

/// `HTTP 503`.
fn status_in(message: &str) -> Option<f64> {
    let rest = message.strip_prefix("HTTP ")?;
    rest.get(..3)?.parse().ok()
}

/// A run that could not be started tells its cause itself.
fn never_started(failure: &SpawnFailure) -> Diagnosis {
    let (cause, confidence) = match failure {
        SpawnFailure::ProgramNotFound(_) => (Cause::MissingCommand, 0.97),
        SpawnFailure::NoSuchVersion { .. } => (Cause::VersionIncompatibility, 0.95),
        SpawnFailure::NotExecutable { reason, .. }
            if ["format", "neither a program"].iter().any(|it| reason.english().contains(it)) =>
        {
            (Cause::WrongArchitecture, 0.9)
        }
        SpawnFailure::NotExecutable { .. } | SpawnFailure::User { .. } => {
            (Cause::PermissionDenied, 0.9)
        }
        SpawnFailure::Directory { .. } => (Cause::MissingFile, 0.9),
        // A socket that somebody else has may be free later.
        SpawnFailure::Setting { field, .. } if field.starts_with("sockets") => {
            (Cause::Unknown, 0.3)
        }
        SpawnFailure::EnvFile { .. } | SpawnFailure::Setting { .. } => (Cause::BadConfig, 0.85),
        SpawnFailure::Other(_) => (Cause::Unknown, 0.3),
    };
    let (action, restart_helps) = usual(cause);
    let because = Reasons(vec![words!(
        "it could not be started: {failure}",
        "não pôde ser iniciado: {failure}",
        failure = failure,
    )]);
    let only = Hypothesis { cause, confidence, because: because.clone(), restart_helps, action };
    Diagnosis { cause, confidence, because, remedy: Remedy::of(action), hypotheses: vec![only] }
}

/// Whether a restart cannot help, whatever else is true: by the cause alone, not by how often it was
/// tried; that is the breaker's business.
pub fn forbids_restart(diagnosis: &Diagnosis) -> bool {
    let (action, helps) = usual(diagnosis.cause);
    diagnosis.confidence >= BELIEVED && action == Action::StopAndNotify && helps == Helps::No
}

/// Whether every further start does harm.
pub fn harms_to_restart(diagnosis: &Diagnosis) -> bool {
    diagnosis.cause == Cause::DataCorruption && diagnosis.confidence >= CERTAIN
}

/// Whether the next start should come later each time, because of what the cause is.
pub fn wants_backoff(diagnosis: &Diagnosis) -> bool {
    let (action, _) = usual(diagnosis.cause);
    diagnosis.cause != Cause::Unknown
        && diagnosis.confidence >= BELIEVED
        && matches!(action, Action::RestartWithBackoff | Action::WaitForDependency)
}

/// Whether a run can have died of this because something that it depends on is down.
pub fn can_come_of_a_dependency(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::DependencyUnreachable
            | Cause::DependencyAuthFailed
            | Cause::DnsFailure
            | Cause::TlsCertificate
            | Cause::DbTooManyConnections
            | Cause::DbLock
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::Usage;
    use crate::words::quoted;

    fn died(code: i32, lines: &[&str]) -> Evidence {
        Evidence {
            death: Some(Death::Exited { code }),
            uptime_millis: Some(300),
            err_tail: lines.iter().map(|line| (*line).to_owned()).collect(),
            ..Evidence::default()
        }
    }

    #[test]
    fn a_syntax_error_forbids_a_restart_and_a_plain_exception_does_not() {
        let broken = by_rules(&died(1, &["SyntaxError: Unexpected token '}'"]), &[]);
        assert_eq!((broken.cause, forbids_restart(&broken)), (Cause::SyntaxError, true));
        let bug = by_rules(&died(1, &["TypeError: x is not a function", "    at a.js:1:1"]), &[]);
        assert!(!forbids_restart(&bug), "{bug:?}");
        let silent = by_rules(&died(1, &[]), &[]);
        assert_eq!((silent.cause, forbids_restart(&silent)), (Cause::Unknown, false));
        assert!(!wants_backoff(&silent), "its own restart policy decides, until it has died often");
    }

    #[test]
    fn what_spoke_last_is_read_last_and_what_a_dead_process_had_counts() {
        let at = |second| Some(Moment::from_epoch(Duration::from_secs(second)));
        let says = |line: &str| vec![line.to_owned()];
        let silent = Evidence {
            err_tail: says("Error: connect ECONNREFUSED 127.0.0.1:5432"),
            out_tail: says("connected to 127.0.0.1:5432"),
            spoke_at: (at(20), at(10)),
            ..Evidence::default()
        };
        let read = |evidence: &Evidence| snapshot(evidence).log_tail;
        assert_eq!(read(&silent)[1], "connected to 127.0.0.1:5432", "that was overcome");
        let dies = Evidence { spoke_at: (at(10), at(20)), ..silent.clone() };
        assert!(read(&dies)[1].contains("ECONNREFUSED"), "it died of that");
        let timed = Evidence {
            gathered_at: at(21).unwrap_or_default(),
            err_times: vec![at(10)],
            ..silent.clone()
        };
        assert_eq!(snapshot(&timed).log_ages_s, [Some(11.0), None], "in the order of the lines");
        let unknown = Evidence { spoke_at: (None, None), ..silent };
        assert!(read(&unknown)[1].contains("ECONNREFUSED"));
        let had = Usage { threads: 70, descriptors: Some(1000), ..Usage::default() };
        let gone = Evidence { course: vec![(Moment::default(), had)], ..died(1, &[]) };
        let metrics = snapshot(&gone).metrics;
        assert_eq!((metrics.threads, metrics.open_fds), (Some(70.0), Some(1000.0)));
    }

    #[test]
    fn a_rule_of_the_user_decides_what_follows_a_death() {
        let evidence = died(3, &["licence expired: call sales"]);
        let rule = |action| UserRule {
            pattern: "licence expired".to_owned(),
            cause: Cause::BadConfig,
            action,
        };
        assert_eq!(by_rules(&evidence, &[]).cause, Cause::Unknown);
        let known = by_rules(&evidence, &[rule(None)]);
        assert_eq!((known.cause, &known.remedy), (Cause::BadConfig, &Remedy::StopAndNotify));
        assert!(forbids_restart(&known));
        let told = by_rules(&evidence, &[rule(Some(Action::NotifyOnly))]);
        assert_eq!(told.remedy, Remedy::NotifyOnly);
    }

    #[test]
    fn what_could_not_be_started_needs_no_log() {
        let gone = Death::NeverStarted(SpawnFailure::ProgramNotFound("nodee".to_owned()));
        let said = by_rules(&Evidence { death: Some(gone), ..Evidence::default() }, &[]);
        assert_eq!((said.cause, &said.remedy), (Cause::MissingCommand, &Remedy::StopAndNotify));
        assert!(forbids_restart(&said));
    }

    #[test]
    fn who_asks_why_it_could_not_be_started_hears_what_the_healer_knows() {
        let (path, user) = ("/srv/shop".to_owned(), "shop".to_owned());
        for failure in [
            SpawnFailure::ProgramNotFound("nodee".to_owned()),
            SpawnFailure::ProgramNotFound("/srv/shop/server".to_owned()),
            SpawnFailure::NotExecutable {
                program: path.clone(),
                reason: quoted("permission denied (EACCES)"),
            },
            SpawnFailure::NotExecutable {
                program: path.clone(),
                reason: quoted("exec format error (ENOEXEC)"),
            },
            SpawnFailure::Directory { path, reason: quoted("no such file or directory (ENOENT)") },
            SpawnFailure::User { user, reason: quoted("operation not permitted (EPERM)") },
        ] {
            let death = Some(Death::NeverStarted(failure.clone()));
            let evidence = Evidence { death, ..Evidence::default() };
            let known = by_rules(&evidence, &[]).cause;
            assert_eq!(judge_with(&snapshot(&evidence), &[]).best.cause, known, "{failure}");
        }
    }

    #[test]
    fn a_taken_port_waits_longer_each_time() {
        let taken =
            by_rules(&died(1, &["Error: listen EADDRINUSE: address already in use :::3000"]), &[]);
        assert_eq!(taken.cause, Cause::PortInUse);
        assert!(wants_backoff(&taken) && !forbids_restart(&taken));
    }

    #[test]
    fn a_kill_by_the_kernel_is_told_apart_from_one_by_a_person() {
        let oom = Evidence { death: Some(Death::OutOfMemory), ..Evidence::default() };
        assert_eq!(by_rules(&oom, &[]).cause, Cause::OomKilled);
        let signal = crate::signal::Signal::KILL;
        let killed = Death::Signaled { signal, core_dumped: false };
        let killed = Evidence { death: Some(killed), ..Evidence::default() };
        assert_eq!(by_rules(&killed, &[]).cause, Cause::ExternalKill);
    }
}
