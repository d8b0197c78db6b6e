//! `heartbeat`: the ping outward.

use std::path::Path;
use std::time::Duration;

use super::fields::PULSE;
use super::node::Value;
use super::notify::kept_elsewhere;
use super::overlay::Switch;
use super::place::{Block, Place};
use crate::spec::{PulseAddress, PulseSpec};
use crate::unit::SECOND;

/// How often, if nothing else is said: healthchecks.io's shortest period is a minute.
const INTERVAL: Duration = Duration::from_mins(1);

/// How long a ping may take, if nothing else is said: `curl -m 10` in the examples of healthchecks.io.
const TIMEOUT: Duration = Duration::from_secs(10);

const ALLOWED: &str = "an address like `https://hc-ping.com/…`, an object with `url`, or false";

/// Returns what is said: an address, an object, or `false`.
pub(super) fn check(place: &Place<'_>, folder: &Path) -> Option<Switch<PulseSpec>> {
    let plain = PulseSpec {
        to: PulseAddress::Url(String::new()),
        interval: INTERVAL,
        timeout: TIMEOUT,
        fail: false,
    };
    if place.is_false() {
        return Some(Switch::Off);
    }
    if matches!(place.node.value, Value::Text(_)) {
        return Some(Switch::On(PulseSpec { to: PulseAddress::Url(url(place)?), ..plain }));
    }
    if !matches!(place.node.value, Value::Table(_)) {
        return place.refuse(ALLOWED);
    }
    let block = place.block("`heartbeat`", PULSE)?;
    let span = |name: &str, default| match block.get(name) {
        Some(place) => place.span(SECOND),
        None => Some(default),
    };
    let (interval, timeout) = (span("interval", INTERVAL), span("timeout", TIMEOUT));
    let fail = block.get("fail").map_or(Some(false), Place::flag);
    Some(Switch::On(PulseSpec {
        to: address(&block, folder)?,
        interval: interval?,
        timeout: timeout?,
        fail: fail?,
    }))
}

fn address(block: &Block<'_>, folder: &Path) -> Option<PulseAddress> {
    match (block.get("url"), kept_elsewhere(block, folder, "url")?) {
        (Some(place), None) => Some(PulseAddress::Url(url(place)?)),
        (None, Some(secret)) => Some(PulseAddress::Secret(secret)),
        (Some(place), Some(_)) => place.refuse_found("both", "`url`, `url_env` or `url_file`"),
        (None, None) => block.place.refuse_found("no `url`", ALLOWED),
    }
}

/// What is wrong is not repeated: whoever knows the address can ping in zelador's place.
fn url(place: &Place<'_>) -> Option<String> {
    let text = place.text()?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits = |rest: &str| {
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        !host.is_empty()
            && !host.contains('@')
            && rest.chars().all(|c| c.is_ascii_graphic() && c != '#')
    };
    if rest.is_some_and(fits) {
        return Some(text);
    }
    place.refuse_found("something else", "an address like `https://hc-ping.com/…`")
}
