//! The list with its declarations as it crosses the wire: an environment that apps share is sent
//! once. A hundred apps started from one shell have a hundred times the same few kilobytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zelador_core::spec::Environment;
use zelador_core::supervisor::AppView;

/// Apps without what they share, and what that is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SharedApps {
    /// Inherited environments.
    environments: Vec<Arc<Environment>>,
    /// Each app with the number of its environment; in the app itself that is empty.
    apps: Vec<(usize, AppView)>,
}

impl From<Vec<AppView>> for SharedApps {
    fn from(views: Vec<AppView>) -> Self {
        let mut numbers: BTreeMap<*const Environment, usize> = BTreeMap::new();
        let mut environments = Vec::new();
        let number = |mut app: AppView| {
            let env = std::mem::take(&mut app.spec.launch.inherited_env);
            let number = *numbers.entry(Arc::as_ptr(&env)).or_insert_with(|| {
                environments.push(Arc::clone(&env));
                environments.len() - 1
            });
            (number, app)
        };
        let apps = views.into_iter().map(number).collect();
        Self { environments, apps }
    }
}

impl From<SharedApps> for Vec<AppView> {
    fn from(SharedApps { environments, apps }: SharedApps) -> Self {
        let whole = |(number, mut app): (usize, AppView)| {
            if let Some(env) = environments.get(number) {
                app.spec.launch.inherited_env = Arc::clone(env);
            }
            app
        };
        apps.into_iter().map(whole).collect()
    }
}
