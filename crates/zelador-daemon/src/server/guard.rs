//! Who may ask over TCP, and who may change something.
//!
//! Asking: on loopback everybody on this host, and no web page of somebody else's: a name that was made
//! to point here (DNS rebinding) is refused by its `Host`. On an address that others reach, whoever has
//! the token; `/healthz`, which says one word, answers load balancers without it. What apps wrote, in logs
//! and in evidence, is for whoever has the token everywhere: who gives it out asks [`is_known`].
//!
//! Changing (every method but GET, HEAD and OPTIONS): on every address whoever has the token, and no
//! page of another origin, even in the browser of somebody who has it (CSRF): `Origin` must be the
//! `Host` that was asked, and a body must be JSON, which a foreign form cannot send.
//!
//! Always holds: a router behind [`guarded`] needs no care of its own; what it adds is guarded by its
//! method.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use tokio::sync::watch;
use zelador_api::home::Home;
use zelador_api::token::{self, Token};
use zelador_core::spec::Settings;

use super::{Failure, dashboard};

/// What is answered without a token wherever others may ask.
fn is_open(path: &str) -> bool {
    matches!(path, "/healthz" | "/livez") || dashboard::is_open(path)
}

/// Where a browser gives the token.
const LOGIN: &str = "/health/login";

/// Where services say that they are alive, by every method that they know.
const HEARTBEAT: &str = "/api/heartbeat/";

/// Told by browsers: whose page a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where a router listens, and who may ask it.
#[derive(Clone, Debug)]
struct Guard {
    address: SocketAddr,
    home: Home,
    /// Asked for by reading requests too; `None` on loopback.
    token: Option<Arc<Token>>,
    /// Under which name others know this dashboard: that of a proxy before it.
    settings: watch::Receiver<Settings>,
}

/// Why a request is turned down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// Its `Host` is no name of this host.
    Name,
    /// The token is missing or wrong.
    Token,
    /// A page of another origin has sent it.
    Origin,
    /// Its body is no JSON.
    Body,
}

/// Puts the guard before a router that listens on `address`; `None`: others reach it, and there is no
/// token.
pub(super) fn guarded(
    router: Router,
    address: SocketAddr,
    home: Home,
    token: Option<Token>,
    settings: watch::Receiver<Settings>,
) -> Option<Router> {
    let token = match token {
        _ if address.ip().is_loopback() => None,
        Some(token) => Some(Arc::new(token)),
        None => return None,
    };
    Some(router.layer(from_fn_with_state(Guard { address, home, token, settings }, check)))
}

impl Guard {
    fn look(&self, request: &Request) -> Result<(), Refused> {
        let headers = request.headers();
        let host = text(headers, HOST);
        let public = self.public_name();
        let is_ours = |host| is_here(host, self.address) || is_same(host, public.as_deref());
        if self.token.is_none() && host.is_some_and(|host| !is_ours(host)) {
            return Err(Refused::Name);
        }
        // Its address is a secret of its own, which no other page can know.
        if dashboard::is_answer(request.uri().path()) {
            return Ok(());
        }
        // It wants no token, so that a service needs none to say that it is alive; a page may not say it.
        if request.uri().path().starts_with(HEARTBEAT) && self.token.is_none() {
            let is_own = is_own_page(headers, host, public.as_deref());
            return if is_own { Ok(()) } else { Err(Refused::Origin) };
        }
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
            let is_open = is_open(request.uri().path());
            let may = self.token.as_ref().is_none_or(|token| is_open || has(headers, token));
            return if may { Ok(()) } else { Err(Refused::Token) };
        }
        let is_known = match &self.token {
            Some(token) => has(headers, token),
            None => is_known(&self.home, headers),
        };
        // The form of the dashboard is where the token is given.
        if !is_known && request.uri().path() != LOGIN {
            return Err(Refused::Token);
        }
        if !is_own_page(headers, host, public.as_deref()) {
            return Err(Refused::Origin);
        }
        if has_body(headers) && !text(headers, CONTENT_TYPE).is_some_and(is_json) {
            return Err(Refused::Body);
        }
        Ok(())
    }
}

/// Whether whoever asks has given the token, in this request or once in this browser.
pub(super) fn is_known(home: &Home, headers: &HeaderMap) -> bool {
    token_of(home).is_some_and(|token| has(headers, &token))
}

/// Read anew: one that was made a moment ago counts, one that was replaced does not.
pub(super) fn token_of(home: &Home) -> Option<Token> {
    let variable = std::env::var(token::VARIABLE).ok();
    Token::read(home, variable.as_deref())
}

impl Guard {
    /// `ops.example.org` of `https://ops.example.org/zelador`, as the settings say now.
    fn public_name(&self) -> Option<String> {
        let settings = self.settings.borrow();
        let (_, rest) = settings.notify.base_url.as_ref()?.split_once("://")?;
        Some(rest.split('/').next().unwrap_or(rest).to_owned())
    }
}

fn is_same(name: &str, public: Option<&str>) -> bool {
    public.is_some_and(|public| public.eq_ignore_ascii_case(name))
}

async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Err(refused) = guard.look(&request) else { return next.run(request).await };
    let is_page = request.method() == Method::GET && request.uri().path().starts_with("/health");
    let wants_page = text(request.headers(), ACCEPT).is_some_and(|it| it.contains("text/html"));
    if refused == Refused::Token && is_page && wants_page {
        let to = format!("{LOGIN}?to={}", request.uri().path());
        return Redirect::to(&to).into_response();
    }
    let (status, error, help) = match refused {
        Refused::Name => (
            StatusCode::MISDIRECTED_REQUEST,
            "this is no name of this host",
            "ask for 127.0.0.1 or localhost",
        ),
        Refused::Token => return Failure::unknown().into_response(),
        Refused::Origin => (
            StatusCode::FORBIDDEN,
            "a page of another origin may change nothing here",
            "ask from zelador's own page, or without the header `Origin`",
        ),
        Refused::Body => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body is no JSON",
            "send `Content-Type: application/json`",
        ),
    };
    Failure::new(status, error).with_help(help).into_response()
}

/// A header that is there once and is text.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn has(headers: &HeaderMap, token: &Token) -> bool {
    let given = text(headers, AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    given.is_some_and(|given| token.is(given)) || dashboard::has_session(headers, token)
}

/// Whether no page sent it, or one that came from where it is sent to.
fn is_own_page(headers: &HeaderMap, host: Option<&str>, public: Option<&str>) -> bool {
    let is_same_site =
        headers.get(FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
    let is_same_origin = headers.get(ORIGIN).is_none_or(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.zip(host).is_some_and(|((_, origin), host)| {
            origin.eq_ignore_ascii_case(host) || is_same(origin, public)
        })
    });
    host.is_some() && is_same_site && is_same_origin
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = text(headers, HeaderName::from_static("content-length"));
    headers.contains_key("transfer-encoding") || length.is_some_and(|length| length != "0")
}

fn is_json(kind: &str) -> bool {
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether a `Host` means a loopback address.
fn is_here(host: &str, address: SocketAddr) -> bool {
    let name = match host.parse::<SocketAddr>() {
        Ok(named) => return named.ip().is_loopback(),
        Err(_) => host.strip_suffix(&format!(":{}", address.port())).unwrap_or(host),
    };
    let plain = name.trim_start_matches('[').trim_end_matches(']');
    plain.parse::<IpAddr>().map_or_else(
        |_| name.eq_ignore_ascii_case("localhost") || name.ends_with(".localhost"),
        |ip| ip.is_loopback(),
    )
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const TOKEN: &str = "a-token-that-is-long-enough";
    const BEARER: &str = "Bearer a-token-that-is-long-enough";

    fn guard(address: &str) -> (tempfile::TempDir, Guard) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        std::fs::write(home.token(), TOKEN).unwrap();
        let address: SocketAddr = address.parse().unwrap();
        let token = (!address.ip().is_loopback()).then(|| Arc::new(Token::new(TOKEN).unwrap()));
        let (_, settings) = watch::channel(Settings::default());
        (folder, Guard { address, home, token, settings })
    }

    fn asked(guard: &Guard, method: &str, path: &str, headers: &[(&str, &str)]) -> Option<Refused> {
        let request = Request::builder().method(method).uri(path);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        guard.look(&request.body(Body::empty()).unwrap()).err()
    }

    #[test]
    fn asking_needs_a_local_name_or_the_token() {
        let (_folder, here) = guard("127.0.0.1:9615");
        let get = |guard: &Guard, path: &str, headers: &[(&str, &str)]| {
            asked(guard, "GET", path, headers)
        };
        assert_eq!(get(&here, "/metrics", &[("host", "localhost:9615")]), None);
        assert_eq!(get(&here, "/metrics", &[("host", "evil.example")]), Some(Refused::Name));
        let (_folder, there) = guard("0.0.0.0:9615");
        assert_eq!(get(&there, "/healthz", &[("host", "x")]), None);
        assert_eq!(get(&there, "/metrics", &[("host", "x")]), Some(Refused::Token));
        assert_eq!(get(&there, "/metrics", &[("host", "x"), ("authorization", BEARER)]), None);
    }

    #[test]
    fn changing_needs_the_token_and_no_foreign_page() {
        let own = ("authorization", BEARER);
        for (address, host) in [("127.0.0.1:9615", "127.0.0.1:9615"), ("0.0.0.0:80", "example.org")]
        {
            let (_folder, guard) = guard(address);
            let post = |headers: &[(&str, &str)]| {
                ["POST", "PUT", "DELETE", "PATCH"]
                    .map(|method| asked(&guard, method, "/api/anything", headers))
            };
            let all = |refused| [refused; 4];
            let host = ("host", host);
            let origin = format!("http://{}", host.1);
            assert_eq!(post(&[host]), all(Some(Refused::Token)));
            let wrong = ("authorization", "Bearer no token of ours");
            assert_eq!(post(&[host, wrong]), all(Some(Refused::Token)));
            assert_eq!(post(&[host, own]), all(None));
            assert_eq!(post(&[host, own, ("origin", &origin)]), all(None));
            for foreign in ["http://evil.example", "null", "http://127.0.0.1:3000", ""] {
                let refused = post(&[host, own, ("origin", foreign)]);
                assert_eq!(refused, all(Some(Refused::Origin)), "{foreign}");
            }
            for site in ["cross-site", "same-site"] {
                let refused = post(&[host, own, ("sec-fetch-site", site)]);
                assert_eq!(refused, all(Some(Refused::Origin)), "{site}");
            }
            assert_eq!(post(&[own]), all(Some(Refused::Origin)), "no host");
            let (length, form) = (("content-length", "3"), "application/x-www-form-urlencoded");
            let refused = post(&[host, own, length, ("content-type", form)]);
            assert_eq!(refused, all(Some(Refused::Body)));
            let json = ("content-type", "application/json; charset=utf-8");
            assert_eq!(post(&[host, own, length, json]), all(None));
        }
        let (_folder, here) = guard("127.0.0.1:9615");
        let refused = asked(&here, "POST", "/", &[("host", "evil.example:9615"), own]);
        assert_eq!(refused, Some(Refused::Name), "a name that was made to point here");
        std::fs::remove_file(here.home.token()).unwrap();
        let refused = asked(&here, "POST", "/", &[("host", "localhost"), own]);
        assert_eq!(refused, Some(Refused::Token), "without a token nobody has it");
    }

    #[test]
    fn a_service_says_that_it_lives_without_a_token_and_no_foreign_page_does() {
        let path = "/api/heartbeat/job";
        let host = ("host", "localhost:9615");
        let form = ("content-type", "application/x-www-form-urlencoded");
        for method in ["GET", "POST"] {
            let (_folder, here) = guard("127.0.0.1:9615");
            assert_eq!(asked(&here, method, path, &[host]), None);
            assert_eq!(asked(&here, method, path, &[host, ("content-length", "2"), form]), None);
            for foreign in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
                let refused = asked(&here, method, path, &[host, foreign]);
                assert_eq!(refused, Some(Refused::Origin), "{method} {foreign:?}");
            }
            let (_folder, there) = guard("0.0.0.0:9615");
            assert_eq!(asked(&there, method, path, &[host]), Some(Refused::Token));
            let known = [host, ("authorization", BEARER)];
            assert_eq!(asked(&there, method, path, &known), None);
        }
    }

    #[test]
    fn the_name_of_a_proxy_is_ours_and_a_link_is_its_own_token() {
        let (_folder, mut here) = guard("127.0.0.1:9615");
        let proxied = [("host", "ops.example.org"), ("authorization", BEARER)];
        assert_eq!(asked(&here, "GET", "/health", &proxied), Some(Refused::Name));
        let mut settings = Settings::default();
        settings.notify.base_url = Some("https://ops.example.org/zelador".to_owned());
        here.settings = watch::channel(settings).1;
        assert_eq!(asked(&here, "GET", "/health", &proxied), None);
        let rewritten = [
            ("host", "127.0.0.1:9615"),
            ("authorization", BEARER),
            ("origin", "https://ops.example.org"),
        ];
        assert_eq!(asked(&here, "POST", "/health/act", &rewritten), None);
        let link = "/health/answer/7/1000/ops/abc/approve";
        let form = ("content-type", "application/x-www-form-urlencoded");
        let (length, origin) = (("content-length", "0"), ("origin", "null"));
        let (_folder, there) = guard("0.0.0.0:9615");
        for (guard, host) in [(&here, "ops.example.org"), (&there, "x")] {
            let said = asked(guard, "POST", link, &[("host", host), form, length, origin]);
            assert_eq!(said, None, "{host}");
        }
        let rebound = asked(&here, "POST", link, &[("host", "evil.example")]);
        assert_eq!(rebound, Some(Refused::Name));
    }

    #[test]
    fn only_names_of_this_host_are_names_of_this_host() {
        let address: SocketAddr = "127.0.0.1:9615".parse().unwrap();
        for good in [
            "127.0.0.1:9615",
            "127.0.0.1",
            "localhost:9615",
            "LOCALHOST",
            "[::1]:9615",
            "[::1]",
            "127.8.8.8:80",
            "a.localhost",
        ] {
            assert!(is_here(good, address), "{good}");
        }
        for bad in [
            "evil.example:9615",
            "127.0.0.1.evil.example",
            "localhost.evil.example:9615",
            "10.0.0.1:9615",
            "",
            "0.0.0.0",
        ] {
            assert!(!is_here(bad, address), "{bad}");
        }
    }
}
