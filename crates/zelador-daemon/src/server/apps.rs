//! Apps, commands and incidents, on the control socket.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use tokio::sync::oneshot;
use zelador_api::config::Overlay;
use zelador_api::module_conf;
use zelador_api::shared::SharedApps;
use zelador_api::{AppView, Incident, PanicAt, Pong, SaveDone, SaveWish, UpgradeTo, View};
use zelador_core::effect::Done;
use zelador_core::id::IncidentId;
use zelador_core::input::{Command, Fact, Input};
use zelador_core::supervisor::Supervisor;

use super::asker::Asker;
use super::json::{Json, JsonCommand};
use super::{Failure, Handle};
use crate::driver::Message;
use crate::saved;

type Answer<T> = Result<Json<T>, Failure>;

pub(super) async fn ping(State(handle): State<Handle>) -> Json<Pong> {
    Json(Pong {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine_pid: std::process::id(),
        guardian_pid: handle.guardian_pid,
        http: handle.settings.borrow().http,
    })
}

/// How long a look at the list waits for the use of runs that are new.
const SAMPLED_WITHIN: Duration = Duration::from_millis(200);

/// Has runs sampled that nobody has looked at yet, so that a list right after a start tells what they
/// use.
async fn sample_new_runs(handle: &Handle) -> Result<(), Failure> {
    if handle.ask(|supervisor| !supervisor.unsampled_runs().is_empty()).await? {
        let (sender, done) = oneshot::channel();
        handle.inbox.send(Message::SampleNew(sender)).await.map_err(|_| Failure::ending())?;
        // Without it the list is told as it is.
        _ = tokio::time::timeout(SAMPLED_WITHIN, done).await;
    }
    Ok(())
}

pub(super) async fn view(State(handle): State<Handle>) -> Answer<View> {
    sample_new_runs(&handle).await?;
    handle.ask(Supervisor::view).await.map(Json)
}

pub(super) async fn apps(State(handle): State<Handle>) -> Answer<Vec<AppView>> {
    sample_new_runs(&handle).await?;
    handle.ask(Supervisor::app_views).await.map(Json)
}

pub(super) async fn shared(State(handle): State<Handle>) -> Answer<SharedApps> {
    sample_new_runs(&handle).await?;
    let apps = handle.ask(Supervisor::app_views).await?;
    Ok(Json(SharedApps::from(apps)))
}

pub(super) async fn command(
    State(handle): State<Handle>,
    asker: Asker,
    JsonCommand(command): JsonCommand,
) -> Answer<Done> {
    handle.command_by(&asker, command).await.map(Json)
}

pub(super) async fn shut_down(State(handle): State<Handle>, asker: Asker) -> Answer<Done> {
    handle.command_by(&asker, Command::Shutdown).await.map(Json)
}

pub(super) async fn upgrade(
    State(handle): State<Handle>,
    asker: Asker,
    Json(to): Json<UpgradeTo>,
) -> Answer<()> {
    let target = to.program.display().to_string();
    let done = async {
        let (sender, answer) = oneshot::channel();
        let message = Message::Upgrade(to.program, sender);
        handle.inbox.send(message).await.map_err(|_| Failure::ending())?;
        match answer.await {
            Ok(Ok(())) => Ok(Json(())),
            Ok(Err(why)) => Err(Failure::new(StatusCode::CONFLICT, why)),
            Err(_) => Err(Failure::ending()),
        }
    };
    handle.noted(&asker, "upgrade", target, done).await
}

pub(super) async fn save(
    State(handle): State<Handle>,
    asker: Asker,
    Json(wish): Json<SaveWish>,
) -> Answer<SaveDone> {
    handle.noted(&asker, "save", String::new(), write_list(&handle, wish)).await
}

async fn write_list(handle: &Handle, wish: SaveWish) -> Answer<SaveDone> {
    let saved = handle.ask(Supervisor::saved).await?;
    let (path, apps) = (handle.home.dump(), saved.apps.len());
    let target = path.clone();
    let written = tokio::task::spawn_blocking(move || {
        let left_out = saved::left_out(&target, &saved);
        let empties = saved.apps.is_empty() && !left_out.is_empty() && !wish.empty;
        if !empties {
            saved::write(&target, &saved)?;
        }
        Ok::<_, std::io::Error>((left_out, empties))
    })
    .await;
    let failed = |error: String| {
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{} cannot be written: {error}", path.display()),
        )
    };
    match written {
        Ok(Ok((left_out, false))) => Ok(Json(SaveDone { path, apps, left_out })),
        Ok(Ok((left_out, true))) => {
            let error = format!(
                "there is no app, and the list that was saved before has {}: it is kept",
                left_out.join(", ")
            );
            Err(Failure::new(StatusCode::CONFLICT, error))
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

pub(super) async fn settings(
    State(handle): State<Handle>,
    asker: Asker,
    Json(base): Json<Overlay>,
) -> Answer<Done> {
    let fact = Input::Fact(Fact::BaseSettings(Box::new(base)));
    let taken = async {
        handle.inbox.send(Message::Input(fact)).await.map_err(|_| Failure::ending())?;
        Ok(Json(Done::default()))
    };
    handle.noted(&asker, "settings", String::new(), taken).await
}

/// Reads the settings of modules anew; a file that cannot be used changes nothing.
pub(super) async fn module_settings(State(handle): State<Handle>, asker: Asker) -> Answer<()> {
    handle.noted(&asker, "module settings", String::new(), read_modules(&handle)).await
}

async fn read_modules(handle: &Handle) -> Answer<()> {
    let home = handle.home.clone();
    let read = move || module_conf::read(&home).map(|_| module_conf::in_force(&home));
    let failed = |error: String| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error);
    let read =
        tokio::task::spawn_blocking(read).await.map_err(|error| failed(error.to_string()))?;
    let (settings, wrong) = read.map_err(|error| failed(error.to_string()))?;
    for complaint in wrong {
        tracing::warn!("settings of modules: {complaint}");
    }
    let fact = Input::Fact(Fact::ModuleSettings(Box::new(settings)));
    handle.inbox.send(Message::Input(fact)).await.map_err(|_| Failure::ending())?;
    Ok(Json(()))
}

pub(super) async fn incidents(State(handle): State<Handle>) -> Answer<Vec<Incident>> {
    let all = |supervisor: &Supervisor| supervisor.incidents().into_iter().cloned().collect();
    handle.ask(all).await.map(Json)
}

pub(super) async fn incident(
    State(handle): State<Handle>,
    Path(id): Path<u64>,
) -> Answer<Incident> {
    let id = IncidentId::new(id);
    let found = handle.ask(move |supervisor| supervisor.incident(id).cloned()).await?;
    let missing = || Failure::new(StatusCode::NOT_FOUND, format!("there is no incident {id}"));
    found.map(Json).ok_or_else(missing)
}

/// Nobody is answered where the engine ends by it.
pub(super) async fn panic(
    State(handle): State<Handle>,
    Json(at): Json<PanicAt>,
) -> Answer<Option<()>> {
    handle.inbox.send(Message::Panic(at)).await.map_err(|_| Failure::ending())?;
    handle.ask(|_| Json(None)).await
}
