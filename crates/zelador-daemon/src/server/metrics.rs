//! `/metrics`: what is known, for Prometheus (`OpenMetrics` text).
//!
//! Made anew for each request from one look at the supervisor, so that the numbers of one answer belong
//! together. Units are base units: seconds, bytes, cores.

use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use zelador_api::{InstanceView, Status, View};
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::Moment;

use super::{Failure, Handle};

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter>;

/// What [`encode`] writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(State(handle): State<Handle>) -> Response {
    let look = |supervisor: &Supervisor| {
        let open = supervisor.incidents().iter().filter(|incident| incident.is_open()).count();
        (supervisor.view(), open)
    };
    let (view, open) = match handle.ask(look).await {
        Ok(seen) => seen,
        Err(failure) => return failure.into_response(),
    };
    match text(&view, open) {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
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

fn text(view: &View, open_incidents: usize) -> Result<String, std::fmt::Error> {
    let mut book = Book::default();
    let about =
        book.gauges("zelador_build", "Which zelador this is", Some(Unit::Other("info".into())));
    about.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1.0);
    let uptime = view.health.uptime.as_secs_f64();
    book.number("zelador_uptime", "How long this engine is up", Some(Unit::Seconds), uptime);
    let open = open_incidents as f64;
    book.number("zelador_incidents_open", "Incidents that are not over", None, open);
    health(&mut book, view);
    apps(&mut book, view);
    let mut text = String::new();
    encode(&mut text, &book.0)?;
    Ok(text)
}

fn health(book: &mut Book, view: &View) {
    let help = "The worst of all: 0 healthy, 1 degraded, 2 unhealthy";
    book.number("zelador_status", help, None, number(view.health.overall));
    let status = book.gauges("zelador_check_status", "0 healthy, 1 degraded, 2 unhealthy", None);
    let took =
        book.gauges("zelador_check_duration", "How long the last look took", Some(Unit::Seconds));
    for check in &view.health.checks {
        let labels = vec![("component", check.component.clone())];
        status.get_or_create(&labels).set(number(check.status));
        took.get_or_create(&labels).set(check.took.as_secs_f64());
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
        for (name, metric) in &app.metrics {
            let value = metric.value.as_f64().or_else(|| metric.value.as_str()?.parse().ok());
            if let Some(value) = value {
                let mut labels = labels.clone();
                labels.push(("metric", name.clone()));
                own.get_or_create(&labels).set(value);
            }
        }
    }
}

fn labels(app: &InstanceView) -> Labels {
    vec![
        ("app", app.app.clone()),
        ("id", app.id.to_string()),
        ("index", app.index.to_string()),
        ("namespace", app.namespace.clone()),
    ]
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
