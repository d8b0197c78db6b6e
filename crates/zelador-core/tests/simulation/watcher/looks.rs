//! The rules of looks and breakers are seen broken.

use std::time::Duration;

use zelador_core::check::CheckTarget;
use zelador_core::effect::Effect;
use zelador_core::id::{CheckId, ProbeId, RunId};
use zelador_core::input::{Fact, Input};
use zelador_core::instance::Phase;
use zelador_core::probe::{Finding, ProbeOutcome};
use zelador_core::record::Record;
use zelador_core::spec::AppSpec;
use zelador_core::unit::SECOND;

use super::{each, rule_broken_by, story, without};
use crate::alone::Alone;
use crate::generate;
use crate::rule::Rule;
use crate::script::{Behaviour, Event, app, health};
use crate::world::{DAWN, Sabotage, World};

#[test]
fn a_run_that_is_believed_to_be_sick_too_soon_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Sick, Vec::new());
    let more_are_needed = each(|effect| {
        if let Effect::Record(Record::App(spec)) = effect
            && let Some(health) = &mut spec.health
        {
            health.cadence.failure_threshold += 1;
        }
    });
    assert_eq!(rule_broken_by(&script, more_are_needed), Some(Rule::SeenOftenEnough));
}

#[test]
fn a_look_before_the_run_has_come_up_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Good, Vec::new());
    let comes_up_first = each(|effect| {
        if let Effect::Record(Record::App(spec)) = effect {
            spec.probes.startup = Some(health("api"));
        }
    });
    assert_eq!(rule_broken_by(&script, comes_up_first), Some(Rule::StartupFirst));
}

#[test]
fn a_look_at_an_old_run_is_told_from_one_at_the_run_that_is_up() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Good, Vec::new());
    let mut world = World::new(&script);
    let mut probe = None;
    while probe.is_none() {
        assert_eq!(world.turn(DAWN + 60 * SECOND), Ok(true), "a look comes");
        probe = (0..9).map(ProbeId::new).find(|it| {
            world.supervisor.check_of(*it).is_some_and(|check| check.instance().is_some())
        });
    }
    let finding = Finding::Answered { detail: zelador_core::words::quoted("HTTP 200") };
    let outcome = ProbeOutcome { finding, took: SECOND };
    let looked = Input::Fact(Fact::Looked { probe: probe.expect("set above"), outcome });
    let mut view = world.supervisor.view();
    assert!(!world.watch.looks.is_old(&looked, &view));
    let Phase::Running { run, .. } = &mut view.instances[0].phase else { panic!("it is up") };
    *run = RunId::new(run.number() + 1);
    assert!(world.watch.looks.is_old(&looked, &view));
}

#[test]
fn a_look_that_goes_on_after_its_run_is_noticed() {
    let goes_on = |seed| {
        let still = without(|effect| matches!(effect, Effect::LeaveLook { .. }));
        rule_broken_by(&generate::generate(seed), still) == Some(Rule::LooksAreLeft)
    };
    assert!((0..60).any(goes_on), "no run of sixty stories ends while it is asked");
}

/// Has a look of this kind done once again in every step that comes later than this, and has none of them.
fn over_and_over(later: Duration, of: impl Fn(&CheckTarget) -> bool + 'static) -> Sabotage {
    let mut seen = None;
    Box::new(move |now, effects| {
        let is_one = |effect: &&Effect| matches!(effect, Effect::Look { target, .. } if of(target));
        match effects.iter().find(is_one) {
            Some(look) => seen = Some(look.clone()),
            None if now > DAWN + later => effects.extend(seen.clone()),
            None => {}
        }
    })
}

fn is_database(target: &CheckTarget) -> bool {
    matches!(target, CheckTarget::Database { .. })
}

#[test]
fn a_second_look_at_a_database_at_once_is_noticed() {
    let script = story(app("api"), Behaviour::Good, Vec::new());
    let twice: Sabotage = Box::new(|_, effects| {
        let looks = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Look { target, .. } if is_database(target)));
        effects.extend(looks.cloned().collect::<Vec<_>>());
    });
    assert_eq!(rule_broken_by(&script, twice), Some(Rule::OneLookAtATime));
}

#[test]
fn a_look_past_an_open_breaker_is_noticed() {
    let events = vec![(SECOND, Event::Database(false)), (110 * SECOND, Event::Database(true))];
    let script = story(app("api"), Behaviour::Good, events);
    let past = over_and_over(80 * SECOND, is_database);
    assert_eq!(rule_broken_by(&script, past), Some(Rule::OpenIsNotAsked));
}

#[test]
fn a_look_at_who_asked_to_be_left_alone_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Busy { until: 60 * SECOND }, Vec::new());
    let again = over_and_over(8 * SECOND, |it| matches!(it, CheckTarget::App(_)));
    assert_eq!(rule_broken_by(&script, again), Some(Rule::LeftAlone));
}

#[test]
fn a_breaker_that_stays_closed_while_everything_fails_is_noticed() {
    let script = story(app("api"), Behaviour::Good, Vec::new());
    let mut world = World::new(&script);
    let mut look = None;
    while look.is_none() {
        assert_eq!(world.turn(DAWN + 60 * SECOND), Ok(true), "a look comes");
        look = (0..9).map(ProbeId::new).find(|it| {
            let check = world.supervisor.check_of(*it);
            matches!(check, Some(CheckId::Database(_)))
        });
    }
    let probe = look.expect("set above");
    let target = CheckTarget::Database { url: String::new(), query: None, expect: None };
    let asked = [Effect::Look { probe, target, timeout: SECOND }];
    let finding = Finding::Refused { detail: zelador_core::words::quoted("refused") };
    let failed =
        Input::Fact(Fact::Looked { probe, outcome: ProbeOutcome { finding, took: SECOND } });
    let (mut alone, view) = (Alone::default(), world.supervisor.view());
    let mut hear = |input: &Input, effects: &[Effect]| {
        alone.note(world.now, (input, effects), &world.supervisor, &view).map_err(|it| it.rule)
    };
    for _ in 0..5 {
        assert_eq!(hear(&Input::Tick, &asked), Ok(()));
        assert_eq!(hear(&failed, &[]), Ok(()));
    }
    assert_eq!(hear(&Input::Tick, &asked), Ok(()));
    assert_eq!(hear(&failed, &[]), Err(Rule::OpensInTime), "the supervisor has heard of none");
}
