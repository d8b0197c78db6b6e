//! How an instance is: its phase, its probes, and what it depends on.

use std::time::Duration;

use crate::check::{Check, CheckResult, Status};
use crate::id::{CheckId, InstanceId};
use crate::instance::Phase;
use crate::said::Look;
use crate::unit::Moment;

use super::Supervisor;
use super::dependencies::Dependency;

impl Supervisor {
    /// Whether the startup probe of an instance has not been good yet.
    pub(super) fn waits_for_startup(&self, id: InstanceId) -> bool {
        self.checks
            .get(&CheckId::Startup(id))
            .is_some_and(|check| check.verdict.is_none_or(|verdict| verdict == Status::Unhealthy))
    }

    /// What the startup and the readiness probe of a run that is up complain about.
    fn probe_trouble(&self, id: InstanceId) -> Option<CheckResult> {
        if let Some(check) = self.checks.get(&CheckId::Startup(id))
            && self.waits_for_startup(id)
        {
            let last = check.last.clone();
            return Some(match (check.verdict, last) {
                (Some(Status::Unhealthy), Some(last)) => {
                    let look = Look::DoesNotComeUp(Box::new(last.look()));
                    CheckResult::new(Status::Unhealthy, look, last.took, last.at)
                }
                (_, last) => {
                    let look = Look::ComesUp(last.map(|last| Box::new(last.look())));
                    CheckResult::new(Status::Degraded, look, Duration::ZERO, self.now)
                }
            });
        }
        let ready = self.checks.get(&CheckId::Ready(id))?;
        let alive = self.checks.get(&CheckId::Instance(id)).and_then(|check| check.verdict);
        let last = ready.last.clone()?;
        // A run whose readiness was never good is not ready from its first bad answer on.
        let bad = ready.verdict.unwrap_or(last.status) == Status::Unhealthy;
        if !bad || alive == Some(Status::Unhealthy) {
            return None;
        }
        let look = Look::NotReady(Box::new(last.look()));
        Some(CheckResult::new(Status::Degraded, look, last.took, last.at))
    }

    /// Whether an instance can take work: it is up, its startup probe was good, its readiness probe
    /// is not bad, and where it has none its health check is not.
    pub(super) fn can_take_work(&self, id: InstanceId) -> bool {
        let bad = |check_id: CheckId| {
            self.checks.get(&check_id).is_some_and(|check| check.verdict == Some(Status::Unhealthy))
        };
        let ready = CheckId::Ready(id);
        let gate = self.checks.get(&ready);
        // A readiness probe that was never good says no, as in Kubernetes.
        let unproven = gate.is_some_and(|check| check.verdict.is_none());
        self.instances.get(&id).is_some_and(|it| it.phase.is_ready())
            && !self.waits_for_startup(id)
            && !unproven
            && !bad(if gate.is_some() { ready } else { CheckId::Instance(id) })
    }

    /// Notes whether the probes of an instance let it take work, after one of them was asked.
    pub(super) fn note_proven(&mut self, id: InstanceId) {
        let proven = self.can_take_work(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        if instance.proven != proven {
            instance.proven = proven;
            self.touch(id);
        }
    }

    /// What the engine before has seen of a run that is still up: it takes work, until a probe says that
    /// it cannot, and its startup is over.
    pub(super) fn take_proven(&mut self, id: InstanceId) {
        if !self.instances.get(&id).is_some_and(|it| it.proven && it.phase.is_ready()) {
            return;
        }
        if self.checks.contains_key(&CheckId::Startup(id)) {
            self.started_up(id);
        }
        for check_id in [CheckId::Startup(id), CheckId::Ready(id)] {
            if let Some(check) = self.checks.get_mut(&check_id) {
                check.verdict = Some(Status::Healthy);
            }
        }
    }

    /// How an instance is. One that is sick while something that it depends on is down is not to
    /// blame: it is degraded, and waits.
    pub(super) fn health_of(&self, id: InstanceId) -> Option<CheckResult> {
        let own = self.own_health_of(id)?;
        let instance = self.instances.get(&id)?;
        if own.status != Status::Unhealthy {
            return Some(own);
        }
        match self.dependency_state(&instance.app, Moment::default()) {
            Dependency::Down { name, message } => {
                let look = Look::WaitsFor { name, message, own: Box::new(own.look()) };
                Some(CheckResult::new(Status::Degraded, look, own.took, own.at))
            }
            Dependency::Up | Dependency::Unknown => Some(own),
        }
    }

    /// How an instance is by itself: what its own check says while it runs, and its phase otherwise;
    /// `None` while nothing is wanted of it.
    pub(super) fn own_health_of(&self, id: InstanceId) -> Option<CheckResult> {
        let instance = self.instances.get(&id)?;
        if instance.goal == crate::instance::Goal::Down {
            return None;
        }
        let from_phase =
            |status, look| Some(CheckResult::new(status, look, Duration::ZERO, self.now));
        match &instance.phase {
            Phase::Running { pid, since, .. } => {
                if let Some(trouble) = self.probe_trouble(id) {
                    return Some(trouble);
                }
                let told = self.checks.get(&CheckId::Instance(id)).and_then(Check::told);
                if told.as_ref().is_none_or(|told| told.status == Status::Healthy)
                    && let Some((times, death)) = self.dies_often(id)
                {
                    return from_phase(Status::Degraded, Look::DiesOften { times, death });
                }
                told.or_else(|| {
                    let look = Look::Up { age: self.now.since(*since), pid: *pid };
                    from_phase(Status::Healthy, look)
                })
            }
            Phase::Starting { .. } => from_phase(Status::Degraded, Look::Starts),
            Phase::Stopping { .. } => from_phase(Status::Degraded, Look::Restarts),
            Phase::Backoff { held: true, .. } => {
                let look = self.obstacle(id).map(|obstacle| Look::Text(obstacle.said));
                from_phase(Status::Degraded, look.unwrap_or(Look::AboutToStart))
            }
            Phase::Backoff { retry_at, .. } => {
                from_phase(Status::Degraded, Look::NextStart(retry_at.since(self.now)))
            }
            Phase::Tripped { .. } => {
                let death = instance.deaths.front().map(|past| past.death.clone());
                from_phase(Status::Unhealthy, Look::KeepsFailing(death))
            }
            Phase::Finished { death } if !death.is_clean() => {
                from_phase(Status::Unhealthy, Look::EndedForGood(death.clone()))
            }
            Phase::Stopped | Phase::Finished { .. } => None,
        }
    }
}
