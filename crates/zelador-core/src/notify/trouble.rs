//! What is told of incidents, of channels that fail, and of a try.

use super::desk::{Desk, Post, Terms};
use super::matter::{About, Matter, Progress};
use super::message::{Message, News, STORY_TOLD, Tale};
use super::plan::Plan;
use super::words::Language;
use crate::effect::Severity;
use crate::id::IncidentId;
use crate::incident::{Entry, Incident, Stage};
use crate::said::Said;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

impl Desk {
    /// Takes in how an incident is now.
    pub fn incident(&mut self, terms: Terms<'_>, incident: &Incident) {
        let progress = match incident.stage {
            _ if !incident.is_open() => Progress::Closed,
            Stage::Escalated => Progress::Escalated,
            _ if incident.hidden.is_some() => Progress::Escalated,
            _ if incident.diagnosis.is_some() => Progress::Diagnosed,
            _ => Progress::Opened,
        };
        let waits = matches!(incident.stage, Stage::AwaitingApproval { .. });
        let needs_a_person = waits || progress == Progress::Escalated;
        let severity = if needs_a_person { Severity::Critical } else { Severity::Warning };
        let about = incident.about();
        let language = terms.plan.language;
        let title = format!("{}: {}", incident.app, incident.trouble.words().told(language));
        let said = |entry: &Entry| entry.told(language);
        let text = match progress {
            _ if waits => incident.story.last().map(said),
            Progress::Opened => incident.story.first().map(|entry| match &entry.said {
                Some(Said::Detected(why)) => why.told(language),
                _ => said(entry),
            }),
            Progress::Diagnosed => {
                // What says that it is as before has no reasons.
                let is_diagnosis =
                    |entry: &&Entry| matches!(entry.said, Some(Said::Diagnosis { .. }));
                let mut latest = incident.story.iter().rev();
                latest.find(is_diagnosis).or(incident.story.last()).map(said)
            }
            Progress::Escalated if incident.stage != Stage::Escalated => {
                let hides = |entry: &&Entry| matches!(entry.said, Some(Said::RestartHides { .. }));
                let latest = incident.story.iter().rev().find(hides).map(said);
                latest.or_else(|| incident.hidden.clone())
            }
            Progress::Escalated | Progress::Closed => incident.story.last().map(said),
        };
        let text = text.unwrap_or_default();
        let (first, rest) = incident.story.split_at(incident.story.len().min(1));
        let latest = &rest[rest.len().saturating_sub(STORY_TOLD - 1)..];
        let tale = |entry: &Entry| Tale { at: entry.at, what: entry.told(language) };
        self.post(
            terms,
            Post {
                key: incident_key(incident.id),
                about,
                severity,
                progress: Some(progress),
                title,
                text,
                story: first.iter().chain(latest).map(tale).collect(),
                question: incident.question(),
                opened_at: incident.opened_at,
            },
        );
    }

    /// Whether a matter is not over.
    pub fn is_open(&self, key: &str) -> bool {
        self.matters.get(key).is_some_and(Matter::is_open)
    }

    /// A matter is over, and nothing more is known about it than these words.
    pub fn end(&mut self, terms: Terms<'_>, key: &str, text: &Words) {
        let Some(matter) = self.matters.get(key).filter(|matter| matter.is_open()) else { return };
        let post = Post {
            key: key.to_owned(),
            about: matter.about.clone(),
            severity: matter.severity,
            progress: Some(Progress::Closed),
            title: matter.title.clone(),
            text: text.told(terms.plan.language).to_owned(),
            story: Vec::new(),
            question: None,
            opened_at: matter.opened_at,
        };
        self.post(terms, post);
    }

    /// A channel takes nothing: the others are told, once.
    pub(super) fn tell_of_failure(&mut self, terms: Terms<'_>, name: &str, reason: &Words) {
        let language = terms.plan.language;
        let since = self.lines.get(name).and_then(|line| line.failing_since).unwrap_or(terms.now);
        let key = channel_key(name);
        if self.is_open(&key) {
            return;
        }
        self.post(
            terms,
            Post {
                key,
                about: about_channel(),
                severity: Severity::Warning,
                progress: Some(Progress::Opened),
                title: title(language, name),
                text: undeliverable(reason).told(language).to_owned(),
                story: Vec::new(),
                question: None,
                opened_at: since,
            },
        );
    }

    /// A channel takes something again.
    pub(super) fn tell_of_recovery(&mut self, terms: Terms<'_>, name: &str) {
        let language = terms.plan.language;
        let key = channel_key(name);
        let Some(matter) = self.matters.get(&key).filter(|matter| matter.is_open()) else { return };
        let opened_at = matter.opened_at;
        let text = words!(
            "notices are delivered again after {t}",
            "os avisos são entregues de novo após {t}",
            t = terms.now.since(opened_at),
        );
        self.post(
            terms,
            Post {
                key,
                about: about_channel(),
                severity: Severity::Warning,
                progress: Some(Progress::Closed),
                title: title(language, name),
                text: text.told(language).to_owned(),
                story: Vec::new(),
                question: None,
                opened_at,
            },
        );
    }
}

impl Incident {
    /// What is told of it is about this.
    pub(crate) fn about(&self) -> About {
        About {
            kind: self.trouble.to_string().replace(' ', "-"),
            app: Some(self.app.to_string()),
            incident: Some(self.id),
        }
    }
}

/// What is said of a channel that takes nothing.
pub(crate) fn undeliverable(reason: &Words) -> Words {
    words!(
        "notices cannot be delivered: {reason}",
        "os avisos não podem ser entregues: {reason}",
        reason = reason,
    )
}

/// What the matter of an incident is called.
pub(crate) fn incident_key(id: IncidentId) -> String {
    format!("incident/{id}")
}

/// What the matter of a channel that fails is called.
pub(crate) fn channel_key(name: &str) -> String {
    format!("channel/{name}")
}

impl Plan {
    /// The message by which somebody tries a channel.
    pub fn trial(&self, name: &str, now: Moment) -> Message {
        let language = self.language;
        Message {
            key: format!("test/{name}/{}", now.as_micros()),
            news: News::Test,
            about: About { kind: "test".to_owned(), app: None, incident: None },
            severity: Severity::Info,
            title: language.pick("zelador: a test", "zelador: um teste").to_owned(),
            text: language.pick(
                format!("If you can read this, the channel {name} works."),
                format!("Se você está lendo isto, o canal {name} funciona."),
            ),
            story: Vec::new(),
            lines: Vec::new(),
            opened_at: now,
            at: now,
            repeats: 0,
            links: Vec::new(),
            questions: Vec::new(),
            language,
        }
    }
}

fn about_channel() -> About {
    About { kind: "channel".to_owned(), app: None, incident: None }
}

fn title(language: Language, name: &str) -> String {
    language.pick(format!("channel {name} fails"), format!("o canal {name} falha"))
}
