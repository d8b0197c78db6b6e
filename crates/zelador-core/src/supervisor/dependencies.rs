//! What apps depend on: databases that are looked at, and other apps.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::check::{Check, CheckResult, LOST_AFTER, Status};
use crate::evidence::DependencySeen;
use crate::id::{AppName, CheckId, InstanceId};
use crate::incident::Stage;
use crate::instance::{Goal, Phase};
use crate::spec::OnDependencyDown;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

use super::Supervisor;

/// How the things that an app depends on are, taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dependency {
    /// All are up, as far as anybody knows.
    Up,
    /// One is down.
    Down {
        /// Which one.
        name: String,
        /// What its check says.
        message: Words,
    },
    /// One has not been looked at since the moment in question.
    Unknown,
}

impl Supervisor {
    /// What to do with a sick app while something that it depends on is down.
    pub(super) fn policy(&self, app: &AppName) -> OnDependencyDown {
        self.apps.get(app).map(|app| app.spec.on_dependency_down).unwrap_or_default()
    }

    /// The database checks that an app depends on.
    fn databases_of(&self, app: &AppName) -> Vec<(&String, &Check)> {
        let Some(app) = self.apps.get(app) else { return Vec::new() };
        let find = |name| Some((name, self.checks.get(&CheckId::Database(String::clone(name)))?));
        app.spec.depends_on.iter().filter_map(find).collect()
    }

    /// Has the databases that an app depends on looked at now, however long the next look is away.
    pub(super) fn look_at_databases(&mut self, app: &AppName) {
        let names: Vec<String> =
            self.databases_of(app).into_iter().map(|(name, _)| name.clone()).collect();
        for id in names.into_iter().map(CheckId::Database) {
            if let Some(check) = self.checks.get_mut(&id) {
                check.next_at = check.next_at.min(self.now);
                self.changed.checks.insert(id);
            }
        }
    }

    /// How long to wait for fresh looks at what an app depends on.
    pub(super) fn dependency_patience(&self, app: &AppName) -> Duration {
        let timeouts =
            self.databases_of(app).into_iter().map(|(_, check)| check.plan.cadence.timeout);
        timeouts.max().map_or(Duration::ZERO, |timeout| timeout + LOST_AFTER)
    }

    /// Whether an app depends on a database that is looked at.
    pub(super) fn has_database(&self, app: &AppName) -> bool {
        !self.databases_of(app).is_empty()
    }

    /// How a database is, by looks later than `since`; one that nobody looks at is up.
    pub(super) fn one_database_state(&self, name: &str, since: Moment) -> Dependency {
        let check = self.checks.get(&CheckId::Database(name.to_owned()));
        let Some(check) = check else { return Dependency::Up };
        match check.last.as_ref().filter(|last| last.at >= since) {
            None => Dependency::Unknown,
            Some(last) if last.status == Status::Unhealthy => {
                Dependency::Down { name: name.to_owned(), message: last.words() }
            }
            Some(_) => Dependency::Up,
        }
    }

    /// How the databases that an app depends on are, by looks later than `since`.
    pub(super) fn database_state(&self, app: &AppName, since: Moment) -> Dependency {
        let mut state = Dependency::Up;
        for (name, _) in self.databases_of(app) {
            match self.one_database_state(name, since) {
                Dependency::Up => {}
                Dependency::Unknown => state = Dependency::Unknown,
                down @ Dependency::Down { .. } => return down,
            }
        }
        state
    }

    /// How the things that an app depends on are: its databases, by looks later than `since`, and
    /// the apps among them as they are now. One that a person stopped is not down, and one that
    /// itself waits for this app is not waited for.
    pub(super) fn dependency_state(&self, app: &AppName, since: Moment) -> Dependency {
        let state = self.database_state(app, since);
        let Some(spec) = self.apps.get(app).map(|app| &app.spec) else { return state };
        if let Dependency::Down { .. } = state {
            return state;
        }
        for name in spec.depends_on.iter().filter_map(|name| AppName::new(name.as_str())) {
            if name == *app || !self.apps.contains_key(&name) {
                continue;
            }
            let sick = |id: &InstanceId| {
                self.own_health_of(*id).is_some_and(|health| health.status == Status::Unhealthy)
            };
            let instances: Vec<InstanceId> = self
                .instances_of(&name)
                .into_iter()
                .filter(|id| self.instances[id].goal == Goal::Up)
                .collect();
            let waits_for_us = self.incidents.values().any(|incident| {
                incident.app == name
                    && incident.is_open()
                    && matches!(&incident.stage, Stage::WaitingForDependency { dependency } if *dependency == app.as_str())
            });
            if waits_for_us {
                continue;
            }
            if let Some(first) = instances.first().filter(|_| instances.iter().all(sick)) {
                let own = self.own_health_of(*first);
                let message =
                    own.map_or_else(|| words!("it is not up", "não está no ar"), |own| own.words());
                return Dependency::Down { name: name.to_string(), message };
            }
        }
        state
    }

    /// What an app depends on, and how that is as far as anybody knows.
    pub(super) fn dependencies_seen(&self, app: &AppName) -> Vec<DependencySeen> {
        let Some(app) = self.apps.get(app) else { return Vec::new() };
        let seen = |name: &String| {
            let name = name.clone();
            if let Some(check) = self.checks.get(&CheckId::Database(name.clone())) {
                let last = check.last.as_ref();
                let is_up = last.map(|last| last.status != Status::Unhealthy);
                let message = last.map(CheckResult::words).unwrap_or_default();
                return DependencySeen { name, is_up, message };
            }
            let instances = AppName::new(name.as_str()).map(|app| self.instances_of(&app));
            let mut health = instances.iter().flatten().filter_map(|id| self.own_health_of(*id));
            let first = health.next();
            let is_up = first.as_ref().map(|it| it.status != Status::Unhealthy);
            DependencySeen { name, is_up, message: first.map(|it| it.words()).unwrap_or_default() }
        };
        app.spec.depends_on.iter().map(seen).collect()
    }

    /// The databases that held instances and incidents wait for.
    pub(super) fn awaited_databases(&self) -> BTreeSet<String> {
        let held = self.instances.values().filter_map(|instance| match instance.phase {
            Phase::Backoff { held: true, .. } => Some(&instance.app),
            _ => None,
        });
        let waiting = self.incidents.values().filter_map(|incident| match incident.stage {
            Stage::Gathering { .. } | Stage::Asking { .. } | Stage::WaitingForDependency { .. } => {
                Some(&incident.app)
            }
            _ => None,
        });
        let apps: BTreeSet<&AppName> = held.chain(waiting).collect();
        apps.into_iter()
            .flat_map(|app| self.databases_of(app))
            .map(|(name, _)| name.clone())
            .collect()
    }
}
