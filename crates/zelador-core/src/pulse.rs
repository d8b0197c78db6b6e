//! When somebody elsewhere hears that this zelador lives: the watcher is watched.
//!
//! Pure: the time and how pings went go in, when to ping goes out. A ping is decided where everything is
//! decided, so that supervision which hangs is not heard, although its process lives. Always holds: one
//! ping at a time is under way, and one that nobody answers is given up; after a ping that arrived the
//! next begins an interval after that one began; one that did not arrive is tried again by the general
//! retry, and a person is told once, when that has given up.

use std::time::Duration;

use crate::retry::{ErrorClass, Failure, Next, Retry, RetryPolicy};
use crate::spec::PulseSpec;
use crate::unit::{Moment, SECOND};
use crate::words::Words;

/// One ping. Never reused, so that a late answer is recognised.
pub type PingId = u64;

/// How a ping went that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotHeard {
    /// What kind of failure.
    pub class: ErrorClass,
    /// What was said, without the address.
    pub reason: Words,
    /// The pause that the other side asked for.
    pub retry_after: Option<Duration>,
}

/// How much longer than its timeout a ping may stay unanswered before it counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// The pings of one engine.
#[derive(Clone, Debug)]
pub struct Pulse {
    /// Where and how often.
    pub spec: PulseSpec,
    /// How a ping that did not arrive is tried again.
    pub policy: RetryPolicy,
    next_at: Moment,
    /// The ping on its way, when it began and when it is given up.
    under_way: Option<(PingId, Moment, Moment)>,
    retry: Retry,
    /// A person was told that pings do not arrive.
    complained: bool,
}

/// What came of a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Which attempt it was; 1 is the first.
    pub number: u32,
    /// How long it took.
    pub took: Duration,
    /// When the next begins, and why there is no earlier one when all attempts failed.
    pub next: Next,
    /// It did not arrive, and a person does not know that yet.
    pub complaint: bool,
    /// It arrived, and a person was told that pings do not.
    pub relief: bool,
}

impl Pulse {
    /// The first ping is due now.
    pub fn new(spec: PulseSpec, policy: RetryPolicy, now: Moment) -> Self {
        let retry = Retry::new(policy, now);
        Self { spec, policy, next_at: now, under_way: None, retry, complained: false }
    }

    /// When to ping, or to give a ping up.
    pub fn deadline(&self) -> Moment {
        self.under_way.map_or(self.next_at, |(_, _, give_up_at)| give_up_at)
    }

    /// The ping that nobody has answered in time.
    pub fn lost(&self, now: Moment) -> Option<PingId> {
        self.under_way.filter(|(_, _, give_up_at)| now >= *give_up_at).map(|(id, ..)| id)
    }

    /// Begins a ping, if one is due.
    pub fn begin(&mut self, id: PingId, now: Moment) -> bool {
        let due = self.under_way.is_none() && now >= self.next_at;
        if due {
            self.under_way = Some((id, now, now + self.spec.timeout + LOST_AFTER));
        }
        due
    }

    /// Takes in how a ping went; `None`: it is not the one that is under way.
    pub fn took(
        &mut self,
        id: PingId,
        now: Moment,
        went: Result<(), &NotHeard>,
        rng: &mut fastrand::Rng,
    ) -> Option<Beat> {
        let (_, began_at, _) = self.under_way.take_if(|(under_way, ..)| *under_way == id)?;
        let number = self.retry.failed().saturating_add(1);
        let took = now.since(began_at);
        let regular = (began_at + self.spec.interval).max(now + SECOND);
        let mut beat = Beat {
            number,
            took,
            next: Next::After(regular.since(now)),
            complaint: false,
            relief: false,
        };
        self.next_at = regular;
        match went {
            Ok(()) => {
                self.retry = Retry::new(self.policy, regular);
                beat.relief = std::mem::take(&mut self.complained);
            }
            Err(NotHeard { class, retry_after, .. }) => {
                let failure = Failure { class: *class, retry_after: *retry_after };
                beat.next = self.retry.after_failure(now, failure, None, rng);
                match beat.next {
                    // What is asked for by the other side is respected; the delays of the retry are not
                    // longer than what would come anyway.
                    Next::After(delay) if retry_after.is_some() => self.next_at = now + delay,
                    Next::After(delay) => self.next_at = regular.min(now + delay),
                    Next::GiveUp(_) => {
                        self.retry = Retry::new(self.policy, regular);
                        beat.complaint = !std::mem::replace(&mut self.complained, true);
                    }
                }
            }
        }
        Some(beat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::PulseAddress;
    use crate::words::quoted;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_mins(1);

    fn pulse() -> Pulse {
        let to = PulseAddress::Url("https://example.org/x".to_owned());
        let spec = PulseSpec { to, interval: INTERVAL, timeout: 10 * SECOND, fail: false };
        Pulse::new(spec, RetryPolicy::general(), Moment::default())
    }

    fn unreachable() -> NotHeard {
        let reason = quoted("no connection");
        NotHeard { class: ErrorClass::Unreachable, reason, retry_after: None }
    }

    #[test]
    fn what_does_not_arrive_is_tried_again_and_told_once() {
        let (mut pulse, mut rng) = (pulse(), fastrand::Rng::with_seed(7));
        let (mut now, mut gaps, mut told) = (Moment::default(), Vec::new(), 0);
        for id in 0..16 {
            assert!(pulse.begin(id, now), "it is due at its deadline");
            let beat = pulse.took(id, now, Err(&unreachable()), &mut rng).expect("it is under way");
            told += u32::from(beat.complaint);
            gaps.push(pulse.deadline().since(now).as_secs());
            now = pulse.deadline();
        }
        assert_eq!(gaps[..8], [1, 2, 4, 8, 16, 32, 60, 1], "the general retry, then the interval");
        assert_eq!(told, 1);
        assert!(pulse.begin(16, now));
        let beat = pulse.took(16, now, Ok(()), &mut rng).expect("it is under way");
        assert!(beat.relief);
        assert_eq!(pulse.deadline(), now + INTERVAL);
    }

    #[test]
    fn an_address_that_is_wrong_is_told_at_once() {
        let (mut pulse, mut rng) = (pulse(), fastrand::Rng::with_seed(7));
        let now = Moment::default();
        assert!(pulse.begin(0, now));
        let gone = NotHeard { class: ErrorClass::NotFound, ..unreachable() };
        assert!(pulse.took(0, now, Err(&gone), &mut rng).expect("it is under way").complaint);
        assert_eq!(pulse.deadline(), now + INTERVAL);
    }

    proptest! {
        /// Whatever comes back, early, late or never: one ping at a time, and none is missing for longer
        /// than the interval and the patience for one.
        #[test]
        fn pings_go_on_one_at_a_time(answers in prop::collection::vec((0_u8..4, 0_u64..40), 1..60)) {
            let (mut pulse, mut rng) = (pulse(), fastrand::Rng::with_seed(7));
            let (mut now, mut id, mut last) = (Moment::default(), 0, Moment::default());
            for (kind, delay) in answers {
                now = now.max(pulse.deadline());
                prop_assert!(pulse.begin(id, now));
                prop_assert!(!pulse.begin(id + 1, now), "one is under way");
                prop_assert!(now.since(last) <= INTERVAL + 10 * SECOND + LOST_AFTER);
                last = now;
                now = (now + SECOND * delay as u32).min(pulse.deadline());
                let lost = pulse.lost(now);
                prop_assert_eq!(lost.is_some(), now >= pulse.deadline());
                let late = pulse.took(id + 1, now, Ok(()), &mut rng);
                prop_assert!(late.is_none(), "an answer to another ping");
                let went = if kind == 0 { Ok(()) } else { Err(unreachable()) };
                prop_assert!(pulse.took(id, now, went.as_ref().copied(), &mut rng).is_some());
                prop_assert!(pulse.deadline() > now, "the deadline moves on");
                id += 2;
            }
        }
    }
}
