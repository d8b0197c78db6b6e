//! Channels: what each kind needs, and where its secrets are found.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::names::{Names, nearest_of};
use super::super::node::Value;
use super::super::place::{Block, Place};
use crate::notify::{Channel, ChannelKind, MailTls, Secret, SlackTo, Template};
use crate::watch::absolute;

/// The fields of a channel: one kind, how it reads, and whether questions are answered there.
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
    ("answers", &[]),
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
pub(super) fn channels(place: &Place<'_>, folder: &Path) -> BTreeMap<String, Channel> {
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
    let answers = block.get("answers").map_or(Some(false), Place::flag)?;
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
    Some(Channel { kind, template, answers })
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
        kept_elsewhere(&self.block, self.folder, name)
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
pub(super) fn http_address(place: &Place<'_>) -> Option<String> {
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

/// A secret by the name of its variable, or by its file; `Some(None)` where nothing is said, `None` where
/// it is wrong.
#[expect(clippy::option_option, reason = "wrong, absent and there are three answers")]
pub(in crate::config) fn kept_elsewhere(
    block: &Block<'_>,
    folder: &Path,
    name: &str,
) -> Option<Option<Secret>> {
    let (env, file) = (format!("{name}_env"), format!("{name}_file"));
    match (block.get(&env), block.get(&file)) {
        (Some(place), None) => {
            let variable = place.text()?;
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !variable.chars().all(fits) {
                // It may be the secret itself, written into the wrong field.
                return place.refuse_found("something else", "the name of a variable");
            }
            Some(Some(Secret::Env(variable)))
        }
        (None, Some(place)) => Some(Some(Secret::File(absolute(folder, &place.text()?)))),
        (Some(_), Some(place)) => place.refuse_found("both", format!("`{env}` or `{file}`")),
        (None, None) => Some(None),
    }
}
