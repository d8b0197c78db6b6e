//! Slack: an incoming webhook, or a bot that answers in the thread of the first message.
//!
//! Limits by Slack's reference of Block Kit: a header 150 characters, a section 3000, a field 2000 and
//! ten of them, a button's text 75 and its address 3000, fifty blocks.

use hyper::Method;
use hyper::header::AUTHORIZATION;
use serde_json::{Value, json};
use zelador_core::notify::{News, SlackTo, shortened};
use zelador_core::words;

use super::answer::{not_understood, post};
use super::secret::Secrets;
use super::{Failed, Letter, Sent};

const HEADER: usize = 150;
const SECTION: usize = 2900;
const FIELD: usize = 1900;
const BUTTON: usize = 75;

pub(super) async fn send(to: &SlackTo, letter: &Letter<'_>, secrets: &Secrets<'_>) -> Sent {
    let mut body = body(letter);
    match to {
        SlackTo::Webhook { url } => {
            post(Method::POST, secrets.reveal(url)?, Vec::new(), body.to_string().into()).await?;
            Ok(None)
        }
        SlackTo::Bot { token, channel, server } => {
            // A handle is the channel's id and the time stamp of the first message.
            let thread = letter.handle.and_then(|handle| handle.split_once('/'));
            body["channel"] = thread.map_or(channel.as_str(), |(channel, _)| channel).into();
            if let Some((_, first)) = thread {
                body["thread_ts"] = first.into();
                body["reply_broadcast"] = (letter.message.news == News::Resolved).into();
            }
            let headers = vec![(AUTHORIZATION, format!("Bearer {}", secrets.reveal(token)?))];
            let url = format!("{server}/chat.postMessage");
            let answer = post(Method::POST, url, headers, body.to_string().into()).await?;
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if said["ok"] != true {
                let error = said["error"].as_str().unwrap_or_default();
                let refused = matches!(error, "invalid_blocks" | "msg_too_long" | "no_text");
                let reason = match error {
                    "" => not_understood("Slack"),
                    error => words!("Slack says {error}", "o Slack diz {error}"),
                };
                return Err(Failed {
                    refused,
                    retry_after: answer.retry_after,
                    ..Failed::new(reason)
                });
            }
            let known = thread.map(|(channel, first)| format!("{channel}/{first}"));
            let first = || Some(format!("{}/{}", said["channel"].as_str()?, said["ts"].as_str()?));
            Ok(known.or_else(first))
        }
    }
}

/// The message in blocks.
pub(super) fn body(letter: &Letter<'_>) -> Value {
    let plain = |text: String| json!({ "type": "plain_text", "text": text, "emoji": true });
    let marked = |text: String| json!({ "type": "mrkdwn", "text": text });
    let mut blocks = vec![
        json!({ "type": "header", "text": plain(shortened(&letter.headline(), HEADER)) }),
        json!({ "type": "section", "text": marked(escaped(&letter.text, SECTION)) }),
    ];
    let fields: Vec<Value> = letter
        .fields()
        .into_iter()
        .take(10)
        .map(|(label, value)| marked(format!("*{label}*\n{}", escaped(&value, FIELD))))
        .collect();
    blocks.push(json!({ "type": "section", "fields": fields }));
    let story = letter.story(SECTION);
    if !story.is_empty() {
        let story = escaped(&story.replace("```", "'''"), SECTION);
        blocks.push(json!({ "type": "section", "text": marked(format!("```{story}```")) }));
    }
    let buttons: Vec<Value> = letter
        .links
        .iter()
        .take(5)
        .enumerate()
        .map(|(index, (label, url))| {
            let text = plain(shortened(label, BUTTON));
            json!({ "type": "button", "text": text, "url": url, "action_id": format!("link-{index}") })
        })
        .collect();
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": buttons }));
    }
    let fallback = shortened(&format!("{}: {}", letter.headline(), letter.text), SECTION);
    json!({
        "text": escaped(&fallback, SECTION),
        "attachments": [{ "color": format!("#{:06x}", letter.colour()), "blocks": blocks }],
    })
}

/// Slack's three characters that mean something; cut so that no escape is cut.
fn escaped(text: &str, most: usize) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        let piece = match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            other => other.to_string(),
        };
        if escaped.chars().count() + piece.chars().count() >= most {
            escaped.push('…');
            break;
        }
        escaped.push_str(&piece);
    }
    escaped
}
