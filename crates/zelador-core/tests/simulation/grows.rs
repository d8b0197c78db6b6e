//! Replicas that are added and limits that are raised, again and again: never past what was declared.

use std::collections::BTreeMap;

use zelador_core::effect::Effect;
use zelador_core::healing::Remedy;
use zelador_core::healing::guard::APP_BUDGET;
use zelador_core::healing::raise::Bound;
use zelador_core::input::Input;
use zelador_core::record::Record;
use zelador_core::spec::{AppSpec, Resource, ResourceLimit};
use zelador_core::unit::{Moment, SECOND};

use crate::play;
use crate::rule::{Rule, Violation, broken};
use crate::script::{Behaviour, Script, app, health};
use crate::watcher::story;
use crate::world::{DAWN, World};

/// Nobody but a person gives an app more instances than its healer may.
pub fn grows_within_its_maximum(
    now: Moment,
    before: Option<&AppSpec>,
    after: &AppSpec,
    input: &Input,
) -> Result<(), Violation> {
    let had = before.map_or(after.instances, |it| it.instances);
    let most = after.heal.most_instances.unwrap_or_default().max(had);
    if after.instances > most && !matches!(input, Input::Command(..)) {
        let what =
            format!("{now}: {} has {} instances, {most} at most", after.name, after.instances);
        return broken(Rule::GrowsWithinMaximum, what);
    }
    Ok(())
}

/// More work than it can do, which no replica more takes off it.
fn overloaded() -> Script {
    let mut spec = AppSpec { health: Some(health("api")), ..app("api") };
    spec.heal.most_instances = Some(3);
    story(spec, Behaviour::Sick, Vec::new())
}

fn busy(script: &Script) -> World {
    let mut world = World::new(script);
    let said = "2026/11/01 10:00:00 [error] limiting requests, excess: 20.5 by zone \"all\"";
    world.says.insert("api".to_owned(), said.to_owned());
    world
}

#[test]
fn replicas_are_added_one_after_another_up_to_the_maximum_and_then_a_person_is_told() {
    let script = overloaded();
    let mut world = busy(&script);
    assert_eq!(world.run_until(DAWN + 115 * SECOND), Ok(()));
    let instances = world.supervisor.view().instances.len();
    let all = world.supervisor.incidents();
    let added = all.iter().flat_map(|it| &it.tries).filter(|it| it.remedy == Remedy::ScaleOut);
    assert_eq!((instances, added.count() >= 2), (3, true), "{all:#?}");
}

#[test]
fn a_replica_above_the_maximum_is_noticed() {
    let script = overloaded();
    let mut world = busy(&script);
    world.sabotage = Some(Box::new(|_, effects| {
        for effect in effects {
            if let Effect::Record(Record::App(spec)) = effect
                && spec.instances == 3
            {
                spec.heal.most_instances = Some(2);
            }
        }
    }));
    let seen = play(&script, &mut world).map_err(|it| it.rule);
    assert_eq!(seen, Err(Rule::GrowsWithinMaximum));
}

#[test]
fn the_number_of_processes_is_raised_step_by_step_to_its_ceiling_and_within_the_budget() {
    let mut spec = app("api");
    spec.restart.max_restarts = 30;
    spec.restart.half_open_after = None;
    let nproc = ResourceLimit { resource: Resource::Nproc, most: Some(16) };
    spec.limits.resources = vec![nproc];
    for (ceiling, expected) in [(40, vec![32, 40]), (4096, vec![32, 64, 128])] {
        spec.heal.ceilings = BTreeMap::from([(Bound::Processes, ceiling)]);
        let mut world = World::new(&story(spec.clone(), Behaviour::Stillborn, Vec::new()));
        let said = "pthread_create failed: Resource temporarily unavailable";
        world.says.insert("api".to_owned(), said.to_owned());
        assert_eq!(world.run_until(DAWN + 110 * SECOND), Ok(()));
        let all = world.supervisor.incidents();
        let raises = all.iter().flat_map(|it| &it.story).filter_map(|it| {
            let (_, to) = it.what.split_once("the limit of its processes is raised from ")?;
            to.rsplit_once(' ').and_then(|(_, to)| to.parse::<u64>().ok())
        });
        let raises: Vec<u64> = raises.collect();
        assert_eq!(raises, expected, "{all:#?}");
        assert!(raises.len() <= APP_BUDGET);
    }
}
