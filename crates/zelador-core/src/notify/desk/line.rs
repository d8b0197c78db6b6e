//! The line before each channel: what waits, what is on its way, and what became of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Desk, Terms};
use crate::effect::Severity;
use crate::notify::digest::{digest, merge};
use crate::notify::matter::{Progress, Told};
use crate::notify::message::Message;
use crate::notify::parcel::{Delivery, DeliveryId, DeliveryOutcome, Parcel, ParcelId};
use crate::unit::Moment;
use crate::words::Words;

/// A channel that has not answered after this long has not taken the message. The effects give up
/// after 15 s, so that this is for what was lost.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);

/// So many failures in a row are no hiccup: the others are told (after about 6 s).
const TOLD_AFTER: u32 = 3;

/// One channel's line.
#[derive(Clone, Debug, Default)]
pub(in crate::notify) struct Line {
    /// What is on its way.
    pub(super) in_flight: Option<InFlight>,
    failures: u32,
    pub(in crate::notify) failing_since: Option<Moment>,
    pub(in crate::notify) reason: Words,
    pub(in crate::notify) retry_at: Moment,
    /// When messages were sent lately.
    pub(super) sent: VecDeque<Moment>,
    pub(in crate::notify) delivered_at: Option<Moment>,
}

#[derive(Clone, Debug)]
pub(super) struct InFlight {
    pub(super) id: DeliveryId,
    pub(super) parcels: Vec<ParcelId>,
    sent_at: Moment,
    pub(super) give_up_at: Moment,
}

impl Desk {
    /// Has a message wait for its channel; with one of the same matter that waits already it becomes
    /// one. Quiet hours hold back what is less than critical.
    pub(super) fn put(
        &mut self,
        terms: Terms<'_>,
        channel: &str,
        message: Message,
        severity: Severity,
    ) {
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
    pub(super) fn waiting_of(&self, channel: &str, key: &str) -> Option<ParcelId> {
        let waiting = self.waiting(channel).filter(|parcel| parcel.message.key == key);
        waiting.map(|parcel| parcel.id).max()
    }

    /// What waits for a channel and is not on its way, the oldest first.
    pub(in crate::notify) fn waiting<'a>(
        &'a self,
        channel: &'a str,
    ) -> impl Iterator<Item = &'a Parcel> {
        let flying = self.lines.get(channel).and_then(|line| line.in_flight.as_ref());
        self.parcels.values().filter(move |parcel| {
            parcel.channel == channel && !flying.is_some_and(|it| it.parcels.contains(&parcel.id))
        })
    }

    /// Whether news of a matter are on their way to a channel.
    pub(super) fn flies(&self, channel: &str, key: &str) -> bool {
        let flying = self.lines.get(channel).and_then(|line| line.in_flight.as_ref());
        let mut parcels = flying.iter().flat_map(|it| &it.parcels);
        parcels.any(|id| self.parcels.get(id).is_some_and(|parcel| parcel.message.key == key))
    }

    pub(super) fn is_flying(&self, id: ParcelId) -> bool {
        let mut flying = self.lines.values().filter_map(|line| line.in_flight.as_ref());
        flying.any(|it| it.parcels.contains(&id))
    }

    /// Sends what is due to every channel that takes something now.
    pub(super) fn flush(&mut self, terms: Terms<'_>) {
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
                at: now,
                message,
                handle,
                host: plan.host.clone(),
                zone: plan.zone().map(str::to_owned),
                answers_at: plan.base_url.clone().filter(|_| channel.answers),
            });
            let give_up_at = now + DELIVERED_WITHIN;
            let line = self.lines.entry(name.clone()).or_default();
            line.sent.push_back(now);
            line.in_flight = Some(InFlight { id, parcels, sent_at: now, give_up_at });
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
                let wish =
                    retry_after.unwrap_or_default().min(terms.plan.retry.longest_retry_after);
                line.fail(terms, &reason, wish);
                let failures = line.failures;
                parcels.into_iter().for_each(|id| self.come_back(&name, id));
                if failures >= TOLD_AFTER {
                    self.tell_of_failure(terms, &name, &reason);
                }
            }
            DeliveryOutcome::Refused { reason } => {
                line.fail(terms, &reason, Duration::ZERO);
                parcels.into_iter().for_each(|id| self.drop_parcel(id));
                self.tell_of_failure(terms, &name, &reason);
            }
        }
        self.flush(terms);
        true
    }

    /// To which channel a delivery is on its way, how often in a row that channel failed before, and
    /// when it was sent.
    pub fn on_its_way(&self, id: DeliveryId) -> Option<(&str, (u32, Moment))> {
        self.lines.iter().find_map(|(name, line)| {
            let flying = line.in_flight.as_ref().filter(|flying| flying.id == id)?;
            Some((name.as_str(), (line.failures, flying.sent_at)))
        })
    }

    /// A delivery is not made after all: what it was to bring waits until then.
    pub fn take_back(&mut self, id: DeliveryId, until: Moment) {
        let of = |line: &&mut Line| line.in_flight.as_ref().is_some_and(|flying| flying.id == id);
        if let Some(line) = self.lines.values_mut().find(of) {
            line.in_flight = None;
            line.sent.pop_back();
            line.retry_at = until;
        }
    }

    /// A channel is not tried before this.
    pub fn rest(&mut self, channel: &str, until: Moment) {
        if let Some(line) = self.lines.get_mut(channel) {
            line.retry_at = until;
        }
    }

    /// Whether a channel has failed so often in a row that people are told.
    pub fn fails(&self, channel: &str) -> bool {
        self.lines.get(channel).is_some_and(|line| line.failures >= TOLD_AFTER)
    }

    /// Until when a channel is not tried.
    pub fn rests_until(&self, channel: &str) -> Moment {
        self.lines.get(channel).map_or_else(Moment::default, |line| line.retry_at)
    }

    /// Deliveries of which nothing was heard in time.
    pub fn lost(&self, now: Moment) -> Vec<DeliveryId> {
        let flying = self.lines.values().filter_map(|line| line.in_flight.as_ref());
        flying.filter(|flying| flying.give_up_at <= now).map(|flying| flying.id).collect()
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

    pub(super) fn drop_parcel(&mut self, id: ParcelId) {
        if let Some(parcel) = self.parcels.remove(&id) {
            self.changed_parcels.insert(id);
            self.forget_if_over(&parcel.message.key);
        }
    }

    /// A matter that is over is forgotten when nobody waits to be told of it.
    pub(super) fn forget_if_over(&mut self, key: &str) {
        let over = self.matters.get(key).is_some_and(|it| it.progress == Some(Progress::Closed));
        if over && !self.parcels.values().any(|parcel| parcel.message.key == key) {
            self.matters.remove(key);
            self.changed_matters.insert(key.to_owned());
        }
    }
}

impl Line {
    fn fail(&mut self, terms: Terms<'_>, reason: &Words, wish: Duration) {
        self.failures = self.failures.saturating_add(1);
        let pause = terms.plan.retry.delay(self.failures);
        self.failing_since.get_or_insert(terms.now);
        self.reason.clone_from(reason);
        self.retry_at = terms.now + pause.max(wish);
    }
}
