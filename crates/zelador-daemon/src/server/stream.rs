//! `/api/events`: what happens, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::oneshot;
use zelador_core::event::Event;

use super::{Failure, Handle};
use crate::driver::Message;

/// How often a comment keeps a silent connection open: below a proxy's usual minute.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

pub(super) async fn events(
    State(handle): State<Handle>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Failure> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = last.and_then(|text| text.trim().parse().ok());
    let (sender, answer) = oneshot::channel();
    let message = Message::Listen(after, sender);
    handle.inbox.send(message).await.map_err(|_| Failure::ending())?;
    let (missed, coming) = answer.await.map_err(|_| Failure::ending())?;
    let stream = stream::unfold((missed.into_iter(), coming), next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)))
}

type Place = (std::vec::IntoIter<Arc<Event>>, Receiver<Arc<Event>>);

/// What was missed, then what comes; ends with the engine.
async fn next((mut missed, mut coming): Place) -> Option<(Result<Sent, Infallible>, Place)> {
    let event = match missed.next() {
        Some(event) => event,
        None => loop {
            match coming.recv().await {
                Ok(event) => break event,
                // The numbers show that some are missing.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        },
    };
    let sent = Sent::default().id(event.id.to_string()).event(&event.kind);
    // An event is plain JSON: it can be written.
    let sent = sent.data(serde_json::to_string(&*event).unwrap_or_default());
    Some((Ok(sent), (missed, coming)))
}
