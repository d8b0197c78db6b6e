//! What people, databases and rumours do to the world.

use crate::rule::Violation;
use crate::script::{Behaviour, Event, Loss};
use crate::world::{Happening, World};
use std::time::Duration;
use zelador_core::check::CheckTarget;
use zelador_core::death::{Death, SpawnFailure};
use zelador_core::id::{RunId, Ticket};
use zelador_core::input::{Fact, Input, ReadyBy};
use zelador_core::words::quoted;

impl World {
    /// Somebody talks about a run that is over, or never was.
    pub fn rumour(&mut self) -> Result<(), Violation> {
        let at = self.now + self.span(500..10_000);
        self.at(at, Happening::Rumour);
        let run = RunId::new(self.rng.u64(0..40));
        if !self.engine_is_there || self.watch.is_current(run) {
            return Ok(());
        }
        let fact = match self.rng.u8(0..5) {
            0 => Fact::Spawned { run, pid: 7 },
            4 => Fact::Ready { run, by: ReadyBy::Listening },
            1 => Fact::Exited { run, death: Death::Exited { code: 7 } },
            2 => Fact::SpawnFailed { run, failure: SpawnFailure::Other(quoted("rumour")) },
            _ => {
                let probe = zelador_core::id::ProbeId::new(u64::MAX);
                let finding = self.find(&CheckTarget::Memory);
                let outcome = zelador_core::probe::ProbeOutcome { finding, took: Duration::ZERO };
                Fact::Looked { probe, outcome }
            }
        };
        self.step(Input::Fact(fact))
    }

    pub fn play(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::User(command) if self.engine_is_there => {
                let ticket = Ticket::new(self.next_ticket);
                self.next_ticket += 1;
                self.step(Input::Command(ticket, command))?;
            }
            Event::User(_) => {}
            Event::Database(up) => self.set_database(up),
            Event::EngineLost { .. } if !self.engine_is_there => {}
            Event::EngineLost { when: Loss::Now, away } => {
                self.watch.compare_records(&self.kept, &self.supervisor)?;
                self.lose_engine(away);
            }
            Event::EngineLost { when, away } => self.doomed = Some((when, away)),
            Event::AllEnds { .. } if !self.engine_is_there => {}
            Event::AllEnds { asked, boots, away } => {
                if asked {
                    self.step(Input::Fact(Fact::AskedToEnd))?;
                }
                // That step may have been its last.
                if self.engine_is_there {
                    self.end_all(asked, boots, away);
                }
            }
            Event::Becomes(app, behaviour) => {
                self.behaviours.insert(app, behaviour);
            }
            Event::Stall(span) => {
                self.guardian.busy_until = self.guardian.busy_until.max(self.now + span);
                self.watch.forgive(span);
            }
        }
        Ok(())
    }

    pub fn set_database(&mut self, up: bool) {
        self.database_up = up;
        if up {
            return;
        }
        let mut dying = Vec::new();
        for (run, process) in &mut self.guardian.runs {
            process.poisoned = true;
            if process.behaviour == Behaviour::DiesWithDatabase {
                dying.push(*run);
            }
        }
        for run in dying {
            let at = self.now + self.span(0..2_000);
            self.at(at, Happening::Die { run, death: Death::Exited { code: 1 } });
        }
    }
}
