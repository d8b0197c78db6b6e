//! The engine's part of the world: what it sweeps, samples and finds, its loss and its return.

use crate::rule::Violation;
use crate::script::{Behaviour, surroundings};
use crate::world::{Happening, REFUSED, World};
use std::time::Duration;
use zelador_core::check::CheckTarget;
use zelador_core::death::Death;
use zelador_core::id::RunId;
use zelador_core::input::{Fact, Input};
use zelador_core::record::Record;
use zelador_core::signal::Signal;
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::{Moment, SECOND};

impl World {
    pub fn sweep(&mut self, run: RunId, kill_at: Moment, engine: u32) {
        if engine != self.engine || !self.engine_is_there {
            return;
        }
        let left = self.guardian.runs.get(&run).is_some_and(|it| it.is_alive() || it.children);
        if left && self.now < kill_at {
            let at = kill_at.min(self.now + SECOND);
            self.at(at, Happening::Sweep { run, kill_at, engine });
            return;
        }
        if left {
            self.die(run, Death::Signaled { signal: Signal::KILL, core_dumped: false });
            if let Some(process) = self.guardian.runs.get_mut(&run) {
                process.children = false;
            }
        }
        self.say(self.now, Fact::Swept { run }, false);
    }

    pub fn sample(&mut self, engine: u32) -> Result<(), Violation> {
        if engine != self.engine || !self.engine_is_there {
            return Ok(());
        }
        self.at(self.now + 10 * SECOND, Happening::Sample { engine });
        let usage = |run: &RunId| {
            let memory = self.guardian.runs.get(run)?.memory(self.now);
            Some((
                *run,
                zelador_core::probe::Usage {
                    memory,
                    cpu: 1.0,
                    processes: 1,
                    ..zelador_core::probe::Usage::default()
                },
            ))
        };
        let runs = self.supervisor.live_runs();
        let mut usages: Vec<_> = runs.iter().filter_map(|(run, _)| usage(run)).collect();
        if self.rudeness == 2
            && let Some((run, usage)) = self.guardian.runs.iter().next().and_then(|it| usage(it.0))
        {
            usages.push((run, usage));
        }
        if usages.is_empty() { Ok(()) } else { self.step(Input::Fact(Fact::Sampled { usages })) }
    }

    pub fn lose_engine(&mut self, away: Duration) {
        self.engine_is_there = false;
        self.engine += 1;
        self.at(self.now + away, Happening::EngineBack);
        if let Some(trace) = &mut self.trace {
            trace.push("=== engine lost".to_owned());
        }
    }

    /// Every process ends, and zelador with them.
    pub fn end_all(&mut self, asked: bool, boots: bool, away: Duration) {
        self.guardian.runs.clear();
        self.boot += u32::from(boots);
        self.ended_with_all = asked || boots;
        self.lose_engine(away);
    }

    pub fn engine_back(&mut self) -> Result<(), Violation> {
        // The guardian says welcome when it has carried out what was asked before.
        if self.guardian.busy_until > self.now {
            self.at(self.guardian.busy_until, Happening::EngineBack);
            return Ok(());
        }
        let through_json = |record: &Record| {
            let text = serde_json::to_string(record).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let records: Vec<Record> = self.kept.values().map(through_json).collect();
        let seed = self.rng.u64(..);
        self.supervisor = Supervisor::recover(surroundings(seed, self.boot), self.now, records);
        self.engine_is_there = true;
        self.watch.engine_is_new(self.now, &self.supervisor);
        self.post.engine_is_new();
        self.ear = crate::pulse::Ear::new(self.now);
        // What zelador's own file says may have changed meanwhile, and is told before the inventory.
        let mut base = crate::script::settings();
        base.history.age = Some(Duration::from_hours(24 * u64::from(self.engine)));
        self.step(Input::Fact(Fact::BaseSettings(Box::new(base))))?;
        let runs = self.guardian.inventory();
        let heirs = crate::rules::heirs(&self.kept, &self.guardian.runs);
        self.heirs_found += heirs.len();
        let ended: Vec<RunId> =
            runs.iter().filter(|run| run.death.is_some()).map(|run| run.run).collect();
        let before = self.supervisor.view();
        self.step(Input::Fact(Fact::Inventory { runs }))?;
        crate::rules::heirs_are_taken(&heirs, &self.supervisor.view())?;
        if std::mem::take(&mut self.ended_with_all) {
            crate::rules::what_ended_with_all_is_no_death(&before, &self.supervisor.view())?;
        }
        for run in ended {
            if let Some(process) = self.guardian.runs.get_mut(&run) {
                process.recorded = true;
            }
        }
        let engine = self.engine;
        self.at(self.now + SECOND, Happening::Sample { engine });
        Ok(())
    }

    pub fn find(&mut self, target: &CheckTarget) -> zelador_core::probe::Finding {
        use zelador_core::probe::Finding::{Answered, Refused, Unavailable};
        if let Some(finding) = self.find_disks(target).or_else(|| self.find_host(target)) {
            return finding;
        }
        match target {
            CheckTarget::Database { .. } if self.database_up => {
                Answered { detail: zelador_core::words::quoted("SELECT 1") }
            }
            CheckTarget::Database { .. } => {
                Refused { detail: zelador_core::words::quoted(REFUSED) }
            }
            CheckTarget::App(probe) => {
                let zelador_core::spec::ProbeTarget::Http(http) = &**probe else {
                    unreachable!("every app is asked by HTTP here")
                };
                let url = &http.url;
                let name = url.trim_start_matches("http://").trim_end_matches("/health");
                let instance = self.looking_at.take();
                let needed_up = match self.behaviours.get(name) {
                    Some(Behaviour::SickWith(app)) => self.guardian.serves(app, self.now),
                    _ => true,
                };
                let mut asked = self.guardian.runs.values_mut().filter(|it| {
                    it.is_alive() && it.app == name && instance.is_none_or(|id| it.instance == id)
                });
                let up = self.database_up;
                match asked.next() {
                    Some(process) => process.answer(self.now, up, needed_up),
                    None => Refused { detail: zelador_core::words::quoted("connection refused") },
                }
            }
            _ => Unavailable { detail: zelador_core::words::quoted("not in this world") },
        }
    }
}
