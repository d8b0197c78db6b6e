//! The checks with a name: properties of the host that are looked at on request, and whatever else
//! can be asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::fields::{HEALTH, INODE_THRESHOLDS, THRESHOLDS};
use super::names::Names;
use super::node::Value;
use super::overlay::{CadenceOverlay, NamedOverlay};
use super::place::{Block, Place};
use super::probe::{self, Around, KINDS};
use super::resilience;
use super::{mounts, pressure};
use crate::spec::{BreakerChange, Environment, HostMeter, INODES, Limit, MARGIN, NamedTarget};

/// Whether this is a check: an object that says what is asked, or `false`.
pub(super) fn is_check(place: &Place<'_>) -> bool {
    let asks = |name: &str| {
        let names = |(kind, _): &(&str, _)| super::names::canonical(name, HEALTH) == Some(*kind);
        KINDS.iter().any(names)
    };
    place.entries().is_some_and(|fields| fields.iter().any(|(key, _)| asks(&key.name)))
}

/// The properties of the host with the limits that hold if nothing else is said. Swap: a host that
/// swaps is slow long before it is full. Inodes: as disks. Descriptors: the kernel refuses at 100 %.
/// Load: for each core, of one minute. Clock: certificates and tokens bear a second or so.
const METERS: [(&str, HostMeter, f64, f64); 5] = [
    ("swap", HostMeter::Swap, 50.0, 90.0),
    (INODES, HostMeter::Inodes, 80.0, 90.0),
    ("descriptors", HostMeter::Descriptors, 80.0, 90.0),
    ("load", HostMeter::Load, 2.0, 5.0),
    ("clock", HostMeter::Clock, 1.0, 10.0),
];

/// Returns the checks with a name; `named` are those that users named.
pub(super) fn checks(
    block: &Block<'_>,
    named: Vec<(String, Place<'_>)>,
    folder: &Path,
) -> BTreeMap<String, Option<Box<NamedOverlay>>> {
    let mut checks = BTreeMap::new();
    for (name, meter, degraded, unhealthy) in METERS {
        let Some(place) = block.get(name) else { continue };
        let margin = if matches!(meter, HostMeter::Load | HostMeter::Clock) { 0.0 } else { MARGIN };
        let defaults = (degraded, unhealthy, margin);
        let limits = match meter {
            HostMeter::Inodes => inodes(place, defaults),
            _ => limit(place, name, defaults).map(|limit| vec![limit]),
        };
        let overlay = limits.map(|limits| meter_check(meter, limits)).map(Box::new);
        checks.insert(name.to_owned(), overlay);
    }
    if let Some(place) = block.get("network") {
        let interfaces = if place.is_false() { Some(Vec::new()) } else { place.words() };
        for name in interfaces.unwrap_or_default() {
            // A healthy line loses nothing; one frame a second is a cable to look at.
            let limit = Limit {
                measure: "errors".to_owned(),
                degraded: Some(60.0),
                unhealthy: None,
                below: false,
                margin: 0.0,
                auto: false,
            };
            let check = meter_check(HostMeter::Network(name.clone()), vec![limit]);
            checks.insert(format!("network {name}"), Some(Box::new(check)));
        }
    }
    if let Some(place) = block.get("pressure") {
        for (resource, limits) in pressure::limits(place) {
            let overlay = limits.map(|limits| meter_check(HostMeter::Pressure(resource), limits));
            checks.insert(format!("pressure {}", resource.word()), overlay.map(Box::new));
        }
    }
    for (name, place) in named {
        if name.trim().is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
            place.refuse_found::<()>("this name", "a printable name of at most 100 bytes");
            continue;
        }
        checks.insert(name, check(&place, folder).map(Box::new));
    }
    checks
}

fn meter_check(meter: HostMeter, limits: Vec<Limit>) -> NamedOverlay {
    NamedOverlay {
        target: NamedTarget::Host(meter),
        slow: None,
        cadence: CadenceOverlay::default(),
        limits,
        breaker: BreakerChange::default(),
    }
}

/// The limit of all file systems, and those of single ones.
fn inodes(place: &Place<'_>, defaults: (f64, f64, f64)) -> Option<Vec<Limit>> {
    let (common, mounts) = limit_and(place, INODES, defaults, INODE_THRESHOLDS)?;
    let mounts = mounts.map(|place| mounts::limits(&place, &common, false)).unwrap_or_default();
    Some([vec![common], mounts].concat())
}

/// `true`, `false`, or `{ degraded, unhealthy, margin }`.
pub(super) fn limit(place: &Place<'_>, measure: &str, defaults: (f64, f64, f64)) -> Option<Limit> {
    limit_and(place, measure, defaults, THRESHOLDS).map(|(limit, _)| limit)
}

/// The same with `mounts`, where that is among the fields that are known.
fn limit_and<'a>(
    place: &Place<'a>,
    measure: &str,
    (degraded, unhealthy, margin): (f64, f64, f64),
    known: &'static [Names],
) -> Option<(Limit, Option<Place<'a>>)> {
    let limit = |degraded, unhealthy, margin| Limit {
        measure: measure.to_owned(),
        degraded: Some(degraded),
        unhealthy: Some(unhealthy),
        below: false,
        margin,
        auto: false,
    };
    match &place.node.value {
        Value::Bool(false) => None,
        Value::Bool(true) => Some((limit(degraded, unhealthy, margin), None)),
        Value::Table(_) => {
            let block = place.block("thresholds", known)?;
            let number = |name: &str, default| match block.get(name) {
                Some(place) => match place.number().filter(|number| *number >= 0.0) {
                    Some(number) => number,
                    None => place.refuse("a number from 0 on").unwrap_or(default),
                },
                None => default,
            };
            let unhealthy = number("unhealthy", unhealthy);
            let degraded = number("degraded", degraded.min(unhealthy));
            let limit = limit(degraded, unhealthy, number("margin", margin));
            Some((limit, block.get("mounts").cloned()))
        }
        _ => place.refuse("true, false, or `{ degraded: 80, unhealthy: 90 }`"),
    }
}

fn check(place: &Place<'_>, folder: &Path) -> Option<NamedOverlay> {
    let block = place.block("a check", HEALTH)?;
    for name in ["start_period", "verify_within"] {
        if let Some(place) = block.get(name) {
            place.refuse::<()>("this field only in the health check of an app");
        }
    }
    let env = Environment::new();
    let around = Around { env: &env, folder, user: None };
    let (target, limits) = probe::target(&block, &around)?;
    Some(NamedOverlay {
        target: NamedTarget::Probe(Arc::new(target)),
        slow: block.get("slow").and_then(|place| place.span(Duration::from_millis(1))),
        cadence: CadenceOverlay::check(&block),
        limits,
        breaker: block.get("breaker").and_then(resilience::breaker).unwrap_or_default(),
    })
}
