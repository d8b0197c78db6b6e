//! `mounts` of `disk` and `inodes`: thresholds of one file system each, by where it is mounted.

use std::collections::BTreeSet;

use super::fields::THRESHOLDS;
use super::measured::is_auto;
use super::node::{Key, Value};
use super::place::Place;
use crate::spec::Limit;
use crate::unit::Percent;

/// Returns a limit a mount; what is not said is as of all others, `common`. Where `learns`, `degraded`
/// may be `auto`.
pub(super) fn limits(place: &Place<'_>, common: &Limit, learns: bool) -> Vec<Limit> {
    let Some(entries) = place.entries() else {
        return place.refuse(ALLOWED).unwrap_or_default();
    };
    let mut seen = BTreeSet::new();
    let mut limits = Vec::new();
    for (key, place) in entries {
        let Some(mount) = mount(key, &place) else { continue };
        if !seen.insert(mount.clone()) {
            place.refuse_found::<()>(format!("`{mount}` a second time"), "each mount once");
            continue;
        }
        limits.extend(limit(&place, Limit { measure: mount, ..common.clone() }, learns));
    }
    limits
}

const ALLOWED: &str = "an object like `{ '/var': { degraded: 90, unhealthy: 95 } }`";

/// Where it is mounted, as the kernel writes that: without a slash at its end.
fn mount(key: &Key, place: &Place<'_>) -> Option<String> {
    const ALLOWED: &str = "the absolute path at which a file system is mounted, like `/var`";
    let is_path = key.name.starts_with('/') && !key.name.chars().any(char::is_control);
    let mut parts = key.name.split('/');
    if !is_path || parts.any(|part| part == "." || part == "..") {
        return place.refuse_found(format!("{:?}", key.name), ALLOWED);
    }
    let parts: Vec<&str> = key.name.split('/').filter(|part| !part.is_empty()).collect();
    Some(format!("/{}", parts.join("/")))
}

fn limit(place: &Place<'_>, common: Limit, learns: bool) -> Option<Limit> {
    if place.is_false() {
        // It is told, and never bad.
        return Some(Limit { degraded: None, unhealthy: None, auto: false, ..common });
    }
    if !matches!(place.node.value, Value::Table(_)) {
        return place.refuse("`{ degraded: 90, unhealthy: 95 }`, or false");
    }
    let block = place.block("the thresholds of a mount", THRESHOLDS)?;
    let share = |name: &str, default: Option<f64>| match block.get(name) {
        Some(place) => match place.number().and_then(Percent::new) {
            Some(percent) => Some(percent.value()),
            None => place.refuse("a share from 0 to 100"),
        },
        None => default,
    };
    let said = block.get("degraded");
    let auto = match said {
        Some(place) => learns && is_auto(place),
        None => common.auto,
    };
    let unhealthy = share("unhealthy", common.unhealthy);
    let margin = share("margin", Some(common.margin));
    let inherited = common.degraded.zip(unhealthy).map(|(degraded, most)| degraded.min(most));
    let degraded = match said {
        // What is usual of it is learnt: up to its own end, as of all others.
        _ if auto => unhealthy,
        Some(_) => share("degraded", None),
        None => inherited,
    };
    let (degraded, unhealthy, margin) = (degraded?, unhealthy?, margin?);
    if degraded > unhealthy {
        return said?.refuse(format!("at most `unhealthy`, {unhealthy}"));
    }
    Some(Limit { degraded: Some(degraded), unhealthy: Some(unhealthy), margin, auto, ..common })
}
