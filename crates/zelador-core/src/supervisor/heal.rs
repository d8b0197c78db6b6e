//! What is done about a sick app: detect, gather evidence, diagnose, apply a remedy, verify,
//! close or escalate. Level-triggered: an incident is driven by what is true now, so an event
//! that came early, late or twice makes no difference.

use crate::check::{Status, breached};
use crate::diagnosis::{Case, Cause, Diagnosis, diagnose};
use crate::effect::Severity;
use crate::evidence::Evidence;
use crate::healing::case::{CERTAIN, by_rules};
use crate::healing::{GATHER_WITHIN, Remedy};
use crate::id::{AppName, CheckId, IncidentId, InstanceId};
use crate::incident::{Incident, Outcome, Stage, Trouble};
use crate::instance::{Goal, Phase};
use crate::probe::Unit;
use crate::said::{Said, Why};
use crate::spec::OnDependencyDown;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

use super::Supervisor;
use super::dependencies::Dependency;

/// How many closed incidents are kept.
const CLOSED_KEPT: usize = 200;

impl Supervisor {
    /// An instance's own check turned unhealthy.
    pub(super) fn open_unresponsive(&mut self, id: InstanceId, message: Words) {
        if self.is_part_of_another(id) || self.recovers(id) {
            return;
        }
        let name = self.spoken_name(id);
        let why = Why::CheckIsUnhealthy { name, message: message.clone() };
        let Some(incident) = self
            .reopen_silence(id, &why, &message)
            .or_else(|| self.open(id, Trouble::Unresponsive, why))
        else {
            return;
        };
        let give_up_at = self.now + GATHER_WITHIN;
        let known = self.known(id);
        self.ask_for_evidence(id, incident, known, None);
        self.set_stage(incident, Stage::Gathering { give_up_at });
    }

    /// Whether an app that is sick only waits for what another incident waits for already: one
    /// incident stands for the cause.
    fn is_part_of_another(&mut self, id: InstanceId) -> bool {
        let Some(app) = self.instances.get(&id).map(|it| it.app.clone()) else { return false };
        if self.policy(&app) != OnDependencyDown::Wait {
            return false;
        }
        let Dependency::Down { name, .. } = self.dependency_state(&app, Moment::default()) else {
            return false;
        };
        let Some(first) = self.stands_for(&name, |it| it.app != app) else { return false };
        self.suffers_too(first, app);
        true
    }

    /// Another app suffers from what an incident waits for: that is told once.
    pub(super) fn suffers_too(&mut self, first: IncidentId, app: AppName) {
        let Some(incident) = self.incidents.get_mut(&first) else { return };
        if incident.sufferers.insert(app.clone()) {
            self.tell(first, words!("{app} suffers from it too", "{app} também sofre com isso"));
        }
    }

    /// Opens an incident unless the app has an open one of this kind.
    pub(super) fn open(
        &mut self,
        id: InstanceId,
        trouble: Trouble,
        why: impl Into<Why>,
    ) -> Option<IncidentId> {
        let app = self.instances.get(&id)?.app.clone();
        if self.is_left_alone(id) {
            return None;
        }
        let who = self.who_needs(app.as_str());
        let opened = self.open_of(app, id, trouble, why)?;
        if let Some(who) = who.filter(|_| trouble.is_outage()) {
            self.tell(opened, who);
        }
        Some(opened)
    }

    /// The same of an app that is known to be heard, or of the host.
    pub(super) fn open_of(
        &mut self,
        app: AppName,
        id: InstanceId,
        trouble: Trouble,
        why: impl Into<Why>,
    ) -> Option<IncidentId> {
        let mut of_app = self.incidents.values().filter(|incident| incident.app == app);
        if of_app.any(|incident| incident.is_open() && incident.trouble == trouble) {
            return None;
        }
        let number = IncidentId::new(self.counters.incident);
        self.counters.incident += 1;
        self.changed.counters = true;
        let mut incident = Incident::new(number, app, id, trouble, self.now);
        let why = why.into();
        let text = why.words();
        incident.say(self.now, Said::Detected(why));
        self.incidents.insert(number, incident);
        self.say_of(number, Severity::Warning, &text);
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

    pub(super) fn open_incident_of(&self, id: InstanceId, trouble: Trouble) -> Option<IncidentId> {
        let app = &self.instances.get(&id)?.app;
        let mut open = self.incidents.values().filter(|incident| incident.is_open());
        open.find(|incident| incident.app == *app && incident.trouble == trouble).map(|it| it.id)
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
        let sick: Vec<(InstanceId, Words)> = self
            .checks
            .range(CheckId::of_instances())
            .filter_map(|(id, check)| match id {
                CheckId::Instance(instance) | CheckId::Startup(instance)
                    if check.verdict == Some(Status::Unhealthy) =>
                {
                    Some((*instance, check.last.as_ref()?.words()))
                }
                _ => None,
            })
            .collect();
        for (id, message) in sick {
            self.open_unresponsive(id, message);
        }
    }

    fn drive(&mut self, id: IncidentId) {
        let incident = &self.incidents[&id];
        let (trouble, stage, instance_id) =
            (incident.trouble, incident.stage.clone(), incident.instance);
        if let (Some(pressure), Incident::HOST) = (trouble.pressure(), instance_id) {
            return self.drive_host(id, pressure);
        }
        match trouble {
            Trouble::Channel => return self.drive_channel(id),
            Trouble::HostDisk => return self.drive_disk(id),
            Trouble::Forecast if instance_id == Incident::HOST => {
                return self.drive_disk_forecast(id);
            }
            _ => {}
        }
        let Some(instance) = self.instances.get(&instance_id) else {
            return self.close(id, Outcome::TakenOver, Why::Removed);
        };
        if instance.goal == Goal::Down {
            return self.close(id, Outcome::TakenOver, Why::Stopped);
        }
        if let Some(pressure) = trouble.pressure() {
            return self.drive_host(id, pressure);
        }
        if trouble.is_deadly() {
            return self.drive_crash(id);
        }
        match trouble {
            Trouble::Reported => return self.drive_reported(id, stage),
            Trouble::Forecast => return self.drive_forecast(id, stage),
            _ => {}
        }
        let good = self.is_good(instance_id);
        match stage {
            Stage::Gathering { .. }
            | Stage::Asking { .. }
            | Stage::Dumping { .. }
            | Stage::Consulting { .. }
            | Stage::WaitingForDependency { .. }
            | Stage::Rechecking { .. }
            | Stage::Pausing { .. }
                if good =>
            {
                self.close(id, Outcome::Recovered, Why::CheckIsGood);
            }
            // What comes and goes is one incident until it has stayed.
            Stage::AwaitingApproval { .. } | Stage::Observing | Stage::Escalated
                if good && !self.flaps(&CheckId::Instance(instance_id)) =>
            {
                self.close(id, Outcome::Recovered, Why::CheckIsGood);
            }
            _ => self.drive_on(id, stage, good),
        }
    }

    /// The same whatever the trouble is; `good`: there is nothing to complain about.
    pub(super) fn drive_on(&mut self, id: IncidentId, stage: Stage, good: bool) {
        let instance_id = self.incidents[&id].instance;
        match stage {
            Stage::Gathering { give_up_at } => self.drive_gathering(id, give_up_at),
            Stage::Asking { give_up_at } => self.drive_asking(id, give_up_at),
            Stage::Dumping { give_up_at } if self.now >= give_up_at => {
                self.say(id, Said::RuntimeIsSilent);
                self.ask_or_treat(id);
            }
            Stage::Consulting { give_up_at } if self.now >= give_up_at => {
                self.say(id, Said::NoAdvice(None));
                self.go_on(id);
            }
            Stage::WaitingForDependency { dependency } => self.drive_waiting(id, &dependency),
            Stage::Rechecking { until } => self.drive_rechecking(id, until),
            Stage::Pausing { retry_at } if self.now >= retry_at => self.try_again(id),
            Stage::AwaitingApproval { until } if self.now >= until => {
                self.escalate(id, Why::NobodyAnswered);
            }
            Stage::Applying { run, give_up_at } => {
                let phase = &self.instances[&instance_id].phase;
                match phase {
                    Phase::Running { run: new, since, .. } if Some(*new) != run => {
                        let until = *since + self.verify_span(instance_id);
                        let pid = phase.pid().unwrap_or_default();
                        let within = until.since(self.now);
                        self.say(id, Said::Restarted { pid, within });
                        self.set_stage(id, Stage::Verifying { until });
                    }
                    Phase::Tripped { .. } | Phase::Finished { .. } => {
                        self.failed(id, Why::DoesNotStayUp);
                    }
                    _ if self.now >= give_up_at => self.failed(id, Why::TookTooLong),
                    _ => {}
                }
            }
            Stage::Verifying { until } => self.drive_verifying(id, until, good),
            _ => {}
        }
    }

    /// Whether the verdict of a check comes and goes.
    pub(super) fn flaps(&self, id: &CheckId) -> bool {
        self.checks.get(id).is_some_and(|check| check.flap.flaps())
    }

    /// The check of an instance began to flap.
    pub(super) fn say_that_it_flaps(&mut self, instance: InstanceId) {
        if let Some(id) = self.open_incident_of(instance, Trouble::Unresponsive) {
            self.say(id, Said::Flaps);
        }
    }

    fn drive_gathering(&mut self, id: IncidentId, give_up_at: Moment) {
        if !self.has_evidence(id, give_up_at) {
            return;
        }
        let app = self.incidents[&id].app.clone();
        let patience = self.dependency_patience(&app);
        self.look_at_dependencies(&app);
        self.set_stage(id, Stage::Asking { give_up_at: self.now + patience });
    }

    fn drive_asking(&mut self, id: IncidentId, give_up_at: Moment) {
        let incident = &self.incidents[&id];
        let mut state = self.dependency_state(&incident.app, incident.began_at());
        if state == Dependency::Unknown {
            if self.now < give_up_at {
                return;
            }
            // No fresh look came: what was seen last is the best that is known.
            state = self.dependency_state(&incident.app, Moment::default());
        }
        let diagnosis = self.diagnose(incident, &state);
        let remedy = diagnosis.remedy.clone();
        let is_reported = incident.trouble == Trouble::Reported;
        self.diagnosed(id, diagnosis);
        match (remedy, state) {
            (Remedy::WaitForDependency, Dependency::Down { name, .. }) if !is_reported => {
                self.wait_for(id, name);
            }
            _ if self.dump(id) => {}
            _ => self.ask_or_treat(id),
        }
    }

    /// All evidence is there: is a model to be asked before anything is done?
    pub(super) fn ask_or_treat(&mut self, id: IncidentId) {
        match self.reason_to_consult(id) {
            Some(why) if self.consult(id, why) => {}
            _ => self.go_on(id),
        }
    }

    fn diagnose(&self, incident: &Incident, state: &Dependency) -> Diagnosis {
        let check = self.checks.get(&CheckId::Instance(incident.instance));
        let over = check.and_then(|check| breached(&check.plan, check.finding.as_ref()?));
        let sure = diagnose(&Case {
            finding: check.and_then(|check| check.finding.as_ref()),
            evidence: incident.evidence.as_ref(),
            dependency: match state {
                Dependency::Down { name, message } => Some((name, message)),
                Dependency::Up | Dependency::Unknown => None,
            },
            policy: self.policy(&incident.app),
            over: over.map(|measure| measure.name.as_str()),
        });
        let dependency_is_down = matches!(state, Dependency::Down { .. });
        let Some(evidence) = incident.evidence.as_ref().filter(|_| !dependency_is_down) else {
            return sure;
        };
        // A check of what it uses says nothing about whether it answers; one of how long that takes does.
        let answers = over.is_none_or(|measure| measure.unit == Unit::Seconds);
        let probe = evidence.probe.clone().filter(|_| answers);
        // What its numbers and its log say, where they say more than its silence does.
        let read = by_rules(&Evidence { probe, ..evidence.clone() }, &self.settings.rules);
        let hopeless = matches!(read.remedy, Remedy::StopAndNotify | Remedy::NotifyOnly);
        // A process that lives is not given up for a line that may be an old one.
        let says_more = read.cause != Cause::Unknown
            && read.confidence > sure.confidence
            && (!hopeless || read.confidence >= CERTAIN);
        if says_more { read } else { Diagnosis { hypotheses: read.hypotheses, ..sure } }
    }
}
