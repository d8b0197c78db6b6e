//! Telegram: a bot whose message is changed in its place.
//!
//! A text has 4096 characters at most after its marks are read (`sendMessage` in the Bot API).

use hyper::Method;
use serde_json::{Value, json};
use zelador_core::notify::{News, Secret, shortened};

use super::answer::{not_understood, post};
use super::secret::Secrets;
use super::{Failed, Letter, Sent};

const TITLE: usize = 256;
const TEXT: usize = 1200;
const STORY: usize = 1800;

pub(super) async fn send(
    token: &Secret,
    chat: &str,
    server: &str,
    letter: &Letter<'_>,
    secrets: &Secrets<'_>,
) -> Sent {
    let at = format!("{server}/bot{}", secrets.reveal(token)?);
    let mut body = body(letter, chat);
    let first = letter.handle.and_then(|handle| handle.parse::<i64>().ok());
    let method = match first {
        // A change is silent; the end is worth a sound.
        Some(first) if letter.message.news == News::Resolved => {
            body["reply_parameters"] =
                json!({ "message_id": first, "allow_sending_without_reply": true });
            "sendMessage"
        }
        Some(first) => {
            body["message_id"] = first.into();
            "editMessageText"
        }
        None => "sendMessage",
    };
    let url = format!("{at}/{method}");
    let answer = match post(Method::POST, url, Vec::new(), body.to_string().into()).await {
        Err(failed) if failed.reason.english().contains("message is not modified") => {
            return Ok(letter.handle.map(str::to_owned));
        }
        other => other?,
    };
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if said["ok"] != true {
        return Err(Failed::new(not_understood("Telegram")));
    }
    let known = letter.handle.map(str::to_owned);
    Ok(known.or_else(|| said["result"]["message_id"].as_i64().map(|id| id.to_string())))
}

pub(super) fn body(letter: &Letter<'_>, chat: &str) -> Value {
    let mut text = format!("<b>{}</b>\n", escaped(&shortened(&letter.headline(), TITLE)));
    text.push_str(&escaped(&shortened(&letter.text, TEXT)));
    text.push('\n');
    for (label, value) in letter.fields() {
        text.push_str(&format!("\n{label}: {}", escaped(&shortened(&value, 100))));
    }
    let story = letter.story(STORY);
    if !story.is_empty() {
        text.push_str(&format!("\n\n<pre>{}</pre>", escaped(&story)));
    }
    for (label, url) in &letter.links {
        let url = escaped(url).replace('"', "%22");
        text.push_str(&format!("\n<a href=\"{url}\">{}</a>", escaped(label)));
    }
    json!({
        "chat_id": chat,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": { "is_disabled": true },
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
