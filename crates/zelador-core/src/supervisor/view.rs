//! What API, screen and log show: the only way to look inside.

mod environment;
mod health;
mod runs;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::aside::SetAside;
use crate::check::{CheckResult, CheckTarget};
use crate::custom::{Action, Metrics};
use crate::effect::Affected;
use crate::evidence::PastDeath;
use crate::id::{CheckId, IncidentId, InstanceId};
use crate::incident::Incident;
use crate::input::Declaration;
use crate::instance::{Goal, Instance, Phase, Retiring, Start, Successor};
use crate::launch::{combined_path, log_paths, pid_path};
use crate::probe::Usage;
use crate::spec::{AppSpec, Environment, ExecMode, HostMeter, Limit, Settings};
use crate::unit::Moment;
use crate::watch::Watching;

use super::Supervisor;

use environment::{mask, masked};
pub use health::{CheckView, GroupView, HealthView, Readiness, SimpleHealth, VerdictView};

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
    /// Records of the history that could not be read when this engine began, by their keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_start: Option<Start>,
    /// What it uses.
    pub usage: Option<Usage>,
    /// How it is; `None` while nothing is wanted of it.
    pub health: Option<CheckResult>,
    /// Why that does not count for the whole: its app is in maintenance, or it is muted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
    /// What it offers to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// What it tells about itself.
    #[serde(default, skip_serializing_if = "Metrics::is_empty")]
    pub metrics: Metrics,
    /// What it says of itself by `sd_notify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// Limits that this host cannot hold, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_limited: Option<String>,
    /// The last deaths, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deaths: Vec<PastDeath>,
    /// The delay before the last start, while an exponential backoff is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
            left_out: self.left_out.clone(),
        }
    }

    /// The instances with their declarations, secrets masked.
    pub fn app_views(&self) -> Vec<AppView> {
        self.app_views_where(|_| true)
    }

    /// The same of one app.
    pub fn app_views_of(&self, app: &str) -> Vec<AppView> {
        self.app_views_where(|it| it.app.as_str() == app)
    }

    fn app_views_where(&self, is_wanted: impl Fn(&Instance) -> bool) -> Vec<AppView> {
        // Apps mostly share the environment that they were declared from: it is masked once.
        let mut done: BTreeMap<*const Environment, Arc<Environment>> = BTreeMap::new();
        let mut view = |id: &InstanceId| {
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
        let wanted = self.instances.iter().filter(|(_, instance)| is_wanted(instance));
        wanted.filter_map(|(id, _)| view(id)).collect()
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
                Declaration { spec: app.spec.as_ref().clone(), goal, replace: false }
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

    /// The same, and the mounts that have a limit of their own: nobody need write there for it to count.
    pub fn watched_folders(&self) -> Vec<PathBuf> {
        let limits = self.checks.values().flat_map(|check| match check.plan.target {
            CheckTarget::Disk | CheckTarget::Host(HostMeter::Inodes) => &check.plan.limits[..],
            _ => &[],
        });
        let is_watched = |it: &&Limit| it.degraded.is_some() || it.unhealthy.is_some() || it.auto;
        let mounts = limits.filter(is_watched).map(|it| PathBuf::from(&it.measure));
        let mut folders = self.written_folders();
        folders.extend(mounts.filter(|mount| mount.is_absolute()));
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
}

impl std::fmt::Display for Affected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (id {}): {}", self.app, self.id, self.what)
    }
}
