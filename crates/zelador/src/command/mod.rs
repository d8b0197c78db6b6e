//! The verbs: each asks, renders, prints, and tells how it went.

mod act;
mod check;
mod health;
mod incidents;
mod logs;
mod look;
mod saving;
mod start;
mod whole;

use std::env;
use std::process::ExitCode;

use zelador_api::home::Home;
use zelador_api::{AppView, InstanceView};

use crate::cli::{Config, Verb};
use crate::engine::Engine;
use crate::failure::Failure;

/// What every verb needs.
struct Context {
    home: Home,
    engine: Engine,
}

/// Does what the command line says, and returns its exit code.
pub fn run(verb: Verb) -> ExitCode {
    let otherwise = match verb {
        // A monitor must not take "no answer" for "degraded".
        Verb::Health { .. } => ExitCode::from(health::UNHEALTHY),
        _ => ExitCode::FAILURE,
    };
    match perform(verb) {
        Ok(code) => code,
        Err(failure) if failure.report() => otherwise,
        Err(_) => ExitCode::SUCCESS,
    }
}

fn perform(verb: Verb) -> Result<ExitCode, Failure> {
    if let Verb::Config(Config::Check { file, env_name, json }) = verb {
        return check::check(&file, env_name.as_deref(), json);
    }
    let home = Home::from_variables(env::var_os("ZELADOR_HOME"), env::var_os("HOME"))?;
    let context = Context { engine: Engine::new(&home)?, home };
    match verb {
        Verb::Start(start) => start::start(&context, &start),
        Verb::Stop(selectors) => act::stop(&context, selectors),
        Verb::Restart(selectors) => act::restart(&context, selectors),
        Verb::Reload(selectors) => act::reload(&context, selectors),
        Verb::Delete(selectors) => act::delete(&context, selectors),
        Verb::List => look::list(&context),
        Verb::Jlist => look::jlist(&context),
        Verb::Show { selector } => look::show(&context, &selector),
        Verb::Logs(logs) => logs::logs(&context, &logs),
        Verb::Save { force } => saving::save(&context, force),
        Verb::Resurrect => saving::resurrect(&context),
        Verb::Kill => whole::kill(&context),
        Verb::Ping => whole::ping(&context),
        Verb::Health { json, now } => health::health(&context, json, now),
        Verb::Incidents { id, json } => incidents::incidents(&context, id, json),
        Verb::Config(_) => unreachable!("answered above: it needs no home"),
    }
}

/// Returns whether a selector names an instance, as the engine understands it: by its app's name,
/// else as `name/index`, else by its number, else all of them. `has_name`: an app is called like
/// the selector, and a name that looks like a number beats the number.
fn selects(selector: &str, instance: &InstanceView, has_name: bool) -> bool {
    if selector == "all" {
        return true;
    }
    if has_name {
        return instance.app == selector;
    }
    let replica = selector
        .rsplit_once('/')
        .is_some_and(|(app, index)| instance.app == app && index.parse() == Ok(instance.index));
    replica || selector.parse() == Ok(instance.id.number())
}

/// Returns the instances that a selector names.
///
/// # Errors
/// There is none; the nearest name is told.
fn select<'a>(apps: &'a [AppView], selector: &str) -> Result<Vec<&'a AppView>, Failure> {
    let has_name = apps.iter().any(|app| app.instance.app == selector);
    let chosen = apps.iter().filter(|app| selects(selector, &app.instance, has_name));
    let chosen: Vec<&AppView> = chosen.collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    Err(unknown(selector, apps.iter().map(|app| app.instance.app.as_str())))
}

/// Returns how to say that nothing is called that.
fn unknown<'a>(selector: &str, names: impl Iterator<Item = &'a str>) -> Failure {
    let error = format!("no app, and no id, is called `{selector}`");
    let help = match nearest(selector, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "`zelador list` shows what there is".to_owned(),
    };
    Failure::with_help(error, help)
}

/// How alike two names must be to be named as meant; 1 is equal. The engine uses the same.
const ALIKE: f64 = 0.8;

fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = names.map(|name| (strsim::jaro_winkler(name, word), name));
    let best = alike.filter(|(likeness, _)| *likeness > ALIKE);
    best.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_understood_as_the_engine_does() {
        let mut view: serde_json::Value = serde_json::json!({
            "id": 4, "app": "api", "index": 1, "name": "api/1", "goal": "up",
            "phase": { "phase": "stopped" }, "status": "stopped", "pid": null, "restarts": 0,
            "unstable_restarts": 0, "created_at": 0, "started_at": null, "usage": null,
            "health": null, "deaths": [], "backoff": null });
        let api: InstanceView = serde_json::from_value(view.clone()).unwrap();
        for selector in ["all", "4", "api/1"] {
            assert!(selects(selector, &api, false), "{selector}");
        }
        assert!(selects("api", &api, true));
        for selector in ["5", "api/0", "ap", "api/x", ""] {
            assert!(!selects(selector, &api, false), "{selector}");
        }
        view["app"] = "4".into();
        view["id"] = 0.into();
        let four: InstanceView = serde_json::from_value(view).unwrap();
        assert!(selects("4", &four, true), "by its name");
        assert!(!selects("4", &api, true), "the name beats the number");
    }
}
