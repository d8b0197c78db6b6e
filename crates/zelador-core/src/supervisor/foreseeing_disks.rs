//! A file system of the host that comes to its limit before it is full: foretold, and what is gentle done about it.
//!
//! Always holds: nothing is foretold of a mount without a limit, from less than ten minutes on one line, of less than half
//! of the limit, of what slows down, or was as full lately; nothing is removed where the guard would find room enough; what is no longer foretold,
//! or has come true, is over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Supervisor;
use super::foreseeing::{LEAST_SEEN, reached};
use super::full_disk::Room;
use crate::check::limit_of_mount;
use crate::diagnosis::{Cause, Diagnosis, Reasons};
use crate::effect::Deed;
use crate::evidence::Evidence;
use crate::healing::guard::DISK_IS_FINE;
use crate::healing::{Remedy, fingerprint};
use crate::id::{AppName, CheckId, IncidentId};
use crate::incident::{Incident, Outcome, Trouble};
use crate::probe::{Finding, Volume};
use crate::unit::{Moment, Percent};
use crate::words;
use crate::words::Words;

/// What is looked at more often is noted this often, as the usage of runs is.
const SPACED: Duration = Duration::from_secs(10);

/// So many looks at a file system are kept: an hour of them at least, as far as anything is foretold.
const KEPT: usize = 360;

/// What was done helped when the room up to the limit is so many times what it was. Ours.
const MORE_ROOM: f64 = 2.0;

/// How full the file systems of the host were lately, in thousandths of a percent, by mount.
#[derive(Debug, Default)]
pub(super) struct DiskCourses(BTreeMap<String, VecDeque<(Moment, i64)>>);

/// One that comes to its limit.
#[derive(Clone, Debug, PartialEq)]
struct Near {
    mount: String,
    used: Percent,
    limit: Percent,
    reached_in: Duration,
}

/// What the numbers of a mount say.
#[derive(Clone, Debug, PartialEq)]
enum Outlook {
    /// There are too few of them.
    Unknown,
    /// No limit is near.
    Clear,
    Near(Near),
    /// It is there: whether that is believed, the check says.
    Reached,
}

impl DiskCourses {
    fn note(&mut self, now: Moment, volumes: &[Volume]) {
        self.0.retain(|mount, _| volumes.iter().any(|volume| volume.mount == *mount));
        for volume in volumes {
            let seen = self.0.entry(volume.mount.clone()).or_default();
            if seen.back().is_some_and(|(at, _)| now.since(*at) < SPACED) {
                continue;
            }
            if seen.len() >= KEPT {
                seen.pop_front();
            }
            seen.push_back((now, thousandths(volume.share())));
        }
    }
}

fn thousandths(share: Percent) -> i64 {
    (share.value() * 1000.0) as i64
}

impl Supervisor {
    /// The disks of the host were looked at: does one of them come to its limit soon?
    pub(super) fn foresee_disks(&mut self, id: &CheckId, finding: &Finding) {
        let (CheckId::Disk, Finding::Disks { volumes }) = (id, finding) else { return };
        self.disk_courses.note(self.now, volumes);
        self.changed.world = true;
        let of_host = |it: &Incident| {
            it.instance == Incident::HOST
                && matches!(it.trouble, Trouble::Forecast | Trouble::HostDisk)
        };
        if self.incidents.values().any(|it| it.is_open() && of_host(it))
            || self.set_aside(id).is_some()
        {
            return;
        }
        let near = volumes.iter().filter_map(|it| match self.disk_outlook(&it.mount) {
            Outlook::Near(near) => Some(near),
            Outlook::Unknown | Outlook::Clear | Outlook::Reached => None,
        });
        if let Some(near) = near.min_by_key(|near| near.reached_in) {
            self.open_disk_forecast(&near);
        }
    }

    fn open_disk_forecast(&mut self, near: &Near) {
        let Some(app) = AppName::new(Incident::HOST_NAME) else { return };
        let why = foretold(near);
        let opened = self.open_of(app, Incident::HOST, Trouble::Forecast, why.clone());
        let Some(id) = opened else { return };
        let volumes = self.volumes_seen(&near.mount);
        let evidence = Evidence { gathered_at: self.now, volumes, ..Evidence::default() };
        // What a line says of the time to come is never certain.
        let (cause, confidence, remedy) = (Cause::DiskFull, 0.6, Remedy::FreeDisk);
        let because = Reasons(vec![why.clone()]);
        let diagnosis = Diagnosis { cause, confidence, because, remedy, hypotheses: Vec::new() };
        if let Some(incident) = self.incidents.get_mut(&id) {
            let of = format!("{} {}", Incident::HOST_NAME, near.mount);
            incident.evidence = Some(evidence);
            incident.fingerprint = Some(fingerprint::of(&of, &diagnosis));
            incident.diagnosis = Some(diagnosis);
        }
        if near.used.value() < DISK_IS_FINE {
            return self.escalate(id, why);
        }
        let (logs, caches) = self.may_be_removed();
        self.do_disk_deed(id, Deed::WeighDisk { logs, caches, on: near.mount.clone().into() });
    }

    /// What the later half of what was seen of a mount says, ten minutes at least, what was before the last forecast was
    /// over left out. A disk that is tidied up now and then rises steadily for less.
    fn disk_outlook(&self, mount: &str) -> Outlook {
        let limit = self.limit_of_disk(mount);
        let (Some(limit), Some(seen)) = (limit, self.disk_courses.0.get(mount)) else {
            return Outlook::Clear;
        };
        let of_it = |it: &&Incident| {
            let on = it.evidence.as_ref().and_then(|it| it.volumes.first());
            it.instance == Incident::HOST
                && matches!(it.trouble, Trouble::Forecast | Trouble::HostDisk)
                && on.is_some_and(|on| on.path == mount)
        };
        let over = self.incidents.values().filter(of_it).filter_map(|it| it.closed_at);
        let after = over.max().unwrap_or_default();
        let points: Vec<(u64, i64)> = seen
            .iter()
            .filter(|(at, _)| *at > after)
            .map(|(at, used)| (at.since(Moment::default()).as_secs(), *used))
            .collect();
        let (Some((first, _)), Some((last, used))) = (points.first(), points.last()) else {
            return Outlook::Unknown;
        };
        if Duration::from_secs(last - first) < LEAST_SEEN {
            return Outlook::Unknown;
        }
        let bound = thousandths(limit);
        if *used >= bound {
            return Outlook::Reached;
        }
        let least = points.partition_point(|(at, _)| at + LEAST_SEEN.as_secs() <= *last);
        let later = &points[least.saturating_sub(1).min(points.len() / 2)..];
        // What was this full before has come back from there.
        let since = later.first().map_or(0, |(at, _)| *at);
        let breathes = seen
            .iter()
            .any(|(at, before)| at.since(Moment::default()).as_secs() < since && before >= used);
        let Some(reached_in) = reached(later, bound).filter(|_| !breathes) else {
            return Outlook::Clear;
        };
        if *used < bound / 2 {
            return Outlook::Clear;
        }
        let used = Percent::of(*used as u64, 100_000);
        Outlook::Near(Near { mount: mount.to_owned(), used, limit, reached_in })
    }

    /// From where on a file system is full; `None`: it is meant to be.
    fn limit_of_disk(&self, mount: &str) -> Option<Percent> {
        let check = self.checks.get(&CheckId::Disk)?;
        let limit = limit_of_mount(&check.plan, mount).filter(|limit| !limit.below)?;
        Percent::new(limit.unhealthy?)
    }

    /// Moves a forecast of a disk on as far as it goes now.
    pub(super) fn drive_disk_forecast(&mut self, id: IncidentId) {
        let incident = &self.incidents[&id];
        let of_it = incident.evidence.as_ref().and_then(|it| it.volumes.first());
        let Some((mount, before)) = of_it.map(|it| (it.path.clone(), it.used)) else { return };
        let full = self.incidents.values().find(|it| {
            it.is_open() && it.trouble == Trouble::HostDisk && it.instance == Incident::HOST
        });
        if let Some(full) = full.map(|it| it.id) {
            let why = words!("it came true: incident {full}", "aconteceu: incidente {full}",);
            return self.close(id, Outcome::TakenOver, why);
        }
        if !self.checks.contains_key(&CheckId::Disk) {
            return self.disk_is_left(id);
        }
        let now = self.volumes().iter().find(|it| it.mount == mount).map(Volume::share);
        let limit = self.limit_of_disk(&mount);
        let has_room = limit.zip(now).is_some_and(|(limit, now)| {
            limit.value() - now.value() >= (limit.value() - before) * MORE_ROOM
        });
        let now = now.unwrap_or_default();
        let said = if has_room {
            words!("{mount} is {now} full now", "{mount} está agora {now} cheio", now = now)
        } else {
            words!("{mount} is {now} full still", "{mount} ainda está {now} cheio", now = now)
        };
        let over = (self.disk_outlook(&mount) == Outlook::Clear).then(|| {
            words!(
                "{mount} does not come to its limit any more, as far as can be foretold",
                "{mount} já não chega ao limite, até onde se pode prever",
            )
        });
        self.drive_freeing(id, Room { is_enough: has_room, said, over });
    }
}

fn foretold(near: &Near) -> Words {
    let mount = &near.mount;
    words!(
        "{mount}, {used} full now, comes to its limit of {limit} in {span}, if it goes on like this",
        "{mount}, agora {used} cheio, chega ao limite de {limit} em {span}, se continuar assim",
        used = near.used,
        limit = near.limit,
        span = near.reached_in,
    )
}
