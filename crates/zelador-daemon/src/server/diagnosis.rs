//! Explaining troubles, on the control socket.

use axum::extract::State;
use tokio::sync::oneshot;
use zelador_api::{Explain, Explained, WouldAsk};

use super::json::Json;
use super::{Failure, Handle};
use crate::advisor::{Question, would_ask};

/// Explains, by rules and, where they are unsure, by a model.
pub(super) async fn explain(
    State(handle): State<Handle>,
    Json(wanted): Json<Explain>,
) -> Result<Json<Explained>, Failure> {
    let (sender, answer) = oneshot::channel();
    let Explain { evidence: snapshot, remedy_failed } = wanted;
    let question = Question { snapshot, remedy_failed, answer: sender };
    handle.advisor.send(question).await.map_err(|_| Failure::ending())?;
    let explained = answer.await.map_err(|_| Failure::ending())?;
    Ok(Json(Explained {
        answer: explained.answer,
        advisor: explained.advisor.map(|it| it.english().to_owned()),
    }))
}

/// Shows what would leave, and sends nothing.
pub(super) async fn prompt(
    State(handle): State<Handle>,
    Json(wanted): Json<Explain>,
) -> Json<WouldAsk> {
    let settings = handle.settings.borrow().clone();
    Json(would_ask(&settings, &wanted.evidence, wanted.remedy_failed))
}
