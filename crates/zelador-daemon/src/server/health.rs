//! How everything is, for people and load balancers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use zelador_api::{HealthView, Status};
use zelador_core::input::Command;
use zelador_core::supervisor::Supervisor;

use super::{Failure, Handle};

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
    let status = match health.overall {
        Status::Healthy | Status::Degraded => StatusCode::OK,
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(json!({ "status": health.overall }))).into_response()
}
