//! What a program may ask an engine, a method each: the operations of `openapi.json` under their names.
//!
//! Always holds: every operation of the document has its method, and a test says which is missing. All
//! methods fail as [`Client::get`] does; what the document tells with 503 and a body that is no problem (health
//! and readiness) is an answer.

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{Client, ClientError, Lines as Stream, refused};
use crate::notify::NotifyView;
use crate::rest::{Acted, Alive, AllReady, App, Check, Draft, IncidentStory, Overall, Ready, Told};
use crate::rest::{Lines, Report};
use crate::segment::encoded;
use crate::trpc::{Health, RetryAttempt, RetryStats, Simple, Verdict};
use crate::{BreakerView, rest};

/// The envelope of a procedure's result.
#[derive(Deserialize)]
struct Envelope<T> {
    result: Data<T>,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

type Answer<T> = Result<T, ClientError>;

impl Client {
    /// All instances.
    pub async fn list_apps(&self) -> Answer<Vec<App>> {
        self.get("/api/v1/apps").await
    }

    /// One instance, by its number.
    pub async fn get_app(&self, id: u32) -> Answer<App> {
        self.get(&format!("/api/v1/apps/{id}")).await
    }

    /// The last lines of a log of an instance, 1 to 1000 of them.
    pub async fn get_logs(&self, id: u32, stream: rest::Stream, lines: u32) -> Answer<Lines> {
        let stream = stream.word();
        self.get(&format!("/api/v1/apps/{id}/logs?stream={stream}&lines={lines}")).await
    }

    /// Starts, stops, restarts or reloads an instance, and answers when that is done.
    pub async fn act_on_app(&self, id: u32, verb: rest::Verb) -> Answer<Acted> {
        self.post(&format!("/api/v1/apps/{id}/{}", verb.word()), &()).await
    }

    /// Opens an incident of the app of an instance.
    pub async fn open_incident(&self, id: u32, report: &Report) -> Answer<Acted> {
        self.post(&format!("/api/v1/apps/{id}/incidents"), report).await
    }

    /// The incidents, the latest first; `open`: those that are open, or over, only.
    pub async fn list_incidents(&self, open: Option<bool>) -> Answer<Vec<IncidentStory>> {
        let asked = open.map(|open| format!("?open={open}")).unwrap_or_default();
        self.get(&format!("/api/v1/incidents{asked}")).await
    }

    /// One incident.
    pub async fn get_incident(&self, id: u64) -> Answer<IncidentStory> {
        self.get(&format!("/api/v1/incidents/{id}")).await
    }

    /// Closes an incident that a person has opened.
    pub async fn close_incident(&self, id: u64) -> Answer<Acted> {
        self.post(&format!("/api/v1/incidents/{id}/close"), &()).await
    }

    /// Everything that is looked at.
    pub async fn list_checks(&self) -> Answer<Vec<Check>> {
        self.get("/api/v1/checks").await
    }

    /// The channels and routes of notices.
    pub async fn get_notify(&self) -> Answer<NotifyView> {
        self.get("/api/v1/notify").await
    }

    /// Sends a message to a channel, to try it.
    pub async fn try_channel(&self, channel: &str) -> Answer<Acted> {
        self.post(&format!("/api/v1/notify/{}/test", encoded(channel)), &()).await
    }

    /// Listens to what happens.
    pub async fn listen(&self) -> Answer<Events> {
        Ok(Events(self.follow("/api/events").await?))
    }

    /// The worst of everything.
    pub async fn healthz(&self) -> Answer<Overall> {
        self.told("/healthz").await
    }

    /// Whether the engine answers.
    pub async fn livez(&self) -> Answer<Alive> {
        self.get("/livez").await
    }

    /// Whether every app can take work.
    pub async fn readyz(&self) -> Answer<AllReady> {
        self.told("/readyz").await
    }

    /// Whether one app can take work.
    pub async fn readyz_app(&self, app: &str) -> Answer<Ready> {
        self.told(&format!("/readyz/{}", encoded(app))).await
    }

    /// Everything, by draft-inadarei-api-health-check-06.
    pub async fn health_json(&self) -> Answer<Draft> {
        self.told("/health.json").await
    }

    /// A service says that it is alive: the name of its app, or of the check that waits for it.
    pub async fn heartbeat(&self, name: &str) -> Answer<()> {
        let path = format!("/api/heartbeat/{}", encoded(name));
        self.bytes(Method::GET, &path, Bytes::new()).await.map(drop)
    }

    /// The same by `POST`, which no cache answers.
    pub async fn heartbeat_by_post(&self, name: &str) -> Answer<()> {
        let path = format!("/api/heartbeat/{}", encoded(name));
        self.bytes(Method::POST, &path, Bytes::new()).await.map(drop)
    }

    /// How everything is after looking at it now.
    pub async fn health_check(&self) -> Answer<Health> {
        self.procedure("health.check", &()).await
    }

    /// How everything is by the last looks.
    pub async fn health_status(&self) -> Answer<Health> {
        self.procedure("health.status", &()).await
    }

    /// The short form for load balancers.
    pub async fn health_simple(&self) -> Answer<Simple> {
        self.procedure("health.simple", &()).await
    }

    /// The latest changes of verdicts; of one component only.
    pub async fn health_history(&self, component: Option<&str>) -> Answer<Vec<Verdict>> {
        let narrowed = component.map(|component| serde_json::json!({ "component": component }));
        self.procedure("health.history", &narrowed).await
    }

    /// What was tried, by operation.
    pub async fn retry_stats(&self) -> Answer<Vec<RetryStats>> {
        self.procedure("retry.stats", &()).await
    }

    /// The latest attempts; of one operation only.
    pub async fn retry_history(&self, operation: Option<&str>) -> Answer<Vec<RetryAttempt>> {
        let narrowed = operation.map(|operation| serde_json::json!({ "operation": operation }));
        self.procedure("retry.history", &narrowed).await
    }

    /// Everything that may be left alone for a while.
    pub async fn breaker_list(&self) -> Answer<Vec<BreakerView>> {
        self.procedure("breaker.list", &()).await
    }

    /// What is told with 200 and with 503 alike.
    async fn told<T: DeserializeOwned>(&self, path: &str) -> Answer<T> {
        let (status, body) = self.answer(Method::GET, path, Bytes::new()).await?;
        let is_told = status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE;
        match serde_json::from_slice(&body) {
            Ok(told) if is_told => Ok(told),
            Err(error) if status.is_success() => Err(ClientError::Answer(error)),
            _ => Err(refused(status, path, &body)),
        }
    }

    /// A query of tRPC; nothing is said of what it is asked with when that is null.
    async fn procedure<T: DeserializeOwned>(
        &self,
        name: &str,
        input: &impl Serialize,
    ) -> Answer<T> {
        let input = serde_json::to_string(input).map_err(ClientError::Answer)?;
        let asked = match input.as_str() {
            "null" => String::new(),
            input => format!("?input={}", encoded(input)),
        };
        let answer: Envelope<T> = self.get(&format!("/api/trpc/{name}{asked}")).await?;
        Ok(answer.result.data)
    }
}

/// What happens, as it happens.
pub struct Events(Stream);

impl Events {
    /// The next event; `None`: the engine has ended.
    ///
    /// # Errors
    /// The connection breaks, or what comes is not understood.
    pub async fn next(&mut self) -> Answer<Option<Told>> {
        let (mut id, mut kind) = (0, String::new());
        while let Some(line) = self.0.next().await? {
            let line = String::from_utf8_lossy(&line).into_owned();
            let Some((field, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match field {
                "id" => id = value.parse().unwrap_or_default(),
                "event" => value.clone_into(&mut kind),
                "data" => {
                    let data: Value = serde_json::from_str(value).map_err(ClientError::Answer)?;
                    return Ok(Some(Told { id, kind, data }));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `listApps` is `list_apps`.
    fn method(operation: &str) -> String {
        let mut name = String::new();
        for letter in operation.chars() {
            if letter.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    #[test]
    fn every_operation_of_the_document_has_its_method() {
        let document: Value = serde_json::from_str(rest::OPENAPI).unwrap();
        let here = include_str!("calls.rs");
        let paths = document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|it| it.as_object().unwrap().values());
        let names: Vec<&str> = operations.filter_map(|it| it["operationId"].as_str()).collect();
        assert!(names.len() > 20, "{names:?}");
        for name in names {
            let method = method(name);
            assert!(
                here.contains(&format!("    pub async fn {method}(")),
                "{name} has no `{method}`"
            );
        }
    }
}
