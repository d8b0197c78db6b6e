//! Services that call by themselves: who waits for whom, and since when.
//!
//! Always holds: an engine that is replaced takes nobody for silent who called the one before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::id::CheckId;
use crate::instance::{Instance, Phase};
use crate::probe::Finding;
use crate::record::Record;
use crate::unit::Moment;
use crate::words;

use super::Supervisor;
use super::check_plan::NEVER;

/// When a service called, or since when its first call is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Then.
    pub at: Moment,
    /// Whether it called; `false`: it is waited for since then.
    pub called: bool,
}

/// A call becomes a record when the recorded one is older by this part of the declared interval: however
/// often a service calls, it costs ten transactions in each, and an engine that takes over is wrong by a
/// tenth of it at most.
const KEPT_PER_INTERVAL: u32 = 10;

impl Supervisor {
    /// Begins to wait for the calls of checks with a name, and forgets those of services that are gone.
    pub(super) fn plan_heartbeats(&mut self) {
        // Not all that is declared is known yet.
        if !self.knows_runs {
            return;
        }
        let names = self.heartbeat_names();
        let known: Vec<String> = self.heartbeats.keys().cloned().collect();
        for name in known.into_iter().filter(|name| !names.contains(name)) {
            self.heartbeats.remove(&name);
            self.records.push(Record::HeartbeatGone(name));
        }
        let waits = |(id, check): (&CheckId, &Check)| match id {
            CheckId::Named(name) if check.plan.target.heartbeat().is_some() => Some(name.clone()),
            _ => None,
        };
        let named: Vec<String> = self.checks.iter().filter_map(waits).collect();
        for name in named {
            if !self.heartbeats.contains_key(&name) {
                self.keep_heard(name, Heard { at: self.now, called: false });
            }
        }
    }

    fn keep_heard(&mut self, name: String, heard: Heard) {
        self.heartbeats.insert(name.clone(), (heard, heard));
        self.records.push(Record::Heartbeat(Box::new((name, heard))));
    }

    /// What is known of a service that calls by itself; `None` for all other checks.
    pub(super) fn heard_beat(&self, id: &CheckId) -> Option<Finding> {
        let every = self.checks.get(id)?.plan.target.heartbeat()?;
        let name = self.heartbeat_name(id)?;
        let heard = self.heartbeats.get(&name).map(|(heard, _)| *heard);
        // Before the first one it has as long as between two.
        let since = match id.instance().and_then(|id| self.instances.get(&id)).map(Box::as_ref) {
            Some(Instance { phase: Phase::Running { since, .. }, .. }) => *since,
            _ if heard.is_some() => Moment::default(),
            // An engine before this one kept no calls.
            _ => self.started_at,
        };
        let silent = self.now.since(heard.map_or(since, |heard| heard.at.max(since)));
        Some(match heard.filter(|heard| heard.called) {
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
        let every = |id: &CheckId| self.checks.get(id)?.plan.target.heartbeat();
        let Some(every) = waiting.iter().filter_map(every).min() else { return };
        let heard = Heard { at: self.now, called: true };
        let kept = self.heartbeats.get(&name).map(|(_, kept)| *kept);
        match kept {
            Some(kept) if kept.called && self.now.since(kept.at) < every / KEPT_PER_INTERVAL => {
                self.heartbeats.insert(name, (heard, kept));
            }
            _ => self.keep_heard(name, heard),
        }
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
