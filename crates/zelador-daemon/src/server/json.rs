//! JSON as the body of requests and answers.
//!
//! Read from and written to a slice, as everything else of zelador's own: for each kind of source and
//! target the compiler makes the code of all types anew.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tokio::time;
use zelador_core::input::Command;

use super::Failure;

/// The body of a request or an answer.
pub(super) struct Json<T>(pub(super) T);

/// The body of a request that is a command.
pub(super) struct JsonCommand(pub(super) Command);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = body_of(request, state).await?;
        serde_json::from_slice(&body).map(Self).map_err(not_understood)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonCommand {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = body_of(request, state).await?;
        Command::read(&body).map(Self).map_err(not_understood)
    }
}

/// How long the body of a request may take: nobody waits for one that does not come.
const WITHIN: Duration = Duration::from_secs(30);

async fn body_of<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    let body = time::timeout(WITHIN, Bytes::from_request(request, state)).await;
    let body = body.map_err(|_| {
        let error = format!("the body of the request did not come within {} s", WITHIN.as_secs());
        Failure::new(StatusCode::REQUEST_TIMEOUT, error)
    })?;
    body.map_err(|refused| Failure::new(refused.status(), refused.body_text()))
}

fn not_understood(error: serde_json::Error) -> Failure {
    let status = match error.classify() {
        Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
        Category::Io | Category::Syntax | Category::Eof => StatusCode::BAD_REQUEST,
    };
    Failure::new(status, format!("the body of the request: {error}"))
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn refused(body: &'static str) -> (StatusCode, String) {
        let request = Request::new(Body::from(body));
        match Json::<Vec<u32>>::from_request(request, &()).await {
            Ok(Json(read)) => panic!("{body} was read as {read:?}"),
            Err(failure) => (failure.status, failure.error.english().to_owned()),
        }
    }

    #[tokio::test]
    async fn a_body_that_is_not_understood_is_told_with_its_place() {
        let (status, error) = refused("[1, ").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(error.starts_with("the body of the request: EOF"), "{error}");
        let (status, error) = refused("[1, \"two\"]").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(error.contains("expected u32 at line 1 column 9"), "{error}");
    }
}
