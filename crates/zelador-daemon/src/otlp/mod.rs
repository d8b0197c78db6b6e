//! Metrics and events for a collector of OpenTelemetry: OTLP over HTTP in JSON, by its usual variables.
//!
//! Part of the build with the feature `otlp` only. Always holds: nobody waits for the collector; one that
//! is away costs metrics of that time, and of events all but the latest [`EVENTS_KEPT`].

mod settings;
mod shape;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::{broadcast, oneshot};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use zelador_core::event::Event;
use zelador_core::notify::Secret;
use zelador_core::retry::{ErrorClass, Failure, RetryPolicy};
use zelador_core::words::{Words, quoted};

use crate::again::{Again, Then};
use crate::driver::{Message, numbers};
use crate::history::HostMeter;
use crate::https::{self, Ask};
use crate::notify::{Secrets, host_name};
use crate::server::Handle;
use settings::Settings;

/// How long the collector may take: `OTEL_EXPORTER_OTLP_TIMEOUT` of the specification, 10 s.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many events wait for a collector that is away; then the oldest go.
const EVENTS_KEPT: usize = 1_000;

/// The operation in the ledger of retries, and its name in the settings.
pub const EXPORT: &str = "export";

/// Why the collector has not taken something.
struct Broken {
    failure: Failure,
    reason: Words,
}

/// Sends what everything is at, and what happened, at an even pace.
pub struct Exporter {
    handle: Handle,
    settings: Settings,
    resource: Value,
    meter: HostMeter,
    waiting: VecDeque<Arc<Event>>,
    in_trouble: bool,
    again: Again,
}

impl Exporter {
    /// Returns the one that the environment, or `secrets.env` in the home, asks for.
    pub fn of(handle: &Handle) -> Option<Self> {
        let secrets = Secrets::new(&handle.home);
        let variable = |name: &str| secrets.reveal(&Secret::Env(name.to_owned())).ok();
        let settings = match Settings::read(variable) {
            Ok(settings) => settings?,
            Err(mistake) => {
                tracing::error!(%mistake, "nothing is sent to the collector of OpenTelemetry");
                return None;
            }
        };
        let resource = shape::resource(&settings.service, &host_name());
        let meter = HostMeter::default();
        let handle = handle.clone();
        let again = Again::new(handle.inbox.clone(), handle.clock, EXPORT, "collector");
        Some(Self {
            handle,
            settings,
            resource,
            meter,
            waiting: VecDeque::new(),
            in_trouble: false,
            again,
        })
    }

    /// Sends until cancelled.
    pub async fn run(mut self, cancelled: CancellationToken) {
        let (sender, answer) = oneshot::channel();
        if self.handle.inbox.send(Message::Listen(None, sender)).await.is_err() {
            return;
        }
        let Ok((_, mut events)) = answer.await else { return };
        let mut ticks = time::interval(self.settings.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while cancelled.run_until_cancelled(ticks.tick()).await.is_some() {
            if cancelled.run_until_cancelled(self.export(&mut events)).await.is_none() {
                return;
            }
        }
    }

    /// Sends what there is; what failed is tried again until the next is due.
    async fn export(&mut self, events: &mut broadcast::Receiver<Arc<Event>>) {
        loop {
            self.gather(events);
            let policy = RetryPolicy { total: Some(self.settings.every), ..RetryPolicy::general() };
            self.again.begin(self.handle.settings.borrow().resilience.retry(EXPORT, policy));
            let Err(Broken { failure, reason }) = self.send().await else {
                self.again.worked().await;
                if std::mem::take(&mut self.in_trouble) {
                    tracing::info!("the collector of OpenTelemetry takes metrics again");
                }
                return;
            };
            if !std::mem::replace(&mut self.in_trouble, true) {
                tracing::warn!(%reason, "the collector of OpenTelemetry takes nothing");
            }
            match self.again.failed(failure, reason).await {
                Then::After(delay) => time::sleep(delay).await,
                Then::Over => return,
            }
        }
    }

    /// Takes what happened since; a listener that was too slow has missed some.
    fn gather(&mut self, events: &mut broadcast::Receiver<Arc<Event>>) {
        loop {
            match events.try_recv() {
                Ok(event) => self.waiting.push_back(event),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        let surplus = self.waiting.len().saturating_sub(EVENTS_KEPT);
        self.waiting.drain(..surplus);
    }

    async fn send(&mut self) -> Result<(), Broken> {
        let (sender, answer) = oneshot::channel();
        let look = Message::Ask(Box::new(move |it| _ = sender.send(numbers(&it.view()))));
        // Where nobody answers, the engine is ending.
        if self.handle.inbox.send(look).await.is_err() {
            return Ok(());
        }
        let Ok(mut values) = answer.await else { return Ok(()) };
        self.meter.measure(self.handle.archive.path(), &mut values);
        let now = self.handle.clock.now();
        let metrics = shape::metrics(&self.resource, now, &values);
        self.post("/v1/metrics", &metrics).await?;
        if !self.waiting.is_empty() {
            let events = self.waiting.make_contiguous();
            let logs = shape::logs(&self.resource, events);
            self.post("/v1/logs", &logs).await?;
            self.waiting.clear();
        }
        Ok(())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(), Broken> {
        let mut headers = self.settings.headers.clone();
        headers.push((CONTENT_TYPE, "application/json".to_owned()));
        let url = format!("{}{path}", self.settings.endpoint);
        let ask = Ask { method: Method::POST, url, headers, body: body.to_string().into() };
        let answer = https::ask(ask, PATIENCE).await.map_err(|error| Broken {
            failure: Failure::new(error.class()),
            reason: error.words(),
        })?;
        let status = answer.status;
        if (200..300).contains(&status) {
            return Ok(());
        }
        let class = ErrorClass::of_http_status(status).unwrap_or(ErrorClass::Invalid);
        let failure = Failure { class, retry_after: answer.retry_after };
        Err(Broken { failure, reason: quoted(format!("HTTP {status}")) })
    }
}

#[cfg(test)]
mod tests;
