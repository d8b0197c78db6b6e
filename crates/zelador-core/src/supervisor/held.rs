//! Instances whose restart waits for a database that they need.
//!
//! Always holds: a database that is down costs its dependants no restart.

use super::Supervisor;
use super::dependencies::Dependency;
use crate::id::{AppName, InstanceId};
use crate::instance::Phase;
use crate::spec::OnDependencyDown;
use crate::unit::Moment;

impl Supervisor {
    /// Starts an instance that has waited long enough, unless a database that it needs is known to
    /// be down.
    pub(super) fn start_unless_held(&mut self, id: InstanceId) {
        let now = self.now;
        let Some(app) = self.instances.get(&id).and_then(|it| self.apps.get(&it.app)) else {
            return;
        };
        let (name, waits) = (app.spec.name.clone(), app.spec.on_dependency_down);
        let state = self.database_state(&name, Moment::default());
        let down = matches!(state, Dependency::Down { .. });
        if !down || waits == OnDependencyDown::Restart {
            return self.start_as_noted(id, true);
        }
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.phase = Phase::Backoff { retry_at: now, held: true };
        }
    }

    /// Starts instances that wait for a dependency which is up now.
    pub(super) fn release_held(&mut self) {
        let held: Vec<(InstanceId, AppName, Moment, Moment)> = self
            .instances
            .values()
            .filter_map(|instance| match instance.phase {
                Phase::Backoff { retry_at, held: true } => {
                    let since = instance.deaths.front().map_or(self.now, |death| death.at);
                    Some((instance.id, instance.app.clone(), retry_at, since))
                }
                _ => None,
            })
            .collect();
        for (id, app, retry_at, since) in held {
            if self.database_state(&app, since) != Dependency::Up {
                continue;
            }
            if self.now >= retry_at {
                self.start_as_noted(id, true);
            } else if let Some(instance) = self.instances.get_mut(&id) {
                instance.phase = Phase::Backoff { retry_at, held: false };
                self.touch(id);
            }
        }
    }
}
