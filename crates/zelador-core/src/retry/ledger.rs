//! What came of all the attempts: the statistics of every operation, and the latest attempts.
//!
//! Always holds: memory is bounded, whatever the number of operations; an operation's numbers are
//! never less than what its kept attempts add up to.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ErrorClass;
use crate::unit::Moment;
use crate::words::Words;

/// The most operations that are told apart; the one that was used least lately makes room.
const MOST_OPERATIONS: usize = 256;
/// The latest attempts that are kept of one operation.
const ATTEMPTS_KEPT: usize = 50;
/// The longest text of an error that is kept.
const LONGEST_ERROR: usize = 300;

/// One attempt, as history and screens show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it ended.
    pub at: Moment,
    /// Towards what: `database:main`, `notify:slack`, `app:api`.
    pub target: String,
    /// Which attempt it was: 1 is the first.
    pub number: u32,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub outcome: AttemptOutcome,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum AttemptOutcome {
    /// It worked.
    Succeeded,
    /// It failed, and there is another one.
    Retrying {
        /// What kind of failure.
        class: ErrorClass,
        /// What was said, without secrets.
        error: Words,
        /// The delay before the next attempt.
        delay: Duration,
    },
    /// It failed, and that was the last.
    GaveUp {
        /// What kind of failure.
        class: ErrorClass,
        /// What was said, without secrets.
        error: Words,
        /// Why there is no other attempt.
        why: Words,
    },
}

/// The numbers of one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperationStats {
    /// Operations that came to an end, one way or the other.
    pub total: u64,
    /// Of them, those that worked in the end.
    pub successful: u64,
    /// Of them, those that were given up.
    pub failed: u64,
    /// Attempts in all, also of operations that are still under way.
    pub attempts: u64,
    /// Attempts of operations that came to an end.
    #[serde(default)]
    pub ended_attempts: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Operations that worked, but not at once.
    pub rescued: u64,
    /// The latest attempts, oldest first.
    pub latest: VecDeque<Attempt>,
}

impl OperationStats {
    /// The share of operations that worked in the end; `None` before the first.
    pub fn success_rate(&self) -> Option<f64> {
        (self.total > 0).then(|| self.successful as f64 / self.total as f64 * 100.0)
    }

    /// Attempts for each operation that came to an end; `None` before the first.
    pub fn average_attempts(&self) -> Option<f64> {
        (self.total > 0).then(|| self.ended_attempts as f64 / self.total as f64)
    }

    /// The latest errors, newest first.
    pub fn last_errors(&self) -> impl Iterator<Item = (&Attempt, &Words)> {
        self.latest.iter().rev().filter_map(|attempt| match &attempt.outcome {
            AttemptOutcome::Succeeded => None,
            AttemptOutcome::Retrying { error, .. } | AttemptOutcome::GaveUp { error, .. } => {
                Some((attempt, error))
            }
        })
    }

    fn take(&mut self, mut attempt: Attempt) {
        self.attempts += 1;
        match &mut attempt.outcome {
            AttemptOutcome::Succeeded => {
                self.total += 1;
                self.successful += 1;
                self.ended_attempts += u64::from(attempt.number);
                self.rescued += u64::from(attempt.number > 1);
            }
            AttemptOutcome::Retrying { error, .. } => {
                self.failed_attempts += 1;
                shorten(error);
            }
            AttemptOutcome::GaveUp { error, .. } => {
                self.total += 1;
                self.failed += 1;
                self.ended_attempts += u64::from(attempt.number);
                self.failed_attempts += 1;
                shorten(error);
            }
        }
        if self.latest.len() >= ATTEMPTS_KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(attempt);
    }

    fn absorb(&mut self, later: Self) {
        self.total += later.total;
        self.successful += later.successful;
        self.failed += later.failed;
        self.attempts += later.attempts;
        self.ended_attempts += later.ended_attempts;
        self.failed_attempts += later.failed_attempts;
        self.rescued += later.rescued;
        self.latest.extend(later.latest);
        let surplus = self.latest.len().saturating_sub(ATTEMPTS_KEPT);
        self.latest.drain(..surplus);
    }

    fn last_used(&self) -> Moment {
        self.latest.back().map_or_else(Moment::default, |attempt| attempt.at)
    }
}

fn shorten(words: &mut Words) {
    *words = words.map(|text| text.chars().take(LONGEST_ERROR).collect());
}

/// The numbers of all operations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    operations: BTreeMap<String, OperationStats>,
}

impl Ledger {
    /// Takes in an attempt of `operation` (`restart`, `send`, `query`); returns the name of the
    /// operation that had to make room, if one had to.
    pub fn take(&mut self, operation: &str, attempt: Attempt) -> Option<String> {
        let gone = self.make_room(operation);
        self.operations.entry(operation.to_owned()).or_default().take(attempt);
        gone
    }

    /// Takes in an operation that worked at once, of which nothing else is kept.
    pub fn worked(&mut self, operation: &str) {
        if !self.operations.contains_key(operation) {
            self.make_room(operation);
            self.operations.insert(operation.to_owned(), OperationStats::default());
        }
        if let Some(stats) = self.operations.get_mut(operation) {
            stats.total += 1;
            stats.successful += 1;
            stats.attempts += 1;
            stats.ended_attempts += 1;
        }
    }

    /// Adds what another ledger counted of an operation; returns the name of the operation that had
    /// to make room, if one had to.
    pub fn absorb(&mut self, operation: &str, stats: OperationStats) -> Option<String> {
        let gone = self.make_room(operation);
        self.operations.entry(operation.to_owned()).or_default().absorb(stats);
        gone
    }

    /// Every operation with its numbers, taken out.
    pub fn into_all(self) -> impl Iterator<Item = (String, OperationStats)> {
        self.operations.into_iter()
    }

    /// Puts numbers back that were kept; older ones do not say which attempts came to an end.
    pub fn restore(&mut self, operation: String, mut stats: OperationStats) {
        if stats.total > 0 && stats.ended_attempts == 0 {
            stats.ended_attempts = stats.attempts;
        }
        self.make_room(&operation);
        self.operations.insert(operation, stats);
    }

    /// The numbers of one operation.
    pub fn get(&self, operation: &str) -> Option<&OperationStats> {
        self.operations.get(operation)
    }

    /// Every operation with its numbers, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &OperationStats)> {
        self.operations.iter().map(|(name, stats)| (name.as_str(), stats))
    }

    fn make_room(&mut self, operation: &str) -> Option<String> {
        if self.operations.len() < MOST_OPERATIONS || self.operations.contains_key(operation) {
            return None;
        }
        let idle = self.operations.iter().min_by_key(|(_, stats)| stats.last_used())?.0.clone();
        self.operations.remove(&idle);
        Some(idle)
    }
}
