//! What the world does when the supervisor decides something.

use zelador_core::death::{Death, SpawnFailure};
use zelador_core::diagnosis::Cause;
use zelador_core::diagnosis::consult::Advice;
use zelador_core::effect::Effect;
use zelador_core::evidence::Evidence;
use zelador_core::id::{InstanceId, RunId};
use zelador_core::input::Fact;
use zelador_core::unit::{Moment, SECOND};
use zelador_core::words::{Words, quoted};

use crate::guardian::lifetime;
use crate::holders;
use crate::rule::Violation;
use crate::script::{Behaviour, says_ready};

use super::{Happening, World};

impl World {
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Record(record) => {
                if record.is_end() {
                    self.kept.remove(&record.key());
                } else {
                    self.kept.insert(record.key(), record);
                }
            }
            Effect::Spawn { run, launch, .. } => {
                self.done.push((self.now, format!("spawn {}", launch.instance)));
                let at = self.request();
                self.at(at, Happening::Fork { run, instance: launch.instance });
            }
            Effect::Terminate { run, .. } | Effect::Say { run, .. } => {
                self.done.push((self.now, "terminate".to_owned()));
                if let Some(process) = self.guardian.runs.get_mut(&run) {
                    process.asked = true;
                }
                let at = self.request();
                self.at(at, Happening::Signal { run });
            }
            Effect::Signal { run, .. } => {
                let at = self.request();
                self.at(at, Happening::Signal { run });
            }
            Effect::Sweep { run, kill_at } => {
                self.at(self.now, Happening::Sweep { run, kill_at, engine: self.engine });
            }
            Effect::Kill { run } => {
                self.done.push((self.now, "kill".to_owned()));
                let at = self.now + self.span(0..50);
                self.at(at, Happening::Sweep { run, kill_at: self.now, engine: self.engine });
            }
            Effect::Look { probe, target, timeout } => {
                let finding = self.find(&target);
                let slow = self.rudeness == 2 && self.rng.u8(0..20) == 0;
                let took = if slow { timeout } else { self.span(1..100) };
                let outcome = zelador_core::probe::ProbeOutcome { finding, took };
                self.say(self.now + took, Fact::Looked { probe, outcome }, true);
            }
            // Its answer may be on its way.
            Effect::LeaveLook { .. } => {}
            Effect::Dump { incident, .. } => {
                let dump = Err(quoted("no tool"));
                let at = self.now + self.span(50..4_000);
                self.say(at, Fact::Dumped { incident, dump }, true);
            }
            Effect::Consult { incident, .. } => {
                self.done.push((self.now, "consult".to_owned()));
                // One that was told what to say says it while somebody waits.
                let longest = if self.model.is_some() { 4_000 } else { 20_000 };
                let (advice, at) = (self.advice(), self.now + self.span(100..longest));
                if let Some(advice) = advice {
                    self.say(at, Fact::Advised { incident, advice }, true);
                }
            }
            Effect::Survey { of } => self.survey(of),
            Effect::Apply { incident, deed, .. } => {
                self.host_hook(incident, &deed);
                let at = self.now + self.span(50..400);
                self.say(at, Fact::Applied { incident, result: Ok(quoted("done")) }, true);
            }
            Effect::Gather { incident, .. } => {
                let evidence = Box::new(self.evidence_of(incident));
                let at = self.now + self.span(50..400);
                self.say(at, Fact::Gathered { incident, evidence }, true);
            }
            Effect::Deliver(delivery) => self.deliver(&delivery),
            Effect::Ping { id, .. } => self.ping(id),
            Effect::Configure(_)
            | Effect::Call { .. }
            | Effect::Notify(_)
            | Effect::Watch { .. }
            | Effect::Explain { .. }
            | Effect::Listen { .. }
            | Effect::Reply(..)
            | Effect::WritePid { .. }
            | Effect::RemovePid { .. } => {}
        }
    }

    /// What the model says: anything, nothing, or that it cannot.
    pub(super) fn advice(&mut self) -> Option<Result<Advice, Words>> {
        let cause = match self.model {
            Some(cause) => cause,
            None => match self.rng.u8(0..4) {
                0 => return None,
                1 => return Some(Err(quoted("HTTP 503"))),
                _ => Cause::ALL[self.rng.usize(0..Cause::ALL.len())],
            },
        };
        let reason = "so it seems".to_owned();
        Some(Ok(Advice { cause, confidence: 0.99, lines: vec![1], reason }))
    }

    /// What is found about an incident: of most apps nothing.
    pub(super) fn evidence_of(&self, incident: zelador_core::id::IncidentId) -> Evidence {
        let app = self.supervisor.incident(incident).map(|it| it.app.to_string());
        if let Some(said) = app.as_ref().and_then(|app| self.says.get(app)) {
            return Evidence { err_tail: vec![said.clone()], ..Evidence::default() };
        }
        let behaviour = app.and_then(|app| self.behaviours.get(&app).copied());
        let said = match behaviour {
            Some(Behaviour::Broken) => "SyntaxError: Unexpected token '}'",
            Some(Behaviour::Damaged) => "PANIC: could not locate a valid checkpoint record",
            Some(Behaviour::PortTaken) => return holders::evidence(self.now),
            Some(Behaviour::DiesWith(_)) => "Error: connect ECONNREFUSED 127.0.0.1:4000",
            _ => return Evidence::default(),
        };
        Evidence { err_tail: vec![said.to_owned()], ..Evidence::default() }
    }

    /// When the guardian carries out a request that is sent now: one after the other.
    pub(super) fn request(&mut self) -> Moment {
        let at = self.guardian.busy_until.max(self.now) + self.span(0..3);
        self.guardian.busy_until = at;
        at
    }

    pub(super) fn fork(&mut self, run: RunId, instance: InstanceId) -> Result<(), Violation> {
        self.watch.process_begins(self.now, instance, run, &self.guardian)?;
        let app = self.watch.app_of(instance);
        let behaviour = self.behaviours.get(&app).copied().unwrap_or(Behaviour::Good);
        let failure = match behaviour {
            Behaviour::Unstartable => Some(SpawnFailure::ProgramNotFound("node".to_owned())),
            Behaviour::FailsToSpawn => Some(SpawnFailure::Other(quoted("no more processes"))),
            _ => None,
        };
        if let Some(failure) = failure {
            self.tell(run, Fact::SpawnFailed { run, failure });
            return Ok(());
        }
        self.host_start(&app);
        let pid = self.guardian.fork(run, instance, app, behaviour, self.now);
        self.tell(run, Fact::Spawned { run, pid });
        if says_ready(behaviour) {
            // A process that is never asked says it as well: Node tells of every port.
            let at = self.now + self.span(20..1_500);
            self.at(at, Happening::Says { run });
        }
        if let Some(span) = lifetime(behaviour, &mut self.rng) {
            let hopeless =
                matches!(behaviour, Behaviour::Broken | Behaviour::Damaged | Behaviour::PortTaken);
            let code = if hopeless { 1 } else { self.rng.i32(0..3) };
            self.at(self.now + span, Happening::Die { run, death: Death::Exited { code } });
        }
        let lacks = match behaviour {
            Behaviour::DiesWithDatabase => !self.database_up,
            Behaviour::DiesWith(needed) => !self.guardian.serves(needed, self.now),
            _ => false,
        };
        if lacks {
            let death = Death::Exited { code: 1 };
            self.at(self.now + SECOND / 10, Happening::Die { run, death });
        }
        Ok(())
    }

    pub fn die(&mut self, run: RunId, death: Death) {
        let Some(process) = self.guardian.runs.get_mut(&run).filter(|it| it.is_alive()) else {
            return;
        };
        process.death = Some(death.clone());
        let app = process.app.clone();
        self.tell(run, Fact::Exited { run, death });
        let with_it =
            self.guardian.runs.iter().filter(
                |(_, it)| matches!(it.behaviour, Behaviour::DiesWith(needed) if needed == app),
            );
        for run in with_it.map(|(run, _)| *run).collect::<Vec<_>>() {
            let at = self.now + self.span(0..300);
            self.at(at, Happening::Die { run, death: Death::Exited { code: 1 } });
        }
    }
}
