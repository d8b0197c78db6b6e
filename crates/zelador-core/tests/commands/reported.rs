//! Incidents that a person opens.

use zelador_core::effect::Refusal;
use zelador_core::healing::Remedy;
use zelador_core::id::IncidentId;
use zelador_core::incident::{Incident, Outcome, Stage, Trouble};
use zelador_core::input::{Command, IncidentOrder, Unchanged};
use zelador_core::spec::HealMode;
use zelador_core::unit::SECOND;

use crate::world::{World, app};

fn report(what: &str) -> Command {
    Command::Report { selectors: vec!["api".into()], what: what.into(), by: Some("ana".into()) }
}

fn order(order: IncidentOrder) -> Command {
    let id = IncidentId::new(1);
    Command::Incident { id, order, question: None, by: Some("ana".into()) }
}

/// A world with one app, of which a person says something.
fn reported(mode: HealMode) -> World {
    let mut spec = app(vec![("name", "api".into())]);
    spec.heal.mode = mode;
    let mut world = World::new();
    world.declare(spec, Unchanged::LeaveAlone);
    world.command(report("answers are slow")).expect("it is opened");
    world
}

fn incident(world: &World) -> Incident {
    let all = world.supervisor.incidents();
    assert_eq!(all.len(), 1, "{all:#?}");
    all[0].clone()
}

#[test]
fn evidence_and_a_diagnosis_come_at_once_and_nothing_is_done_before_a_person_says_yes() {
    let mut world = reported(HealMode::Heal);
    world.wait(60 * SECOND);
    let it = incident(&world);
    assert_eq!((it.trouble, it.stage.clone()), (Trouble::Reported, Stage::Observing), "{it:#?}");
    assert!(it.evidence.is_some() && it.diagnosis.is_some());
    assert_eq!(it.story[0].what, "detected: ana says: answers are slow");
    assert_eq!((it.asks_for(), it.tries.len()), (Some(&Remedy::Restart), 0));
    let before = world.list()[0].pid;
    world.command(order(IncidentOrder::Approve)).expect("it is asked for");
    world.wait(SECOND);
    assert_ne!(world.list()[0].pid, before, "it was restarted");
    world.wait(2 * SECOND);
    assert!(incident(&world).is_open(), "it must stay well for a while");
    world.wait(10 * SECOND);
    assert_eq!(incident(&world).stage, Stage::Closed { outcome: Outcome::Healed });
}

#[test]
fn a_person_closes_it_and_nobody_closes_what_zelador_sees_by_itself() {
    let mut world = reported(HealMode::Heal);
    let again = world.command(report("still slow")).expect("it is noted");
    assert!(again.notes[0].contains("incident 1 of api is open already"), "{again:?}");
    world.command(order(IncidentOrder::Close)).expect("it is closed");
    let it = incident(&world);
    assert_eq!(it.stage, Stage::Closed { outcome: Outcome::TakenOver });
    assert!(it.story.iter().any(|it| it.what.contains("ana closed it")), "{it:#?}");
    let twice = world.command(order(IncidentOrder::Close)).unwrap_err();
    assert!(twice.words().english().contains("is over"), "{twice:?}");
    let run = world.list()[0].phase.run().expect("it is up");
    world.die(run, zelador_core::death::Death::Exited { code: 1 });
    let id = IncidentId::new(2);
    let (order, question, by) = (IncidentOrder::Close, None, None);
    let refused = world.command(Command::Incident { id, order, question, by }).unwrap_err();
    assert!(refused.words().english().contains("sees by itself"), "{refused:?}");
}

#[test]
fn what_is_observed_gets_no_proposal_and_what_is_stopped_or_said_in_no_words_no_incident() {
    let world = reported(HealMode::Observe);
    let it = incident(&world);
    assert_eq!((it.asks_for(), it.stage.clone()), (None, Stage::Observing), "{it:#?}");
    let mut world = reported(HealMode::Heal);
    let none = world.command(report("  ")).unwrap_err();
    assert!(none.words().english().contains("needs words"), "{none:?}");
    world.command(Command::Stop { selectors: vec!["api".into()] }).expect("it is stopped");
    let stopped = world.command(report("it is away")).unwrap_err();
    assert!(matches!(stopped, Refusal::NotPossible { .. }), "{stopped:?}");
    assert_eq!(world.supervisor.incidents().len(), 1);
}

#[test]
fn who_asked_for_what_is_evidence_of_the_end_that_followed() {
    let mut world = World::new();
    world.declare(app(vec![("name", "api".into())]), Unchanged::LeaveAlone);
    let selectors = vec!["api".to_owned()];
    let signal = zelador_core::signal::Signal::TERM;
    let forged = Command::By {
        who: "eve".to_owned(),
        command: Box::new(Command::Signal { selectors, signal }),
    };
    world.command(forged.signed("ana")).expect("it is sent");
    world.wait(3 * SECOND);
    let run = world.list()[0].phase.run().expect("it is up");
    world.die(run, zelador_core::death::Death::Signaled { signal, core_dumped: false });
    let it = incident(&world);
    let evidence = it.evidence.expect("it was gathered");
    let asked: Vec<String> = evidence.asked.iter().map(|it| it.words(it.at).to_string()).collect();
    assert_eq!(asked, ["ana asked for `signal SIGTERM` 0 ms before"]);
    let sent = zelador_core::healing::case::snapshot(&evidence).asked;
    assert!(sent[0].starts_with("signal SIGTERM") && !sent[0].contains("ana"), "{sent:?}");
}
