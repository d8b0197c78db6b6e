//! What is in the list, and what a word of PM2 means there.
//!
//! While zelador is down the list is empty, as PM2 says it; that it has kept one whose apps may be up is said besides.

use serde_json::json;
use zelador_api::AppView;
use zelador_api::client::ClientError;
use zelador_api::select::Unselected;

use super::say;
use crate::command::{self, Context};
use crate::failure::Failure;
use crate::render::inspect::inspect;

/// Everything in the list.
///
/// # Errors
/// There is somebody who does not answer.
pub fn all(context: &Context) -> Result<Vec<AppView>, Failure> {
    match context.engine.apps() {
        Ok(apps) => Ok(apps),
        Err(error @ ClientError::NotRunning(_)) => {
            if error.is_of_killed() && context.keeps_list() {
                say::warning(
                    "The daemon was killed, or the host went down, and its apps may be up: `pm2 resurrect` brings \
                     back its list, with those that still run",
                );
            }
            Ok(Vec::new())
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns what a word names, or says in PM2's words that it names nothing.
///
/// # Errors
/// It names nothing, which was said.
pub fn named<'a>(apps: &'a [AppView], word: &str) -> Result<Vec<&'a AppView>, Failure> {
    command::find(apps, word).map_err(|why| {
        match why {
            Unselected::Nothing => say::nothing("No process found"),
            Unselected::Pattern(reason) => {
                say::error(&format!("{word} is no regular expression: {reason}"));
            }
            Unselected::Unknown { nearest } => {
                say::error(&format!("Process or Namespace {word} not found{}", meant(nearest)));
            }
        }
        Failure::SaidAlready
    })
}

/// A hint to the name that was perhaps meant.
pub fn meant(nearest: Option<String>) -> String {
    nearest.map_or(String::new(), |name| format!(" (did you mean `{name}`?)"))
}

/// The numbers of instances as PM2 shows them: `[ 0, 1 ]`; a number that was given as one is shown
/// as text: `[ '0' ]`.
pub fn shown_ids(word: &str, apps: &[&AppView]) -> String {
    let by_number = match apps {
        [one] => {
            one.instance.id.to_string() == word
                && one.instance.app != word
                && one.instance.namespace != word
        }
        _ => false,
    };
    if by_number {
        return inspect(&json!([word]));
    }
    let ids: Vec<u32> = apps.iter().map(|app| app.instance.id.number()).collect();
    inspect(&json!(ids))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn numbers_are_shown_as_javascript_shows_them() {
        let app = sample::app();
        assert_eq!(shown_ids("api", &[&app]), "[ 0 ]");
        assert_eq!(shown_ids("0", &[&app]), "[ '0' ]");
        assert_eq!(shown_ids("0", &[&app, &app]), "[ 0, 0 ]", "two are never meant by a number");
        assert_eq!(shown_ids("all", &[]), "[]");
    }
}
