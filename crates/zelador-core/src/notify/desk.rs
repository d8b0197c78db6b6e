//! The desk: what is told to whom, and when; one line a channel.
//!
//! Level-triggered where it can be: an incident is compared with what was told about it, so that news
//! that came twice is told once. A channel that takes nothing is not asked again before its pause is
//! over, and the others are told of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::digest::{digest, merge};
use super::matter::{About, Matter, Progress, Told};
use super::message::{Message, News, Tale};
use super::parcel::{Delivery, DeliveryId, DeliveryOutcome, Parcel, ParcelId};
use super::plan::Plan;
use crate::effect::Severity;
use crate::record::Record;
use crate::retry::{Classes, Factor, Jitter, RetryPolicy};
use crate::unit::Moment;

/// A channel that has not answered after this long has not taken the message. The effects give up
/// after 15 s, so that this is for what was lost.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);

/// What could not be delivered for a day helps nobody any more.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// A channel is tried again for ever: what waits for it is given up by its age.
const RETRY: RetryPolicy = RetryPolicy {
    retries: u32::MAX,
    first: Duration::from_secs(2),
    factor: Factor::TWO,
    cap: Duration::from_mins(5),
    jitter: Jitter::None,
    total: None,
    retried: Classes::ALL,
    longest_retry_after: Duration::from_hours(1),
};

/// So many failures in a row are no hiccup: the others are told (after about 6 s).
const TOLD_AFTER: u32 = 3;

/// So many parcels are kept of one channel; the oldest go.
const WAITING_KEPT: usize = 500;

/// What the desk must know of the world.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Now.
    pub now: Moment,
    /// The plan in force.
    pub plan: &'a Plan,
    /// When the quiet hours end that it is now.
    pub quiet_until: Option<Moment>,
}

/// News of a matter.
#[derive(Clone, Debug)]
pub struct Post {
    /// Which matter.
    pub key: String,
    /// What it is about.
    pub about: About,
    /// How bad.
    pub severity: Severity,
    /// How far it is; `None`: it stands for itself.
    pub progress: Option<Progress>,
    /// The headline.
    pub title: String,
    /// The news.
    pub text: String,
    /// What happened so far.
    pub story: Vec<Tale>,
    /// When it began.
    pub opened_at: Moment,
}

/// One channel's line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// What is on its way.
    in_flight: Option<InFlight>,
    failures: u32,
    pub(super) failing_since: Option<Moment>,
    pub(super) reason: String,
    pub(super) retry_at: Moment,
    /// When messages were sent lately.
    sent: VecDeque<Moment>,
    pub(super) delivered_at: Option<Moment>,
}

#[derive(Clone, Debug)]
struct InFlight {
    id: DeliveryId,
    parcels: Vec<ParcelId>,
    give_up_at: Moment,
}

/// Decides what is told to whom, and when.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    pub(super) matters: BTreeMap<String, Matter>,
    pub(super) parcels: BTreeMap<ParcelId, Parcel>,
    pub(super) lines: BTreeMap<String, Line>,
    next_parcel: ParcelId,
    next_delivery: DeliveryId,
    changed_matters: BTreeSet<String>,
    changed_parcels: BTreeSet<ParcelId>,
    deliveries: Vec<Delivery>,
}

impl Desk {
    /// Takes back what a desk before this one kept.
    pub fn restore_matter(&mut self, matter: Matter) {
        self.matters.insert(matter.key.clone(), matter);
    }

    /// Takes back what a desk before this one had not delivered.
    pub fn restore_parcel(&mut self, parcel: Parcel) {
        self.next_parcel = self.next_parcel.max(parcel.id + 1);
        self.parcels.insert(parcel.id, parcel);
    }

    /// Forgets a matter, while records are read.
    pub fn forget_matter(&mut self, key: &str) {
        self.matters.remove(key);
    }

    /// Forgets a parcel, while records are read.
    pub fn forget_parcel(&mut self, id: ParcelId) {
        self.parcels.remove(&id);
    }

    /// The whole of it that outlives an engine.
    pub fn durable(&self) -> impl Iterator<Item = Record> + '_ {
        let matters = self.matters.values().map(|it| Record::Matter(Box::new(it.clone())));
        matters.chain(self.parcels.values().map(|it| Record::Parcel(Box::new(it.clone()))))
    }

    /// What changed since the last call, as records.
    pub fn changes(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        for key in std::mem::take(&mut self.changed_matters) {
            records.push(match self.matters.get(&key) {
                Some(matter) => Record::Matter(Box::new(matter.clone())),
                None => Record::MatterGone(key),
            });
        }
        for id in std::mem::take(&mut self.changed_parcels) {
            records.push(match self.parcels.get(&id) {
                Some(parcel) => Record::Parcel(Box::new(parcel.clone())),
                None => Record::ParcelGone(id),
            });
        }
        records
    }

    /// What is to be sent since the last call.
    pub fn deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    /// Takes in news.
    pub fn post(&mut self, terms: Terms<'_>, post: Post) {
        match post.progress {
            None => self.event(terms, post),
            Some(Progress::Closed) => self.close(terms, post),
            Some(progress) => self.go_on(terms, post, progress),
        }
        self.flush(terms);
    }

    /// Something that stands for itself; the same words are not said again within a while.
    fn event(&mut self, terms: Terms<'_>, post: Post) {
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
    fn go_on(&mut self, terms: Terms<'_>, post: Post, progress: Progress) {
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
        let is_worse = is_other
            || post.severity > matter.severity
            || matter.progress < Some(progress) && progress == Progress::Escalated;
        let is_news =
            began_anew || is_other || matter.progress < Some(progress) || matter.text != post.text;
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
            self.put(terms, &channel, message_of(&post, terms, news), matter.severity);
        }
        self.matters.insert(key.clone(), matter);
        self.changed_matters.insert(key);
    }

    /// Whether the channel was told of the matter, or is being told.
    fn has(&self, channel: &str, key: &str, matter: &Matter) -> bool {
        matter.told.contains_key(channel) || self.flies(channel, key)
    }

    /// It is over: everybody who heard of it, or will, hears of that.
    fn close(&mut self, terms: Terms<'_>, post: Post) {
        let key = post.key.clone();
        let Some(matter) = self.matters.get_mut(&key).filter(|matter| matter.is_open()) else {
            return;
        };
        matter.progress = Some(Progress::Closed);
        matter.text.clone_from(&post.text);
        let severity = matter.severity;
        let mut heard: BTreeSet<String> = matter.told.keys().cloned().collect();
        self.changed_matters.insert(key.clone());
        let parcels = self.parcels.values().filter(|parcel| parcel.message.key == key);
        heard.extend(parcels.map(|parcel| parcel.channel.clone()));
        if terms.plan.resolved {
            for channel in heard {
                let mut message = message_of(&post, terms, News::Resolved);
                message.severity = severity;
                self.put(terms, &channel, message, severity);
            }
        }
        self.forget_if_over(&key);
    }

    /// Has a message wait for its channel; with one of the same matter that waits already it becomes
    /// one. Quiet hours hold back what is less than critical.
    fn put(&mut self, terms: Terms<'_>, channel: &str, message: Message, severity: Severity) {
        if !terms.plan.channels.contains_key(channel) {
            return;
        }
        let quiet = terms.quiet_until.filter(|_| severity < Severity::Critical);
        let (due, held) = (quiet.unwrap_or(terms.now), quiet.is_some());
        if let Some(id) = self.waiting_of(channel, &message.key) {
            if let Some(parcel) = self.parcels.get_mut(&id) {
                parcel.message = merge(parcel.message.clone(), message);
                parcel.due = parcel.due.min(due);
                parcel.held &= held;
            }
            self.changed_parcels.insert(id);
            return;
        }
        let id = self.next_parcel;
        self.next_parcel += 1;
        let channel = channel.to_owned();
        let parcel = Parcel { id, channel, message, due, held, since: terms.now };
        self.parcels.insert(id, parcel);
        self.changed_parcels.insert(id);
    }

    /// The latest parcel of a matter that waits for a channel and is not on its way: after a restart
    /// one that was on its way waits before it.
    fn waiting_of(&self, channel: &str, key: &str) -> Option<ParcelId> {
        let waiting = self.waiting(channel).filter(|parcel| parcel.message.key == key);
        waiting.map(|parcel| parcel.id).max()
    }

    /// What waits for a channel and is not on its way, the oldest first.
    pub(super) fn waiting<'a>(&'a self, channel: &'a str) -> impl Iterator<Item = &'a Parcel> {
        let flying = self.lines.get(channel).and_then(|line| line.in_flight.as_ref());
        self.parcels.values().filter(move |parcel| {
            parcel.channel == channel && !flying.is_some_and(|it| it.parcels.contains(&parcel.id))
        })
    }

    /// Whether news of a matter are on their way to a channel.
    fn flies(&self, channel: &str, key: &str) -> bool {
        let flying = self.lines.get(channel).and_then(|line| line.in_flight.as_ref());
        let mut parcels = flying.iter().flat_map(|it| &it.parcels);
        parcels.any(|id| self.parcels.get(id).is_some_and(|parcel| parcel.message.key == key))
    }

    /// Sends what is due to every channel that takes something now.
    fn flush(&mut self, terms: Terms<'_>) {
        let Terms { now, plan, .. } = terms;
        for (name, channel) in &plan.channels {
            self.join_waiting(name);
            let limit = plan.limit;
            let line = self.lines.entry(name.clone()).or_default();
            while line.sent.front().is_some_and(|at| *at + limit.within <= now) {
                line.sent.pop_front();
            }
            let room = (limit.most as usize).saturating_sub(line.sent.len());
            if line.in_flight.is_some() || now < line.retry_at || room == 0 {
                continue;
            }
            let mut due: Vec<&Parcel> =
                self.waiting(name).filter(|parcel| parcel.due <= now).collect();
            due.sort_by_key(|parcel| (std::cmp::Reverse(parcel.message.severity), parcel.id));
            let crowded = due.len() > room || due.iter().any(|parcel| parcel.held);
            let together = crowded && due.len() > 1 && channel.kind.is_read_by_people();
            due.truncate(if together { usize::MAX } else { 1 });
            if due.is_empty() {
                continue;
            }
            let id = self.next_delivery;
            let parcels: Vec<ParcelId> = due.iter().map(|parcel| parcel.id).collect();
            let (message, handle) = match due.as_slice() {
                [only] => {
                    let told = self.matters.get(&only.message.key);
                    let told = told.and_then(|matter| matter.told.get(name));
                    (only.message.clone(), told.and_then(|told| told.handle.clone()))
                }
                several => {
                    let messages = several.iter().map(|parcel| &parcel.message);
                    (digest(messages, name, now, plan.language), None)
                }
            };
            self.next_delivery += 1;
            self.deliveries.push(Delivery {
                id,
                name: name.clone(),
                channel: channel.clone(),
                message,
                handle,
                host: plan.host.clone(),
            });
            let give_up_at = now + DELIVERED_WITHIN;
            let line = self.lines.entry(name.clone()).or_default();
            line.sent.push_back(now);
            line.in_flight = Some(InFlight { id, parcels, give_up_at });
        }
    }

    /// Takes in how a delivery went; false: it is none that anybody waits for.
    pub fn delivered(
        &mut self,
        terms: Terms<'_>,
        id: DeliveryId,
        outcome: DeliveryOutcome,
    ) -> bool {
        let of = |line: &Line| line.in_flight.as_ref().is_some_and(|flying| flying.id == id);
        let Some(name) = self.lines.iter().find(|(_, line)| of(line)).map(|(name, _)| name.clone())
        else {
            return false;
        };
        let line = self.lines.entry(name.clone()).or_default();
        let parcels = line.in_flight.take().map(|flying| flying.parcels).unwrap_or_default();
        match outcome {
            DeliveryOutcome::Delivered { handle } => {
                line.failures = 0;
                line.failing_since = None;
                line.retry_at = terms.now;
                line.delivered_at = Some(terms.now);
                let alone = parcels.len() == 1;
                for id in parcels {
                    self.arrived(terms, &name, id, handle.as_ref().filter(|_| alone));
                }
                self.tell_of_recovery(terms, &name);
            }
            DeliveryOutcome::Failed { reason, retry_after } => {
                let wish = retry_after.unwrap_or_default().min(RETRY.longest_retry_after);
                line.fail(terms.now, &reason, wish);
                let failures = line.failures;
                parcels.into_iter().for_each(|id| self.come_back(&name, id));
                if failures >= TOLD_AFTER {
                    self.tell_of_failure(terms, &name, &reason);
                }
            }
            DeliveryOutcome::Refused { reason } => {
                line.fail(terms.now, &reason, Duration::ZERO);
                parcels.into_iter().for_each(|id| self.drop_parcel(id));
                self.tell_of_failure(terms, &name, &reason);
            }
        }
        self.flush(terms);
        true
    }

    /// A parcel is where it should be.
    fn arrived(&mut self, terms: Terms<'_>, channel: &str, id: ParcelId, handle: Option<&String>) {
        let Some(parcel) = self.parcels.remove(&id) else { return };
        self.changed_parcels.insert(id);
        let Message { key, text, .. } = parcel.message;
        if let Some(matter) = self.matters.get_mut(&key) {
            let before = matter.told.get(channel);
            let handle = handle.cloned().or_else(|| before?.handle.clone());
            let repeats = before.map_or(0, |told| told.repeats);
            let told = Told { at: terms.now, handle, text, repeats };
            matter.told.insert(channel.to_owned(), told);
            self.changed_matters.insert(key.clone());
        }
        self.forget_if_over(&key);
    }

    /// A parcel was not taken: it waits again, together with what was written meanwhile.
    fn come_back(&mut self, channel: &str, id: ParcelId) {
        let Some(parcel) = self.parcels.get(&id) else { return };
        let key = parcel.message.key.clone();
        let newer = self.waiting(channel).find(|it| it.id > id && it.message.key == key);
        if let Some(newer) = newer.map(|it| it.id) {
            self.join(id, newer);
        }
    }

    /// After a restart what was on its way waits beside what was written meanwhile: of each matter it
    /// becomes one, so that the beginning is not told after the end.
    fn join_waiting(&mut self, channel: &str) {
        let mut oldest: BTreeMap<String, ParcelId> = BTreeMap::new();
        let mut later = Vec::new();
        for parcel in self.waiting(channel) {
            match oldest.get(&parcel.message.key) {
                Some(first) => later.push((*first, parcel.id)),
                None => _ = oldest.insert(parcel.message.key.clone(), parcel.id),
            }
        }
        later.into_iter().for_each(|(older, newer)| self.join(older, newer));
    }

    /// Makes one of two parcels of a matter, in the place of the older.
    fn join(&mut self, older: ParcelId, newer: ParcelId) {
        let Some(late) = self.parcels.remove(&newer) else { return };
        if let Some(one) = self.parcels.get_mut(&older) {
            one.message = merge(one.message.clone(), late.message);
            one.due = one.due.min(late.due);
            one.held &= late.held;
        }
        self.changed_parcels.extend([older, newer]);
    }

    fn drop_parcel(&mut self, id: ParcelId) {
        if let Some(parcel) = self.parcels.remove(&id) {
            self.changed_parcels.insert(id);
            self.forget_if_over(&parcel.message.key);
        }
    }

    /// A matter that is over is forgotten when nobody waits to be told of it.
    fn forget_if_over(&mut self, key: &str) {
        let over = self.matters.get(key).is_some_and(|it| it.progress == Some(Progress::Closed));
        if over && !self.parcels.values().any(|parcel| parcel.message.key == key) {
            self.matters.remove(key);
            self.changed_matters.insert(key.to_owned());
        }
    }

    /// Handles what has become due.
    pub fn tick(&mut self, terms: Terms<'_>) {
        let lost: Vec<DeliveryId> = self
            .lines
            .values()
            .filter_map(|line| line.in_flight.as_ref())
            .filter(|flying| flying.give_up_at <= terms.now)
            .map(|flying| flying.id)
            .collect();
        for id in lost {
            let reason = "no answer".to_owned();
            self.delivered(terms, id, DeliveryOutcome::Failed { reason, retry_after: None });
        }
        self.forget_what_is_old(terms);
        self.remind(terms);
        self.flush(terms);
    }

    /// What is too old, and what there is too much of.
    fn forget_what_is_old(&mut self, terms: Terms<'_>) {
        let Terms { now, plan, .. } = terms;
        let mut old: Vec<ParcelId> = self
            .parcels
            .values()
            .filter(|it| it.since + KEPT_FOR <= now)
            .filter(|it| !self.is_flying(it.id))
            .map(|parcel| parcel.id)
            .collect();
        for name in plan.channels.keys() {
            let waiting: Vec<ParcelId> = self.waiting(name).map(|parcel| parcel.id).collect();
            old.extend(waiting.iter().take(waiting.len().saturating_sub(WAITING_KEPT)));
        }
        old.into_iter().for_each(|id| self.drop_parcel(id));
        // Words that may be said again, of what has no end.
        let stale: Vec<String> = self
            .matters
            .values()
            .filter(|it| it.progress.is_none() && fresh_until(it, plan).is_none_or(|at| at <= now))
            .map(|it| it.key.clone())
            .collect();
        for key in stale {
            self.matters.remove(&key);
            self.changed_matters.insert(key);
        }
    }

    fn is_flying(&self, id: ParcelId) -> bool {
        let mut flying = self.lines.values().filter_map(|line| line.in_flight.as_ref());
        flying.any(|it| it.parcels.contains(&id))
    }

    /// Says once more what is not over.
    fn remind(&mut self, terms: Terms<'_>) {
        let due: Vec<(String, String)> = self
            .reminders(terms.plan)
            .filter(|(at, ..)| *at <= terms.now)
            .map(|(_, key, channel)| (key.to_owned(), channel.to_owned()))
            .collect();
        for (key, channel) in due {
            let Some(matter) = self.matters.get(&key) else { continue };
            let post = Post {
                key: key.clone(),
                about: matter.about.clone(),
                severity: matter.severity,
                progress: matter.progress,
                title: matter.title.clone(),
                text: matter.text.clone(),
                story: Vec::new(),
                opened_at: matter.opened_at,
            };
            let message = message_of(&post, terms, News::Reminder);
            self.put(terms, &channel, message, post.severity);
        }
    }

    /// When which channel is reminded of which matter.
    fn reminders<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (Moment, &'a str, &'a str)> {
        let every = plan.remind_every.into_iter();
        every.flat_map(move |every| {
            let open = self.matters.values().filter(|matter| matter.is_open());
            let told = open.flat_map(|matter| {
                matter.told.iter().map(move |(channel, told)| (matter, channel, told))
            });
            told.filter(move |(matter, channel, _)| {
                plan.channels.contains_key(*channel)
                    && self.waiting_of(channel, &matter.key).is_none()
                    && !self.flies(channel, &matter.key)
            })
            .map(move |(matter, channel, told)| {
                (told.at + every, matter.key.as_str(), channel.as_str())
            })
        })
    }

    /// When [`Self::tick`] wants to be called.
    pub fn deadline(&self, plan: &Plan) -> Option<Moment> {
        let lines = plan.channels.keys().filter_map(|name| {
            let nothing = Line::default();
            let line = self.lines.get(name).unwrap_or(&nothing);
            if let Some(flying) = &line.in_flight {
                return Some(flying.give_up_at);
            }
            let first = self.waiting(name).map(|parcel| parcel.due).min()?;
            let is_full = line.sent.len() >= plan.limit.most as usize;
            let free = line.sent.front().filter(|_| is_full).map(|at| *at + plan.limit.within);
            Some(first.max(line.retry_at).max(free.unwrap_or_default()))
        });
        let old = self.parcels.values().filter(|parcel| !self.is_flying(parcel.id));
        let old = old.map(|parcel| parcel.since + KEPT_FOR);
        let reminders = self.reminders(plan).map(|(at, ..)| at);
        let events = self.matters.values().filter(|matter| matter.progress.is_none());
        let stale = events.filter_map(|matter| fresh_until(matter, plan));
        lines.chain(old).chain(reminders).chain(stale).min()
    }
}

impl Line {
    fn fail(&mut self, now: Moment, reason: &str, wish: Duration) {
        self.failures = self.failures.saturating_add(1);
        let pause = RETRY.delay(self.failures);
        self.failing_since.get_or_insert(now);
        reason.clone_into(&mut self.reason);
        self.retry_at = now + pause.max(wish);
    }
}

/// Until when the words of an event are not said again.
fn fresh_until(matter: &Matter, plan: &Plan) -> Option<Moment> {
    matter.told.values().map(|told| told.at + plan.dedup).max()
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
        told: BTreeMap::new(),
    }
}

fn message_of(post: &Post, terms: Terms<'_>, news: News) -> Message {
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
        language: terms.plan.language,
    }
}
