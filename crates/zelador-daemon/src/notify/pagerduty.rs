//! `PagerDuty`: events of version 2; the matter is the key by which it groups.
//!
//! Limits by its reference: a summary 1024 characters, a key 255.

use hyper::Method;
use serde_json::{Value, json};
use zelador_core::effect::Severity;
use zelador_core::notify::{News, Secret, shortened, together};

use super::answer::post;
use super::secret::Secrets;
use super::{Letter, Sent};

const SUMMARY: usize = 1024;
const KEY: usize = 255;

pub(super) async fn send(
    key: &Secret,
    server: &str,
    letter: &Letter<'_>,
    secrets: &Secrets<'_>,
) -> Sent {
    let key = secrets.reveal(key)?;
    let url = format!("{server}/v2/enqueue");
    let mut body = body(letter, &key);
    post(Method::POST, url.clone(), Vec::new(), body.to_string().into()).await?;
    if letter.message.news == News::Test {
        // Nobody is to be woken by a try.
        body["event_action"] = "resolve".into();
        post(Method::POST, url, Vec::new(), body.to_string().into()).await?;
    }
    Ok(None)
}

pub(super) fn body(letter: &Letter<'_>, key: &str) -> Value {
    let message = letter.message;
    let action = if message.news == News::Resolved { "resolve" } else { "trigger" };
    let severity = match message.severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let links: Vec<Value> =
        letter.links.iter().map(|(label, url)| json!({ "href": url, "text": label })).collect();
    json!({
        "routing_key": key,
        "event_action": action,
        "dedup_key": shortened(&format!("zelador/{}/{}", letter.host, message.key), KEY),
        "client": "zelador",
        "links": links,
        "payload": {
            "summary": shortened(&together(&letter.title, &letter.text), SUMMARY),
            "source": letter.host,
            "severity": severity,
            "timestamp": message.at.to_string(),
            "component": message.about.app,
            "group": "zelador",
            "class": message.about.kind,
            "custom_details": { "story": letter.story(4000) },
        },
    })
}
