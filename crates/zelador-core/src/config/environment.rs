//! The variables of an app: declared ones, and those of whoever gives the command.

use super::ecosystem::Context;
use super::node::{Key, Value};
use super::place::{Block, Place};
use crate::spec::{EnvFilter, Environment};

/// Returns `env`, then `env_NAME` when that name was asked for, then `port`.
pub(super) fn declared<'a>(
    app: &Block<'a>,
    env_blocks: &[(&'a Key, Place<'a>)],
    context: &Context,
) -> Environment {
    let mut env = app.get("env").map(variables).unwrap_or_default();
    let wanted = context.env_name.as_ref().map(|name| format!("env_{name}"));
    let mut found = false;
    for (key, place) in env_blocks {
        let block = variables(place);
        if wanted.as_ref() == Some(&key.name) {
            env.extend(block);
            found = true;
        }
    }
    if let Some(wanted) = wanted.filter(|_| !found) {
        let (position, field) = (app.place.node.position, &app.place.field);
        let text = format!("has no `{wanted}`: only `env` is used");
        app.place.report.note(position, field, text);
    }
    if let Some(port) = app.get("port").and_then(|place| place.whole(1..=65_535)) {
        env.insert("PORT".to_owned(), port.to_string());
    }
    env
}

/// The port on which the app listens, as far as its declaration says so.
pub fn port(env: &Environment) -> Option<u16> {
    env.get("PORT").and_then(|port| port.trim().parse().ok()).filter(|port| *port > 0)
}

/// Numbers and flags become text, objects JSON; null means that the file does not set it.
fn variables(place: &Place<'_>) -> Environment {
    let mut env = Environment::new();
    if let Value::Text(_) = &place.node.value {
        // PM2's schema allows text here too.
        for word in place.words().unwrap_or_default() {
            match word.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    env.insert(name.to_owned(), value.to_owned());
                }
                _ => {
                    place.refuse::<()>("an object with variables, or text like `A=1 B=2`");
                }
            }
        }
        return env;
    }
    let Some(entries) = place.entries() else {
        place.refuse::<()>("an object with variables");
        return env;
    };
    for (key, place) in entries {
        if key.name.is_empty() || key.name.contains(['=', '\0']) {
            place.refuse_found::<()>("this name", "a name without `=` and NUL");
            continue;
        }
        let value = match &place.node.value {
            Value::Null => continue,
            Value::Text(text) if text.contains('\0') => {
                place.refuse_found::<()>("a NUL character", "text without NUL characters");
                continue;
            }
            Value::Text(text) => text.clone(),
            other => other.to_string(),
        };
        env.insert(key.name.clone(), value);
    }
    env
}

/// Returns which variables of whoever gives the command are taken away: all with `true`, those
/// whose name contains an entry of a list, the one that a text names.
pub(super) fn filter(app: &Block<'_>) -> EnvFilter {
    let Some(place) = app.get("filter_env") else { return EnvFilter::None };
    match &place.node.value {
        Value::Bool(false) => EnvFilter::None,
        Value::Bool(true) => EnvFilter::All,
        Value::Text(exact) => EnvFilter::Exactly(exact.clone()),
        Value::List(_) => EnvFilter::Containing(place.words().unwrap_or_default()),
        _ => {
            place.refuse::<()>("true, false, the name of a variable, or a list of parts of names");
            EnvFilter::None
        }
    }
}

/// Returns the variable that counts the replicas; `lenient`: one that counts nothing is a note.
pub(super) fn counted(app: &Block<'_>, env: &Environment, lenient: bool) -> Option<String> {
    let place = app.get("increment_var")?;
    let name = variable_name(place)?;
    let found = match env.get(&name).map(|value| value.trim().parse::<i64>()) {
        Some(Ok(_)) => return Some(name),
        Some(Err(_)) => format!("`{name}`, whose value is no whole number"),
        None => format!("`{name}`, which `env` does not have"),
    };
    if lenient {
        place.note(format!("found {found}: it counts nothing"));
        return Some(name);
    }
    place.refuse_found(found, "the name of a variable of `env` with a whole number")
}

/// Text that can be the name of a variable.
pub(super) fn variable_name(place: &Place<'_>) -> Option<String> {
    match place.text()? {
        name if name.contains('=') => place.refuse("the name of an environment variable"),
        name => Some(name),
    }
}

/// True if the app asks for PM2's cluster mode.
pub(super) fn wants_cluster(app: &Block<'_>) -> bool {
    let mode = app.get("exec_mode").map(|place| &place.node.value);
    matches!(mode, Some(Value::Text(mode)) if mode.starts_with("cluster"))
}
