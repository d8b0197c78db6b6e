//! Brings the ping outward to where somebody hears it.
//!
//! Always holds: the address is in no text that comes back; what answers is believed only with a 2xx.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use zelador_api::home::Home;
use zelador_core::pulse::NotHeard;
use zelador_core::retry::ErrorClass;
use zelador_core::spec::{PulseAddress, failing};
use zelador_core::words::quoted;

use crate::https::{self, Ask};
use crate::notify::reveal;

/// Pings once.
pub async fn ping(
    to: &PulseAddress,
    is_failing: bool,
    timeout: Duration,
    home: &Home,
) -> Result<(), NotHeard> {
    let url = match to {
        PulseAddress::Url(url) => url.clone(),
        PulseAddress::Secret(secret) => reveal(secret, home).map_err(|reason| NotHeard {
            class: ErrorClass::Invalid,
            reason,
            retry_after: None,
        })?,
    };
    let url = if is_failing { failing(&url) } else { url };
    let ask = Ask { method: Method::GET, url, headers: Vec::new(), body: Bytes::new() };
    let answer = https::ask(ask, timeout).await.map_err(|error| NotHeard {
        class: error.class(),
        reason: error.words(),
        retry_after: None,
    })?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    Err(NotHeard {
        // A redirection is an address that is not right any more.
        class: ErrorClass::of_http_status(answer.status).unwrap_or(ErrorClass::Invalid),
        reason: quoted(format!("HTTP {}", answer.status)),
        retry_after: answer.retry_after,
    })
}
