//! The health check of an app.
//!
//! Defaults: how often and how patiently comes from the settings; slow is 1 s; nothing is asked
//! before a run is 5 s old, so that a start is not counted as a failure; a restart by the healer
//! has 30 s to help.

use std::time::Duration;

use super::environment;
use super::fields::HEALTH;
use super::node::Value;
use super::overlay::CadenceOverlay;
use super::place::{Block, Place};
use crate::spec::{Cadence, Environment, HealthSpec, ProbeTarget};
use crate::unit::SECOND;

/// An answer that takes longer is degraded, if nothing else is said.
const SLOW: Duration = SECOND;
/// Nothing is asked of a run before this age, if nothing else is said.
const START_PERIOD: Duration = Duration::from_secs(5);
/// How long a restart by the healer has, if nothing else is said.
const VERIFY_WITHIN: Duration = Duration::from_secs(30);
/// What Kubernetes takes as healthy.
const STATUS: (u16, u16) = (200, 399);

/// Returns the health check that is declared, if one is.
pub(super) fn check(
    place: &Place<'_>,
    env: &Environment,
    inherited: Cadence,
) -> Option<HealthSpec> {
    if place.is_false() {
        return None;
    }
    let block = place.block("a health check", HEALTH)?;
    let cadence = CadenceOverlay::check(&block).over(inherited);
    let span = |name: &str, default| {
        block.get(name).and_then(|place| place.span(Duration::ZERO)).unwrap_or(default)
    };
    let slow = match block.get("slow") {
        None => SLOW.min(cadence.timeout),
        Some(place) => match place.span(Duration::from_millis(1))? {
            slow if slow > cadence.timeout => {
                let timeout = crate::unit::spoken(cadence.timeout);
                return place.refuse(format!("at most the timeout, {timeout}"));
            }
            slow => slow,
        },
    };
    let probe = match (block.get("http"), block.get("tcp")) {
        (Some(http), None) => http_target(&block, http, env),
        (None, Some(tcp)) => tcp_target(&block, tcp),
        (Some(_), Some(tcp)) => tcp.refuse("either `http` or `tcp`, not both"),
        (None, None) => place.refuse_found("neither `http` nor `tcp`", "one of them"),
    };
    Some(HealthSpec {
        probe: probe?,
        cadence,
        slow,
        start_period: span("start_period", START_PERIOD),
        verify_within: span("verify_within", VERIFY_WITHIN),
    })
}

fn http_target(block: &Block<'_>, place: &Place<'_>, env: &Environment) -> Option<ProbeTarget> {
    const ALLOWED: &str =
        "a URL like `http://127.0.0.1:3000/health`, or a path like `/health` with `port`";
    let status = block.get("status").map_or(Some(STATUS), status);
    let contains = block.get("contains").map(Place::text);
    let text = place.text()?;
    let url = if text.starts_with('/') {
        let Some(port) = environment::port(env) else {
            return place.refuse_with_help(
                "a path only beside `port` or `env.PORT`",
                "set `port`, or write the whole URL",
            );
        };
        format!("http://127.0.0.1:{port}{text}")
    } else {
        text
    };
    if url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
        return place.refuse_with_help(
            "a URL that begins with `http://`",
            "https is not supported yet: ask the app itself on its plain port",
        );
    }
    let Some((scheme, rest)) = url.split_at_checked(7) else { return place.refuse(ALLOWED) };
    let printable = url.chars().all(|c| c.is_ascii_graphic());
    if !scheme.eq_ignore_ascii_case("http://") || !printable || url.contains('#') {
        return place.refuse(ALLOWED);
    }
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    if authority.contains('@') {
        return place.refuse("a URL without user and password");
    }
    if !is_authority(authority, false) {
        return place.refuse(ALLOWED);
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = format!("http://{authority}{slash}{path}");
    let contains = match contains {
        Some(None) => return None,
        Some(text) => text,
        None => None,
    };
    Some(ProbeTarget::Http { url, status: status?, contains })
}

fn tcp_target(block: &Block<'_>, place: &Place<'_>) -> Option<ProbeTarget> {
    for name in ["status", "contains"] {
        if let Some(place) = block.get(name) {
            place.refuse::<()>("this field only beside `http`");
        }
    }
    let text = place.text_or_number()?;
    let text = text.trim();
    let address = match text.strip_prefix(':').unwrap_or(text) {
        port if port.chars().all(|c| c.is_ascii_digit()) => format!("127.0.0.1:{port}"),
        _ => text.to_owned(),
    };
    if !is_authority(&address, true) {
        return place.refuse("`host:port`, or a port");
    }
    Some(ProbeTarget::Tcp { address })
}

/// True for `host:port`, and for `host` alone where a port need not be given. An IPv6 address
/// stands in brackets.
pub(super) fn is_authority(text: &str, with_port: bool) -> bool {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host_is_right, port) = if let Some((host, port)) = bracketed {
        (host.parse::<std::net::Ipv6Addr>().is_ok(), port)
    } else {
        let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        let letter = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        (!host.is_empty() && host.chars().all(letter), port)
    };
    let port_is_right = match port.strip_prefix(':') {
        Some(number) => number.parse::<u16>().is_ok_and(|number| number > 0),
        None => port.is_empty() && !with_port,
    };
    host_is_right && port_is_right
}

/// One status, or `200-399`.
fn status(place: &Place<'_>) -> Option<(u16, u16)> {
    let range = match &place.node.value {
        Value::Text(text) => text.split_once('-').map_or_else(
            || Some((text.trim().parse().ok()?, text.trim().parse().ok()?)),
            |(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)),
        ),
        Value::Number(number) if number.fract() == 0.0 => Some((*number as u16, *number as u16)),
        _ => None,
    };
    match range {
        Some((low, high)) if 100 <= low && low <= high && high <= 599 => Some((low, high)),
        _ => place.refuse("a status from 100 to 599, or a range like `200-399`"),
    }
}
