//! How many replicas there are: more are added, fewer are left.
//!
//! Always holds: indexes are unique within an app, and a new replica gets the lowest one that is
//! free; one that is being removed counts no more, and keeps its index until it is gone.

use std::collections::BTreeSet;

use super::Supervisor;
use super::commands::{Wait, Wanted};
use crate::effect::{Done, Refusal};
use crate::id::{AppName, InstanceId};
use crate::input::{Replicas, Surplus};
use crate::instance::{Cause, Goal, Instance};
use crate::words;

/// More replicas than this are a slip of the finger; an ecosystem file may not ask for more either.
const MOST: u32 = 1024;

impl Supervisor {
    /// Has more or fewer replicas of some apps.
    pub(super) fn scale_apps(
        &mut self,
        selectors: &[String],
        to: Replicas,
        surplus: Surplus,
    ) -> Result<(Vec<Wait>, Done), Refusal> {
        let apps = self.select_apps(selectors)?;
        let mut targets = Vec::new();
        for name in apps {
            let present = self.staying(&name).len() as u32;
            let wanted = match to {
                Replicas::Exactly(number) => number,
                Replicas::More(more) => present.saturating_add(more),
                Replicas::Fewer(fewer) => present.saturating_sub(fewer),
            };
            if !(1..=MOST).contains(&wanted) {
                let reason = words!(
                    "{name} cannot have {wanted} replicas, but 1 to {MOST}",
                    "{name} não pode ter {wanted} réplicas, e sim de 1 a {MOST}",
                );
                let help = words!(
                    "`zelador stop {name}` stops it, `zelador delete {name}` removes it",
                    "`zelador stop {name}` o para, `zelador delete {name}` o remove",
                );
                let help = (wanted == 0).then_some(help);
                return Err(Refusal::NotPossible { reason, help });
            }
            targets.push((name, wanted, present));
        }
        let (mut waits, mut done) = (Vec::new(), Done::default());
        for (name, wanted, present) in targets {
            if wanted == present {
                done.notes.push(format!("{name} has {wanted} already: nothing to do"));
            }
            if let Some(app) = self.apps.get_mut(&name) {
                app.spec.instances = wanted;
                self.changed.apps.insert(name.clone());
            }
            let up = self.staying(&name).iter().any(|id| self.instances[id].goal == Goal::Up);
            let goal = if up { Goal::Up } else { Goal::Down };
            self.fit(&name, goal, surplus, &Cause::Scaled, &mut waits);
        }
        Ok((waits, done))
    }

    /// Adds or removes instances until there are as many as declared.
    pub(super) fn scale(&mut self, name: &AppName, goal: Goal, waits: &mut Vec<Wait>) {
        self.fit(name, goal, Surplus::Newest, &Cause::Declared, waits);
    }

    fn fit(
        &mut self,
        name: &AppName,
        goal: Goal,
        surplus: Surplus,
        cause: &Cause,
        waits: &mut Vec<Wait>,
    ) {
        let wanted = self.apps[name].spec.instances as usize;
        let mut staying = self.staying(name);
        let taken: BTreeSet<u32> =
            self.instances_of(name).iter().map(|id| self.instances[id].index).collect();
        // What is added comes first: an app whose last instance goes is forgotten.
        let missing = wanted.saturating_sub(staying.len());
        for index in (0..).filter(|index| !taken.contains(index)).take(missing) {
            let id = InstanceId::new(self.counters.instance);
            self.counters.instance += 1;
            self.changed.counters = true;
            let instance = Instance::new(id, name.clone(), index, goal, self.now);
            self.instances.insert(Box::new(instance));
            self.add_check(id);
            self.touch(id);
            if goal == Goal::Up {
                waits.push(self.wait(id, Wanted::Up));
                self.start(id, cause.clone());
            }
        }
        match surplus {
            Surplus::Newest => staying.reverse(),
            Surplus::LowestId => staying.sort(),
        }
        for id in staying.iter().take(staying.len().saturating_sub(wanted)) {
            waits.push(self.wait(*id, Wanted::Gone));
            self.take_over(*id, &words!("somebody scaled it down", "alguém reduziu as instâncias"));
            self.remove_one(*id);
        }
    }

    /// The instances of an app that are not about to be removed, in the order of their index.
    pub(super) fn staying(&self, name: &AppName) -> Vec<InstanceId> {
        let mut ids = self.instances_of(name);
        ids.retain(|id| !self.instances[id].is_leaving());
        ids
    }
}
