//! Instances whose start waits for something that they need.
//!
//! Always holds: a database that is down costs its dependants no restart, and no dependant is
//! started before each app that it needs, and that is wanted, is as far as its condition says.

use super::Supervisor;
use crate::instance::Phase;

impl Supervisor {
    /// Starts instances that wait for nothing any more.
    pub(super) fn release_held(&mut self) {
        let held = self.instances.values().filter_map(|instance| match instance.phase {
            Phase::Backoff { retry_at, held: true, fresh } => Some((instance.id, retry_at, fresh)),
            _ => None,
        });
        for (id, retry_at, fresh) in held.collect::<Vec<_>>() {
            if self.obstacle(id).is_some() {
                continue;
            }
            if self.now >= retry_at {
                self.begin_run(id, !fresh);
            } else if let Some(instance) = self.instances.get_mut(&id) {
                instance.phase = Phase::Backoff { retry_at, held: false, fresh };
                self.touch(id);
            }
        }
    }
}
