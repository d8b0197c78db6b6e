//! What becomes of news: told at once, told as a change, or not told.

use std::collections::{BTreeMap, BTreeSet};

use super::{Desk, Post, Terms};
use crate::notify::matter::{Matter, Progress, Told};
use crate::notify::message::{Message, News};
use crate::question::Question;

impl Desk {
    /// Something that stands for itself; the same words are not said again within a while.
    pub(super) fn event(&mut self, terms: Terms<'_>, post: Post) {
        let targets = terms.plan.targets(&post.about, post.severity);
        if targets.is_empty() {
            return;
        }
        let key = post.key.clone();
        let mut matter = self.matters.remove(&key).unwrap_or_else(|| matter_of(&post));
        matter.text.clone_from(&post.text);
        let mut message = message_of(&post, terms, News::Event);
        for channel in targets {
            let repeats = match matter.told.get_mut(&channel) {
                Some(told) if told.text == post.text && terms.now < told.at + terms.plan.dedup => {
                    told.repeats += 1;
                    continue;
                }
                told => told.map_or(0, |told| std::mem::take(&mut told.repeats)),
            };
            message.repeats = repeats;
            // Noted when it is written, not when it arrives: what waits is not written twice.
            let (at, text) = (terms.now, post.text.clone());
            let told = Told { at, handle: None, text, repeats: 0 };
            matter.told.insert(channel.clone(), told);
            self.put(terms, &channel, message.clone(), post.severity);
        }
        self.matters.insert(key.clone(), matter);
        self.changed_matters.insert(key);
    }

    /// Something began, or is further than it was.
    pub(super) fn go_on(&mut self, terms: Terms<'_>, post: Post, progress: Progress) {
        let key = post.key.clone();
        let mut targets = if post.about.kind == "channel" {
            let failing = post.key.strip_prefix("channel/").unwrap_or_default();
            terms.plan.witnesses(failing, &post.about)
        } else {
            terms.plan.targets(&post.about, post.severity)
        };
        let Some(mut matter) = self.matters.remove(&key) else {
            if !targets.is_empty() {
                let message = message_of(&post, terms, News::Opened);
                self.matters.insert(key.clone(), matter_of(&post));
                for channel in targets {
                    self.put(terms, &channel, message.clone(), post.severity);
                }
                self.changed_matters.insert(key);
            }
            return;
        };
        let began_anew = !matter.is_open();
        let is_other = matter.about != post.about;
        let asked = |question: &Option<Question>| question.as_ref().map(|it| it.asked_at);
        let asks_anew = post.question.is_some() && asked(&post.question) != asked(&matter.question);
        if matter.question != post.question {
            matter.question.clone_from(&post.question);
            self.changed_matters.insert(key.clone());
        }
        let is_worse = is_other
            || asks_anew
            || post.severity > matter.severity
            || matter.progress < Some(progress) && progress == Progress::Escalated;
        let is_news = began_anew
            || is_other
            || asks_anew
            || matter.progress < Some(progress)
            || matter.text != post.text;
        if !is_news && post.severity <= matter.severity {
            self.matters.insert(key, matter);
            return;
        }
        if began_anew {
            matter = Matter { told: matter.told, ..matter_of(&post) };
        } else {
            matter.severity = matter.severity.max(post.severity);
            matter.progress = matter.progress.max(Some(progress));
            matter.text.clone_from(&post.text);
            matter.title.clone_from(&post.title);
            matter.about = post.about.clone();
            targets.extend(matter.told.keys().cloned());
        }
        for channel in targets {
            let is_told = matter.told.contains_key(&channel) && !began_anew;
            let waits = self.waiting_of(&channel, &key).is_some();
            let edited =
                terms.plan.channels.get(&channel).is_some_and(|channel| channel.kind.is_edited());
            // What is neither worse nor changed in place would only be noise.
            let in_place = edited && self.has(&channel, &key, &matter);
            if !(began_anew || is_worse || waits || in_place) {
                continue;
            }
            let known = is_told || self.flies(&channel, &key);
            let news = if known { News::Changed } else { News::Opened };
            let (severity, opened_at) = (matter.severity, matter.opened_at);
            let message = Message { severity, opened_at, ..message_of(&post, terms, news) };
            self.put(terms, &channel, message, severity);
        }
        self.matters.insert(key.clone(), matter);
        self.changed_matters.insert(key);
    }

    /// Whether the channel was told of the matter, or is being told.
    fn has(&self, channel: &str, key: &str, matter: &Matter) -> bool {
        matter.told.contains_key(channel) || self.flies(channel, key)
    }

    /// It is over: everybody who heard of it, or will, hears of that.
    pub(super) fn close(&mut self, terms: Terms<'_>, post: Post) {
        let key = post.key.clone();
        let Some(matter) = self.matters.get_mut(&key).filter(|matter| matter.is_open()) else {
            return;
        };
        matter.progress = Some(Progress::Closed);
        matter.text.clone_from(&post.text);
        let (severity, opened_at) = (matter.severity, matter.opened_at);
        let mut heard: BTreeSet<String> = matter.told.keys().cloned().collect();
        self.changed_matters.insert(key.clone());
        let parcels = self.parcels.values().filter(|parcel| parcel.message.key == key);
        heard.extend(parcels.map(|parcel| parcel.channel.clone()));
        if terms.plan.resolved {
            for channel in heard {
                let message = message_of(&post, terms, News::Resolved);
                let message = Message { severity, opened_at, ..message };
                self.put(terms, &channel, message, severity);
            }
        }
        self.forget_if_over(&key);
    }
}

fn matter_of(post: &Post) -> Matter {
    Matter {
        key: post.key.clone(),
        about: post.about.clone(),
        severity: post.severity,
        progress: post.progress,
        opened_at: post.opened_at,
        title: post.title.clone(),
        text: post.text.clone(),
        question: post.question.clone(),
        told: BTreeMap::new(),
        muted: false,
    }
}

pub(super) fn message_of(post: &Post, terms: Terms<'_>, news: News) -> Message {
    let mut links = Vec::new();
    if let (Some(base), Some(incident)) = (&terms.plan.base_url, post.about.incident) {
        let label = terms.plan.language.pick("Show the incident", "Ver o incidente");
        links.push((label.to_owned(), format!("{base}/health/incident/{incident}")));
    }
    Message {
        key: post.key.clone(),
        news,
        about: post.about.clone(),
        severity: post.severity,
        title: post.title.clone(),
        text: post.text.clone(),
        story: post.story.clone(),
        lines: Vec::new(),
        opened_at: post.opened_at,
        at: terms.now,
        repeats: 0,
        links,
        questions: post.question.clone().into_iter().collect(),
        language: terms.plan.language,
    }
}
