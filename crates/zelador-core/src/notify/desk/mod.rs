//! The desk: what is told to whom, and when; one line a channel.
//!
//! Level-triggered where it can be: an incident is compared with what was told about it, so that news
//! that came twice is told once. A channel that takes nothing is not asked again before its pause is
//! over, and the others are told of it.

mod due;
mod line;
mod news;

use std::collections::{BTreeMap, BTreeSet};

use super::matter::{About, Matter, Progress};
use super::message::Tale;
use super::parcel::{Delivery, DeliveryId, Parcel, ParcelId};
use super::plan::Plan;
use crate::effect::Severity;
use crate::question::Question;
use crate::record::Record;
use crate::unit::Moment;
use line::Line;

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
    /// What is asked of a person.
    pub question: Option<Question>,
    /// When it began.
    pub opened_at: Moment,
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

    /// What changed since the last call, as records, in an order that an engine may be lost in: what is to be sent
    /// comes before what is said of its matter, and what was sent after that. So an end that was not written whole is
    /// told again, and nobody is forgotten who was told a beginning.
    pub fn changes(&mut self) -> Vec<Record> {
        let (mut records, mut gone) = (Vec::new(), Vec::new());
        for id in std::mem::take(&mut self.changed_parcels) {
            match self.parcels.get(&id) {
                Some(parcel) => records.push(Record::Parcel(Box::new(parcel.clone()))),
                None => gone.push(Record::ParcelGone(id)),
            }
        }
        for key in std::mem::take(&mut self.changed_matters) {
            records.push(match self.matters.get(&key) {
                Some(matter) => Record::Matter(Box::new(matter.clone())),
                None => Record::MatterGone(key),
            });
        }
        records.extend(gone);
        records
    }

    /// What is to be sent since the last call.
    pub fn deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    /// Nobody wants to hear more of a matter: what waits is not sent, and of what comes only the end is told, to those
    /// who heard of its beginning.
    pub fn mute(&mut self, key: &str) {
        let Some(matter) = self.matters.get_mut(key).filter(|it| it.is_open() && !it.muted) else {
            return;
        };
        matter.muted = true;
        self.changed_matters.insert(key.to_owned());
        let waiting = self.parcels.values().filter(|it| it.message.key == key);
        let waiting: Vec<ParcelId> =
            waiting.map(|it| it.id).filter(|id| !self.is_flying(*id)).collect();
        waiting.into_iter().for_each(|id| self.drop_parcel(id));
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
}
