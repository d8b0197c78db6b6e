//! Notices: channels, routes, quiet hours, limits.
//!
//! Always holds: nothing that must stay secret comes out of here, only where it is found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::civil::Time;
use serde::{Deserialize, Serialize};

use super::fields::{Names, nearest_of};
use super::node::Value;
use super::overlay::Switch;
use super::place::{Block, Place};
use crate::effect::Severity;
use crate::notify::{
    Channel, ChannelKind, EVENT_KINDS, Language, Limit, MailTls, Plan, QuietHours, Route, Secret,
    SlackTo, Template, is_kind,
};
use crate::watch::absolute;

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
    ("host", &[]),
    ("base_url", &[]),
];

/// The fields of a channel: one kind, and how it reads.
const CHANNEL: &[Names] = &[
    ("slack", &[]),
    ("discord", &[]),
    ("teams", &[]),
    ("telegram", &[]),
    ("ntfy", &[]),
    ("webhook", &[]),
    ("mail", &["email"]),
    ("pagerduty", &[]),
    ("template", &[]),
];

const KINDS: [&str; 8] =
    ["slack", "discord", "teams", "telegram", "ntfy", "webhook", "mail", "pagerduty"];

const SLACK: &[Names] = &[
    ("url_env", &[]),
    ("url_file", &[]),
    ("url", &[]),
    ("token_env", &[]),
    ("token_file", &[]),
    ("token", &[]),
    ("channel", &[]),
    ("server", &[]),
];
const HOOK: &[Names] = &[("url_env", &[]), ("url_file", &[]), ("url", &[])];
const TELEGRAM: &[Names] = &[
    ("token_env", &[]),
    ("token_file", &[]),
    ("token", &[]),
    ("chat", &["chat_id"]),
    ("server", &[]),
];
const NTFY: &[Names] = &[
    ("server", &[]),
    ("topic_env", &[]),
    ("topic_file", &[]),
    ("topic", &[]),
    ("token_env", &[]),
    ("token_file", &[]),
    ("token", &[]),
];
const WEBHOOK: &[Names] = &[
    ("url_env", &[]),
    ("url_file", &[]),
    ("url", &[]),
    ("secret_env", &[]),
    ("secret_file", &[]),
    ("secret", &[]),
];
const MAIL: &[Names] = &[
    ("host", &[]),
    ("port", &[]),
    ("tls", &[]),
    ("from", &[]),
    ("to", &[]),
    ("user", &["username"]),
    ("password_env", &[]),
    ("password_file", &[]),
    ("password", &[]),
];
const PAGERDUTY: &[Names] = &[
    ("routing_key_env", &["key_env"]),
    ("routing_key_file", &["key_file"]),
    ("routing_key", &["key"]),
    ("server", &[]),
];
const TEMPLATE: &[Names] = &[("title", &[]), ("text", &[])];
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
        overlay.host = block.get("host").and_then(Place::text);
        overlay.base_url = block.get("base_url").and_then(http_address);
        overlay
    }
}

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
    let zone = block.get("time_zone").map(|place| {
        let name = place.text()?;
        let known = jiff::tz::TimeZone::get(&name).is_ok();
        if known { Some(name) } else { place.refuse("a time zone like `America/Sao_Paulo`") }
    });
    let (from, to) = (time("from"), time("to"));
    let (from, to) = (from?, to?);
    if from == to {
        return block.get("to")?.refuse("another time than `from`");
    }
    Some(Switch::On(QuietHours { from, to, zone: zone.flatten() }))
}

fn channels(place: &Place<'_>, folder: &Path) -> BTreeMap<String, Channel> {
    let mut channels = BTreeMap::new();
    let Some(entries) = place.entries() else {
        place.refuse::<()>("an object like `{ ops: { slack: { url_env: 'SLACK_URL' } } }`");
        return channels;
    };
    for (key, place) in entries {
        let name = key.name.as_str();
        let is_plain = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
        if !is_plain {
            place.refuse_found::<()>("this name", "letters, digits, `-`, `_` and `.`, at most 64");
        }
        if let Some(channel) = channel(&place, folder) {
            channels.insert(key.name.clone(), channel);
        }
    }
    channels
}

/// It is part of keys, of a path of the API and of headlines.
const LONGEST_NAME: usize = 64;

fn channel(place: &Place<'_>, folder: &Path) -> Option<Channel> {
    let block = place.block("a channel", CHANNEL)?;
    let template = block.get("template").map(template).unwrap_or_default();
    let said: Vec<&str> = KINDS.into_iter().filter(|kind| block.get(kind).is_some()).collect();
    let [kind] = said.as_slice() else {
        let found = match said.as_slice() {
            [] => "none of them".to_owned(),
            several => several.join(" and "),
        };
        return place.refuse_found(found, format!("one of {}", KINDS.join(", ")));
    };
    let kind_place = block.get(kind)?;
    let reader = |known| {
        let block = kind_place.block(&format!("`{kind}`"), known)?;
        Some(Reader { block, folder })
    };
    let kind = match *kind {
        "slack" => slack(&reader(SLACK)?)?,
        "discord" => ChannelKind::Discord { url: reader(HOOK)?.secret("url")? },
        "teams" => ChannelKind::Teams { url: reader(HOOK)?.secret("url")? },
        "telegram" => telegram(&reader(TELEGRAM)?)?,
        "ntfy" => ntfy(&reader(NTFY)?)?,
        "webhook" => {
            let reader = reader(WEBHOOK)?;
            let (url, secret) = (reader.secret("url"), reader.optional("secret"));
            ChannelKind::Webhook { url: url?, secret: secret? }
        }
        "mail" => mail(&reader(MAIL)?)?,
        _ => {
            let reader = reader(PAGERDUTY)?;
            let (key, server) =
                (reader.secret("routing_key"), reader.server("https://events.pagerduty.com"));
            ChannelKind::PagerDuty { key: key?, server: server? }
        }
    };
    Some(Channel { kind, template })
}

fn slack(reader: &Reader<'_>) -> Option<ChannelKind> {
    let by_bot = ["token_env", "token_file", "token", "channel"];
    if by_bot.iter().any(|name| reader.block.get(name).is_some()) {
        let (token, channel) = (reader.secret("token"), reader.text("channel"));
        let server = reader.server("https://slack.com/api");
        let (token, channel, server) = (token?, channel?, server?);
        return Some(ChannelKind::Slack(SlackTo::Bot { token, channel, server }));
    }
    Some(ChannelKind::Slack(SlackTo::Webhook { url: reader.secret("url")? }))
}

fn telegram(reader: &Reader<'_>) -> Option<ChannelKind> {
    let chat = match reader.block.get("chat") {
        Some(place) => place.text_or_number(),
        None => reader.missing("chat", "a number, or `@name` of a channel"),
    };
    let (token, server) = (reader.secret("token"), reader.server("https://api.telegram.org"));
    Some(ChannelKind::Telegram { token: token?, chat: chat?, server: server? })
}

fn ntfy(reader: &Reader<'_>) -> Option<ChannelKind> {
    let (topic, token) = (reader.secret("topic"), reader.optional("token"));
    let server = reader.server("https://ntfy.sh");
    Some(ChannelKind::Ntfy { server: server?, topic: topic?, token: token? })
}

fn mail(reader: &Reader<'_>) -> Option<ChannelKind> {
    let tls = match reader.block.get("tls") {
        None => Some(MailTls::StartTls),
        Some(place) => match &place.node.value {
            Value::Bool(true) => Some(MailTls::Implicit),
            Value::Bool(false) => Some(MailTls::None),
            Value::Text(text) if text == "starttls" => Some(MailTls::StartTls),
            Value::Text(text) if text == "implicit" => Some(MailTls::Implicit),
            Value::Text(text) if text == "none" => Some(MailTls::None),
            _ => place.refuse("`starttls`, `implicit` (from the first byte), or `none`"),
        },
    };
    let usual = match tls {
        Some(MailTls::Implicit) => 465,
        Some(MailTls::None) => 25,
        _ => 587,
    };
    let port = reader
        .block
        .get("port")
        .map_or(Some(usual), |place| place.whole(1..=65_535).map(|port| port as u16));
    let address = |place: &Place<'_>| {
        let text = place.text()?;
        let bare = text.rsplit_once('<').map_or(text.as_str(), |(_, tail)| tail);
        let bare = bare.trim_end_matches('>').trim();
        let is_address = bare.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !bare.contains([' ', '\n', '\r'])
        });
        if is_address { Some(text) } else { place.refuse("an address like `ops@example.org`") }
    };
    let from = match reader.block.get("from") {
        Some(place) => address(place),
        None => reader.missing("from", "an address like `zelador@example.org`"),
    };
    let to: Option<Vec<String>> = match reader.block.get("to") {
        Some(place) if matches!(place.node.value, Value::List(_)) => {
            let all: Vec<Option<String>> = place.items().iter().map(address).collect();
            if all.is_empty() {
                place.refuse("at least one address")
            } else {
                all.into_iter().collect()
            }
        }
        Some(place) => address(place).map(|one| vec![one]),
        None => reader.missing("to", "an address, or a list of them"),
    };
    let host = reader.text("host");
    let user = reader.block.get("user").map(Place::text);
    let password = reader.optional("password");
    Some(ChannelKind::Mail {
        host: host?,
        port: port?,
        tls: tls?,
        from: from?,
        to: to?,
        user: user.map_or(Some(None), |user| user.map(Some))?,
        password: password?,
    })
}

/// The fields of one kind of channel.
struct Reader<'a> {
    block: Block<'a>,
    folder: &'a Path,
}

impl Reader<'_> {
    /// Where something secret is found: `NAME_env` or `NAME_file`, never the value itself.
    fn secret(&self, name: &str) -> Option<Secret> {
        match self.optional(name)? {
            Some(secret) => Some(secret),
            None => self.missing(
                &format!("{name}_env"),
                "the name of the variable that has it, or `…_file` with a path",
            ),
        }
    }

    /// The same; `Some(None)` where nothing is said, `None` where it is wrong.
    #[expect(clippy::option_option, reason = "wrong, absent and there are three answers")]
    fn optional(&self, name: &str) -> Option<Option<Secret>> {
        if let Some(place) = self.block.get(name) {
            let help = format!("`{name}_env: 'NAME'` names a variable, `{name}_file` a file");
            place.report.mistake(
                place.node.position,
                &place.field,
                "a secret".to_owned(),
                "no secret in a file that is shown and saved".to_owned(),
                Some(help),
            );
            return None;
        }
        let (env, file) = (format!("{name}_env"), format!("{name}_file"));
        match (self.block.get(&env), self.block.get(&file)) {
            (Some(place), None) => {
                let variable = place.text()?;
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
                if !variable.chars().all(fits) {
                    // It may be the secret itself, written into the wrong field.
                    return place.refuse_found("something else", "the name of a variable");
                }
                Some(Some(Secret::Env(variable)))
            }
            (None, Some(place)) => Some(Some(Secret::File(absolute(self.folder, &place.text()?)))),
            (Some(_), Some(place)) => place.refuse_found("both", format!("`{env}` or `{file}`")),
            (None, None) => Some(None),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.block.get(name) {
            Some(place) => place.text(),
            None => self.missing(name, "text"),
        }
    }

    fn server(&self, usual: &str) -> Option<String> {
        self.block.get("server").map_or_else(|| Some(usual.to_owned()), http_address)
    }

    fn missing<T>(&self, name: &str, allowed: &str) -> Option<T> {
        self.block.place.refuse_found(format!("no `{name}`"), allowed)
    }
}

/// `https://host[:port][/path]`, without the slash at its end.
fn http_address(place: &Place<'_>) -> Option<String> {
    let text = place.text()?;
    let text = text.trim().trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits = rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.contains(['@', '?', '#', ' ']) && !rest.contains(char::is_control)
    });
    if fits { Some(text.to_owned()) } else { place.refuse("an address like `https://host:port`") }
}

fn template(place: &Place<'_>) -> Template {
    let mut template = Template::default();
    let Some(block) = place.block("a template", TEMPLATE) else { return template };
    for (name, text) in [("title", &mut template.title), ("text", &mut template.text)] {
        let Some(place) = block.get(name) else { continue };
        let Some(said) = place.text() else { continue };
        if let Some(unknown) = Template::unknown(&said) {
            let names = Template::NAMES.map(|name| format!("{{{name}}}")).join(", ");
            let near = nearest_of(unknown.trim_matches(['{', '}']), Template::NAMES.into_iter());
            let help = near.map(|near| format!("did you mean `{{{near}}}`?"));
            let position = place.node.position;
            place.report.mistake(position, &place.field, format!("{unknown:?}"), names, help);
        }
        *text = Some(said);
    }
    template
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
