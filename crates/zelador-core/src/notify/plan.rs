//! The plan: which channels there are, and what may be sent to them when.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::quiet::QuietHours;
use super::route::Route;
use super::words::Language;
use crate::retry::{Classes, Factor, Jitter, RetryPolicy};
use crate::unit::Moment;

/// What is said about notices, checked and complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Channels by their names.
    pub channels: BTreeMap<String, Channel>,
    /// Who is told what; empty: everybody everything from a warning on.
    pub routes: Vec<Route>,
    /// When only what is critical is sent; the rest comes as one digest afterwards.
    pub quiet: Option<QuietHours>,
    /// How often people are reminded of what is not over; `None`: never.
    pub remind_every: Option<Duration>,
    /// The same words are not said again to a channel within this time.
    pub dedup: Duration,
    /// Whether the end of a matter is told too.
    pub resolved: bool,
    /// How many messages a channel gets.
    pub limit: Limit,
    /// The language of what frames the story.
    pub language: Language,
    /// The name of the time zone of those who are told; `None`: that of the quiet hours, or the host's.
    #[serde(default)]
    pub zone: Option<String>,
    /// What this host is called; `None`: by its own name.
    pub host: Option<String>,
    /// Where links in messages begin, like `https://ops.example.org`; `None`: no links.
    pub base_url: Option<String>,
    /// How a channel that takes nothing is tried again.
    #[serde(default = "retry")]
    pub retry: RetryPolicy,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            channels: BTreeMap::new(),
            routes: Vec::new(),
            quiet: None,
            remind_every: Some(REMIND_EVERY),
            dedup: DEDUP,
            resolved: true,
            limit: Limit::default(),
            language: Language::default(),
            zone: None,
            host: None,
            base_url: None,
            retry: retry(),
        }
    }
}

impl Plan {
    /// The name of the time zone of those who are told; `None`: the host's.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref().or_else(|| self.quiet.as_ref()?.zone.as_deref())
    }

    /// When the quiet hours end that it is now; `host`: the zone of hours for which none is named.
    pub fn quiet_until(&self, now: Moment, ahead_micros: i64, host: &TimeZone) -> Option<Moment> {
        let zone = self.zone().and_then(|name| TimeZone::get(name).ok());
        self.quiet.as_ref()?.end(now, ahead_micros, zone.as_ref().unwrap_or(host))
    }
}

/// A channel that takes nothing is tried again until its messages are too old.
const fn retry() -> RetryPolicy {
    RetryPolicy {
        retries: u32::MAX,
        first: Duration::from_secs(2),
        factor: Factor::TWO,
        cap: Duration::from_mins(5),
        jitter: Jitter::None,
        total: None,
        retried: Classes::ALL,
        longest_retry_after: Duration::from_hours(1),
    }
}

/// Alertmanager's `repeat_interval`: 4 h.
const REMIND_EVERY: Duration = Duration::from_hours(4);

/// Long enough for what repeats with every restart, short enough that a new day tells again.
const DEDUP: Duration = Duration::from_mins(10);

/// How many messages a channel gets within a span; what is more is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// So many at most.
    pub most: u32,
    /// Within this span.
    pub within: Duration,
}

impl Default for Limit {
    /// Ten a minute: below what Slack (1 a second), Discord (30 a minute) and Telegram (20 a minute and
    /// group) allow.
    fn default() -> Self {
        Self { most: 10, within: Duration::from_mins(1) }
    }
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// What it is and where.
    pub kind: ChannelKind,
    /// How a message reads there.
    #[serde(default)]
    pub template: Template,
    /// Whether whoever reads it may answer questions by a link.
    #[serde(default)]
    pub answers: bool,
}

/// Where something that must not be shown is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// In a variable of zelador's environment, or of `secrets.env` in its home.
    Env(String),
    /// In a file: its first line.
    File(PathBuf),
    /// In the settings of a module.
    Module {
        /// Which module.
        module: String,
        /// Which of its settings.
        option: String,
    },
}

impl fmt::Display for Secret {
    /// Where it is, never what it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "${name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Module { module, option } => write!(f, "{module}:{option}"),
        }
    }
}

/// The services that are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelKind {
    /// Slack.
    Slack(SlackTo),
    /// A webhook of a Discord channel.
    Discord {
        /// Its address.
        url: Secret,
    },
    /// A workflow of Microsoft Teams that is started by a webhook.
    Teams {
        /// Its address.
        url: Secret,
    },
    /// A bot of Telegram.
    Telegram {
        /// The bot's token.
        token: Secret,
        /// Whom it writes to: a number, or `@name`.
        chat: String,
        /// The address of the API, without a slash at its end.
        server: String,
    },
    /// A topic of ntfy.
    Ntfy {
        /// The server, without a slash at its end.
        server: String,
        /// The topic: who knows it may read it.
        topic: Secret,
        /// An access token.
        token: Option<Secret>,
    },
    /// Anything that takes JSON.
    Webhook {
        /// Its address.
        url: Secret,
        /// What signs it.
        secret: Option<Secret>,
    },
    /// E-mail.
    Mail {
        /// The server that takes it.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        tls: MailTls,
        /// From whom.
        from: String,
        /// To whom.
        to: Vec<String>,
        /// Who sends it.
        user: Option<String>,
        /// His password.
        password: Option<Secret>,
    },
    /// `PagerDuty`'s events, version 2.
    PagerDuty {
        /// The integration key.
        key: Secret,
        /// The address of the API, without a slash at its end.
        server: String,
    },
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// From the first byte: port 465.
    Implicit,
    /// By `STARTTLS`, which the server must offer: port 587.
    StartTls,
    /// Not at all.
    None,
}

/// The two ways into Slack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlackTo {
    /// An incoming webhook: each message stands for itself.
    Webhook {
        /// Its address.
        url: Secret,
    },
    /// A bot: what follows is written into the thread of the first message.
    Bot {
        /// Its token.
        token: Secret,
        /// The channel: its id, or `#name`.
        channel: String,
        /// The address of the API, without a slash at its end.
        server: String,
    },
}

impl ChannelKind {
    /// The word for it in a configuration.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Slack(_) => "slack",
            Self::Discord { .. } => "discord",
            Self::Teams { .. } => "teams",
            Self::Telegram { .. } => "telegram",
            Self::Ntfy { .. } => "ntfy",
            Self::Webhook { .. } => "webhook",
            Self::Mail { .. } => "mail",
            Self::PagerDuty { .. } => "pagerduty",
        }
    }

    /// Whether a message is changed in its place, so that small news cost nobody anything.
    pub fn is_edited(&self) -> bool {
        match self {
            Self::Discord { .. } | Self::Telegram { .. } => true,
            Self::Slack(_)
            | Self::Teams { .. }
            | Self::Ntfy { .. }
            | Self::Webhook { .. }
            | Self::Mail { .. }
            | Self::PagerDuty { .. } => false,
        }
    }

    /// Whether people read what comes there: programs want each message by itself.
    pub fn is_read_by_people(&self) -> bool {
        !matches!(self, Self::Webhook { .. } | Self::PagerDuty { .. })
    }

    /// Where it leads, without what must not be shown.
    pub fn place(&self) -> String {
        match self {
            Self::Slack(SlackTo::Webhook { url })
            | Self::Discord { url }
            | Self::Teams { url }
            | Self::Webhook { url, .. } => url.to_string(),
            Self::Slack(SlackTo::Bot { channel, .. }) => channel.clone(),
            Self::Telegram { chat, .. } => format!("chat {chat}"),
            Self::Ntfy { server, topic, .. } => format!("{server}, topic in {topic}"),
            Self::Mail { host, port, to, .. } => format!("{} by {host}:{port}", to.join(", ")),
            Self::PagerDuty { key, .. } => format!("key in {key}"),
        }
    }
}

/// How a message reads: text with `{placeholders}`; `None`: as zelador writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Template {
    /// The headline.
    pub title: Option<String>,
    /// What stands under it.
    pub text: Option<String>,
}

impl Template {
    /// What may stand between braces.
    pub const NAMES: [&'static str; 10] =
        ["title", "text", "app", "incident", "severity", "state", "kind", "host", "time", "story"];

    /// Returns the first placeholder of a text that is unknown, or a brace that is not closed.
    pub fn unknown(text: &str) -> Option<String> {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('{') {
            let Some((name, tail)) = after.split_once('}') else { return Some("{".to_owned()) };
            if !Self::NAMES.contains(&name) {
                return Some(format!("{{{name}}}"));
            }
            rest = tail;
        }
        None
    }

    /// Returns the text with its placeholders filled, each once: what is filled in stays as it is.
    pub fn fill(text: &str, value: impl Fn(&str) -> String) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            match after.split_once('}') {
                Some((name, tail)) => {
                    filled.push_str(&value(name));
                    rest = tail;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }
}
