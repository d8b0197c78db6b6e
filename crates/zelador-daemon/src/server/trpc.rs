//! tRPC's side of the health endpoints.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use zelador_api::trpc::{
    Envelope, ErrorCode, Health, PROCEDURES, RetryStats, Simple, Verdict, retry_history,
};
use zelador_core::supervisor::{SimpleHealth, Supervisor, VerdictView};

use super::json::Json;
use super::{Failure, Handle, health};

/// More calls than this in one batch are refused: there is a handful of procedures.
const LARGEST_BATCH: usize = 64;

#[derive(Debug, Deserialize)]
pub(super) struct Options {
    batch: Option<String>,
    /// JSON: the input of one call, or of each call of a batch by its number.
    input: Option<String>,
}

/// Answers one call, or a batch of calls separated by commas.
pub(super) async fn query(
    State(handle): State<Handle>,
    Path(procedures): Path<String>,
    Query(options): Query<Options>,
) -> Response {
    let input: Value = match options.input.as_deref().map(serde_json::from_str) {
        None => Value::Null,
        Some(Ok(input)) => input,
        Some(Err(error)) => {
            let message = format!("`input` is no JSON: {error}");
            return answer(Envelope::error(ErrorCode::BadRequest, &procedures, &message));
        }
    };
    if options.batch.is_none() {
        return answer(call(&handle, &procedures, &input).await);
    }
    let calls: Vec<&str> = procedures.split(',').collect();
    if calls.len() > LARGEST_BATCH {
        let message =
            format!("{} calls in a batch, at most {LARGEST_BATCH} are allowed", calls.len());
        return answer(Envelope::error(ErrorCode::BadRequest, &procedures, &message));
    }
    let mut envelopes = Vec::with_capacity(calls.len());
    for (number, procedure) in calls.into_iter().enumerate() {
        let input = input.get(number.to_string()).unwrap_or(&Value::Null);
        envelopes.push(call(&handle, procedure, input).await);
    }
    answer(Envelope::batch(envelopes))
}

/// All procedures are queries: they are asked by GET.
pub(super) async fn wrong_method(
    method: Method,
    Path(procedures): Path<String>,
    Query(options): Query<Options>,
) -> Response {
    let wrong = |procedure: &str| {
        if PROCEDURES.contains(&procedure) {
            let message =
                format!("Unsupported {method}-request to query procedure at path \"{procedure}\"");
            Envelope::error(ErrorCode::MethodNotSupported, procedure, &message)
        } else {
            unknown(procedure)
        }
    };
    if options.batch.is_none() {
        return answer(wrong(&procedures));
    }
    answer(Envelope::batch(procedures.split(',').take(LARGEST_BATCH).map(wrong).collect()))
}

async fn call(handle: &Handle, procedure: &str, input: &Value) -> Envelope {
    let word = |name: &str| input.get(name).and_then(Value::as_str).map(str::to_owned);
    let result = match procedure {
        "health.check" => {
            health::look_now(handle).await.map(|view| Envelope::result(&Health::from(&view)))
        }
        "health.status" => {
            handle.ask(|supervisor| Envelope::result(&Health::from(&supervisor.health()))).await
        }
        "health.simple" => handle.ask(simple).await,
        "health.history" => {
            let component = word("component");
            let wanted = move |view: &&VerdictView| {
                component.as_ref().is_none_or(|component| *component == view.component)
            };
            let history = move |supervisor: &Supervisor| {
                let all = supervisor.verdicts();
                let lines: Vec<Verdict> = all.iter().filter(wanted).map(Verdict::from).collect();
                Envelope::result(&lines)
            };
            handle.ask(history).await
        }
        "retry.stats" => {
            let stats = |supervisor: &Supervisor| {
                let all = supervisor.retries();
                Envelope::result(&all.iter().map(RetryStats::from).collect::<Vec<_>>())
            };
            handle.ask(stats).await
        }
        "retry.history" => {
            let operation = word("operation");
            let history = move |supervisor: &Supervisor| {
                Envelope::result(&retry_history(&supervisor.retries(), operation.as_deref()))
            };
            handle.ask(history).await
        }
        "breaker.list" => handle.ask(|supervisor| Envelope::result(&supervisor.breakers())).await,
        _ => Ok(unknown(procedure)),
    };
    result.unwrap_or_else(|failure: Failure| {
        Envelope::error(ErrorCode::Internal, procedure, failure.error.english())
    })
}

fn simple(supervisor: &Supervisor) -> Envelope {
    let health = supervisor.health();
    let simple = SimpleHealth { overall: health.overall, uptime: health.uptime, at: health.at };
    Envelope::result(&Simple::from(simple))
}

fn unknown(procedure: &str) -> Envelope {
    let message = format!("No procedure found on path \"{procedure}\"");
    Envelope::error(ErrorCode::NotFound, procedure, &message)
}

fn answer(envelope: Envelope) -> Response {
    let status = StatusCode::from_u16(envelope.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = Json(envelope.body);
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], body).into_response();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
