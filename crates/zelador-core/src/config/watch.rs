//! Which changes of files restart the app: `watch`, `ignore_watch`, `watch_delay`, `watch_options`.

use std::time::Duration;

use super::names::Names;
use super::node::Value;
use super::place::{Block, Place};
use crate::watch::WatchSpec;

/// The options that act; chokidar, which PM2 hands them to, knows more.
const OPTIONS: &[Names] =
    &[("follow_symlinks", &[]), ("use_polling", &[]), ("interval", &[]), ("ignored", &[])];

/// chokidar's options that ask for what is so anyway, or for nothing that one can miss.
const NEEDLESS: [&str; 8] = [
    "persistent",
    "ignoreInitial",
    "awaitWriteFinish",
    "atomic",
    "binaryInterval",
    "alwaysStat",
    "ignorePermissionErrors",
    "useFsEvents",
];

/// How often is looked with `usePolling`: chokidar looks ten times a second, which costs.
const POLLING: Duration = Duration::from_secs(1);
/// Looking at a whole tree more often than this is a load by itself.
const SHORTEST_POLLING: Duration = Duration::from_millis(100);

pub(super) fn check(app: &Block<'_>) -> WatchSpec {
    let mut spec = WatchSpec::default();
    if let Some(place) = app.get("watch") {
        (spec.on, spec.paths) = paths(place);
    }
    spec.ignore = app.get("ignore_watch").map(patterns).unwrap_or_default();
    let delay = app.get("watch_delay").and_then(|place| place.span(Duration::ZERO));
    spec.delay = delay.unwrap_or_default();
    if let Some(place) = app.get("watch_options") {
        options(place, &mut spec);
    }
    spec
}

fn paths(place: &Place<'_>) -> (bool, Vec<String>) {
    match &place.node.value {
        Value::Bool(on) => (*on, Vec::new()),
        Value::Text(text) if text == "true" => (true, Vec::new()),
        Value::Text(text) if text == "false" || text.trim().is_empty() => (false, Vec::new()),
        Value::Text(_) | Value::List(_) => {
            let paths = patterns(place);
            (!paths.is_empty(), paths)
        }
        _ => place.refuse("true, false, a path, or a list of paths").unwrap_or_default(),
    }
}

/// A list of patterns; a text is split at blanks. `false` and an empty text are none.
fn patterns(place: &Place<'_>) -> Vec<String> {
    if place.is_false() {
        return Vec::new();
    }
    // A backslash belongs to a pattern, so the words are not those of a shell.
    let found = match &place.node.value {
        Value::Text(text) => {
            place.without_nul(text).map(|text| text.split_whitespace().map(str::to_owned).collect())
        }
        _ => place.words(),
    };
    let mut found: Vec<String> = found.unwrap_or_default();
    found.retain(|pattern| !pattern.trim().is_empty());
    found
}

fn options(place: &Place<'_>, spec: &mut WatchSpec) {
    if place.is_false() {
        return;
    }
    let other = |key: &super::node::Key, place: &Place<'_>| {
        if !NEEDLESS.contains(&key.name.as_str()) {
            place.note("has no effect here");
        }
        true
    };
    let Some(options) = place.block_with("`watch_options`", OPTIONS, other) else { return };
    let flag = |name: &str| options.get(name).and_then(Place::flag);
    spec.follow_symlinks = flag("follow_symlinks").unwrap_or(true);
    let interval = options.get("interval").and_then(|place| place.span(SHORTEST_POLLING));
    if flag("use_polling").unwrap_or(false) {
        spec.polling = Some(interval.unwrap_or(POLLING));
    }
    if let Some(place) = options.get("ignored") {
        spec.ignore.extend(patterns(place));
    }
}
