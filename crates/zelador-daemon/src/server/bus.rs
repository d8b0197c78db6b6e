//! What happens and what apps say, a line each, and saying something to an app: on the control socket.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::Value;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::oneshot;
use zelador_api::bus::{Heard, Said, Saying};
use zelador_core::event::Event;
use zelador_core::id::RunId;
use zelador_core::words::Words;

use super::asker::Asker;
use super::json::Json;
use super::{Failure, Handle};
use crate::driver::Message;

/// Both sources, and whom to ask whose run it is.
struct Ears {
    handle: Handle,
    events: Receiver<Arc<Event>>,
    sayings: Receiver<Arc<(RunId, Value)>>,
}

/// Tells what comes from now on, until one side ends.
pub(super) async fn listen(State(handle): State<Handle>) -> Result<Response, Failure> {
    let (sender, answer) = oneshot::channel();
    let message = Message::Listen(None, sender);
    handle.inbox.send(message).await.map_err(|_| Failure::ending())?;
    let (_, events) = answer.await.map_err(|_| Failure::ending())?;
    let sayings = handle.sayings.subscribe();
    let lines = stream::unfold(Ears { handle, events, sayings }, Ears::next);
    Ok(Body::from_stream(lines).into_response())
}

impl Ears {
    /// The next line; `None`: the engine ends.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        loop {
            let heard = tokio::select! {
                event = self.events.recv() => match event {
                    Ok(event) => Heard::Happened((*event).clone()),
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return None,
                },
                said = self.sayings.recv() => match said {
                    Ok(said) => match self.whose(&said.0, &said.1).await? {
                        Some(said) => Heard::Said(said),
                        None => continue,
                    },
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return None,
                },
            };
            let Ok(mut line) = serde_json::to_vec(&heard) else { continue };
            line.push(b'\n');
            return Some((Ok(line.into()), self));
        }
    }

    /// Of which instance this is the saying. The inner `None`: of none that is still known.
    async fn whose(&self, run: &RunId, message: &Value) -> Option<Option<Said>> {
        let run = *run;
        let found = self.handle.ask(move |supervisor| supervisor.instance_of(run)).await.ok()?;
        let at = self.handle.clock.now();
        Some(found.map(|(app, id)| Said { id, app, at, message: message.clone() }))
    }
}

/// Says something to an instance.
pub(super) async fn say(
    State(handle): State<Handle>,
    asker: Asker,
    Json(saying): Json<Saying>,
) -> Result<Json<()>, Failure> {
    let Saying { instance, message } = saying;
    let (sender, answer) = oneshot::channel();
    handle
        .inbox
        .send(Message::Say(instance, message, sender))
        .await
        .map_err(|_| Failure::ending())?;
    let said = match answer.await {
        Ok(true) => Ok(Json(())),
        Ok(false) => Err(Failure::new(
            StatusCode::CONFLICT,
            "it does not hear: it is down, or is no Node app, or has closed its channel",
        )),
        Err(_) => Err(Failure::ending()),
    };
    let told = said.as_ref().map(|_| Words::default());
    handle.audit(&asker, "say", instance.to_string(), told);
    said
}
