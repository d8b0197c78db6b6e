//! What runs say by `sd_notify`: readiness, life, more time.

use std::time::Duration;

use super::Supervisor;
use super::order::Deadline;
use crate::effect::{Effect, Severity};
use crate::id::{InstanceId, RunId};
use crate::input::ReadyBy;
use crate::instance::{Cause, Phase, Ruling, Spoken, Then};
use crate::sd_notify::Notified;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// An engine looks within milliseconds of the time; one that comes this late was not there to listen either.
const LATE: Duration = Duration::from_secs(1);

impl Supervisor {
    /// A run said something.
    pub(super) fn notified(&mut self, run: RunId, said: Notified) {
        if said.ready {
            self.said_ready(run, ReadyBy::Message);
        }
        let now = self.now;
        let Some(id) = self.runs.get(&run).copied() else {
            self.ignored += 1;
            return;
        };
        let Some(instance) = self.instances.get_mut(&id).filter(|it| it.is_current(run)) else {
            return;
        };
        let words = &mut instance.spoken;
        if let Some(status) = said.status {
            words.status = Some(status);
        }
        words.reloading = (words.reloading && !said.ready) || said.reloading;
        words.stopping |= said.stopping;
        let watchdog = said.watchdog.or(words.watchdog);
        let is_changed = std::mem::replace(&mut words.watchdog, watchdog) != watchdog;
        if let Some(more) = said.extend {
            let until = now + more;
            match &mut instance.phase {
                Phase::Running { ready_by: Some(at), .. }
                | Phase::Stopping { kill_at: at, death: None, .. } => *at = until.max(*at),
                _ => {}
            }
            words.alive_by = words.alive_by.map(|at| at.max(until));
            words.excused_until = words.alive_by.and(Some(until));
        }
        if is_changed || said.extend.is_some() {
            self.touch(id);
        }
        if let Some(new) = said.main_pid
            && let Some(instance) = self.instances.get_mut(&id)
            && let Phase::Running { pid, .. } = &mut instance.phase
            && *pid != new
        {
            let before = std::mem::replace(pid, new);
            instance.spoken.first_pid.get_or_insert(before);
            self.tell_pid(id, new);
            self.touch(id);
        }
        if said.broken {
            return self.missed_watchdog(id);
        }
        if said.alive || said.ready || said.watchdog.is_some() {
            self.is_alive(id);
        }
    }

    /// A run came up: its watchdog begins.
    pub(super) fn begin_watchdog(&mut self, id: InstanceId) {
        if let Some(instance) = self.instances.get_mut(&id) {
            // Told before the process was up.
            let not_limited = instance.spoken.not_limited.take();
            instance.spoken = Spoken { not_limited, ..Spoken::default() };
        }
        self.is_alive(id);
    }

    /// The engine is new: the watchdog of a run begins anew, as the run had asked for it.
    pub(super) fn resume_watchdog(&mut self, id: InstanceId) {
        self.is_alive(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Spoken { alive_by, excused_until, .. } = &mut instance.spoken;
        if alive_by.is_some() && *alive_by < *excused_until {
            *alive_by = *excused_until;
            self.touch(id);
        }
    }

    /// The time was over at `at` in which a run was to say that it is alive. It may have said so to an engine that
    /// did not listen: what waits to be taken in is asked for first, and an engine that comes late was stopped,
    /// or starved, itself.
    pub(super) fn listen(&mut self, id: InstanceId, run: RunId, at: Moment) {
        if self.now.since(at) >= LATE {
            return self.is_alive(id);
        }
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.spoken.alive_by = None;
            self.effects.push(Effect::Listen { run });
        }
    }

    /// It is known whether a run has said something. What waits gives it the whole time again, once.
    pub(super) fn listened(&mut self, run: RunId, waits: bool) {
        let Some((id, _)) = self.current(run) else { return };
        let Some(instance) = self.instances.get(&id) else { return };
        if instance.spoken.alive_by.is_some() {
            return;
        }
        if !waits || instance.spoken.is_waited_for {
            return self.missed_watchdog(id);
        }
        self.is_alive(id);
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.spoken.is_waited_for = true;
        }
    }

    /// It has the whole time again, from when it is ready at the latest. Nothing of it is recorded:
    /// some say it many times a second.
    fn is_alive(&mut self, id: InstanceId) {
        let now = self.now;
        let every = self.watchdog_of(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Phase::Running { ready_by, .. } = instance.phase else { return };
        instance.spoken.alive_by = every.map(|every| ready_by.unwrap_or(now).max(now) + every);
        instance.spoken.is_waited_for = false;
        let settled = self.apps.get(&instance.app).map(|app| app.spec.restart.min_uptime);
        let deadline = settled.and_then(|settled| instance.deadline(settled));
        self.deadlines.set(Deadline::Instance(id), deadline);
    }

    /// How often an instance must say that it is alive.
    fn watchdog_of(&self, id: InstanceId) -> Option<Duration> {
        let instance = self.instances.get(&id)?;
        let declared = self.apps.get(&instance.app)?.spec.notify.watchdog?;
        Some(instance.spoken.watchdog.unwrap_or(declared))
    }

    /// A run did not say in time that it is alive, or said that it is broken: it counts as a death.
    pub(super) fn missed_watchdog(&mut self, id: InstanceId) {
        let now = self.now;
        let within = self.watchdog_of(id).unwrap_or_default();
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.spoken.alive_by = None;
        let Phase::Running { since, .. } = instance.phase else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        let uptime = now.since(since);
        let ruling = instance.breaker.after_death(&app.spec.restart, now, uptime, false);
        self.note_cause(id, Cause::Watchdog { within });
        let name = self.spoken_name(id);
        let text = words!(
            "{name} did not say within {t} that it is alive: it is unhealthy, and restarted",
            "{name} não disse em {t} que está vivo: está com falha, e é reiniciado",
            t = within,
        );
        self.notify(Severity::Warning, name.clone(), text);
        let then = match ruling {
            Ruling::Closed => Then::Start,
            Ruling::Open(open) => {
                let why = words!(
                    "{name} misses its watchdog soon after every start",
                    "{name} falha no watchdog logo após cada início",
                );
                self.open_crash_loop(id, why);
                Then::Trip { trial_at: open.map(|open| now + open) }
            }
        };
        self.terminate(id, then);
    }

    /// This host cannot hold what a run was to be limited to.
    pub(super) fn not_limited(&mut self, run: RunId, why: &Words) {
        let Some(id) = self.runs.get(&run).copied() else { return };
        let name = self.spoken_name(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.spoken.not_limited = Some(why.english().to_owned());
        self.touch(id);
        let text = words!("{name}: {why}", "{name}: {why}", why = why);
        self.notify(Severity::Warning, name, text);
    }
}
