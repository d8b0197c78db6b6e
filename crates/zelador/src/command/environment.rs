//! `env`: the environment that an app is given.

use std::process::ExitCode;

use zelador_api::route;
use zelador_api::spec::Environment;

use super::{Context, select};
use crate::failure::Failure;
use crate::output;
use crate::render::text;

/// Prints the environment of the first instance that a selector names: `NAME: value` lines.
pub fn env(context: &Context, selector: &str, show_secrets: bool) -> Result<ExitCode, Failure> {
    let apps = context.engine.apps()?;
    let chosen = select(&apps, selector)?;
    let Some(first) = chosen.first() else { return Err(Failure::new("there is no app")) };
    let id = first.instance.id;
    let secrets = if show_secrets { "?secrets=true" } else { "" };
    let path = format!("{}/{id}{secrets}", route::ENVIRONMENT);
    let env: Environment = context.engine.get(&path)?;
    let line = |(name, value): (&String, &String)| {
        format!("{}: {}\n", text::plain(name), text::plain(value))
    };
    output::answer(&env.iter().map(line).collect::<String>())?;
    let apps: std::collections::BTreeSet<&str> =
        chosen.iter().map(|app| app.instance.app.as_str()).collect();
    if apps.len() > 1 {
        let name = &first.instance.name;
        output::note(&format!("this is the environment of {name}: `{selector}` names others too"));
    }
    Ok(ExitCode::SUCCESS)
}
