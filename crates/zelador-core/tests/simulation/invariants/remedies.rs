//! What remedies, models and dependants of a database that is down may cost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zelador_core::diagnosis::consult::reason_to_ask_about;
use zelador_core::effect::Effect;
use zelador_core::healing::guard::BUDGET_SPAN;
use zelador_core::input::{Command, Input};
use zelador_core::instance::{BUDGET_WINDOW, Phase};
use zelador_core::spec::OnDependencyDown;
use zelador_core::supervisor::{InstanceView, Supervisor};
use zelador_core::unit::Moment;

use super::{Invariants, was_asked_for};
use crate::rule::{Rule, Violation, broken};
use crate::rules::names;
use crate::script::DATABASE;

impl Invariants {
    /// Within budget, and four tries of one remedy in an incident at most.
    pub fn remedies_within_budget(
        &mut self,
        now: Moment,
        supervisor: &Supervisor,
    ) -> Result<(), Violation> {
        for incident in supervisor.incidents() {
            let known = self.attempts.insert(incident.id, incident.attempts).unwrap_or_default();
            let same = |remedy| incident.round().iter().filter(|it| it.remedy == remedy).count();
            let most = incident.round().iter().map(|it| same(it.remedy.clone())).max();
            if most > Some(4) {
                return broken(
                    Rule::RemediesWithinBudget,
                    format!("{now}: try {} of {}", incident.attempts, incident.id),
                );
            }
            if incident.attempts > known {
                let remedies = self.remedies.entry(incident.instance).or_default();
                remedies.push(now);
                self.starts.remedy(incident.instance, now);
            }
        }
        for (instance, remedies) in &mut self.remedies {
            remedies.retain(|at| now.since(*at) < BUDGET_WINDOW);
            if remedies.len() > self.remedies_allowed {
                return broken(
                    Rule::RemediesWithinBudget,
                    format!("{now}: {} remedies of {instance}", remedies.len()),
                );
            }
        }
        Ok(())
    }

    /// How many of them may use one remedy on one app in a quarter of an hour.
    pub fn uses_within_budget(
        &self,
        now: Moment,
        supervisor: &Supervisor,
    ) -> Result<(), Violation> {
        let mut uses: BTreeMap<(String, String), usize> = BTreeMap::new();
        for incident in supervisor.incidents() {
            let mut seen = BTreeSet::new();
            let first = incident.tries.iter().filter(|it| seen.insert(it.remedy.clone()));
            for it in first.filter(|it| now.since(it.at) < BUDGET_SPAN) {
                *uses.entry((incident.app.to_string(), it.remedy.to_string())).or_default() += 1;
            }
        }
        match uses.iter().find(|(_, times)| **times > self.uses_allowed) {
            Some(((app, remedy), times)) => broken(
                Rule::RemediesWithinBudget,
                format!("{now}: {remedy} was used {times} times on {app}"),
            ),
            None => Ok(()),
        }
    }

    /// The model is asked where one is set, about what the rules do not know, and once an hour about the same trouble.
    pub fn consults_are_rare(
        &mut self,
        now: Moment,
        supervisor: &Supervisor,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        for effect in effects {
            let Effect::Consult { incident: id, .. } = effect else { continue };
            let Some(incident) = supervisor.incident(*id) else {
                return broken(Rule::AskedOnce, format!("{now}: about no incident"));
            };
            let unsure = incident.diagnosis.as_ref().and_then(reason_to_ask_about).is_some();
            let failed = !incident.tries.is_empty() && incident.ladder.is_empty();
            if supervisor.settings().advisor.is_none() || !(unsure || failed) {
                return broken(Rule::AskedOnce, format!("{now}: {id} needs no model"));
            }
            let print = incident.fingerprint.clone().unwrap_or_default();
            let last = self.consulted.insert(print, now);
            if last.is_some_and(|last| now.since(last) < Duration::from_hours(1)) {
                return broken(Rule::AskedOnce, format!("{now}: {id} was asked about before"));
            }
        }
        Ok(())
    }

    /// What was begun before the database was known to be down may be finished.
    pub fn dependants_are_left_alone(
        &self,
        input: &Input,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        if matches!(input, Input::Command(..)) {
            return Ok(());
        }
        // Somebody wants it replaced, and it is its turn now.
        let is_wished = |instance: &InstanceView| {
            let wish = |it: &Command| matches!(it, Command::Reload { .. }) && names(it, instance);
            self.tickets.values().any(wish)
        };
        let waits = |instance: &InstanceView| {
            let spec = self.specs.get(&instance.app);
            !is_wished(instance)
                && spec.is_some_and(|spec| {
                    spec.on_dependency_down == OnDependencyDown::Wait
                        && spec.depends_on.iter().any(|name| name == DATABASE)
                })
        };
        let known = |id| self.view.instances.iter().find(|it| it.id == id).filter(|it| waits(it));
        for effect in effects {
            let costs = match effect {
                Effect::Spawn { launch, .. } => known(launch.instance).is_some_and(|it| {
                    !matches!(it.phase, Phase::Stopping { .. } | Phase::Starting { .. })
                        && !was_asked_for(it)
                }),
                Effect::Terminate { run, .. } | Effect::Say { run, .. } => {
                    self.view.instances.iter().any(|it| {
                        waits(it)
                            && matches!(it.phase, Phase::Running { run: its, .. } if its == *run)
                    })
                }
                _ => false,
            };
            if costs {
                return broken(
                    Rule::DependantsWait,
                    format!("{effect:?} while the database is known to be down"),
                );
            }
        }
        Ok(())
    }
}
