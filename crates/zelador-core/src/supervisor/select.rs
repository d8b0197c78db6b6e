//! Which instances a person means by a word.

use super::Supervisor;
use crate::effect::Refusal;
use crate::id::{AppName, InstanceId};

impl Supervisor {
    /// The instances that the selectors name, each once.
    pub(super) fn select(&self, selectors: &[String]) -> Result<Vec<InstanceId>, Refusal> {
        let mut found = Vec::new();
        for selector in selectors {
            let some = self.select_one(selector)?;
            found.extend(some.into_iter().filter(|id| !found.contains(id)).collect::<Vec<_>>());
        }
        Ok(found)
    }

    fn select_one(&self, selector: &str) -> Result<Vec<InstanceId>, Refusal> {
        if selector == "all" {
            let all: Vec<InstanceId> = self.instances.keys().copied().collect();
            return if all.is_empty() { Err(Refusal::Nothing) } else { Ok(all) };
        }
        // PM2: a name that looks like a number beats the number.
        if let Some(name) = AppName::new(selector).filter(|name| self.apps.contains_key(name)) {
            return Ok(self.instances_of(&name));
        }
        if let Some((name, index)) = selector.rsplit_once('/')
            && let (Some(name), Ok(index)) = (AppName::new(name), index.parse::<u32>())
        {
            let mut of_app = self.instances.values().filter(|instance| instance.app == name);
            if let Some(instance) = of_app.find(|instance| instance.index == index) {
                return Ok(vec![instance.id]);
            }
        }
        if let Some(id) = selector.parse().ok().map(InstanceId::new)
            && self.instances.contains_key(&id)
        {
            return Ok(vec![id]);
        }
        let nearest = self
            .apps
            .keys()
            .map(|name| (strsim::jaro_winkler(name.as_str(), selector), name))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name.to_string());
        Err(Refusal::Unknown { selector: selector.to_owned(), nearest })
    }
}
