//! What apps depend on: databases that are looked at, and other apps.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::check::{Check, CheckResult, LOST_AFTER, Status};
use crate::evidence::DependencySeen;
use crate::id::{AppName, CheckId};
use crate::incident::Stage;
use crate::instance::{Goal, Instance, Phase};
use crate::spec::OnDependencyDown;
use crate::unit::Moment;
use crate::words::Words;

use super::Supervisor;
use super::check_plan::NEVER;

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

    /// The apps that an app depends on, as far as they are known.
    pub(super) fn apps_needed_by(&self, app: &AppName) -> impl Iterator<Item = &AppName> {
        let names = self.apps.get(app).into_iter().flat_map(|app| &app.spec.depends_on);
        names.filter_map(|name| self.app_called(name)).filter(move |name| *name != app)
    }

    /// The app of this name, if there is one.
    pub(super) fn app_called(&self, name: &str) -> Option<&AppName> {
        self.apps.get_key_value(&AppName::new(name)?).map(|(name, _)| name)
    }

    /// The checks that tell how the things are that an app depends on, as far as they can be looked at now.
    fn checks_needed_by(&self, app: &AppName) -> Vec<CheckId> {
        let databases = self.databases_of(app).into_iter();
        let databases = databases.map(|(name, _)| CheckId::Database(name.clone()));
        let instances = self.apps_needed_by(app).flat_map(|name| self.instances_of(name));
        let awake = |id: &CheckId| self.checks.get(id).is_some_and(|it| it.next_at != NEVER);
        databases.chain(instances.map(CheckId::Instance).filter(awake)).collect()
    }

    /// Has the things that an app depends on looked at now, however long the next look is away.
    pub(super) fn look_at_dependencies(&mut self, app: &AppName) {
        for id in self.checks_needed_by(app) {
            if let Some(check) = self.checks.get_mut(&id) {
                check.next_at = check.next_at.min(self.now);
                self.changed.checks.insert(id);
            }
        }
    }

    /// How long to wait for fresh looks at what an app depends on.
    pub(super) fn dependency_patience(&self, app: &AppName) -> Duration {
        let ids = self.checks_needed_by(app).into_iter();
        let timeouts = ids.filter_map(|id| Some(self.checks.get(&id)?.plan.cadence.timeout));
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

    /// How the things that an app depends on are: its databases and the apps among them, by looks later than
    /// `since`. An app that a person stopped is not down, and one that itself waits for this app is not waited for.
    pub(super) fn dependency_state(&self, app: &AppName, since: Moment) -> Dependency {
        let mut state = self.database_state(app, since);
        if let Dependency::Down { .. } = state {
            return state;
        }
        for name in self.apps_needed_by(app).filter(|name| !self.waits_for(name, app)) {
            match self.one_app_state(name, since) {
                Dependency::Up => {}
                Dependency::Unknown => state = Dependency::Unknown,
                down @ Dependency::Down { .. } => return down,
            }
        }
        state
    }

    /// How a database or an app is, by looks later than `since`.
    pub(super) fn one_dependency_state(&self, name: &str, since: Moment) -> Dependency {
        match self.app_called(name) {
            Some(app) if !self.is_database(name) => self.one_app_state(app, since),
            _ => self.one_database_state(name, since),
        }
    }

    /// Whether there is a database of this name that is looked at.
    pub(super) fn is_database(&self, name: &str) -> bool {
        self.checks.contains_key(&CheckId::Database(name.to_owned()))
    }

    /// How an app is: down when each of its instances that are wanted is.
    fn one_app_state(&self, name: &AppName, since: Moment) -> Dependency {
        let all = self.instances_of(name).into_iter().filter_map(|id| self.instances.get(&id));
        let wanted = all.filter(|it| it.goal == Goal::Up);
        let states = wanted.map(|it| self.instance_state(it, since));
        let best = states.min_by_key(|state| match state {
            Dependency::Up => 0,
            Dependency::Unknown => 1,
            Dependency::Down { .. } => 2,
        });
        best.unwrap_or(Dependency::Up)
    }

    /// How an instance is for who depends on it: one that is being started serves nobody yet.
    fn instance_state(&self, instance: &Instance, since: Moment) -> Dependency {
        let Some(own) = self.own_health_of(instance.id) else { return Dependency::Up };
        let down = |message| Dependency::Down { name: instance.app.to_string(), message };
        if own.status == Status::Unhealthy || !matches!(instance.phase, Phase::Running { .. }) {
            return down(own.words());
        }
        let check = self.checks.get(&CheckId::Instance(instance.id));
        let last = check.filter(|it| it.next_at != NEVER).and_then(|it| it.last.as_ref());
        match last {
            Some(last) if last.at < since => Dependency::Unknown,
            Some(last) if last.status == Status::Unhealthy => down(last.words()),
            Some(_) | None => Dependency::Up,
        }
    }

    /// When the last of the things that an app depends on came up, as far as this engine has seen it; an app is up
    /// since the first of its instances is.
    pub(super) fn back_at(&self, app: &AppName) -> Option<Moment> {
        let turned = |check: &Check| {
            let last = check.changes.back().filter(|_| check.changes.len() > 1)?;
            (last.status != Status::Unhealthy).then_some(last.at)
        };
        let up_since = |it: &Instance| match it.phase {
            Phase::Running { since, .. } => {
                let check = self.checks.get(&CheckId::Instance(it.id));
                Some(check.and_then(turned).map_or(since, |at| at.max(since)))
            }
            _ => None,
        };
        let databases = self.databases_of(app).into_iter();
        let databases = databases.filter_map(|(_, check)| turned(check));
        let apps = self.apps_needed_by(app);
        let apps = apps.filter_map(|name| self.instances.of_app(name).filter_map(up_since).min());
        databases.chain(apps).max()
    }

    /// Whether an app waits for another one.
    fn waits_for(&self, app: &AppName, other: &AppName) -> bool {
        let mut of_app = self.incidents.values().filter(|it| it.app == *app && it.is_open());
        of_app.any(|it| {
            matches!(&it.stage, Stage::WaitingForDependency { dependency } if *dependency == other.as_str())
        })
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
            _ => incident.suspects_until.map(|_| &incident.app),
        });
        let apps: BTreeSet<&AppName> = held.chain(waiting).collect();
        apps.into_iter()
            .flat_map(|app| self.databases_of(app))
            .map(|(name, _)| name.clone())
            .collect()
    }
}
