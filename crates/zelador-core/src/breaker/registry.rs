//! All breakers, by target and operation.
//!
//! Always holds: there are never more than `MOST`; one that a person gave an order to is the last
//! to make room.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Breaker, BreakerPolicy, State};

/// The most breakers there are: more than the apps and channels of a large host, a few hundred
/// kilobytes.
const MOST: usize = 1_024;

/// What a breaker is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BreakerKey {
    /// Towards what: `app:api`, `database:main`, `notify:slack`.
    pub target: String,
    /// Doing what: `restart`, `query`, `send`.
    pub operation: String,
}

impl BreakerKey {
    /// Returns the key of `operation` towards `target`.
    pub fn new(target: impl Into<String>, operation: impl Into<String>) -> Self {
        Self { target: target.into(), operation: operation.into() }
    }

    /// Returns the key of questions to a language model.
    pub fn model(name: &str) -> Self {
        Self::new(format!("model:{name}"), "ask")
    }
}

impl std::fmt::Display for BreakerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.target, self.operation)
    }
}

/// All breakers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Breakers {
    all: BTreeMap<BreakerKey, Breaker>,
}

impl Breakers {
    /// The breaker of this key; made with `policy` where it is new. Returns beside it the key of
    /// the one that had to make room, if one had to; its record is to be ended.
    pub fn of(
        &mut self,
        key: &BreakerKey,
        policy: impl FnOnce() -> BreakerPolicy,
    ) -> (&mut Breaker, Option<BreakerKey>) {
        let mut gone = None;
        if !self.all.contains_key(key) {
            gone = self.make_room();
            self.all.insert(key.clone(), Breaker::new(policy()));
        }
        let breaker = self.all.get_mut(key).expect("it was put there if it was missing");
        (breaker, gone)
    }

    /// The breaker of this key, if there is one.
    pub fn get(&self, key: &BreakerKey) -> Option<&Breaker> {
        self.all.get(key)
    }

    /// The breaker of this key, to be changed, if there is one.
    pub fn get_mut(&mut self, key: &BreakerKey) -> Option<&mut Breaker> {
        self.all.get_mut(key)
    }

    /// Puts a breaker back that was kept.
    pub fn restore(&mut self, key: BreakerKey, breaker: Breaker) {
        self.make_room();
        self.all.insert(key, breaker);
    }

    /// Removes one.
    pub fn remove(&mut self, key: &BreakerKey) {
        self.all.remove(key);
    }

    /// Removes those towards `target`, as when an app is deleted; returns their keys.
    pub fn remove_target(&mut self, target: &str) -> Vec<BreakerKey> {
        let keys: Vec<BreakerKey> =
            self.all.keys().filter(|key| key.target == target).cloned().collect();
        for key in &keys {
            self.all.remove(key);
        }
        keys
    }

    /// Every breaker, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&BreakerKey, &Breaker)> {
        self.all.iter()
    }

    fn make_room(&mut self) -> Option<BreakerKey> {
        if self.all.len() < MOST {
            return None;
        }
        // The least lately used: closed ones before open ones, those under orders last.
        let rank = |breaker: &Breaker| match breaker.state() {
            State::Closed => 0,
            State::Open { .. } | State::HalfOpen { .. } => 1,
            State::ForcedOpen | State::Disabled | State::MetricsOnly => 2,
        };
        let idle = self.all.iter().min_by_key(|(_, breaker)| (rank(breaker), breaker.used_at()))?;
        let idle = idle.0.clone();
        self.all.remove(&idle);
        Some(idle)
    }
}
