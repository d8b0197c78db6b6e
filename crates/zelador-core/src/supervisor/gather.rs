//! Evidence of an incident: what is known at once, what is asked for, and what came of it.
//!
//! Always holds: evidence is asked for before anything is done; what does not come in time is done
//! without.

use std::path::PathBuf;
use std::time::Duration;

use super::Supervisor;
use crate::check::Status;
use crate::death::Death;
use crate::diagnosis::Diagnosis;
use crate::effect::{Effect, Place};
use crate::evidence::since_good;
use crate::evidence::{Evidence, ProbeSeen};
use crate::footing::Footing;
use crate::healing::{Learned, Remedy, fingerprint};
use crate::id::{CheckId, IncidentId, InstanceId, RunId};
use crate::incident::{EARLIER_NAMED, Incident};
use crate::instance::Phase;
use crate::probe::Finding;
use crate::said::Said;
use crate::unit::{Moment, Percent};
use crate::words;
use crate::words::Words;

/// Within this span deaths count as restarts of the last hour.
const HOUR: Duration = Duration::from_hours(1);

impl Supervisor {
    /// What is known about an instance without looking.
    pub(super) fn known(&self, id: InstanceId) -> Evidence {
        let now = self.now;
        let mut known = Evidence { gathered_at: now, ..Evidence::default() };
        let Some(instance) = self.instances.get(&id) else { return known };
        known.deaths = instance.deaths.iter().cloned().collect();
        let recent = instance.deaths.iter().filter(|death| now.since(death.at) < HOUR);
        known.deaths_last_hour = u32::try_from(recent.count()).unwrap_or(u32::MAX);
        known.usage = instance.usage;
        if let Phase::Running { since, .. } = instance.phase {
            let millis = now.since(since).as_millis();
            known.uptime_millis = Some(u64::try_from(millis).unwrap_or(u64::MAX));
        }
        if let Some(course) = instance.phase.run().and_then(|run| self.courses.get(&run)) {
            known.course = course.samples().to_vec();
        }
        known.asked = self.asked_of(id);
        known.dependencies = self.dependencies_seen(&instance.app);
        if let (Some(good), Some(app)) = (&instance.good, self.apps.get(&instance.app)) {
            let now = Footing::of(&app.spec.launch, now);
            known.changes = good.differences(instance.footing.as_ref().unwrap_or(&now));
        }
        let check = self.checks.get(&CheckId::Instance(id));
        known.probe = check.and_then(|check| {
            let last = check.last.as_ref()?;
            let is_bad = check.verdict == Some(Status::Unhealthy);
            Some(ProbeSeen {
                failures: if is_bad { check.plan.cadence.failure_threshold } else { 0 },
                message: last.message.clone(),
                took_millis: u64::try_from(last.took.as_millis()).unwrap_or(u64::MAX),
            })
        });
        let memory = self.checks.get(&CheckId::Memory).and_then(|check| check.finding.as_ref());
        if let Some(Finding::Memory { used, total }) = memory {
            known.host_memory = Some(Percent::of(used.bytes(), total.bytes()).value());
        }
        known
    }

    /// Asks for the rest; `ended`: the run whose end it is about, and how it ended.
    pub(super) fn ask_for_evidence(
        &mut self,
        id: InstanceId,
        incident: IncidentId,
        known: Evidence,
        ended: Option<(RunId, Death)>,
    ) {
        let logs = self.logs_of(id);
        let (port, folders) = (self.port_of(id), self.folders_of(id));
        let Some(instance) = self.instances.get(&id) else { return };
        let place = self.apps.get(&instance.app).map(|app| Place {
            folder: app.spec.launch.cwd.clone(),
            script: PathBuf::from(&app.spec.launch.script),
            good_since: instance.good.as_ref().or(instance.footing.as_ref()).map(|it| it.since),
        });
        let place = Box::new(place.unwrap_or_default());
        let alive = ended.is_none().then_some(&instance.phase);
        let (run, pid) = (alive.and_then(Phase::run), alive.and_then(Phase::pid));
        let (ended, death) = ended.unzip();
        if let Some(incident) = self.incidents.get_mut(&incident) {
            incident.pending = Some(Box::new(Evidence { death, ..known }));
            self.changed.incidents.insert(incident.id);
        }
        self.effects.push(Effect::Gather { incident, run, ended, pid, logs, port, folders, place });
    }

    /// Takes in what was gathered.
    pub(super) fn gathered(&mut self, id: IncidentId, mut evidence: Evidence) {
        for holder in &mut evidence.port_holders {
            holder.app = self.app_of_holder(holder);
        }
        let open = self.incidents.get_mut(&id).filter(|it| it.is_open());
        let pending = open.and_then(|it| Some((it.pending.take()?, it)));
        let Some((known, incident)) = pending else {
            self.ignored += 1;
            return;
        };
        let evidence = joined(*known, evidence);
        let lines = evidence.out_tail.len() + evidence.err_tail.len();
        let usage = evidence.usage.map(|usage| (usage.memory, usage.cpu));
        let said = Said::Evidence {
            took: Duration::from_millis(evidence.took_millis),
            lines,
            threads: evidence.threads_of_process(),
            deaths: evidence.deaths.len(),
            usage,
            descriptors: evidence.descriptors.as_ref().map(|it| u64::from(it.open)),
        };
        if incident.evidence.is_none() {
            incident.say(self.now, said);
            if !evidence.changes.is_empty() {
                let changes = Words::joined(&evidence.changes, "; ");
                incident.tell(self.now, since_good(&changes));
            }
        }
        let pids = |it: &Evidence| it.port_holders.iter().map(|holder| holder.pid).collect();
        let before: Option<Vec<_>> = incident.evidence.as_ref().map(pids);
        if before.as_ref() != Some(&pids(&evidence)) {
            let seen_at = evidence.gathered_at;
            let holders = evidence.port_holders.iter().map(|holder| holder.spoken(seen_at));
            let holders: Vec<Words> = holders.collect();
            if !holders.is_empty() {
                incident.tell(self.now, Words::joined(&holders, "; "));
            }
            // A question about another process is none about this one.
            incident.proposal.take_if(|it| *it == Remedy::KillPortHolder);
        }
        incident.evidence = Some(evidence);
        self.changed.incidents.insert(id);
        self.changed.world = true;
    }

    /// Whether an incident has what it asked for, or has waited for it long enough.
    pub(super) fn has_evidence(&mut self, id: IncidentId, give_up_at: Moment) -> bool {
        let Some(incident) = self.incidents.get_mut(&id) else { return false };
        if incident.pending.is_none() {
            return true;
        }
        if self.now < give_up_at {
            return false;
        }
        // Nobody has looked: who had its port by the last look has it as far as anybody knows.
        let port_holders = incident.evidence.take().map(|last| last.port_holders);
        let port_holders = port_holders.unwrap_or_default();
        incident.evidence = incident.pending.take().map(|it| Evidence { port_holders, ..*it });
        self.say(id, Said::NoEvidence);
        true
    }

    /// Notes what an incident was taken for.
    pub(super) fn diagnosed(&mut self, id: IncidentId, diagnosis: Diagnosis) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let print = fingerprint::of(incident.app.as_str(), &diagnosis);
        // A crash loop is told in as few words as it takes.
        let said = if incident.fingerprint.as_ref() == Some(&print) {
            Said::SameDiagnosis(diagnosis.cause)
        } else {
            Said::Diagnosis {
                cause: diagnosis.cause,
                confidence: diagnosis.confidence,
                because: diagnosis.because.0.clone(),
                remedy: diagnosis.remedy.clone(),
            }
        };
        let is_new = incident.fingerprint.as_ref() != Some(&print);
        incident.fingerprint = Some(print);
        incident.diagnosis = Some(diagnosis);
        self.say(id, said);
        self.note_learned(id);
        let Some(incident) = self.incidents.get(&id).filter(|_| is_new) else { return };
        if !incident.earlier.is_empty() {
            let before: Vec<String> = incident.earlier.iter().map(ToString::to_string).collect();
            let known = incident.learned.iter();
            let known: Vec<Words> = known.map(Learned::words).collect();
            let before = before.join(", ");
            let same =
                words!("the same as in incident {before}", "o mesmo que no incidente {before}");
            let all: Vec<Words> = std::iter::once(same).chain(known).collect();
            self.tell(id, Words::joined(&all, "; "));
        }
    }

    /// Notes what is known of the trouble of an incident from others.
    pub(super) fn note_learned(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let Some(print) = &incident.fingerprint else { return };
        let same = |it: &&Incident| it.id != id && it.fingerprint.as_ref() == Some(print);
        let earlier = self.incidents.values().rev().filter(same).map(|it| it.id);
        let earlier = earlier.take(EARLIER_NAMED).collect();
        let learned = self.history.learned(print).to_vec();
        if let Some(incident) = self.incidents.get_mut(&id) {
            (incident.earlier, incident.learned) = (earlier, learned);
            self.changed.incidents.insert(id);
        }
    }
}

/// What was looked for, with what was known.
fn joined(known: Evidence, found: Evidence) -> Evidence {
    Evidence {
        deaths: known.deaths,
        death: known.death,
        uptime_millis: known.uptime_millis,
        deaths_last_hour: known.deaths_last_hour,
        course: known.course,
        probe: known.probe,
        host_memory: known.host_memory.or(found.host_memory),
        dependencies: known.dependencies,
        asked: known.asked,
        changes: known.changes.into_iter().chain(found.changes).collect(),
        usage: found.usage.or(known.usage),
        ..found
    }
}
