//! `/api/v1`: apps, checks, incidents, logs and actions for programs.
//!
//! Who may ask is the guard's matter; logs want the token everywhere, since what an app wrote is for its
//! owner. Always holds: every answer, also a failure, is JSON as `openapi.json` says.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use zelador_api::notify::{NotifyView, Trial};
use zelador_api::rest::{Acted, App, Check, IncidentStory, Lines, OPENAPI, Report};
use zelador_core::id::{IncidentId, InstanceId};
use zelador_core::input::{Command, IncidentOrder};
use zelador_core::redact;
use zelador_core::supervisor::Supervisor;

use super::asker::Asker;
use super::json::Json;
use super::{Failure, Handle, guard, notify};
use crate::logs;

type Answer<T> = Result<Json<T>, Failure>;

/// Lines of a log, if nothing is said.
const LINES: usize = 100;
/// The most that can be asked for.
const MOST_LINES: usize = 1_000;
/// How much of a log is read for them.
const BYTES: u64 = 1 << 20;

pub(super) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}

pub(super) async fn apps(State(handle): State<Handle>) -> Answer<Vec<App>> {
    let view = handle.ask(Supervisor::view).await?;
    Ok(Json(view.instances.into_iter().map(App::from).collect()))
}

pub(super) async fn app(State(handle): State<Handle>, Path(id): Path<String>) -> Answer<App> {
    let id = number(&id)?;
    let view = handle.ask(Supervisor::view).await?;
    let found = view.instances.into_iter().find(|it| it.id == id);
    found.map(|it| Json(App::from(it))).ok_or_else(|| no_instance(id))
}

/// Does one of the four verbs to an instance, and answers when that is done.
pub(super) async fn act(
    State(handle): State<Handle>,
    asker: Asker,
    Path((id, verb)): Path<(String, String)>,
) -> Answer<Acted> {
    let selectors = vec![number(&id)?.to_string()];
    let command = match verb.as_str() {
        "start" => Command::Start { selectors },
        "stop" => Command::Stop { selectors },
        "restart" => Command::Restart { selectors, change: None },
        "reload" => Command::Reload { selectors, change: None },
        _ => {
            let error = format!("there is no verb `{verb}`");
            let failure = Failure::new(StatusCode::NOT_FOUND, error);
            return Err(failure.with_help("start, stop, restart or reload"));
        }
    };
    let done = handle.command_by(&asker, command).await?;
    let ok = done.instances.iter().all(|it| it.ok);
    let what = done.instances.into_iter().map(|it| format!("{}: {}", it.app, it.what));
    Ok(Json(Acted { ok, what: what.chain(done.notes).collect() }))
}

pub(super) async fn logs(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Answer<Lines> {
    if !guard::is_known(&handle.home, &headers) {
        return Err(Failure::unknown());
    }
    let id = number(&id)?;
    let refuse = |error: String| Failure::new(StatusCode::BAD_REQUEST, error);
    let is_out = match asked.get("stream").map_or("out", String::as_str) {
        "out" => true,
        "err" => false,
        other => return Err(refuse(format!("stream is {other:?}, allowed: out, err"))),
    };
    let count = match asked.get("lines").map(|text| text.parse::<usize>()) {
        None => LINES,
        Some(Ok(count)) if (1..=MOST_LINES).contains(&count) => count,
        Some(_) => return Err(refuse(format!("lines: allowed are 1 to {MOST_LINES}"))),
    };
    let (path, format) = handle
        .ask(move |supervisor| {
            let app = supervisor.app_views().into_iter().find(|it| it.instance.id == id);
            let path = app.map(|app| if is_out { app.out_log } else { app.err_log });
            (path, supervisor.settings().rotation.date_format.clone())
        })
        .await?;
    let Some(path) = path.ok_or_else(|| no_instance(id))? else {
        return Ok(Json(Lines { lines: Vec::new() }));
    };
    let read = tokio::task::spawn_blocking(move || logs::tail(&path, count, BYTES, &format)).await;
    let failed = |error: String| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error);
    let lines = read.map_err(|error| failed(error.to_string()))?.unwrap_or_default();
    Ok(Json(Lines { lines: lines.iter().map(|line| redact::text(line)).collect() }))
}

pub(super) async fn incidents(
    State(handle): State<Handle>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Answer<Vec<IncidentStory>> {
    let open = match asked.get("open").map(String::as_str) {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(other) => {
            let error = format!("open is {other:?}, allowed: true, false");
            return Err(Failure::new(StatusCode::BAD_REQUEST, error));
        }
    };
    let told = handle.ask(move |supervisor| {
        let all = supervisor.incidents().into_iter();
        let wanted = all.filter(|it| open.is_none_or(|open| it.is_open() == open));
        wanted.map(IncidentStory::from).collect::<Vec<_>>()
    });
    told.await.map(Json)
}

pub(super) async fn incident(
    State(handle): State<Handle>,
    Path(id): Path<String>,
) -> Answer<IncidentStory> {
    let missing = || Failure::new(StatusCode::NOT_FOUND, format!("there is no incident {id}"));
    let id = IncidentId::new(id.parse().map_err(|_| missing())?);
    let told = handle.ask(move |supervisor| {
        supervisor.incidents().into_iter().find(|it| it.id == id).map(IncidentStory::from)
    });
    told.await?.map(Json).ok_or_else(missing)
}

/// Opens an incident of the app of an instance.
pub(super) async fn report(
    State(handle): State<Handle>,
    asker: Asker,
    Path(id): Path<String>,
    Json(said): Json<Report>,
) -> Answer<Acted> {
    let selectors = vec![number(&id)?.to_string()];
    let command = Command::Report { selectors, what: said.what, by: None };
    let done = handle.command_by(&asker, command).await?;
    Ok(Json(Acted { ok: true, what: done.notes }))
}

/// Closes one that a person opened.
pub(super) async fn close(
    State(handle): State<Handle>,
    asker: Asker,
    Path(id): Path<String>,
) -> Answer<Acted> {
    let missing = || Failure::new(StatusCode::NOT_FOUND, format!("there is no incident {id}"));
    let id = IncidentId::new(id.parse().map_err(|_| missing())?);
    let (order, question, by) = (IncidentOrder::Close, None, None);
    let command = Command::Incident { id, order, question, by };
    let done = handle.command_by(&asker, command).await?;
    Ok(Json(Acted { ok: true, what: done.notes }))
}

pub(super) async fn checks(State(handle): State<Handle>) -> Answer<Vec<Check>> {
    let health = handle.ask(Supervisor::health).await?;
    let check = |it: zelador_api::CheckView| Check {
        component: it.component,
        status: it.status,
        message: it.message,
        at: it.at.to_string(),
        took_seconds: it.took.as_secs_f64(),
    };
    Ok(Json(health.checks.into_iter().map(check).collect()))
}

pub(super) async fn channels(state: State<Handle>) -> Answer<NotifyView> {
    notify::view(state).await
}

pub(super) async fn try_channel(
    state: State<Handle>,
    asker: Asker,
    Path(channel): Path<String>,
) -> Answer<Acted> {
    let what = vec![format!("{channel} took the message")];
    let Json(()) = notify::test(state, asker, Json(Trial { channel })).await?;
    Ok(Json(Acted { ok: true, what }))
}

fn number(text: &str) -> Result<InstanceId, Failure> {
    let missing = || Failure::new(StatusCode::NOT_FOUND, format!("there is no instance {text}"));
    text.parse().map(InstanceId::new).map_err(|_| missing())
}

fn no_instance(id: InstanceId) -> Failure {
    Failure::new(StatusCode::NOT_FOUND, format!("there is no instance {id}"))
}
