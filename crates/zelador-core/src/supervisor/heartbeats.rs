//! Services that call by themselves: who waits for whom, and since when.

use std::collections::BTreeSet;

use crate::check::Check;
use crate::id::CheckId;
use crate::instance::{Instance, Phase};
use crate::probe::Finding;
use crate::words;

use super::Supervisor;
use super::checks::NEVER;

impl Supervisor {
    /// What is known of a service that calls by itself; `None` for all other checks.
    pub(super) fn heard_beat(&self, id: &CheckId) -> Option<Finding> {
        let every = self.checks.get(id)?.plan.target.heartbeat()?;
        let name = self.heartbeat_name(id)?;
        let last = self.heartbeats.get(&name).copied();
        // Before the first one it has as long as between two.
        let since = match id.instance().and_then(|id| self.instances.get(&id)).map(Box::as_ref) {
            Some(Instance { phase: Phase::Running { since, .. }, .. }) => *since,
            _ => self.started_at,
        };
        let silent = self.now.since(last.map_or(since, |last| last.max(since)));
        Some(match last {
            _ if silent > every => Finding::TimedOut {
                detail: words!(
                    "not heard of for {silent}; it is to call every {every}",
                    "sem notícias há {silent}; deve chamar a cada {every}",
                    silent = silent,
                    every = every,
                ),
            },
            Some(_) => {
                Finding::Answered { detail: words!("called {t} ago", "chamou há {t}", t = silent) }
            }
            None => Finding::Answered {
                detail: words!(
                    "has not called yet, and has {rest}",
                    "ainda não chamou, e tem {rest}",
                    rest = every.saturating_sub(silent),
                ),
            },
        })
    }

    /// Under which name a service calls: that of the check, or that of the app.
    fn heartbeat_name(&self, id: &CheckId) -> Option<String> {
        match id {
            CheckId::Named(name) => Some(name.clone()),
            _ => Some(self.instances.get(&id.instance()?)?.app.to_string()),
        }
    }

    /// A service called. Who calls under a name that nobody knows is not remembered.
    pub(super) fn heartbeat(&mut self, name: String) {
        let waits = |(id, check): (&CheckId, &Check)| {
            let beats = check.plan.target.heartbeat().is_some();
            (beats && self.heartbeat_name(id).as_ref() == Some(&name)).then(|| id.clone())
        };
        let waiting: Vec<CheckId> = self.checks.iter().filter_map(waits).collect();
        if waiting.is_empty() {
            return;
        }
        self.heartbeats.insert(name, self.now);
        for id in waiting {
            if let Some(check) = self.checks.get_mut(&id)
                && check.next_at != NEVER
            {
                check.next_at = self.now;
                self.changed.checks.insert(id);
            }
        }
    }

    /// The names under which services call.
    pub fn heartbeat_names(&self) -> BTreeSet<String> {
        let beats = |check: &Check| check.plan.target.heartbeat().is_some();
        let ids = self.checks.iter().filter(|(_, check)| beats(check)).map(|(id, _)| id);
        ids.filter_map(|id| self.heartbeat_name(id)).collect()
    }
}
