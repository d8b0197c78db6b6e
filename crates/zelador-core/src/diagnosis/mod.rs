//! Why an app is sick: evidence goes in, a cause with its reasons and a remedy come out.
//!
//! Pure and deterministic. Always holds: the cause is one of [`Cause`], the remedy one of
//! [`Remedy`], and a diagnosis names what it rests on.

use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::probe::Finding;
use crate::spec::OnDependencyDown;

/// Why an app is sick; the words are those of the taxonomy of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Something that it needs does not answer.
    DependencyUnreachable,
    /// It computes without progress.
    CpuRunaway,
    /// It lives and does not answer, without using the processor.
    DeadlockOrHang,
    /// The evidence does not tell.
    Unknown,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DependencyUnreachable => "a dependency does not answer",
            Self::CpuRunaway => "it computes without getting anywhere",
            Self::DeadlockOrHang => "it hangs",
            Self::Unknown => "the evidence does not tell",
        })
    }
}

/// What can be done: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Stop it gracefully, kill what is left, start it again.
    Restart,
    /// Leave it alone until what it needs is back.
    WaitForDependency,
}

impl std::fmt::Display for Remedy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Restart => "restart",
            Self::WaitForDependency => "wait for the dependency",
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
    pub because: Vec<String>,
    /// What to do.
    pub remedy: Remedy,
}

/// What a diagnosis is made from.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// What the last look at the app found.
    pub finding: Option<&'a Finding>,
    /// What was gathered.
    pub evidence: Option<&'a Evidence>,
    /// The dependency that is down, and what its own check says.
    pub dependency: Option<(&'a str, &'a str)>,
    /// What to do about a sick app while it is down.
    pub policy: OnDependencyDown,
}

/// From this share of one core on a process that does not answer counts as busy.
const BUSY_CPU: f64 = 80.0;

/// Says why an app whose own check fails is sick, and what to do about it.
pub fn diagnose(case: &Case<'_>) -> Diagnosis {
    let mut because = Vec::new();
    if let Some(finding) = case.finding {
        because.push(format!("its own check says: {}", words(finding)));
    }
    if let Some((name, message)) = case.dependency {
        because.push(format!("{name}, which it depends on, is down: {message}"));
        let remedy = match case.policy {
            OnDependencyDown::Wait => Remedy::WaitForDependency,
            OnDependencyDown::Restart => Remedy::Restart,
        };
        let cause = Cause::DependencyUnreachable;
        return Diagnosis { cause, confidence: 0.9, because, remedy };
    }
    let (cause, confidence) = alone(case, &mut because);
    Diagnosis { cause, confidence, because, remedy: Remedy::Restart }
}

/// The cause where no dependency is to blame.
fn alone(case: &Case<'_>, because: &mut Vec<String>) -> (Cause, f64) {
    let cpu = case.evidence.and_then(|evidence| evidence.usage).map(|usage| usage.cpu);
    match case.finding {
        Some(Finding::TimedOut { .. }) => match cpu {
            Some(cpu) if cpu >= BUSY_CPU => {
                because.push(format!("its processes use {cpu:.0} % of a core"));
                (Cause::CpuRunaway, 0.8)
            }
            Some(cpu) => {
                because.push(format!("its processes use only {cpu:.0} % of a core"));
                because.extend(case.evidence.and_then(waiting));
                (Cause::DeadlockOrHang, 0.8)
            }
            None => (Cause::DeadlockOrHang, 0.5),
        },
        Some(Finding::Refused { .. }) => {
            because.push("the process is up, and nothing accepts connections".to_owned());
            (Cause::DeadlockOrHang, 0.5)
        }
        _ => (Cause::Unknown, 0.3),
    }
}

fn waiting(evidence: &Evidence) -> Option<String> {
    let main = evidence.threads.iter().find(|thread| thread.waits_in.is_some())?;
    let place = main.waits_in.as_deref()?;
    Some(format!("thread {} ({}) is in state {} in {place}", main.tid, main.name, main.state))
}

fn words(finding: &Finding) -> String {
    match finding {
        Finding::Answered { detail }
        | Finding::WrongAnswer { detail }
        | Finding::TimedOut { detail }
        | Finding::Refused { detail }
        | Finding::Unavailable { detail } => detail.clone(),
        Finding::Memory { .. } | Finding::Cpu { .. } | Finding::Disks { .. } => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Usage;

    fn case<'a>(finding: &'a Finding, evidence: &'a Evidence) -> Case<'a> {
        Case {
            finding: Some(finding),
            evidence: Some(evidence),
            dependency: None,
            policy: OnDependencyDown::Wait,
        }
    }

    fn using(cpu: f64) -> Evidence {
        Evidence { usage: Some(Usage { cpu, ..Usage::default() }), ..Evidence::default() }
    }

    #[test]
    fn a_silent_process_is_told_apart_by_its_processor_use() {
        let silent = Finding::TimedOut { detail: "no answer within 3 s".to_owned() };
        assert_eq!(diagnose(&case(&silent, &using(99.0))).cause, Cause::CpuRunaway);
        assert_eq!(diagnose(&case(&silent, &using(0.0))).cause, Cause::DeadlockOrHang);
    }

    #[test]
    fn a_dependency_that_is_down_comes_first_and_the_policy_decides() {
        let (wrong, evidence) =
            (Finding::WrongAnswer { detail: "HTTP 500".to_owned() }, using(99.0));
        let down =
            Case { dependency: Some(("db", "connection refused")), ..case(&wrong, &evidence) };
        let said = diagnose(&down);
        assert_eq!(
            (said.cause, said.remedy),
            (Cause::DependencyUnreachable, Remedy::WaitForDependency)
        );
        let stubborn = Case { policy: OnDependencyDown::Restart, ..down };
        assert_eq!(diagnose(&stubborn).remedy, Remedy::Restart);
    }
}
