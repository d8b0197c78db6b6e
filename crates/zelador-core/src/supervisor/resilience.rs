//! What was tried, what came of it, and what is not tried for now: the ledger of attempts and the
//! breakers of operations, which outlive the engine.

use super::Supervisor;
use crate::breaker::{Breaker, BreakerKey, BreakerPolicy, Call, Denied, Order, Permit, State};
use crate::effect::{Done, Refusal, Severity};
use crate::id::InstanceId;
use crate::instance::Phase;
use crate::record::Record;
use crate::retry::{Attempt, OperationStats};
use crate::unit::{Moment, Percent};
use crate::words;
use crate::words::{Words, counted, in_english};

use serde::{Deserialize, Serialize};

/// The operation under which the breaker of an instance that keeps dying is shown.
const START: &str = "start";

/// Whether people hear by another way that this target fails: by the verdict of a check, or by the
/// other channels.
fn tells_itself(target: &str) -> bool {
    ["database:", "check:", "notify:"].iter().any(|prefix| target.starts_with(prefix))
}

/// A breaker as API and screens show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakerView {
    /// Towards what: `app:api`, `notify:slack`.
    pub target: String,
    /// Doing what: `start`, `restart`, `send`.
    pub operation: String,
    /// `closed`, `open`, `half-open`, `forced open`, `disabled` or `metrics only`.
    #[serde(serialize_with = "in_english")]
    pub state: Words,
    /// Since when it is open or half-open.
    #[serde(default)]
    pub since: Option<Moment>,
    /// When the next trial is permitted, of an open one.
    pub trial_at: Option<Moment>,
    /// Openings since it was last closed.
    pub trips: u32,
    /// Calls in its window; of an instance: short runs in a row.
    pub calls: u32,
    /// The share of them that failed.
    pub failure_rate: Percent,
    /// The share of them that were slow.
    pub slow_rate: Percent,
    /// Calls that worked, in all.
    pub worked: u64,
    /// Calls that failed, in all.
    pub failed: u64,
    /// Calls that were not permitted, in all.
    pub denied: u64,
    /// In one sentence.
    #[serde(serialize_with = "in_english")]
    pub message: Words,
}

impl BreakerView {
    /// Whether nothing holds its calls back, and no person has ordered it about.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed.words()
    }

    /// Whether its calls are not made now.
    pub fn is_open(&self) -> bool {
        self.trial_at.is_some()
            || self.state == State::ForcedOpen.words()
            || self.state == open_words()
    }
}

/// The word for an open one, whenever it is tried.
fn open_words() -> Words {
    State::Open { since: Moment::default(), until: Moment::default() }.words()
}

/// An operation with its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryView {
    /// Which: `restart`, `send`.
    pub operation: String,
    /// The share of operations that worked in the end, in percent.
    pub success_rate: Option<f64>,
    /// Attempts for each operation.
    pub average_attempts: Option<f64>,
    /// The numbers, and the latest attempts.
    pub stats: OperationStats,
}

impl Supervisor {
    /// Notes an attempt of an operation, for statistics, history and screens.
    pub(super) fn attempted(&mut self, operation: &str, attempt: Attempt) {
        let gone = self.ledger.take(operation, attempt);
        self.ledger_changed(operation, gone);
    }

    /// Has the numbers of an operation kept.
    pub(super) fn ledger_changed(&mut self, operation: &str, gone: Option<String>) {
        self.records.extend(gone.map(Record::RetriesGone));
        if let Some(stats) = self.ledger.get(operation) {
            let kept = Box::new((operation.to_owned(), stats.clone()));
            self.records.push(Record::Retries(kept));
        }
    }

    /// Asks whether an operation may be done now; the permit is to be given back by
    /// [`Self::called`].
    pub(super) fn may_call(
        &mut self,
        key: &BreakerKey,
        policy: impl FnOnce() -> BreakerPolicy,
    ) -> Result<Permit, Denied> {
        let now = self.now;
        let (breaker, gone) = self.breakers.of(key, policy);
        let answer = breaker.ask(now);
        self.records.extend(gone.map(Record::BreakerGone));
        self.keep_breaker(key);
        answer
    }

    /// Tells how an operation went that was permitted.
    pub(super) fn called(&mut self, key: &BreakerKey, permit: Permit, call: Call) {
        let now = self.now;
        let Some(breaker) = self.breakers.get_mut(key) else { return };
        let change = breaker.report(now, permit, call);
        self.keep_breaker(key);
        let Some(change) = change else { return };
        if tells_itself(&key.target) {
            return;
        }
        let (severity, text) = match change.to {
            State::Open { until, .. } => (
                Severity::Warning,
                words!(
                    "the breaker of {key} opened: it is not tried for {t}",
                    "o disjuntor de {key} abriu: não se tenta por {t}",
                    t = until.since(now),
                ),
            ),
            _ => {
                let state = change.to.words();
                let text = words!(
                    "the breaker of {key} is {state}",
                    "o disjuntor de {key} está {state}",
                    state = state,
                );
                (Severity::Info, text)
            }
        };
        self.notify(severity, key.target.clone(), text);
    }

    pub(super) fn keep_breaker(&mut self, key: &BreakerKey) {
        if let Some(breaker) = self.breakers.get(key) {
            self.records.push(Record::Breaker(Box::new((key.clone(), breaker.kept()))));
        }
    }

    /// Does to breakers what a person wants: to all of a target, or to one.
    pub(super) fn order_breaker(
        &mut self,
        target: &str,
        operation: Option<&str>,
        order: Order,
    ) -> Result<Done, Refusal> {
        let mut done = Done::default();
        for (key, policy) in self.known_calls() {
            if key.target == target {
                let (_, gone) = self.breakers.of(&key, || policy);
                self.records.extend(gone.map(Record::BreakerGone));
            }
        }
        let keys: Vec<BreakerKey> = self
            .breakers
            .iter()
            .map(|(key, _)| key.clone())
            .filter(|key| key.target == target && operation.is_none_or(|it| it == key.operation))
            .collect();
        for key in keys {
            let change = self.breakers.get_mut(&key).and_then(|breaker| breaker.order(order));
            self.keep_breaker(&key);
            done.notes.push(match change {
                Some(change) => format!("{key}: {}, was {}", change.to, change.from),
                None => format!("{key}: unchanged"),
            });
        }
        if let Some(channel) = target.strip_prefix("notify:") {
            self.desk.rest(channel, self.now);
        }
        let app = target.strip_prefix("app:").unwrap_or(target);
        if order == Order::Reset {
            for remedy in self.history.reset_breakers(app, operation) {
                self.changed.history = true;
                done.notes.push(format!("app:{app} {remedy}: closed"));
            }
        }
        if operation.is_none_or(|it| it == START) {
            for id in self.select(&[app.to_owned()]).unwrap_or_default() {
                self.order_start_breaker(id, order, &mut done)?;
            }
        }
        if done.notes.is_empty() {
            let wanted = operation.map_or_else(|| target.to_owned(), |it| format!("{target} {it}"));
            return Err(Refusal::NotPossible {
                reason: words!("there is no breaker `{wanted}`", "não há disjuntor `{wanted}`"),
                help: Some(words!(
                    "`zelador breaker` shows what there is",
                    "`zelador breaker` mostra o que há",
                )),
            });
        }
        Ok(done)
    }

    fn order_start_breaker(
        &mut self,
        id: InstanceId,
        order: Order,
        done: &mut Done,
    ) -> Result<(), Refusal> {
        let name = self.spoken_name(id);
        if order != Order::Reset {
            return Err(Refusal::NotPossible {
                reason: words!(
                    "the breaker of app:{name} start can only be reset",
                    "o disjuntor de app:{name} start só pode ser zerado",
                ),
                help: Some(words!(
                    "`zelador stop {name}` keeps it down",
                    "`zelador stop {name}` o mantém parado",
                )),
            });
        }
        let Some(instance) = self.instances.get_mut(&id) else { return Ok(()) };
        instance.breaker.close();
        let tripped = matches!(instance.phase, Phase::Tripped { .. });
        if tripped {
            // The trial that would come by itself comes now.
            instance.phase = Phase::Tripped { trial_at: Some(self.now) };
        }
        self.touch(id);
        done.notes.push(if tripped {
            format!("app:{name} start: closed, a start follows")
        } else {
            format!("app:{name} start: closed")
        });
        Ok(())
    }

    /// Every breaker: those of operations, and those of instances that keep dying.
    pub fn breakers(&self) -> Vec<BreakerView> {
        let now = self.now;
        let unused =
            self.known_calls().into_iter().filter(|(key, _)| self.breakers.get(key).is_none());
        let unused = unused.map(|(key, policy)| (key, Breaker::new(policy)));
        let remedies = self.history.breakers().map(|(app, remedy, breaker)| {
            (BreakerKey::new(format!("app:{app}"), remedy), breaker.clone())
        });
        let known = self.breakers.iter().map(|(key, breaker)| (key.clone(), breaker.clone()));
        let operations = known.chain(unused).chain(remedies).map(|(key, mut breaker)| {
            let (failure_rate, slow_rate, calls) = breaker.rates(now);
            let tally = breaker.tally();
            let (since, trial_at) = match breaker.state() {
                State::Open { since, until } => (Some(since), Some(until)),
                State::HalfOpen { since, .. } => (Some(since), None),
                _ => (None, None),
            };
            BreakerView {
                target: key.target,
                operation: key.operation,
                state: breaker.state().words(),
                since,
                trial_at,
                trips: breaker.trips(),
                calls,
                failure_rate,
                slow_rate,
                worked: tally.worked,
                failed: tally.failed,
                denied: tally.denied,
                message: in_a_sentence(breaker.state(), now, failure_rate, calls),
            }
        });
        let starts = self.instances.iter().map(|(id, instance)| {
            let tripped = matches!(instance.phase, Phase::Tripped { .. });
            let trial_at = match instance.phase {
                Phase::Tripped { trial_at } => trial_at,
                _ => None,
            };
            let half_open = State::HalfOpen { since: now, successes: 0 };
            let (state, message) = match (tripped, trial_at, instance.breaker.trips) {
                (true, Some(at), _) => (
                    open_words(),
                    words!(
                        "one trial start in {t}",
                        "um início de teste em {t}",
                        t = at.since(now)
                    ),
                ),
                (true, None, _) => (
                    open_words(),
                    words!(
                        "stays down until somebody starts it",
                        "fica parado até que alguém o inicie",
                    ),
                ),
                (false, _, 0) => (State::Closed.words(), instance.breaker.short_runs_told()),
                (false, ..) => (
                    half_open.words(),
                    words!("a trial start is under way", "um início de teste está em curso"),
                ),
            };
            // The death that opened it is the latest.
            let opened_at = instance.deaths.front().map(|past| past.at);
            BreakerView {
                target: format!("app:{}", self.spoken_name(*id)),
                operation: START.to_owned(),
                state,
                since: opened_at.filter(|_| tripped),
                trial_at,
                trips: instance.breaker.trips,
                calls: instance.breaker.short_runs,
                failure_rate: Percent::of(u64::from(instance.breaker.short_runs > 0), 1),
                slow_rate: Percent::default(),
                worked: 0,
                failed: u64::from(instance.breaker.short_runs),
                denied: 0,
                message,
            }
        });
        operations.chain(starts).collect()
    }

    /// Every operation that was tried, with its numbers.
    pub fn retries(&self) -> Vec<RetryView> {
        let view = |(operation, stats): (&str, &OperationStats)| RetryView {
            operation: operation.to_owned(),
            success_rate: stats.success_rate(),
            average_attempts: stats.average_attempts(),
            stats: stats.clone(),
        };
        let mut all = self.ledger.clone();
        for (operation, stats) in self.calls.unwritten.iter() {
            all.absorb(operation, stats.clone());
        }
        all.iter().map(view).collect()
    }
}

/// How a breaker stands, in a sentence.
fn in_a_sentence(state: State, now: Moment, failure_rate: Percent, calls: u32) -> Words {
    match state {
        State::Closed if calls == 0 => words!("no call lately", "nenhuma chamada recente"),
        State::Closed => words!(
            "{rate} of {calls} failed",
            "{rate} de {calls} com falha",
            rate = failure_rate,
            calls = counted(calls as usize, ("call", "calls"), ("chamada", "chamadas")),
        ),
        State::Open { until, .. } => words!(
            "not tried; the next trial is in {t}",
            "não se tenta; o próximo teste é em {t}",
            t = until.since(now),
        ),
        State::HalfOpen { .. } => {
            words!("a trial is due or under way", "um teste é devido ou está em curso")
        }
        State::ForcedOpen => {
            words!("not tried: a person keeps it open", "não se tenta: uma pessoa o mantém aberto",)
        }
        State::Disabled => words!(
            "always tried, nothing is counted: a person turned it off",
            "sempre se tenta, nada é contado: uma pessoa o desligou",
        ),
        State::MetricsOnly => words!(
            "always tried, and counted only, as a person wants",
            "sempre se tenta, e só se conta, como uma pessoa quer",
        ),
    }
}
