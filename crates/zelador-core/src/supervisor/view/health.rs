//! How everything is, as it is shown: checks, apps, groups, and what changed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::aside::SetAside;
use crate::check::{Check, CheckResult, CheckTarget, Status};
use crate::id::{AppName, CheckId, InstanceId};
use crate::instance::Goal;
use crate::notify::Language;
use crate::probe::{Finding, Measure};
use crate::said::Look;
use crate::unit::Moment;
use crate::words::Words;

use super::Supervisor;

/// How everything is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthView {
    /// The worst of all.
    pub overall: Status,
    /// One entry a component.
    pub checks: Vec<CheckView>,
    /// One entry a namespace in which something is wanted.
    #[serde(default)]
    pub groups: Vec<GroupView>,
    /// The maintenance of everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
    /// How long this engine's supervisor has been there.
    pub uptime: Duration,
    /// When this was true.
    pub at: Moment,
}

/// How the apps of a namespace are, together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    /// The namespace.
    pub group: String,
    /// The worst of its apps that are not set aside.
    pub status: Status,
    /// Why, in one sentence: that of the worst.
    pub message: String,
    /// The worst, and how it is, for who tells it in another language; `None`: all are well.
    #[serde(skip)]
    pub worst: Option<(String, CheckResult)>,
    /// How many instances of its apps are wanted.
    pub instances: usize,
}

/// How one component is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckView {
    /// What it is: `memory`, `database:main`, `app:api`.
    pub component: String,
    /// How it is, after debouncing.
    pub status: Status,
    /// Why, in one sentence, in English.
    pub message: String,
    /// The same as values, for who tells it in another language.
    #[serde(skip)]
    pub said: Option<Box<Look>>,
    /// How long the last look took.
    pub took: Duration,
    /// When the last look was finished.
    pub at: Moment,
    /// What was measured: how long each phase took, connections in use, days left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
    /// Why it does not count for the whole: it is in maintenance, or muted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
}

impl CheckView {
    /// Why, in every language.
    pub fn words(&self) -> Words {
        Words::new(self.message.clone(), self.told(Language::Pt))
    }

    /// Why, in a language.
    pub fn told(&self, language: Language) -> String {
        self.said.as_ref().map_or_else(|| self.message.clone(), |look| look.told(language))
    }
}

impl GroupView {
    /// Why, in a language.
    pub fn told(&self, language: Language) -> String {
        match &self.worst {
            Some((name, health)) => format!("{name}: {}", health.told(language)),
            None => self.message.clone(),
        }
    }
}

/// Whether an app can take work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readiness {
    /// Its name.
    pub app: String,
    /// True while at least one instance can take work.
    pub ready: bool,
    /// One entry an instance that is wanted: its name, whether it can, and how it is.
    pub instances: Vec<(String, bool, String)>,
}

/// One change of a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictView {
    /// Of what: `memory`, `app:api`.
    pub component: String,
    /// What it changed to.
    pub status: Status,
    /// Why.
    pub message: String,
    /// When.
    pub at: Moment,
}

/// The short form for load balancers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimpleHealth {
    /// The worst of all.
    pub overall: Status,
    /// How long this engine's supervisor has been there.
    pub uptime: Duration,
    /// When this was true.
    pub at: Moment,
}

impl Supervisor {
    /// How everything is, by the last looks.
    pub fn health(&self) -> HealthView {
        let component = |id: &CheckId, result: CheckResult, check: Option<&Check>| CheckView {
            component: self.component(id),
            set_aside: self.set_aside(id),
            measures: check
                .and_then(|check| check.finding.as_ref())
                .map_or_else(Vec::new, Finding::measured),
            status: result.status,
            message: result.message,
            said: result.said,
            took: result.took,
            at: result.at,
        };
        let own = self.checks.iter().filter(|(id, _)| id.instance().is_none());
        let mut checks: Vec<CheckView> = own
            .map(|(id, check)| {
                let result = check.told().unwrap_or_else(|| not_yet(self.now));
                component(id, result, Some(check))
            })
            .collect();
        checks.extend(self.instances.keys().filter_map(|id| {
            let check_id = CheckId::Instance(*id);
            let check = self.checks.get(&check_id);
            Some(component(&check_id, self.health_of(*id)?, check))
        }));
        HealthView {
            overall: worst(&checks),
            groups: self.groups(),
            set_aside: self.maintenance_of(None),
            checks,
            uptime: self.now.since(self.started_at),
            at: self.now,
        }
    }

    /// What the checks of the host found at their last look, with what each looks at.
    pub fn host_findings(&self) -> impl Iterator<Item = (&CheckTarget, &Finding)> {
        self.checks.values().filter_map(|check| {
            let target = &check.plan.target;
            let is_of_host = matches!(
                target,
                CheckTarget::Memory | CheckTarget::Cpu | CheckTarget::Disk | CheckTarget::Host(_)
            );
            is_of_host.then_some((target, check.finding.as_ref()?))
        })
    }

    /// How the apps of every namespace are, together.
    fn groups(&self) -> Vec<GroupView> {
        let mut groups: BTreeMap<&str, GroupView> = BTreeMap::new();
        for (id, instance) in self.instances.iter() {
            let Some(app) = self.apps.get(&instance.app) else { continue };
            let Some(health) = self.health_of(*id) else { continue };
            let name = app.spec.namespace.as_str();
            let group = groups.entry(name).or_insert_with(|| GroupView {
                group: name.to_owned(),
                status: Status::Healthy,
                message: String::new(),
                worst: None,
                instances: 0,
            });
            group.instances += 1;
            if health.status > group.status && self.set_aside(&CheckId::Instance(*id)).is_none() {
                group.status = health.status;
                let name = self.spoken_name(*id);
                group.message = format!("{name}: {}", health.message);
                group.worst = Some((name, health));
            }
        }
        for group in groups.values_mut().filter(|group| group.message.is_empty()) {
            group.message = format!("all of {} well", group.instances);
        }
        groups.into_values().collect()
    }

    /// Whether every app of which something is wanted can take work.
    pub fn readiness(&self) -> Vec<Readiness> {
        let wanted = |id: &InstanceId| self.instances[id].goal == Goal::Up;
        let of_app = |app: &AppName| {
            let ids: Vec<InstanceId> = self.instances_of(app).into_iter().filter(wanted).collect();
            let instances: Vec<(String, bool, String)> = ids
                .into_iter()
                .map(|id| {
                    let said = self.health_of(id).map(|health| health.message);
                    let said = said.unwrap_or_else(|| "it finished".to_owned());
                    (self.spoken_name(id), self.can_take_work(id), said)
                })
                .collect();
            let ready = instances.iter().any(|(_, ready, _)| *ready);
            (!instances.is_empty()).then(|| Readiness { app: app.to_string(), ready, instances })
        };
        self.apps.keys().filter_map(of_app).collect()
    }

    /// The latest changes of all verdicts, the latest first.
    pub fn verdicts(&self) -> Vec<VerdictView> {
        let mut all: Vec<VerdictView> = self
            .checks
            .iter()
            .flat_map(|(id, check)| {
                check.changes.iter().map(|result| VerdictView {
                    component: self.component(id),
                    status: result.status,
                    message: result.message.clone(),
                    at: result.at,
                })
            })
            .collect();
        all.sort_by_key(|verdict| std::cmp::Reverse(verdict.at));
        all
    }
}

/// The worst of those that are not set aside.
fn worst(checks: &[CheckView]) -> Status {
    let counting = checks.iter().filter(|check| check.set_aside.is_none());
    counting.map(|check| check.status).max().unwrap_or(Status::Healthy)
}

fn not_yet(now: Moment) -> CheckResult {
    CheckResult::new(Status::Healthy, Look::NotYet, Duration::ZERO, now)
}
