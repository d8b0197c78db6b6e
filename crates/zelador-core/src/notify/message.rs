//! What a person reads, before a channel gives it its shape.

use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::matter::About;
use super::plan::Template;
use super::words::Language;
use crate::effect::Severity;
use crate::question::Question;
use crate::said::span;
use crate::unit::Moment;

/// How a message stands to its matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// It began.
    Opened,
    /// There is more to say.
    Changed,
    /// It is not over yet.
    Reminder,
    /// It is over.
    Resolved,
    /// It stands for itself.
    Event,
    /// Several, put together.
    Digest,
    /// Somebody tries the channel.
    Test,
}

/// One sentence of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tale {
    /// When.
    pub at: Moment,
    /// What.
    pub what: String,
}

/// One line of a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestLine {
    /// When.
    pub at: Moment,
    /// How bad.
    pub severity: Severity,
    /// What.
    pub text: String,
    /// Whether it is over.
    pub resolved: bool,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The matter: the same for all that is said about it.
    pub key: String,
    /// How it stands to its matter.
    pub news: News,
    /// What it is about.
    pub about: About,
    /// How bad.
    pub severity: Severity,
    /// The headline: one line.
    pub title: String,
    /// What there is to say: a sentence or two.
    pub text: String,
    /// What happened so far, oldest first.
    pub story: Vec<Tale>,
    /// What a digest is made of.
    pub lines: Vec<DigestLine>,
    /// When the matter began.
    pub opened_at: Moment,
    /// When this was written.
    pub at: Moment,
    /// How often the same was not said before this.
    pub repeats: u32,
    /// Where more is to be seen: a label, and an address.
    pub links: Vec<(String, String)>,
    /// What is asked of a person, which a channel that takes answers has links for.
    #[serde(default)]
    pub questions: Vec<Question>,
    /// The language of its frame.
    pub language: Language,
}

/// What is sent as long after it was written has waited: for the end of quiet hours, or for its channel.
const LATE: Duration = Duration::from_mins(1);

/// How many sentences of a story a message tells: the first one and the latest.
pub(super) const STORY_TOLD: usize = 8;

impl Message {
    /// `critical`, `warning` or `info` in the message's language.
    pub fn severity_word(&self) -> &'static str {
        self.language.severity(self.severity)
    }

    /// `open`, `changed`, `resolved` in the message's language.
    pub fn news_word(&self) -> &'static str {
        self.language.news(self.news)
    }

    /// Whether all that it tells of is over.
    pub fn is_over(&self) -> bool {
        match self.news {
            News::Resolved => true,
            News::Digest => self.lines.iter().all(|line| line.resolved),
            _ => false,
        }
    }

    /// What stands beside the text: labels and values, with times of this zone; `now`: when it is sent.
    pub fn fields(&self, host: &str, zone: &TimeZone, now: Moment) -> Vec<(&'static str, String)> {
        let words = self.language.labels();
        let mut fields = vec![(words.severity, self.severity_word().to_owned())];
        if let Some(app) = &self.about.app {
            fields.push((words.app, app.clone()));
        }
        if let Some(incident) = self.about.incident {
            fields.push((words.incident, incident.to_string()));
        }
        fields.push((words.host, host.to_owned()));
        if self.news != News::Event && self.news != News::Test && self.news != News::Digest {
            fields.push((words.since, local(self.opened_at, zone)));
        }
        // What stands for itself says nothing of when it was, unless it had to wait.
        if self.news == News::Event && now.since(self.at) >= LATE {
            fields.push((words.when, local(self.at, zone)));
        }
        if self.news == News::Resolved {
            fields.push((words.lasted, span(self.language, self.at.since(self.opened_at))));
        }
        if self.repeats > 0 {
            fields.push((words.repeats, self.repeats.to_string()));
        }
        fields
    }

    /// Returns headline and text as a template has them, as it is sent `now`; as they are where it says nothing.
    pub fn read_by(
        &self,
        template: &Template,
        host: &str,
        zone: &TimeZone,
        now: Moment,
    ) -> (String, String) {
        let value = |name: &str| match name {
            "title" => self.title.clone(),
            "text" => self.text.clone(),
            "app" => self.about.app.clone().unwrap_or_default(),
            "incident" => self.about.incident.map(|id| id.to_string()).unwrap_or_default(),
            "severity" => self.severity_word().to_owned(),
            "state" => self.news_word().to_owned(),
            "kind" => self.about.kind.clone(),
            "host" => host.to_owned(),
            "time" => local(self.at, zone),
            "story" => self.told(usize::MAX, zone, now),
            other => format!("{{{other}}}"),
        };
        let read = |said: &Option<String>, otherwise: &str| {
            said.as_ref().map_or_else(|| otherwise.to_owned(), |it| Template::fill(it, value))
        };
        (read(&template.title, &self.title), read(&template.text, &self.text))
    }

    /// The story, or the lines of a digest, one sentence a line, with at most this many letters. A line of
    /// another day than that on which it is sent has its date.
    pub fn told(&self, most: usize, zone: &TimeZone, now: Moment) -> String {
        let today = zoned(now, zone).date();
        let time = |at: Moment| {
            let at = zoned(at, zone);
            let shape = if at.date() == today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
            at.strftime(shape).to_string()
        };
        let tales = self.story.iter().map(|tale| format!("{}  {}", time(tale.at), tale.what));
        let lines = self.lines.iter().map(|line| {
            let mark = if line.resolved { "✓" } else { self.language.severity(line.severity) };
            format!("{}  {mark}  {}", time(line.at), line.text)
        });
        let mut told = String::new();
        for line in tales.chain(lines) {
            if !told.is_empty() {
                told.push('\n');
            }
            told.push_str(&line);
        }
        shortened(&told, most)
    }
}

fn zoned(at: Moment, zone: &TimeZone) -> Zoned {
    at.timestamp().to_zoned(zone.clone())
}

/// A moment as the clocks of a zone show it, with the zone.
fn local(at: Moment, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Headline and text in one line; a text that begins with the headline says it once.
pub fn together(title: &str, text: &str) -> String {
    if text.starts_with(title) { text.to_owned() } else { format!("{title}: {text}") }
}

/// The text with at most `most` letters; an ellipsis stands for what is missing.
pub fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}
