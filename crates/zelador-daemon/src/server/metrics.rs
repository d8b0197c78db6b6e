//! `/metrics`: what is known, for Prometheus: `OpenMetrics` for who accepts it, else the text format
//! that everybody reads.
//!
//! Made anew for each request from one look at the supervisor, so that the numbers of one answer belong
//! together. Units are base units: seconds, bytes, cores.

mod host;

use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use zelador_api::notify::{ChannelState, NotifyView};
use zelador_api::{BreakerView, InstanceView, RetryView, Status, View};
use zelador_core::check::CheckTarget;
use zelador_core::probe::Finding;
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::Moment;

use super::labels::Labels;
use super::{Failure, Handle};

type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter>;

/// What [`encode`] writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Prometheus' own text format.
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An app may tell any number of things about itself; so many of each are handed on.
const OWN_METRICS: usize = 50;

pub(super) async fn metrics(State(handle): State<Handle>, headers: HeaderMap) -> Response {
    let look = |supervisor: &Supervisor| {
        let open = supervisor.incidents().iter().filter(|incident| incident.is_open()).count();
        let tries = (supervisor.breakers(), supervisor.retries());
        (supervisor.view(), open, supervisor.notify_view(), tries, host::found(supervisor))
    };
    let (view, open, notify, (breakers, operations), found) = match handle.ask(look).await {
        Ok(seen) => seen,
        Err(failure) => return failure.into_response(),
    };
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_open = accepted.contains("application/openmetrics-text");
    match text(&view, open, &notify, (&breakers, &operations), &found) {
        Ok(text) if is_open => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Ok(text) => ([(CONTENT_TYPE, CLASSIC)], classic(&text)).into_response(),
        Err(error) => {
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}

/// The same in Prometheus' own text format: there a counter's name has its ending everywhere, and units
/// and the end are not written.
fn classic(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut counters = Vec::new();
    for line in open.lines() {
        if let Some(name) = line.strip_prefix("# TYPE ").and_then(|it| it.strip_suffix(" counter"))
        {
            counters.push(name);
        }
    }
    for line in open.lines().filter(|it| *it != "# EOF" && !it.starts_with("# UNIT ")) {
        let about = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
        let name = about.and_then(|about| about.split(' ').next());
        match name.filter(|name| counters.contains(name)) {
            Some(name) => {
                let (before, after) = line.split_at("# HELP ".len() + name.len());
                text.push_str(before);
                text.push_str("_total");
                text.push_str(after);
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// A registry and what is put into it.
#[derive(Default)]
struct Book(Registry);

impl Book {
    fn gauges(&mut self, name: &str, help: &str, unit: Option<Unit>) -> Gauges {
        let family = Gauges::default();
        match unit {
            Some(unit) => self.0.register_with_unit(name, help, unit, family.clone()),
            None => self.0.register(name, help, family.clone()),
        }
        family
    }

    /// One number without labels.
    fn number(&mut self, name: &str, help: &str, unit: Option<Unit>, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        match unit {
            Some(unit) => self.0.register_with_unit(name, help, unit, gauge),
            None => self.0.register(name, help, gauge),
        }
    }

    fn counters(&mut self, name: &str, help: &str) -> Counters {
        let family = Counters::default();
        self.0.register(name, help, family.clone());
        family
    }
}

fn text(
    view: &View,
    open_incidents: usize,
    notify: &NotifyView,
    (breakers, operations): (&[BreakerView], &[RetryView]),
    found: &[(CheckTarget, Finding)],
) -> Result<String, std::fmt::Error> {
    let mut book = Book::default();
    let about =
        book.gauges("zelador_build", "Which zelador this is", Some(Unit::Other("info".into())));
    about
        .get_or_create(&Labels::new(vec![("version", env!("CARGO_PKG_VERSION").to_owned())]))
        .set(1.0);
    let uptime = view.health.uptime.as_secs_f64();
    book.number("zelador_uptime", "How long this engine is up", Some(Unit::Seconds), uptime);
    let open = open_incidents as f64;
    book.number("zelador_incidents_open", "Incidents that are not over", None, open);
    health(&mut book, view);
    host::host(&mut book, found);
    apps(&mut book, view);
    channels(&mut book, notify);
    tries(&mut book, breakers, operations);
    let mut text = String::new();
    encode(&mut text, &book.0)?;
    Ok(text)
}

fn channels(book: &mut Book, notify: &NotifyView) {
    let waiting = book.gauges("zelador_notify_waiting", "Messages that wait for a channel", None);
    let failing = book.gauges("zelador_notify_failing", "1: a channel takes no messages", None);
    for channel in &notify.channels {
        let labels =
            Labels::new(vec![("channel", channel.name.clone()), ("kind", channel.kind.clone())]);
        waiting.get_or_create(&labels).set(channel.waiting as f64);
        let is_failing = channel.state != ChannelState::Good;
        failing.get_or_create(&labels).set(f64::from(u8::from(is_failing)));
    }
}

/// There are as many of both as things that are looked at, sent to, called and started.
fn tries(book: &mut Book, breakers: &[BreakerView], operations: &[RetryView]) {
    let open = book.gauges("zelador_breaker_open", "1: what it guards is not tried for now", None);
    for breaker in breakers {
        let labels = Labels::new(vec![
            ("operation", breaker.operation.clone()),
            ("target", breaker.target.clone()),
        ]);
        open.get_or_create(&labels).set(f64::from(u8::from(breaker.is_open())));
    }
    let ended = book.counters("zelador_operations", "Operations that came to an end");
    let attempts = book.counters("zelador_operation_attempts", "Attempts of operations");
    for it in operations {
        let of = |outcome: &str| {
            Labels::new(vec![("operation", it.operation.clone()), ("outcome", outcome.to_owned())])
        };
        ended.get_or_create(&of("successful")).inc_by(it.stats.successful);
        ended.get_or_create(&of("failed")).inc_by(it.stats.failed);
        let labels = Labels::new(vec![("operation", it.operation.clone())]);
        attempts.get_or_create(&labels).inc_by(it.stats.attempts);
    }
}

fn health(book: &mut Book, view: &View) {
    let help = "The worst of all: 0 healthy, 1 degraded, 2 unhealthy";
    book.number("zelador_status", help, None, number(view.health.overall));
    let status = book.gauges("zelador_check_status", "0 healthy, 1 degraded, 2 unhealthy", None);
    let took =
        book.gauges("zelador_check_duration", "How long the last look took", Some(Unit::Seconds));
    for check in &view.health.checks {
        let labels = Labels::new(vec![("component", check.component.clone())]);
        status.get_or_create(&labels).set(number(check.status));
        if !check.took.is_zero() {
            took.get_or_create(&labels).set(check.took.as_secs_f64());
        }
    }
}

fn apps(book: &mut Book, view: &View) {
    let up = book.gauges("zelador_app_up", "1: its main process runs", None);
    let wanted = book.gauges("zelador_app_wanted", "1: it is to run", None);
    let status = book.gauges(
        "zelador_app_status",
        "0 healthy, 1 degraded, 2 unhealthy; missing while nothing is wanted of it",
        None,
    );
    let restarts = book.counters("zelador_app_restarts", "Starts after the first one");
    let memory =
        book.gauges("zelador_app_memory", "Resident memory of its processes", Some(Unit::Bytes));
    let cpu = book.gauges(
        "zelador_app_cpu",
        "Processors that it uses; 1 is one whole core",
        Some(Unit::Other("cores".into())),
    );
    let processes = book.gauges("zelador_app_processes", "How many processes it has", None);
    let started = book.gauges(
        "zelador_app_started_at",
        "When its last run came up, since the Unix epoch",
        Some(Unit::Seconds),
    );
    let own = book.gauges(
        "zelador_app_metric",
        "What it tells about itself, where that is a number",
        None,
    );
    for app in &view.instances {
        let labels = labels(app);
        up.get_or_create(&labels).set(f64::from(u8::from(app.pid.is_some())));
        let is_wanted = app.goal == zelador_api::Goal::Up;
        wanted.get_or_create(&labels).set(f64::from(u8::from(is_wanted)));
        if let Some(health) = &app.health {
            status.get_or_create(&labels).set(number(health.status));
        }
        restarts.get_or_create(&labels).inc_by(app.restarts.into());
        if let Some(usage) = &app.usage {
            memory.get_or_create(&labels).set(usage.memory.bytes() as f64);
            cpu.get_or_create(&labels).set(usage.cpu / 100.0);
            processes.get_or_create(&labels).set(usage.processes.into());
        }
        if let Some(at) = app.started_at.filter(|_| app.pid.is_some()) {
            started.get_or_create(&labels).set(seconds(at));
        }
        for (name, metric) in app.metrics.iter().take(OWN_METRICS) {
            let value = metric.value.as_f64().or_else(|| metric.value.as_str()?.parse().ok());
            if let Some(value) = value {
                own.get_or_create(&labels.and("metric", name.clone())).set(value);
            }
        }
    }
}

fn labels(app: &InstanceView) -> Labels {
    Labels::new(vec![
        ("app", app.app.clone()),
        ("id", app.id.to_string()),
        ("index", app.index.to_string()),
        ("namespace", app.namespace.clone()),
    ])
}

fn seconds(at: Moment) -> f64 {
    at.as_micros() as f64 / 1e6
}

fn number(status: Status) -> f64 {
    match status {
        Status::Healthy => 0.0,
        Status::Degraded => 1.0,
        Status::Unhealthy => 2.0,
    }
}
