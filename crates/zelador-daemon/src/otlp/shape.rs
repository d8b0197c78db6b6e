//! How OTLP writes metrics and logs in JSON (opentelemetry-proto 1.x): 64-bit numbers as text, names in
//! camel case.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use zelador_core::event::Event;
use zelador_core::history::Metric;
use zelador_core::unit::Moment;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u8 = 2;

/// Who sends.
pub fn resource(service: &str, host: &str) -> Value {
    let attributes = [
        attribute("service.name", service),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
        attribute("host.name", host),
    ];
    json!({ "attributes": attributes })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn scope() -> Value {
    json!({ "name": "zelador", "version": env!("CARGO_PKG_VERSION") })
}

fn nanos(at: Moment) -> String {
    (u128::from(at.as_micros()) * 1000).to_string()
}

/// A request for `/v1/metrics`: everything that the history keeps, in the units of the conventions.
pub fn metrics(resource: &Value, now: Moment, values: &[(String, Metric, i64)]) -> Value {
    let mut by_name: BTreeMap<&str, (&str, bool, Vec<Value>)> = BTreeMap::new();
    for (subject, metric, value) in values {
        let (about, attributes) = attributes(subject);
        let Some((name, unit, share)) = named(about, *metric) else { continue };
        let point = json!({
            "attributes": attributes,
            "timeUnixNano": nanos(now),
            "asDouble": *value as f64 * share,
        });
        let is_sum = *metric == Metric::Restarts;
        by_name.entry(name).or_insert_with(|| (unit, is_sum, Vec::new())).2.push(point);
    }
    let metric = |(name, (unit, is_sum, points)): (&str, (&str, bool, Vec<Value>))| {
        if is_sum {
            // It begins anew with a new declaration, so it is none that only grows.
            let sum = json!({ "dataPoints": points, "aggregationTemporality": CUMULATIVE, "isMonotonic": false });
            return json!({ "name": name, "unit": unit, "sum": sum });
        }
        json!({ "name": name, "unit": unit, "gauge": { "dataPoints": points } })
    };
    let metrics: Vec<Value> = by_name.into_iter().map(metric).collect();
    json!({ "resourceMetrics": [{
        "resource": resource,
        "scopeMetrics": [{ "scope": scope(), "metrics": metrics }],
    }] })
}

/// What a number is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Host,
    App,
    Check,
}

/// `host`, `app:NAME/INDEX`, `check:COMPONENT`.
fn attributes(subject: &str) -> (About, Vec<Value>) {
    match subject.split_once(':') {
        Some(("app", of)) => {
            let (app, index) = of.rsplit_once('/').unwrap_or((of, "0"));
            (About::App, vec![attribute("zelador.app", app), attribute("zelador.instance", index)])
        }
        Some((_, component)) => (About::Check, vec![attribute("zelador.check", component)]),
        None => (About::Host, Vec::new()),
    }
}

/// The name, the unit (UCUM), and what one of ours is in that unit.
fn named(about: About, metric: Metric) -> Option<(&'static str, &'static str, f64)> {
    const THOUSANDTH: f64 = 1e-3;
    Some(match (about, metric) {
        (About::App, Metric::Memory) => ("zelador.app.memory.usage", "By", 1.0),
        (About::App, Metric::Cpu) => ("zelador.app.cpu.usage", "{cpu}", THOUSANDTH),
        (About::App, Metric::Descriptors) => {
            ("zelador.app.open_file_descriptor.count", "{file_descriptor}", 1.0)
        }
        (About::App, Metric::Threads) => ("zelador.app.thread.count", "{thread}", 1.0),
        (About::App, Metric::Restarts) => ("zelador.app.restarts", "{restart}", 1.0),
        (About::App, Metric::Up) => ("zelador.app.up", "1", THOUSANDTH),
        (About::Check, Metric::Latency) => ("zelador.check.duration", "s", 1e-6),
        (About::Host, Metric::Memory) => ("zelador.host.memory.usage", "By", 1.0),
        (About::Host, Metric::MemoryTotal) => ("zelador.host.memory.limit", "By", 1.0),
        (About::Host, Metric::Cpu) => ("zelador.host.cpu.usage", "{cpu}", THOUSANDTH),
        (About::Host, Metric::Load) => ("zelador.host.load", "1", THOUSANDTH),
        (About::Host, Metric::Disk) => ("zelador.host.disk.utilization", "1", THOUSANDTH),
        _ => return None,
    })
}

/// A request for `/v1/logs`: each event is a record with its JSON as body.
pub fn logs(resource: &Value, events: &[Arc<Event>]) -> Value {
    let record = |event: &Arc<Event>| {
        // `SEVERITY_NUMBER_INFO`, `…_WARN`, `…_ERROR`.
        let (number, text) = match event.data["severity"].as_str() {
            Some("critical") => (17, "ERROR"),
            Some("warning") => (13, "WARN"),
            _ => (9, "INFO"),
        };
        let app = event.data["app"].as_str().map(|app| attribute("zelador.app", app));
        let attributes: Vec<Value> = app.into_iter().collect();
        json!({
            "timeUnixNano": nanos(event.at),
            "observedTimeUnixNano": nanos(event.at),
            "severityNumber": number,
            "severityText": text,
            "eventName": format!("zelador.{}", event.kind),
            "body": { "stringValue": event.data.to_string() },
            "attributes": attributes,
        })
    };
    let records: Vec<Value> = events.iter().map(record).collect();
    json!({ "resourceLogs": [{
        "resource": resource,
        "scopeLogs": [{ "scope": scope(), "logRecords": records }],
    }] })
}
