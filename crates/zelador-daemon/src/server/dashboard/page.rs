//! The frame of every page, and how it is answered.

use std::sync::LazyLock;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
pub use zelador_api::segment::encoded as percent;

use super::assets;
use super::lang::Lang;
use super::parts;

/// What a page may load: its own assets and nothing else; no script in the page itself, and of styles those only
/// that stand in every page, so that it is seen after one answer.
fn policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let styles =
            STYLES.map(|styles| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(styles))));
        format!(
            "default-src 'none'; script-src 'self'; style-src {}; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            styles.join(" ")
        )
    });
    &POLICY
}

/// The styles of every page, and those of charts.
const STYLES: [&str; 2] = [include_str!("assets/app.css"), include_str!("assets/uplot.css")];

const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// A page.
pub struct Page {
    /// In which language.
    pub lang: Lang,
    /// What stands in the browser's title.
    pub title: String,
    /// The path of the part of the dashboard that it belongs to.
    pub section: &'static str,
    /// From which live stream it is kept up to date, and what it shows already.
    pub live: Option<(String, String)>,
    /// Whether it has charts.
    pub charts: bool,
    /// Whether whoever looks may change something.
    pub may_act: bool,
    /// What it shows.
    pub main: Markup,
}

/// Path, English, Portuguese.
const SECTIONS: [(&str, &str, &str); 8] = [
    ("/health", "Overview", "Visão geral"),
    ("/health/incidents", "Incidents", "Incidentes"),
    ("/health/checks", "Checks", "Verificações"),
    ("/health/retries", "Retries", "Tentativas"),
    ("/health/breakers", "Breakers", "Disjuntores"),
    ("/health/report", "Report", "Relatório"),
    ("/health/settings", "Settings", "Configuração"),
    ("/health/audit", "Audit", "Auditoria"),
];

impl Page {
    /// The whole document.
    fn document(&self) -> Markup {
        let lang = self.lang;
        let (stream, version) = self.live.clone().unwrap_or_default();
        html! {
            (DOCTYPE)
            html lang=(lang.tag()) {
                head {
                    (head(&self.title))
                    @if self.charts {
                        style { (PreEscaped(STYLES[1])) }
                        script defer src=(assets::path("uplot.js")) {}
                        script defer src=(assets::path("charts.js")) {}
                    }
                }
                body data-live=(stream) data-version=(version) data-may=(u8::from(self.may_act)) {
                    (parts::sprite())
                    a.skip href="#main" { (lang.t("Skip to content", "Ir para o conteúdo")) }
                    header.top {
                        a.brand href="/health" { img src=(assets::path("icon.svg")) alt="" width="22" height="22"; "zelador" }
                        nav aria-label=(lang.t("Sections", "Seções")) {
                            @for (path, en, pt) in SECTIONS {
                                a href=(path) aria-current=[(path == self.section).then_some("page")] { (lang.t(en, pt)) }
                            }
                        }
                        span #link.link data-on=(lang.t("live", "ao vivo")) data-off=(lang.t("reconnecting…", "reconectando…")) data-gone=(lang.t("disconnected", "desconectado")) data-removed=(lang.t("removed", "removido")) role="status" {}
                        @if self.may_act {
                            button.quiet #leave type="button" { (lang.t("Sign out", "Sair")) }
                        } @else {
                            a.quiet href={ "/health/login?to=" (percent(self.section)) } { (lang.t("Sign in", "Entrar")) }
                        }
                    }
                    main #main tabindex="-1" {
                        @if self.live.is_some() { p #removed.note.warn role="status" hidden {
                            (parts::icon("warn")) span { (lang.t("What this page is about was removed. Below is how it was last.", "O que esta página mostra foi removido. Abaixo está como era por último.")) " " a href="/health" { (lang.t("To the overview", "Para a visão geral")) } }
                        } }
                        (self.main)
                    }
                    (parts::dialog(lang))
                    div #said.said role="status" aria-live="polite" {}
                    noscript { p.noscript { (lang.t("Without JavaScript this page does not update itself.", "Sem JavaScript esta página não se atualiza sozinha.")) } }
                }
            }
        }
    }

    /// The answer.
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        self.answer_with(StatusCode::OK, headers)
    }

    /// The same with another status.
    pub fn answer_with(&self, status: StatusCode, headers: &HeaderMap) -> Response {
        send(&self.document(), "same-origin", status, headers)
    }
}

/// A page without ways to others, for whoever may see nothing else; it names nobody where it came from.
pub fn alone(
    lang: Lang,
    title: &str,
    main: &Markup,
    status: StatusCode,
    headers: &HeaderMap,
) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head { (head(title)) }
            body {
                header.top { span.brand { img src=(assets::path("icon.svg")) alt="" width="22" height="22"; "zelador" } }
                main #main { (main) }
            }
        }
    };
    send(&document, "no-referrer", status, headers)
}

/// What every page has in its head.
fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) " · zelador" }
        link rel="icon" type="image/svg+xml" href=(assets::path("icon.svg"));
        style { (PreEscaped(STYLES[0])) }
        script defer src=(assets::path("app.js")) {}
    }
}

fn send(
    document: &Markup,
    referrer: &'static str,
    status: StatusCode,
    headers: &HeaderMap,
) -> Response {
    let common = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, policy()),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, referrer),
        (PERMISSIONS, "camera=(), microphone=(), geolocation=()"),
        (VARY, "accept, accept-language, accept-encoding, cookie"),
    ];
    let text = document.0.as_str();
    if assets::takes_gzip(headers) {
        let packed = assets::gzip(text.as_bytes(), Compression::new(5));
        return (status, common, [(CONTENT_ENCODING, "gzip")], packed).into_response();
    }
    (status, common, text.to_owned()).into_response()
}
