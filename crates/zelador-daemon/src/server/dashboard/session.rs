//! The token, given once and kept by the browser as a signed cookie.
//!
//! A session is when it ends, and a signature of that by the token: nothing is kept here, so sessions
//! outlive an engine, and end when the token is replaced. No script can read the cookie, and no page of
//! another site can have it sent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Query, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::html;
use ring::hmac;
use serde::Deserialize;
use zelador_api::token::{self, Token};

use zelador_core::words::Words;

use super::lang::Lang;
use super::page::Page;
use super::{Dashboard, wrong};
use crate::server::asker::Asker;
use crate::server::guard;
use crate::server::json::Json;

/// The cookie.
const NAME: &str = "zelador_session";

/// How long a browser is known: a week, then the token is asked for again.
const LASTS: Duration = Duration::from_hours(7 * 24);

/// How long a wrong token is thought about.
const WRONG: Duration = Duration::from_millis(500);

/// What needs no token anywhere: the form that asks for it, and what it is made of.
pub fn is_open(path: &str) -> bool {
    path == "/health/login" || path.starts_with("/health/assets/")
}

/// Whether a request comes from a browser that gave this token.
pub fn has_session(headers: &HeaderMap, token: &Token) -> bool {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().strip_prefix(NAME)?.strip_prefix('='))
        .any(|session| is_valid(session, token, now()))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn key(token: &Token) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token.reveal().as_bytes())
}

fn signed(end: u64) -> Vec<u8> {
    format!("zelador dashboard session until {end}").into_bytes()
}

fn new_session(token: &Token, now: u64) -> String {
    let end = now + LASTS.as_secs();
    let tag = hmac::sign(&key(token), &signed(end));
    tag.as_ref().iter().fold(format!("{end}."), |text, byte| format!("{text}{byte:02x}"))
}

fn is_valid(session: &str, token: &Token, now: u64) -> bool {
    let Some((end, tag)) = session.split_once('.') else { return false };
    let Ok(end) = end.parse::<u64>() else { return false };
    let pair = |at: usize| u8::from_str_radix(tag.get(at * 2..at * 2 + 2)?, 16).ok();
    let Some(tag) = (0..tag.len() / 2).map(pair).collect::<Option<Vec<u8>>>() else { return false };
    // Compares in a time that does not depend on where the difference is.
    hmac::verify(&key(token), &signed(end), &tag).is_ok() && end > now
}

impl Dashboard {
    fn token(&self) -> Option<Token> {
        guard::token_of(&self.handle.home)
    }

    /// Whether whoever asks may change something, and read what apps wrote.
    pub(super) fn knows(&self, headers: &HeaderMap) -> bool {
        guard::is_known(&self.handle.home, headers)
    }
}

/// Where to go after.
#[derive(Deserialize)]
pub struct After {
    #[serde(default)]
    to: String,
}

/// Only pages of the dashboard.
fn inside(to: &str) -> &str {
    let fits = to == "/health" || to.starts_with("/health/");
    let harmless = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if fits && harmless { to } else { "/health" }
}

/// The form that asks for the token.
pub async fn form(
    State(dashboard): State<Dashboard>,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Response {
    let lang = Lang::of(&headers);
    let to = inside(&after.to);
    let there_is = dashboard.token().is_some();
    let main = html! {
        section.login {
            h1 { (lang.t("Sign in to act", "Entre para agir")) }
            @if there_is {
                p { (lang.t("Looking needs no word on this host. To read logs, and to start, stop or restart something, enter the token once:", "Olhar não exige senha neste servidor. Para ler logs e para iniciar, parar ou reiniciar algo, informe o token uma vez:")) }
                p { code { "zelador token" } " " (lang.t("prints it on the host.", "mostra o token no servidor.")) }
                form #login data-to=(to) method="post" action="/health/login" {
                    label for="token" { "Token" }
                    input #token name="token" type="password" autocomplete="current-password" required minlength=(token::SHORTEST);
                    button.primary type="submit" { (lang.t("Sign in", "Entrar")) }
                    p #wrong.wrong role="alert" data-wrong=(lang.t("That is not the token.", "Este não é o token.")) data-down=(lang.t("zelador does not answer. Try again.", "O zelador não responde. Tente de novo.")) {}
                }
            } @else {
                p { (lang.t("There is no token yet. Make one on the host, then load this page again:", "Ainda não há token. Crie um no servidor e recarregue esta página:")) }
                pre { code { "zelador token" } }
            }
            p { a href=(to) { (lang.t("Back", "Voltar")) } }
        }
    };
    Page {
        lang,
        title: lang.t("Sign in", "Entrar").to_owned(),
        section: "",
        live: None,
        charts: false,
        may_act: false,
        main,
    }
    .answer(&headers)
}

/// The token, as it was typed.
#[derive(Deserialize)]
pub struct Typed {
    token: String,
}

/// Compares it, and has the browser keep a session.
pub async fn enter(
    State(dashboard): State<Dashboard>,
    asker: Asker,
    headers: HeaderMap,
    Json(typed): Json<Typed>,
) -> Response {
    let Some(token) = dashboard.token().filter(|token| token.is(typed.token.trim())) else {
        tokio::time::sleep(WRONG).await;
        // So many at once are not counted one by one.
        _ = dashboard.wrong_tokens.try_send(asker);
        return wrong::refused().told(Lang::of(&headers).language()).into_response();
    };
    dashboard.handle.audit(&asker, "login", String::new(), Ok(Words::default()));
    let session = new_session(&token, now());
    let cookie = format!(
        "{NAME}={session}; Path=/health; HttpOnly; SameSite=Strict; Max-Age={}",
        LASTS.as_secs()
    );
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
}

/// Has the browser forget the session.
pub async fn leave() -> Response {
    let cookie = format!("{NAME}=; Path=/health; HttpOnly; SameSite=Strict; Max-Age=0");
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_good_until_its_end_and_for_its_token() {
        let token = Token::new("a-token-that-is-long-enough").unwrap();
        let session = new_session(&token, 1000);
        let end = 1000 + LASTS.as_secs();
        assert!(is_valid(&session, &token, 1000) && is_valid(&session, &token, end - 1));
        assert!(!is_valid(&session, &token, end));
        let other = Token::new("another-token-that-is-long").unwrap();
        assert!(!is_valid(&session, &other, 1000));
        let later = session.replacen(&end.to_string(), &(end + 1).to_string(), 1);
        assert!(!is_valid(&later, &token, 1000), "its end cannot be moved");
        for wrong in ["", ".", "9999999999.", "9999999999.zz", &session[..session.len() - 2], "é.é"]
        {
            assert!(!is_valid(wrong, &token, 1000), "{wrong}");
        }
    }

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        assert_eq!(inside("/health/app/api?x=1"), "/health/app/api?x=1");
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/healthy",
            "/health/\\evil",
            "/health/\r\nX: y",
        ] {
            assert_eq!(inside(bad), "/health", "{bad}");
        }
    }
}
