//! The treatment of a sick app: rung after rung of its ladder, each past the guard, each verified.

use std::time::Duration;

use super::Supervisor;
use crate::diagnosis::consult::WhyAsk;
use crate::effect::Severity;
use crate::healing::guard::{Ruling, Wish, rule};
use crate::healing::{Next, Remedy, after_failure, ladder};
use crate::id::{AppName, IncidentId};
use crate::incident::{Outcome, Stage, Trouble, Try, TryResult};
use crate::retry::{AttemptOutcome, ErrorClass};
use crate::said::{Said, Why};
use crate::unit::{Moment, SECOND};
use crate::words;
use crate::words::{Words, counted};

/// How long something may take to come back that is no dependency which zelador looks at, before the app
/// is started anew: as long as the mission's general retry (1, 2, 4 … 32 s) takes altogether.
const WAITS_UNSEEN: Duration = Duration::from_secs(63);

impl Supervisor {
    /// It is known what is wrong: the remedies against it are tried, one after the other; `waited`: what
    /// it needs was waited for and is back.
    pub(super) fn begin_treatment(&mut self, id: IncidentId, waited: bool) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let Some(app) = self.apps.get(&incident.app) else { return };
        let Some(diagnosis) = &incident.diagnosis else {
            return self.escalate(id, Why::CauseUnknown);
        };
        let mut rungs = ladder(diagnosis, &app.spec);
        rungs.retain(|it| !waited || *it != Remedy::WaitForDependency);
        let before = rungs.clone();
        if let Some(print) = &incident.fingerprint {
            self.history.order(print, &mut rungs);
        }
        if incident.trouble == Trouble::Reported {
            return self.propose(id, rungs);
        }
        if rungs.len() > 1 {
            let said = Said::Ladder { remedies: rungs.clone(), learned: rungs != before };
            self.say(id, said);
        }
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.ladder = rungs;
            incident.current = None;
        }
        self.next_rung(id);
    }

    /// Goes on where a pause ended.
    pub(super) fn resume_treatment(&mut self, id: IncidentId) {
        match self.incidents.get(&id).and_then(|it| it.current.clone()) {
            None => self.begin_treatment(id, false),
            Some(remedy) => {
                if !self.consider(id, &remedy, false) {
                    self.next_rung(id);
                }
            }
        }
    }

    /// The next remedy that the guard lets pass; a person, when none is left.
    pub(super) fn next_rung(&mut self, id: IncidentId) {
        loop {
            let Some(incident) = self.incidents.get_mut(&id) else { return };
            if incident.ladder.is_empty() {
                let why = incident.tried();
                let failed = !incident.round().is_empty() && incident.consulted.is_none();
                if failed {
                    if self.consult(id, WhyAsk::RemedyFailed) {
                        return;
                    }
                    if self.incidents.get(&id).is_some_and(|it| !it.ladder.is_empty()) {
                        continue;
                    }
                }
                return self.escalate(id, why);
            }
            let remedy = incident.ladder.remove(0);
            incident.current = Some(remedy.clone());
            if self.consider(id, &remedy, false) {
                return;
            }
        }
    }

    /// What the guard says to a remedy at this moment.
    pub(super) fn ruling(&self, id: IncidentId, remedy: &Remedy, approved: bool) -> Option<Ruling> {
        let again = self.incidents.get(&id)?.is_again(remedy);
        self.ruling_on(id, remedy, approved, (again, false))
    }

    /// The same of what is done between a death and the next start: each time counts, however many deaths the
    /// incident has.
    pub(super) fn ruling_before_start(&self, id: IncidentId, remedy: &Remedy) -> Option<Ruling> {
        let own = self.incidents.get(&id)?.is_again(remedy);
        self.ruling_on(id, remedy, false, (false, own))
    }

    fn ruling_on(
        &self,
        id: IncidentId,
        remedy: &Remedy,
        approved: bool,
        (again, own): (bool, bool),
    ) -> Option<Ruling> {
        let incident = self.incidents.get(&id)?;
        let app = self.apps.get(&incident.app)?;
        let busy = self.busy_neighbour(&incident.app);
        let wish = Wish {
            app: &incident.app,
            remedy,
            diagnosis: incident.diagnosis.as_ref(),
            evidence: incident.evidence.as_ref(),
            mode: app.spec.heal.mode,
            approved,
            again,
            own,
            quiet_until: self.quiet_hours_end(&incident.app),
            busy: busy.as_deref(),
            fingerprint: incident.fingerprint.as_deref(),
        };
        Some(rule(&wish, &self.history, self.now))
    }

    /// Asks the guard; false: the remedy is out of the question.
    pub(super) fn consider(&mut self, id: IncidentId, remedy: &Remedy, approved: bool) -> bool {
        let Some(incident) = self.incidents.get(&id) else { return true };
        if let Some(until) = self.maintenance_of(Some(&incident.app)).and_then(|it| it.until) {
            let rest = until.since(self.now);
            self.say(id, Said::InMaintenance { remedy: remedy.clone(), rest });
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.rests_until = Some(until);
            }
            self.set_stage(id, Stage::Pausing { retry_at: until });
            return true;
        }
        let Some(app) = self.apps.get(&incident.app) else { return true };
        let again = incident.is_again(remedy);
        let within = app.spec.heal.approve_within;
        let Some(ruling) = self.ruling(id, remedy, approved) else { return true };
        match ruling {
            Ruling::Go => match self.awaits_a_quiet_moment(id, remedy).filter(|_| !approved) {
                Some(retry_at) => self.set_stage(id, Stage::Pausing { retry_at }),
                None => self.carry_out(id, remedy, again),
            },
            Ruling::Wait { until, why } => {
                self.say(id, Said::NotNow { remedy: remedy.clone(), why: why.into() });
                self.set_stage(id, Stage::Pausing { retry_at: until });
            }
            Ruling::Ask { why } => {
                let until = self.now + within;
                let said =
                    Said::Asks { remedy: remedy.clone(), why: why.into(), incident: id, within };
                let text = said.words();
                self.say(id, said);
                if let Some(incident) = self.incidents.get_mut(&id) {
                    incident.ask(self.now);
                }
                self.set_stage(id, Stage::AwaitingApproval { until });
                self.say_of(id, Severity::Warning, &text);
            }
            Ruling::WouldHave => {
                let said = Said::WouldHaveTried(remedy.clone());
                let text = said.words();
                self.say(id, said);
                self.set_stage(id, Stage::Observing);
                self.say_of(id, Severity::Warning, &text);
            }
            Ruling::Refuse { why } => {
                self.say(id, Said::Refused { remedy: remedy.clone(), why: why.into() });
                return false;
            }
        }
        true
    }

    /// Another app of the same group that is being healed.
    fn busy_neighbour(&self, app: &AppName) -> Option<String> {
        let group = |name: &AppName| self.apps.get(name).map(|app| app.spec.namespace.as_str());
        let own = group(app).filter(|group| *group != "default")?;
        let busy = self.incidents.values().find(|it| {
            let stage = matches!(it.stage, Stage::Applying { .. } | Stage::Verifying { .. });
            // Its restart policy at work disturbs nobody; what is done before its next start may.
            let acts = if it.trouble.is_deadly() { it.applies.is_some() } else { stage };
            let near = it.app != *app && group(&it.app) == Some(own);
            near && acts && it.is_open()
        });
        busy.map(|it| it.app.to_string())
    }

    /// When the quiet hours of an app end, if these are some.
    fn quiet_hours_end(&self, app: &AppName) -> Option<Moment> {
        let quiet = self.apps.get(app)?.spec.heal.quiet?;
        let ahead = Duration::from_micros(self.clock_ahead.unsigned_abs());
        let wall = if self.clock_ahead < 0 { self.now - ahead } else { self.now + ahead };
        let local = wall.timestamp().to_zoned(self.zone.clone());
        let number = |part: i8| u16::from(part.unsigned_abs());
        let left = quiet.left(number(local.hour()) * 60 + number(local.minute()))?;
        let begun = Duration::from_secs(u64::from(number(local.second())));
        Some(self.now + left.saturating_sub(begun).max(SECOND))
    }

    /// Does what was allowed.
    fn carry_out(&mut self, id: IncidentId, remedy: &Remedy, again: bool) {
        let is_deadly = self.incidents.get(&id).is_some_and(|it| it.trouble.is_deadly());
        match remedy {
            Remedy::StopAndNotify if is_deadly => self.leave_down(id),
            Remedy::StopAndNotify | Remedy::NotifyOnly | Remedy::None => {
                self.escalate(id, Why::NothingToDo);
            }
            Remedy::WaitForDependency => {
                let until = self.now + WAITS_UNSEEN;
                self.say(id, Said::WaitsUnseen(WAITS_UNSEEN));
                self.set_stage(id, Stage::Rechecking { until });
            }
            _ if remedy.restarts() => self.apply_restart(id, remedy, again),
            _ => {
                self.note_try(id, remedy, again);
                self.do_deed(id, remedy);
            }
        }
    }

    /// Notes that a remedy is tried.
    pub(super) fn note_try(&mut self, id: IncidentId, remedy: &Remedy, again: bool) {
        let now = self.now;
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.attempts += 1;
        incident.tries.push(Try { remedy: remedy.clone(), at: now, result: None });
        let (app, print) = (incident.app.clone(), incident.fingerprint.clone());
        let attempt = incident.attempts;
        if !again {
            self.history.begin(&app, remedy, id, print, now);
            self.changed.history = true;
        }
        self.say(id, Said::Try { number: attempt, remedy: remedy.clone(), again });
    }

    /// A try could not be made: where that does no harm it is made again, later each time.
    pub(super) fn not_applied(&mut self, id: IncidentId, why: impl Into<Why>) {
        self.failed_by(id, why.into(), false);
    }

    /// A try did not help.
    pub(super) fn failed(&mut self, id: IncidentId, why: impl Into<Why>) {
        self.failed_by(id, why.into(), true);
    }

    fn failed_by(&mut self, id: IncidentId, why: Why, was_applied: bool) {
        let now = self.now;
        let Some(incident) = self.incidents.get(&id) else { return };
        let (attempts, instance) = (incident.attempts, incident.instance);
        let policy = self.remedy_retry(&incident.app);
        let died = self.instances.get(&instance).and_then(|it| it.deaths.front()).map(|it| it.at);
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let tried = !incident.round().is_empty();
        let Some(last) = incident.tries.last_mut().filter(|_| tried) else {
            // Nothing was tried: it was its restart policy that did not help.
            return self.escalate(id, Why::PolicyDoesNotHelp(Box::new(why)));
        };
        let worse = died.is_some_and(|at| at > last.at);
        let result = if worse { TryResult::Worse } else { TryResult::NoEffect };
        last.result = Some(result);
        let remedy = last.remedy.clone();
        let of_host = incident.trouble.pressure().is_some();
        let same = || incident.round().iter().filter(|it| it.remedy == remedy);
        let (times, began_at) = (same().count(), same().next().map(|it| it.at));
        let elapsed = began_at.map_or(Duration::ZERO, |at| now.since(at));
        let error = why.words();
        self.say(id, Said::TryFailed { number: attempts, result, why });
        if worse {
            self.undo(id, &remedy);
        }
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        let after = after_failure(&policy, times, elapsed, &mut self.rng);
        let is_over = worse || after == Next::Escalate;
        if is_over && remedy == Remedy::RaiseLimitAndRestart {
            self.lower_limit(id);
        }
        // A second restart frees no more of the host than the first.
        let next = if of_host && was_applied { Next::Escalate } else { after };
        // One replica more may not be enough.
        let grows = remedy == Remedy::ScaleOut && !worse && self.may_grow(id);
        let repeats = remedy.restarts() || grows || (!was_applied && remedy.is_repeatable());
        if repeats {
            let class = ErrorClass::Ineffective;
            let outcome = match next {
                Next::Pause(delay) => AttemptOutcome::Retrying { class, error, delay },
                Next::Escalate => {
                    let why = match () {
                        () if grows => counted(
                            times as usize,
                            ("replica added did not help", "replicas added did not help"),
                            ("réplica a mais não ajudou", "réplicas a mais não ajudaram"),
                        ),
                        () if was_applied => counted(
                            times as usize,
                            ("restart did not help", "restarts did not help"),
                            ("reinício não ajudou", "reinícios não ajudaram"),
                        ),
                        () => counted(
                            times as usize,
                            ("try could not be made", "tries could not be made"),
                            ("tentativa não pôde ser feita", "tentativas não puderam ser feitas"),
                        ),
                    };
                    AttemptOutcome::GaveUp { class, error, why }
                }
            };
            self.note_attempt(id, outcome);
        } else {
            let class = ErrorClass::Ineffective;
            let why = words!(
                "another remedy is tried, or a person is asked",
                "outro remédio é tentado, ou uma pessoa é consultada",
            );
            self.note_attempt(id, AttemptOutcome::GaveUp { class, error, why });
        }
        if repeats && let Next::Pause(pause) = next {
            self.say(id, Said::NextTry(pause));
            return self.set_stage(id, Stage::Pausing { retry_at: now + pause });
        }
        self.end_use(id, false);
        self.changed.history = true;
        self.note_learned(id);
        self.next_rung(id);
    }

    /// It is over by what was done: that is remembered.
    pub(super) fn note_healed(&mut self, id: IncidentId, outcome: Outcome) {
        let now = self.now;
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        if outcome != Outcome::Healed {
            return;
        }
        match (incident.tries.last_mut(), &incident.fingerprint) {
            (Some(last), _) if last.result.is_none() => {
                last.result = Some(TryResult::Healed);
                self.end_use(id, true);
            }
            // Its restart policy did it.
            (None, Some(print)) => {
                self.history.learn(print.clone(), Remedy::Restart, true, now);
            }
            _ => return,
        }
        self.changed.history = true;
        self.note_learned(id);
    }

    /// Tells people about an incident, unless they want to hear no more of it.
    pub(super) fn say_of(&mut self, id: IncidentId, severity: Severity, text: &Words) {
        let Some(incident) = self.incidents.get(&id).filter(|it| !it.muted) else { return };
        let app = incident.app.to_string();
        let told =
            words!("incident {id}: {app}: {text}", "incidente {id}: {app}: {text}", text = text);
        self.notify(severity, app, told);
    }
}
