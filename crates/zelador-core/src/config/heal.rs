//! What the healer may do to an app: `heal` and `hooks`.

use std::collections::BTreeMap;
use std::path::Path;

use super::fields::{CEILINGS, COMMAND, HEAL, HOOKS, RETRY};
use super::node::Value;
use super::place::{Block, Place};
use super::resilience;
use crate::diagnosis::Cause;
use crate::healing::raise::Bound;
use crate::signal::Signal;
use crate::spec::{HOOK_WITHIN, HealCommand, HealMode, HealSpec, Hook, Hooks, QuietHours};
use crate::unit::{ByteSize, SECOND};
use crate::watch::absolute;

/// What a command of the healer may be told.
const PARAMETERS: [&str; 4] = ["{app}", "{instance}", "{pid}", "{port}"];

/// Returns what is declared; the rest is as by default.
pub(super) fn check(app: &Block<'_>, cwd: &Path) -> HealSpec {
    let mut spec = HealSpec::default();
    if let Some(hooks) = app.get("hooks").and_then(hooks) {
        spec.hooks = hooks;
    }
    let Some(place) = app.get("heal") else { return spec };
    if !matches!(place.node.value, Value::Table(_)) {
        spec.mode = mode(place).unwrap_or_default();
        return spec;
    }
    let Some(block) = place.block("what the healer may do", HEAL) else { return spec };
    spec.mode = block.get("mode").and_then(mode).unwrap_or_default();
    spec.quiet = block.get("quiet_hours").and_then(quiet);
    if let Some(span) = block.get("approve_within").and_then(|place| place.span(SECOND)) {
        spec.approve_within = span;
    }
    let most = block.get("max_instances").and_then(|place| place.whole(1..=1024));
    spec.most_instances = most.map(|most| most as u32);
    if let Some(place) = block.get("ceilings") {
        spec.ceilings = ceilings(place);
    }
    if let Some(place) = block.get("cache_folders") {
        let caches = place.words().unwrap_or_default();
        spec.caches =
            caches.iter().filter(|it| !it.is_empty()).map(|it| absolute(cwd, it)).collect();
        if let Some(wide) = spec.caches.iter().find(|it| it.components().count() < 3) {
            place.refuse_found::<()>(
                format!("`{}`", wide.display()),
                "folders that hold nothing but a cache, at least two levels below the root",
            );
        }
    }
    if let Some(place) = block.get("commands") {
        spec.commands = commands(place);
    }
    let retry = block.get("retry").and_then(|place| resilience::retry(place, RETRY));
    spec.retry = retry.unwrap_or_default();
    spec.breaker = block.get("breaker").and_then(resilience::breaker).unwrap_or_default();
    spec
}

fn mode(place: &Place<'_>) -> Option<HealMode> {
    match &place.node.value {
        Value::Bool(true) => Some(HealMode::Heal),
        Value::Bool(false) => Some(HealMode::Observe),
        Value::Text(text) if text == "heal" => Some(HealMode::Heal),
        Value::Text(text) if text == "ask" => Some(HealMode::Ask),
        Value::Text(text) if text == "observe" => Some(HealMode::Observe),
        _ => place.refuse("`observe`, `ask` or `heal`"),
    }
}

fn ceilings(place: &Place<'_>) -> BTreeMap<Bound, u64> {
    let Some(block) = place.block("ceilings", CEILINGS) else { return BTreeMap::new() };
    let size = |name: &str| block.get(name).and_then(Place::size).map(ByteSize::bytes);
    let number = |name: &str| block.get(name).and_then(|it| it.whole(1..=1 << 30));
    let number = |name: &str| number(name).and_then(|number| u64::try_from(number).ok());
    let all = [
        (Bound::Heap, size("heap")),
        (Bound::Memory, size("memory")),
        (Bound::OpenFiles, number("open_files")),
        (Bound::Processes, number("processes")),
    ];
    all.into_iter().filter_map(|(limit, most)| Some((limit, most?))).collect()
}

fn quiet(place: &Place<'_>) -> Option<QuietHours> {
    match QuietHours::parse(&place.text()?) {
        Some(hours) => Some(hours),
        None => place.refuse("hours like `22:00-06:00`"),
    }
}

fn hooks(place: &Place<'_>) -> Option<Hooks> {
    let block = place.block("hooks", HOOKS)?;
    let hook = |name: &str| block.get(name).filter(|place| !place.is_false()).and_then(hook);
    // What every runtime of a kind can do by itself.
    let by_runtime = block.get("gc").is_some_and(|place| place.node.value == Value::Bool(true));
    let is_off = block.get("gc").is_some_and(Place::is_false);
    let gc = match (by_runtime, is_off) {
        (true, _) => Some(Hook::Runtime),
        (_, true) => Some(Hook::Off),
        _ => hook("gc"),
    };
    Some(Hooks { gc, clear_cache: hook("clear_cache"), reconnect: hook("reconnect") })
}

/// `SIGUSR2` is a signal; everything else is a command line.
fn hook(place: &Place<'_>) -> Option<Hook> {
    const ALLOWED: &str = "a signal that the app handles, like `SIGUSR2`, or a command line";
    let text = place.text()?;
    let text = text.trim();
    let is_word = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '-');
    if text.starts_with("SIG") && is_word {
        let signal = Signal::parse(text).filter(|it| *it != Signal::KILL && text != "SIGSTOP");
        return match signal {
            Some(signal) => Some(Hook::Signal(signal)),
            None => place.refuse(ALLOWED),
        };
    }
    if text.is_empty() {
        return place.refuse(ALLOWED);
    }
    Some(Hook::Command(place.without_nul(text)?))
}

fn commands(place: &Place<'_>) -> BTreeMap<String, HealCommand> {
    let entries = place.entries().unwrap_or_default().into_iter();
    entries.filter_map(|(key, place)| Some((key.name.clone(), command(&place)?))).collect()
}

fn command(place: &Place<'_>) -> Option<HealCommand> {
    let block = place.block("a command of the healer", COMMAND)?;
    let (Some(run), Some(when)) = (block.get("run"), block.get("when")) else {
        return place.refuse_found(
            "`run` or `when` missing",
            "`run`, the program and its arguments, and `when`, the causes it is for",
        );
    };
    let words = run.words()?;
    if words.first().is_none_or(String::is_empty) {
        return run.refuse("a program and its arguments, as a list");
    }
    for word in &words {
        let opens = word.find('{').map(|at| &word[at..]);
        let unknown = opens.filter(|it| !PARAMETERS.iter().any(|known| it.starts_with(known)));
        if let Some(unknown) = unknown {
            return run.refuse_found(
                format!("`{unknown}`"),
                "`{app}`, `{instance}`, `{pid}` and `{port}` in braces, and nothing else",
            );
        }
    }
    let when = when.words()?.iter().map(|word| cause(when, word)).collect::<Option<_>>()?;
    let timeout = block.get("timeout").and_then(|place| place.span(SECOND));
    Some(HealCommand { run: words, when, timeout: timeout.unwrap_or(HOOK_WITHIN) })
}

fn cause(place: &Place<'_>, word: &str) -> Option<Cause> {
    match serde_json::from_value(serde_json::Value::String(word.to_owned())) {
        Ok(cause) => Some(cause),
        Err(_) => place.refuse_found(
            format!("`{word}`"),
            "causes like `deadlock_or_hang` or `db_too_many_connections`",
        ),
    }
}
