//! What is done about a sick app: detect, gather evidence, diagnose, apply a remedy, verify,
//! close or escalate. Level-triggered: an incident is driven by what is true now, so an event
//! that came early, late or twice makes no difference.

use std::time::Duration;

use crate::check::Status;
use crate::diagnosis::{Case, Diagnosis, Remedy, diagnose};
use crate::effect::{Effect, Severity};
use crate::evidence::Evidence;
use crate::healing::{GATHER_WITHIN, VERIFY_EVERY};
use crate::id::{CheckId, IncidentId, InstanceId};
use crate::incident::{Incident, Outcome, Stage, Trouble};
use crate::instance::{Goal, Phase};
use crate::unit::{Moment, spoken};

use super::Supervisor;
use super::dependencies::Dependency;

/// How many closed incidents are kept.
const CLOSED_KEPT: usize = 200;

impl Supervisor {
    /// An instance's own check turned unhealthy.
    pub(super) fn open_unresponsive(&mut self, id: InstanceId, message: &str) {
        let name = self.spoken_name(id);
        let text = format!("the check of {name} is unhealthy: {message}");
        let Some(incident) = self.open(id, Trouble::Unresponsive, &text) else { return };
        let give_up_at = self.now + GATHER_WITHIN;
        self.ask_for_evidence(id, incident);
        self.set_stage(incident, Stage::Gathering { give_up_at });
    }

    /// An instance's breaker opened.
    pub(super) fn open_crash_loop(&mut self, id: InstanceId, text: &str) {
        match self.open_incident_of(id, Trouble::CrashLoop) {
            Some(incident) => self.tell(incident, text),
            None => {
                let Some(incident) = self.open(id, Trouble::CrashLoop, text) else { return };
                self.ask_for_evidence(id, incident);
                self.set_stage(incident, Stage::AwaitingTrial);
            }
        }
    }

    /// Opens an incident unless the app has an open one of this kind.
    fn open(&mut self, id: InstanceId, trouble: Trouble, text: &str) -> Option<IncidentId> {
        let app = self.instances.get(&id)?.app.clone();
        let mut of_app = self.incidents.values().filter(|incident| incident.app == app);
        if of_app.any(|incident| incident.is_open() && incident.trouble == trouble) {
            return None;
        }
        let number = IncidentId::new(self.counters.incident);
        self.counters.incident += 1;
        self.changed.counters = true;
        let mut incident = Incident {
            id: number,
            app,
            instance: id,
            trouble,
            opened_at: self.now,
            closed_at: None,
            stage: Stage::Escalated,
            attempts: 0,
            evidence: None,
            diagnosis: None,
            story: Vec::new(),
        };
        incident.tell(self.now, format!("detected: {text}"));
        self.notify(
            Severity::Warning,
            incident.app.to_string(),
            format!("incident {number}: {text}"),
        );
        self.incidents.insert(number, incident);
        self.forget_old_incidents();
        Some(number)
    }

    fn forget_old_incidents(&mut self) {
        let closed: Vec<IncidentId> =
            self.incidents.values().filter(|it| !it.is_open()).map(|it| it.id).collect();
        for id in closed.iter().take(closed.len().saturating_sub(CLOSED_KEPT)) {
            self.incidents.remove(id);
            self.changed.incidents.insert(*id);
        }
    }

    fn open_incident_of(&self, id: InstanceId, trouble: Trouble) -> Option<IncidentId> {
        let app = &self.instances.get(&id)?.app;
        let mut open = self.incidents.values().filter(|incident| incident.is_open());
        open.find(|incident| incident.app == *app && incident.trouble == trouble).map(|it| it.id)
    }

    fn ask_for_evidence(&mut self, id: InstanceId, incident: IncidentId) {
        let logs = self.logs_of(id);
        let Some(instance) = self.instances.get(&id) else { return };
        let (run, pid) = (instance.phase.run(), instance.phase.pid());
        let port = self.port_of(id);
        self.effects.push(Effect::Gather { incident, run, pid, logs, port });
    }

    /// Takes in what was gathered.
    pub(super) fn gathered(&mut self, id: IncidentId, mut evidence: Evidence) {
        for holder in &mut evidence.port_holders {
            holder.app = self.app_of_holder(holder);
        }
        let open = self.incidents.get_mut(&id).filter(|it| it.is_open() && it.evidence.is_none());
        let Some(incident) = open else {
            self.ignored += 1;
            return;
        };
        if let Some(instance) = self.instances.get(&incident.instance) {
            evidence.deaths = instance.deaths.iter().cloned().collect();
        }
        let lines = evidence.out_tail.len() + evidence.err_tail.len();
        let mut told = format!(
            "evidence gathered in {} ms: {lines} log lines, {} threads, {} deaths before",
            evidence.took_millis,
            evidence.threads.len(),
            evidence.deaths.len()
        );
        if let Some(usage) = evidence.usage {
            told.push_str(&format!(", {} of memory, {:.0} % of a core", usage.memory, usage.cpu));
        }
        if let Some(descriptors) = &evidence.descriptors {
            told.push_str(&format!(", {} open descriptors", descriptors.open));
        }
        incident.tell(self.now, told);
        let holders: Vec<String> =
            evidence.port_holders.iter().map(|holder| holder.spoken(self.now)).collect();
        if !holders.is_empty() {
            incident.tell(self.now, holders.join("; "));
        }
        incident.evidence = Some(evidence);
        self.changed.incidents.insert(id);
        self.changed.world = true;
    }

    /// Moves every open incident on as far as it goes now.
    pub(super) fn drive_incidents(&mut self) {
        let open: Vec<IncidentId> =
            self.incidents.values().filter(|it| it.is_open()).map(|it| it.id).collect();
        for id in open {
            self.drive(id);
        }
        // One at a time: a replica that is sick too gets its turn when the incident before it is
        // over.
        let sick: Vec<(InstanceId, String)> = self
            .checks
            .iter()
            .filter_map(|(id, check)| match id {
                CheckId::Instance(instance) if check.verdict == Some(Status::Unhealthy) => {
                    Some((*instance, check.last.as_ref()?.message.clone()))
                }
                _ => None,
            })
            .collect();
        for (id, message) in sick {
            self.open_unresponsive(id, &message);
        }
    }

    fn drive(&mut self, id: IncidentId) {
        let incident = &self.incidents[&id];
        let (trouble, stage, instance_id) =
            (incident.trouble, incident.stage.clone(), incident.instance);
        let Some(instance) = self.instances.get(&instance_id) else {
            return self.close(id, Outcome::TakenOver, "the app was removed");
        };
        if instance.goal == Goal::Down {
            return self.close(id, Outcome::TakenOver, "somebody stopped it");
        }
        if trouble == Trouble::CrashLoop {
            let stable = matches!(instance.phase, Phase::Running { .. });
            if stable && !instance.breaker.can_close() {
                self.close(id, Outcome::Healed, "a start held");
            } else if matches!(instance.phase, Phase::Finished { .. }) {
                self.close(id, Outcome::Recovered, "it finished");
            }
            return;
        }
        let good = self.is_good(instance_id);
        match stage {
            Stage::Gathering { .. }
            | Stage::Asking { .. }
            | Stage::WaitingForDependency { .. }
            | Stage::Rechecking { .. }
            | Stage::Pausing { .. }
            | Stage::Escalated
                if good =>
            {
                self.close(id, Outcome::Recovered, "its own check is good again");
            }
            Stage::Gathering { give_up_at } => self.drive_gathering(id, give_up_at),
            Stage::Asking { give_up_at } => self.drive_asking(id, give_up_at),
            Stage::WaitingForDependency { dependency } => self.drive_waiting(id, &dependency),
            Stage::Rechecking { until } => self.drive_rechecking(id, until),
            Stage::Pausing { retry_at } if self.now >= retry_at => self.try_again(id),
            Stage::Applying { run, give_up_at } => {
                let phase = &self.instances[&instance_id].phase;
                match phase {
                    Phase::Running { run: new, since, .. } if Some(*new) != run => {
                        let until = *since + self.verify_span(instance_id);
                        let pid = phase.pid().unwrap_or_default();
                        self.tell(
                            id,
                            &format!(
                                "restarted (pid {pid}); its own check has {} to be good again",
                                spoken(until.since(self.now))
                            ),
                        );
                        self.set_stage(id, Stage::Verifying { until });
                    }
                    Phase::Tripped { .. } | Phase::Finished { .. } => {
                        self.failed(id, "it does not stay up");
                    }
                    _ if self.now >= give_up_at => self.failed(id, "the restart took too long"),
                    _ => {}
                }
            }
            Stage::Verifying { .. } if good => {
                self.close(id, Outcome::Healed, "its own check is good again");
            }
            Stage::Verifying { until } if self.now >= until => {
                let why = self.complaint(instance_id);
                self.failed(id, &why);
            }
            _ => {}
        }
    }

    fn drive_gathering(&mut self, id: IncidentId, give_up_at: Moment) {
        if self.incidents[&id].evidence.is_none() {
            if self.now < give_up_at {
                return;
            }
            self.tell(id, "no evidence came in time: going on without it");
        }
        let app = self.incidents[&id].app.clone();
        let patience = self.dependency_patience(&app);
        self.look_at_databases(&app);
        self.set_stage(id, Stage::Asking { give_up_at: self.now + patience });
    }

    fn drive_asking(&mut self, id: IncidentId, give_up_at: Moment) {
        let incident = &self.incidents[&id];
        let mut state = self.dependency_state(&incident.app, incident.opened_at);
        if state == Dependency::Unknown {
            if self.now < give_up_at {
                return;
            }
            // No fresh look came: what was seen last is the best that is known.
            state = self.dependency_state(&incident.app, Moment::default());
        }
        let diagnosis = self.diagnose(incident, &state);
        self.tell(
            id,
            &format!(
                "diagnosis: {} (confidence {:.0} %), because {}; remedy: {}",
                diagnosis.cause,
                diagnosis.confidence * 100.0,
                diagnosis.because.join("; "),
                diagnosis.remedy
            ),
        );
        let remedy = diagnosis.remedy;
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.diagnosis = Some(diagnosis);
        }
        match (remedy, state) {
            (Remedy::WaitForDependency, Dependency::Down { name, .. }) => {
                self.wait_for(id, name);
            }
            _ => self.apply_restart(id),
        }
    }

    fn diagnose(&self, incident: &Incident, state: &Dependency) -> Diagnosis {
        let check = self.checks.get(&CheckId::Instance(incident.instance));
        diagnose(&Case {
            finding: check.and_then(|check| check.finding.as_ref()),
            evidence: incident.evidence.as_ref(),
            dependency: match state {
                Dependency::Down { name, message } => Some((name, message)),
                Dependency::Up | Dependency::Unknown => None,
            },
            policy: self.policy(&incident.app),
        })
    }

    pub(super) fn wait_for(&mut self, id: IncidentId, dependency: String) {
        self.tell(id, &format!("waiting for {dependency}: a restart would not bring it back"));
        self.set_stage(id, Stage::WaitingForDependency { dependency });
    }

    fn drive_waiting(&mut self, id: IncidentId, dependency: &str) {
        let app = self.incidents[&id].app.clone();
        // Freshness is no question here: what is awaited is looked at all the time.
        if let Dependency::Down { .. } = self.dependency_state(&app, Moment::default()) {
            return;
        }
        let instance = self.incidents[&id].instance;
        let check_id = CheckId::Instance(instance);
        let (now, mut patience) = (self.now, Duration::ZERO);
        let is_up = matches!(self.instances[&instance].phase, Phase::Running { .. });
        if let Some(check) = self.checks.get_mut(&check_id) {
            let cadence = check.plan.cadence;
            patience = (cadence.timeout + VERIFY_EVERY)
                * cadence.failure_threshold.max(cadence.success_threshold);
            // Its own look is due at once: it may be well already. The check of what has no process
            // rests.
            if is_up {
                check.next_at = check.next_at.min(now);
            }
            self.changed.checks.insert(check_id);
        }
        self.tell(id, &format!("{dependency} is back: does the app recover by itself?"));
        self.set_stage(id, Stage::Rechecking { until: now + patience + VERIFY_EVERY });
    }

    fn drive_rechecking(&mut self, id: IncidentId, until: Moment) {
        let incident = &self.incidents[&id];
        if let Dependency::Down { name, .. } =
            self.dependency_state(&incident.app, Moment::default())
        {
            return self.wait_for(id, name);
        }
        if self.now >= until {
            let complaint = self.complaint(incident.instance);
            self.tell(id, &format!("it stays sick although what it needs is back: {complaint}"));
            self.apply_restart(id);
        }
    }
}
