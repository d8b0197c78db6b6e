//! Stops in order: what needs an app is gone before the app is asked to end.
//!
//! Only what stops at the same time counts: an app that is stopped alone is asked at once, whoever
//! needs it. Always holds: a stop waits for its dependants no longer than they may take.

use std::time::Duration;

use super::Supervisor;
use super::lifecycle::KILL_AGAIN_EVERY;
use crate::effect::{Effect, Say};
use crate::id::{AppName, InstanceId};
use crate::instance::Phase;

impl Supervisor {
    /// The apps that name this one in their `depends_on`, and that it does not need itself.
    fn dependants_of(&self, app: &AppName) -> Vec<&AppName> {
        let all = self.apps.iter().filter(|(other, known)| {
            let needs = &known.spec.depends_on;
            needs.iter().any(|name| name == app.as_str()) && !self.needs(app, other)
        });
        all.map(|(other, _)| other).collect()
    }

    /// How long the dependants of an app may take to be gone: each its grace, and two kills.
    fn dependants_within(&self, app: &AppName) -> Duration {
        let span = |dependant: &AppName| {
            let grace = self.apps.get(dependant).map_or(Duration::ZERO, |it| it.spec.stop.grace);
            self.dependants_within(dependant) + grace + 2 * KILL_AGAIN_EVERY
        };
        self.dependants_of(app).into_iter().map(span).max().unwrap_or_default()
    }

    /// An instance is to stop, and was not asked yet: its deadline is when it is asked at the latest.
    pub(super) fn give_dependants_time(&mut self, id: InstanceId) {
        let Some(app) = self.instances.get(&id).map(|instance| instance.app.clone()) else {
            return;
        };
        let latest = self.now + self.dependants_within(&app);
        if let Some(instance) = self.instances.get_mut(&id)
            && let Phase::Stopping { waits: true, kill_at, .. } = &mut instance.phase
        {
            *kill_at = latest;
        }
    }

    /// Asks those to end whose dependants are not stopping any more.
    pub(super) fn drive_stops(&mut self) {
        let waiting = self.instances.values().filter_map(|instance| match instance.phase {
            Phase::Stopping { waits: true, death: None, .. } => {
                Some((instance.id, instance.app.clone()))
            }
            _ => None,
        });
        for (id, app) in waiting.collect::<Vec<_>>() {
            if !self.is_waited_for(&app) {
                self.ask_to_end(id);
            }
        }
    }

    /// Whether something that needs this app is stopping.
    fn is_waited_for(&self, app: &AppName) -> bool {
        self.dependants_of(app).into_iter().any(|dependant| {
            let mut instances = self.instances.of_app(dependant);
            instances.any(|it| matches!(it.phase, Phase::Stopping { .. }))
        })
    }

    /// Asks the process of an instance that waited for that to end.
    pub(super) fn ask_to_end(&mut self, id: InstanceId) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(stop) = self.apps.get(&instance.app).map(|app| &app.spec.stop) else { return };
        let Phase::Stopping { run, kill_at, waits, .. } = &mut instance.phase else { return };
        (*waits, *kill_at) = (false, now + stop.grace);
        let run = *run;
        self.effects.push(if stop.message {
            Effect::Say { run, say: Say::Shutdown }
        } else {
            Effect::Terminate { run, signal: stop.signal, tree: stop.tree }
        });
        self.touch(id);
    }
}
