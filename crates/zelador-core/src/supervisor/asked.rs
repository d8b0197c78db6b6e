//! Who asked for what, of which instance: evidence for an end that looks like nobody's.
//!
//! Always holds: the latest [`KEPT`] wishes of an instance are known, for an hour, by this engine.

use std::time::Duration;

use super::Supervisor;
use crate::evidence::Asked;
use crate::id::InstanceId;
use crate::input::Command;

/// So many are kept of an instance: what is older explains nothing that ends now.
const KEPT: usize = 5;

/// And for so long, as deaths count.
const WITHIN: Duration = Duration::from_hours(1);

impl Supervisor {
    /// Notes a wish that touches processes.
    pub(super) fn note_asked(&mut self, by: Option<String>, command: &Command) {
        let (selectors, what) = match command {
            Command::Start { selectors } => (selectors, "start".to_owned()),
            Command::Stop { selectors } => (selectors, "stop".to_owned()),
            Command::Restart { selectors, .. } => (selectors, "restart".to_owned()),
            Command::Reload { selectors, .. } => (selectors, "reload".to_owned()),
            Command::Signal { selectors, signal } => (selectors, format!("signal {signal}")),
            _ => return,
        };
        // A selector of nothing is refused by whoever carries the command out.
        let Ok(ids) = self.select(selectors) else { return };
        self.asked.retain(|id, _| self.instances.contains_key(id));
        let asked = Asked { at: self.now, by, what };
        for id in ids {
            let known = self.asked.entry(id).or_default();
            known.insert(0, asked.clone());
            known.truncate(KEPT);
        }
    }

    /// What was asked for lately, the latest first.
    pub(super) fn asked_of(&self, id: InstanceId) -> Vec<Asked> {
        let known = self.asked.get(&id).map(Vec::as_slice).unwrap_or_default();
        known.iter().filter(|it| self.now.since(it.at) < WITHIN).cloned().collect()
    }
}
