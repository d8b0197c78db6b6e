//! What has become due: answers that were lost, reminders, and what is too old.

use std::time::Duration;

use super::line::Line;
use super::news::message_of;
use super::{Desk, Post, Terms};
use crate::notify::matter::Matter;
use crate::notify::message::News;
use crate::notify::parcel::{DeliveryOutcome, ParcelId};
use crate::notify::plan::Plan;
use crate::unit::Moment;

/// What could not be delivered for a day helps nobody any more.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// So many parcels are kept of one channel; the oldest go.
const WAITING_KEPT: usize = 500;

impl Desk {
    /// Handles what has become due.
    pub fn tick(&mut self, terms: Terms<'_>) {
        for id in self.lost(terms.now) {
            self.delivered(terms, id, DeliveryOutcome::lost());
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
                question: matter.question.clone(),
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
            let open = self.matters.values().filter(|it| it.is_open() && !it.muted);
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

/// Until when the words of an event are not said again.
fn fresh_until(matter: &Matter, plan: &Plan) -> Option<Moment> {
    matter.told.values().map(|told| told.at + plan.dedup).max()
}
