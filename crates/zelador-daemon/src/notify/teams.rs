//! Microsoft Teams: a workflow that begins with a webhook takes an adaptive card.
//!
//! A message is 28 kB at most, so its parts are kept short.

use hyper::Method;
use serde_json::{Value, json};
use zelador_core::effect::Severity;
use zelador_core::notify::{Secret, shortened};

use super::answer::post;
use super::secret::Secrets;
use super::{Letter, Sent};

const TITLE: usize = 250;
const TEXT: usize = 3000;

pub(super) async fn send(url: &Secret, letter: &Letter<'_>, secrets: &Secrets<'_>) -> Sent {
    let body = body(letter).to_string().into_bytes();
    post(Method::POST, secrets.reveal(url)?, Vec::new(), body).await?;
    Ok(None)
}

pub(super) fn body(letter: &Letter<'_>) -> Value {
    let message = letter.message;
    let style = match message.severity {
        _ if message.is_over() => "good",
        Severity::Critical => "attention",
        Severity::Warning => "warning",
        Severity::Info => "accent",
    };
    let text = |text: String| json!({ "type": "TextBlock", "text": text, "wrap": true });
    let mut title = text(shortened(&letter.headline(), TITLE));
    title["weight"] = "Bolder".into();
    title["size"] = "Medium".into();
    let facts: Vec<Value> = letter
        .fields()
        .into_iter()
        .map(|(label, value)| json!({ "title": label, "value": value }))
        .collect();
    let mut parts = vec![
        json!({ "type": "Container", "style": style, "bleed": true, "items": [title] }),
        text(shortened(&letter.text, TEXT)),
        json!({ "type": "FactSet", "facts": facts }),
    ];
    let story = letter.story(TEXT);
    if !story.is_empty() {
        let mut block = text(story.replace('\n', "\n\n"));
        block["fontType"] = "Monospace".into();
        block["isSubtle"] = true.into();
        parts.push(block);
    }
    let actions: Vec<Value> = letter
        .links
        .iter()
        .map(|(label, url)| json!({ "type": "Action.OpenUrl", "title": label, "url": url }))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": parts,
                "actions": actions,
            },
        }],
    })
}
