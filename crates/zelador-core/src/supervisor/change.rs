//! Restarts that change what is stored, and changes without a restart: options given at a restart,
//! another name, counters from 0 on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::commands::Wait;
use super::{App, Supervisor};
use crate::config::{Change, EnvDifference, differing_fields};
use crate::effect::{Affected, Done, Effect, Refusal};
use crate::id::{AppName, InstanceId};
use crate::instance::{Goal, Phase};
use crate::launch::pid_path;
use crate::signal::Signal;
use crate::spec::AppSpec;
use crate::words;
use crate::words::Words;

impl Supervisor {
    /// Changes the apps of these instances, then restarts the instances.
    pub(super) fn restart_changed(
        &mut self,
        selectors: &[String],
        change: &Change,
    ) -> Result<(Vec<Wait>, Done), Refusal> {
        let (ids, mut waits, done) = self.change_apps(selectors, change)?;
        let (more, _) = self.restart_all(&ids);
        waits.extend(more);
        Ok((waits, done))
    }

    /// Changes the apps of these instances, then replaces the instances one after another.
    pub(super) fn reload_changed(
        &mut self,
        selectors: &[String],
        change: &Change,
    ) -> Result<(Vec<Wait>, Done), Refusal> {
        let ids = self.select(selectors)?;
        self.may_reload(&ids)?;
        let (ids, mut waits, done) = self.change_apps(selectors, change)?;
        let (more, _) = self.reload(&ids)?;
        waits.extend(more);
        Ok((waits, done))
    }

    /// Changes the apps of these instances; returns the instances that run as before the change.
    fn change_apps(
        &mut self,
        selectors: &[String],
        change: &Change,
    ) -> Result<(Vec<InstanceId>, Vec<Wait>, Done), Refusal> {
        let ids = self.select(selectors)?;
        let apps = self.select_apps(selectors)?;
        self.may_rename(&apps, change)?;
        let mut done = Done::default();
        let mut waits = Vec::new();
        let mut concerned: BTreeSet<InstanceId> = ids.into_iter().collect();
        for name in apps {
            let old = self.apps[&name].spec.clone();
            let new = change.of(&old);
            done.notes.extend(spoken_differences(&old, &new));
            let name = self.replace_spec(&name, new);
            if change.fields.contains("instances") {
                self.scale(&name, Goal::Up, &mut waits);
                concerned.retain(|id| !waits.iter().any(|wait| wait.id == *id));
            }
        }
        Ok((concerned.into_iter().collect(), waits, done))
    }

    fn may_rename(&self, apps: &[AppName], change: &Change) -> Result<(), Refusal> {
        let Some(new) = change.app.as_ref().filter(|_| change.renames()).map(|app| &app.name)
        else {
            return Ok(());
        };
        let refused =
            |reason: Words, help: Option<Words>| Err(Refusal::NotPossible { reason, help });
        if let [one, other, ..] = apps {
            let reason = words!(
                "`{one}` and `{other}` cannot both be called `{new}`",
                "`{one}` e `{other}` não podem ambos se chamar `{new}`",
            );
            return refused(reason, Some(words!("name one app", "indique um só aplicativo")));
        }
        if apps.first() != Some(new) && self.apps.contains_key(new) {
            let reason =
                words!("another app is called `{new}`", "outro aplicativo já se chama `{new}`",);
            return refused(reason, None);
        }
        Ok(())
    }

    /// Puts another declaration in the place of an app's; it may have another name. Returns the
    /// name.
    fn replace_spec(&mut self, name: &AppName, mut spec: AppSpec) -> AppName {
        self.share_environment(&mut spec);
        let new = spec.name.clone();
        let ids = self.instances_of(name);
        let Some(old) = self.apps.remove(name) else { return new };
        self.forget_pid_files(&old.spec, &spec);
        self.apps.insert(new.clone(), App { spec: Box::new(spec), cron_at: old.cron_at });
        self.changed.apps.extend([name.clone(), new.clone()]);
        if new != *name {
            self.rename_reload(name, &new);
            self.instances.rename(name, &new);
            ids.iter().for_each(|id| self.touch(*id));
            for incident in self.incidents.values_mut().filter(|it| it.app == *name) {
                incident.app = new.clone();
                self.changed.incidents.insert(incident.id);
            }
            self.history.rename(name, &new);
            self.changed.history = true;
            for wait in self.pending.iter_mut().flat_map(|pending| &mut pending.waits) {
                if wait.app == *name {
                    wait.app = new.clone();
                }
            }
        }
        self.plan_cron(&new);
        new
    }

    /// Removes the files that tell the processes of an app where its new declaration has others.
    pub(super) fn forget_pid_files(&mut self, old: &AppSpec, new: &AppSpec) {
        for id in self.instances_of(&old.name) {
            let before = pid_path(old, id, &self.home);
            let is_up = self.instances[&id].phase.pid().is_some();
            if is_up && before != pid_path(new, id, &self.home) {
                self.effects.push(Effect::RemovePid { path: before });
            }
        }
    }

    /// Counts restarts and short runs from 0 on.
    pub(super) fn reset(&mut self, ids: &[InstanceId]) -> (Vec<Wait>, Done) {
        let mut done = Done::default();
        for id in ids {
            let now = self.now;
            if let Some(instance) = self.instances.get_mut(id) {
                instance.reset(now);
            }
            self.touch(*id);
            done.instances.push(self.affected(
                *id,
                words!("counters reset", "contadores zerados"),
                true,
            ));
        }
        (Vec::new(), done)
    }

    /// Sends a signal to main processes, and nothing more.
    pub(super) fn signal(&mut self, ids: &[InstanceId], signal: Signal) -> (Vec<Wait>, Done) {
        let mut done = Done::default();
        for id in ids {
            let affected = match self.instances[id].phase {
                Phase::Running { run, pid, .. }
                | Phase::Stopping { run, pid: Some(pid), death: None, .. } => {
                    self.effects.push(Effect::Signal { run, signal });
                    let what = words!("{signal} sent (pid {pid})", "{signal} enviado (pid {pid})");
                    self.affected(*id, what, true)
                }
                _ => {
                    let what = words!(
                        "{signal} not sent: it has no process",
                        "{signal} não enviado: não há processo",
                    );
                    self.affected(*id, what, false)
                }
            };
            done.instances.push(affected);
        }
        (Vec::new(), done)
    }

    fn affected(&self, id: InstanceId, what: Words, ok: bool) -> Affected {
        let app = self.instances.get(&id).map(|it| it.app.to_string()).unwrap_or_default();
        Affected { id, app, what, ok, help: None }
    }
}

/// What is different in a new declaration, in sentences; values of variables are not told.
pub(super) fn spoken_differences(old: &AppSpec, new: &AppSpec) -> Vec<String> {
    let mut said = Vec::new();
    let name = &old.name;
    let fields = differing_fields(old, new);
    if !fields.is_empty() {
        said.push(format!("{name}: changed: {}", fields.join(", ")));
    }
    let declared = EnvDifference::between(&old.launch.env, &new.launch.env);
    if !declared.is_empty() {
        said.push(format!("{name}: declared environment: {declared}"));
    }
    if !Arc::ptr_eq(&old.launch.inherited_env, &new.launch.inherited_env) {
        let (old, new) = (&old.launch.inherited_env, &new.launch.inherited_env);
        let inherited = EnvDifference::between(old, new).without_shell_noise();
        if !inherited.is_empty() {
            said.push(format!("{name}: inherited environment: {inherited}"));
        }
    }
    said
}
