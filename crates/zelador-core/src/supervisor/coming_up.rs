//! How a start goes on: its process is there, it says that it is ready, or it could not be made.

use super::Supervisor;
use crate::death::{Death, SpawnFailure};
use crate::effect::Effect;
use crate::footing::Footing;
use crate::id::{InstanceId, RunId};
use crate::input::ReadyBy;
use crate::instance::Phase;
use crate::launch::pid_path;

impl Supervisor {
    pub(super) fn spawned(&mut self, run: RunId, pid: i32) {
        if self.retiring.contains_key(&run) {
            return self.retiring_spawned(run, pid);
        }
        if let Some(id) = self.succeeds(run) {
            return self.successor_spawned(id, pid);
        }
        let Some((id, instance)) = self.current(run) else { return };
        let now = self.instances[&id].phase.clone();
        match now {
            Phase::Starting { .. } => {
                self.comes_up(id, run, pid);
            }
            // It was stopped before it was up: now there is something to stop.
            Phase::Stopping { pid: None, then, .. } => {
                let Some(app) = self.apps.get(&instance) else { return };
                let (stop, kill_at) = (&app.spec.stop, self.now + app.spec.stop.grace);
                // It cannot have heard of a channel yet.
                let (signal, tree) = (stop.signal, stop.tree);
                let Some(instance) = self.instances.get_mut(&id) else { return };
                instance.phase = Phase::Stopping {
                    run,
                    pid: Some(pid),
                    kill_at,
                    then,
                    death: None,
                    waits: false,
                };
                self.effects.push(Effect::Terminate { run, signal, tree });
                self.touch(id);
            }
            _ => self.ignored += 1,
        }
    }

    fn comes_up(&mut self, id: InstanceId, run: RunId, pid: i32) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        let ready_by = app.spec.says_ready().then(|| now + app.spec.readiness.within);
        instance.phase = Phase::Running { run, pid, since: now, ready_by };
        instance.started_at = Some(now);
        instance.footing = Some(Footing::of(&app.spec.launch, now));
        instance.said_ready = false;
        instance.proven = false;
        self.begin_watchdog(id);
        if ready_by.is_none() {
            self.begin_check(id, now);
        }
        self.tell_pid(id, pid);
        self.touch(id);
    }

    /// Has the file written that tells the main process of an instance.
    pub(super) fn tell_pid(&mut self, id: InstanceId, pid: i32) {
        let Some(instance) = self.instances.get(&id) else { return };
        if let Some(app) = self.apps.get(&instance.app) {
            let path = pid_path(&app.spec, id, &self.home);
            self.effects.push(Effect::WritePid { path, pid });
        }
    }

    /// A run said that it is ready.
    pub(super) fn said_ready(&mut self, run: RunId, by: ReadyBy) {
        let successor = self.succeeds(run);
        let app = successor.or(self.runs.get(&run).copied()).and_then(|id| self.instances.get(&id));
        let app = app.and_then(|instance| self.apps.get(&instance.app));
        // A worker that listens may have more to do before it says the word that it was asked for.
        if by == ReadyBy::Listening && app.is_some_and(|app| app.spec.readiness.wait) {
            return;
        }
        if let Some(id) = successor {
            return self.promote(id, true);
        }
        let Some((id, _)) = self.current(run) else { return };
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Phase::Running { since, ready_by, .. } = &mut instance.phase else {
            self.ignored += 1;
            return;
        };
        let (since, waited) = (*since, ready_by.take().is_some());
        instance.said_ready = true;
        if waited {
            self.begin_check(id, since);
        }
        self.touch(id);
    }

    pub(super) fn spawn_failed(&mut self, run: RunId, failure: SpawnFailure) {
        if self.retiring.contains_key(&run) {
            return self.retired(run);
        }
        if let Some(id) = self.succeeds(run) {
            return self.successor_died(id, run, Death::NeverStarted(failure));
        }
        let Some((id, _)) = self.current(run) else { return };
        match self.instances[&id].phase {
            Phase::Starting { .. } => self.died(id, run, Death::NeverStarted(failure)),
            Phase::Stopping { .. } => {
                self.runs.remove(&run);
                self.gone(id);
            }
            _ => self.ignored += 1,
        }
    }
}
