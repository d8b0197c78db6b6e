//! Looks are calls too: each passes the breaker of what it looks at, and its attempts are noted.

use std::time::Duration;

use super::Supervisor;
use super::calls::KEPT_EVERY;
use crate::breaker::{BreakerKey, BreakerPolicy, Call, Denied};
use crate::id::{CheckId, ProbeId};
use crate::probe::{Finding, ProbeOutcome};
use crate::retry::{Attempt, AttemptOutcome, Failure, Next, Retry, RetryPolicy};
use crate::spec::Cadence;
use crate::words::Words;

impl Supervisor {
    /// The breaker of a look; `None`: it has none. What is on this host has none; that of an app is
    /// the breaker of its starts.
    pub(super) fn look_key(&self, id: &CheckId) -> Option<BreakerKey> {
        let target = match id {
            CheckId::Database(name) => format!("database:{name}"),
            CheckId::Named(name) => format!("check:{name}"),
            _ => return None,
        };
        Some(BreakerKey::new(target, self.checks.get(id)?.plan.target.operation()?))
    }

    /// What the breaker of looks of a check goes by.
    pub(super) fn look_policy(
        &self,
        id: &CheckId,
        operation: &str,
        cadence: Cadence,
    ) -> BreakerPolicy {
        let policy = BreakerPolicy::look(cadence.interval, cadence.failure_threshold);
        let policy = self.settings.resilience.breaker(operation, policy);
        let said = match id {
            CheckId::Database(name) => self.settings.databases.get(name).map(|it| it.breaker),
            CheckId::Named(name) => self.settings.named.get(name).map(|it| it.breaker),
            _ => None,
        };
        said.unwrap_or_default().of(policy)
    }

    /// Whether a look may be made now. What a person asks for is, unless a person forbade it. A target
    /// that never failed has no breaker, and costs nothing here.
    pub(super) fn may_look(
        &mut self,
        id: &CheckId,
        probe: ProbeId,
        asked: bool,
    ) -> Result<(), Denied> {
        let known = self.look_key(id).filter(|key| self.breakers.get(key).is_some());
        let Some(key) = known else { return Ok(()) };
        match self.may_call(&key, BreakerPolicy::default) {
            Ok(permit) => {
                self.calls.looks.insert(probe, permit);
                Ok(())
            }
            Err(Denied::Open { .. } | Denied::TrialUnderWay) if asked => Ok(()),
            Err(denied) => Err(denied),
        }
    }

    /// A look is over: what came of it counts for the breaker of its target, and as an attempt.
    pub(super) fn note_look(
        &mut self,
        id: &CheckId,
        probe: Option<ProbeId>,
        outcome: &ProbeOutcome,
    ) {
        if let (Finding::Unavailable { .. }, Some(probe)) = (&outcome.finding, probe) {
            // Nothing was asked: that says nothing about the target.
            return self.forget_look(id, probe);
        }
        let permit = probe.and_then(|probe| self.calls.looks.remove(&probe));
        let Some(check) = self.checks.get(id) else { return };
        let Some(operation) = check.plan.target.operation() else { return };
        let cadence = check.plan.cadence;
        let key = self.look_key(id);
        let failure = outcome.finding.failure();
        if let Some(key) = key {
            let policy = self.look_policy(id, operation, cadence);
            let is_bad = failure.is_some() || policy.slow.is_some_and(|slow| outcome.took >= slow);
            let is_first = is_bad && self.breakers.get(&key).is_none();
            let permit =
                permit.or_else(|| is_first.then(|| self.may_call(&key, || policy).ok()).flatten());
            if let Some(permit) = permit {
                let ok = failure.is_none();
                self.called(&key, permit, Call { ok, took: outcome.took });
                self.forget_quiet_breaker(&key);
            }
        }
        let retry_after = outcome.finding.asks_to_wait();
        let failure = failure.map(|(class, error)| (Failure { class, retry_after }, error));
        self.note_look_attempt(id, operation, failure, outcome.took);
    }

    /// A look has no result: that counts for nothing.
    pub(super) fn forget_look(&mut self, id: &CheckId, probe: ProbeId) {
        if let (Some(permit), Some(key)) = (self.calls.looks.remove(&probe), self.look_key(id))
            && let Some(breaker) = self.breakers.get_mut(&key)
        {
            breaker.forget(permit);
        }
    }

    fn note_look_attempt(
        &mut self,
        id: &CheckId,
        operation: &str,
        failure: Option<(Failure, &Words)>,
        took: Duration,
    ) {
        let (now, target) = (self.now, self.component(id));
        let Some(check) = self.checks.get_mut(id) else { return };
        self.calls.write_at.get_or_insert(now + KEPT_EVERY);
        let Some((failure, error)) = failure else {
            match check.retry.take() {
                None => self.calls.unwritten.worked(operation),
                Some(retry) => {
                    let number = retry.failed().saturating_add(1);
                    let outcome = AttemptOutcome::Succeeded;
                    let attempt = Attempt { at: now, target, number, took, outcome };
                    self.calls.unwritten.take(operation, attempt);
                }
            }
            return;
        };
        let cadence = check.plan.cadence;
        let budget = self.calls.budgets.of(&target, now);
        let mut retry = check.retry.take().unwrap_or_else(|| {
            budget.deposit(now);
            Retry::new(RetryPolicy::look(cadence.interval, cadence.failure_threshold), now)
        });
        let next = retry.after_failure(now, failure, Some(budget), &mut self.rng);
        let class = failure.class;
        let (number, error) = (retry.failed(), error.clone());
        let outcome = match next {
            Next::After(delay) => {
                check.retry = Some(retry);
                AttemptOutcome::Retrying { class, error, delay }
            }
            Next::GiveUp(why) => AttemptOutcome::GaveUp { class, error, why: why.words() },
        };
        self.calls.unwritten.take(operation, Attempt { at: now, target, number, took, outcome });
    }
}
