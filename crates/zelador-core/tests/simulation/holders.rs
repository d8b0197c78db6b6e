//! Who has the port that an app cannot get: the world's holders, and that each of them is told once.

use std::collections::BTreeMap;

use zelador_core::evidence::{Evidence, PortHolder};
use zelador_core::healing::Remedy;
use zelador_core::id::IncidentId;
use zelador_core::incident::Incident;
use zelador_core::input::{Fact, Input};
use zelador_core::unit::{Moment, SECOND};

use crate::rule::{Rule, Violation, broken};
use crate::script::{Behaviour, app};
use crate::watcher::story;
use crate::world::{DAWN, World};

/// So long a process has the port before another has it.
const TURN: u64 = 40;

/// What is found about an app that cannot get its port: two processes have it in turns, and every fifth turn nobody
/// who may be looked at.
pub fn evidence(now: Moment) -> Evidence {
    let turn = now.since(DAWN).as_secs() / TURN;
    let pid = if turn.is_multiple_of(2) { 701 } else { 702 };
    let holder = PortHolder {
        port: 3000,
        pid: (turn % 5 != 4).then_some(pid),
        name: "node".to_owned(),
        started_at: Some(DAWN),
        ..PortHolder::default()
    };
    Evidence {
        err_tail: vec!["Error: listen EADDRINUSE: address already in use :::3000".to_owned()],
        port_holders: vec![holder],
        ..Evidence::default()
    }
}

/// What was found about an incident: who has the port by the last look, and how often each process was found there
/// after another.
type Found = (Vec<Option<i32>>, BTreeMap<i32, usize>);

/// Watches what is told of holders.
#[derive(Default)]
pub struct Holders {
    found: BTreeMap<IncidentId, Found>,
}

impl Holders {
    /// Looks whether a holder is told again although nothing is new.
    pub fn note(
        &mut self,
        now: Moment,
        input: &Input,
        incidents: &[&Incident],
    ) -> Result<(), Violation> {
        if let Input::Fact(Fact::Gathered { incident, evidence }) = input {
            let pids: Vec<_> = evidence.port_holders.iter().map(|holder| holder.pid).collect();
            let (last, times) = self.found.entry(*incident).or_default();
            if *last != pids {
                pids.iter().flatten().for_each(|pid| *times.entry(*pid).or_default() += 1);
                *last = pids;
            }
        }
        let open = incidents.iter().filter(|it| it.is_open());
        let found = open.filter_map(|it| Some((it, &self.found.get(&it.id)?.1)));
        found.into_iter().try_for_each(|(incident, times)| told_once(now, incident, times))
    }
}

/// Each time that a process is found to have the port it is told that it has it, and asked what to do about it.
fn told_once(
    now: Moment,
    incident: &Incident,
    times: &BTreeMap<i32, usize>,
) -> Result<(), Violation> {
    for (pid, times) in times {
        let holder = format!("(pid {pid},");
        let told = incident.story.iter().filter(|it| it.what.contains(&holder)).count();
        if told > 2 * times {
            let what = format!("{now}: {pid} was found {times} times, and told {told} times");
            return broken(Rule::HolderToldOnce, what);
        }
    }
    Ok(())
}

/// An app that cannot get its port, and what is known about that after so many seconds.
fn after(seconds: u32) -> World {
    let mut world = World::new(&story(app("api"), Behaviour::PortTaken, Vec::new()));
    assert_eq!(world.run_until(DAWN + seconds * SECOND), Ok(()));
    world
}

fn incident(world: &World) -> Incident {
    let incidents = world.supervisor.incidents();
    let [incident] = incidents.as_slice() else { panic!("{incidents:#?}") };
    (*incident).clone()
}

#[test]
fn who_has_the_port_is_told_and_offered_to_be_ended_once() {
    let world = after(30);
    let incident = incident(&world);
    assert!(incident.deaths > 2, "{incident:#?}");
    assert_eq!(incident.proposal, Some(Remedy::KillPortHolder));
    let told = incident.story.iter().filter(|it| it.what.contains("(pid 701,")).count();
    assert_eq!(told, 2, "what was found, and what is offered: {:#?}", incident.story);
}

#[test]
fn a_holder_that_is_told_again_is_noticed() {
    let world = after(30);
    let found = BTreeMap::from([(701, 1)]);
    let mut incident = incident(&world);
    assert_eq!(told_once(world.now, &incident, &found), Ok(()));
    let again = incident.story.iter().find(|it| it.what.contains("(pid 701,")).cloned();
    incident.story.extend(again);
    let rule = told_once(world.now, &incident, &found).map_err(|it| it.rule);
    assert_eq!(rule, Err(Rule::HolderToldOnce));
}
