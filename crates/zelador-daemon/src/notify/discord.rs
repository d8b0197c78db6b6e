//! Discord: a webhook whose message is changed in its place.
//!
//! Limits by Discord's reference: a title 256 characters, a description 4096, 25 fields of 256 and
//! 1024, 6000 all together; nobody is called by name, whatever a log line says.

use hyper::Method;
use serde_json::{Value, json};
use zelador_core::notify::{Secret, shortened};

use super::answer::post;
use super::secret::Secrets;
use super::{Letter, Sent};

const TITLE: usize = 256;
const DESCRIPTION: usize = 3500;
const VALUE: usize = 200;

pub(super) async fn send(url: &Secret, letter: &Letter<'_>, secrets: &Secrets<'_>) -> Sent {
    let url = secrets.reveal(url)?;
    let body = body(letter).to_string().into_bytes();
    let (path, query) = url.split_once('?').unwrap_or((url.as_str(), ""));
    let and = if query.is_empty() { String::new() } else { format!("&{query}") };
    if let Some(first) = letter.handle {
        let url = format!("{path}/messages/{first}?{}", and.trim_start_matches('&'));
        let url = url.trim_end_matches('?').to_owned();
        match post(Method::PATCH, url, Vec::new(), body.clone()).await {
            Ok(_) => return Ok(Some(first.to_owned())),
            // Somebody deleted it: it is written anew.
            Err(failed) if failed.reason.english().starts_with("HTTP 404") => {}
            Err(failed) => return Err(failed),
        }
    }
    let answer = post(Method::POST, format!("{path}?wait=true{and}"), Vec::new(), body).await?;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(said["id"].as_str().map(str::to_owned))
}

pub(super) fn body(letter: &Letter<'_>) -> Value {
    let message = letter.message;
    let mut description = letter.text.clone();
    let story = letter.story(DESCRIPTION);
    if !story.is_empty() {
        description = format!("{description}\n```\n{}\n```", story.replace("```", "'''"));
    }
    if description.chars().count() > DESCRIPTION {
        description = format!("{}\n```", shortened(&description, DESCRIPTION));
    }
    for (label, url) in &letter.links {
        description.push_str(&format!("\n[{label}]({url})"));
    }
    let field = |(label, value): (&str, String)| json!({ "name": label, "value": shortened(&value, VALUE), "inline": true });
    let fields: Vec<Value> = letter.fields().into_iter().map(field).collect();
    json!({
        "embeds": [{
            "title": shortened(&letter.headline(), TITLE),
            "description": description,
            "color": letter.colour(),
            "fields": fields,
            "footer": { "text": "zelador" },
            "timestamp": message.at.to_string(),
        }],
        "allowed_mentions": { "parse": [] },
    })
}
