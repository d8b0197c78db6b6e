//! What a look amounts to: facts and limits go in, a status with its reason comes out.

use std::time::Duration;

use super::volumes::{self, Before};
use super::{Band, CheckPlan, CheckResult, Status};
use crate::probe::{Finding, LONGEST_ASKED, Measure, ProbeOutcome, Unit};
use crate::said::Look;
use crate::spec::Limit;
use crate::unit::{Moment, Percent};
use crate::words;
use crate::words::Words;

/// Says what a look amounts to. What was bad by its verdict `before` is better only when it is back by
/// the margin of its limit.
pub fn judge(
    plan: &CheckPlan,
    before: Option<Status>,
    outcome: &ProbeOutcome,
    at: Moment,
) -> CheckResult {
    judge_by(plan, Before { verdict: before, beyond: &[] }, outcome, at, |_| None)
}

/// The same where some limits are learnt: `usual` says what is usual of a measure at this hour, where
/// that is known. A fixed limit for unhealthy holds whatever is usual.
pub fn judge_by(
    plan: &CheckPlan,
    before: Before<'_>,
    outcome: &ProbeOutcome,
    at: Moment,
    usual: impl Fn(&str) -> Option<Band>,
) -> CheckResult {
    let (status, look) = status_of(plan, before, outcome, &usual);
    CheckResult::new(status, look, outcome.took, at)
}

/// The measures of a look whose limits are learnt, with their values.
pub fn measures_of<'a>(
    plan: &'a CheckPlan,
    finding: &'a Finding,
) -> impl Iterator<Item = (String, f64)> + 'a {
    let share = match (plan.thresholds, finding) {
        (Some(limits), Finding::Memory { used, total }) if limits.auto => {
            Some(Percent::of(used.bytes(), total.bytes()).value())
        }
        (Some(limits), Finding::Cpu { busy, .. }) if limits.auto => Some(busy.value()),
        _ => None,
    };
    let measures = match finding {
        Finding::Measured { measures, .. } => measures.as_slice(),
        _ => &[],
    };
    let learnt = measures.iter().filter(|measure| {
        plan.limits.iter().any(|limit| limit.auto && limit.measure == measure.name)
    });
    let learnt = learnt.map(|measure| (measure.name.clone(), measure.value));
    let share = share.map(|share| (SHARE.to_owned(), share));
    share.into_iter().chain(volumes::learnt(plan, finding)).chain(learnt)
}

/// What the measure of a check of the host is called.
const SHARE: &str = "share";

fn status_of(
    plan: &CheckPlan,
    known: Before<'_>,
    outcome: &ProbeOutcome,
    usual: &impl Fn(&str) -> Option<Band>,
) -> (Status, Look) {
    let before = known.verdict.unwrap_or(Status::Healthy);
    let against = |share, look| against(plan, before, share, look, usual(SHARE));
    let text = |detail: &Words| Look::Text(detail.clone());
    match &outcome.finding {
        Finding::Memory { used, total } => {
            let share = Percent::of(used.bytes(), total.bytes());
            against(share, Look::Memory { share, total: *total })
        }
        Finding::Cpu { busy, cores } => against(*busy, Look::Cpu { busy: *busy, cores: *cores }),
        Finding::Disks { .. } | Finding::Inodes { .. } => {
            volumes::status_of(plan, known, &outcome.finding, usual)
        }
        Finding::Answered { detail } => slowness(plan, outcome.took, detail),
        Finding::Impaired { detail } => (Status::Degraded, text(detail)),
        Finding::Measured { detail, measures } => {
            let all = measures.iter().flat_map(|measure| {
                let limits = plan.limits.iter().filter(|limit| limit.measure == measure.name);
                limits.filter_map(|limit| {
                    breach(limit, before, measure, usual(&measure.name), detail)
                })
            });
            // The worst, and of equally bad ones the first.
            let worst = all.reduce(|worst, other| if other.0 > worst.0 { other } else { worst });
            match worst {
                Some(found) => found,
                None => slowness(plan, outcome.took, detail),
            }
        }
        Finding::Busy { detail, retry_after } => {
            let asked = words!(
                "{detail}; it asks to be left alone for {t}",
                "{detail}; pede que o deixem em paz por {t}",
                detail = detail,
                t = *retry_after,
            );
            let bounded = (*retry_after > LONGEST_ASKED).then(|| {
                words!(
                    "{asked}; it is asked again after {t}",
                    "{asked}; pergunta-se de novo após {t}",
                    asked = asked,
                    t = LONGEST_ASKED,
                )
            });
            (Status::Unhealthy, Look::Text(bounded.unwrap_or(asked)))
        }
        Finding::WrongAnswer { detail }
        | Finding::TimedOut { detail }
        | Finding::Refused { detail } => (Status::Unhealthy, text(detail)),
        // Not being able to look says nothing about the thing; it is worth a person's attention.
        Finding::Unavailable { detail } => (Status::Degraded, Look::CannotLook(detail.clone())),
    }
}

/// The measure by which a look is unhealthy, if it is so by one.
pub fn breached<'a>(plan: &CheckPlan, finding: &'a Finding) -> Option<&'a Measure> {
    let Finding::Measured { measures, .. } = finding else { return None };
    measures.iter().find(|measure| {
        let mut limits = plan.limits.iter().filter(|limit| limit.measure == measure.name);
        limits.any(|limit| {
            breach(limit, Status::Unhealthy, measure, None, &Words::default())
                .is_some_and(|it| it.0 == Status::Unhealthy)
        })
    })
}

fn slowness(plan: &CheckPlan, took: Duration, detail: &Words) -> (Status, Look) {
    let what = Look::Text(detail.clone());
    match plan.slow {
        Some(slow) if took > slow => {
            (Status::Degraded, Look::Slow { what: Box::new(what), took, slow })
        }
        _ => (Status::Healthy, what),
    }
}

/// What a measure says of its limit, if it is beyond it; `detail` is what was said beside it.
fn breach(
    limit: &Limit,
    before: Status,
    measure: &Measure,
    usual: Option<Band>,
    detail: &Words,
) -> Option<(Status, Look)> {
    let found = beyond(limit, before, measure.value, usual)?;
    let named = Some((measure.name.clone(), measure.value));
    let status = found.status;
    Some((status, found.look(Look::Text(detail.clone()), named, measure.unit, limit.below)))
}

/// Something that is beyond a limit, or was and is not yet back by its margin: as what, which limit, and
/// then how far back it has to be.
pub(super) struct Beyond {
    pub(super) status: Status,
    edge: f64,
    until: Option<f64>,
    usual: Option<Band>,
}

impl Beyond {
    /// The reason: what was said, name and value where that does not say them, and the limit.
    pub(super) fn look(
        self,
        what: Look,
        measure: Option<(String, f64)>,
        unit: Unit,
        below: bool,
    ) -> Look {
        let Self { status, edge, until, usual } = self;
        Look::Beyond { what: Box::new(what), measure, unit, status, edge, until, below, usual }
    }
}

/// What a value is by its limit, if it is beyond it.
pub(super) fn beyond(
    limit: &Limit,
    before: Status,
    value: f64,
    usual: Option<Band>,
) -> Option<Beyond> {
    let band = usual.filter(|_| limit.auto);
    // What is usual is bounded by what is fixed.
    let learnt = band.map(|band| {
        let bounds = limit.degraded.into_iter().chain(limit.unhealthy);
        if limit.below {
            bounds.fold(band.outliers.0, f64::max)
        } else {
            bounds.fold(band.outliers.1, f64::min)
        }
    });
    let sides =
        [(Status::Unhealthy, limit.unhealthy), (Status::Degraded, learnt.or(limit.degraded))];
    for (status, edge) in sides {
        let Some(edge) = edge else { continue };
        let is_beyond = |edge| if limit.below { value < edge } else { value >= edge };
        let back = if limit.below { edge + limit.margin } else { edge - limit.margin };
        let is_kept = !is_beyond(edge) && before >= status && is_beyond(back);
        if is_beyond(edge) || is_kept {
            let usual = band.filter(|_| status == Status::Degraded);
            return Some(Beyond { status, edge, until: is_kept.then_some(back), usual });
        }
    }
    None
}

fn against(
    plan: &CheckPlan,
    before: Status,
    share: Percent,
    look: Look,
    usual: Option<Band>,
) -> (Status, Look) {
    let limit = plan.thresholds.map(|thresholds| thresholds.limit(SHARE));
    let found = limit.and_then(|limit| beyond(&limit, before, share.value(), usual));
    match found {
        Some(found) => (found.status, found.look(look, None, Unit::Percent, false)),
        None => (Status::Healthy, look),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::plans;
    use crate::spec::Settings;
    use crate::unit::ByteSize;
    use crate::words::quoted;

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
    fn the_limit_that_is_told_is_the_declared_one_and_from_where_it_is_over_where_it_is_kept() {
        let mut plan = plans(&Settings::default()).remove(0);
        let memory =
            |used| Finding::Memory { used: ByteSize::new(used), total: ByteSize::new(100) };
        let told = |plan: &CheckPlan, before, finding| {
            let said = judged(plan, before, finding).1;
            said.split_once("; ").map(|(_, limit)| limit.to_owned()).unwrap_or_default()
        };
        let bad = Status::Unhealthy;
        assert_eq!(told(&plan, bad, memory(91)), "unhealthy from 90.0 % on");
        assert_eq!(told(&plan, bad, memory(88)), "unhealthy from 90.0 % on, until below 87.0 %");
        assert_eq!(told(&plan, bad, memory(80)), "degraded from 75.0 % on");
        assert_eq!(told(&plan, bad, memory(73)), "degraded from 75.0 % on, until below 72.0 %");
        plan.limits = vec![Limit {
            measure: "left".to_owned(),
            degraded: None,
            unhealthy: Some(3.0),
            below: true,
            margin: 2.0,
            auto: false,
        }];
        let left = |days| Finding::Measured {
            detail: quoted("valid"),
            measures: vec![Measure::new("left", days, Unit::Days)],
        };
        assert_eq!(told(&plan, bad, left(2.0)), "left is 2 days; unhealthy below 3 days");
        let kept = "left is 4 days; unhealthy below 3 days, until 5 days";
        assert_eq!(told(&plan, bad, left(4.0)), kept);
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
            auto: false,
        };
        plan.limits = vec![limit("connections", 80.0, 95.0, false), limit("left", 21.0, 3.0, true)];
        let found = |connections, left| Finding::Measured {
            detail: quoted("SELECT 1"),
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

    fn band(low: f64, high: f64) -> Band {
        Band { low, high, outliers: (low - 10.0, high + 10.0) }
    }

    #[test]
    fn a_learnt_limit_is_explained_and_never_wider_than_a_fixed_one() {
        let mut plan = plans(&Settings::default()).remove(0);
        plan.thresholds = None;
        let limit = |degraded, unhealthy| Limit {
            measure: "memory".to_owned(),
            degraded,
            unhealthy,
            below: false,
            margin: 0.0,
            auto: true,
        };
        let judged = |plan: &CheckPlan, value, usual: Option<Band>| {
            let measures = vec![Measure::new("memory", value, Unit::Count)];
            let finding = Finding::Measured { detail: quoted("up"), measures };
            let outcome = ProbeOutcome { finding, took: Duration::ZERO };
            let result = judge_by(plan, Before::default(), &outcome, Moment::default(), |_| usual);
            (result.status, result.message)
        };
        let usual = Some(band(180.0, 240.0));
        plan.limits = vec![limit(None, Some(1_000.0))];
        let said = "up; memory is 300; degraded from 250 on: normally 180–240 at this hour";
        assert_eq!(judged(&plan, 300.0, usual), (Status::Degraded, said.to_owned()));
        assert_eq!(judged(&plan, 230.0, usual).0, Status::Healthy);
        assert_eq!(judged(&plan, 300.0, None).0, Status::Healthy, "nothing is known yet");
        // However usual it is: a fixed critical limit holds, and a fixed degraded one, too.
        let high = Some(band(5_000.0, 9_000.0));
        assert_eq!(judged(&plan, 1_000.0, high).0, Status::Unhealthy);
        plan.limits = vec![limit(Some(400.0), Some(1_000.0))];
        assert_eq!(judged(&plan, 400.0, high).0, Status::Degraded);
        assert_eq!(judged(&plan, 399.0, high).0, Status::Healthy);
    }

    #[test]
    fn the_host_is_judged_by_what_is_usual_too() {
        let mut plan = plans(&Settings::default()).remove(0);
        let thresholds = plan.thresholds.as_mut().unwrap();
        thresholds.auto = true;
        let judged = |used, usual: Option<Band>| {
            let finding = Finding::Memory { used: ByteSize::new(used), total: ByteSize::new(100) };
            let outcome = ProbeOutcome { finding, took: Duration::ZERO };
            judge_by(&plan, Before::default(), &outcome, Moment::default(), |_| usual)
        };
        let quiet = Some(band(20.0, 30.0));
        let result = judged(50, quiet);
        assert_eq!(result.status, Status::Degraded);
        let said = "degraded from 40.0 % on: normally 20.0 %–30.0 % at this hour";
        assert!(result.message.ends_with(said), "{}", result.message);
        assert_eq!(judged(95, Some(band(90.0, 99.0))).status, Status::Unhealthy);
        assert_eq!(judged(76, Some(band(90.0, 99.0))).status, Status::Degraded, "75 % is fixed");
    }

    #[test]
    fn of_a_host_with_auto_the_share_is_learnt() {
        let mut plan = plans(&Settings::default()).remove(0);
        let memory = Finding::Memory { used: ByteSize::new(25), total: ByteSize::new(100) };
        assert_eq!(measures_of(&plan, &memory).next(), None, "its limits are fixed");
        plan.thresholds.as_mut().unwrap().auto = true;
        let learnt: Vec<_> = measures_of(&plan, &memory).collect();
        assert_eq!(learnt, [(SHARE.to_owned(), 25.0)]);
    }
}
