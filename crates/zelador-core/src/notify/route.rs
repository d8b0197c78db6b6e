//! Which notice goes to which channels.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::matter::About;
use super::plan::Plan;
use crate::effect::Severity;
use crate::incident::Trouble;

/// Kinds of notices beside the troubles of incidents.
pub const EVENT_KINDS: [&str; 4] = ["incident", "check", "app", "channel"];

/// Whether there are notices of this kind: one of [`EVENT_KINDS`], or a trouble like `crash-loop`.
pub fn is_kind(word: &str) -> bool {
    let trouble = serde_json::from_value::<Trouble>(serde_json::Value::from(word));
    EVENT_KINDS.contains(&word) || trouble.is_ok()
}

/// What is told to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Of these apps, `*` standing for anything; empty: of all, and of the host.
    pub apps: Vec<String>,
    /// From this severity on.
    pub severity: Severity,
    /// Of these kinds; empty: of all.
    pub kinds: Vec<String>,
    /// To these channels.
    pub to: Vec<String>,
}

impl Route {
    /// Whether it is about this.
    pub fn takes(&self, about: &About, severity: Severity) -> bool {
        let app = about.app.as_deref();
        let of_app =
            self.apps.is_empty() || app.is_some_and(|app| self.apps.iter().any(|it| fits(it, app)));
        let is_incident = about.incident.is_some();
        let of_kind = self.kinds.is_empty()
            || self.kinds.iter().any(|it| *it == about.kind || is_incident && it == "incident");
        severity >= self.severity && of_app && of_kind
    }
}

impl Plan {
    /// The channels that are told; those of every route that takes it, or all where there is no route.
    pub fn targets(&self, about: &About, severity: Severity) -> BTreeSet<String> {
        if self.routes.is_empty() {
            let all = self.channels.keys().filter(|_| severity >= Severity::Warning);
            return all.cloned().collect();
        }
        let routes = self.routes.iter().filter(|route| route.takes(about, severity));
        let named = routes.flat_map(|route| &route.to);
        named.filter(|name| self.channels.contains_key(*name)).cloned().collect()
    }

    /// Who is told that `failing` fails: those who are told of channels, else everybody else.
    pub fn witnesses(&self, failing: &str, about: &About) -> BTreeSet<String> {
        let mut chosen = self.targets(about, Severity::Critical);
        chosen.remove(failing);
        if chosen.is_empty() {
            chosen = self.channels.keys().filter(|name| *name != failing).cloned().collect();
        }
        chosen
    }
}

/// Whether a name is what a pattern means: `*` stands for any letters, also for none.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("api", "api", true),
            ("api", "api-2", false),
            ("api*", "api-2", true),
            ("*-worker", "mail-worker", true),
            ("*-worker", "worker", false),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("*", "anything", true),
            ("aa*aa", "aaa", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn kinds_are_those_of_events_and_troubles() {
        for kind in ["incident", "check", "crash-loop", "unresponsive", "channel"] {
            assert!(is_kind(kind), "{kind}");
        }
        assert!(!is_kind("crash loop") && !is_kind("everything"));
    }
}
