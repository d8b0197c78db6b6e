//! What API, screen and log show: the only way to look inside.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::aside::SetAside;
use crate::check::{Check, CheckResult, Status};
use crate::config::masked_settings;
use crate::custom::{Action, Metrics};
use crate::effect::Affected;
use crate::evidence::PastDeath;
use crate::id::{AppName, CheckId, IncidentId, InstanceId, RunId};
use crate::incident::Incident;
use crate::input::Declaration;
use crate::instance::{Goal, Phase, Retiring, Start, Successor};
use crate::launch::{combined_path, environment, log_paths, pid_path};
use crate::notify::Language;
use crate::probe::{Finding, Measure, Usage};
use crate::redact;
use crate::said::Look;
use crate::spec::{AppSpec, Environment, ExecMode, Settings};
use crate::unit::Moment;
use crate::watch::Watching;

use super::Supervisor;

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The moment.
    pub at: Moment,
    /// When this engine's supervisor began.
    pub started_at: Moment,
    /// All instances, by number.
    pub instances: Vec<InstanceView>,
    /// Runs whose place was taken, and that have not ended yet.
    #[serde(default)]
    pub retiring: Vec<Retiring>,
    /// How everything is.
    pub health: HealthView,
    /// How many facts came late, twice or about something that is over.
    pub ignored_facts: u64,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceView {
    /// PM2's `pm_id`.
    pub id: InstanceId,
    /// Its app.
    pub app: String,
    /// Whether it shares its ports with the other replicas.
    #[serde(default)]
    pub mode: ExecMode,
    /// Its app's namespace.
    #[serde(default)]
    pub namespace: String,
    /// Which replica.
    pub index: u32,
    /// The app's name, with the index where there are several.
    pub name: String,
    /// What is wanted.
    pub goal: Goal,
    /// Where it is.
    pub phase: Phase,
    /// The run that takes its place, during a reload.
    #[serde(default)]
    pub successor: Option<Successor>,
    /// PM2's word for that.
    pub status: String,
    /// Its main process.
    pub pid: Option<i32>,
    /// Starts after the first one.
    pub restarts: u32,
    /// Short runs in a row.
    pub unstable_restarts: u32,
    /// When it was declared.
    pub created_at: Moment,
    /// When the last run came up.
    pub started_at: Option<Moment>,
    /// Why it was started last, or is about to be.
    #[serde(default)]
    pub last_start: Option<Start>,
    /// What it uses.
    pub usage: Option<Usage>,
    /// How it is; `None` while nothing is wanted of it.
    pub health: Option<CheckResult>,
    /// Why that does not count for the whole: its app is in maintenance, or it is muted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
    /// What it offers to do.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// What it tells about itself.
    #[serde(default)]
    pub metrics: Metrics,
    /// What it says of itself by `sd_notify`.
    #[serde(default)]
    pub says: Option<String>,
    /// Limits that this host cannot hold, and why.
    #[serde(default)]
    pub not_limited: Option<String>,
    /// The last deaths, the latest first.
    pub deaths: Vec<PastDeath>,
    /// The delay before the last start, while an exponential backoff is under way.
    pub backoff: Option<Duration>,
}

/// An instance with its declaration, for `show` and `jlist`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppView {
    /// The instance.
    pub instance: InstanceView,
    /// The declaration; secrets in its environment are masked.
    pub spec: AppSpec,
    /// Where standard output goes.
    pub out_log: Option<PathBuf>,
    /// Where standard error goes.
    pub err_log: Option<PathBuf>,
    /// The file that tells its main process.
    #[serde(default)]
    pub pid_file: PathBuf,
    /// How watching its files goes; `None`: they are not watched.
    #[serde(default)]
    pub watching: Option<Watching>,
    /// What the files of `env_file` said at the last start; secrets are masked.
    #[serde(default)]
    pub file_env: Option<Environment>,
}

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

/// An incident as it is now.
pub type IncidentView = Incident;

/// What `save` keeps and `resurrect` reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The layout of this file; this version writes 1.
    pub version: u32,
    /// When it was saved.
    pub at: Moment,
    /// The apps and what was wanted of them.
    pub apps: Vec<Declaration>,
}

impl Supervisor {
    /// What API, screen and log show. Cheap, and the only way to look inside.
    pub fn view(&self) -> View {
        View {
            at: self.now,
            started_at: self.started_at,
            instances: self.instances.keys().filter_map(|id| self.instance_view(*id)).collect(),
            retiring: self.retiring.values().cloned().collect(),
            health: self.health(),
            ignored_facts: self.ignored,
        }
    }

    /// The instances with their declarations, secrets masked.
    pub fn app_views(&self) -> Vec<AppView> {
        // Apps mostly share the environment that they were declared from: it is masked once.
        let mut done: BTreeMap<*const Environment, Arc<Environment>> = BTreeMap::new();
        let view = |id: &InstanceId| {
            let instance = self.instance_view(*id)?;
            let spec = &self.apps.get(&self.instances.get(id)?.app)?.spec;
            let inherited = &spec.launch.inherited_env;
            let masked_env =
                done.entry(Arc::as_ptr(inherited)).or_insert_with(|| mask(inherited).into());
            let spec = masked(spec, Arc::clone(masked_env));
            let (out_log, err_log) = log_paths(&spec, *id, &self.home);
            let pid_file = pid_path(&spec, *id, &self.home);
            let watching = self.watching(&spec.name);
            let file_env = self.instances[id].file_env.as_ref().map(mask);
            Some(AppView { instance, spec, out_log, err_log, pid_file, watching, file_env })
        };
        self.instances.keys().filter_map(view).collect()
    }

    fn instance_view(&self, id: InstanceId) -> Option<InstanceView> {
        let instance = self.instances.get(&id)?;
        Some(InstanceView {
            id,
            app: instance.app.to_string(),
            mode: self.apps.get(&instance.app)?.spec.mode,
            namespace: self.apps.get(&instance.app)?.spec.namespace.clone(),
            index: instance.index,
            name: self.spoken_name(id),
            goal: instance.goal,
            phase: instance.phase.clone(),
            successor: instance.successor.clone(),
            status: instance.phase.pm2_status().to_owned(),
            pid: instance.phase.pid(),
            restarts: instance.restarts,
            unstable_restarts: instance.breaker.short_runs,
            created_at: instance.created_at,
            started_at: instance.started_at,
            last_start: instance.last_start.clone(),
            usage: instance.usage,
            health: self.health_of(id),
            set_aside: self.set_aside(&CheckId::Instance(id)),
            actions: instance.actions.clone(),
            metrics: instance.metrics.clone(),
            says: instance.spoken.text(),
            not_limited: instance.spoken.not_limited.clone(),
            deaths: instance.deaths.iter().cloned().collect(),
            backoff: instance.backoff,
        })
    }

    /// How everything is, by the last looks.
    pub fn health(&self) -> HealthView {
        let component = |id: &CheckId, result: CheckResult, check: Option<&Check>| CheckView {
            component: self.component(id),
            set_aside: self.set_aside(id),
            measures: match check.and_then(|check| check.finding.as_ref()) {
                Some(Finding::Measured { measures, .. }) => measures.clone(),
                _ => Vec::new(),
            },
            status: result.status,
            message: result.message,
            said: result.said,
            took: result.took,
            at: result.at,
        };
        let own = self.checks.iter().filter(|(id, _)| id.instance().is_none());
        let mut checks: Vec<CheckView> = own
            .map(|(id, check)| {
                let result = match (&check.last, check.verdict) {
                    (Some(last), Some(status)) => CheckResult { status, ..last.clone() },
                    _ => not_yet(self.now),
                };
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

    /// How the apps of every namespace are, together.
    fn groups(&self) -> Vec<GroupView> {
        let mut groups: BTreeMap<&str, GroupView> = BTreeMap::new();
        for (id, instance) in &self.instances {
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

    /// All incidents that are kept, the latest first.
    pub fn incidents(&self) -> Vec<&IncidentView> {
        self.incidents.values().rev().collect()
    }

    /// One incident.
    pub fn incident(&self, id: IncidentId) -> Option<&IncidentView> {
        self.incidents.get(&id)
    }

    /// What `save` keeps: every app with its whole environment, so handle it as a secret.
    /// In the order of their numbers, which they get anew in the order of the file.
    pub fn saved(&self) -> Saved {
        let mut apps: Vec<_> = self.apps.values().collect();
        apps.sort_by_key(|app| self.instances_of(&app.spec.name).into_iter().min());
        let apps = apps
            .into_iter()
            .map(|app| {
                let ids = self.instances_of(&app.spec.name);
                let up = ids.iter().any(|id| self.instances[id].goal == Goal::Up);
                let goal = if up { Goal::Up } else { Goal::Down };
                Declaration { spec: app.spec.clone(), goal, replace: false }
            })
            .collect();
        Saved { version: 1, at: self.now, apps }
    }

    /// Whether every instance has come to where it can come for now: none is being started or
    /// stopped. One that waits for its next start after a death has settled too; one whose first start is
    /// held back by what it depends on has not, so whoever waits for this has a limit.
    pub fn is_settled(&self) -> bool {
        self.instances.values().all(|instance| match instance.phase {
            Phase::Starting { .. } | Phase::Stopping { .. } => false,
            Phase::Running { ready_by, .. } => ready_by.is_none(),
            Phase::Backoff { fresh, .. } => !fresh,
            Phase::Stopped | Phase::Tripped { .. } | Phase::Finished { .. } => true,
        })
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The folders whose file systems are worth a look: zelador's home and where apps write.
    pub fn written_folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.home.clone()];
        folders.extend(self.instances.keys().flat_map(|id| self.folders_of(*id)));
        folders.sort();
        folders.dedup();
        folders
    }

    /// The folders that an instance writes to: those of its logs, and its own.
    pub(super) fn folders_of(&self, id: InstanceId) -> Vec<PathBuf> {
        let Some(app) = self.instances.get(&id).and_then(|it| self.apps.get(&it.app)) else {
            return Vec::new();
        };
        let (out, err) = log_paths(&app.spec, id, &self.home);
        let logs = [out, err].into_iter().flatten();
        let logs = logs.filter_map(|path| path.parent().map(PathBuf::from));
        // A cache may lie on a volume of its own.
        let caches = app.spec.heal.caches.iter().cloned();
        logs.chain([app.spec.launch.cwd.clone()]).chain(caches).collect()
    }

    /// The log files of some instances, or of all; each once.
    pub fn log_files(&self, ids: Option<&[InstanceId]>) -> Vec<PathBuf> {
        let wanted = self.instances.keys().filter(|id| ids.is_none_or(|ids| ids.contains(id)));
        let files = wanted.filter_map(|id| {
            let spec = &self.apps.get(&self.instances.get(id)?.app)?.spec;
            let (out, err) = log_paths(spec, *id, &self.home);
            Some([out, err, combined_path(spec, *id)])
        });
        let mut files: Vec<PathBuf> = files.flatten().flatten().collect();
        files.sort();
        files.dedup();
        files
    }

    /// The environment that an instance is given; `None`: there is no such instance.
    pub fn environment_of(&self, id: InstanceId, secrets: bool) -> Option<Environment> {
        let instance = self.instances.get(&id)?;
        let spec = &self.apps.get(&instance.app)?.spec;
        let run = instance.phase.run().unwrap_or(RunId::new(self.counters.run));
        let settings = self.modules.env.get(&instance.app);
        let env = environment(spec, instance, run, &self.home, settings);
        let file = instance.file_env.clone().unwrap_or_default();
        let mut declared = spec.launch.env.clone();
        declared
            .extend(settings.into_iter().flatten().map(|(name, it)| (name.clone(), it.clone())));
        let env = laid_below(env, file, &declared);
        if secrets {
            return Some(env);
        }
        let mut shown = mask(&env);
        let app = instance.app.as_str();
        if settings.is_some_and(|settings| settings.contains_key(app)) {
            shown.insert(app.to_owned(), masked_settings(&env[app]).unwrap_or_default());
        }
        Some(shown)
    }

    /// Whose run this is.
    pub fn app_of(&self, run: RunId) -> Option<AppName> {
        Some(self.instances.get(self.runs.get(&run)?)?.app.clone())
    }

    /// Of which instance this is the run, and of which app.
    pub fn instance_of(&self, run: RunId) -> Option<(AppName, InstanceId)> {
        let instance = self.instances.get(self.runs.get(&run)?)?;
        Some((instance.app.clone(), instance.id))
    }

    /// Whether an app declares a socket that listens there.
    pub fn has_socket(&self, app: &AppName, listen: &str) -> bool {
        let sockets = self.apps.get(app).into_iter().flat_map(|app| &app.spec.sockets);
        sockets.into_iter().any(|socket| socket.listen.to_string() == listen)
    }

    /// The run of an instance whose process is up.
    pub fn run_of(&self, id: InstanceId) -> Option<RunId> {
        match self.instances.get(&id)?.phase {
            Phase::Running { run, .. } => Some(run),
            _ => None,
        }
    }

    /// How many processes of an app are up, those included whose place was taken.
    pub fn live_runs_of(&self, app: &AppName) -> usize {
        let mine = self.runs.values().filter_map(|id| self.instances.get(id));
        mine.filter(|instance| instance.app == *app).count()
    }

    /// Whether an app has, or is about to have, a process that may want its ports.
    pub fn wants_ports(&self, app: &AppName) -> bool {
        self.retiring.values().any(|retiring| retiring.app == *app)
            || self.instances.values().filter(|instance| instance.app == *app).any(|instance| {
                let waits = matches!(instance.phase, Phase::Backoff { .. });
                instance.phase.run().is_some() || waits
            })
    }

    /// The runs that have a process, and of which nobody knows yet what they use.
    pub fn unsampled_runs(&self) -> Vec<RunId> {
        let new = self.instances.values().filter(|instance| instance.usage.is_none());
        let run = |phase: &Phase| match phase {
            Phase::Running { run, .. } => Some(*run),
            _ => None,
        };
        new.filter_map(|instance| run(&instance.phase)).collect()
    }

    /// The runs that have a process, with its pid: what the sampler looks at.
    pub fn live_runs(&self) -> Vec<(RunId, i32)> {
        let run = |phase: &Phase| match phase {
            Phase::Running { run, pid, .. } => Some((*run, *pid)),
            _ => None,
        };
        self.instances.values().filter_map(|instance| run(&instance.phase)).collect()
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

/// The environment with the variables of `env_file` in it, below the declared ones.
fn laid_below(mut env: Environment, file: Environment, declared: &Environment) -> Environment {
    env.extend(file.into_iter().filter(|(name, _)| !declared.contains_key(name)));
    env
}

fn mask(env: &Environment) -> Environment {
    env.iter().map(|(name, value)| (name.clone(), redact::variable(name, value))).collect()
}

/// The declaration with its secrets masked; `inherited` is the inherited environment, masked.
fn masked(spec: &AppSpec, inherited: Arc<Environment>) -> AppSpec {
    let mut spec = spec.clone();
    spec.launch.env = mask(&spec.launch.env);
    spec.launch.inherited_env = inherited;
    spec.launch.args = spec.launch.args.iter().map(|arg| redact::text(arg)).collect();
    spec
}

impl std::fmt::Display for Affected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (id {}): {}", self.app, self.id, self.what)
    }
}
