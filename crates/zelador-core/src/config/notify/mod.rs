//! Notices: channels, routes, quiet hours, limits.
//!
//! Always holds: nothing that must stay secret comes out of here, only where it is found.

mod channel;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::civil::Time;
use serde::{Deserialize, Serialize};

use super::names::{Names, nearest_of};
use super::node::Value;
use super::overlay::Switch;
use super::place::Place;
use crate::effect::Severity;
use crate::notify::{Channel, EVENT_KINDS, Language, Limit, Plan, QuietHours, Route, is_kind};
pub(super) use channel::kept_elsewhere;
use channel::{channels, http_address};

/// The fields of the block `notify`.
const NOTIFY: &[Names] = &[
    ("channels", &[]),
    ("routes", &[]),
    ("quiet_hours", &[]),
    ("reminders", &[]),
    ("resolved", &[]),
    ("dedup", &[]),
    ("rate_limit", &[]),
    ("language", &[]),
    ("time_zone", &["TZ", "tz"]),
    ("host", &[]),
    ("base_url", &[]),
];

const ROUTE: &[Names] = &[("app", &["apps"]), ("severity", &[]), ("kind", &["kinds"]), ("to", &[])];
const QUIET: &[Names] = &[("from", &[]), ("to", &[]), ("time_zone", &["TZ", "tz"])];
const LIMIT: &[Names] = &[("most", &[]), ("within", &[])];

/// What is said about notices; what is not said is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotifyOverlay {
    /// Channels by name; one of the same name in a lower layer is replaced as a whole.
    pub channels: BTreeMap<String, Channel>,
    /// Routes; those of all layers count.
    pub routes: Vec<Route>,
    /// Quiet hours.
    pub quiet: Option<Switch<QuietHours>>,
    /// How often people are reminded.
    pub remind_every: Option<Switch<Duration>>,
    /// Whether the end is told.
    pub resolved: Option<bool>,
    /// How long the same words are not said again.
    pub dedup: Option<Switch<Duration>>,
    /// How many messages a channel gets.
    pub limit: Option<Switch<Limit>>,
    /// The language.
    pub language: Option<Language>,
    /// The time zone.
    pub zone: Option<String>,
    /// What this host is called.
    pub host: Option<String>,
    /// Where links begin.
    pub base_url: Option<String>,
}

impl NotifyOverlay {
    /// Returns `below` with what is said here.
    pub(super) fn over(&self, mut below: Plan) -> Plan {
        below.channels.extend(self.channels.clone());
        below.routes.extend(self.routes.iter().cloned());
        if let Some(quiet) = self.quiet.clone() {
            below.quiet = quiet.value();
        }
        if let Some(every) = self.remind_every {
            below.remind_every = every.value();
        }
        below.resolved = self.resolved.unwrap_or(below.resolved);
        if let Some(dedup) = self.dedup {
            below.dedup = dedup.value().unwrap_or_default();
        }
        if let Some(limit) = self.limit {
            below.limit = limit.value().unwrap_or(NO_LIMIT);
        }
        below.language = self.language.unwrap_or(below.language);
        below.zone = self.zone.clone().or(below.zone);
        below.host = self.host.clone().or(below.host);
        below.base_url = self.base_url.clone().or(below.base_url);
        below
    }

    /// Reads the block `notify`; relative paths begin at `folder`.
    pub(super) fn check(place: &Place<'_>, folder: &Path) -> Self {
        let mut overlay = Self::default();
        let Some(block) = place.block("`notify`", NOTIFY) else { return overlay };
        if let Some(place) = block.get("channels") {
            overlay.channels = channels(place, folder);
        }
        if let Some(place) = block.get("routes") {
            // A file without channels may route to those of `zelador.toml`.
            let entries = block.get("channels").and_then(Place::entries);
            let known: Option<BTreeSet<String>> =
                entries.map(|all| all.iter().map(|(key, _)| key.name.clone()).collect());
            overlay.routes = routes(place, known.as_ref());
        }
        overlay.quiet = block.get("quiet_hours").and_then(quiet);
        overlay.remind_every = block
            .get("reminders")
            .and_then(|place| switch(place, |place| place.span(Duration::from_mins(1))));
        overlay.resolved = block.get("resolved").and_then(Place::flag);
        overlay.dedup = block
            .get("dedup")
            .and_then(|place| switch(place, |place| place.span(Duration::from_secs(1))));
        overlay.limit = block.get("rate_limit").and_then(|place| switch(place, limit));
        overlay.language = block.get("language").and_then(|place| {
            let language = Language::read(&place.text()?);
            language.or_else(|| place.refuse("`en` or `pt-BR`"))
        });
        overlay.zone = block.get("time_zone").and_then(zone);
        overlay.host = block.get("host").and_then(Place::text);
        overlay.base_url = block.get("base_url").and_then(http_address);
        if block.get("base_url").is_none() {
            let channels = block.get("channels").and_then(Place::entries).unwrap_or_default();
            for (key, place) in channels {
                if overlay.channels.get(&key.name).is_some_and(|channel| channel.answers) {
                    place.note(NO_LINKS);
                }
            }
        }
        overlay
    }
}

/// Said where links are asked for and nothing tells where they begin; another file may.
const NO_LINKS: &str = "`answers: true` sends no link unless `base_url` of `notify` says where links \
    begin, like `https://ops.example.org`, here or in `zelador.toml`";

/// No channel comes to this within its span.
const NO_LIMIT: Limit = Limit { most: u32::MAX, within: Duration::from_secs(1) };

fn switch<T>(place: &Place<'_>, read: impl Fn(&Place<'_>) -> Option<T>) -> Option<Switch<T>> {
    if place.is_false() { Some(Switch::Off) } else { read(place).map(Switch::On) }
}

fn limit(place: &Place<'_>) -> Option<Limit> {
    if !matches!(place.node.value, Value::Table(_)) {
        return place.refuse("`{ most: 10, within: '1m' }`, or false");
    }
    let block = place.block("`rate_limit`", LIMIT)?;
    let usual = Limit::default();
    let most = block
        .get("most")
        .map_or(Some(usual.most), |place| place.whole(1..=10_000).map(|most| most as u32));
    let within =
        block.get("within").map_or(Some(usual.within), |place| place.span(Duration::from_secs(1)));
    Some(Limit { most: most?, within: within? })
}

fn quiet(place: &Place<'_>) -> Option<Switch<QuietHours>> {
    if place.is_false() {
        return Some(Switch::Off);
    }
    if !matches!(place.node.value, Value::Table(_)) {
        return place.refuse("`{ from: '22:00', to: '07:00' }`, or false");
    }
    let block = place.block("`quiet_hours`", QUIET)?;
    let time = |name: &str| match block.get(name) {
        Some(place) => {
            let time: Option<Time> = place.text().and_then(|text| text.trim().parse().ok());
            time.or_else(|| place.refuse("a time of day like `22:00`"))
        }
        None => place.refuse_found(format!("no `{name}`"), "both `from` and `to`"),
    };
    let zone = block.get("time_zone").and_then(zone);
    let (from, to) = (time("from"), time("to"));
    let (from, to) = (from?, to?);
    if from == to {
        return block.get("to")?.refuse("another time than `from`");
    }
    Some(Switch::On(QuietHours { from, to, zone }))
}

fn zone(place: &Place<'_>) -> Option<String> {
    let name = place.text()?;
    let known = jiff::tz::TimeZone::get(&name).is_ok();
    if known { Some(name) } else { place.refuse("a time zone like `America/Sao_Paulo`") }
}

fn routes(place: &Place<'_>, known: Option<&BTreeSet<String>>) -> Vec<Route> {
    if !matches!(place.node.value, Value::List(_)) {
        return place.refuse("a list like `[{ app: 'api', to: 'ops' }]`").unwrap_or_default();
    }
    place.items().iter().filter_map(|place| route(place, known)).collect()
}

fn route(place: &Place<'_>, known: Option<&BTreeSet<String>>) -> Option<Route> {
    let block = place.block("a route", ROUTE)?;
    let texts = |name: &str| match block.get(name) {
        None => Some(Vec::new()),
        Some(place) if matches!(place.node.value, Value::List(_)) => {
            place.items().iter().map(Place::text).collect()
        }
        Some(place) => place.text().map(|one| vec![one]),
    };
    let severity = match block.get("severity") {
        None => Some(Severity::Warning),
        Some(place) => match place.text().as_deref() {
            Some("info") => Some(Severity::Info),
            Some("warning") => Some(Severity::Warning),
            Some("critical") => Some(Severity::Critical),
            _ => place.refuse("`info`, `warning` or `critical`"),
        },
    };
    let (apps, kinds, to) = (texts("app"), texts("kind"), texts("to"));
    for kind in kinds.iter().flatten().filter(|kind| !is_kind(kind)) {
        let allowed =
            format!("{}, or a trouble like crash-loop, unresponsive", EVENT_KINDS.join(", "));
        block.get("kind")?.refuse_found::<()>(format!("{kind:?}"), allowed);
    }
    let to = to?;
    if to.is_empty() {
        return block.get("to").unwrap_or(place).refuse_found("no channel", "`to: 'ops'`");
    }
    for name in &to {
        if let Some(known) = known.filter(|known| !known.contains(name)) {
            let names = known.iter().map(String::as_str);
            let near = nearest_of(name, names.clone());
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let allowed = format!("channels: {}", names.collect::<Vec<_>>().join(", "));
            let place = block.get("to")?;
            let (position, found) = (place.node.position, format!("{name:?}"));
            place.report.mistake(position, &place.field, found, allowed, help);
        }
    }
    Some(Route { apps: apps?, severity: severity?, kinds: kinds?, to })
}
