//! A webhook of anybody's: JSON, signed so that the receiver knows who sent it and when.
//!
//! `X-Zelador-Signature: v1=HEX` is the HMAC-SHA256 of `TIMESTAMP.BODY` by the shared secret, with
//! `X-Zelador-Timestamp` in seconds since the Unix epoch: a receiver refuses old ones.

use hmac::{Hmac, Mac};
use hyper::Method;
use hyper::header::HeaderName;
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};
use zelador_core::notify::Secret;

use super::answer::post;
use super::secret::Secrets;
use super::{Letter, Sent};

pub(super) async fn send(
    url: &Secret,
    secret: Option<&Secret>,
    letter: &Letter<'_>,
    secrets: &Secrets<'_>,
) -> Sent {
    let body = body(letter).to_string();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut headers = vec![
        (HeaderName::from_static("x-zelador-timestamp"), now.to_string()),
        (HeaderName::from_static("idempotency-key"), id(letter)),
    ];
    if let Some(secret) = secret {
        let signature = signature(&secrets.reveal(secret)?, now, &body);
        headers.push((HeaderName::from_static("x-zelador-signature"), format!("v1={signature}")));
    }
    post(Method::POST, secrets.reveal(url)?, headers, body.into_bytes()).await?;
    Ok(None)
}

/// The same for every try of one message.
fn id(letter: &Letter<'_>) -> String {
    format!("{}/{}", letter.message.key, letter.message.at.as_micros())
}

/// In hexadecimal digits.
pub(super) fn signature(secret: &str, timestamp: u64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut digits, byte| {
        // Writing to memory cannot fail.
        _ = write!(digits, "{byte:02x}");
        digits
    })
}

pub(super) fn body(letter: &Letter<'_>) -> Value {
    let message = letter.message;
    let story: Vec<Value> = message
        .story
        .iter()
        .map(|tale| json!({ "at": tale.at.to_string(), "what": tale.what }))
        .collect();
    let links: Vec<Value> =
        letter.links.iter().map(|(label, url)| json!({ "label": label, "url": url })).collect();
    json!({
        "version": 1,
        "id": id(letter),
        "key": message.key,
        "news": message.news,
        "severity": message.severity,
        "kind": message.about.kind,
        "app": message.about.app,
        "incident": message.about.incident,
        "host": letter.host,
        "title": letter.title,
        "text": letter.text,
        "story": story,
        "links": links,
        "opened_at": message.opened_at.to_string(),
        "at": message.at.to_string(),
        "repeats": message.repeats,
    })
}
