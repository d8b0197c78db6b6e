//! What zelador itself has on record: its incidents, its events, and what reached a person.

use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;
use zelador_api::unit::Moment;
use zelador_api::{Incident, route};

use crate::home::{Zelador, text};
use crate::receiver::Receiver;

/// One line of `events.jsonl`.
#[derive(Debug, Deserialize)]
pub(super) struct Happened {
    /// When.
    pub at: Moment,
    kind: String,
    data: Value,
}

impl Happened {
    /// The phase that an instance of the app went into.
    pub fn phase_of(&self, app: &str) -> Option<&str> {
        let is_its = self.kind == "instance" && self.data["app"] == app;
        self.data["phase"].as_str().filter(|_| is_its)
    }
}

/// The incidents of an app that were opened at this moment or later, the oldest first.
pub(super) fn incidents(zelador: &Zelador, app: &str, since: Moment) -> Vec<Incident> {
    let all = zelador.ask(route::INCIDENTS).unwrap_or_default();
    let all: Vec<Incident> = serde_json::from_value(all).expect("incidents are of their type");
    let mut found: Vec<Incident> =
        all.into_iter().filter(|it| it.app.as_str() == app && it.opened_at >= since).collect();
    found.sort_by_key(|it| it.id);
    found
}

/// What happened at this moment or later, the oldest first.
pub(super) fn events(zelador: &Zelador, since: Moment) -> Vec<Happened> {
    let lines = text(zelador.home().join("events.jsonl"));
    // The last line may be half written.
    let events = lines.lines().filter_map(|line| serde_json::from_str::<Happened>(line).ok());
    events.filter(|it| it.at >= since).collect()
}

/// When a person was first told that the app needs one, or is down since its breaker opened.
pub(super) fn told(receiver: &Receiver, app: &str, since: Instant) -> Option<Instant> {
    let got = receiver.got();
    let calls = got.iter().filter(|got| got.at >= since).find(|got| {
        let body = got.json();
        body["app"] == app && (body["severity"] == "critical" || body["kind"] == "crash-loop")
    });
    calls.map(|got| got.at)
}
