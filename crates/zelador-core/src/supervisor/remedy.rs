//! What is done about an incident, and how it comes to its end.

use super::Supervisor;
use super::dependencies::Dependency;
use crate::breaker::BreakerPolicy;
use crate::effect::Severity;
use crate::healing::{APPLY_WITHIN, Remedy};
use crate::id::{AppName, CheckId, IncidentId, InstanceId};
use crate::incident::{Entry, Outcome, Stage};
use crate::instance::{Cause, HEALING_BUDGET, Phase};
use crate::retry::{Attempt, AttemptOutcome, RetryPolicy};
use crate::said::{Said, Why};
use crate::spec::{BreakerChange, ExecMode, HealthSpec, OnDependencyDown, REMEDY, RetryChange};
use crate::unit::Moment;
use crate::words;
use crate::words::Words;
use std::time::Duration;

/// How the remedies of one app are tried again and left alone, as far as that is said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnPolicies {
    /// Whose.
    pub app: AppName,
    /// How one that did not help is tried again; `None`: as for all apps.
    pub retry: Option<RetryPolicy>,
    /// When one is left alone; `None`: as for all apps.
    pub breaker: Option<BreakerPolicy>,
}

impl Supervisor {
    /// The pause is over.
    pub(super) fn try_again(&mut self, id: IncidentId) {
        let app = self.incidents[&id].app.clone();
        let wait = self.policy(&app) == OnDependencyDown::Wait;
        match self.dependency_state(&app, Moment::default()) {
            Dependency::Down { name, .. } if wait => self.wait_for(id, name),
            _ => self.resume_treatment(id),
        }
    }

    /// Ends the process of a sick instance, for a new one after it, or has its successor take its
    /// place where its remedy is gentle.
    pub(super) fn apply_restart(&mut self, id: IncidentId, remedy: &Remedy, again: bool) {
        let incident = &self.incidents[&id];
        let instance_id = incident.instance;
        let now = self.now;
        let grace = self.apps.get(&incident.app).map_or(Duration::ZERO, |app| app.spec.stop.grace);
        let Some(instance) = self.instances.get_mut(&instance_id) else { return };
        let give_up_at = now + grace + APPLY_WITHIN;
        let Phase::Running { run, .. } = instance.phase else {
            if *remedy == Remedy::RaiseLimitAndRestart {
                self.note_try(id, remedy, again);
                self.raise_limit(id);
            }
            // Its restart policy is at work already: what comes of that is looked at, not counted.
            self.say(id, Said::PolicyIsAtWork);
            return self.set_stage(id, Stage::Applying { run: None, give_up_at });
        };
        self.changed.instances.insert(instance_id);
        if !instance.spend_healing(now) {
            return self.escalate(id, Why::BudgetSpent(HEALING_BUDGET));
        }
        self.note_try(id, remedy, again);
        if *remedy == Remedy::RaiseLimitAndRestart {
            self.raise_limit(id);
        }
        self.set_stage(id, Stage::Applying { run: Some(run), give_up_at });
        let is_worker = self.apps.get(&self.incidents[&id].app).map(|app| app.spec.mode);
        if *remedy == Remedy::Reload && is_worker == Some(ExecMode::Cluster) {
            self.note_cause(instance_id, Cause::Healed { incident: id });
            return self.start_successor(instance_id);
        }
        self.restart_because(instance_id, Cause::Healed { incident: id });
    }

    /// A person is needed.
    pub(super) fn escalate(&mut self, id: IncidentId, why: impl Into<Why>) {
        let why = why.into();
        let text = words!("could not be healed: {why}", "não foi curado: {why}", why = why.words());
        self.say(id, Said::Escalated(why));
        self.set_stage(id, Stage::Escalated);
        self.say_of(id, Severity::Critical, &text);
    }

    /// How a remedy of this app that did not help is tried again.
    pub(super) fn remedy_retry(&self, app: &AppName) -> RetryPolicy {
        let policy = self.settings.resilience.retry(REMEDY, RetryPolicy::service_restart());
        let said = self.apps.get(app).map(|app| app.spec.heal.retry);
        said.unwrap_or_default().of(policy)
    }

    /// What is in force for the remedies of each app of which something is said.
    pub fn own_policies(&self) -> Vec<OwnPolicies> {
        let common = self.settings.resilience.breaker(REMEDY, BreakerPolicy::remedy());
        let own = self.apps.iter().map(|(name, app)| {
            let heal = &app.spec.heal;
            OwnPolicies {
                app: name.clone(),
                retry: (heal.retry != RetryChange::default()).then(|| self.remedy_retry(name)),
                breaker: (heal.breaker != BreakerChange::default())
                    .then(|| heal.breaker.of(common.clone())),
            }
        });
        own.filter(|it| it.retry.is_some() || it.breaker.is_some()).collect()
    }

    /// It is known whether the last use of a remedy for an incident helped.
    pub(super) fn end_use(&mut self, id: IncidentId, helped: bool) {
        let (settings, apps) = (&self.settings, &self.apps);
        self.history.end(id, helped, self.now, |app| {
            let policy = settings.resilience.breaker(REMEDY, BreakerPolicy::remedy());
            let said = apps.get(app).map(|app| app.spec.heal.breaker);
            said.unwrap_or_default().of(policy)
        });
    }

    /// Notes in the ledger what came of the latest try.
    pub(super) fn note_attempt(&mut self, id: IncidentId, outcome: AttemptOutcome) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let Some(last) = incident.tries.last() else { return };
        let operation =
            if last.remedy.restarts() { "restart".to_owned() } else { last.remedy.to_string() };
        let is_try = |entry: &&Entry| matches!(entry.said, Some(Said::Try { .. }));
        let began_at = incident.story.iter().rev().find(is_try);
        let attempt = Attempt {
            at: self.now,
            target: format!("app:{}", incident.app),
            number: incident.attempts,
            took: began_at.map_or(Duration::ZERO, |entry| self.now.since(entry.at)),
            outcome,
        };
        self.attempted(&operation, attempt);
    }

    pub(super) fn close(&mut self, id: IncidentId, outcome: Outcome, why: impl Into<Why>) {
        let why = why.into();
        let said = why.words();
        let tried = self.incidents.get(&id).is_some_and(|it| it.is_open() && !it.tries.is_empty());
        if tried && outcome == Outcome::Healed {
            self.note_attempt(id, AttemptOutcome::Succeeded);
        }
        let now = self.now;
        self.note_healed(id, outcome);
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.close(now, outcome, why);
        let after = now.since(incident.opened_at);
        self.changed.incidents.insert(id);
        self.changed.world = true;
        let text = words!(
            "{outcome} after {after}: {why}",
            "{outcome} após {after}: {why}",
            outcome = outcome,
            after = after,
            why = said,
        );
        self.say_of(id, Severity::Info, &text);
    }

    pub(super) fn set_stage(&mut self, id: IncidentId, stage: Stage) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.stage = stage;
            incident.holds = None;
            self.changed.incidents.insert(id);
            self.changed.world = true;
        }
    }

    pub(super) fn say(&mut self, id: IncidentId, said: Said) {
        let now = self.now;
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.say(now, said);
            self.changed.incidents.insert(id);
        }
    }

    pub(super) fn tell(&mut self, id: IncidentId, words: Words) {
        let now = self.now;
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.tell(now, words);
            self.changed.incidents.insert(id);
        }
    }

    /// Whether the instance's own check was good often enough in a row.
    pub(super) fn is_good(&self, id: InstanceId) -> bool {
        if self.waits_for_startup(id) {
            return false;
        }
        let own = [CheckId::Instance(id), CheckId::Startup(id)];
        let check = own.iter().find_map(|id| self.checks.get(id));
        check.is_some_and(|check| match check.plan.id {
            // It is asked until it is good, and then no more.
            CheckId::Startup(_) => check.good_in_row > 0,
            _ => check.good_in_row >= check.plan.cadence.success_threshold,
        })
    }

    /// What the instance's own check, or its phase, complains about.
    pub(super) fn complaint(&self, id: InstanceId) -> Words {
        let own = self.own_health_of(id).map(|health| health.words());
        own.unwrap_or_else(|| words!("it is not up", "não está no ar"))
    }

    fn health_spec(&self, id: InstanceId) -> Option<&HealthSpec> {
        self.apps.get(&self.instances.get(&id)?.app)?.spec.health.as_ref()
    }

    pub(super) fn verify_span(&self, id: InstanceId) -> Duration {
        self.health_spec(id)
            .map_or(Duration::ZERO, |health| health.start_period + health.verify_within)
    }
}
