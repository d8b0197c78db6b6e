//! Limits to what a probe measures.

use std::time::Duration;

use super::fields::LIMIT;
use super::node::Value;
use super::place::{Block, Place};
use crate::spec::Limit;

/// `limits: { connections: { degraded: 80, unhealthy: 95 } }`.
pub(super) fn limits(block: &Block<'_>) -> Vec<Limit> {
    let Some(place) = block.get("limits") else { return Vec::new() };
    let Some(entries) = place.entries() else {
        place.refuse::<()>("an object like `{ connections: { degraded: 80, unhealthy: 95 } }`");
        return Vec::new();
    };
    let read = |(name, place): (String, Place<'_>)| {
        if is_auto(&place) {
            let (degraded, unhealthy, below, margin) = (None, None, false, 0.0);
            return Some(Limit { measure: name, degraded, unhealthy, below, margin, auto: true });
        }
        let block = place.block("a limit", LIMIT)?;
        let auto = block.get("degraded").is_some_and(is_auto);
        let number = |name: &str| match block.get(name).filter(|place| !is_auto(place)) {
            Some(place) => match amount(place) {
                Some(number) => Some(number),
                None => place.refuse("a number, a time span or an amount"),
            },
            None => None,
        };
        let (degraded, unhealthy) = (number("degraded"), number("unhealthy"));
        if let Some(place) = block.get("unhealthy").filter(|place| is_auto(place)) {
            return place.refuse("a number: what is unhealthy is not learnt");
        }
        if degraded.is_none() && unhealthy.is_none() && !auto {
            return place.refuse_found("no limit", "`degraded`, `unhealthy` or both");
        }
        let below = block.get("below").and_then(Place::flag).unwrap_or_default();
        let margin = number("margin").unwrap_or_default();
        Some(Limit { measure: name, degraded, unhealthy, below, margin, auto })
    };
    let named = entries.into_iter().map(|(key, place)| (key.name.clone(), place));
    named.filter_map(read).collect()
}

/// Whether the limit is to be learnt.
pub(super) fn is_auto(place: &Place<'_>) -> bool {
    matches!(&place.node.value, Value::Text(text) if text.trim() == "auto")
}

/// A number, a time span in seconds, or an amount in bytes.
fn amount(place: &Place<'_>) -> Option<f64> {
    if let Some(number) = place.number() {
        return Some(number);
    }
    let Value::Text(text) = &place.node.value else { return None };
    let span = super::amount::span(text).as_ref().map(Duration::as_secs_f64);
    // `5m` is five minutes, `500M` five hundred mebibytes.
    let size = || super::amount::size(text).map(|size| size.bytes() as f64);
    if text.trim_end().ends_with('M') { size() } else { span.or_else(size) }
}

pub(super) fn own_limit(
    block: &Block<'_>,
    measure: &str,
    below: bool,
    default: (f64, f64),
) -> Limit {
    let number = |name: &str, default| match block.get(name) {
        Some(place) => match place.number() {
            Some(number) => Some(number),
            None => place.refuse("a number"),
        },
        None => Some(default),
    };
    Limit {
        measure: measure.to_owned(),
        degraded: number("degraded", default.0),
        unhealthy: number("unhealthy", default.1),
        below,
        margin: 0.0,
        auto: false,
    }
}
