//! What an instance waits for before its start: apps that are not far enough, databases that are
//! down.
//!
//! Always holds: nothing waits for an app that a person stopped, for a name that nothing has, or
//! for an app that leads back to itself, so a wait can end.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Supervisor;
use super::dependencies::Dependency;
use crate::check::Status;
use crate::death::Death;
use crate::id::{AppName, CheckId, InstanceId};
use crate::instance::{Cause, Goal, Phase, Then};
use crate::spec::{AppSpec, Condition, OnDependencyDown};
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// Whoever waits for a job hears after this time that it has not ended: shortly before the ten
/// minutes after which the command line gives up.
const JOB_WITHIN: Duration = Duration::from_mins(9);

/// What an instance waits for.
pub(super) struct Obstacle {
    /// In a sentence: `waits for db to be ready: it is being started`.
    pub(super) said: Words,
    /// Whether it goes away by itself, as far as anybody can tell.
    pub(super) passes: bool,
    /// What it waits for.
    pub(super) name: String,
}

impl Supervisor {
    /// What an instance that is to be started waits for; `None`: nothing.
    pub(super) fn obstacle(&self, id: InstanceId) -> Option<Obstacle> {
        let instance = self.instances.get(&id)?;
        let spec = &self.apps.get(&instance.app)?.spec;
        let cause = instance.last_start.as_ref().map(|start| &start.cause);
        let by_itself = cause.is_some_and(Cause::is_automatic);
        if by_itself && spec.on_dependency_down == OnDependencyDown::Restart {
            return None;
        }
        // What the healer ended, and what had to wait since, is not started for the database to fail it again.
        let healed = matches!(cause, Some(Cause::Healed { .. }))
            && matches!(instance.phase, Phase::Backoff { held: true, .. });
        if instance.died_last() || healed {
            // What it died of may be the database: a look from before says nothing.
            let died_at = instance.deaths.front().map_or(self.now, |death| death.at);
            let since = if healed { Moment::default() } else { died_at };
            let found = self.database_state(&spec.name, since);
            if let Some(obstacle) = database_obstacle(found, spec) {
                return Some(obstacle);
            }
        }
        spec.depends_on.iter().find_map(|name| {
            if self.checks.contains_key(&CheckId::Database(name.clone())) {
                let explicit = spec.conditions.get(name)?;
                let waits = matches!(explicit, Condition::Ready | Condition::Healthy);
                let found = waits.then(|| self.one_database_state(name, Moment::default()))?;
                return database_obstacle(found, spec);
            }
            self.app_obstacle(spec, name)
        })
    }

    fn app_obstacle(&self, own: &AppSpec, name: &str) -> Option<Obstacle> {
        let name = AppName::new(name)?;
        if !self.apps.contains_key(&name) || self.needs(&name, &own.name) {
            return None;
        }
        let condition = own.condition_of(name.as_str());
        let wanted = match condition {
            Condition::Started => words!("be up", "estar no ar"),
            Condition::Ready => words!("be ready", "estar pronto"),
            Condition::Healthy => words!("be healthy", "estar saudável"),
            Condition::Completed => words!("end well", "terminar bem"),
        };
        let ids = self.instances_of(&name).into_iter();
        ids.filter(|id| self.instances[id].goal == Goal::Up).find_map(|id| {
            let (why, passes) = self.short_of(id, condition)?;
            let name_of_it = self.spoken_name(id);
            let said = words!(
                "waits for {name_of_it} to {wanted}: {why}",
                "espera {name_of_it} {wanted}: {why}",
                wanted = wanted,
                why = why,
            );
            Some(Obstacle { said, passes, name: name.to_string() })
        })
    }

    /// Why an instance is not as far as that, and whether it is on its way; `None`: it is.
    fn short_of(&self, id: InstanceId, condition: Condition) -> Option<(Words, bool)> {
        let instance = self.instances.get(&id)?;
        let policy = &self.apps.get(&instance.app)?.spec.restart;
        let says = |why: Words, passes| Some((why, passes));
        match &instance.phase {
            Phase::Finished { death } => {
                let meant = death.code().is_some_and(|it| policy.stop_exit_codes.contains(&it));
                let well = death.is_clean() || meant;
                (!well).then(|| (the_process(death), false))
            }
            Phase::Running { since, .. } if condition == Condition::Completed => says(
                words!("it has not ended yet", "ainda não terminou"),
                self.now < *since + JOB_WITHIN,
            ),
            Phase::Running { .. } if condition == Condition::Started => None,
            Phase::Running { ready_by: Some(_), .. } => says(
                words!("it has not said that it is ready", "ainda não disse que está pronto"),
                true,
            ),
            Phase::Running { .. } if condition == Condition::Ready => None,
            Phase::Running { since, .. } => {
                let check = self.checks.get(&CheckId::Instance(id))?;
                match (check.verdict, &check.last) {
                    (Some(Status::Unhealthy), Some(last)) => {
                        let young = self.now < *since + self.verify_span(id);
                        Some((last.words(), young))
                    }
                    (Some(_), _) => None,
                    (None, Some(last)) => says(last.words(), true),
                    (None, None) => says(
                        words!(
                            "its check has not answered yet",
                            "a verificação dele ainda não respondeu",
                        ),
                        true,
                    ),
                }
            }
            Phase::Starting { .. } => {
                says(words!("it is being started", "está sendo iniciado"), true)
            }
            Phase::Stopping { then: Then::Start, .. } => {
                says(words!("it is being restarted", "está sendo reiniciado"), true)
            }
            Phase::Backoff { held: true, .. } => match self.obstacle(id) {
                Some(obstacle) => {
                    let why = words!("it {said}", "ele {said}", said = obstacle.said);
                    Some((why, obstacle.passes))
                }
                None => {
                    says(words!("it is about to be started", "está prestes a ser iniciado"), true)
                }
            },
            Phase::Backoff { retry_at, .. } => {
                let wait = retry_at.since(self.now);
                let why = words!(
                    "it died; its next start is in {wait}",
                    "morreu; o próximo início é em {wait}",
                    wait = wait,
                );
                Some((why, false))
            }
            Phase::Tripped { .. } | Phase::Stopping { .. } => {
                let death = instance.deaths.front().map(|past| the_process(&past.death));
                let why = death.unwrap_or_else(|| {
                    words!(
                        "the process was restarted too often",
                        "o processo foi reiniciado vezes demais",
                    )
                });
                let why = words!("it keeps failing: {why}", "continua falhando: {why}", why = why);
                Some((why, false))
            }
            Phase::Stopped => says(words!("it is not up", "não está no ar"), false),
        }
    }

    /// Whether an app needs another one, be it by way of others; an app needs itself.
    pub(super) fn needs(&self, app: &AppName, other: &AppName) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![app.as_str()];
        while let Some(name) = open.pop() {
            if name == other.as_str() {
                return true;
            }
            let known = AppName::new(name).and_then(|name| self.apps.get(&name));
            if let Some(known) = known.filter(|_| seen.insert(name)) {
                open.extend(known.spec.depends_on.iter().map(String::as_str));
            }
        }
        false
    }

    /// The stopped instances of apps that these need, be it by way of others, each once.
    pub(super) fn stopped_prerequisites(&self, ids: &[InstanceId]) -> Vec<InstanceId> {
        let mut open: Vec<&AppName> =
            ids.iter().filter_map(|id| Some(&self.instances.get(id)?.app)).collect();
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        while let Some(app) = open.pop() {
            let Some(app) = self.apps.get(app).filter(|_| seen.insert(app)) else { continue };
            for name in app.spec.depends_on.iter().filter_map(|name| AppName::new(name.as_str())) {
                let Some((name, _)) = self.apps.get_key_value(&name) else { continue };
                let instances = self.instances_of(name);
                if instances.iter().all(|id| self.instances[id].goal == Goal::Down) {
                    found.extend(instances.into_iter().filter(|id| !ids.contains(id)));
                }
                open.push(name);
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// Whether something that is held waits for the verdict about an instance.
    pub(super) fn is_awaited(&self, id: InstanceId) -> bool {
        let Some(app) = self.instances.get(&id).map(|instance| &instance.app) else { return false };
        self.instances.values().any(|instance| {
            let held = matches!(instance.phase, Phase::Backoff { held: true, .. });
            held && self.apps.get(&instance.app).is_some_and(|dependant| {
                dependant.spec.conditions.get(app.as_str()) == Some(&Condition::Healthy)
            })
        })
    }

    /// The names of a circle that these declarations would close, in order; `None`: there is none.
    pub(super) fn circle<'a>(
        &'a self,
        declared: impl Iterator<Item = &'a AppSpec> + Clone,
    ) -> Option<Vec<String>> {
        let needs = |name: &str| -> &'a [String] {
            let new = declared.clone().find(|spec| spec.name.as_str() == name);
            let known = || Some(&*self.apps.get(&AppName::new(name)?)?.spec);
            new.or_else(known).map(|spec| spec.depends_on.as_slice()).unwrap_or_default()
        };
        let mut done = BTreeSet::new();
        declared.clone().find_map(|spec| {
            let mut way: Vec<(&str, usize)> = vec![(spec.name.as_str(), 0)];
            while let Some((name, next)) = way.last_mut() {
                let Some(needed) = needs(name).get(*next).map(String::as_str) else {
                    done.insert(*name);
                    way.pop();
                    continue;
                };
                *next += 1;
                if let Some(at) = way.iter().position(|(before, _)| *before == needed) {
                    return Some(way[at..].iter().map(|(name, _)| (*name).to_owned()).collect());
                }
                if !done.contains(needed) {
                    way.push((needed, 0));
                }
            }
            None
        })
    }
}

fn the_process(death: &Death) -> Words {
    words!("the process {death}", "o processo {death}", death = death)
}

fn database_obstacle(found: Dependency, spec: &AppSpec) -> Option<Obstacle> {
    match found {
        Dependency::Up => None,
        Dependency::Down { name, message } => {
            let said = words!(
                "waits for the database {name}: {message}",
                "espera o banco de dados {name}: {message}",
                message = message,
            );
            Some(Obstacle { said, passes: false, name })
        }
        Dependency::Unknown => {
            let name = spec.depends_on.join(", ");
            let said = words!(
                "waits for a look at the databases that it needs",
                "espera uma verificação dos bancos de dados de que precisa",
            );
            Some(Obstacle { said, passes: true, name })
        }
    }
}
