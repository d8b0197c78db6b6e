//! A disk of the host that comes to its limit before it is full.

use zelador_core::effect::Deed;
use zelador_core::healing::Remedy;
use zelador_core::incident::{Incident, Outcome, Stage, Trouble};

use crate::full_disk::Host;

/// Lets so many seconds pass while the disk is as full as that, in percent by seconds.
fn live(host: &mut Host, seconds: u32, full: impl Fn(f64) -> f64) {
    for second in 0..seconds {
        host.full = (full(f64::from(second)) * 1000.0) as u64;
        host.wait(1);
    }
}

fn of(host: &Host, trouble: Trouble) -> Vec<Incident> {
    let all = host.world.supervisor.incidents().into_iter();
    all.filter(|it| it.trouble == trouble).cloned().collect()
}

fn forecasts(host: &Host) -> Vec<Incident> {
    of(host, Trouble::Forecast)
}

/// A percent a minute.
fn fills(from: f64) -> impl Fn(f64) -> f64 {
    move |second| from + second / 60.0
}

#[test]
fn what_fills_steadily_is_foretold_and_room_is_made_where_it_is_nearly_full() {
    let mut host = Host::new(76_000);
    live(&mut host, 590, fills(76.0));
    assert_eq!(forecasts(&host), [], "ten minutes are looked at first");
    live(&mut host, 60, fills(76.0 + 590.0 / 60.0));
    let [it] = &forecasts(&host)[..] else { panic!("it is foretold") };
    assert_eq!((it.app.as_str(), it.instance), (Incident::HOST_NAME, Incident::HOST));
    let told = &it.story[0].what;
    assert!(told.starts_with("detected: /, 86.0 % full now"), "{told}");
    assert!(told.contains("comes to its limit of 90.0 % in 4 min"), "{told}");
    let Some((_, Deed::WeighDisk { .. })) = host.deeds.last() else { panic!("{:?}", host.deeds) };
    host.answer(Ok("3 old logs hold 2 GB"));
    let Some((_, Deed::FreeDisk { .. })) = host.deeds.last() else { panic!("{:?}", host.deeds) };
    host.full = 60_000;
    host.answer(Ok("removed 3 files"));
    host.wait(60);
    let it = forecasts(&host).remove(0);
    assert_eq!(it.stage, Stage::Closed { outcome: Outcome::Healed }, "{it:#?}");
    assert_eq!(it.tries[0].remedy, Remedy::FreeDisk);
    assert_eq!(of(&host, Trouble::HostDisk), [], "it was never full");
}

#[test]
fn where_there_is_room_still_a_person_is_told_and_nothing_is_removed() {
    let mut host = Host::new(60_000);
    live(&mut host, 660, fills(60.0));
    let it = forecasts(&host).remove(0);
    assert_eq!((&it.stage, it.tries.len(), host.deeds.len()), (&Stage::Escalated, 0, 0), "{it:#?}");
    // It comes true: then it is the full disk that is dealt with.
    live(&mut host, 1300, fills(60.0 + 660.0 / 60.0));
    let it = forecasts(&host).remove(0);
    assert_eq!(it.stage, Stage::Closed { outcome: Outcome::TakenOver }, "{it:#?}");
    assert_eq!(of(&host, Trouble::HostDisk).len(), 1);
    // One that stops is over.
    let mut host = Host::new(60_000);
    live(&mut host, 660, fills(60.0));
    assert_eq!(forecasts(&host)[0].stage, Stage::Escalated);
    live(&mut host, 1800, |_| 71.0);
    let it = forecasts(&host).remove(0);
    assert_eq!(it.stage, Stage::Closed { outcome: Outcome::Recovered }, "{it:#?}");
}

#[test]
fn what_breathes_slows_down_or_is_meant_to_be_full_is_not_foretold() {
    let mut host = Host::new(60_000);
    live(&mut host, 3600, |second| 60.0 + 20.0 * (1.0 - (-second / 300.0).exp()));
    assert_eq!(forecasts(&host), [], "it comes to a level of its own");
    let mut host = Host::new(60_000);
    live(&mut host, 3600, |second| 70.0 - 10.0 * (second / 90.0).cos());
    assert_eq!(forecasts(&host), [], "what is written is removed again");
    let mut host = Host::new(50_000);
    live(&mut host, 1200, fills(50.0));
    live(&mut host, 600, |_| 50.0);
    let [once] = &forecasts(&host)[..] else { panic!("it is foretold: {:#?}", forecasts(&host)) };
    assert_eq!(once.stage, Stage::Closed { outcome: Outcome::Recovered });
    live(&mut host, 1200, fills(50.0));
    assert_eq!(forecasts(&host).len(), 1, "it was as full, and came back from there");
    let mut host = Host::new(10_000);
    live(&mut host, 1200, |second| 10.0 + second / 60.0);
    assert_eq!(forecasts(&host), [], "the limit is far away");
}
