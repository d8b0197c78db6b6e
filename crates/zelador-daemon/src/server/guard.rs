//! Who may ask over TCP.
//!
//! On loopback everybody on this host, and no web page of somebody else's: a name that was made to
//! point here (DNS rebinding) is refused by its `Host`. On an address that others reach, whoever has
//! the token; `/healthz`, which says one word, answers load balancers without it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use zelador_api::problem::Problem;
use zelador_api::token::Token;

use super::Failure;

/// What is asked of a request.
#[derive(Clone, Debug)]
enum Rule {
    /// It names this host.
    Local(SocketAddr),
    /// It has the token.
    Token(Arc<Token>),
}

/// Puts the guard before a router that listens on `address`; `None`: others reach it, and there is no
/// token.
pub(super) fn guarded(router: Router, address: SocketAddr, token: Option<Token>) -> Option<Router> {
    let rule = match token {
        _ if address.ip().is_loopback() => Rule::Local(address),
        Some(token) => Rule::Token(Arc::new(token)),
        None => return None,
    };
    Some(router.layer(from_fn_with_state(rule, check)))
}

impl Rule {
    fn allows(&self, request: &Request) -> bool {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        match self {
            Self::Local(address) => header(HOST).is_none_or(|host| is_here(host, *address)),
            Self::Token(token) => {
                let given = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
                request.uri().path() == "/healthz" || given.is_some_and(|given| token.is(given))
            }
        }
    }
}

async fn check(State(rule): State<Rule>, request: Request, next: Next) -> Response {
    if rule.allows(&request) {
        return next.run(request).await;
    }
    let (status, error, help) = match rule {
        Rule::Local(_) => (
            StatusCode::MISDIRECTED_REQUEST,
            "this is no name of this host",
            "ask for 127.0.0.1 or localhost",
        ),
        Rule::Token(_) => (
            StatusCode::UNAUTHORIZED,
            "the token is missing or wrong",
            "send `Authorization: Bearer TOKEN`; `zelador token` on the host prints it",
        ),
    };
    let problem = Problem { error: error.to_owned(), help: Some(help.to_owned()) };
    Failure { status, problem }.into_response()
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
    use super::*;

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
