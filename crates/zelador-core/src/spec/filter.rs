//! Which variables of a shell an app is given.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Environment;

/// Which variables of whoever gives a command an app does not get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvFilter {
    /// It gets all of them.
    #[default]
    None,
    /// It gets none.
    All,
    /// Not this one.
    Exactly(String),
    /// Not those whose name contains one of these.
    Containing(Vec<String>),
}

impl EnvFilter {
    /// Returns the variables that the app gets.
    pub fn apply(&self, env: &Arc<Environment>) -> Arc<Environment> {
        let keeps = |name: &str| match self {
            Self::None => true,
            Self::All => false,
            Self::Exactly(exact) => name != exact,
            Self::Containing(parts) => !parts.iter().any(|part| name.contains(part.as_str())),
        };
        if *self == Self::None {
            return Arc::clone(env);
        }
        let kept = env.iter().filter(|(name, _)| keeps(name));
        Arc::new(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_taken_away_by_name_by_part_or_all() {
        let env =
            ["PATH", "AWS_KEY", "MY_AWS_ID", "HOME"].map(|name| (name.to_owned(), String::new()));
        let env = Arc::new(Environment::from(env));
        let left = |filter: EnvFilter| filter.apply(&env).keys().cloned().collect::<Vec<_>>();
        assert!(Arc::ptr_eq(&EnvFilter::None.apply(&env), &env), "shared as it is");
        assert_eq!(left(EnvFilter::All), [""; 0]);
        assert_eq!(left(EnvFilter::Exactly("AWS".to_owned())).len(), 4);
        assert_eq!(left(EnvFilter::Exactly("HOME".to_owned())).len(), 3);
        let parts = vec!["AWS".to_owned(), "OME".to_owned()];
        assert_eq!(left(EnvFilter::Containing(parts)), ["PATH"]);
    }
}
