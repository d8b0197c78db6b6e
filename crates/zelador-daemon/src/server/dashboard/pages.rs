//! Which pages there are: each with the pieces that keep it up to date.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, PreEscaped, html};
use zelador_core::supervisor::Supervisor;

use super::lang::Lang;
use super::live::{Absent, Fragment, Key, Snapshot};
use super::page::Page;
use super::past::Cache;
use super::{
    Dashboard, app, checks, incident, lists, overview, parts, report, resilience, settings,
};
use crate::server::Failure;
use crate::server::health::{by_the_draft, status_code};
use crate::server::json::Json;

/// An incident with the lines that its apps wrote: for whoever has the token.
const LINES: &str = "lines";

/// Whether the pieces of a page are for whoever has the token alone.
pub fn wants_token(page: &str) -> bool {
    page.split('/').next() == Some(LINES)
}

/// The pieces of a page.
///
/// # Errors
/// There is no such page, or nobody has told what it shows.
pub async fn fragments(
    dashboard: &Dashboard,
    cache: &mut Cache,
    key: &Key,
) -> Result<Vec<Fragment>, Absent> {
    let lang = key.1;
    match key.0.as_str() {
        "overview" => overview::fragments(dashboard, cache, lang).await,
        "incidents" => lists::incidents(dashboard, lang).await,
        "checks" => checks::fragments(dashboard, cache, lang).await,
        "retries" => resilience::retries(dashboard, lang).await,
        "breakers" => resilience::breakers(dashboard, lang).await,
        "audit" => lists::audit(dashboard, lang).await,
        "settings" => settings::fragments(dashboard, lang).await,
        other => {
            let (kind, of) = other.split_once('/').ok_or(Absent::Gone)?;
            match (kind, of.parse()) {
                ("app", _) => app::fragments(dashboard, of, lang).await,
                ("incident", Ok(id)) => incident::fragments(dashboard, id, lang, false).await,
                (LINES, Ok(id)) => incident::fragments(dashboard, id, lang, true).await,
                _ => Err(Absent::Gone),
            }
        }
    }
}

/// A piece of what is shown, to be put into its place.
fn piece(snapshot: &Snapshot, id: &str) -> Markup {
    let found = snapshot.fragments.get(id);
    PreEscaped(found.map(|(fragment, _)| fragment.html.to_string()).unwrap_or_default())
}

/// What every page needs to know.
struct Frame {
    key: String,
    section: &'static str,
    title: String,
    charts: bool,
}

impl Frame {
    fn new(key: &str, section: &'static str, title: &str) -> Self {
        Self { key: key.to_owned(), section, title: title.to_owned(), charts: false }
    }
}

async fn live(
    dashboard: &Dashboard,
    headers: &HeaderMap,
    frame: Frame,
    body: impl FnOnce(Lang, &dyn Fn(&str) -> Markup, bool) -> Markup,
) -> Response {
    let lang = Lang::of(headers);
    let seen = match dashboard.look(&frame.key, lang).await {
        Ok(seen) => seen,
        Err(Absent::Gone) => return missing(dashboard, headers),
        Err(Absent::Unanswered(failure)) => return failed(dashboard, headers, &failure),
    };
    let snapshot = Arc::clone(&seen.borrow());
    let may_act = dashboard.knows(headers);
    let main = body(lang, &|id| piece(&snapshot, id), may_act);
    Page {
        lang,
        title: frame.title,
        section: frame.section,
        live: Some((frame.key, snapshot.version.to_string())),
        charts: frame.charts,
        may_act,
        main,
    }
    .answer(headers)
}

/// There is no such page.
fn missing(dashboard: &Dashboard, headers: &HeaderMap) -> Response {
    let lang = Lang::of(headers);
    let main = parts::empty(
        lang.t("Nothing is here", "Não há nada aqui"),
        html! { p { (lang.t("It may have been removed.", "Pode ter sido removido.")) " " (to_overview(lang)) } },
    );
    let title = lang.t("Not found", "Não encontrado");
    wrong(dashboard, headers, title, main, StatusCode::NOT_FOUND)
}

/// An address of the dashboard at which nothing is.
pub async fn unknown(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    missing(&dashboard, &headers)
}

/// There is such a page, and it cannot be shown now.
fn failed(dashboard: &Dashboard, headers: &HeaderMap, failure: &Failure) -> Response {
    let lang = Lang::of(headers);
    let main = parts::empty(
        lang.t("This cannot be shown now", "Isto não pode ser mostrado agora"),
        html! {
            p { (lang.say(&failure.error)) "." }
            p { (lang.t("Load the page again in a moment.", "Recarregue a página em instantes.")) " " (to_overview(lang)) }
        },
    );
    wrong(dashboard, headers, lang.t("Not now", "Agora não"), main, failure.status)
}

fn to_overview(lang: Lang) -> Markup {
    html! { a href="/health" { (lang.t("To the overview", "Para a visão geral")) } }
}

fn wrong(
    dashboard: &Dashboard,
    headers: &HeaderMap,
    title: &str,
    main: Markup,
    status: StatusCode,
) -> Response {
    let (lang, may_act) = (Lang::of(headers), dashboard.knows(headers));
    let title = title.to_owned();
    Page { lang, title, section: "", live: None, charts: false, may_act, main }
        .answer_with(status, headers)
}

/// The overview for browsers, and how everything is for programs.
pub async fn overview(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/html") {
        let standard = accepts.contains("application/health+json");
        return match dashboard.handle.ask(Supervisor::health).await {
            Ok(health) if standard => by_the_draft(&health),
            Ok(health) => (status_code(health.overall), Json(health)).into_response(),
            Err(failure) => failure.into_response(),
        };
    }
    let lang = Lang::of(&headers);
    let frame = Frame::new("overview", "/health", lang.t("Overview", "Visão geral"));
    live(&dashboard, &headers, frame, |lang, piece, _| overview::page(lang, piece)).await
}

/// One app.
pub async fn app(
    State(dashboard): State<Dashboard>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut frame = Frame::new(&format!("app/{name}"), "/health", &parts::plain(&name));
    frame.charts = true;
    live(&dashboard, &headers, frame, |lang, piece, may_act| app::page(lang, &name, piece, may_act))
        .await
}

/// All incidents.
pub async fn incidents(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    list(&dashboard, &headers, "incidents", ("/health/incidents", "Incidents", "Incidentes")).await
}

/// One incident.
pub async fn incident(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Ok(id) = id.parse::<u64>() else { return missing(&dashboard, &headers) };
    let title = format!("{} {id}", Lang::of(&headers).t("Incident", "Incidente"));
    let kind = if dashboard.knows(&headers) { LINES } else { "incident" };
    let frame = Frame::new(&format!("{kind}/{id}"), "/health/incidents", &title);
    live(&dashboard, &headers, frame, |lang, piece, _| incident::page(lang, id, piece)).await
}

/// All checks.
pub async fn checks(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    list(&dashboard, &headers, "checks", ("/health/checks", "Checks", "Verificações")).await
}

/// What is tried again.
pub async fn retries(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    list(&dashboard, &headers, "retries", ("/health/retries", "Retries", "Tentativas")).await
}

/// What is not tried for now.
pub async fn breakers(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    list(&dashboard, &headers, "breakers", ("/health/breakers", "Breakers", "Disjuntores")).await
}

/// Who did what.
pub async fn audit(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    list(&dashboard, &headers, "audit", ("/health/audit", "Audit", "Auditoria")).await
}

async fn list(
    dashboard: &Dashboard,
    headers: &HeaderMap,
    key: &'static str,
    (section, en, pt): (&'static str, &'static str, &'static str),
) -> Response {
    let title = Lang::of(headers).t(en, pt);
    let frame = Frame::new(key, section, title);
    live(dashboard, headers, frame, |_, piece, _| {
        let lang = Lang::of(headers);
        html! {
            div.bar {
                h1 { (title) }
                @if key != "settings" { label.find {
                    span.hide { (lang.t("Search this list", "Buscar nesta lista")) }
                    input #sift type="search" placeholder=(lang.t("Search  /", "Buscar  /")) autocomplete="off" spellcheck="false";
                } }
            }
            div #list { (piece("list")) }
            p #sifted.dim role="status" hidden { (lang.t("Nothing matches.", "Nada corresponde.")) }
        }
    })
    .await
}

/// How the last days were.
pub async fn report(
    State(dashboard): State<Dashboard>,
    Query(asked): Query<report::Asked>,
    headers: HeaderMap,
) -> Response {
    let lang = Lang::of(&headers);
    let main = match report::page(&dashboard, lang, &asked).await {
        Ok(main) => main,
        Err(failure) => return failed(&dashboard, &headers, &failure),
    };
    still(&dashboard, &headers, ("/health/report", "Report", "Relatório"), main)
}

/// The settings in force.
pub async fn settings(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    list(&dashboard, &headers, "settings", ("/health/settings", "Settings", "Configuração")).await
}

/// A page that does not change while it is looked at.
fn still(
    dashboard: &Dashboard,
    headers: &HeaderMap,
    (section, en, pt): (&'static str, &'static str, &'static str),
    main: Markup,
) -> Response {
    let lang = Lang::of(headers);
    let (title, may_act) = (lang.t(en, pt).to_owned(), dashboard.knows(headers));
    Page { lang, title, section, live: None, charts: false, may_act, main }.answer(headers)
}
