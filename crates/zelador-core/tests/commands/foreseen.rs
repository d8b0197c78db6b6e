//! Memory that comes to its limit before anything fails.

use std::time::Duration;

use zelador_core::healing::Remedy;
use zelador_core::incident::{Incident, Outcome, Stage, Trouble};
use zelador_core::input::{Fact, Unchanged};
use zelador_core::probe::Usage;
use zelador_core::spec::{HealMode, Hook};
use zelador_core::unit::{ByteSize, SECOND};
use zelador_core::words::quoted;

use crate::world::{World, app};

const LIMIT: u64 = 400;

fn world(mode: HealMode, has_gc: bool) -> World {
    let mut spec = app(vec![("name", "api".into())]);
    spec.limits.memory = Some(ByteSize::mebibytes(LIMIT));
    spec.heal.mode = mode;
    spec.heal.hooks.gc = Some(if has_gc { Hook::Command("gc".to_owned()) } else { Hook::Off });
    let mut world = World::new();
    world.declare(spec, Unchanged::LeaveAlone);
    world
}

/// Samples every ten seconds until so many seconds have passed: memory in MB, percent of a core.
fn live(world: &mut World, seconds: u64, memory: impl Fn(f64) -> f64, cpu: f64) {
    for second in (0..seconds).step_by(10) {
        world.wait(10 * SECOND);
        let run = world.list()[0].phase.run().expect("it is up");
        let bytes = (memory(second as f64) * 1024.0 * 1024.0) as u64;
        let usage = Usage { memory: ByteSize::new(bytes), cpu, ..Usage::default() };
        world.hear(Fact::Sampled { usages: vec![(run, usage)] });
    }
}

fn forecasts(world: &World) -> Vec<Incident> {
    let all = world.supervisor.incidents().into_iter();
    all.filter(|it| it.trouble == Trouble::Forecast).cloned().collect()
}

/// A megabyte every five seconds, from 160 on: at 400 after twenty minutes.
fn leaks(second: f64) -> f64 {
    160.0 + second / 5.0
}

#[test]
fn what_grows_steadily_to_its_limit_is_foretold_and_restarted_in_a_quiet_moment() {
    let mut world = world(HealMode::Heal, false);
    live(&mut world, 590, leaks, 50.0);
    assert_eq!(forecasts(&world), [], "ten minutes are looked at first");
    live(&mut world, 60, |second| leaks(second + 590.0), 50.0);
    let [it] = &forecasts(&world)[..] else { panic!("it is foretold") };
    let told = &it.story[0].what;
    let expected = "detected: its memory, 280 MB now, comes to its limit of 400 MB in 10 min";
    assert!(told.starts_with(expected), "{told}");
    assert!(matches!(it.stage, Stage::Pausing { .. }), "it is busy: {it:#?}");
    let waits = it.story.iter().filter(|it| it.what.contains("in a quiet moment"));
    assert_eq!((waits.count(), it.tries.len()), (1, 0));
    let before = world.list()[0].pid;
    live(&mut world, 60, |second| leaks(second + 650.0), 2.0);
    assert_ne!(world.list()[0].pid, before, "it does little: {:#?}", forecasts(&world));
    live(&mut world, 60, |_| 80.0, 2.0);
    let it = &forecasts(&world)[0];
    assert_eq!(it.stage, Stage::Closed { outcome: Outcome::Healed }, "{it:#?}");
}

#[test]
fn what_is_busy_all_the_time_is_restarted_just_before_the_limit() {
    let mut world = world(HealMode::Heal, false);
    let before = world.list()[0].pid;
    live(&mut world, 1000, leaks, 90.0);
    assert_eq!((world.list()[0].pid, forecasts(&world).len()), (before, 1));
    live(&mut world, 150, |second| leaks(second + 1000.0).min(390.0), 90.0);
    assert_ne!(world.list()[0].pid, before, "{:#?}", forecasts(&world));
}

#[test]
fn garbage_is_collected_first_and_that_is_believed_when_memory_is_free_again() {
    let mut world = world(HealMode::Heal, true);
    live(&mut world, 620, leaks, 90.0);
    let it = forecasts(&world).remove(0);
    assert_eq!(it.tries.last().map(|it| &it.remedy), Some(&Remedy::CollectGarbage), "{it:#?}");
    world.hear(Fact::Applied { incident: it.id, result: Ok(quoted("done")) });
    let before = world.list()[0].pid;
    live(&mut world, 120, |_| 120.0, 90.0);
    let it = forecasts(&world).remove(0);
    assert_eq!(it.stage, Stage::Closed { outcome: Outcome::Healed }, "{it:#?}");
    assert_eq!(world.list()[0].pid, before, "no process was ended");
}

#[test]
fn a_hook_that_cannot_be_run_is_run_again_later_each_time() {
    let mut world = world(HealMode::Heal, true);
    live(&mut world, 620, leaks, 90.0);
    let id = forecasts(&world).remove(0).id;
    for (time, pause) in [2, 4, 8].into_iter().enumerate() {
        world.hear(Fact::Applied { incident: id, result: Err(quoted("no route")) });
        let it = forecasts(&world).remove(0);
        let next = world.now + pause * SECOND;
        assert_eq!(it.stage, Stage::Pausing { retry_at: next }, "{it:#?}");
        world.wait(pause * SECOND);
        assert_eq!(forecasts(&world)[0].tries.len(), time + 2);
    }
    world.hear(Fact::Applied { incident: id, result: Err(quoted("no route")) });
    let it = forecasts(&world).remove(0);
    assert_eq!((it.tries.len(), it.current), (4, Some(Remedy::Restart)), "then the next remedy");
}

#[test]
fn a_forecast_that_is_no_longer_true_is_over_and_a_program_that_warms_up_opens_none() {
    let mut world = world(HealMode::Observe, false);
    live(&mut world, 620, leaks, 90.0);
    assert_eq!(forecasts(&world)[0].stage, Stage::Observing, "{:#?}", forecasts(&world));
    live(&mut world, 900, |_| 284.0, 90.0);
    let it = &forecasts(&world)[0];
    assert_eq!(it.stage, Stage::Closed { outcome: Outcome::Recovered }, "{it:#?}");
    let mut warm = self::world(HealMode::Heal, false);
    let warms = |second: f64| 300.0 * (1.0 - (-second / 300.0).exp());
    live(&mut warm, Duration::from_hours(2).as_secs(), warms, 90.0);
    assert_eq!(forecasts(&warm), []);
}
