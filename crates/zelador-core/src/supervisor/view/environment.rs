//! The environment that an instance is given, as it is shown.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::config::masked_settings;
use crate::id::{IncidentId, InstanceId, RunId};
use crate::launch::environment;
use crate::redact;
use crate::spec::{AppSpec, Environment};

use super::Supervisor;

impl Supervisor {
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

    /// The secrets in the environment of the instance that an incident is about, the longest first: what it says may
    /// hold them.
    pub fn secrets_of(&self, incident: IncidentId) -> Vec<String> {
        let subject = self.incidents.get(&incident).map(|it| it.instance);
        let env = subject.and_then(|id| self.environment_of(id, true)).unwrap_or_default();
        let secrets = env.iter().filter_map(|(name, value)| redact::secret(name, value));
        let mut secrets: Vec<String> = secrets.map(str::to_owned).collect();
        secrets.sort_unstable_by_key(|secret| Reverse(secret.len()));
        secrets
    }
}

/// The environment with the variables of `env_file` in it, below the declared ones.
fn laid_below(mut env: Environment, file: Environment, declared: &Environment) -> Environment {
    env.extend(file.into_iter().filter(|(name, _)| !declared.contains_key(name)));
    env
}

pub(super) fn mask(env: &Environment) -> Environment {
    env.iter().map(|(name, value)| (name.clone(), redact::variable(name, value))).collect()
}

/// The declaration with its secrets masked; `inherited` is the inherited environment, masked.
pub(super) fn masked(spec: &AppSpec, inherited: Arc<Environment>) -> AppSpec {
    let mut spec = spec.clone();
    spec.launch.env = mask(&spec.launch.env);
    spec.launch.inherited_env = inherited;
    spec.launch.args = spec.launch.args.iter().map(|arg| redact::text(arg)).collect();
    spec
}
