//! Stories of apps that are healed, and of such that are left alone.

use std::collections::BTreeMap;
use std::time::Duration;

use zelador_core::check::Status;
use zelador_core::diagnosis::Cause;
use zelador_core::healing::Remedy;
use zelador_core::healing::raise::Bound;
use zelador_core::incident::{Incident, Outcome, Stage};
use zelador_core::input::{Command, IncidentOrder};
use zelador_core::instance::Phase;
use zelador_core::spec::{AppSpec, HealCommand, HealMode, HealSpec, QuietHours};
use zelador_core::unit::{Moment, SECOND};

use crate::invariants::below_the_ceilings;
use crate::rule::Rule;
use crate::script::{self, Behaviour, Event, Script, app, health};
use crate::watcher::{story, user};
use crate::world::{DAWN, World};

fn spawns(world: &World) -> usize {
    world.done.iter().filter(|(_, what)| what.starts_with("spawn")).count()
}

pub fn incidents(world: &World) -> Vec<Incident> {
    world.supervisor.incidents().into_iter().rev().cloned().collect()
}

/// What becomes of one app within so many seconds.
fn after(spec: AppSpec, behaviour: Behaviour, seconds: u32) -> World {
    let script = story(spec, behaviour, Vec::new());
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + seconds * SECOND), Ok(()));
    world
}

fn patient(mut spec: AppSpec) -> AppSpec {
    spec.restart.max_restarts = 16;
    spec.restart.half_open_after = None;
    spec
}

#[test]
fn what_no_start_can_help_is_started_twice_and_then_left_down() {
    let world = after(patient(app("api")), Behaviour::Broken, 300);
    assert!((2..=3).contains(&spawns(&world)), "{:?}", world.done);
    let [incident] = &incidents(&world)[..] else { panic!("one incident") };
    assert_eq!(incident.stage, Stage::Escalated);
    assert_eq!(incident.diagnosis.as_ref().unwrap().cause, Cause::SyntaxError);
    let phase = &world.supervisor.view().instances[0].phase;
    assert!(matches!(phase, Phase::Tripped { .. }), "{phase:?}");
}

#[test]
fn an_app_that_is_only_observed_is_started_as_its_policy_says() {
    let mut spec = patient(app("api"));
    spec.heal.mode = HealMode::Observe;
    let world = after(spec, Behaviour::Broken, 300);
    assert_eq!(spawns(&world), 16);
    let told = incidents(&world)[0].story.iter().any(|it| it.what.contains("would have left it"));
    assert!(told);
}

/// It dies with code 1 in these seconds, each time after a run that its breaker calls long enough.
fn dying_at(spec: AppSpec, seconds: &[u32]) -> Script {
    let hiccup = |second: &u32| {
        let at = *second * SECOND;
        [(at, Event::Database(false)), (at + SECOND / 10, Event::Database(true))]
    };
    story(spec, Behaviour::DiesWithDatabase, seconds.iter().flat_map(hiccup).collect())
}

#[test]
fn what_dies_again_and_again_is_not_well_while_it_is_up_and_starts_later_each_time() {
    let script = dying_at(app("api"), &[5, 10, 15, 23, 31, 43]);
    let mut world = World::new(&script);
    world.model = Some(Cause::Unknown);
    let health = |world: &World| {
        let view = world.supervisor.view();
        let health = view.instances[0].health.clone().expect("it is wanted up");
        (health.status, health.message)
    };
    assert_eq!(world.run_until(DAWN + 14 * SECOND), Ok(()));
    assert_eq!(health(&world).0, Status::Healthy, "twice may be chance");
    assert_eq!(world.run_until(DAWN + 22 * SECOND), Ok(()));
    let told = "is up, but died 3 times in a row: the process exited with code 1";
    assert_eq!(health(&world), (Status::Degraded, told.to_owned()));
    assert_eq!(world.run_until(DAWN + 54 * SECOND), Ok(()));
    let starts: Vec<Moment> = world.guardian.runs.values().map(|process| process.born).collect();
    let ends = world.supervisor.view().instances[0].deaths.clone();
    let ends = ends.iter().rev().zip(starts.iter().skip(1));
    let pauses: Vec<Duration> = ends.map(|(end, start)| start.since(end.at)).collect();
    let at_once = pauses.iter().take_while(|pause| **pause < SECOND).count();
    assert_eq!(at_once, 2, "{pauses:?}");
    let delays = [1, 2, 4, 8];
    assert!(pauses[2..].iter().map(Duration::as_secs).eq(delays), "{pauses:?}");
    let still = incidents(&world);
    assert!(matches!(&still[..], [one] if one.is_open() && one.deaths == 6), "{still:?}");
    assert_eq!(world.run_until(DAWN + 90 * SECOND), Ok(()));
    assert_eq!(health(&world).0, Status::Healthy, "it has stayed up");
    assert_eq!(incidents(&world)[0].stage, Stage::Closed { outcome: Outcome::Healed });
}

#[test]
fn damaged_data_gets_no_trial_start() {
    let mut spec = patient(app("db"));
    spec.restart.half_open_after = Some(20 * SECOND);
    let world = after(spec, Behaviour::Damaged, 900);
    assert!(spawns(&world) <= 3, "{:?}", world.done);
    let phase = &world.supervisor.view().instances[0].phase;
    assert_eq!(*phase, Phase::Tripped { trial_at: None });
}

/// An app that hangs, with a command against it that does not help.
fn hanging(mode: HealMode) -> AppSpec {
    let nudge = HealCommand {
        run: vec!["nudge".to_owned(), "{pid}".to_owned()],
        when: vec![Cause::DeadlockOrHang, Cause::Unknown, Cause::CpuRunaway],
        timeout: 5 * SECOND,
    };
    let commands = BTreeMap::from([("nudge".to_owned(), nudge)]);
    let heal = HealSpec { mode, commands, ..HealSpec::default() };
    AppSpec { health: Some(health("api")), heal, ..app("api") }
}

#[test]
fn the_second_time_the_remedy_that_helped_comes_first() {
    let world = after(hanging(HealMode::Heal), Behaviour::HangsAfter(60 * SECOND), 400);
    let all = incidents(&world);
    let tried: Vec<Remedy> = all[0].tries.iter().map(|it| it.remedy.clone()).collect();
    let nudge = Remedy::Command("nudge".to_owned());
    let fewer = [nudge, Remedy::Restart, Remedy::Restart];
    assert_eq!(tried[..3], fewer, "fewer steps the second time: {all:#?}");
}

#[test]
fn a_hang_that_comes_back_soon_is_the_same_incident_and_a_late_one_is_not() {
    let hangs_after = |age: u32| {
        let spec = AppSpec { health: Some(health("api")), ..app("api") };
        let mut script = story(spec, Behaviour::HangsAfter(age * SECOND), Vec::new());
        script.calm_at = 2000 * SECOND;
        let mut world = World::new(&script);
        assert_eq!(world.run_until(DAWN + (2 * age + 60) * SECOND), Ok(()));
        incidents(&world)
    };
    let soon = hangs_after(60);
    assert!(matches!(&soon[..], [one] if one.reopened == 1), "{soon:#?}");
    let learned = soon[0].learned.iter().find(|it| it.remedy == Remedy::Restart);
    let seen = learned.map(|it| (it.seen.good.round(), it.seen.bad.round()));
    assert_eq!(seen, Some((2.0, 1.0)), "it helped twice, and once not for long");
    let late = hangs_after(700);
    assert!(matches!(&late[..], [_, two] if two.reopened == 0), "{late:#?}");
}

#[test]
fn the_same_cause_three_times_within_an_hour_is_a_persons_business() {
    let world = after(hanging(HealMode::Heal), Behaviour::HangsAfter(60 * SECOND), 1200);
    let all = incidents(&world);
    let healed = all.iter().filter(|it| it.stage == Stage::Closed { outcome: Outcome::Healed });
    assert!(healed.count() <= 3);
    assert_eq!(all.last().unwrap().stage, Stage::Escalated, "{:#?}", all.last());
}

#[test]
fn in_mode_ask_nothing_is_done_before_somebody_says_yes() {
    let script = story(
        hanging(HealMode::Ask),
        Behaviour::HangsAfter(20 * SECOND),
        vec![user(120 * SECOND, order(IncidentOrder::Approve))],
    );
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + 119 * SECOND), Ok(()));
    let asked = incidents(&world);
    assert!(matches!(asked[0].stage, Stage::AwaitingApproval { .. }), "{asked:#?}");
    assert_eq!((spawns(&world), asked[0].tries.len()), (1, 0));
    assert_eq!(world.run_until(DAWN + 121 * SECOND), Ok(()));
    assert_eq!(incidents(&world)[0].tries.len(), 1, "the first rung");
}

/// An app that does not parse, whose mode is to ask, and what a person says to it after so long.
fn broken_and_asked(said: Option<(u32, IncidentOrder)>, seconds: u32) -> World {
    let mut spec = patient(app("api"));
    spec.heal = HealSpec { mode: HealMode::Ask, ..HealSpec::default() };
    spec.heal.approve_within = Duration::from_mins(1);
    let word = said.map(|(at, word)| user(at * SECOND, order(word)));
    let mut script = story(spec, Behaviour::Broken, word.into_iter().collect());
    script.calm_at = 2000 * SECOND;
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + seconds * SECOND), Ok(()));
    world
}

#[test]
fn in_mode_ask_what_no_start_can_help_is_started_later_each_time_until_a_person_says_yes() {
    let asked = broken_and_asked(None, 30);
    let [it] = &incidents(&asked)[..] else { panic!("one incident") };
    assert_eq!(it.asks_for(), Some(&Remedy::StopAndNotify), "{it:#?}");
    assert!(it.question().is_some_and(|it| it.until.is_some()), "{it:#?}");
    assert!((4..=7).contains(&spawns(&asked)), "1, 2, 4, 8 s apart: {:?}", asked.done);
    let said_yes = broken_and_asked(Some((30, IncidentOrder::Approve)), 300);
    let [it] = &incidents(&said_yes)[..] else { panic!("one incident") };
    assert_eq!(it.stage, Stage::Escalated, "{it:#?}");
    assert!(spawns(&said_yes) <= spawns(&asked) + 1, "{:?}", said_yes.done);
    let phase = &said_yes.supervisor.view().instances[0].phase;
    assert!(matches!(phase, Phase::Tripped { .. }), "{phase:?}");
}

#[test]
fn a_no_and_silence_leave_it_to_its_restart_policy() {
    for said in [Some((10, IncidentOrder::Reject)), None] {
        let world = broken_and_asked(said, 200);
        let [it] = &incidents(&world)[..] else { panic!("one incident") };
        assert_eq!((it.asks_for(), it.rejected.as_slice()), (None, &[Remedy::StopAndNotify][..]));
        assert!(spawns(&world) >= 8, "it is tried on: {:?}", world.done);
        let asked = it.story.iter().filter(|it| it.what.contains("would be next"));
        assert_eq!(asked.count(), 1, "it is asked once: {it:#?}");
    }
}

#[test]
fn an_answer_to_another_question_changes_nothing() {
    let stale = Command::Incident {
        id: zelador_core::id::IncidentId::new(1),
        order: IncidentOrder::Approve,
        question: Some(DAWN),
        by: None,
    };
    let script = story(
        hanging(HealMode::Ask),
        Behaviour::HangsAfter(20 * SECOND),
        vec![user(120 * SECOND, stale)],
    );
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + 121 * SECOND), Ok(()));
    let asked = incidents(&world);
    assert!(matches!(asked[0].stage, Stage::AwaitingApproval { .. }), "{asked:#?}");
    let question = asked[0].question().expect("it asks");
    assert!(question.asked_at > DAWN);
    let right = Command::Incident {
        id: asked[0].id,
        order: IncidentOrder::Approve,
        question: Some(question.asked_at),
        by: None,
    };
    let script = story(
        hanging(HealMode::Ask),
        Behaviour::HangsAfter(20 * SECOND),
        vec![user(120 * SECOND, right)],
    );
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + 121 * SECOND), Ok(()));
    assert_eq!(incidents(&world)[0].tries.len(), 1, "the same seed asks at the same moment");
}

#[test]
fn a_question_that_nobody_answers_is_escalated_in_time() {
    let mut spec = hanging(HealMode::Ask);
    spec.heal.approve_within = Duration::from_mins(2);
    let world = after(spec, Behaviour::HangsAfter(20 * SECOND), 400);
    let asked = incidents(&world);
    assert_eq!((asked[0].stage.clone(), asked[0].tries.len()), (Stage::Escalated, 0));
}

#[test]
fn in_quiet_hours_nothing_that_lives_is_ended() {
    let mut spec = hanging(HealMode::Heal);
    spec.heal.commands.clear();
    // The story begins at 22:13.
    spec.heal.quiet = QuietHours::parse("22:00-22:20");
    let world = after(spec, Behaviour::HangsAfter(20 * SECOND), 600);
    let first = incidents(&world)[0].tries[0].at;
    assert!(first >= DAWN + 380 * SECOND, "{}", first.since(DAWN).as_secs());
}

#[test]
fn a_heap_that_is_too_small_is_raised_up_to_its_ceiling_and_the_start_after_it() {
    let mut spec = patient(app("api"));
    spec.launch.interpreter_args = vec!["--max-old-space-size=512".to_owned()];
    spec.heal.ceilings = BTreeMap::from([(Bound::Heap, 1536 << 20)]);
    let mut world = World::new(&story(spec, Behaviour::Stillborn, Vec::new()));
    let said = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
    world.says.insert("api".to_owned(), said.to_owned());
    assert_eq!(world.run_until(DAWN + 120 * SECOND), Ok(()));
    let all = incidents(&world);
    let raised: Vec<&str> =
        all[0].story.iter().map(|it| &*it.what).filter(|it| it.contains("is raised")).collect();
    assert_eq!(
        raised,
        [
            "the limit of its heap is raised from 512 MB to 1.0 GB",
            "the limit of its heap is raised from 1.0 GB to 1.5 GB"
        ],
        "{:#?}",
        all[0].story
    );
}

#[test]
fn a_limit_above_its_ceiling_is_noticed() {
    let mut spec = app("api");
    spec.heal.ceilings = BTreeMap::from([(Bound::Memory, 64 << 20)]);
    spec.raised = BTreeMap::from([(Bound::Memory, 64 << 20)]);
    assert_eq!(below_the_ceilings(DAWN, &spec), Ok(()));
    spec.raised = BTreeMap::from([(Bound::Memory, 65 << 20)]);
    assert_eq!(below_the_ceilings(DAWN, &spec).map_err(|it| it.rule), Err(Rule::BelowCeilings));
}

/// One app of a group is healed at a time, also where both are sick at once.
#[test]
fn of_a_group_one_app_is_healed_at_a_time() {
    let of_group = |name: &str| {
        let mut spec = AppSpec { health: Some(health(name)), ..app(name) };
        spec.namespace = "shop".to_owned();
        spec
    };
    let (api, web) = (of_group("api"), of_group("web"));
    let events = vec![(Duration::ZERO, Event::User(script::declare(&[&api, &web])))];
    let sick = Behaviour::HangsAfter(20 * SECOND);
    let apps = vec![(api, sick), (web, sick)];
    let script = Script { seed: 7, rudeness: 0, apps, events, calm_at: 120 * SECOND };
    let mut world = World::new(&script);
    let acts = |it: &Incident| matches!(it.stage, Stage::Applying { .. } | Stage::Verifying { .. });
    let mut acted = 0;
    while world.turn(DAWN + 200 * SECOND).expect("no rule is broken") {
        let at_once = incidents(&world).iter().filter(|it| it.is_open() && acts(it)).count();
        assert!(at_once <= 1, "{:#?}", incidents(&world));
        acted += at_once;
    }
    assert!(acted > 0);
    let healed = incidents(&world).iter().filter(|it| !it.tries.is_empty()).count();
    assert!(healed >= 2, "each had its turn: {:#?}", incidents(&world));
}

/// Twelve remedies within a quarter of an hour, then no more: something is wrong with the host.
#[test]
fn a_host_where_everything_is_sick_is_left_to_a_person() {
    let names: Vec<String> = (0..16).map(|number| format!("app-{number}")).collect();
    let spec = |name: &String| AppSpec { health: Some(health(name)), ..app(name) };
    let specs: Vec<AppSpec> = names.iter().map(spec).collect();
    let declared: Vec<&AppSpec> = specs.iter().collect();
    let events = vec![(Duration::ZERO, Event::User(script::declare(&declared)))];
    let apps = specs.iter().map(|it| (it.clone(), Behaviour::HangsAfter(20 * SECOND))).collect();
    let script = Script { seed: 7, rudeness: 0, apps, events, calm_at: 120 * SECOND };
    let mut world = World::new(&script);
    assert_eq!(world.run_until(DAWN + 120 * SECOND), Ok(()));
    let tried = incidents(&world).iter().filter(|it| !it.tries.is_empty()).count();
    assert_eq!(tried, 12);
    let refused =
        |it: &&Incident| it.story.iter().any(|it| it.what.contains("on this host within"));
    let all = incidents(&world);
    let given_up = all.iter().filter(|it| it.stage == Stage::Escalated);
    assert!(given_up.clone().count() >= 4 && given_up.clone().all(|it| refused(&it)), "{all:#?}");
}

fn order(order: IncidentOrder) -> Command {
    let id = zelador_core::id::IncidentId::new(1);
    Command::Incident { id, order, question: None, by: None }
}
