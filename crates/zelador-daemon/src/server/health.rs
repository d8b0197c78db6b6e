//! How everything is, for people and load balancers.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use zelador_api::{BreakerView, HealthView, Readiness, RetryView, Status};
use zelador_core::input::{Command, Fact, Input};
use zelador_core::supervisor::Supervisor;

use super::json::Json;
use super::{Failure, Handle};
use crate::driver::Message;

/// The last looks.
pub(super) async fn last(State(handle): State<Handle>) -> Result<Json<HealthView>, Failure> {
    handle.ask(Supervisor::health).await.map(Json)
}

/// Looks at everything now.
pub(super) async fn check(State(handle): State<Handle>) -> Result<Json<HealthView>, Failure> {
    look_now(&handle).await.map(Json)
}

pub(super) async fn look_now(handle: &Handle) -> Result<HealthView, Failure> {
    handle.command(Command::CheckNow).await?;
    handle.ask(Supervisor::health).await
}

/// 200 for healthy and degraded, 503 for unhealthy: a degraded host still serves.
pub(super) async fn healthz(State(handle): State<Handle>) -> Response {
    let health = match handle.ask(Supervisor::health).await {
        Ok(health) => health,
        Err(failure) => return failure.into_response(),
    };
    let status = status_code(health.overall);
    (status, Json(json!({ "status": health.overall }))).into_response()
}

/// 200 whenever the engine answers: whoever restarts zelador for another answer would do harm.
pub(super) async fn livez() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// 200 when every app of which something is wanted can take work, else 503.
pub(super) async fn readyz(State(handle): State<Handle>) -> Response {
    match handle.ask(Supervisor::readiness).await {
        Ok(apps) => {
            let ready = apps.iter().all(|app| app.ready);
            let apps: Vec<Value> = apps.iter().map(readiness_entry).collect();
            (ready_status(ready), Json(json!({ "ready": ready, "apps": apps }))).into_response()
        }
        Err(failure) => failure.into_response(),
    }
}

/// The same of one app; 404 for one that nobody knows, or of which nothing is wanted.
pub(super) async fn readyz_app(State(handle): State<Handle>, Path(name): Path<String>) -> Response {
    let apps = match handle.ask(Supervisor::readiness).await {
        Ok(apps) => apps,
        Err(failure) => return failure.into_response(),
    };
    match apps.iter().find(|app| app.app == name) {
        Some(app) => (ready_status(app.ready), Json(readiness_entry(app))).into_response(),
        None => {
            let text = format!("no app `{name}` is to be up");
            Failure::new(StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

fn ready_status(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn readiness_entry(app: &Readiness) -> Value {
    let instances: Vec<Value> = app
        .instances
        .iter()
        .map(|(name, ready, message)| json!({ "name": name, "ready": ready, "message": message }))
        .collect();
    json!({ "app": app.app, "ready": app.ready, "instances": instances })
}

/// The draft `application/health+json` (draft-inadarei-api-health-check-06).
pub(super) async fn health_json(State(handle): State<Handle>) -> Response {
    match handle.ask(Supervisor::health).await {
        Ok(health) => by_the_draft(&health),
        Err(failure) => failure.into_response(),
    }
}

/// Its keys are `component:measurement`; that of how long the look took bears its status.
pub(super) fn by_the_draft(health: &HealthView) -> Response {
    let word = |status| match status {
        Status::Healthy => "pass",
        Status::Degraded => "warn",
        Status::Unhealthy => "fail",
    };
    let mut checks = serde_json::Map::new();
    for check in &health.checks {
        let (component, time) = (&check.component, check.at.to_string());
        let took = json!([{
            "componentType": component_type(component),
            "observedValue": check.took.as_secs_f64() * 1e3,
            "observedUnit": "ms",
            "status": word(check.status),
            "time": time,
            "output": check.message,
        }]);
        checks.insert(format!("{component}:responseTime"), took);
        for measure in &check.measures {
            let value = json!([{
                "componentType": component_type(component),
                "observedValue": measure.value,
                "observedUnit": measure.unit,
                "time": time,
            }]);
            checks.insert(format!("{component}:{}", measure.name), value);
        }
    }
    let body = json!({
        "status": word(health.overall),
        "version": "1",
        "releaseId": env!("CARGO_PKG_VERSION"),
        "serviceId": "zelador",
        "checks": checks,
    });
    let kind = [(header::CONTENT_TYPE, "application/health+json")];
    (status_code(health.overall), kind, body.to_string()).into_response()
}

/// What load balancers act on.
pub(super) fn status_code(overall: Status) -> StatusCode {
    match overall {
        Status::Healthy | Status::Degraded => StatusCode::OK,
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn component_type(component: &str) -> &'static str {
    match component.split_once(':').map(|(kind, _)| kind) {
        Some("database") => "datastore",
        Some("app") => "component",
        _ => "system",
    }
}

/// A service says that it is alive.
pub(super) async fn heartbeat(State(handle): State<Handle>, Path(name): Path<String>) -> Response {
    let names = match handle.ask(Supervisor::heartbeat_names).await {
        Ok(names) => names,
        Err(failure) => return failure.into_response(),
    };
    if !names.contains(&name) {
        let error = format!("no check waits for a heartbeat of `{name}`");
        let known: Vec<String> = names.into_iter().collect();
        let help = if known.is_empty() {
            "no check has `heartbeat`".to_owned()
        } else {
            format!("these do: {}", known.join(", "))
        };
        return Failure::new(StatusCode::NOT_FOUND, error).with_help(help).into_response();
    }
    let fact = Message::Input(Input::Fact(Fact::Heartbeat { name }));
    match handle.inbox.send(fact).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(_) => Failure::ending().into_response(),
    }
}

/// What was tried, by operation.
pub(super) async fn retries(State(handle): State<Handle>) -> Result<Json<Vec<RetryView>>, Failure> {
    handle.ask(Supervisor::retries).await.map(Json)
}

/// All breakers.
pub(super) async fn breakers(
    State(handle): State<Handle>,
) -> Result<Json<Vec<BreakerView>>, Failure> {
    handle.ask(Supervisor::breakers).await.map(Json)
}
