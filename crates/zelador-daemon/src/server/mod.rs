//! Answers on the control socket, and with the health endpoints on TCP.

mod apps;
mod asker;
mod bus;
mod connections;
mod dashboard;
mod diagnosis;
#[cfg(test)]
mod fuzz;
mod guard;
mod health;
mod input;
mod json;
mod labels;
mod listen;
mod logs;
mod metrics;
mod notify;
mod rest;
mod stream;
mod trpc;

use std::io;
use std::os::fd::OwnedFd;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zelador_api::home::Home;
use zelador_api::problem::Problem;
use zelador_api::route;
use zelador_core::effect::{Done, Refusal};
use zelador_core::input::Command;
use zelador_core::notify::Language;
use zelador_core::spec::Settings;
use zelador_core::supervisor::Supervisor;
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use crate::advisor::Question;
use crate::clock::Clock;
use crate::driver::Message;
use crate::history::Archive;
use crate::ipc::Sayings;

/// What the server needs of the engine.
#[derive(Clone)]
pub struct Handle {
    /// The driver's queue.
    pub inbox: mpsc::Sender<Message>,
    /// The guardian's process id.
    pub guardian_pid: u32,
    /// Where zelador keeps what it keeps.
    pub home: Home,
    /// The settings in force.
    pub settings: watch::Receiver<Settings>,
    /// The way to the history.
    pub archive: Archive,
    /// Tells the time as the supervisor counts it.
    pub clock: Clock,
    /// Who explains troubles.
    pub advisor: mpsc::Sender<Question>,
    /// What runs say over their channels.
    pub sayings: Sayings,
}

impl Handle {
    /// Looks inside the supervisor.
    async fn ask<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Supervisor) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (sender, answer) = oneshot::channel();
        let ask = Message::Ask(Box::new(move |supervisor| _ = sender.send(look(supervisor))));
        self.inbox.send(ask).await.map_err(|_| Failure::ending())?;
        answer.await.map_err(|_| Failure::ending())
    }

    /// Has something done.
    async fn command(&self, command: Command) -> Result<Done, Failure> {
        let (sender, answer) = oneshot::channel();
        self.inbox.send(Message::Command(command, sender)).await.map_err(|_| Failure::ending())?;
        match answer.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(refusal)) => Err(Failure::refused(&refusal)),
            Err(_) => Err(Failure::ending()),
        }
    }
}

/// An answer that says what is wrong.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    /// What is wrong: lower case, no full stop.
    error: Words,
    /// What to do next.
    help: Option<Words>,
}

impl Failure {
    /// What a program is told that asks in a wrong way.
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: quoted(error.into()), help: None }
    }

    /// The same, with what to do next.
    fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(quoted(help.into())), ..self }
    }

    /// The same for a reader of this language.
    fn told(self, language: Language) -> Self {
        let told = |words: Words| quoted(words.told(language));
        Self { error: told(self.error), help: self.help.map(told), ..self }
    }

    fn ending() -> Self {
        let error = words!("the engine is ending", "o motor está encerrando");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, error, help: None }
    }

    /// Whoever asks has not given the token.
    fn unknown() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong")
            .with_help("send `Authorization: Bearer TOKEN`; `zelador token` on the host prints it")
    }

    fn refused(refusal: &Refusal) -> Self {
        let status = match refusal {
            Refusal::Unknown { .. } | Refusal::Nothing | Refusal::NoAction { .. } => {
                StatusCode::NOT_FOUND
            }
            Refusal::Pattern { .. } => StatusCode::BAD_REQUEST,
            Refusal::Reloading { .. } | Refusal::NotPossible { .. } => StatusCode::CONFLICT,
            Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        let help = match refusal {
            Refusal::Unknown { .. } => Some(words!(
                "`zelador list` shows what there is",
                "`zelador list` mostra o que há",
            )),
            Refusal::NotPossible { help, .. } => help.clone(),
            _ => None,
        };
        Self { status, error: refusal.words(), help }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let english = |words: Words| words.english().to_owned();
        let problem = Problem { error: english(self.error), help: self.help.map(english) };
        (self.status, json::Json(problem)).into_response()
    }
}

/// Begins to answer on the control socket and, where the settings say so, on TCP.
///
/// # Errors
/// The control socket cannot be used.
pub fn start(
    tasks: &mut JoinSet<()>,
    handle: Handle,
    control: OwnedFd,
    closing: &CancellationToken,
) -> io::Result<()> {
    let control = std::os::unix::net::UnixListener::from(control);
    control.set_nonblocking(true)?;
    let control = tokio::net::UnixListener::from_std(control)?;
    let everything = public(handle.clone()).merge(private(handle.clone()));
    tasks.spawn(listen::unix(control, everything, closing.clone()));
    let settings = handle.settings.clone();
    let home = handle.home.clone();
    let pages = dashboard::routes(&handle, tasks, closing);
    let told = (handle.inbox.clone(), handle.clock);
    let pages = public(handle).merge(pages);
    tasks.spawn(listen::tcp(settings, home, pages, told, closing.clone()));
    Ok(())
}

/// What anybody on this host may ask.
fn public(handle: Handle) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/readyz/{app}", get(health::readyz_app))
        .route("/health.json", get(health::health_json))
        .route("/api/heartbeat/{name}", get(health::heartbeat).post(health::heartbeat))
        .route("/metrics", get(metrics::metrics))
        .route("/api/openapi.json", get(rest::openapi))
        .route("/api/events", get(stream::events))
        .route("/api/v1/apps", get(rest::apps))
        .route("/api/v1/apps/{id}", get(rest::app))
        .route("/api/v1/apps/{id}/logs", get(rest::logs))
        .route("/api/v1/apps/{id}/incidents", post(rest::report))
        .route("/api/v1/apps/{id}/{verb}", post(rest::act))
        .route("/api/v1/incidents", get(rest::incidents))
        .route("/api/v1/incidents/{id}", get(rest::incident))
        .route("/api/v1/incidents/{id}/close", post(rest::close))
        .route("/api/v1/checks", get(rest::checks))
        .route("/api/v1/notify", get(rest::channels))
        .route("/api/v1/notify/{channel}/test", post(rest::try_channel))
        .route("/api/trpc/{procedures}", get(trpc::query).fallback(trpc::wrong_method))
        .with_state(handle)
}

/// What only the owner may do.
fn private(handle: Handle) -> Router {
    Router::new()
        .route(route::PING, get(apps::ping))
        .route(route::VIEW, get(apps::view))
        .route(route::APPS, get(apps::apps))
        .route(route::APPS_SHARED, get(apps::shared))
        .route(route::COMMANDS, post(apps::command))
        .route("/v1/environment/{id}", get(logs::environment))
        .route(route::LOGS_FLUSH, post(logs::flush))
        .route(route::LOGS_REOPEN, post(logs::reopen))
        .route(route::INPUT, post(input::write))
        .route(route::BUS, get(bus::listen))
        .route(route::SAY, post(bus::say))
        .route(route::SAVE, post(apps::save))
        .route(route::NOTIFY, get(notify::view))
        .route(route::NOTIFY_TEST, post(notify::test))
        .route(route::SHUTDOWN, post(apps::shut_down))
        .route(route::UPGRADE, post(apps::upgrade))
        .route(route::PANIC, post(apps::panic))
        .route(route::SETTINGS, post(apps::settings))
        .route(route::MODULE_SETTINGS, post(apps::module_settings))
        .route(route::HEALTH, get(health::last))
        .route(route::HEALTH_CHECK, post(health::check))
        .route(route::DIAGNOSIS, post(diagnosis::explain))
        .route(route::DIAGNOSIS_PROMPT, post(diagnosis::prompt))
        .route(route::RETRIES, get(health::retries))
        .route(route::BREAKERS, get(health::breakers))
        .route(route::INCIDENTS, get(apps::incidents))
        .route("/v1/incidents/{id}", get(apps::incident))
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_COMMAND))
        .with_state(handle)
}

/// A declaration of a thousand apps, each with a whole environment.
const LARGEST_COMMAND: usize = 64 << 20;
