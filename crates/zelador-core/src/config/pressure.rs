//! `checks.pressure`: how much of the time processes may wait for processors, memory and disks.

use super::fields::{PRESSURE, WAITING};
use super::named::limit;
use super::node::Value;
use super::place::Place;
use crate::spec::{Limit, MARGIN, Scarce};

/// The measure that is judged if nothing else is said, and from which shares on it is bad.
///
/// Memory: systemd-oomd kills from 60 % of `full avg10` on (`DefaultMemoryPressureLimit` of
/// oomd.conf(5)); a tenth of the time is felt. Disks: for half a minute of each minute nothing got on,
/// or nearly all of it. Processors: somebody waits most of the time, which is never `unhealthy` by
/// itself: a host may be used to the full.
fn default(resource: Scarce) -> (&'static str, f64, Option<f64>) {
    match resource {
        Scarce::Cpu => ("some_avg60", 80.0, None),
        Scarce::Memory => ("full_avg10", 10.0, Some(60.0)),
        Scarce::Io => ("full_avg60", 50.0, Some(90.0)),
    }
}

/// Returns the limits of each resource that is spoken of; `None`: it is not looked at.
///
/// `true`, `false`, or `{ cpu: …, memory: …, io: … }` of such, or of thresholds by measure:
/// `{ memory: { some_avg10: { degraded: 20, unhealthy: 50 } } }`.
pub(super) fn limits(place: &Place<'_>) -> Vec<(Scarce, Option<Vec<Limit>>)> {
    if let Value::Bool(on) = place.node.value {
        let limits = |resource| on.then(|| vec![default_limit(resource)]);
        return Scarce::ALL.into_iter().map(|resource| (resource, limits(resource))).collect();
    }
    if !matches!(place.node.value, Value::Table(_)) {
        return place.refuse(ALLOWED).unwrap_or_default();
    }
    let Some(block) = place.block("pressure", PRESSURE) else { return Vec::new() };
    let said = |resource: Scarce| {
        let place = block.get(resource.word())?;
        match &place.node.value {
            Value::Bool(on) => Some((resource, on.then(|| vec![default_limit(resource)]))),
            Value::Table(_) => Some((resource, Some(measured(place, resource)?))),
            _ => place.refuse(ALLOWED_OF_ONE),
        }
    };
    Scarce::ALL.into_iter().filter_map(said).collect()
}

const ALLOWED: &str =
    "true, false, or `{ memory: true, io: { full_avg10: { degraded: 20, unhealthy: 50 } } }`";

const ALLOWED_OF_ONE: &str = "true, false, or `{ some_avg10: { degraded: 20, unhealthy: 50 } }`";

fn default_limit(resource: Scarce) -> Limit {
    let (measure, degraded, unhealthy) = default(resource);
    Limit {
        measure: measure_of(measure),
        degraded: Some(degraded),
        unhealthy,
        below: false,
        margin: MARGIN,
        auto: false,
    }
}

fn measured(place: &Place<'_>, resource: Scarce) -> Option<Vec<Limit>> {
    let block = place.block("the pressure of a resource", WAITING)?;
    let named = WAITING.iter().filter_map(|(name, _)| Some((*name, block.get(name)?)));
    let limits: Vec<Limit> =
        named.filter_map(|(name, place)| limit(place, &measure_of(name), SHARES)).collect();
    Some(if limits.is_empty() { vec![default_limit(resource)] } else { limits })
}

/// From which shares a measure is bad that is named without any: a fifth of the time, and half.
const SHARES: (f64, f64, f64) = (20.0, 50.0, MARGIN);

/// `some_avg10` is measured as `some avg10`, as the kernel writes it.
fn measure_of(field: &str) -> String {
    field.replace('_', " ")
}
