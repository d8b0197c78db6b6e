//! A disk of the host that is full.

use std::path::PathBuf;

use zelador_core::check::CheckTarget;
use zelador_core::config::Overlay;
use zelador_core::effect::{Deed, Effect};
use zelador_core::healing::Remedy;
use zelador_core::id::IncidentId;
use zelador_core::incident::{Incident, Outcome, Stage, Trouble};
use zelador_core::input::{Fact, Input, Unchanged};
use zelador_core::probe::{Finding, ProbeOutcome, Volume};
use zelador_core::spec::{HealMode, Limit};
use zelador_core::unit::{ByteSize, SECOND};
use zelador_core::words::quoted;

use crate::world::{World, app};

/// A host whose disk is so full, in thousandths of a percent, and what zelador wants done to it. It has another one that is
/// full and meant to be.
pub struct Host {
    pub world: World,
    pub full: u64,
    pub deeds: Vec<(IncidentId, Deed)>,
}

impl Host {
    pub fn new(full: u64) -> Self {
        let mut world = World::new();
        let measure = "/mnt/cd".to_owned();
        let limit = Limit {
            degraded: None,
            unhealthy: None,
            auto: false,
            margin: 0.0,
            below: false,
            measure,
        };
        let base = Overlay { mounts: Some(vec![limit]), ..Overlay::default() };
        world.hear(Fact::BaseSettings(Box::new(base)));
        for (name, mode) in [("api", HealMode::Heal), ("web", HealMode::Observe)] {
            let mut spec = app(vec![("name", name.into())]);
            spec.heal.mode = mode;
            spec.heal.caches = vec![PathBuf::from(format!("/srv/{name}/cache"))];
            world.declare(spec, Unchanged::LeaveAlone);
        }
        Self { world, full, deeds: Vec::new() }
    }

    fn step(&mut self, input: Input) {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.world.supervisor.step(self.world.now, input) {
                match effect {
                    Effect::Look { probe, target: CheckTarget::Disk, .. } => {
                        let volume = |mount: &str, full| Volume {
                            mount: mount.to_owned(),
                            used: ByteSize::new(full),
                            available: ByteSize::new(100_000 - full),
                            inodes: None,
                        };
                        let volumes = vec![volume("/mnt/cd", 100_000), volume("/", self.full)];
                        let finding = Finding::Disks { volumes };
                        let outcome = ProbeOutcome { finding, took: SECOND / 1000 };
                        inputs.push_back(Input::Fact(Fact::Looked { probe, outcome }));
                    }
                    Effect::Apply { incident, deed, .. } => self.deeds.push((incident, *deed)),
                    _ => {}
                }
            }
        }
    }

    pub fn wait(&mut self, seconds: u32) {
        let until = self.world.now + seconds * SECOND;
        while let Some((due, _)) =
            self.world.supervisor.next_deadline().filter(|(at, _)| *at <= until)
        {
            self.world.now = due.max(self.world.now);
            self.step(Input::Tick);
        }
        self.world.now = until;
    }

    /// Until something is to be done about it.
    fn wait_for_a_deed(&mut self) {
        while self.deeds.is_empty() {
            assert!(self.world.supervisor.next_deadline().is_some(), "it is looked at");
            self.wait(1);
        }
    }

    pub fn answer(&mut self, result: Result<&str, &str>) {
        let incident = self.deeds.last().expect("something is done").0;
        let result = result.map(quoted).map_err(quoted);
        self.step(Input::Fact(Fact::Applied { incident, result }));
    }

    fn incident(&self) -> Option<Incident> {
        let mut all = self.world.supervisor.incidents().into_iter();
        all.find(|it| it.trouble == Trouble::HostDisk).cloned()
    }
}

#[test]
fn a_full_disk_is_weighed_freed_and_looked_at_again() {
    let mut host = Host::new(97_000);
    host.wait_for_a_deed();
    let it = host.incident().expect("it is noticed");
    assert_eq!(it.app.as_str(), Incident::HOST_NAME);
    assert_eq!(it.evidence.as_ref().map(|it| it.volumes[0].path.clone()), Some("/".to_owned()));
    let caches = vec![PathBuf::from("/srv/api/cache")];
    let [(_, Deed::WeighDisk { caches: weighed, on, .. })] = &host.deeds[..] else {
        panic!("weighed first: {:?}", host.deeds)
    };
    assert_eq!((weighed, on), (&caches, &PathBuf::from("/")), "nothing of what is only observed");
    host.answer(Ok("3 old logs hold 2 GB"));
    let Some((_, Deed::FreeDisk { caches: freed, on, .. })) = host.deeds.last() else {
        panic!("then freed: {:?}", host.deeds)
    };
    assert_eq!((freed, on), (&caches, &Some(PathBuf::from("/"))));
    host.full = 60_000;
    host.answer(Ok("removed 3 files"));
    host.wait(60);
    let it = host.incident().expect("it is kept");
    assert_eq!(it.stage, Stage::Closed { outcome: Outcome::Healed }, "{it:#?}");
    assert_eq!(it.tries[0].remedy, Remedy::FreeDisk);
    assert!(it.story.iter().any(|it| it.what.contains("3 old logs hold 2 GB")), "{it:#?}");
}

#[test]
fn where_nothing_can_be_removed_or_it_is_not_enough_a_person_is_told() {
    let mut host = Host::new(97_000);
    host.wait_for_a_deed();
    host.answer(Err("there is nothing"));
    let it = host.incident().expect("it is noticed");
    assert_eq!((it.stage.clone(), it.tries.len()), (Stage::Escalated, 0), "{it:#?}");
    host.full = 50_000;
    host.wait(600);
    let it = host.incident().expect("it is kept");
    assert_eq!(it.stage, Stage::Closed { outcome: Outcome::Recovered });
    let mut host = Host::new(97_000);
    host.wait_for_a_deed();
    host.answer(Ok("1 old log holds 2 MB"));
    host.answer(Ok("removed 1 file"));
    host.wait(120);
    let it = host.incident().expect("it is noticed");
    assert_eq!(it.stage, Stage::Escalated, "{it:#?}");
    assert!(it.story.iter().any(|it| it.what.starts_with("try 1 did not help")), "{it:#?}");
    let known = host.deeds.len();
    host.wait(3600);
    assert_eq!(host.deeds.len(), known, "it is tried once");
}

#[test]
fn a_mount_with_a_limit_is_looked_at_though_nobody_writes_there() {
    let mut host = Host::new(50_000);
    let limit = |measure: &str, unhealthy| Limit {
        degraded: None,
        unhealthy,
        auto: false,
        margin: 0.0,
        below: false,
        measure: measure.to_owned(),
    };
    let mounts = Some(vec![limit("/mnt/backup", Some(90.0)), limit("/mnt/cd", None)]);
    let base = Overlay { mounts, ..Overlay::default() };
    host.world.hear(Fact::BaseSettings(Box::new(base)));
    let watched = host.world.supervisor.watched_folders();
    assert!(watched.contains(&PathBuf::from("/mnt/backup")), "{watched:?}");
    assert!(!watched.contains(&PathBuf::from("/mnt/cd")), "it is meant to be full: {watched:?}");
    assert!(!host.world.supervisor.written_folders().contains(&PathBuf::from("/mnt/backup")));
}
