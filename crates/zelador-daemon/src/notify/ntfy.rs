//! ntfy: a topic, on ntfy.sh or a server of one's own.
//!
//! A message has 4096 bytes at most; a longer one would become an attachment.

use hyper::Method;
use hyper::header::AUTHORIZATION;
use serde_json::{Value, json};
use zelador_core::effect::Severity;
use zelador_core::notify::{News, Secret, shortened};

use super::answer::post;
use super::secret::Secrets;
use super::{Letter, Sent};

const TITLE: usize = 200;
const BYTES: usize = 3900;

/// A message has three buttons at most.
const ACTIONS: usize = 3;

/// More is not shown on a phone.
const LABEL: usize = 60;

pub(super) async fn send(
    server: &str,
    topic: &Secret,
    token: Option<&Secret>,
    letter: &Letter<'_>,
    secrets: &Secrets<'_>,
) -> Sent {
    let body = body(letter, &secrets.reveal(topic)?).to_string().into_bytes();
    let headers = match token {
        Some(token) => vec![(AUTHORIZATION, format!("Bearer {}", secrets.reveal(token)?))],
        None => Vec::new(),
    };
    post(Method::POST, server.to_owned(), headers, body).await?;
    Ok(None)
}

pub(super) fn body(letter: &Letter<'_>, topic: &str) -> Value {
    let message = letter.message;
    // 5 to 1: max, high, default, low, min.
    let (priority, tag) = match message.severity {
        _ if message.is_over() => (3, "white_check_mark"),
        Severity::Critical => (5, "rotating_light"),
        Severity::Warning => (4, "warning"),
        Severity::Info => (2, "information_source"),
    };
    let mut text = letter.text.clone();
    for (label, value) in letter.fields() {
        text.push_str(&format!("\n{label}: {value}"));
    }
    let story = letter.story(usize::MAX);
    if !story.is_empty() {
        text.push_str(&format!("\n\n{story}"));
    }
    while text.len() > BYTES {
        text = shortened(&text, text.chars().count() - 1 - (text.len() - BYTES) / 4);
    }
    let word = match message.news {
        News::Opened | News::Event | News::Test | News::Digest => String::new(),
        News::Changed | News::Reminder | News::Resolved => format!(" ({})", message.news_word()),
    };
    let mut body = json!({
        "topic": topic,
        "title": shortened(&format!("{}{word}", letter.title), TITLE),
        "message": text,
        "priority": priority,
        "tags": [tag],
    });
    if let Some((_, url)) = letter.links.last() {
        body["click"] = url.as_str().into();
    }
    let view = |(label, url): &(String, String)| json!({ "action": "view", "label": shortened(label, LABEL), "url": url });
    let actions: Vec<Value> = letter.links.iter().take(ACTIONS).map(view).collect();
    if !actions.is_empty() {
        body["actions"] = actions.into();
    }
    body
}
