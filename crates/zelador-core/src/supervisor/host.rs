//! The host under pressure: watched, surveyed, and what is done about it.
//!
//! Always holds: nothing is restarted for the host's sake that is not the cause; for busy processors
//! only what has stalled itself; for full memory only after what frees some without harm was tried and
//! the memory was measured again.

use std::collections::BTreeMap;

use super::Supervisor;
use crate::check::{CheckResult, Status};
use crate::effect::{Effect, Severity};
use crate::evidence::Heavy;
use crate::healing::Remedy;
use crate::healing::VERIFY_EVERY;
use crate::healing::host::{Pressure, SURVEY_AGAIN, Weighed, memory_ladder, named, weigh};
use crate::id::{AppName, CheckId, IncidentId, InstanceId};
use crate::incident::{Incident, Outcome, Stage, Trouble};
use crate::instance::Phase;
use crate::probe::Finding;
use crate::said::{Said, Why};
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// How pressed the host is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pressed {
    /// Since when it has been above its limit, without having been well below it again.
    since: Option<Moment>,
    /// What was used of it at the last look: bytes of memory, percent of a core.
    used: f64,
    surveyed_at: Option<Moment>,
}

impl Supervisor {
    /// A look at the host is over.
    pub(super) fn note_pressure(&mut self, id: &CheckId, finding: &Finding) {
        let (pressure, share, used) = match (id, finding) {
            (CheckId::Cpu, Finding::Cpu { busy, cores }) => {
                (Pressure::Cpu, *busy, busy.value() * f64::from(*cores))
            }
            (CheckId::Memory, Finding::Memory { used, total }) => {
                let share = crate::unit::Percent::of(used.bytes(), total.bytes());
                (Pressure::Memory, share, used.bytes() as f64)
            }
            _ => return,
        };
        let now = self.now;
        let Some(check) = self.checks.get(id) else { return };
        let Some(limits) = check.plan.thresholds else { return };
        let is_believed = check.verdict == Some(Status::Unhealthy);
        let pressed = self.pressed.entry(pressure).or_default();
        pressed.used = used;
        if share >= limits.unhealthy {
            pressed.since.get_or_insert(now);
        } else if share.value() < limits.unhealthy.value() - limits.margin.value() {
            pressed.since = None;
        }
        let lasts = pressed.since.is_some_and(|since| now.since(since) >= limits.watch);
        let rests = pressed.surveyed_at.is_some_and(|at| now.since(at) < SURVEY_AGAIN);
        if lasts && is_believed && !rests && self.set_aside(id).is_none() {
            if let Some(pressed) = self.pressed.get_mut(&pressure) {
                pressed.surveyed_at = Some(now);
            }
            self.effects.push(Effect::Survey { of: pressure });
        }
    }

    fn is_pressed(&self, pressure: Pressure) -> bool {
        self.pressed.get(&pressure).is_some_and(|pressed| pressed.since.is_some())
    }

    /// It is known what the heaviest processes are.
    pub(super) fn surveyed(&mut self, of: Pressure, processes: &[Heavy]) {
        let Some(pressed) = self.pressed.get(&of).copied().filter(|it| it.since.is_some()) else {
            self.ignored += 1;
            return;
        };
        let since = pressed.since.map(|since| self.now.since(since)).unwrap_or_default();
        let id = check_of(of);
        let Some(check) = self.checks.get(&id) else { return };
        let Some(limits) = check.plan.thresholds else { return };
        let message = check.last.as_ref().map(CheckResult::words).unwrap_or_default();
        let weighed =
            weigh(of, processes, pressed.used, limits.cause, |run| self.runs.get(&run).copied());
        let story = named(of, processes, self.now, |heavy| {
            let instance = self.runs.get(&heavy.run?)?;
            Some(self.spoken_name(*instance))
        });
        let why = words!(
            "{message}, for {since}",
            "{message}, há {since}",
            message = message,
            since = since,
        );
        let trouble = trouble_of(of);
        let chosen = self.choose(of, &weighed);
        let incident = match chosen {
            Some(weighed) => self.open(weighed.instance, trouble, why),
            None => self.open_of_host(trouble, why),
        };
        let Some(incident) = incident else { return };
        story.iter().for_each(|line| self.tell(incident, line.clone()));
        match (of, chosen) {
            (Pressure::Memory, Some(weighed)) => self.begin_freeing(incident, weighed),
            (Pressure::Cpu, Some(weighed)) => self.begin_with_busy(incident, weighed),
            (_, None) => {
                let none = words!(
                    "none of our apps is the cause: nothing is done to them",
                    "nenhum dos nossos apps é a causa: nada é feito com eles",
                );
                self.tell(incident, none);
                self.set_stage(incident, Stage::Observing);
                self.say_of(incident, Severity::Warning, &Words::joined(&story, "; "));
            }
        }
    }

    /// The app that something can be done about: the heaviest that is the cause, or, of memory, that
    /// can free some without harm.
    fn choose(&self, of: Pressure, weighed: &[Weighed]) -> Option<Weighed> {
        let trouble = trouble_of(of);
        let free = |it: &&Weighed| self.open_incident_of(it.instance, trouble).is_none();
        let can_free = |it: &&Weighed| {
            let app = self.instances.get(&it.instance).and_then(|it| self.apps.get(&it.app));
            of == Pressure::Memory
                && app.is_some_and(|app| !memory_ladder(&app.spec, false).is_empty())
        };
        let mut ours = weighed.iter().filter(free);
        ours.find(|it| it.is_cause || can_free(it)).copied()
    }

    fn begin_freeing(&mut self, id: IncidentId, weighed: Weighed) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let Some(app) = self.apps.get(&incident.app) else { return };
        let rungs = memory_ladder(&app.spec, weighed.is_cause);
        let part = if weighed.is_cause {
            words!("the cause", "a causa")
        } else {
            words!("not the cause, but can free some", "não é a causa, mas pode liberar um pouco")
        };
        let app = &incident.app;
        let told = words!(
            "{app} holds {share} of what is used, and is {part}",
            "{app} ocupa {share} do que está em uso: {part}",
            share = weighed.share,
            part = part,
        );
        self.tell(id, told);
        self.say(id, Said::Ladder { remedies: rungs.clone(), learned: false });
        self.climb(id, rungs);
    }

    /// Processors are busy, and an app of ours is the cause. It is only restarted if its own work has
    /// stalled.
    fn begin_with_busy(&mut self, id: IncidentId, weighed: Weighed) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let instance = incident.instance;
        let app = &incident.app;
        let does =
            words!("{app} does {share} of it", "{app} causa {share} disso", share = weighed.share);
        if let Some(other) = self.open_incident_of(instance, Trouble::Unresponsive) {
            let treated = words!(
                "{does}, and its own check fails: incident {other} treats it",
                "{does}, e a própria verificação falha: o incidente {other} trata dele",
                does = does,
            );
            self.tell(id, treated);
            let busy = words!(
                "it is what keeps the processors busy (incident {id})",
                "é ele que mantém os processadores ocupados (incidente {id})",
            );
            self.tell(other, busy);
            return self.set_stage(id, Stage::Observing);
        }
        if !self.has_stalled(instance) {
            let alone = words!(
                "{does}, and its own work goes on: it is left alone",
                "{does}, e o trabalho dele continua: é deixado em paz",
                does = does,
            );
            self.tell(id, alone);
            self.set_stage(id, Stage::Observing);
            let goes_on = words!(
                "{does}, and its own work goes on",
                "{does}, e o trabalho dele continua",
                does = does,
            );
            return self.say_of(id, Severity::Warning, &goes_on);
        }
        let stalled = words!(
            "{does}, and its own work has stalled",
            "{does}, e o trabalho dele parou",
            does = does,
        );
        self.tell(id, stalled);
        self.climb(id, vec![Remedy::Restart]);
    }

    fn climb(&mut self, id: IncidentId, rungs: Vec<Remedy>) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.ladder = rungs;
            incident.current = None;
        }
        self.next_rung(id);
    }

    /// Whether an app's own checks say that its work does not go on.
    fn has_stalled(&self, id: InstanceId) -> bool {
        [CheckId::Instance(id), CheckId::Ready(id)].iter().any(|check| {
            self.checks.get(check).is_some_and(|it| it.verdict == Some(Status::Unhealthy))
        })
    }

    /// Moves an incident of the host on as far as it goes now.
    pub(super) fn drive_host(&mut self, id: IncidentId, of: Pressure) {
        let incident = &self.incidents[&id];
        let (stage, instance) = (incident.stage.clone(), incident.instance);
        let tried_at = incident.tries.last().map(|last| last.at);
        let Some(check) = self.checks.get(&check_of(of)) else {
            let gone =
                words!("the host is not looked at any more", "o servidor não é mais verificado");
            return self.close(id, Outcome::TakenOver, gone);
        };
        let measured = check.last.as_ref();
        let said = measured.map(CheckResult::words).unwrap_or_default();
        let is_fresh = measured.zip(tried_at).is_some_and(|(last, tried)| last.at > tried);
        let stalled = of == Pressure::Cpu && self.has_stalled(instance);
        let relieved = !self.is_pressed(of) || (of == Pressure::Cpu && is_fresh && !stalled);
        match stage {
            Stage::Pausing { .. } if !self.is_pressed(of) => {
                self.close(id, Outcome::Recovered, said);
            }
            Stage::AwaitingApproval { .. } | Stage::Observing | Stage::Escalated
                if !self.is_pressed(of) && !self.flaps(&check_of(of)) =>
            {
                self.close(id, Outcome::Recovered, said);
            }
            Stage::Pausing { retry_at } if self.now >= retry_at => self.resume_treatment(id),
            Stage::AwaitingApproval { until } if self.now >= until => {
                self.escalate(id, Why::NobodyAnswered);
            }
            Stage::Applying { run, give_up_at } => {
                let phase = self.instances.get(&instance).map(|it| it.phase.clone());
                match phase {
                    Some(Phase::Running { run: new, .. }) if run.is_some() && Some(new) != run => {
                        let until = self.now + self.shows_span(id);
                        self.set_stage(id, Stage::Verifying { until });
                        self.measure_again(of);
                    }
                    Some(Phase::Tripped { .. } | Phase::Finished { .. }) => {
                        self.failed(id, Why::DoesNotStayUp);
                    }
                    _ if self.now >= give_up_at => self.failed(id, Why::TookTooLong),
                    _ => {}
                }
            }
            Stage::Verifying { .. } if relieved && is_fresh => {
                self.close(id, Outcome::Healed, said);
            }
            Stage::Verifying { until } if self.now >= until && is_fresh => {
                let again = words!("measured again: {said}", "medido de novo: {said}", said = said);
                self.failed(id, again);
            }
            Stage::Verifying { until } => {
                if self.now >= until {
                    // The look that decides is on its way.
                    let until = self.now + VERIFY_EVERY;
                    self.set_stage(id, Stage::Verifying { until });
                }
                self.measure_again(of);
            }
            _ => {}
        }
    }

    /// The host is looked at soon: somebody waits for the number.
    fn measure_again(&mut self, of: Pressure) {
        let id = check_of(of);
        let soon = self.now + VERIFY_EVERY;
        if let Some(check) = self.checks.get_mut(&id)
            && check.under_way.is_none()
            && check.next_at > soon
        {
            check.next_at = soon;
            self.changed.checks.insert(id);
        }
    }

    fn open_of_host(&mut self, trouble: Trouble, why: Words) -> Option<IncidentId> {
        let app = AppName::new(Incident::HOST_NAME)?;
        self.open_of(app, Incident::HOST, trouble, why)
    }
}

fn check_of(of: Pressure) -> CheckId {
    match of {
        Pressure::Cpu => CheckId::Cpu,
        Pressure::Memory => CheckId::Memory,
    }
}

fn trouble_of(of: Pressure) -> Trouble {
    match of {
        Pressure::Cpu => Trouble::HostCpu,
        Pressure::Memory => Trouble::HostMemory,
    }
}

/// The pressures of the host, by kind.
pub(super) type Pressures = BTreeMap<Pressure, Pressed>;
