//! How many retries one target may get: what keeps many operations that fail together from
//! becoming a storm.
//!
//! A bucket of retries. Every operation that begins puts a share of one in, time drips some in,
//! every retry takes one out. Always holds: over any span, retries ≤ capacity + share × operations
//! begun + drip × span.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::unit::Moment;

/// What a target's retries may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetPolicy {
    /// The most retries that can be saved up.
    pub capacity: u32,
    /// Thousandths of a retry for every operation that begins.
    pub share: u32,
    /// Thousandths of a retry for every second.
    pub drip: u32,
}

impl Default for BudgetPolicy {
    /// Finagle's retry budget: 20 % of the operations and 10 retries a second; here one retry every
    /// 5 s, because zelador's targets see seconds between operations, not milliseconds.
    fn default() -> Self {
        Self { capacity: 20, share: 200, drip: 200 }
    }
}

/// The retries that a target has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    policy: BudgetPolicy,
    /// In thousandths of a retry.
    left: u64,
    dripped_at: Moment,
}

/// One whole retry.
const ONE: u64 = 1000;

impl Budget {
    /// A full one.
    pub fn new(policy: BudgetPolicy, now: Moment) -> Self {
        Self { policy, left: u64::from(policy.capacity) * ONE, dripped_at: now }
    }

    /// Whole retries that are left.
    pub fn left(&self) -> u32 {
        (self.left / ONE) as u32
    }

    /// An operation begins.
    pub fn deposit(&mut self, now: Moment) {
        self.drip(now);
        self.fill(u64::from(self.policy.share));
    }

    /// Takes one retry out; false when there is none.
    pub fn take(&mut self, now: Moment) -> bool {
        self.drip(now);
        let enough = self.left >= ONE;
        if enough {
            self.left -= ONE;
        }
        enough
    }

    fn drip(&mut self, now: Moment) {
        let passed = now.since(self.dripped_at);
        let drops = u128::from(self.policy.drip) * passed.as_micros() / 1_000_000;
        if drops == 0 {
            return;
        }
        // What is less than a drop stays on the clock, so that often asked is not less given.
        let spent = drops * 1_000_000 / u128::from(self.policy.drip);
        self.dripped_at = self.dripped_at + Duration::from_micros(spent as u64);
        self.fill(drops.min(u128::from(u64::MAX)) as u64);
    }

    fn fill(&mut self, drops: u64) {
        let full = u64::from(self.policy.capacity) * ONE;
        self.left = self.left.saturating_add(drops).min(full);
    }
}

/// The most targets that have a budget of their own at a time; the one that was asked for least
/// lately makes room.
const MOST_TARGETS: usize = 512;

/// The budgets of all targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Budgets {
    policy: BudgetPolicy,
    targets: BTreeMap<String, Budget>,
}

impl Budgets {
    /// All with this policy.
    pub const fn new(policy: BudgetPolicy) -> Self {
        Self { policy, targets: BTreeMap::new() }
    }

    /// The budget of a target: a full one where it is new.
    pub fn of(&mut self, target: &str, now: Moment) -> &mut Budget {
        if !self.targets.contains_key(target) {
            self.make_room();
            self.targets.insert(target.to_owned(), Budget::new(self.policy, now));
        }
        self.targets.get_mut(target).expect("it was put there if it was missing")
    }

    /// Every target with what it has left.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Budget)> {
        self.targets.iter().map(|(target, budget)| (target.as_str(), budget))
    }

    fn make_room(&mut self) {
        if self.targets.len() < MOST_TARGETS {
            return;
        }
        let idle = self.targets.iter().min_by_key(|(_, budget)| budget.dripped_at);
        if let Some(idle) = idle.map(|(target, _)| target.clone()) {
            self.targets.remove(&idle);
        }
    }
}
