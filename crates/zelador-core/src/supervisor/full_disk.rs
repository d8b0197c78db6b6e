//! A disk of the host that is full: what of it is zelador's own or may be made again is removed.
//!
//! Always holds: nothing is removed before it was weighed, nor where that would free nothing; nothing of
//! an app whose mode is not `heal`; what was removed is verified by a look at the disk.

use std::path::PathBuf;

use super::Supervisor;
use crate::check::{CheckResult, Status};
use crate::diagnosis::{Cause, Diagnosis, Reasons};
use crate::effect::{Deed, Effect};
use crate::evidence::{Evidence, VolumeSeen};
use crate::healing::fingerprint;
use crate::healing::guard::{Ruling, Wish, rule};
use crate::healing::{APPLY_WITHIN, Remedy, VERIFY_EVERY};
use crate::id::{AppName, CheckId, IncidentId};
use crate::incident::{Incident, Outcome, Stage, Trouble, TryResult};
use crate::probe::{Finding, Volume};
use crate::said::{Said, Why};
use crate::spec::{HOOK_WITHIN, HealMode};
use crate::words;
use crate::words::Words;

/// What the last look at a disk says of an incident about it.
pub(super) struct Room {
    /// There is as much room as freeing was to bring.
    pub is_enough: bool,
    /// How full it is.
    pub said: Words,
    /// Why there is no trouble any more, whatever was done about it; `None`: there is.
    pub over: Option<Words>,
}

impl Supervisor {
    /// The check of the host's disks turned unhealthy.
    pub(super) fn open_full_disk(&mut self, message: Words) {
        let Some(full) = self.full_volume() else { return };
        let Some(app) = AppName::new(Incident::HOST_NAME) else { return };
        let Some(id) = self.open_of(app, Incident::HOST, Trouble::HostDisk, message.clone()) else {
            return;
        };
        let volumes = self.volumes_seen(&full);
        let evidence = Evidence { gathered_at: self.now, volumes, ..Evidence::default() };
        let because = Reasons(vec![message]);
        let (cause, confidence, remedy) = (Cause::DiskFull, 0.98, Remedy::FreeDisk);
        let diagnosis = Diagnosis { cause, confidence, because, remedy, hypotheses: Vec::new() };
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.evidence = Some(evidence);
            incident.fingerprint =
                Some(fingerprint::of(&format!("{} {full}", Incident::HOST_NAME), &diagnosis));
            incident.diagnosis = Some(diagnosis);
        }
        let (logs, caches) = self.may_be_removed();
        self.do_disk_deed(id, Deed::WeighDisk { logs, caches, on: PathBuf::from(full) });
    }

    pub(super) fn do_disk_deed(&mut self, id: IncidentId, deed: Deed) {
        let give_up_at = self.now + HOOK_WITHIN + APPLY_WITHIN;
        let (deed, timeout) = (Box::new(deed), HOOK_WITHIN);
        self.effects.push(Effect::Apply { incident: id, deed, timeout });
        self.set_stage(id, Stage::Applying { run: None, give_up_at });
    }

    /// Logs that zelador renamed, by the files that it writes, and caches of apps that it may treat.
    pub(super) fn may_be_removed(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let treated = self.apps.values().filter(|app| app.spec.heal.mode == HealMode::Heal);
        let mut caches: Vec<PathBuf> =
            treated.flat_map(|app| app.spec.heal.caches.iter().cloned()).collect();
        caches.sort();
        caches.dedup();
        (self.log_files(None), caches)
    }

    pub(super) fn volumes(&self) -> &[Volume] {
        match self.checks.get(&CheckId::Disk).and_then(|check| check.finding.as_ref()) {
            Some(Finding::Disks { volumes }) => volumes,
            _ => &[],
        }
    }

    /// The first that is beyond its limit: another one may be fuller, and meant to be.
    fn full_volume(&self) -> Option<String> {
        let last = self.checks.get(&CheckId::Disk)?.last.as_ref()?;
        let mut beyond = last.mounts_beyond()?.into_iter();
        beyond.find(|(_, status)| *status == Status::Unhealthy).map(|(mount, _)| mount)
    }

    /// All of them, the full one first.
    pub(super) fn volumes_seen(&self, full: &str) -> Vec<VolumeSeen> {
        let seen = |volume: &Volume| VolumeSeen {
            path: volume.mount.clone(),
            used: volume.share().value(),
            inodes: volume.inodes.map(|it| it.share().value()),
        };
        let mut seen: Vec<VolumeSeen> = self.volumes().iter().map(seen).collect();
        seen.sort_by(|a, b| b.used.total_cmp(&a.used));
        seen.sort_by_key(|it| it.path != full);
        seen
    }

    /// It was weighed, or removed, or could not be.
    pub(super) fn disk_deed_done(&mut self, id: IncidentId, result: Result<Words, Words>) {
        let removes = self.incidents[&id].current.is_some();
        match result {
            Ok(said) if removes => {
                self.say(id, Said::Done(said));
                let until = self.now + self.disk_patience();
                self.set_stage(id, Stage::Verifying { until });
                self.look_at_disk_soon();
            }
            Ok(said) => {
                self.tell(id, said);
                self.consider_freeing(id);
            }
            Err(why) if removes => self.freeing_failed(id, why),
            Err(why) => self.escalate(id, why),
        }
    }

    /// What the guard says; the host has no mode of its own.
    pub(super) fn consider_freeing(&mut self, id: IncidentId) {
        let (remedy, incident) = (Remedy::FreeDisk, &self.incidents[&id]);
        let wish = Wish {
            app: &incident.app,
            remedy: &remedy,
            diagnosis: incident.diagnosis.as_ref(),
            evidence: incident.evidence.as_ref(),
            mode: HealMode::Heal,
            approved: false,
            again: false,
            own: false,
            quiet_until: None,
            busy: None,
            fingerprint: incident.fingerprint.as_deref(),
        };
        match rule(&wish, &self.history, self.now) {
            Ruling::Go => {
                if let Some(incident) = self.incidents.get_mut(&id) {
                    incident.current = Some(remedy.clone());
                }
                self.note_try(id, &remedy, false);
                let (logs, caches) = self.may_be_removed();
                let on = self.incidents[&id].evidence.as_ref();
                let on = on.and_then(|it| it.volumes.first()).map(|it| PathBuf::from(&it.path));
                self.do_disk_deed(id, Deed::FreeDisk { logs, caches, on });
            }
            Ruling::Wait { until, why } => {
                self.say(id, Said::NotNow { remedy, why: why.into() });
                self.set_stage(id, Stage::Pausing { retry_at: until });
            }
            Ruling::Refuse { why } | Ruling::Ask { why } => {
                self.say(id, Said::Refused { remedy, why: why.into() });
                let nothing = Why::NothingHelped(Vec::new());
                self.escalate(id, nothing);
            }
            Ruling::WouldHave => self.set_stage(id, Stage::Observing),
        }
    }

    /// Moves one on as far as it goes now.
    pub(super) fn drive_disk(&mut self, id: IncidentId) {
        let Some(check) = self.checks.get(&CheckId::Disk) else { return self.disk_is_left(id) };
        let said = check.last.as_ref().map(CheckResult::words).unwrap_or_default();
        // An engine that has just begun knows nothing yet.
        let has_room = check.verdict.is_some_and(|verdict| verdict != Status::Unhealthy);
        let over = has_room.then(|| said.clone());
        self.drive_freeing(id, Room { is_enough: has_room, said, over });
    }

    /// Nobody looks at the disk any more.
    pub(super) fn disk_is_left(&mut self, id: IncidentId) {
        let gone = words!("the disk is not looked at any more", "o disco não é mais verificado");
        self.close(id, Outcome::TakenOver, gone);
    }

    /// Moves an incident on that freeing a disk is to end.
    pub(super) fn drive_freeing(&mut self, id: IncidentId, room: Room) {
        let incident = &self.incidents[&id];
        let stage = incident.stage.clone();
        let tried_at = incident.tries.last().map(|last| last.at);
        let looked_at = self.checks.get(&CheckId::Disk).and_then(|it| Some(it.last.as_ref()?.at));
        let is_fresh = looked_at.zip(tried_at).is_some_and(|(looked, tried)| looked > tried);
        match stage {
            Stage::Verifying { .. } if room.is_enough && is_fresh => {
                self.close(id, Outcome::Healed, room.said);
            }
            Stage::Verifying { until } if self.now >= until && is_fresh => {
                self.freeing_failed(id, room.said);
            }
            Stage::Verifying { until } => {
                if self.now >= until {
                    // The look that decides is on its way.
                    self.set_stage(id, Stage::Verifying { until: self.now + VERIFY_EVERY });
                }
                self.look_at_disk_soon();
            }
            Stage::Applying { give_up_at, .. } if self.now >= give_up_at => {
                self.disk_deed_done(id, Err(Why::TookTooLong.words()));
            }
            Stage::Pausing { .. } | Stage::Escalated | Stage::Observing if room.over.is_some() => {
                self.close(id, Outcome::Recovered, room.over.unwrap_or_default());
            }
            Stage::Pausing { retry_at } if self.now >= retry_at => self.consider_freeing(id),
            _ => {}
        }
    }

    /// So many looks are needed until a verdict changes, one a second.
    fn disk_patience(&self) -> std::time::Duration {
        let cadence = self.checks.get(&CheckId::Disk).map(|check| check.plan.cadence);
        cadence.map_or(APPLY_WITHIN, |it| (VERIFY_EVERY + it.timeout) * (it.success_threshold + 1))
    }

    pub(super) fn look_at_disk_soon(&mut self) {
        let soon = self.now + VERIFY_EVERY;
        if let Some(check) = self.checks.get_mut(&CheckId::Disk)
            && check.under_way.is_none()
            && check.next_at > soon
        {
            check.next_at = soon;
            self.changed.checks.insert(CheckId::Disk);
        }
    }

    /// It was not enough, or could not be done: a person is told.
    pub(super) fn freeing_failed(&mut self, id: IncidentId, why: Words) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let number = incident.attempts;
        if let Some(last) = incident.tries.last_mut() {
            last.result = Some(TryResult::NoEffect);
        }
        self.end_use(id, false);
        self.changed.history = true;
        self.say(id, Said::TryFailed { number, result: TryResult::NoEffect, why: why.into() });
        let tried = self.incidents[&id].tried();
        self.escalate(id, tried);
    }
}
