//! Log files and environments, on the control socket.

use std::path::PathBuf;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tokio::sync::oneshot;
use zelador_api::{FlushDone, LogFiles};
use zelador_core::id::InstanceId;
use zelador_core::spec::Environment;
use zelador_core::supervisor::Supervisor;
use zelador_core::words::Words;

use super::asker::Asker;
use super::json::Json;
use super::{Failure, Handle};
use crate::driver::Message;

type Answer<T> = Result<Json<T>, Failure>;

/// Empties log files; without a list all of them, and zelador's own.
pub(super) async fn flush(
    State(handle): State<Handle>,
    asker: Asker,
    Json(files): Json<LogFiles>,
) -> Answer<FlushDone> {
    let target = match &files {
        LogFiles::All => "all".to_owned(),
        LogFiles::Of(ids) => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let done = empty(&handle, files).await;
    let left = done.as_ref().ok().and_then(|done| done.failed.first());
    let left = left.map(|(path, why)| {
        let error = format!("{} is not emptied: {why}", path.display());
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    });
    let told = match (&done, &left) {
        (Err(failure), _) | (Ok(_), Some(failure)) => Err(failure),
        (Ok(_), None) => Ok(Words::default()),
    };
    handle.audit(&asker, "flush", target, told);
    done.map(Json)
}

async fn empty(handle: &Handle, files: LogFiles) -> Result<FlushDone, Failure> {
    let own = matches!(files, LogFiles::All).then(|| handle.home.own_log());
    let of_apps = handle
        .ask(move |supervisor: &Supervisor| match files {
            LogFiles::All => supervisor.log_files(None),
            LogFiles::Of(ids) => supervisor.log_files(Some(&ids)),
        })
        .await?;
    let paths: Vec<PathBuf> = of_apps.into_iter().chain(own).collect();
    let (sender, answer) = oneshot::channel();
    let message = Message::EmptyLogs(paths.clone(), sender);
    handle.inbox.send(message).await.map_err(|_| Failure::ending())?;
    let failed = answer.await.map_err(|_| Failure::ending())?;
    let fine = |path: &PathBuf| failed.iter().all(|(other, _)| other != path);
    let emptied = paths.into_iter().filter(fine).collect();
    Ok(FlushDone { emptied, failed })
}

/// Has every log file closed and opened anew.
pub(super) async fn reopen(State(handle): State<Handle>, asker: Asker) -> Answer<()> {
    let sent = async {
        let sent = handle.inbox.send(Message::ReopenLogs).await;
        sent.map(Json).map_err(|_| Failure::ending())
    };
    handle.noted(&asker, "reloadLogs", "all".to_owned(), sent).await
}

/// Whether secrets are shown.
#[derive(Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    secrets: bool,
}

/// The environment that an instance is given; secrets only when asked for.
pub(super) async fn environment(
    State(handle): State<Handle>,
    Path(id): Path<u32>,
    Query(shown): Query<Shown>,
) -> Answer<Environment> {
    let id = InstanceId::new(id);
    let env = handle.ask(move |supervisor| supervisor.environment_of(id, shown.secrets)).await?;
    let missing = || Failure::new(StatusCode::NOT_FOUND, format!("there is no instance {id}"));
    env.map(Json).ok_or_else(missing)
}
