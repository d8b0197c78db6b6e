//! Brings messages to channels: one file a service.
//!
//! A delivery goes in, how it went comes out. Always holds: a secret is read when it is needed, goes to
//! the service that it is for, and is in no text that comes back.

mod answer;
mod discord;
mod mail;
mod ntfy;
mod pagerduty;
mod secret;
mod slack;
mod teams;
mod telegram;
mod webhook;

use std::io;
use std::time::Duration;

use jiff::tz::TimeZone;
use zelador_api::home::Home;
use zelador_core::effect::Severity;
use zelador_core::notify::{ChannelKind, Delivery, DeliveryOutcome, Message, News, Secret};
use zelador_core::question::Question;
use zelador_core::unit::Moment;
use zelador_core::words;
use zelador_core::words::Words;

use crate::answers::{Answers, Link};
use crate::errno;
pub(crate) use secret::Secrets;

/// How long a service may take. Below what the desk waits for.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a secret is, for what is no message.
///
/// # Errors
/// It is not there, or empty.
pub fn reveal(secret: &Secret, home: &Home) -> Result<String, Words> {
    Secrets::new(home).reveal(secret).map_err(|failed| failed.reason)
}

/// Brings it there.
pub async fn deliver(delivery: &Delivery, home: &Home) -> DeliveryOutcome {
    let host = delivery.host.clone().unwrap_or_else(host_name);
    let secrets = Secrets::new(home);
    let letter = match Letter::new(delivery, &host, home, &secrets) {
        Ok(letter) => letter,
        Err(failure) => return failure.outcome(&secrets),
    };
    let done = match &delivery.channel.kind {
        ChannelKind::Slack(to) => slack::send(to, &letter, &secrets).await,
        ChannelKind::Discord { url } => discord::send(url, &letter, &secrets).await,
        ChannelKind::Teams { url } => teams::send(url, &letter, &secrets).await,
        ChannelKind::Telegram { token, chat, server } => {
            telegram::send(token, chat, server, &letter, &secrets).await
        }
        ChannelKind::Ntfy { server, topic, token } => {
            ntfy::send(server, topic, token.as_ref(), &letter, &secrets).await
        }
        ChannelKind::Webhook { url, secret } => {
            webhook::send(url, secret.as_ref(), &letter, &secrets).await
        }
        ChannelKind::Mail { .. } => mail::send(&delivery.channel.kind, &letter, &secrets).await,
        ChannelKind::PagerDuty { key, server } => {
            pagerduty::send(key, server, &letter, &secrets).await
        }
    };
    match done {
        Ok(handle) => DeliveryOutcome::Delivered { handle },
        Err(failure) => failure.outcome(&secrets),
    }
}

/// Why a message is not there.
#[derive(Debug)]
pub(crate) struct Failed {
    reason: Words,
    retry_after: Option<Duration>,
    /// The message itself is to blame.
    refused: bool,
}

impl Failed {
    fn new(reason: Words) -> Self {
        Self { reason, retry_after: None, refused: false }
    }

    /// A service may say back what it was sent.
    fn outcome(self, secrets: &Secrets) -> DeliveryOutcome {
        let reason = self.reason.map(|text| secrets.mask(text));
        if self.refused {
            return DeliveryOutcome::Refused { reason };
        }
        DeliveryOutcome::Failed { reason, retry_after: self.retry_after }
    }
}

/// By what the service knows the message, where it can be changed or answered.
type Sent = Result<Option<String>, Failed>;

/// A message with its words chosen.
struct Letter<'a> {
    message: &'a Message,
    /// By what the service knows the first message of the matter.
    handle: Option<&'a str>,
    host: &'a str,
    /// Where those who are told are, as far as the settings say; else where this host is.
    zone: TimeZone,
    /// When it is sent.
    now: Moment,
    title: String,
    text: String,
    /// Where a question is answered, and where more is to be seen: labels and addresses.
    links: Vec<(String, String)>,
}

impl<'a> Letter<'a> {
    fn new(
        delivery: &'a Delivery,
        host: &'a str,
        home: &Home,
        secrets: &Secrets<'_>,
    ) -> Result<Self, Failed> {
        let message = &delivery.message;
        let zone = delivery.zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let zone = zone.unwrap_or_else(TimeZone::system);
        let (handle, now) = (delivery.handle.as_deref(), delivery.at);
        let (title, text) = message.read_by(&delivery.channel.template, host, &zone, now);
        let mut links = answer_links(delivery, home, secrets)?;
        links.extend(message.links.iter().cloned());
        Ok(Self { message, handle, host, zone, now, title, text, links })
    }

    /// What stands beside the text: labels and values.
    fn fields(&self) -> Vec<(&'static str, String)> {
        self.message.fields(self.host, &self.zone, self.now)
    }

    /// The story, with at most this many letters.
    fn story(&self, most: usize) -> String {
        self.message.told(most, &self.zone, self.now)
    }

    /// A sign that is seen before the words are read.
    fn sign(&self) -> &'static str {
        match (self.message.news, self.message.severity) {
            _ if self.message.is_over() => "✅",
            (News::Test, _) => "🧪",
            (_, Severity::Critical) => "🔴",
            (_, Severity::Warning) => "🟠",
            (_, Severity::Info) => "🔵",
        }
    }

    /// Red, amber, blue, green: 0xRRGGBB.
    fn colour(&self) -> u32 {
        match self.message.severity {
            _ if self.message.is_over() => 0x2e_a0_43,
            Severity::Critical => 0xd1_24_2f,
            Severity::Warning => 0xd2_99_22,
            Severity::Info => 0x09_69_da,
        }
    }

    /// The headline with its sign, and how it stands.
    fn headline(&self) -> String {
        let word = self.message.news_word();
        match self.message.news {
            News::Opened | News::Event | News::Test | News::Digest => {
                format!("{} {}", self.sign(), self.title)
            }
            News::Changed | News::Reminder | News::Resolved => {
                format!("{} {} ({word})", self.sign(), self.title)
            }
        }
    }
}

/// A link for each question, where the channel may answer. Its token is a secret like any other.
fn answer_links(
    delivery: &Delivery,
    home: &Home,
    secrets: &Secrets<'_>,
) -> Result<Vec<(String, String)>, Failed> {
    let Delivery { message, answers_at: Some(base), .. } = delivery else { return Ok(Vec::new()) };
    if message.questions.is_empty() {
        return Ok(Vec::new());
    }
    let unsigned = |error: io::Error| {
        Failed::new(words!(
            "links for answers cannot be signed: {error}",
            "os links de resposta não podem ser assinados: {error}",
            error = errno::said(&error),
        ))
    };
    let answers = Answers::of(home).map_err(unsigned)?;
    let link = |question: &Question| {
        let link = Link::to(question, &delivery.name);
        let token = answers.token(&link);
        let label = message.language.pick("Approve or reject", "Aprovar ou recusar");
        let url = format!("{base}{}", link.path(&token));
        secrets.hide(token);
        (format!("{label}: {}", question.remedy.told(message.language)), url)
    };
    Ok(message.questions.iter().map(link).collect())
}

/// What this host calls itself.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests;
