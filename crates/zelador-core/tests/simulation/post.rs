//! The channels of the virtual world, and what always holds of what they get.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use zelador_core::effect::Effect;
use zelador_core::input::{Fact, Input};
use zelador_core::notify::{Delivery, DeliveryId, DeliveryOutcome, News};
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::{Moment, SECOND};
use zelador_core::words::quoted;

use crate::rule::{Rule, Violation, broken};
use crate::world::World;

/// The desk gives up a delivery without an answer after this time.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// As the settings of the virtual host say.
const LIMIT: (usize, Duration) = (6, Duration::from_mins(1));

/// What the channels know.
#[derive(Default)]
pub struct Post {
    /// On its way, by channel: which delivery, since when.
    under_way: BTreeMap<String, (DeliveryId, Moment)>,
    sent: BTreeMap<String, VecDeque<Moment>>,
    /// The last that a channel took of a matter.
    last: BTreeMap<(String, String), News>,
    /// Matters of which a message was refused, so that nothing is known of them.
    refused: BTreeSet<(String, String)>,
}

impl Post {
    /// Looks at what is sent and answered in a step.
    pub fn note(
        &mut self,
        now: Moment,
        input: &Input,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        if let Input::Fact(Fact::Delivered { delivery, .. }) = input {
            self.under_way.retain(|_, (id, _)| id != delivery);
        }
        for effect in effects {
            let Effect::Deliver(delivery) = effect else { continue };
            let name = delivery.name.clone();
            let before = self.under_way.insert(name.clone(), (delivery.id, now));
            if before.is_some_and(|(_, since)| now < since + LOST_AFTER) {
                return broken(
                    Rule::OneDeliveryAtATime,
                    format!("two messages are on their way to {name}"),
                );
            }
            let sent = self.sent.entry(name.clone()).or_default();
            while sent.front().is_some_and(|at| *at + LIMIT.1 <= now) {
                sent.pop_front();
            }
            sent.push_back(now);
            if sent.len() > LIMIT.0 {
                return broken(
                    Rule::MessagesWithinLimit,
                    format!("{name} gets {} messages", sent.len()),
                );
            }
        }
        Ok(())
    }

    /// A new engine knows nothing of what is on its way, nor of what was sent.
    pub fn engine_is_new(&mut self) {
        self.under_way.clear();
        self.sent.clear();
    }

    /// Whether messages wait for a channel.
    pub fn waits(&self, supervisor: &Supervisor) -> bool {
        supervisor.notify_view().channels.iter().any(|channel| channel.waiting > 0)
    }

    /// What the channels believe to be open is open.
    pub fn everybody_knows_the_end(&self, supervisor: &Supervisor) -> Result<(), Violation> {
        for ((channel, key), news) in &self.last {
            let Some(number) = key.strip_prefix("incident/") else { continue };
            let open = supervisor
                .incidents()
                .iter()
                .any(|it| it.is_open() && it.id.number().to_string() == number);
            let believed = *news != News::Resolved;
            let known = !self.refused.contains(&(channel.clone(), key.clone()));
            if known && believed != open {
                let what = format!("{channel} believes {news:?} of {key}, and open is {open}");
                return broken(Rule::ToldToTheEnd, what);
            }
        }
        Ok(())
    }

    /// What a channel heard last of each matter that it was told of.
    pub fn heard(&self, channel: &str) -> Vec<(&str, News)> {
        let of = self.last.iter().filter(|((name, _), _)| name == channel);
        of.map(|((_, key), news)| (key.as_str(), *news)).collect()
    }

    /// In a digest nothing but its words says what it is about: what the channel believes is unknown.
    fn forget(&mut self, channel: &str) {
        self.last.retain(|(name, _), _| name != channel);
    }

    /// A channel takes a message.
    fn take(&mut self, delivery: &Delivery) {
        let message = &delivery.message;
        let key = (delivery.name.clone(), message.key.clone());
        if message.news == News::Digest {
            return self.forget(&delivery.name);
        }
        self.last.insert(key, message.news);
    }
}

impl World {
    /// A channel takes it, or does what channels do: it is busy, broken, deaf, or of another opinion.
    pub fn deliver(&mut self, delivery: &Delivery) {
        let failed = |reason: &str, retry_after| {
            let reason = quoted(reason);
            DeliveryOutcome::Failed { reason, retry_after }
        };
        let luck = if self.rudeness == 0 { 9 } else { self.rng.u8(0..12) };
        let outcome = match luck {
            0 => failed("HTTP 429", Some(20 * SECOND)),
            1 | 2 => failed("HTTP 500", None),
            3 => {
                // It came, and its answer is lost.
                self.post.take(delivery);
                return;
            }
            4 if self.rng.u8(0..4) == 0 => {
                let key = (delivery.name.clone(), delivery.message.key.clone());
                self.post.refused.insert(key);
                if delivery.message.news == News::Digest {
                    self.post.forget(&delivery.name);
                }
                DeliveryOutcome::Refused { reason: quoted("HTTP 400") }
            }
            _ => {
                self.post.take(delivery);
                DeliveryOutcome::Delivered { handle: Some(delivery.id.to_string()) }
            }
        };
        let at = self.now + self.span(5..2_000);
        self.say(at, Fact::Delivered { delivery: delivery.id, outcome }, true);
    }
}
