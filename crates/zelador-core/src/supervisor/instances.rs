//! All instances, and which of them an app has: asked about at each step for each open incident, so that
//! among a thousand apps it must not cost a look at each.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::id::{AppName, InstanceId};
use crate::instance::Instance;

/// Instances by their numbers; reads like the map that it holds.
#[derive(Debug, Default)]
pub(super) struct Instances {
    /// Each apart: it is large, and a node of a map has room for twice as many as are in it.
    all: BTreeMap<InstanceId, Box<Instance>>,
    by_app: BTreeMap<AppName, Vec<InstanceId>>,
}

impl Instances {
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
