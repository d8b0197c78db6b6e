//! What a look amounts to: facts and limits go in, a status with its reason comes out.

use std::time::Duration;

use super::{CheckPlan, CheckResult, Status};
use crate::probe::{Finding, Measure, ProbeOutcome};
use crate::spec::Limit;
use crate::unit::{Moment, Percent, spoken};

/// Says what a look amounts to. What was bad by its verdict `before` is better only when it is back by
/// the margin of its limit.
pub fn judge(
    plan: &CheckPlan,
    before: Option<Status>,
    outcome: &ProbeOutcome,
    at: Moment,
) -> CheckResult {
    let (status, message) = status_of(plan, before.unwrap_or(Status::Healthy), outcome);
    CheckResult { status, message, took: outcome.took, at }
}

fn status_of(plan: &CheckPlan, before: Status, outcome: &ProbeOutcome) -> (Status, String) {
    match &outcome.finding {
        Finding::Memory { used, total } => {
            let share = Percent::of(used.bytes(), total.bytes());
            against(plan, before, share, format!("{share} of {total} memory in use"))
        }
        Finding::Cpu { busy, cores } => {
            let noun = if *cores == 1 { "core" } else { "cores" };
            against(plan, before, *busy, format!("{busy} of {cores} {noun} busy"))
        }
        Finding::Disks { volumes } => {
            let fullest =
                volumes.iter().max_by(|a, b| a.share().value().total_cmp(&b.share().value()));
            match fullest {
                Some(volume) => against(
                    plan,
                    before,
                    volume.share(),
                    format!(
                        "{} of {} in use, {} free",
                        volume.share(),
                        volume.mount,
                        volume.available
                    ),
                ),
                None => (Status::Healthy, "no file system to look at".to_owned()),
            }
        }
        Finding::Answered { detail } => slowness(plan, outcome.took, detail),
        Finding::Impaired { detail } => (Status::Degraded, detail.clone()),
        Finding::Measured { detail, measures } => {
            let all = measures.iter().flat_map(|measure| {
                let limits = plan.limits.iter().filter(|limit| limit.measure == measure.name);
                limits.filter_map(|limit| breach(limit, before, measure))
            });
            // The worst, and of equally bad ones the first.
            let worst = all.reduce(|worst, other| if other.0 > worst.0 { other } else { worst });
            match worst {
                Some((status, why)) => (status, format!("{detail}; {why}")),
                None => slowness(plan, outcome.took, detail),
            }
        }
        Finding::WrongAnswer { detail }
        | Finding::TimedOut { detail }
        | Finding::Refused { detail } => (Status::Unhealthy, detail.clone()),
        // Not being able to look says nothing about the thing; it is worth a person's attention.
        Finding::Unavailable { detail } => (Status::Degraded, format!("cannot look: {detail}")),
    }
}

/// The measure by which a look is unhealthy, if it is so by one.
pub fn breached<'a>(plan: &CheckPlan, finding: &'a Finding) -> Option<&'a Measure> {
    let Finding::Measured { measures, .. } = finding else { return None };
    measures.iter().find(|measure| {
        let mut limits = plan.limits.iter().filter(|limit| limit.measure == measure.name);
        limits.any(|limit| {
            breach(limit, Status::Unhealthy, measure).is_some_and(|it| it.0 == Status::Unhealthy)
        })
    })
}

fn slowness(plan: &CheckPlan, took: Duration, detail: &str) -> (Status, String) {
    match plan.slow {
        Some(slow) if took > slow => (
            Status::Degraded,
            format!("{detail}, but after {}; {} is slow", spoken(took), spoken(slow)),
        ),
        _ => (Status::Healthy, detail.to_owned()),
    }
}

/// What a measure says of its limit, if it is beyond it.
fn breach(limit: &Limit, before: Status, measure: &Measure) -> Option<(Status, String)> {
    let sides = [(Status::Unhealthy, limit.unhealthy), (Status::Degraded, limit.degraded)];
    for (status, edge) in sides {
        let Some(edge) = edge else { continue };
        let margin = if before >= status { limit.margin } else { 0.0 };
        let said = |value| measure.unit.said(value);
        if limit.below && measure.value < edge + margin {
            let text = format!("{} is {}", measure.name, said(measure.value));
            return Some((status, format!("{text}; {status} below {}", said(edge + margin))));
        }
        if !limit.below && measure.value >= edge - margin {
            let text = format!("{} is {}", measure.name, said(measure.value));
            return Some((status, format!("{text}; {status} from {} on", said(edge - margin))));
        }
    }
    None
}

fn against(plan: &CheckPlan, before: Status, share: Percent, message: String) -> (Status, String) {
    let Some(limits) = plan.thresholds else { return (Status::Healthy, message) };
    let edge = |status, edge: Percent| {
        let margin = if before >= status { limits.margin.value() } else { 0.0 };
        Percent::new(edge.value() - margin).unwrap_or_default()
    };
    let unhealthy = edge(Status::Unhealthy, limits.unhealthy);
    let degraded = edge(Status::Degraded, limits.degraded);
    if share >= unhealthy {
        (Status::Unhealthy, format!("{message}; unhealthy from {unhealthy} on"))
    } else if share >= degraded {
        (Status::Degraded, format!("{message}; degraded from {degraded} on"))
    } else {
        (Status::Healthy, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::plans;
    use crate::probe::Unit;
    use crate::spec::Settings;
    use crate::unit::ByteSize;

    fn judged(plan: &CheckPlan, before: Status, finding: Finding) -> (Status, String) {
        let outcome = ProbeOutcome { finding, took: Duration::ZERO };
        let result = judge(plan, Some(before), &outcome, Moment::default());
        (result.status, result.message)
    }

    #[test]
    fn what_is_bad_is_better_only_when_it_is_back_by_the_margin() {
        let plan = plans(&Settings::default()).remove(0);
        let memory =
            |used| Finding::Memory { used: ByteSize::new(used), total: ByteSize::new(100) };
        assert_eq!(judged(&plan, Status::Healthy, memory(74)).0, Status::Healthy);
        assert_eq!(judged(&plan, Status::Degraded, memory(74)).0, Status::Degraded);
        assert_eq!(judged(&plan, Status::Degraded, memory(71)).0, Status::Healthy);
        assert_eq!(judged(&plan, Status::Unhealthy, memory(88)).0, Status::Unhealthy);
        assert_eq!(judged(&plan, Status::Degraded, memory(88)).0, Status::Degraded);
    }

    #[test]
    fn the_worst_measure_is_named_with_its_limit() {
        let mut plan = plans(&Settings::default()).remove(0);
        let limit = |measure: &str, degraded, unhealthy, below| Limit {
            measure: measure.to_owned(),
            degraded: Some(degraded),
            unhealthy: Some(unhealthy),
            below,
            margin: 0.0,
        };
        plan.limits = vec![limit("connections", 80.0, 95.0, false), limit("left", 21.0, 3.0, true)];
        let found = |connections, left| Finding::Measured {
            detail: "SELECT 1".to_owned(),
            measures: vec![
                Measure::new("connections", connections, Unit::Percent),
                Measure::new("left", left, Unit::Days),
            ],
        };
        let healthy = (Status::Healthy, "SELECT 1".to_owned());
        assert_eq!(judged(&plan, Status::Healthy, found(10.0, 30.0)), healthy);
        let said = "SELECT 1; connections is 85.0 %; degraded from 80.0 % on".to_owned();
        assert_eq!(judged(&plan, Status::Healthy, found(85.0, 30.0)), (Status::Degraded, said));
        let said = "SELECT 1; left is 1 day; unhealthy below 3 days".to_owned();
        assert_eq!(judged(&plan, Status::Healthy, found(85.0, 1.5)), (Status::Unhealthy, said));
    }
}
