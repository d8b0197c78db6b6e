//! Restarts that a limit or the clock asks for: memory, cron.

use super::Supervisor;
use crate::cron;
use crate::effect::Severity;
use crate::id::{AppName, RunId};
use crate::instance::{Cause, Goal, Phase, Ruling, Then};
use crate::probe::Usage;
use crate::spec::ExecMode;
use crate::unit::{Moment, SECOND};
use crate::words;
use std::time::Duration;

impl Supervisor {
    /// Takes in what runs use; above its limit an instance is restarted gracefully.
    pub(super) fn sampled(&mut self, usages: &[(RunId, Usage)]) {
        self.courses.retain(|run, _| self.runs.contains_key(run));
        for (run, usage) in usages {
            let Some(id) = self.runs.get(run).copied() else { continue };
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            let Phase::Running { run: current, since, .. } = instance.phase else { continue };
            if current != *run {
                continue;
            }
            instance.usage = Some(*usage);
            self.courses.entry(*run).or_default().add(self.now, *usage);
            self.foresee(id);
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            let Some(app) = self.apps.get(&instance.app) else { continue };
            let Some(limit) = app.spec.max_memory.filter(|limit| usage.memory > *limit) else {
                continue;
            };
            if instance.successor.is_some() {
                continue;
            }
            let mode = app.spec.mode;
            // Every cause counts: a leak that fills the memory at once is a crash loop too.
            let uptime = self.now.since(since);
            let ruling = instance.breaker.after_death(&app.spec.restart, self.now, uptime, false);
            let cause = Cause::Memory { used: usage.memory, limit };
            self.note_cause(id, cause);
            let name = self.spoken_name(id);
            let text = words!(
                "{name} uses {used} of memory, its limit is {limit}: it is restarted",
                "{name} usa {used} de memória, o limite é {limit}: é reiniciado",
                used = usage.memory,
                limit = limit,
            );
            self.notify(Severity::Warning, name.clone(), text);
            match ruling {
                // A worker's successor is up before it goes.
                Ruling::Closed if mode == ExecMode::Cluster => {
                    self.start_successor(id);
                    true
                }
                Ruling::Closed => self.terminate(id, Then::Start),
                Ruling::Open(open) => {
                    let why = words!(
                        "{name} reaches its memory limit soon after every start",
                        "{name} chega ao limite de memória logo após cada início",
                    );
                    self.open_crash_loop(id, why);
                    self.terminate(id, Then::Trip { trial_at: open.map(|open| self.now + open) })
                }
            };
        }
    }

    /// The clock asks for a restart: of what is up, and of nothing that a person stopped.
    pub(super) fn cron_due(&mut self, name: &AppName) {
        self.plan_cron(name);
        for id in self.instances_of(name) {
            let Some(instance) = self.instances.get(&id) else { continue };
            if instance.goal == Goal::Up && matches!(instance.phase, Phase::Running { .. }) {
                self.restart_because(id, Cause::Cron);
            }
        }
    }

    /// Sets the next restart by the clock.
    pub(super) fn plan_cron(&mut self, name: &AppName) {
        let ahead = self.clock_ahead;
        let Some(app) = self.apps.get_mut(name) else { return };
        app.cron_at = app.spec.cron.as_ref().and_then(|pattern| {
            let next = cron::next(pattern, shift(self.now, ahead), &self.zone)?;
            // Never at once, however the clock was set: handling a deadline moves it on.
            Some(shift(next, -ahead).max(self.now + SECOND / 1000))
        });
        self.changed.apps.insert(name.clone());
    }
}

/// A moment by another clock, which is so many microseconds ahead.
pub(super) fn shift(moment: Moment, by: i64) -> Moment {
    let span = Duration::from_micros(by.unsigned_abs());
    if by < 0 { moment - span } else { moment + span }
}
