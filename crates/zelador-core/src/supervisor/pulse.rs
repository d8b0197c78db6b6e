//! The ping outward, as a part of the supervisor.

use super::Supervisor;
use super::order::Deadline;
use crate::check::Status;
use crate::effect::{Effect, Severity};
use crate::pulse::{NotHeard, PingId, Pulse};
use crate::retry::{Attempt, AttemptOutcome, ErrorClass, Next, RetryPolicy};
use crate::words;

/// The operation and its target in the ledger of retries, and the subject of notices.
const HEARTBEAT: &str = "heartbeat";

impl Supervisor {
    /// Begins or ends the pings as the settings say.
    pub(super) fn plan_pulse(&mut self) {
        let wanted = self.settings.heartbeat.as_ref();
        let policy = self.settings.resilience.retry(HEARTBEAT, RetryPolicy::general());
        let as_wanted = match (&self.pulse, wanted) {
            (Some(pulse), Some(spec)) => pulse.spec == *spec && pulse.policy == policy,
            (None, None) => true,
            _ => false,
        };
        if !as_wanted {
            self.pulse = wanted.map(|spec| Pulse::new(spec.clone(), policy, self.now));
            self.pulse_moved();
        }
    }

    fn pulse_moved(&mut self) {
        // A zelador that ends is not heard any more, and that is right.
        let pulse = self.pulse.as_ref().filter(|_| !self.stopping);
        self.deadlines.set(Deadline::Pulse, pulse.map(Pulse::deadline));
    }

    pub(super) fn pulse_due(&mut self) {
        let now = self.now;
        let Some(lost) = self.pulse.as_ref().map(|pulse| pulse.lost(now)) else { return };
        if let Some(lost) = lost {
            let reason = words!("nothing came back", "nada voltou");
            let late = NotHeard { class: ErrorClass::TimedOut, reason, retry_after: None };
            self.pinged(lost, Err(late));
        }
        let id = self.next_probe;
        let begun = !self.stopping && self.pulse.as_mut().is_some_and(|pulse| pulse.begin(id, now));
        if let (true, Some(pulse)) = (begun, &self.pulse) {
            self.next_probe += 1;
            let spec = pulse.spec.clone();
            let failing = spec.fail && self.health().overall == Status::Unhealthy;
            self.effects.push(Effect::Ping { id, to: spec.to, failing, timeout: spec.timeout });
        }
        self.pulse_moved();
    }

    pub(super) fn pinged(&mut self, id: PingId, went: Result<(), NotHeard>) {
        let (now, failure) = (self.now, went.as_ref().err());
        let Some(pulse) = &mut self.pulse else { return self.ignored += 1 };
        let Some(beat) = pulse.took(id, now, failure.map_or(Ok(()), Err), &mut self.rng) else {
            return self.ignored += 1;
        };
        let outcome = match (failure, beat.next) {
            (None, _) => AttemptOutcome::Succeeded,
            (Some(NotHeard { class, reason, .. }), next) => {
                let (class, error) = (*class, reason.clone());
                match next {
                    Next::After(delay) => AttemptOutcome::Retrying { class, error, delay },
                    Next::GiveUp(why) => AttemptOutcome::GaveUp { class, error, why: why.words() },
                }
            }
        };
        let target = HEARTBEAT.to_owned();
        let attempt = Attempt { at: now, target, number: beat.number, took: beat.took, outcome };
        self.attempted(HEARTBEAT, attempt);
        if let (true, Some(failure)) = (beat.complaint, failure) {
            let text = words!(
                "nobody elsewhere hears that this zelador lives: {reason}",
                "ninguém lá fora ouve que este zelador está vivo: {reason}",
                reason = failure.reason,
            );
            self.notify(Severity::Warning, HEARTBEAT, text);
        }
        if beat.relief {
            let text = words!(
                "it is heard again that this zelador lives",
                "volta a ser ouvido que este zelador está vivo",
            );
            self.notify(Severity::Info, HEARTBEAT, text);
        }
        self.pulse_moved();
    }
}
