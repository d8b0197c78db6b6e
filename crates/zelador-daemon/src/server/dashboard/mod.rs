//! The dashboard at `/health`: pages made here, kept up to date by the lines that changed.
//!
//! Nothing is loaded from elsewhere, and nothing a page shows is trusted: names, log lines and messages
//! are text of somebody else. What changes something goes through the guard like every other request.

mod act;
mod answer;
mod app;
mod assets;
mod chart;
mod checks;
mod incident;
mod lang;
mod lists;
mod live;
mod markdown;
mod overview;
mod page;
mod pages;
mod parts;
mod past;
mod policies;
mod report;
mod resilience;
mod session;
mod settings;
mod summary;
mod table;
mod tail;
mod tiles;
mod wrong;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zelador_core::words;

use super::asker::Asker;
use super::{Failure, Handle};
use crate::history::{Item, Reader};

pub(super) use answer::is_answer;
pub(super) use session::{has_session, is_open};

/// How many may ask for a page at once.
const WISHES: usize = 64;

/// What the dashboard needs.
#[derive(Clone)]
pub(super) struct Dashboard {
    handle: Handle,
    wishes: mpsc::Sender<live::Wish>,
    wrong_tokens: mpsc::Sender<Asker>,
    closing: CancellationToken,
}

/// The routes, and the task that keeps pages up to date.
pub(super) fn routes(
    handle: &Handle,
    tasks: &mut JoinSet<()>,
    closing: &CancellationToken,
) -> Router {
    let (wishes, wished) = mpsc::channel(WISHES);
    let (wrong, wrong_tokens) = wrong::WrongTokens::new(handle.clone());
    tasks.spawn(wrong.run(closing.clone()));
    let (handle, closing) = (handle.clone(), closing.clone());
    let dashboard = Dashboard { handle, wishes, wrong_tokens, closing: closing.clone() };
    let began = dashboard.handle.clock.now().as_millis();
    let hub = live::Hub::new(dashboard.clone(), wished, began);
    tasks.spawn(hub.run(closing));
    Router::new()
        .route("/health", get(pages::overview))
        .route("/health/app/{name}", get(pages::app))
        .route("/health/incidents", get(pages::incidents))
        .route("/health/incident/{id}", get(pages::incident))
        .route("/health/incident/{id}/markdown", get(markdown::markdown))
        .route("/health/checks", get(pages::checks))
        .route("/health/retries", get(pages::retries))
        .route("/health/breakers", get(pages::breakers))
        .route("/health/report", get(pages::report))
        .route("/health/settings", get(pages::settings))
        .route("/health/audit", get(pages::audit))
        .route("/health/login", get(session::form).post(session::enter))
        .route("/health/logout", post(session::leave))
        .route("/health/act", post(act::act))
        .route("/health/answer/{incident}/{asked_at}/{channel}/{token}", get(answer::show))
        .route(
            "/health/answer/{incident}/{asked_at}/{channel}/{token}/{word}",
            post(answer::answer),
        )
        .route("/health/live", get(live::stream))
        .route("/health/chart", get(chart::chart))
        .route("/health/logs/{id}", get(tail::stream))
        .route("/health/assets/{name}", get(assets::serve))
        .route("/health/{*other}", get(pages::unknown))
        .with_state(dashboard)
}

impl Dashboard {
    /// Reads the past where waiting is allowed.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let path = self.handle.archive.path().to_owned();
        let failed = |error: &dyn std::fmt::Display| {
            let error = words!(
                "the history cannot be read: {error}",
                "o histórico não pode ser lido: {error}",
            );
            Failure { error, ..Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "") }
        };
        let done = tokio::task::spawn_blocking(move || read(&Reader::open(&path)?)).await;
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                if crate::history::is_damage(&error) {
                    self.handle.archive.keep(Item::Doubt);
                }
                Err(failed(&error))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// Now, in seconds since the Unix epoch.
    fn seconds(&self) -> u64 {
        self.handle.clock.now().as_millis() / 1000
    }
}
