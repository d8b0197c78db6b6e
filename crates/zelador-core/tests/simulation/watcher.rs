//! The watcher itself is watched: every rule is seen to fail when the supervisor, or what is known of
//! it, is sabotaged in the way that the rule forbids.

mod healing;
mod looks;

use std::collections::BTreeMap;
use std::time::Duration;

use zelador_core::death::Death;
use zelador_core::effect::Effect;
use zelador_core::id::RunId;
use zelador_core::input::Fact;
use zelador_core::input::Input;
use zelador_core::instance::Phase;
use zelador_core::record::Record;
use zelador_core::spec::AppSpec;
use zelador_core::spec::HealMode;
use zelador_core::supervisor::Deadline;
use zelador_core::unit::SECOND;

use crate::invariants::Before;
use crate::play;
use crate::pulse::INTERVAL;
use crate::rule::Rule;
use crate::rules;
use crate::script;
use crate::script::Behaviour;
use crate::script::Event;
use crate::script::Script;
use crate::script::app;
use crate::world::DAWN;
use crate::world::Sabotage;
use crate::world::World;

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
pub(crate) fn rule_broken_by(script: &Script, sabotage: Sabotage) -> Option<Rule> {
    let mut world = World::new(script);
    assert_eq!(play(script, &mut world), Ok(()), "without sabotage");
    let mut world = World::new(script);
    world.sabotage = Some(sabotage);
    play(script, &mut world).err().map(|violation| violation.rule)
}

/// The rule that a world breaks until then when it is sabotaged; without, it must break none.
pub(crate) fn rule_broken_by_turning(
    world: impl Fn() -> World,
    end: zelador_core::unit::Moment,
    mut sabotage: impl FnMut(&mut Vec<Effect>) + 'static,
) -> Option<Rule> {
    assert_eq!(world().run_until(end), Ok(()), "without sabotage");
    let mut world = world();
    world.sabotage = Some(Box::new(move |_, effects| sabotage(effects)));
    world.run_until(end).err().map(|violation| violation.rule)
}

/// Changes every effect by itself.
pub(crate) fn each(mut change: impl FnMut(&mut Effect) + 'static) -> Sabotage {
    Box::new(move |_, effects| effects.iter_mut().for_each(&mut change))
}

/// Drops the effects of a kind.
pub(crate) fn without(mut unwanted: impl FnMut(&Effect) -> bool + 'static) -> Sabotage {
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
fn a_start_that_follows_one_without_room_in_the_same_breath_is_noticed() {
    let script = story(app("api"), Behaviour::FailsToSpawn, Vec::new());
    let mut first = None;
    let again = Box::new(move |_, effects: &mut Vec<Effect>| {
        let is_over = effects.iter().any(|effect| match effect {
            Effect::Record(Record::Instance(it)) => matches!(it.phase, Phase::Backoff { .. }),
            _ => false,
        });
        first = first
            .take()
            .or_else(|| effects.iter().find(|it| matches!(it, Effect::Spawn { .. })).cloned());
        if is_over {
            effects.extend(first.clone());
        }
    });
    assert_eq!(rule_broken_by(&script, again), Some(Rule::RoomIsWaitedFor));
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
