//! What is usual of what checks measure: learnt while they are healthy, and asked when they are judged.

use super::Supervisor;
use super::planned::shift;
use crate::check::{Band, Check, Status, measures_of};
use crate::id::CheckId;
use crate::probe::Finding;
use crate::record::Record;

/// The most measures of which something is learnt: more than a host with a hundred apps has limits.
const MOST: usize = 1_000;

impl Supervisor {
    /// What is usual of a measure at this hour of the day, where that is known.
    pub(super) fn usual_of(&self, check: &str, measure: &str) -> Option<Band> {
        if self.usual.is_empty() {
            return None;
        }
        self.usual.get(&key(check, measure))?.band(self.hour())
    }

    /// A healthy check saw this: it is part of what is usual.
    pub(super) fn learn(&mut self, id: &CheckId, finding: &Finding) {
        let Some(check) = self.checks.get(id).filter(|check| is_quiet(check)) else { return };
        let learnt: Vec<(String, f64)> = measures_of(&check.plan, finding).collect();
        if learnt.is_empty() || self.set_aside(id).is_some() {
            return;
        }
        let (now, hour, component) = (self.now, self.hour(), self.component(id));
        for (measure, value) in learnt {
            let key = key(&component, &measure);
            if self.usual.len() >= MOST && !self.usual.contains_key(&key) {
                continue;
            }
            let usual = self.usual.entry(key.clone()).or_default();
            if usual.learn(value, hour, now) {
                self.records.push(Record::Usual(Box::new((key, usual.clone()))));
            }
        }
    }

    /// The hour of the day, by the wall clock.
    fn hour(&self) -> u8 {
        let wall = shift(self.now, self.clock_ahead);
        wall.timestamp().to_zoned(self.zone.clone()).hour().unsigned_abs()
    }
}

/// Nothing is learnt from a bad time.
fn is_quiet(check: &Check) -> bool {
    let last = check.last.as_ref().map(|last| last.status);
    check.verdict == Some(Status::Healthy) && last == Some(Status::Healthy)
}

fn key(check: &str, measure: &str) -> String {
    format!("{check} {measure}")
}
