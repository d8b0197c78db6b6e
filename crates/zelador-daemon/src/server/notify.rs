//! Channels and routes, and a try of a channel.

use axum::extract::State;
use axum::http::StatusCode;
use zelador_api::notify::{DeliveryOutcome, NotifyView, Trial};
use zelador_core::supervisor::Supervisor;
use zelador_core::words;

use super::asker::Asker;
use super::json::Json;
use super::{Failure, Handle};
use crate::notify;

type Answer<T> = Result<Json<T>, Failure>;

pub(super) async fn view(State(handle): State<Handle>) -> Answer<NotifyView> {
    handle.ask(Supervisor::notify_view).await.map(Json)
}

/// Sends a message past the desk, once.
pub(super) async fn test(
    State(handle): State<Handle>,
    asker: Asker,
    Json(trial): Json<Trial>,
) -> Answer<()> {
    let channel = trial.channel.clone();
    handle.noted(&asker, "notify test", channel, send(&handle, trial)).await
}

async fn send(handle: &Handle, trial: Trial) -> Answer<()> {
    let channel = trial.channel.clone();
    let (delivery, known) = handle
        .ask(move |supervisor| {
            let known: Vec<String> =
                supervisor.settings().notify.channels.keys().cloned().collect();
            (supervisor.trial(&channel), known)
        })
        .await?;
    let Some(delivery) = delivery else {
        let help = match known.as_slice() {
            [] => words!(
                "no channel is configured: docs/notifications.md shows how",
                "nenhum canal está configurado: docs/notifications.md mostra como",
            ),
            known => {
                let known = known.join(", ");
                words!("there are: {known}", "há: {known}")
            }
        };
        let name = &trial.channel;
        let error = words!("no channel is called `{name}`", "nenhum canal se chama `{name}`");
        return Err(Failure { status: StatusCode::NOT_FOUND, error, help: Some(help) });
    };
    match notify::deliver(&delivery, &handle.home).await {
        DeliveryOutcome::Delivered { .. } => Ok(Json(())),
        DeliveryOutcome::Failed { reason, .. } | DeliveryOutcome::Refused { reason } => {
            Err(Failure { status: StatusCode::BAD_GATEWAY, error: reason, help: None })
        }
    }
}
