//! What was tried again, and what is not tried for now: records go in as they are kept, attempts and
//! turns of breakers come out.
//!
//! Always holds: the same record twice tells nothing the second time.

use std::collections::BTreeMap;

use crate::breaker::State;
use crate::instance::{Instance, Phase};
use crate::record::Record;
use crate::retry::{Attempt, OperationStats};
use crate::unit::Moment;

/// One thing that was tried, or is not.
#[derive(Clone, Debug, PartialEq)]
pub enum Trial {
    /// An operation was tried.
    Attempt {
        /// Which: `restart`, `send`.
        operation: String,
        /// How it went.
        attempt: Attempt,
    },
    /// A breaker is not as it was.
    Turn(Turn),
}

/// A breaker is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When.
    pub at: Moment,
    /// Towards what: `app:api/0`, `notify:slack`.
    pub target: String,
    /// Doing what: `start`, `send`.
    pub operation: String,
    /// `closed`, `open`, `half-open`, `forced open`, `disabled` or `metrics only`.
    pub state: String,
    /// When the next trial is permitted, of an open one.
    pub trial_at: Option<Moment>,
    /// Openings since it was last closed.
    pub trips: u32,
}

/// What was seen last of everything.
#[derive(Debug, Default)]
pub struct Trials {
    attempts: BTreeMap<String, u64>,
    /// By target and operation.
    breakers: BTreeMap<(String, String), String>,
}

impl Trials {
    /// Takes in a record; returns what it tells.
    pub fn tell(&mut self, now: Moment, record: &Record) -> Vec<Trial> {
        match record {
            Record::Retries(kept) => self.attempts(&kept.0, &kept.1),
            Record::RetriesGone(operation) => {
                self.attempts.remove(operation);
                Vec::new()
            }
            Record::Breaker(kept) => {
                let (key, breaker) = kept.as_ref();
                let trial_at = match breaker.state() {
                    State::Open { until, .. } => Some(until),
                    _ => None,
                };
                let (target, operation) = (key.target.clone(), key.operation.clone());
                let (state, trips) = (breaker.state().to_string(), breaker.trips());
                self.turn(Turn { at: now, target, operation, state, trial_at, trips })
            }
            Record::BreakerGone(key) => {
                self.breakers.remove(&(key.target.clone(), key.operation.clone()));
                Vec::new()
            }
            Record::Instance(instance) => self.turn(start_of(now, instance)),
            _ => Vec::new(),
        }
    }

    /// What came to the attempts of an operation since it was seen last, as far as it is kept.
    fn attempts(&mut self, operation: &str, stats: &OperationStats) -> Vec<Trial> {
        let before = self.attempts.insert(operation.to_owned(), stats.attempts);
        let new = stats.attempts.saturating_sub(before.unwrap_or(0));
        let new = usize::try_from(new).unwrap_or(usize::MAX);
        let kept = stats.latest.len();
        let latest = stats.latest.iter().skip(kept.saturating_sub(new));
        let trial = |attempt: &Attempt| Trial::Attempt {
            operation: operation.to_owned(),
            attempt: attempt.clone(),
        };
        latest.map(trial).collect()
    }

    /// One that was closed when it was seen first is no news.
    fn turn(&mut self, turn: Turn) -> Vec<Trial> {
        let key = (turn.target.clone(), turn.operation.clone());
        let before = self.breakers.insert(key, turn.state.clone());
        let closed = State::Closed.to_string();
        if before.unwrap_or(closed) == turn.state { Vec::new() } else { vec![Trial::Turn(turn)] }
    }
}

/// The breaker of an instance that keeps dying.
fn start_of(now: Moment, instance: &Instance) -> Turn {
    let (state, trial_at) = match instance.phase {
        Phase::Tripped { trial_at } => ("open", trial_at),
        _ if instance.breaker.trips > 0 => ("half-open", None),
        _ => ("closed", None),
    };
    Turn {
        at: now,
        target: format!("app:{}/{}", instance.app, instance.index),
        operation: "start".to_owned(),
        state: state.to_owned(),
        trial_at,
        trips: instance.breaker.trips,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::{AppName, InstanceId};
    use crate::instance::Goal;
    use crate::retry::AttemptOutcome;

    const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

    fn attempt(number: u32) -> Attempt {
        let (target, took) = ("notify:ops".to_owned(), Duration::from_millis(5));
        Attempt { at: NOW, target, number, took, outcome: AttemptOutcome::Succeeded }
    }

    fn stats(attempts: u64, latest: impl IntoIterator<Item = u32>) -> Record {
        let latest = latest.into_iter().map(attempt).collect();
        let stats = OperationStats { attempts, latest, ..OperationStats::default() };
        Record::Retries(Box::new(("send".to_owned(), stats)))
    }

    fn numbers(trials: &[Trial]) -> Vec<u32> {
        let number = |trial: &Trial| match trial {
            Trial::Attempt { attempt, .. } => Some(attempt.number),
            Trial::Turn(_) => None,
        };
        trials.iter().filter_map(number).collect()
    }

    #[test]
    fn each_attempt_is_told_once_though_the_ledger_repeats_the_latest() {
        let mut trials = Trials::default();
        assert_eq!(numbers(&trials.tell(NOW, &stats(2, [1, 2]))), [1, 2]);
        assert_eq!(trials.tell(NOW, &stats(2, [1, 2])), []);
        assert_eq!(numbers(&trials.tell(NOW, &stats(3, [1, 2, 3]))), [3]);
        let gap = trials.tell(NOW, &stats(9, [8, 9]));
        assert_eq!(numbers(&gap), [8, 9], "what the ledger has dropped cannot be told");
    }

    #[test]
    fn a_breaker_is_told_when_it_turns() {
        let mut trials = Trials::default();
        let name = AppName::new("api").expect("a name");
        let mut api = Instance::new(InstanceId::new(0), name, 0, Goal::Up, NOW);
        let mut tell = |api: &Instance| -> Vec<String> {
            let record = Record::Instance(Box::new(api.clone()));
            let told = trials.tell(NOW, &record);
            assert_eq!(trials.tell(NOW, &record), []);
            told.into_iter()
                .map(|it| match it {
                    Trial::Turn(turn) => {
                        format!("{} {} {}", turn.target, turn.operation, turn.state)
                    }
                    Trial::Attempt { .. } => "an attempt".to_owned(),
                })
                .collect()
        };
        assert_eq!(tell(&api), Vec::<String>::new());
        let running = api.phase.clone();
        (api.phase, api.breaker.trips) = (Phase::Tripped { trial_at: Some(NOW) }, 1);
        assert_eq!(tell(&api), ["app:api/0 start open"]);
        api.phase = running;
        assert_eq!(tell(&api), ["app:api/0 start half-open"]);
        api.breaker.trips = 0;
        assert_eq!(tell(&api), ["app:api/0 start closed"]);
    }
}
