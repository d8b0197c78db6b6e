//! Restarts because files changed.
//!
//! Always holds: only what is wanted up is restarted; what zelador itself writes (logs, pid files,
//! its home) restarts nothing; an app that writes into what it watches is slowed down instead of
//! being restarted without end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Supervisor;
use crate::effect::{Effect, Severity};
use crate::id::{AppName, InstanceId};
use crate::instance::{Cause, Goal, Phase};
use crate::launch::{log_paths, pid_path};
use crate::unit::Moment;
use crate::watch::{Changed, WatchPlan, Watching};
use crate::words;
use crate::words::Words;

/// Nothing more must change for this long: an editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(100);
/// Where changes do not end, the restart comes this long after the first of them.
const LONGEST_QUIET: Duration = Duration::from_secs(3);
/// A change this soon after a start may be the app's own doing.
const SOON: Duration = Duration::from_secs(5);
/// After that many restarts in a row, each soon after the start before, they are made rarer. A
/// person who saves every other second stays below.
const LOOP: u32 = 10;
/// So long after the start before, then.
const RARELY: Duration = Duration::from_secs(30);

/// What is watched for one app.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    plan: WatchPlan,
    state: Watching,
    /// What changed and was not acted on yet.
    pending: Option<Pending>,
    /// Restarts in a row, each soon after the start before.
    quick: u32,
}

#[derive(Clone, Debug)]
struct Pending {
    changed: Changed,
    first_at: Moment,
    due: Moment,
}

impl Watch {
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.pending.as_ref().map(|pending| pending.due)
    }
}

impl Supervisor {
    /// Begins and ends watching for the apps that the step touched.
    pub(super) fn plan_watches(&mut self) {
        let of_instances = self.changed.instances.iter().filter_map(|id| self.instances.get(id));
        let mut names: BTreeSet<AppName> = of_instances.map(|it| it.app.clone()).collect();
        names.extend(self.changed.apps.iter().cloned());
        names.iter().for_each(|name| self.plan_watch(name));
    }

    /// A new engine watches nothing yet.
    pub(super) fn plan_all_watches(&mut self) {
        let names: Vec<AppName> = self.apps.keys().cloned().collect();
        names.iter().for_each(|name| self.plan_watch(name));
    }

    fn plan_watch(&mut self, name: &AppName) {
        let wanted = self.apps.get(name).and_then(|app| {
            let plan = WatchPlan::of(&app.spec.watch, &app.spec.launch.cwd, &self.home)?;
            self.instances.of_app(name).any(|it| it.goal == Goal::Up).then_some(plan)
        });
        if wanted.as_ref() == self.watches.get(name).map(|watch| &watch.plan) {
            return;
        }
        self.changed.watches.insert(name.clone());
        match &wanted {
            Some(plan) => {
                let (plan, state) = (plan.clone(), Watching::default());
                self.watches.insert(name.clone(), Watch { plan, state, pending: None, quick: 0 });
            }
            None => {
                self.watches.remove(name);
            }
        }
        self.effects.push(Effect::Watch { app: name.clone(), plan: wanted.map(Box::new) });
    }

    /// How watching the files of an app goes.
    pub(super) fn watching(&self, name: &AppName) -> Option<Watching> {
        self.watches.get(name).map(|watch| watch.state.clone())
    }

    /// Watching began, or goes on with more or fewer folders.
    pub(super) fn watches_folders(&mut self, name: &AppName, folders: u32) {
        if let Some(watch) = self.watches.get_mut(name) {
            watch.state.folders = Some(folders);
        }
    }

    /// The files of an app cannot be watched, or not all of them: it runs on all the same.
    pub(super) fn cannot_watch(&mut self, name: &AppName, reason: &Words) {
        let Some(watch) = self.watches.get_mut(name) else { return };
        watch.state.trouble = Some(reason.english().to_owned());
        let text = words!("{name}: {reason}", "{name}: {reason}", reason = reason);
        self.notify(Severity::Warning, name.to_string(), text);
    }

    /// Files of an app changed; `more` others besides these.
    pub(super) fn files_changed(&mut self, name: &AppName, paths: &[PathBuf], more: u32) {
        if !self.watches.contains_key(name) {
            self.ignored += 1;
            return;
        }
        let others: Vec<&PathBuf> = paths.iter().filter(|path| !self.is_own_file(path)).collect();
        let Some(first) = others.first().copied().or(paths.first().filter(|_| more > 0)) else {
            return;
        };
        // What is about to be started anew sees the change anyway.
        let concerns = |id: &InstanceId| {
            let instance = &self.instances[id];
            instance.goal == Goal::Up && !matches!(instance.phase, Phase::Stopping { .. })
        };
        if !self.instances_of(name).iter().any(concerns) {
            return;
        }
        let Some(app) = self.apps.get(name) else { return };
        let (now, delay) = (self.now, app.spec.watch.delay.max(QUIET));
        let more = more.saturating_add(u32::try_from(others.len()).unwrap_or(u32::MAX));
        let more = more.saturating_sub(1);
        let path = first.strip_prefix(&app.spec.launch.cwd).unwrap_or(first);
        let path = if path.as_os_str().is_empty() { first } else { path };
        let changed = Changed { path: path.to_string_lossy().into_owned(), more };
        let rarely = self.last_start(name).map(|at| at + RARELY);
        let Some(watch) = self.watches.get_mut(name) else { return };
        let pending = watch.pending.take();
        let (changed, first_at) = match pending {
            Some(before) => {
                let more = before.changed.more.saturating_add(changed.more);
                let more = more + u32::from(before.changed.path != changed.path);
                (Changed { more, ..before.changed }, before.first_at)
            }
            None => (changed, now),
        };
        let mut due = (now + delay).min(first_at + delay + LONGEST_QUIET);
        if watch.quick >= LOOP {
            due = rarely.map_or(due, |rarely| due.max(rarely));
        }
        watch.pending = Some(Pending { changed, first_at, due });
        self.changed.watches.insert(name.clone());
    }

    /// Nothing more has changed for long enough.
    pub(super) fn watch_due(&mut self, name: &AppName) {
        self.changed.watches.insert(name.clone());
        let (now, last) = (self.now, self.last_start(name));
        let Some(watch) = self.watches.get_mut(name) else { return };
        let Some(Pending { changed, .. }) = watch.pending.take() else { return };
        let soon = last.is_some_and(|at| now.since(at) < SOON);
        let was_slowed = watch.quick >= LOOP;
        // Where restarts were made rarer, a run is never young: a longer peace ends that.
        let peace = last.is_none_or(|at| now.since(at) > RARELY + LONGEST_QUIET);
        watch.quick = match (soon, was_slowed, peace) {
            (true, false, _) => watch.quick + 1,
            (_, true, false) => watch.quick,
            _ => 0,
        };
        let loops = !was_slowed && watch.quick >= LOOP;
        watch.state.changed = Some((now, changed.clone()));
        let mut acted = false;
        for id in self.instances_of(name) {
            acted |= self.restart_for_files(id, &changed);
        }
        if acted {
            let text = words!(
                "{name}: {changed} changed: it is restarted",
                "{name}: {changed} mudou: é reiniciado",
                changed = changed,
            );
            self.notify(Severity::Info, name.to_string(), text);
        }
        if loops {
            let text = words!(
                "{name} was restarted {LOOP} times in a row soon after its start because files \
                 changed, at last {changed}: from now on at most every {rarely}; if it writes them \
                 itself, name them in `ignore_watch`",
                "{name} foi reiniciado {LOOP} vezes seguidas logo após iniciar porque arquivos \
                 mudaram, por último {changed}: de agora em diante, no máximo a cada {rarely}; se é \
                 ele mesmo que os grava, inclua-os em `ignore_watch`",
                changed = changed,
                rarely = RARELY,
            );
            self.notify(Severity::Warning, name.to_string(), text);
        }
    }

    fn restart_for_files(&mut self, id: InstanceId, changed: &Changed) -> bool {
        let cause = Cause::FilesChanged { changed: changed.clone() };
        let instance = &self.instances[&id];
        if instance.goal == Goal::Down {
            return false;
        }
        match instance.phase {
            Phase::Starting { .. } | Phase::Running { .. } => self.restart_because(id, cause),
            // What kept dying may be mended now: one trial, which the breaker counts.
            Phase::Tripped { .. } | Phase::Finished { .. } => {
                self.note_cause(id, cause);
                self.start_as_noted(id, true);
                true
            }
            // It starts by itself, and sees the change.
            Phase::Backoff { .. } | Phase::Stopping { .. } | Phase::Stopped => false,
        }
    }

    /// When the youngest run of an app came up.
    fn last_start(&self, name: &AppName) -> Option<Moment> {
        self.instances.of_app(name).filter_map(|instance| instance.started_at).max()
    }

    /// Whether zelador itself writes this file: its home, and the logs and pid files of all apps.
    fn is_own_file(&self, path: &Path) -> bool {
        path.starts_with(&self.home)
            || self.instances.iter().any(|(id, instance)| {
                let Some(app) = self.apps.get(&instance.app) else { return false };
                let (out, err) = log_paths(&app.spec, *id, &self.home);
                let combined = app.spec.logs.combined.clone();
                let mut logs = [out, err, combined].into_iter().flatten();
                logs.any(|log| is_log(path, &log)) || pid_path(&app.spec, *id, &self.home) == path
            })
    }
}

/// Whether a path is a log, or what rotating it made: `api-out__DATE.log` beside `api-out.log`.
fn is_log(path: &Path, log: &Path) -> bool {
    if path == log {
        return true;
    }
    let (Some(name), Some(stem)) = (path.file_name(), log.file_stem()) else { return false };
    let (name, stem) = (name.to_string_lossy(), stem.to_string_lossy());
    let rest = name.strip_prefix(&*stem);
    path.parent() == log.parent() && rest.is_some_and(|rest| rest.starts_with("__"))
}

#[cfg(test)]
mod tests;
