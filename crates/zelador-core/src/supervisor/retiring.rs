//! Runs that were replaced, and are to end without their instance noticing.

use super::Supervisor;
use super::lifecycle::{KILL_AGAIN_EVERY, SPAWN_WITHIN};
use crate::death::Death;
use crate::effect::{Effect, Say};
use crate::id::{InstanceId, RunId};
use crate::instance::Retiring;
use crate::spec::ExecMode;

impl Supervisor {
    /// Asks a run to end whose place was taken, or that is not wanted any more. `serving`: it may be
    /// at work for somebody.
    pub(super) fn retire(&mut self, id: InstanceId, run: RunId, pid: Option<i32>, serving: bool) {
        let Some(app) = self.instances.get(&id).and_then(|it| self.apps.get(&it.app)) else {
            return;
        };
        let (stop, now) = (&app.spec.stop, self.now);
        let mut retiring = Retiring {
            run,
            instance: id,
            app: app.spec.name.clone(),
            pid,
            signal_at: None,
            kill_at: now + stop.grace,
            death: None,
        };
        if pid.is_none() {
            // There is nothing to signal yet; see `retiring_spawned`.
            retiring.kill_at = now + SPAWN_WITHIN;
        } else if stop.message {
            self.effects.push(Effect::Say { run, say: Say::Shutdown });
        } else if serving && app.spec.mode == ExecMode::Cluster {
            // It closes its ports, finishes what it is at, and exits by itself. One that does not
            // (a timer keeps it alive) gets the signal after the grace, and that long once more.
            self.effects.push(Effect::Say { run, say: Say::Disconnect });
            retiring.signal_at = Some(now + stop.grace);
            retiring.kill_at = now + stop.grace * 2;
        } else {
            self.effects.push(Effect::Terminate { run, signal: stop.signal, tree: stop.tree });
        }
        self.retiring.insert(run, retiring);
        self.changed.retiring.insert(run);
        self.changed.world = true;
    }

    /// The process of a run came up that is not wanted any more.
    pub(super) fn retiring_spawned(&mut self, run: RunId, pid: i32) {
        let now = self.now;
        let Some(retiring) = self.retiring.get_mut(&run) else { return };
        if retiring.pid.is_some() {
            self.ignored += 1;
            return;
        }
        retiring.pid = Some(pid);
        retiring.kill_at = now + KILL_AGAIN_EVERY;
        self.changed.retiring.insert(run);
        self.effects.push(Effect::Kill { run });
    }

    pub(super) fn retiring_exited(&mut self, run: RunId, death: Death) {
        let Some(retiring) = self.retiring.get_mut(&run) else { return };
        if retiring.death.is_some() {
            self.ignored += 1;
            return;
        }
        retiring.death = Some(death);
        retiring.signal_at = None;
        let kill_at = retiring.kill_at;
        self.changed.retiring.insert(run);
        self.effects.push(Effect::Sweep { run, kill_at });
    }

    /// Nothing is left of it.
    pub(super) fn retired(&mut self, run: RunId) {
        if self.retiring.remove(&run).is_some() {
            self.runs.remove(&run);
            self.changed.retiring.insert(run);
            self.changed.world = true;
        }
    }

    /// Asks a run to end whose signal was lost.
    pub(super) fn ask_to_retire(&mut self, run: RunId) {
        let Some(retiring) = self.retiring.get_mut(&run) else { return };
        let Some(app) = self.apps.get(&retiring.app) else { return };
        let stop = &app.spec.stop;
        retiring.kill_at = self.now + stop.grace;
        self.changed.retiring.insert(run);
        self.effects.push(if stop.message {
            Effect::Say { run, say: Say::Shutdown }
        } else {
            Effect::Terminate { run, signal: stop.signal, tree: stop.tree }
        });
    }

    /// The deadline of a run that is to end.
    pub(super) fn retiring_due(&mut self, run: RunId) {
        let now = self.now;
        let Some(retiring) = self.retiring.get_mut(&run) else { return };
        self.changed.retiring.insert(run);
        if retiring.signal_at.is_some_and(|at| now >= at) {
            retiring.signal_at = None;
            self.effects.extend(self.apps.get(&retiring.app).map(|app| {
                let (signal, tree) = (app.spec.stop.signal, app.spec.stop.tree);
                Effect::Terminate { run, signal, tree }
            }));
        }
        if now >= retiring.kill_at {
            retiring.kill_at = now + KILL_AGAIN_EVERY;
            self.effects.push(Effect::Kill { run });
        }
    }
}
