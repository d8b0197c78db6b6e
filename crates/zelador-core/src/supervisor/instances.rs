//! All instances, and which of them an app has: asked about at each step for each open incident, so that
//! among a thousand apps it must not cost a look at each.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::id::{AppName, InstanceId};
use crate::instance::Instance;

/// Instances by their numbers; reads like the map that it holds. Always holds: the app of an instance changes
/// by [`Self::rename`] alone.
#[derive(Debug, Default)]
pub(super) struct Instances {
    /// Each apart: it is large, and a node of a map has room for twice as many as are in it.
    all: BTreeMap<InstanceId, Box<Instance>>,
    by_app: BTreeMap<AppName, Vec<InstanceId>>,
}

impl Instances {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as of the map that it reads like")]
    pub(super) fn get_mut(&mut self, id: &InstanceId) -> Option<&mut Box<Instance>> {
        self.all.get_mut(id)
    }

    /// Adds an instance, or puts it in the place of the one with its number.
    pub(super) fn insert(&mut self, instance: Box<Instance>) {
        self.remove(instance.id);
        self.by_app.entry(instance.app.clone()).or_default().push(instance.id);
        self.all.insert(instance.id, instance);
    }

    pub(super) fn remove(&mut self, id: InstanceId) -> Option<Box<Instance>> {
        let instance = self.all.remove(&id)?;
        if let Some(of_app) = self.by_app.get_mut(&instance.app) {
            of_app.retain(|other| *other != id);
            if of_app.is_empty() {
                self.by_app.remove(&instance.app);
            }
        }
        Some(instance)
    }

    /// Gives the instances of an app to the one of another name.
    pub(super) fn rename(&mut self, old: &AppName, new: &AppName) {
        for id in self.by_app.remove(old).unwrap_or_default() {
            if let Some(instance) = self.all.get_mut(&id) {
                instance.app = new.clone();
            }
            self.by_app.entry(new.clone()).or_default().push(id);
        }
    }

    /// The instances of an app, in no order.
    pub(super) fn of_app(&self, app: &AppName) -> impl Iterator<Item = &Instance> {
        let ids = self.by_app.get(app).into_iter().flatten();
        ids.filter_map(|id| self.all.get(id)).map(Box::as_ref)
    }
}

impl Deref for Instances {
    type Target = BTreeMap<InstanceId, Box<Instance>>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Goal;
    use crate::unit::Moment;

    #[test]
    fn an_app_has_its_instances_under_its_new_name_too() {
        let name = |it: &str| AppName::new(it).unwrap();
        let mut instances = Instances::default();
        for (number, app) in [(0, "web"), (1, "job"), (2, "web")] {
            let id = InstanceId::new(number);
            let instance = Instance::new(id, name(app), 0, Goal::Up, Moment::default());
            instances.insert(Box::new(instance));
        }
        let of = |instances: &Instances, app: &str| -> Vec<u32> {
            instances.of_app(&name(app)).map(|it| it.id.number()).collect()
        };
        instances.rename(&name("web"), &name("site"));
        assert_eq!(of(&instances, "site"), [0, 2]);
        instances.remove(InstanceId::new(0));
        assert_eq!((of(&instances, "site"), of(&instances, "web")), (vec![2], vec![]));
        assert!(instances.values().all(|it| it.app != name("web")), "they say so themselves");
    }
}
