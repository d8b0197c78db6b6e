//! The health check of an app.
//!
//! Defaults: how often and how patiently comes from the settings; slow is 1 s; nothing is asked
//! before a run is 5 s old, so that a start is not counted as a failure; a restart by the healer
//! has 30 s to help.

use std::time::Duration;

use super::fields::{HEALTH, PROBES};
use super::overlay::CadenceOverlay;
use super::place::{Block, Place};
use super::probe::{self, Around};
use crate::spec::{Cadence, HealthSpec, ProbesSpec};
use crate::unit::SECOND;

/// An answer that takes longer is degraded, if nothing else is said.
const SLOW: Duration = SECOND;
/// Nothing is asked of a run before this age, if nothing else is said.
const START_PERIOD: Duration = Duration::from_secs(5);
/// How long a restart by the healer has, if nothing else is said.
const VERIFY_WITHIN: Duration = Duration::from_secs(30);

/// Returns the health check that is declared, if one is.
fn check(place: &Place<'_>, around: &Around<'_>, inherited: Cadence) -> Option<HealthSpec> {
    if place.is_false() {
        return None;
    }
    let block = place.block("a health check", HEALTH)?;
    if let Some(place) = block.get("breaker") {
        place.refuse::<()>(
            "this field only in a database or a check with a name: the breaker of an app is that of its \
             starts, `max_restarts` and `half_open_after`",
        );
    }
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
    let (probe, limits) = probe::target(&block, around)?;
    Some(HealthSpec {
        probe,
        cadence,
        slow,
        start_period: span("start_period", START_PERIOD),
        verify_within: span("verify_within", VERIFY_WITHIN),
        limits,
    })
}

/// Returns the health check of an app, under whatever name, and sets what is asked beside it.
pub(super) fn all(
    app: &Block<'_>,
    around: &Around<'_>,
    inherited: Cadence,
    beside: &mut ProbesSpec,
) -> Option<HealthSpec> {
    let health = app.get("health").and_then(|place| check(place, around, inherited));
    let Some(place) = app.get("probes") else { return health };
    let probes = probes(place, around, inherited);
    *beside = probes.spec;
    if health.is_some() && probes.liveness.is_some() {
        place.refuse_found::<()>("`liveness` beside `health`", "one of them: they are the same");
    }
    health.or(probes.liveness)
}

/// Returns the probes that are declared, as Kubernetes names them. `liveness` is the health check
/// under another name.
fn probes(place: &Place<'_>, around: &Around<'_>, inherited: Cadence) -> Probes {
    let Some(block) = place.block("probes", PROBES) else { return Probes::default() };
    let probe = |name| block.get(name).and_then(|place| check(place, around, inherited));
    let startup = probe("startup");
    let at_once = |spec: HealthSpec, declared: Option<&Place<'_>>| {
        let delayed = declared.and_then(Place::entries).is_some_and(|fields| {
            fields.iter().any(|(key, _)| DELAYS.contains(&key.name.as_str()))
        });
        // Nothing to wait for where a startup probe has waited, or is the one that waits.
        let start_period = if delayed { spec.start_period } else { Duration::ZERO };
        HealthSpec { start_period, ..spec }
    };
    let startup = startup.map(|spec| at_once(spec, block.get("startup")));
    let readiness = probe("readiness").map(|spec| at_once(spec, block.get("readiness")));
    let waits = startup.is_some();
    let liveness = probe("liveness")
        .map(|spec| if waits { at_once(spec, block.get("liveness")) } else { spec });
    Probes { spec: ProbesSpec { startup, readiness }, liveness }
}

/// How the delay before the first look may be written.
const DELAYS: [&str; 4] = ["start_period", "startPeriod", "initial_delay", "initialDelay"];

/// The probes of an app.
#[derive(Default)]
struct Probes {
    /// Startup and readiness.
    spec: ProbesSpec,
    /// What stands for the health check.
    liveness: Option<HealthSpec>,
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
