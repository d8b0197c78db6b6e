//! Which instances a person means by some words.

use std::collections::BTreeSet;

use super::Supervisor;
use crate::effect::Refusal;
use crate::id::{AppName, InstanceId};
use crate::select::{Candidate, Unselected, select};

impl Supervisor {
    /// The instances that the selectors name, each once.
    pub(super) fn select(&self, selectors: &[String]) -> Result<Vec<InstanceId>, Refusal> {
        let candidates: Vec<Candidate<'_>> =
            self.instances.keys().filter_map(|id| self.candidate(*id)).collect();
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        for selector in selectors {
            let some = select(selector, &candidates).map_err(|why| refusal(selector, why))?;
            found.extend(some.into_iter().filter(|id| seen.insert(*id)));
        }
        Ok(found)
    }

    /// The apps of the instances that the selectors name, each once, in the order of the list.
    pub(super) fn select_apps(&self, selectors: &[String]) -> Result<Vec<AppName>, Refusal> {
        let mut names: Vec<AppName> = Vec::new();
        for id in self.select(selectors)? {
            let name = &self.instances[&id].app;
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Ok(names)
    }

    fn candidate(&self, id: InstanceId) -> Option<Candidate<'_>> {
        let instance = self.instances.get(&id)?;
        let spec = &self.apps.get(&instance.app)?.spec;
        Some(Candidate {
            id,
            app: instance.app.as_str(),
            index: instance.index,
            namespace: &spec.namespace,
            script: &spec.launch.script,
        })
    }
}

fn refusal(selector: &str, why: Unselected) -> Refusal {
    let selector = selector.to_owned();
    match why {
        Unselected::Nothing => Refusal::Nothing,
        Unselected::Unknown { nearest } => Refusal::Unknown { selector, nearest },
        Unselected::Pattern(reason) => Refusal::Pattern { selector, reason },
    }
}
