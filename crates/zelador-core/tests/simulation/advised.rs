//! A model that is asked, in the virtual world.

use std::collections::BTreeMap;

use zelador_core::diagnosis::Cause;
use zelador_core::healing::Remedy;
use zelador_core::incident::Stage;
use zelador_core::spec::{AppSpec, HealCommand};
use zelador_core::unit::SECOND;

use crate::healing::incidents;
use crate::script::{Behaviour, app, health};
use crate::watcher::story;
use crate::world::{DAWN, World};

#[test]
fn a_model_is_asked_once_about_a_trouble_that_nobody_knows_and_holds_nobody_back() {
    for says in [Cause::BadConfig, Cause::DataCorruption, Cause::DiskFull, Cause::Overload] {
        let spec = AppSpec { health: Some(health("api")), ..app("api") };
        let mut world = World::new(&story(spec, Behaviour::Sick, Vec::new()));
        world.model = Some(says);
        assert_eq!(world.run_until(DAWN + 300 * SECOND), Ok(()));
        let asked = world.done.iter().filter(|(_, what)| what == "consult").count();
        assert_eq!(asked, 1, "{says:?}: {:?}", world.done);
        let all = incidents(&world);
        assert!(all[0].story.iter().any(|it| it.what.starts_with("the model says")), "{all:#?}");
        let tried: Vec<&Remedy> = all[0].tries.iter().map(|it| &it.remedy).collect();
        assert_eq!(tried, [&Remedy::Restart; 4], "{says:?}: what the rules would have done");
        assert_eq!(all[0].stage, Stage::Escalated);
    }
}

#[test]
fn a_model_that_knows_the_cause_brings_the_command_that_is_declared_against_it() {
    let drain = HealCommand {
        run: vec!["drain".to_owned()],
        when: vec![Cause::DbTooManyConnections],
        timeout: 5 * SECOND,
    };
    let mut spec = AppSpec { health: Some(health("api")), ..app("api") };
    spec.heal.commands = BTreeMap::from([("drain".to_owned(), drain)]);
    let mut world = World::new(&story(spec, Behaviour::Sick, Vec::new()));
    world.model = Some(Cause::DbTooManyConnections);
    assert_eq!(world.run_until(DAWN + 300 * SECOND), Ok(()));
    let all = incidents(&world);
    assert_eq!(all[0].tries[0].remedy, Remedy::Command("drain".to_owned()), "{:#?}", all[0].story);
}

#[test]
fn a_model_is_asked_before_a_person_where_the_rules_were_sure_and_their_remedy_failed() {
    let spec = AppSpec { health: Some(health("api")), ..app("api") };
    let mut world = World::new(&story(spec, Behaviour::Sick, Vec::new()));
    world.model = Some(Cause::BadConfig);
    world
        .says
        .insert("api".to_owned(), "fatal error: all goroutines are asleep - deadlock!".to_owned());
    assert_eq!(world.run_until(DAWN + 300 * SECOND), Ok(()));
    let [incident, ..] = &incidents(&world)[..] else { panic!("an incident") };
    let at = |words: &str| incident.story.iter().position(|it| it.what.starts_with(words));
    let (last_try, asked) = (at("try 4"), at("a remedy failed: oracle is asked"));
    assert!(last_try.is_some() && asked > last_try, "{:#?}", incident.story);
    assert!(at("the model says") > asked && at("escalated") > asked, "{:#?}", incident.story);
    assert_eq!(world.done.iter().filter(|(_, what)| what == "consult").count(), 1);
}
