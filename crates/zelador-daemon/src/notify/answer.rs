//! What a web service's answer means for a message.

use std::time::Duration;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName};
use serde_json::Value;
use zelador_core::notify::shortened;
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use super::{Failed, PATIENCE};
use crate::https::{self, Answer, Ask};

/// How much of an answer a reason repeats.
const REPEATED: usize = 160;

/// Sends JSON; an answer that is not good is a failure.
pub(super) async fn post(
    method: Method,
    url: String,
    mut headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
) -> Result<Answer, Failed> {
    headers.push((CONTENT_TYPE, "application/json".to_owned()));
    let ask = Ask { method, url, headers, body: body.into() };
    let answer = https::ask(ask, PATIENCE).await.map_err(|error| Failed::new(error.words()))?;
    judge(answer)
}

/// An answer that says that it went well, or what went wrong.
pub(super) fn judge(answer: Answer) -> Result<Answer, Failed> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let text =
        said_in(&answer.body).unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = if text.is_empty() || text.starts_with('<') {
        String::new()
    } else {
        format!(": {}", shortened(&text, REPEATED))
    };
    Err(Failed {
        reason: quoted(format!("HTTP {}{said}", answer.status)),
        retry_after: answer.retry_after.or_else(|| retry_after(&answer.body)),
        // What is wrong with an address or a token may be mended; what is wrong with a message not.
        refused: matches!(answer.status, 400 | 413 | 422),
    })
}

/// A good answer that says something else than the service's reference has.
pub(super) fn not_understood(service: &str) -> Words {
    words!("{service}'s answer is not understood", "a resposta do {service} não foi entendida")
}

/// What a body of JSON says to people: `message` of Discord and `PagerDuty`, which tells the errors beside
/// it, `description` of Telegram, `error` of ntfy.
fn said_in(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let said = ["message", "description", "error"].iter().find_map(|name| body[name].as_str())?;
    let errors = body["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Some(std::iter::once(said).chain(errors).collect::<Vec<_>>().join("; "))
}

/// Discord and Telegram say it in the body too, in seconds.
fn retry_after(body: &[u8]) -> Option<Duration> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let said = body.get("retry_after").or_else(|| body.get("parameters")?.get("retry_after"))?;
    Duration::try_from_secs_f64(said.as_f64()?).ok()
}
