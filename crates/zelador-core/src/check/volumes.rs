//! What a look at file systems amounts to: each is judged by the limit of its own mount, or by the one
//! that holds for all others.
//!
//! Pure. Always holds: of the reasons the worst stands first; a file system is kept bad by its margin
//! only if it was bad itself, whatever is said of the others.

use super::judge::beyond;
use super::{Band, CheckPlan, CheckResult, CheckTarget, Status};
use crate::probe::{Finding, Unit, Volume};
use crate::said::Look;
use crate::spec::{HostMeter, INODES, Limit};
use crate::unit::Percent;

/// What is known of a check when it is looked at again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    /// Its verdict.
    pub verdict: Option<Status>,
    /// The mounts that were beyond a limit when file systems were last looked at, and how.
    pub beyond: &'a [(String, Status)],
}

impl Before<'_> {
    /// How a mount was: as bad as it was itself, and as bad as that is believed.
    fn of(self, mount: &str) -> Status {
        let own = self.beyond.iter().find(|(it, _)| it == mount).map(|(_, status)| *status);
        let verdict = self.verdict.unwrap_or(Status::Healthy);
        own.unwrap_or(Status::Healthy).min(verdict)
    }
}

impl CheckResult {
    /// The mounts that are beyond a limit, and how; `None`: it says nothing of file systems.
    pub fn mounts_beyond(&self) -> Option<Vec<(String, Status)>> {
        mounts_beyond(self.said.as_deref()?)
    }
}

fn mounts_beyond(look: &Look) -> Option<Vec<(String, Status)>> {
    match look {
        Look::Disk { .. } | Look::Inodes { .. } | Look::NoDisk | Look::NoInodes => Some(Vec::new()),
        Look::Beyond { what, status, .. } => match &**what {
            Look::Disk { mount, .. } | Look::Inodes { mount, .. } => {
                Some(vec![(mount.clone(), *status)])
            }
            _ => None,
        },
        Look::Several(looks) => {
            let each: Option<Vec<_>> = looks.iter().map(mounts_beyond).collect();
            Some(each?.concat())
        }
        _ => None,
    }
}

/// A file system with the share that is judged, and what is said of it.
struct Seen {
    mount: String,
    share: Percent,
    look: Look,
}

/// The rooms in bytes; of a host check of inodes those in files, where they are counted.
fn seen(finding: &Finding) -> Vec<Seen> {
    let disk = |volume: &Volume| {
        let (share, mount, free) = (volume.share(), volume.mount.clone(), volume.available);
        Some(Seen { mount: mount.clone(), share, look: Look::Disk { share, mount, free } })
    };
    let inodes = |volume: &Volume| {
        let inodes = volume.inodes?;
        let (share, mount, free) = (inodes.share(), volume.mount.clone(), inodes.free);
        Some(Seen { mount: mount.clone(), share, look: Look::Inodes { share, mount, free } })
    };
    match finding {
        Finding::Disks { volumes } => volumes.iter().filter_map(disk).collect(),
        Finding::Inodes { volumes } => volumes.iter().filter_map(inodes).collect(),
        _ => Vec::new(),
    }
}

/// The limit of a mount: its own, or the one for all that have none.
pub fn limit_of_mount(plan: &CheckPlan, mount: &str) -> Option<Limit> {
    let named = |name: &str| plan.limits.iter().find(|limit| limit.measure == name).cloned();
    let common = || match (&plan.target, plan.thresholds) {
        (CheckTarget::Host(HostMeter::Inodes), _) => named(INODES),
        (_, thresholds) => thresholds.map(|it| it.limit(mount)),
    };
    named(mount).or_else(common)
}

/// The shares that are learnt, by mount.
pub(super) fn learnt(plan: &CheckPlan, finding: &Finding) -> Vec<(String, f64)> {
    let is_learnt = |it: &Seen| limit_of_mount(plan, &it.mount).is_some_and(|limit| limit.auto);
    let seen = seen(finding).into_iter().filter(is_learnt);
    seen.map(|it| (it.mount, it.share.value())).collect()
}

/// The worst status, with the reason of every file system that is beyond its limit; if none is, with
/// what is said of the fullest.
pub(super) fn status_of(
    plan: &CheckPlan,
    before: Before<'_>,
    finding: &Finding,
    usual: &impl Fn(&str) -> Option<Band>,
) -> (Status, Look) {
    let mut seen = seen(finding);
    seen.sort_by(|a, b| b.share.value().total_cmp(&a.share.value()));
    let judged = |it: &Seen| {
        let limit = limit_of_mount(plan, &it.mount)?;
        let value = it.share.value();
        let found = beyond(&limit, before.of(&it.mount), value, usual(&it.mount))?;
        Some((found.status, found.look(it.look.clone(), None, Unit::Percent, limit.below)))
    };
    let mut bad: Vec<(Status, Look)> = seen.iter().filter_map(judged).collect();
    // Equally bad ones stay as they are: the fullest first.
    bad.sort_by_key(|(status, _)| std::cmp::Reverse(*status));
    let worst = bad.first().map_or(Status::Healthy, |(status, _)| *status);
    let mut looks: Vec<Look> = bad.into_iter().map(|(_, look)| look).collect();
    let look = match (looks.len(), seen.into_iter().next()) {
        (0, Some(fullest)) => fullest.look,
        (0, None) if matches!(finding, Finding::Inodes { .. }) => Look::NoInodes,
        (0, None) => Look::NoDisk,
        (1, _) => looks.remove(0),
        _ => Look::Several(looks),
    };
    (worst, look)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Check, judge_by, measures_of, plans};
    use super::*;
    use crate::id::CheckId;
    use crate::probe::{Inodes, ProbeOutcome};
    use crate::spec::Settings;
    use crate::unit::{ByteSize, Moment};
    use Status::{Degraded, Healthy, Unhealthy};

    fn volume(mount: &str, used: u64) -> Volume {
        let inodes = Some(Inodes { used, free: 100 - used });
        let (used, available) = (ByteSize::new(used << 20), ByteSize::new((100 - used) << 20));
        Volume { mount: mount.to_owned(), used, available, inodes }
    }

    fn disks(shares: &[(&str, u64)]) -> Finding {
        Finding::Disks {
            volumes: shares.iter().map(|(mount, used)| volume(mount, *used)).collect(),
        }
    }

    fn disk(mounts: Vec<Limit>) -> CheckPlan {
        let settings = Settings { mounts, memory: None, cpu: None, ..Settings::default() };
        plans(&settings).remove(0)
    }

    fn own(mount: &str, degraded: f64, unhealthy: f64) -> Limit {
        let (degraded, unhealthy, margin) = (Some(degraded), Some(unhealthy), 3.0);
        Limit { measure: mount.into(), degraded, unhealthy, below: false, margin, auto: false }
    }

    /// Looks, lets the check take it in, and returns what the look amounts to.
    fn look(check: &mut Check, finding: Finding) -> (Status, String) {
        let outcome = ProbeOutcome { finding, took: Duration::ZERO };
        let result = judge_by(&check.plan, check.before(), &outcome, Moment::default(), |_| None);
        check.take(result.clone());
        (result.status, result.message)
    }

    #[test]
    fn each_file_system_is_judged_by_its_own_thresholds_and_each_bad_one_is_named_the_worst_first()
    {
        let mut check = Check::new(disk(vec![own("/var", 90.0, 95.0)]), Moment::default());
        let said = |text: &str| text.to_owned();
        let all = look(&mut check, disks(&[("/", 70), ("/var", 89), ("/srv", 40)]));
        assert_eq!(all, (Healthy, said("89.0 % of /var in use, 11.0 MB free")), "the fullest");
        let one = look(&mut check, disks(&[("/", 81), ("/var", 89), ("/srv", 40)]));
        let why = "81.0 % of / in use, 19.0 MB free; degraded from 80.0 % on";
        assert_eq!(one, (Degraded, said(why)));
        let two = look(&mut check, disks(&[("/", 91), ("/var", 93), ("/srv", 40)]));
        let why = "91.0 % of / in use, 9.0 MB free; unhealthy from 90.0 % on; \
            also 93.0 % of /var in use, 7.0 MB free; degraded from 90.0 % on";
        assert_eq!(two, (Unhealthy, said(why)));
        check.plan.limits = vec![Limit { degraded: None, unhealthy: None, ..own("/", 0.0, 0.0) }];
        let none = look(&mut check, disks(&[("/", 100), ("/srv", 40)]));
        assert_eq!(none, (Healthy, said("100.0 % of / in use, 0 B free")), "never bad");
    }

    #[test]
    fn a_file_system_is_out_below_its_margin_and_only_if_it_was_in_itself() {
        let mut check = Check::new(disk(vec![own("/var", 90.0, 95.0)]), Moment::default());
        let mut at = |root, var| look(&mut check, disks(&[("/", root), ("/var", var)])).0;
        assert_eq!(at(81, 91), Degraded, "both are in, and believed");
        assert_eq!(at(70, 88), Degraded, "88 is not below 90 − 3");
        assert_eq!(at(70, 86), Healthy);
        // The verdict is still degraded, and this one was never in since.
        assert_eq!(at(79, 89), Healthy);
        assert_eq!([at(79, 90), at(79, 90), at(79, 90)], [Degraded; 3], "believed");
        assert_eq!(at(79, 87), Degraded, "/ is below its own, /var not yet out");
        let blind = Finding::Unavailable { detail: crate::words::quoted("no /proc") };
        look(&mut check, blind);
        assert_eq!(look(&mut check, disks(&[("/", 79), ("/var", 87)])).0, Degraded, "it is known");
        assert_eq!(look(&mut check, disks(&[("/", 79), ("/var", 86)])).0, Healthy);
    }

    #[test]
    fn inodes_are_judged_by_mount_too_and_who_does_not_count_them_is_left_out() {
        let mut plan = disk(vec![own("inodes", 80.0, 90.0), own("/var", 20.0, 30.0)]);
        plan.id = CheckId::Named("inodes".into());
        (plan.target, plan.thresholds) = (CheckTarget::Host(HostMeter::Inodes), None);
        let mut check = Check::new(plan, Moment::default());
        let uncounted = Volume { inodes: None, ..volume("/data", 99) };
        let mut at = |root, var| {
            let volumes = vec![volume("/", root), volume("/var", var), uncounted.clone()];
            look(&mut check, Finding::Inodes { volumes })
        };
        let why = "25.0 % of the inodes of /var in use, 75 free; degraded from 20.0 % on";
        assert_eq!(at(79, 25), (Degraded, why.to_owned()));
        assert_eq!(at(79, 10).1, "79.0 % of the inodes of / in use, 21 free");
        assert_eq!(at(90, 10).0, Unhealthy);
        let none = look(&mut check, Finding::Inodes { volumes: vec![uncounted] });
        assert_eq!(none, (Healthy, "no file system here counts inodes".to_owned()));
    }

    #[test]
    fn every_file_system_is_measured() {
        let Finding::Disks { volumes } = disks(&[("/", 70), ("/var", 25)]) else { unreachable!() };
        let told = |finding: &Finding| {
            let measured = finding.measured();
            let each = measured.iter().map(|it| format!("{} {}", it.name, it.unit.said(it.value)));
            each.collect::<Vec<_>>().join(", ")
        };
        let said = "/ 70.0 %, / free 30.0 MB, / inodes 70.0 %, \
            /var 25.0 %, /var free 75.0 MB, /var inodes 25.0 %";
        assert_eq!(told(&Finding::Disks { volumes: volumes.clone() }), said);
        let said = "/ 70.0 %, / free 30, /var 25.0 %, /var free 75";
        assert_eq!(told(&Finding::Inodes { volumes }), said);
    }

    #[test]
    fn what_is_usual_is_learnt_of_each_file_system() {
        let auto = Limit { auto: true, ..own("/var", 95.0, 95.0) };
        let plan = disk(vec![auto]);
        let found = disks(&[("/", 70), ("/var", 60)]);
        let learnt: Vec<_> = measures_of(&plan, &found).collect();
        assert_eq!(learnt, [("/var".to_owned(), 60.0)], "the limits of / are fixed");
        let usual = |mount: &str| {
            let band = Band { low: 40.0, high: 50.0, outliers: (35.0, 55.0) };
            (mount == "/var").then_some(band)
        };
        let outcome = ProbeOutcome { finding: found, took: Duration::ZERO };
        let result = judge_by(&plan, Before::default(), &outcome, Moment::default(), usual);
        let why = "60.0 % of /var in use, 40.0 MB free; \
            degraded from 55.0 % on: normally 40.0 %–50.0 % at this hour";
        assert_eq!((result.status, result.message.as_str()), (Degraded, why));
    }
}
