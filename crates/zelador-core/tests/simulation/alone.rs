//! Who is left alone: a database behind its breaker, one look at it at a time, and whoever asks for it.

use std::collections::BTreeMap;

use zelador_core::breaker::State;
use zelador_core::check::CheckTarget;
use zelador_core::effect::Effect;
use zelador_core::id::{CheckId, ProbeId, RunId};
use zelador_core::input::{Command, Fact, Input};
use zelador_core::probe::{Finding, LONGEST_ASKED};
use zelador_core::record::Record;
use zelador_core::supervisor::{Supervisor, View};
use zelador_core::unit::Moment;

use crate::looks::run_of;
use crate::rule::{Rule, Violation, broken};

/// After so many failures in a row the breaker of a database is not closed: five, and one before which
/// it had none.
const OPENS_AFTER: u32 = 6;

/// The looks as the daemon sees them.
#[derive(Default)]
pub struct Alone {
    /// Neither answered nor left.
    under_way: BTreeMap<ProbeId, (CheckId, Option<RunId>)>,
    /// What every look of this engine was about.
    known: BTreeMap<ProbeId, CheckId>,
    /// Failures in a row that this engine has heard of, by database.
    failures: BTreeMap<CheckId, u32>,
    /// How breakers stand, as it was recorded.
    states: BTreeMap<String, State>,
    /// Who asked to be left alone, in which run and until when.
    asked_for_it: BTreeMap<CheckId, (Option<RunId>, Moment)>,
}

impl Alone {
    /// A new engine has looks of its own, and knows the wishes of which there is a record.
    pub fn engine_is_new(&mut self, records: &[Record]) {
        let mut asked_for_it = std::mem::take(&mut self.asked_for_it);
        asked_for_it.retain(|check, (run, until)| {
            records.iter().any(|record| match record {
                Record::LeftAlone(kept) => {
                    kept.0 == *check && (kept.1.run, kept.1.until) == (*run, *until)
                }
                _ => false,
            })
        });
        *self = Self { asked_for_it, ..Self::default() };
    }

    /// Looks whether a step asks somebody who is to be left alone.
    pub fn note(
        &mut self,
        now: Moment,
        (input, effects): (&Input, &[Effect]),
        supervisor: &Supervisor,
        view: &View,
    ) -> Result<(), Violation> {
        self.take_in(now, input);
        let a_person_asks = matches!(input, Input::Command(_, Command::CheckNow));
        for effect in effects {
            match effect {
                Effect::LeaveLook { probe } => _ = self.under_way.remove(probe),
                Effect::Look { probe, target, .. } => {
                    let about = supervisor.check_of(*probe).or_else(|| self.known.get(probe));
                    let Some(check) = about.cloned() else { continue };
                    self.known.insert(*probe, check.clone());
                    if let (CheckTarget::Database { .. }, CheckId::Database(name)) =
                        (target, &check)
                    {
                        self.one_at_a_time(&check)?;
                        let until = self.open_until(name).filter(|_| !a_person_asks);
                        if let Some(until) = until.filter(|until| *until > now) {
                            let what = format!("{name} is asked at {now}, and open until {until}");
                            return broken(Rule::OpenIsNotAsked, what);
                        }
                    }
                    let run = run_of(view, &check);
                    let asked = self.asked_for_it.get(&check).filter(|(of, _)| *of == run);
                    if let Some((_, until)) =
                        asked.filter(|(_, until)| *until > now && !a_person_asks)
                    {
                        let what = format!("{check:?} is asked at {now}, and not before {until}");
                        return broken(Rule::LeftAlone, what);
                    }
                    self.under_way.insert(*probe, (check, run));
                }
                _ => {}
            }
        }
        self.hear_of_breakers(effects);
        self.opens_in_time()
    }

    fn take_in(&mut self, now: Moment, input: &Input) {
        let Input::Fact(Fact::Looked { probe, outcome }) = input else { return };
        let Some((check, run)) = self.under_way.remove(probe) else { return };
        match (outcome.finding.failure(), &outcome.finding) {
            (_, Finding::Unavailable { .. }) => {}
            (Some(_), _) => *self.failures.entry(check.clone()).or_default() += 1,
            (None, _) => _ = self.failures.remove(&check),
        }
        match &outcome.finding {
            Finding::Busy { retry_after, .. } => {
                let until = now + (*retry_after).min(LONGEST_ASKED);
                self.asked_for_it.insert(check, (run, until));
            }
            _ => _ = self.asked_for_it.remove(&check),
        }
    }

    fn one_at_a_time(&self, check: &CheckId) -> Result<(), Violation> {
        match self.under_way.values().find(|(it, _)| it == check) {
            Some(_) => broken(Rule::OneLookAtATime, format!("{check:?} is asked twice at once")),
            None => Ok(()),
        }
    }

    /// Reads from the records how breakers stand.
    fn hear_of_breakers(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Record(Record::BreakerGone(key)) => _ = self.states.remove(&key.target),
                Effect::Record(Record::Breaker(kept)) => {
                    self.states.insert(kept.0.target.clone(), kept.1.state());
                }
                _ => {}
            }
        }
    }

    fn opens_in_time(&self) -> Result<(), Violation> {
        for (check, failures) in &self.failures {
            let CheckId::Database(name) = check else { continue };
            let state = self.states.get(&format!("database:{name}"));
            if *failures >= OPENS_AFTER && matches!(state, None | Some(State::Closed)) {
                let what = format!("{name} failed {failures} times in a row: {state:?}");
                return broken(Rule::OpensInTime, what);
            }
        }
        Ok(())
    }

    /// When the breaker of a database permits the next trial, if it is open.
    fn open_until(&self, name: &str) -> Option<Moment> {
        match self.states.get(&format!("database:{name}")) {
            Some(State::Open { until, .. }) => Some(*until),
            _ => None,
        }
    }
}
