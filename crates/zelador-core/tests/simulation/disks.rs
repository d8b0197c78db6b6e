//! File systems of the host that fill: what may be foretold of them, and what may be removed for that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zelador_core::check::CheckTarget;
use zelador_core::config::Overlay;
use zelador_core::effect::{Deed, Effect};
use zelador_core::healing::guard::DISK_IS_FINE;
use zelador_core::id::IncidentId;
use zelador_core::incident::{Incident, Trouble};
use zelador_core::input::{Fact, Input};
use zelador_core::probe::{Finding, Volume};
use zelador_core::spec::Limit;
use zelador_core::unit::{ByteSize, Moment, SECOND};

use crate::rule::{Rule, Violation, broken};
use crate::script::{self, Behaviour, Event, Loss, Script, app};
use crate::watcher::rule_broken_by_turning;
use crate::world::{DAWN, World};

/// The limit from which on a file system is full, in percent: the default.
const LIMIT: f64 = 90.0;

/// So long a file system is looked at before anything is foretold of it.
const LEAST_SEEN: Duration = Duration::from_mins(10);

/// The file system that is full and meant to be.
const READ_ONLY: &str = "/mnt/cd";

/// What is known of the file systems, as the supervisor is told it.
#[derive(Default)]
pub struct Disks {
    /// Since when this engine looks at each, and how full it was last, in percent.
    seen: BTreeMap<String, (Moment, f64)>,
    /// Forecasts that were there before this step.
    known: BTreeSet<IncidentId>,
    /// Incidents for which room was made.
    freed: BTreeSet<IncidentId>,
}

impl Disks {
    /// A new engine has seen nothing yet.
    pub fn engine_is_new(&mut self) {
        self.seen.clear();
    }

    /// Looks whether a step foretells or removes what it must not.
    pub fn note(
        &mut self,
        now: Moment,
        (input, effects): (&Input, &[Effect]),
        incidents: &[&Incident],
    ) -> Result<(), Violation> {
        if let Input::Fact(Fact::Looked { outcome, .. }) = input
            && let Finding::Disks { volumes } = &outcome.finding
        {
            for volume in volumes {
                let seen = self.seen.entry(volume.mount.clone()).or_insert((now, 0.0));
                seen.1 = volume.share().value();
            }
        }
        let foretold =
            |it: &&&Incident| it.trouble == Trouble::Forecast && it.instance == Incident::HOST;
        for forecast in incidents.iter().filter(foretold) {
            let seen = forecast.evidence.as_ref().and_then(|it| it.volumes.first());
            let mount = seen.map(|it| it.path.as_str()).unwrap_or_default();
            let Some((since, full)) = self.seen.get(mount).copied() else { continue };
            let is_new = self.known.insert(forecast.id);
            let too_soon = now.since(since) + SECOND < LEAST_SEEN; // it counts whole seconds
            if is_new && (mount == READ_ONLY || too_soon || !(LIMIT / 2.0..LIMIT).contains(&full)) {
                let what =
                    format!("{now}: {mount}, {full} % full, is foretold, seen since {since}");
                return broken(Rule::DisksAreForetold, what);
            }
            self.removes_where_it_lacks(now, forecast, mount, effects)?;
        }
        Ok(())
    }

    /// What is removed for a forecast is on its file system, which lacks room, and removed once.
    fn removes_where_it_lacks(
        &mut self,
        now: Moment,
        forecast: &Incident,
        mount: &str,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        for effect in effects {
            let Effect::Apply { incident, deed, .. } = effect else { continue };
            let (on, removes) = match &**deed {
                Deed::WeighDisk { on, .. } => (Some(on), false),
                Deed::FreeDisk { on, .. } => (on.as_ref(), true),
                _ => continue,
            };
            if *incident != forecast.id {
                continue;
            }
            let full = self.seen.get(mount).map(|(_, full)| *full).unwrap_or_default();
            let elsewhere = on.is_none_or(|on| on.as_os_str() != mount);
            let again = removes && !self.freed.insert(forecast.id);
            if elsewhere || again || full < DISK_IS_FINE {
                let what = format!("{now}: {mount} is {full} % full: {deed:?}");
                return broken(Rule::DisksAreForetold, what);
            }
        }
        Ok(())
    }
}

/// How a file system fills.
#[derive(Clone, Copy, Debug)]
pub enum Course {
    /// It stays as it is.
    Still,
    /// So many percent an hour.
    Steady(f64),
    /// It comes to a level so much higher, in this time.
    Levels { by: f64, within: Duration },
    /// It rises by so much, and is tidied up, again and again.
    Breathes { by: f64, every: Duration },
}

/// A file system of the virtual host.
#[derive(Clone, Copy, Debug)]
pub struct DiskModel {
    pub begins: f64,
    pub course: Course,
    /// What zelador may remove of it, in percent of the whole.
    pub own: f64,
    /// What was removed.
    pub removed: f64,
}

impl DiskModel {
    fn full(&self, age: Duration) -> f64 {
        let seconds = age.as_secs_f64();
        let more = match self.course {
            Course::Still => 0.0,
            Course::Steady(an_hour) => an_hour * seconds / 3600.0,
            Course::Levels { by, within } => by * (1.0 - (-seconds / within.as_secs_f64()).exp()),
            Course::Breathes { by, every } => by * (seconds / every.as_secs_f64()).fract(),
        };
        (self.begins + more - self.removed).clamp(0.0, 99.0)
    }
}

impl World {
    /// What a look at the file systems finds; `None`: this world has none.
    pub fn find_disks(&self, target: &CheckTarget) -> Option<Finding> {
        let disks = self.host.as_ref().map(|host| &host.disks)?;
        if disks.is_empty() || *target != CheckTarget::Disk {
            return None;
        }
        let age = self.now.since(DAWN);
        let volume = |(mount, disk): (&String, &DiskModel)| {
            // In eighths of a percent, which are written and read as they are.
            let used = (disk.full(age) * 8.0) as u64 * 125;
            let (used, available) = (ByteSize::new(used), ByteSize::new(100_000 - used));
            Volume { mount: mount.clone(), used, available, inodes: None }
        };
        Some(Finding::Disks { volumes: disks.iter().map(volume).collect() })
    }

    /// What is zelador's own is removed.
    pub fn free_disk(&mut self, deed: &Deed) {
        let Deed::FreeDisk { on: Some(on), .. } = deed else { return };
        let Some(host) = self.host.as_mut() else { return };
        if let Some(disk) = host.disks.get_mut(&*on.to_string_lossy()) {
            disk.removed += std::mem::take(&mut disk.own);
        }
    }
}

fn disk(begins: f64, course: Course, own: f64) -> DiskModel {
    DiskModel { begins, course, own, removed: 0.0 }
}

/// A host with these file systems, looked at every half minute.
fn host(
    seed: u64,
    rudeness: u8,
    disks: &[(&str, DiskModel)],
    events: Vec<(Duration, Event)>,
) -> World {
    let spec = app("api");
    let declared = (Duration::ZERO, Event::User(script::declare(&[&spec])));
    let events = [declared].into_iter().chain(events).collect();
    let calm_at = Duration::from_hours(12);
    let apps = vec![(spec, Behaviour::Good)];
    let mut world = World::new(&Script { seed, rudeness, apps, events, calm_at });
    let read_only = (READ_ONLY, disk(99.0, Course::Still, 0.0));
    let disks = disks.iter().copied().chain([read_only]);
    let disks = disks.map(|(mount, disk)| (mount.to_owned(), disk)).collect();
    world.host =
        Some(crate::host_model::HostModel { disks, ..crate::host_model::HostModel::default() });
    let mut settings: Overlay = serde_json::from_value(serde_json::json!({
        "memory": "off", "cpu": "off", "heartbeat": script::settings().heartbeat,
    }))
    .unwrap();
    settings.mounts = Some(vec![Limit {
        measure: READ_ONLY.to_owned(),
        degraded: None,
        unhealthy: None,
        auto: false,
        margin: 0.0,
        below: false,
    }]);
    world.say(DAWN + SECOND / 100, Fact::BaseSettings(Box::new(settings)), false);
    world
}

fn forecasts(world: &World) -> Vec<&Incident> {
    let all = world.supervisor.incidents().into_iter();
    all.filter(|it| it.trouble == Trouble::Forecast).collect()
}

/// A file system at random.
fn random(rng: &mut fastrand::Rng) -> DiskModel {
    let span = |rng: &mut fastrand::Rng| Duration::from_mins(rng.u64(5..200));
    let course = match rng.u8(0..5) {
        0 => Course::Levels { by: rng.f64() * 50.0, within: span(rng) },
        1 => Course::Breathes { by: rng.f64() * 30.0, every: span(rng) },
        2 => Course::Still,
        _ => Course::Steady(rng.f64() * 40.0),
    };
    disk(rng.f64() * 89.0, course, rng.f64() * 40.0)
}

#[test]
fn on_no_host_is_a_disk_foretold_too_soon_or_anything_removed_where_there_is_room() {
    let (mut foretold, mut freed) = (0, 0);
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let disks = [("/", random(&mut rng)), ("/var", random(&mut rng))];
        let lost = Event::EngineLost { when: Loss::Now, away: SECOND };
        let events = vec![(Duration::from_mins(rng.u64(1..200)), lost)];
        let mut world = host(seed, (seed % 3) as u8, &disks, events);
        assert_eq!(
            world.run_until(DAWN + Duration::from_hours(4)),
            Ok(()),
            "seed {seed}: {disks:?}"
        );
        foretold += forecasts(&world).len();
        freed += forecasts(&world).iter().filter(|it| !it.tries.is_empty()).count();
    }
    assert!(
        foretold > 20 && freed > 5,
        "otherwise the rule could not be broken: {foretold}, {freed}"
    );
}

/// The world in which room is made for a forecast, to be sabotaged.
fn filling() -> World {
    host(
        7,
        0,
        &[("/", disk(81.0, Course::Steady(30.0), 20.0)), ("/var", disk(10.0, Course::Still, 5.0))],
        Vec::new(),
    )
}

#[test]
fn what_is_removed_elsewhere_or_twice_for_a_forecast_is_noticed() {
    let end = DAWN + Duration::from_hours(1);
    let elsewhere = rule_broken_by_turning(filling, end, |effects| {
        for effect in effects {
            if let Effect::Apply { deed, .. } = effect
                && let Deed::FreeDisk { on, .. } = &mut **deed
            {
                *on = Some("/var".into());
            }
        }
    });
    assert_eq!(elsewhere, Some(Rule::DisksAreForetold));
    let twice = rule_broken_by_turning(filling, end, |effects| {
        let removes = |it: &&Effect| matches!(it, Effect::Apply { deed, .. } if matches!(**deed, Deed::FreeDisk { .. }));
        let again = effects.iter().find(removes).cloned();
        effects.extend(again);
    });
    assert_eq!(twice, Some(Rule::DisksAreForetold));
}

#[test]
fn a_disk_that_is_foretold_at_its_first_look_or_has_room_is_noticed() {
    let mut world = filling();
    while forecasts(&world).is_empty() {
        assert_eq!(world.turn(DAWN + Duration::from_hours(1)), Ok(true), "it is foretold");
    }
    let incidents = world.supervisor.incidents();
    let seen = |minutes: u64, full: f64| {
        let since = world.now - Duration::from_mins(minutes);
        let seen = [("/".to_owned(), (since, full))].into();
        let mut disks = Disks { seen, ..Disks::default() };
        disks.note(world.now, (&Input::Tick, &[]), &incidents).map_err(|it| it.rule)
    };
    assert_eq!(seen(11, 80.0), Ok(()));
    assert_eq!(seen(9, 80.0), Err(Rule::DisksAreForetold));
    assert_eq!(seen(11, 40.0), Err(Rule::DisksAreForetold));
    assert_eq!(seen(11, 91.0), Err(Rule::DisksAreForetold));
}
