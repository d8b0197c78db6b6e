//! Calls that zelador makes: each passes its breaker, its retries the budget of their target, and
//! what came of every attempt is noted.
//!
//! Two kinds: calls that somebody outside asks for (a model) go through [`Fact::CallWanted`] and are
//! told by [`Effect::Call`] when to go; looks and deliveries, which the supervisor plans itself, ask
//! here before they are made. Always holds: no call is made that its breaker does not permit, unless a
//! person asks for a look; no more than [`MOST_CALLS`] are under way at once.
//!
//! [`Fact::CallWanted`]: crate::input::Fact::CallWanted

use std::collections::BTreeMap;
use std::time::Duration;

use super::Supervisor;
use super::order::Deadline;
use crate::breaker::{BreakerKey, BreakerPolicy, Call, Denied, Permit};
use crate::effect::{CallAnswer, Effect};
use crate::id::{CallId, CheckId, ProbeId};
use crate::input::{CallFailed, CallWanted};
use crate::notify::{DeliveryId, DeliveryOutcome};
use crate::record::Record;
use crate::retry::{Attempt, AttemptOutcome, Budgets, ErrorClass, Ledger};
use crate::retry::{Next, Retry};
use crate::unit::Moment;
use crate::words;

/// Bounds the memory of calls whose caller never says how they went: more than all the models,
/// channels and remedies of a host together.
const MOST_CALLS: u32 = 256;

/// Looks happen so often that their numbers are kept together, this often; what an engine that is
/// killed had counted since then is lost.
pub(super) const KEPT_EVERY: Duration = Duration::from_secs(10);

/// Calls under way, and what bounds them.
#[derive(Default)]
pub(super) struct Calls {
    wanted: BTreeMap<CallId, UnderWay>,
    pub(super) looks: BTreeMap<ProbeId, Permit>,
    deliveries: BTreeMap<DeliveryId, Permit>,
    pub(super) budgets: Budgets,
    /// Attempts of looks that are not part of the records yet.
    pub(super) unwritten: Ledger,
    pub(super) write_at: Option<Moment>,
}

struct UnderWay {
    key: BreakerKey,
    policy: BreakerPolicy,
    retry: Retry,
    permit: Option<Permit>,
}

impl Supervisor {
    /// Somebody wants to make a call.
    pub(super) fn call_wanted(&mut self, id: CallId, wanted: CallWanted) {
        if self.calls.wanted.len() >= MOST_CALLS as usize {
            let full = Denied::Full { limit: MOST_CALLS };
            return self.answer_call(id, CallAnswer::GiveUp(full.words()));
        }
        let CallWanted { key, retry, breaker } = wanted;
        let retry = self.settings.resilience.retry(&key.operation, retry);
        let breaker = self.settings.resilience.breaker(&key.operation, breaker);
        self.calls.budgets.of(&key.target, self.now).deposit(self.now);
        let retry = Retry::new(retry, self.now);
        self.calls.wanted.insert(id, UnderWay { key, policy: breaker, retry, permit: None });
        self.permit_call(id);
    }

    /// The pause before the next attempt of a call is over.
    pub(super) fn call_repeated(&mut self, id: CallId) {
        match self.calls.wanted.get(&id) {
            Some(call) if call.permit.is_none() => self.permit_call(id),
            _ => self.ignored += 1,
        }
    }

    /// Nobody wants the answer of a call any more.
    pub(super) fn call_dropped(&mut self, id: CallId) {
        let Some(call) = self.calls.wanted.remove(&id) else { return };
        if let (Some(permit), Some(breaker)) = (call.permit, self.breakers.get_mut(&call.key)) {
            breaker.forget(permit);
        }
    }

    fn permit_call(&mut self, id: CallId) {
        let Some(call) = self.calls.wanted.get(&id) else { return };
        let (key, policy) = (call.key.clone(), call.policy.clone());
        match self.may_call(&key, || policy) {
            Ok(permit) => {
                if let Some(call) = self.calls.wanted.get_mut(&id) {
                    call.permit = Some(permit);
                }
                self.answer_call(id, CallAnswer::Go);
            }
            Err(denied) => {
                self.calls.wanted.remove(&id);
                self.answer_call(id, CallAnswer::GiveUp(denied.words()));
            }
        }
    }

    /// An attempt of a call came to its end.
    pub(super) fn call_ended(&mut self, id: CallId, took: Duration, failed: Option<CallFailed>) {
        let now = self.now;
        let current = self.calls.wanted.get_mut(&id);
        let Some((call, permit)) = current.and_then(|it| it.permit.take().map(|p| (it, p))) else {
            self.ignored += 1;
            return;
        };
        let key = call.key.clone();
        let target = key.target.clone();
        let number = call.retry.failed().saturating_add(1);
        let Some(CallFailed { failure, error }) = failed else {
            self.calls.wanted.remove(&id);
            self.called(&key, permit, Call::worked(took));
            let outcome = AttemptOutcome::Succeeded;
            return self
                .attempted(&key.operation, Attempt { at: now, target, number, took, outcome });
        };
        let budget = self.calls.budgets.of(&target, now);
        let next = call.retry.after_failure(now, failure, Some(budget), &mut self.rng);
        let class = failure.class;
        match self.breakers.get_mut(&key) {
            // It was not made after all.
            Some(breaker) if class == ErrorClass::Cancelled => breaker.forget(permit),
            _ => self.called(&key, permit, Call::failed(took)),
        }
        let (answer, outcome) = match next {
            Next::After(delay) => {
                (CallAnswer::After(delay), AttemptOutcome::Retrying { class, error, delay })
            }
            Next::GiveUp(why) => {
                self.calls.wanted.remove(&id);
                let answer = CallAnswer::GiveUp(error.clone());
                (answer, AttemptOutcome::GaveUp { class, error, why: why.words() })
            }
        };
        self.attempted(&key.operation, Attempt { at: now, target, number, took, outcome });
        self.answer_call(id, answer);
    }

    fn answer_call(&mut self, call: CallId, answer: CallAnswer) {
        self.effects.push(Effect::Call { call, answer });
    }

    /// What the breaker of a channel of notices goes by.
    fn channel_policy(&self) -> BreakerPolicy {
        self.settings.resilience.breaker(SEND, BreakerPolicy::channel())
    }

    /// What has been good for a whole window needs no breaker.
    pub(super) fn forget_quiet_breaker(&mut self, key: &BreakerKey) {
        if self.breakers.get(key).is_some_and(crate::breaker::Breaker::is_quiet) {
            self.breakers.remove(key);
            self.records.push(Record::BreakerGone(key.clone()));
        }
    }

    /// When the numbers of looks are to be kept.
    pub(super) fn plan_ledger(&mut self) {
        self.deadlines.set(Deadline::Ledger, self.calls.write_at);
    }

    /// Makes what looks came to part of the records.
    pub(super) fn ledger_due(&mut self) {
        self.calls.write_at = None;
        let unwritten = std::mem::take(&mut self.calls.unwritten);
        for (operation, stats) in unwritten.into_all() {
            let gone = self.ledger.absorb(&operation, stats);
            self.ledger_changed(&operation, gone);
        }
    }

    /// Asks for every delivery whether it may go; what may not goes back to the desk.
    pub(super) fn may_deliver(&mut self, id: DeliveryId, channel: &str) -> bool {
        let key = BreakerKey::new(format!("notify:{channel}"), SEND);
        let policy = self.channel_policy();
        match self.may_call(&key, || policy) {
            Ok(permit) => {
                self.calls.deliveries.insert(id, permit);
                true
            }
            Err(denied) => {
                let wait = match denied {
                    Denied::Open { wait } => wait,
                    Denied::TrialUnderWay | Denied::ForcedOpen | Denied::Full { .. } => ASK_AGAIN,
                };
                self.desk.take_back(id, self.now + wait);
                false
            }
        }
    }

    /// A delivery is over: what came of it counts for the breaker of its channel, and as an attempt.
    pub(super) fn note_delivery(
        &mut self,
        id: DeliveryId,
        channel: &str,
        before: (u32, Moment),
        outcome: &DeliveryOutcome,
    ) {
        let (failures, sent_at) = before;
        let (now, took) = (self.now, self.now.since(sent_at));
        let key = BreakerKey::new(format!("notify:{channel}"), SEND);
        let number = failures.saturating_add(1);
        let attempt =
            |outcome| Attempt { at: now, target: key.target.clone(), number, took, outcome };
        let permit = self.calls.deliveries.remove(&id);
        let budget = self.calls.budgets.of(&key.target, now);
        if failures == 0 {
            budget.deposit(now);
        }
        let (call, attempt) = match outcome {
            DeliveryOutcome::Delivered { .. } => {
                (Some(Call::worked(took)), attempt(AttemptOutcome::Succeeded))
            }
            DeliveryOutcome::Failed { reason, .. } => {
                if !budget.take(now) {
                    self.desk.rest(channel, now + ASK_AGAIN);
                }
                let class =
                    ErrorClass::of_text(reason.english()).unwrap_or(ErrorClass::Unreachable);
                let delay = self.desk.rests_until(channel).since(now);
                let error = reason.clone();
                let outcome = AttemptOutcome::Retrying { class, error, delay };
                (Some(Call::failed(took)), attempt(outcome))
            }
            // The channel is well, and does not want this message.
            DeliveryOutcome::Refused { reason } => {
                let (class, error) = (ErrorClass::Invalid, reason.clone());
                let why = words!("the message is not taken", "a mensagem não é aceita");
                (None, attempt(AttemptOutcome::GaveUp { class, error, why }))
            }
        };
        if let Some(permit) = permit {
            match call {
                Some(call) => self.called(&key, permit, call),
                None => {
                    if let Some(breaker) = self.breakers.get_mut(&key) {
                        breaker.forget(permit);
                    }
                }
            }
        }
        self.attempted(SEND, attempt);
    }

    /// The settings changed: every breaker goes by what they say now; what it has seen stays.
    pub(super) fn breakers_by_settings(&mut self) {
        let named = self.checks.keys().filter(|id| matches!(id, CheckId::Named(_)));
        let named = named.filter_map(|id| {
            let key = self.look_key(id)?;
            let policy = self.look_policy(id, &key.operation, self.checks.get(id)?.plan.cadence);
            Some((key, policy))
        });
        for (key, policy) in self.known_calls().into_iter().chain(named.collect::<Vec<_>>()) {
            if let Some(breaker) = self.breakers.get_mut(&key)
                && *breaker.policy() != policy
            {
                breaker.set_policy(policy);
                self.keep_breaker(&key);
            }
        }
    }

    /// What is called all the time, whether it ever failed or not: its breaker is shown and can be
    /// ordered about before it is there.
    pub(super) fn known_calls(&self) -> Vec<(BreakerKey, BreakerPolicy)> {
        let databases = self.checks.range(CheckId::of_databases()).filter_map(|(id, check)| {
            let key = self.look_key(id)?;
            let policy = self.look_policy(id, &key.operation, check.plan.cadence);
            Some((key, policy))
        });
        let channels =
            self.settings.notify.channels.keys().map(|name| {
                (BreakerKey::new(format!("notify:{name}"), SEND), self.channel_policy())
            });
        let model = self.settings.advisor.iter().map(|advisor| {
            let key = BreakerKey::model(&advisor.model);
            let policy = self.settings.resilience.breaker(&key.operation, BreakerPolicy::model());
            (key, policy)
        });
        databases.chain(channels).chain(model).collect()
    }
}

/// What is done to a channel of notices.
const SEND: &str = "send";

/// How long a channel is left alone that a person shut, or whose retries are used up: the longest
/// pause between two tries of a channel.
const ASK_AGAIN: Duration = Duration::from_mins(5);
