//! The watcher itself is watched: every rule is seen to fail when the supervisor, or what is known of
//! it, is sabotaged in the way that the rule forbids.

use std::collections::BTreeMap;
use std::time::Duration;

use zelador_core::check::CheckTarget;
use zelador_core::death::Death;
use zelador_core::effect::Effect;
use zelador_core::evidence::PastDeath;
use zelador_core::id::{CheckId, IncidentId, ProbeId, RunId};
use zelador_core::incident::{Incident, Outcome, Stage, Trouble};
use zelador_core::input::{Fact, Input};
use zelador_core::instance::Phase;
use zelador_core::probe::{Finding, ProbeOutcome};
use zelador_core::record::Record;
use zelador_core::spec::{AppSpec, ExecMode, HealMode, OnDependencyDown};
use zelador_core::supervisor::Deadline;
use zelador_core::unit::SECOND;

use crate::alone::Alone;
use crate::invariants::Before;
use crate::play;
use crate::pulse::INTERVAL;
use crate::rule::Rule;
use crate::rules;
use crate::script::{self, Behaviour, DATABASE, Event, Script, app, health};
use crate::world::{DAWN, Sabotage, World};

/// One app of this kind, and what happens to it; kind from the second minute on.
pub fn story(spec: AppSpec, behaviour: Behaviour, events: Vec<(Duration, Event)>) -> Script {
    let declared = (Duration::ZERO, Event::User(script::declare(&[&spec])));
    let events = [declared].into_iter().chain(events).collect();
    let apps = vec![(spec, behaviour)];
    Script { seed: 7, rudeness: 0, apps, events, calm_at: 120 * SECOND }
}

pub fn user(after: Duration, command: zelador_core::input::Command) -> (Duration, Event) {
    (after, Event::User(command))
}

pub fn one() -> Vec<String> {
    vec!["api".to_owned()]
}

/// The rule that a story breaks when it is sabotaged; without, it must break none.
fn rule_broken_by(script: &Script, sabotage: Sabotage) -> Option<Rule> {
    let mut world = World::new(script);
    assert_eq!(play(script, &mut world), Ok(()), "without sabotage");
    let mut world = World::new(script);
    world.sabotage = Some(sabotage);
    play(script, &mut world).err().map(|violation| violation.rule)
}

/// Changes every effect by itself.
fn each(mut change: impl FnMut(&mut Effect) + 'static) -> Sabotage {
    Box::new(move |_, effects| effects.iter_mut().for_each(&mut change))
}

/// Drops the effects of a kind.
fn without(mut unwanted: impl FnMut(&Effect) -> bool + 'static) -> Sabotage {
    Box::new(move |_, effects| effects.retain(|effect| !unwanted(effect)))
}

#[test]
fn a_second_process_of_an_instance_is_noticed() {
    let script = story(app("api"), Behaviour::Good, Vec::new());
    let twice: Sabotage = Box::new(|_, effects| {
        let again = effects.iter().find_map(|effect| match effect {
            Effect::Spawn { run, launch, .. } => Some((*run, launch.clone())),
            _ => None,
        });
        let Some((run, launch)) = again else { return };
        let run = RunId::new(run.number() + 1_000);
        let instance = effects.iter().find_map(|effect| match effect {
            Effect::Record(Record::Instance(it)) => Some((**it).clone()),
            _ => None,
        });
        let mut instance = instance.expect("recorded before it is started");
        instance.phase = Phase::Starting { run, give_up_at: DAWN };
        effects.push(Effect::Record(Record::Instance(Box::new(instance))));
        let counters = zelador_core::record::Counters {
            run: u64::MAX,
            ..zelador_core::record::Counters::default()
        };
        effects.push(Effect::Record(Record::Counters(counters)));
        effects.push(Effect::Spawn { run, launch, ahead: false });
    });
    assert_eq!(rule_broken_by(&script, twice), Some(Rule::OneProcess));
}

#[test]
fn a_process_that_outlives_its_goal_is_noticed() {
    let script = story(app("api"), Behaviour::Good, vec![user(10 * SECOND, script::stop(one()))]);
    let spared = without(|effect| matches!(effect, Effect::Terminate { .. } | Effect::Kill { .. }));
    assert_eq!(rule_broken_by(&script, spared), Some(Rule::DownStaysDown));
}

#[test]
fn starts_above_the_budget_are_noticed() {
    let script = story(app("api"), Behaviour::Stillborn, Vec::new());
    let fewer_allowed = each(|effect| {
        if let Effect::Record(Record::App(spec)) = effect {
            spec.restart.max_restarts = 1;
        }
    });
    assert_eq!(rule_broken_by(&script, fewer_allowed), Some(Rule::StartsWithinBudget));
}

#[test]
fn restarts_above_the_rate_are_noticed() {
    let mut spec = app("api");
    spec.restart.restart_window = Some(60 * SECOND);
    let script = story(spec, Behaviour::Mortal(4 * SECOND), Vec::new());
    let fewer_allowed = each(|effect| {
        if let Effect::Record(Record::App(spec)) = effect {
            spec.restart.max_restarts = 1;
        }
    });
    assert_eq!(rule_broken_by(&script, fewer_allowed), Some(Rule::RestartsWithinWindow));
}

#[test]
fn what_dies_often_and_is_started_in_the_same_breath_is_noticed() {
    let mut spec = app("api");
    spec.heal.mode = HealMode::Observe;
    let hiccup = |second: u32| {
        let at = second * SECOND;
        [(at, Event::Database(false)), (at + SECOND / 10, Event::Database(true))]
    };
    let events = [5, 10, 15].into_iter().flat_map(hiccup).collect();
    let script = story(spec, Behaviour::DiesWithDatabase, events);
    let healed = each(|effect| {
        if let Effect::Record(Record::App(spec)) = effect {
            spec.heal.mode = HealMode::Heal;
        }
    });
    assert_eq!(rule_broken_by(&script, healed), Some(Rule::OftenIsLater));
}

#[test]
fn a_deadline_that_does_not_move_on_is_noticed() {
    let deadline = Some((DAWN, Deadline::Cron(app("api").name)));
    let before = Before::at(DAWN + SECOND, deadline.clone());
    let later = Some((DAWN + 2 * SECOND, Deadline::Cron(app("api").name)));
    let check = |after| rules::deadlines_move_on(&before, after, &Input::Tick, &mut 0);
    assert_eq!(check(later), Ok(()));
    assert_eq!(check(deadline).map_err(|it| it.rule), Err(Rule::DeadlinesMoveOn));
}

#[test]
fn consequences_of_an_old_fact_are_noticed() {
    let check = rules::old_facts_change_nothing;
    assert_eq!(check(&[], &[], &[]), Ok(()));
    let kill = [Effect::Kill { run: RunId::new(1) }];
    assert_eq!(check(&[], &[], &kill).map_err(|it| it.rule), Err(Rule::OldFactsChangeNothing));
    let record = Record::Retired(RunId::new(1));
    assert_eq!(check(&[], &[record], &[]).map_err(|it| it.rule), Err(Rule::OldFactsChangeNothing));
}

#[test]
fn an_app_that_never_comes_back_is_noticed() {
    let script = story(app("api"), Behaviour::Mortal(20 * SECOND), Vec::new());
    let never: Sabotage = Box::new(|now, effects| {
        effects.retain(|it| now < DAWN + SECOND || !matches!(it, Effect::Spawn { .. }));
    });
    assert_eq!(rule_broken_by(&script, never), Some(Rule::RunsInTheEnd));
}

#[test]
fn a_stop_that_counts_as_death_is_noticed() {
    let script =
        story(app("api"), Behaviour::Stubborn, vec![user(10 * SECOND, script::stop(one()))]);
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + 10_500 * SECOND / 1_000), Ok(()));
    let before = world.supervisor.view();
    let Phase::Stopping { run, .. } = before.instances[0].phase else { panic!("it is stopping") };
    let exited = Input::Fact(Fact::Exited { run, death: Death::Exited { code: 0 } });
    assert_eq!(rules::stops_are_no_deaths(&before, &before, &exited), Ok(()));
    let mut after = before.clone();
    after.instances[0].unstable_restarts += 1;
    let broken = rules::stops_are_no_deaths(&before, &after, &exited);
    assert_eq!(broken.map_err(|it| it.rule), Err(Rule::StopsAreNoDeaths));
}

#[test]
fn a_start_without_a_record_is_noticed() {
    let script = story(app("api"), Behaviour::Good, Vec::new());
    let unrecorded = without(|effect| matches!(effect, Effect::Record(Record::Instance(_))));
    assert_eq!(rule_broken_by(&script, unrecorded), Some(Rule::SpawnsAreRecorded));
}

#[test]
fn a_start_that_is_ahead_of_nothing_is_noticed() {
    let script =
        story(app("api"), Behaviour::Good, vec![user(10 * SECOND, script::restart(one()))]);
    let hasty = each(|effect| {
        if let Effect::Spawn { ahead, .. } = effect {
            *ahead = true;
        }
    });
    assert_eq!(rule_broken_by(&script, hasty), Some(Rule::SpawnsAreRecorded));
}

#[test]
fn a_run_that_was_there_before_its_record_and_is_not_taken_is_noticed() {
    let mut world = World::new(&story(app("api"), Behaviour::Good, Vec::new()));
    assert_eq!(world.run_until(DAWN + 10 * SECOND), Ok(()));
    let view = world.supervisor.view();
    let instance = view.instances[0].id;
    let run = view.instances[0].phase.run().expect("it is up");
    assert_eq!(rules::heirs_are_taken(&[(instance, run)], &view), Ok(()));
    let other = RunId::new(run.number() + 1);
    let broken = rules::heirs_are_taken(&[(instance, other)], &view);
    assert_eq!(broken.map_err(|it| it.rule), Err(Rule::HeirsAreTaken));
}

#[test]
fn another_choice_of_the_same_story_changes_its_digest() {
    let script = story(app("api"), Behaviour::Good, Vec::new());
    let digest = |sabotage: Option<Sabotage>| {
        let mut world = World::new(&script);
        world.sabotage = sabotage;
        let _ = play(&script, &mut world);
        world.digest
    };
    assert_eq!(digest(None), digest(None));
    let other = without(|effect| matches!(effect, Effect::Look { .. }));
    assert_ne!(digest(None), digest(Some(other)), "the same seed gives the same effects");
}

#[test]
fn a_lost_record_is_noticed() {
    let script =
        story(app("api"), Behaviour::Good, vec![user(10 * SECOND, script::restart(one()))]);
    let mut left = 3;
    let lost: Sabotage = Box::new(move |_, effects| {
        effects.retain(|effect| {
            let instance = matches!(effect, Effect::Record(Record::Instance(_)));
            left -= i32::from(instance);
            // The last one of the story that is not followed by a start.
            !(instance && left < 0)
        });
    });
    let rule = rule_broken_by(&script, lost);
    assert!(matches!(rule, Some(Rule::SpawnsAreRecorded | Rule::RecordsAgree)), "{rule:?}");
    let mut kept = BTreeMap::new();
    let record = Record::Retired(RunId::new(1));
    kept.insert(record.key(), record);
    assert_eq!(rules::records_agree(&kept, &[]).map_err(|it| it.rule), Err(Rule::RecordsAgree));
}

#[test]
fn a_question_that_was_asked_before_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Sick, Vec::new());
    let again: Sabotage = Box::new(|_, effects| {
        let asked = effects.iter().find(|effect| matches!(effect, Effect::Consult { .. }));
        let asked = asked.cloned();
        effects.extend(asked);
    });
    assert_eq!(rule_broken_by(&script, again), Some(Rule::AskedOnce));
}

#[test]
fn remedies_above_the_budget_are_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::HangsAfter(5 * SECOND), Vec::new());
    let mut world = World::new(&script);
    assert_eq!(play(&script, &mut world), Ok(()));
    let mut world = World::new(&script);
    world.watch.remedies_allowed = 1;
    assert_eq!(play(&script, &mut world).map_err(|it| it.rule), Err(Rule::RemediesWithinBudget));
}

#[test]
fn a_remedy_that_is_used_too_often_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::HangsAfter(5 * SECOND), Vec::new());
    let mut world = World::new(&script);
    world.watch.uses_allowed = 0;
    assert_eq!(play(&script, &mut world).map_err(|it| it.rule), Err(Rule::RemediesWithinBudget));
}

#[test]
fn a_reload_that_leaves_nobody_is_noticed() {
    let mut spec = app("api");
    spec.mode = ExecMode::Cluster;
    let script = story(spec, Behaviour::Good, vec![user(10 * SECOND, script::reload(one()))]);
    let mut world = World::new(&script);
    let mut reloaded = None;
    while reloaded.is_none() {
        let before = world.supervisor.view();
        assert_eq!(world.turn(DAWN + 60 * SECOND), Ok(true), "a reload comes");
        let after = world.supervisor.view();
        if before.retiring.is_empty() && !after.retiring.is_empty() {
            reloaded = Some((before, after));
        }
    }
    let (before, mut after) = reloaded.expect("set above");
    assert_eq!(rules::reloads_leave_nobody_alone(&before, &after), Ok(()));
    after.instances[0].phase = Phase::Stopped;
    let broken = rules::reloads_leave_nobody_alone(&before, &after);
    assert_eq!(broken.map_err(|it| it.rule), Err(Rule::SomebodyIsReady));
    // A successor may stand beside the one whose place it takes only.
    assert!(after.instances[0].successor.is_none());
}

#[test]
fn two_open_incidents_of_one_trouble_are_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Sick, Vec::new());
    let mut world = World::new(&script);
    while world.supervisor.incidents().is_empty() {
        assert_eq!(world.turn(DAWN + 120 * SECOND), Ok(true), "an incident comes");
    }
    let incident = world.supervisor.incidents()[0];
    assert_eq!(rules::one_open_incident(&[incident]), Ok(()));
    let broken = rules::one_open_incident(&[incident, incident]);
    assert_eq!(broken.map_err(|it| it.rule), Err(Rule::OneOpenIncident));
}

#[test]
fn what_is_called_healed_too_soon_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::HangsAfter(20 * SECOND), Vec::new());
    let mut world = World::new(&script);
    let healed = Stage::Closed { outcome: Outcome::Healed };
    while !world.supervisor.incidents().iter().any(|it| it.stage == healed) {
        assert_eq!(world.turn(DAWN + 120 * SECOND), Ok(true), "it is healed");
    }
    let (incident, view) = (world.supervisor.incidents()[0], world.supervisor.view());
    let open = [incident.id].into();
    let at = |now| rules::healed_has_held(now, &open, &[incident], &view).map_err(|it| it.rule);
    let Phase::Running { since, .. } = view.instances[0].phase else { panic!("it is up") };
    assert_eq!(at(world.now), Ok(()));
    assert_eq!(at(since + 4 * SECOND), Err(Rule::HealedHasHeld));
}

#[test]
fn a_death_that_has_no_part_in_what_holds_it_is_noticed() {
    let spec = AppSpec { depends_on: vec![DATABASE.to_owned()], ..app("api") };
    let specs = [("api".to_owned(), spec.clone())].into();
    let script =
        story(spec, Behaviour::DiesWithDatabase, vec![(5 * SECOND, Event::Database(false))]);
    let mut world = World::new(&script);
    let waits = |it: &&Incident| matches!(it.stage, Stage::WaitingForDependency { .. });
    while !world.supervisor.incidents().iter().any(waits) {
        assert_eq!(world.turn(DAWN + 120 * SECOND), Ok(true), "it dies of its database");
    }
    let (incident, view) = (world.supervisor.incidents()[0], world.supervisor.view());
    let rule =
        |all: &[&Incident]| rules::one_for_the_cause(all, &view, &specs).map_err(|it| it.rule);
    assert_eq!(rule(&[incident]), Ok(()));
    assert_eq!(rule(&[incident, incident]), Err(Rule::OneForTheCause));
    let mut alone = incident.clone();
    alone.stage = Stage::AwaitingStart;
    alone.diagnosis = None;
    assert_eq!(rule(&[&alone]), Err(Rule::OneForTheCause));
}

#[test]
fn a_silence_that_is_treated_beside_the_death_it_was_is_noticed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let script = story(spec, Behaviour::Sick, Vec::new());
    let mut world = World::new(&script);
    while world.supervisor.incidents().is_empty() {
        assert_eq!(world.turn(DAWN + 120 * SECOND), Ok(true), "an incident comes");
    }
    let (silent, mut view) = (world.supervisor.incidents()[0], world.supervisor.view());
    let died = Incident { id: IncidentId::new(99), trouble: Trouble::Died, ..silent.clone() };
    let both = [silent, &died];
    assert_eq!(rules::deaths_are_treated_once(&both, &view), Ok(()), "nobody has died");
    let at = silent.opened_at + SECOND;
    for (code, treated) in [(0, Ok(())), (1, Err(Rule::DeathsTreatedOnce))] {
        let death = Death::Exited { code };
        view.instances[0].deaths = vec![PastDeath { at, death, uptime_millis: 5, explained: None }];
        let seen = rules::deaths_are_treated_once(&both, &view);
        assert_eq!(seen.map_err(|it| it.rule), treated, "code {code}");
    }
}

#[test]
fn a_restart_while_the_database_is_down_is_noticed() {
    let mut spec = app("api");
    spec.depends_on = vec![DATABASE.to_owned()];
    spec.on_dependency_down = OnDependencyDown::Restart;
    // Noticed before the records are compared, which are wrong here too.
    let events = vec![(SECOND, Event::Database(false)), (100 * SECOND, Event::Database(true))];
    let script = story(spec, Behaviour::Mortal(2 * SECOND), events);
    let ought_to_wait = each(|effect| {
        if let Effect::Record(Record::App(spec)) = effect {
            spec.on_dependency_down = OnDependencyDown::Wait;
        }
    });
    assert_eq!(rule_broken_by(&script, ought_to_wait), Some(Rule::DependantsWait));
}

#[test]
fn a_second_answer_and_a_missing_one_are_noticed() {
    let script =
        story(app("api"), Behaviour::Good, vec![user(10 * SECOND, script::restart(one()))]);
    let twice: Sabotage = Box::new(|_, effects| {
        let replies: Vec<Effect> =
            effects.iter().filter(|it| matches!(it, Effect::Reply(..))).cloned().collect();
        effects.extend(replies);
    });
    assert_eq!(rule_broken_by(&script, twice), Some(Rule::AnsweredOnce));
    let never = without(|effect| matches!(effect, Effect::Reply(..)));
    assert_eq!(rule_broken_by(&script, never), Some(Rule::AnsweredOnce));
}

/// Two apps that know nothing of each other, and are stopped together.
fn two_apps() -> Script {
    let stop = user(10 * SECOND, script::stop(vec!["all".to_owned()]));
    let mut script = story(app("api"), Behaviour::Good, vec![stop]);
    let declared = Event::User(script::declare(&[&app("base"), &app("api")]));
    script.apps.push((app("base"), Behaviour::Good));
    script.events[0] = (Duration::ZERO, declared);
    script
}

/// From this moment on the api is taken to need the base.
fn needs_base(from: Duration) -> Sabotage {
    Box::new(move |now, effects| {
        if now < DAWN + from {
            return;
        }
        let mut spec = app("api");
        spec.depends_on = vec!["base".to_owned()];
        effects.push(Effect::Record(Record::App(Box::new(spec))));
    })
}

#[test]
fn a_start_before_what_it_needs_is_noticed() {
    assert_eq!(rule_broken_by(&two_apps(), needs_base(Duration::ZERO)), Some(Rule::StartsInOrder));
}

#[test]
fn a_stop_before_what_needs_it_is_noticed() {
    assert_eq!(rule_broken_by(&two_apps(), needs_base(9 * SECOND)), Some(Rule::StopsInOrder));
}

#[test]
fn a_ping_that_is_missing_and_one_too_many_are_noticed() {
    let mut script = story(app("api"), Behaviour::Good, Vec::new());
    script.calm_at = 3 * INTERVAL;
    let never = without(|effect| matches!(effect, Effect::Ping { .. }));
    assert_eq!(rule_broken_by(&script, never), Some(Rule::Heard));
    let twice: Sabotage = Box::new(|_, effects| {
        let pings = effects.iter().filter(|it| matches!(it, Effect::Ping { .. })).cloned();
        effects.extend(pings.collect::<Vec<_>>());
    });
    assert_eq!(rule_broken_by(&script, twice), Some(Rule::Heard));
}

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
        rule_broken_by(&script::generate(seed), still) == Some(Rule::LooksAreLeft)
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
