//! Whether a remedy may be applied now: the guard that every remedy passes, whoever advised it.
//!
//! Pure: what is wished and what was done before go in, a ruling comes out. Always holds: nothing that
//! the evidence forbids is done, whatever the mode and whoever approves; nothing is done in mode
//! `observe`; nothing above its budget; nothing with a high risk without a person's word.

use std::time::Duration;

use super::case::{CERTAIN, forbids_restart, harms_to_restart};
use super::{History, Objection, Remedy, Risk};
use crate::diagnosis::{Cause, Diagnosis};
use crate::evidence::Evidence;
use crate::id::AppName;
use crate::spec::HealMode;
use crate::unit::{Moment, SECOND};

/// So often one remedy is used on one app within [`BUDGET_SPAN`]; the tries within one incident
/// together are one use. The mission's.
pub const APP_BUDGET: usize = 3;

/// The same for all apps and remedies of the host together. Ours: with more than this something is
/// wrong with the host, and restarting things does not help it.
pub const HOST_BUDGET: usize = 12;

/// The window of both. The mission's.
pub const BUDGET_SPAN: Duration = Duration::from_mins(15);

/// That often the same cause is healed within [`SAME_CAUSE_SPAN`] before a person is asked instead.
pub const SAME_CAUSE: usize = 3;

/// The window of [`SAME_CAUSE`].
pub const SAME_CAUSE_SPAN: Duration = Duration::from_hours(1);

/// Between two uses of a remedy on one app by different incidents.
pub const COOL_DOWN: Duration = Duration::from_secs(10);

/// How long to wait while another app of the group is being healed.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Below this share of its volume in use, freeing some of it cannot be what helps.
pub const DISK_IS_FINE: f64 = 85.0;

/// What is wished, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// To which app.
    pub app: &'a AppName,
    /// What is to be done.
    pub remedy: &'a Remedy,
    /// Why.
    pub diagnosis: Option<&'a Diagnosis>,
    /// What it rests on.
    pub evidence: Option<&'a Evidence>,
    /// What zelador may do to this app.
    pub mode: HealMode,
    /// A person said yes.
    pub approved: bool,
    /// A further try of a remedy that was allowed before.
    pub again: bool,
    /// The same incident used it before: it needs no rest between the two.
    pub own: bool,
    /// The app's quiet hours last until this moment.
    pub quiet_until: Option<Moment>,
    /// Another app of its group that is being healed at this moment.
    pub busy: Option<&'a str>,
    /// The fingerprint of the trouble.
    pub fingerprint: Option<&'a str>,
}

/// What the guard says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Do it.
    Go,
    /// Not now: ask again at this moment.
    Wait {
        /// When.
        until: Moment,
        /// Why not now.
        why: Objection,
    },
    /// A person must say yes.
    Ask {
        /// Why.
        why: Objection,
    },
    /// It is not done, but would have been.
    WouldHave,
    /// Not at all.
    Refuse {
        /// Why not.
        why: Objection,
    },
}

/// Rules on a wish at this moment.
pub fn rule(wish: &Wish<'_>, history: &History, now: Moment) -> Ruling {
    let refuse = |why| Ruling::Refuse { why };
    if let Some(why) = forbidden(wish) {
        return refuse(why);
    }
    if wish.remedy.risk() == Risk::None {
        return Ruling::Go;
    }
    if wish.mode == HealMode::Observe {
        return Ruling::WouldHave;
    }
    if !wish.approved
        && let Some(why) = exhausted(wish, history, now)
    {
        return refuse(why);
    }
    let asks = wish.mode == HealMode::Ask && !wish.again;
    if !wish.approved && (asks || wish.remedy.risk() == Risk::High) {
        let why = match wish.mode {
            HealMode::Ask => Objection::Asks,
            _ => Objection::TouchesOthers,
        };
        return Ruling::Ask { why };
    }
    let Some(why) = disturbance(wish, history, now) else { return Ruling::Go };
    why
}

/// What no mode and no person allows.
fn forbidden(wish: &Wish<'_>) -> Option<Objection> {
    let diagnosis = wish.diagnosis?;
    let cause = diagnosis.cause;
    if wish.remedy.restarts() {
        let certain = forbids_restart(diagnosis) && diagnosis.confidence >= CERTAIN;
        if harms_to_restart(diagnosis) || (certain && !wish.approved) {
            return Some(Objection::StartCannotHelp(cause));
        }
    }
    if *wish.remedy == Remedy::FreeDisk {
        let volumes = wish.evidence.map(|evidence| evidence.volumes.as_slice()).unwrap_or_default();
        let full = volumes.iter().any(|it| it.fullness() >= DISK_IS_FINE);
        if cause != Cause::DiskFull || !full {
            return Some(Objection::NoVolumeIsFull);
        }
    }
    None
}

/// Which budget is used up.
fn exhausted(wish: &Wish<'_>, history: &History, now: Moment) -> Option<Objection> {
    if wish.again {
        return None;
    }
    let (remedy, within) = (wish.remedy.clone(), BUDGET_SPAN);
    let uses = history.uses(wish.app, wish.remedy, now, BUDGET_SPAN);
    if uses >= APP_BUDGET {
        return Some(Objection::UsedUp { remedy, uses, within });
    }
    let all = history.uses_of_all(now, BUDGET_SPAN);
    if all >= HOST_BUDGET {
        return Some(Objection::HostUsedUp { uses: all, within });
    }
    if let Some(wait) = history.breaker_wait(wish.app, wish.remedy, now) {
        return Some(Objection::DidNotHelp { remedy, wait });
    }
    let same = wish.fingerprint.map(|it| history.healed_same(it, now, SAME_CAUSE_SPAN));
    let same = same.unwrap_or_default();
    let within = SAME_CAUSE_SPAN;
    (same >= SAME_CAUSE).then_some(Objection::CameBack { times: same, within })
}

/// What speaks against this very moment.
fn disturbance(wish: &Wish<'_>, history: &History, now: Moment) -> Option<Ruling> {
    let wait = |until, why| Some(Ruling::Wait { until, why });
    if wish.remedy.risk() >= Risk::Medium
        && !wish.approved
        && let Some(until) = wish.quiet_until.filter(|until| *until > now)
    {
        return wait(until, Objection::QuietHours);
    }
    if let Some(other) = wish.busy {
        return wait(now + LOOK_AGAIN, Objection::Neighbour(other.to_owned()));
    }
    if wish.again || wish.own {
        return None;
    }
    let cool = history.last_use(wish.app, wish.remedy)? + COOL_DOWN;
    if cool > now {
        return wait(cool.max(now + SECOND), Objection::JustUsed);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::BreakerPolicy;
    use crate::evidence::VolumeSeen;
    use crate::id::IncidentId;
    use proptest::prelude::*;

    const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

    fn app() -> AppName {
        AppName::new("api").unwrap()
    }

    fn said(cause: Cause, confidence: f64) -> Diagnosis {
        let (because, hypotheses) = (crate::diagnosis::Reasons::default(), Vec::new());
        Diagnosis { cause, confidence, because, remedy: Remedy::Restart, hypotheses }
    }

    fn wish<'a>(app: &'a AppName, remedy: &'a Remedy) -> Wish<'a> {
        Wish {
            app,
            remedy,
            diagnosis: None,
            evidence: None,
            mode: HealMode::Heal,
            approved: false,
            again: false,
            own: false,
            quiet_until: None,
            busy: None,
            fingerprint: None,
        }
    }

    fn used(times: u64, apart: Duration) -> History {
        let mut history = History::default();
        for number in 0..times {
            let id = IncidentId::new(number);
            let at = NOW + apart * u32::try_from(number).unwrap();
            history.begin(&app(), &Remedy::Restart, id, None, at);
            history.end(id, true, at, |_| BreakerPolicy::remedy());
        }
        history
    }

    #[test]
    fn the_fourth_use_within_a_quarter_of_an_hour_is_refused_and_one_later_is_not() {
        let (app, remedy) = (app(), Remedy::Restart);
        let history = used(3, Duration::from_mins(1));
        let at = |minutes| NOW + Duration::from_mins(minutes);
        let refused = rule(&wish(&app, &remedy), &history, at(4));
        assert!(matches!(refused, Ruling::Refuse { .. }), "{refused:?}");
        assert_eq!(rule(&wish(&app, &remedy), &history, at(18)), Ruling::Go);
        let other = AppName::new("web").unwrap();
        assert_eq!(rule(&wish(&other, &remedy), &history, at(4)), Ruling::Go);
        let again = Wish { again: true, ..wish(&app, &remedy) };
        assert_eq!(rule(&again, &history, at(4)), Ruling::Go, "a further try is no further use");
    }

    #[test]
    fn a_person_decides_where_the_mode_or_the_risk_says_so_and_in_observe_nobody() {
        let (app, restart, kill) = (app(), Remedy::Restart, Remedy::KillPortHolder);
        let history = History::default();
        let mode = |mode, remedy| Wish { mode, ..wish(&app, remedy) };
        let asks = |ruling: &Ruling| matches!(ruling, Ruling::Ask { .. });
        assert!(asks(&rule(&mode(HealMode::Ask, &restart), &history, NOW)));
        assert!(asks(&rule(&mode(HealMode::Heal, &kill), &history, NOW)));
        let yes = Wish { approved: true, ..mode(HealMode::Ask, &restart) };
        assert_eq!(rule(&yes, &history, NOW), Ruling::Go);
        let observes = Wish { approved: true, ..mode(HealMode::Observe, &restart) };
        assert_eq!(rule(&observes, &history, NOW), Ruling::WouldHave);
    }

    #[test]
    fn quiet_hours_hold_what_disturbs_and_nothing_else() {
        let (app, restart, gc) = (app(), Remedy::Restart, Remedy::CollectGarbage);
        let until = NOW + Duration::from_hours(3);
        let quiet = |remedy| Wish { quiet_until: Some(until), ..wish(&app, remedy) };
        let history = History::default();
        let ruling = rule(&quiet(&restart), &history, NOW);
        assert!(matches!(ruling, Ruling::Wait { until: at, .. } if at == until), "{ruling:?}");
        assert_eq!(rule(&quiet(&gc), &history, NOW), Ruling::Go);
    }

    #[test]
    fn a_remedy_rests_between_two_incidents_and_longer_where_it_did_not_help() {
        let (app, remedy) = (app(), Remedy::Restart);
        let after = |history: &History, span| rule(&wish(&app, &remedy), history, NOW + span);
        let once = used(1, Duration::ZERO);
        let rests = after(&once, Duration::from_secs(4));
        assert!(
            matches!(rests, Ruling::Wait { until, .. } if until == NOW + COOL_DOWN),
            "{rests:?}"
        );
        assert_eq!(after(&once, COOL_DOWN), Ruling::Go);
        // Three failures in a row, an hour apart each: no budget is used up, and the breaker is open.
        let mut failed = History::default();
        let apart = Duration::from_hours(1);
        for number in 0..3 {
            let id = IncidentId::new(number);
            let at = NOW + apart * u32::try_from(number).unwrap();
            failed.begin(&app, &remedy, id, None, at);
            failed.end(id, false, at, |_| BreakerPolicy::remedy());
        }
        let refused = after(&failed, apart * 2 + BUDGET_SPAN / 15);
        assert!(
            matches!(&refused, Ruling::Refuse { why } if matches!(why, Objection::DidNotHelp { .. })),
            "{refused:?}"
        );
        let other = AppName::new("web").unwrap();
        let now = NOW + apart * 2 + BUDGET_SPAN / 15;
        assert_eq!(rule(&wish(&other, &remedy), &failed, now), Ruling::Go, "per app");
        assert_eq!(rule(&wish(&app, &Remedy::Reload), &failed, now), Ruling::Go, "per remedy");
    }

    #[test]
    fn a_disk_with_room_is_not_freed() {
        let (app, remedy, full) = (app(), Remedy::FreeDisk, said(Cause::DiskFull, 0.9));
        let volume = |used| VolumeSeen { used, ..VolumeSeen::default() };
        let evidence = |used| Evidence { volumes: vec![volume(used)], ..Evidence::default() };
        let (room, none) = (evidence(40.0), evidence(99.0));
        let small = VolumeSeen { inodes: Some(100.0), ..volume(3.0) };
        let no_inode = Evidence { volumes: vec![small], ..Evidence::default() };
        let with = |evidence| {
            let evidence = Some(evidence);
            Wish { diagnosis: Some(&full), evidence, ..wish(&app, &remedy) }
        };
        let history = History::default();
        assert!(matches!(rule(&with(&room), &history, NOW), Ruling::Refuse { .. }));
        assert_eq!(rule(&with(&none), &history, NOW), Ruling::Go);
        assert_eq!(rule(&with(&no_inode), &history, NOW), Ruling::Go, "nothing can be made on it");
    }

    proptest! {
        #[test]
        fn nobody_has_data_that_is_damaged_started_again(
            approved: bool, again: bool, mode in 0_u8..3, confidence in CERTAIN..1.0,
            remedy in prop::sample::select(vec![
                Remedy::Restart, Remedy::RestartWithBackoff, Remedy::Reload,
                Remedy::RaiseLimitAndRestart,
            ]),
        ) {
            let (app, damaged) = (app(), said(Cause::DataCorruption, confidence));
            let mode = [HealMode::Observe, HealMode::Ask, HealMode::Heal][usize::from(mode)];
            let wish =
                Wish { diagnosis: Some(&damaged), approved, again, mode, ..wish(&app, &remedy) };
            let ruling = rule(&wish, &History::default(), NOW);
            let refused = matches!(ruling, Ruling::Refuse { .. });
            prop_assert!(refused, "{ruling:?}");
        }

        #[test]
        fn no_budget_is_exceeded_whatever_is_wished(gaps in prop::collection::vec(0_u64..600, 1..60)) {
            let remedy = Remedy::Restart;
            let names: Vec<AppName> =
                (0..8).map(|n| AppName::new(format!("app-{n}")).unwrap()).collect();
            let (mut history, mut now) = (History::default(), NOW);
            let mut gone: Vec<(Moment, usize)> = Vec::new();
            for (number, gap) in gaps.iter().enumerate() {
                now = now + Duration::from_secs(*gap);
                let which = number % names.len() / 2;
                if rule(&wish(&names[which], &remedy), &history, now) == Ruling::Go {
                    let id = IncidentId::new(number as u64);
                    history.begin(&names[which], &remedy, id, None, now);
                    history.end(id, true, now, |_| BreakerPolicy::remedy());
                    gone.push((now, which));
                }
                gone.retain(|(at, _)| now.since(*at) < BUDGET_SPAN);
                prop_assert!(gone.len() <= HOST_BUDGET);
                for which in 0..names.len() {
                    let of_app = gone.iter().filter(|(_, it)| *it == which).count();
                    prop_assert!(of_app <= APP_BUDGET);
                }
            }
        }
    }
}
