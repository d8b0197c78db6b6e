//! Incidents of runs that ended: what the cause says about the next start.
//!
//! A first death costs no time: the restart policy starts the app while its evidence is gathered. Only
//! an app that dies again is held until that is read; what cannot be helped by a start is then left
//! down. Always holds: a run that lives is not ended for what an earlier one died of, unless its data
//! is at stake; what a person asks for is done at once.

use std::time::Duration;

use super::Supervisor;
use super::dependencies::Dependency;
use super::next_start::{OFTEN, pause};
use super::reopening::{HIDES_AFTER, seemed_over};
use crate::check::Status;
use crate::death::Death;
use crate::effect::Severity;
use crate::evidence::Evidence;
use crate::healing::case::forbids_restart;
use crate::healing::{GATHER_WITHIN, Remedy, STABLE_FOR};
use crate::id::{AppName, CheckId, IncidentId, InstanceId, RunId};
use crate::incident::{Incident, Outcome, Stage, Trouble};
use crate::instance::{Goal, Phase};
use crate::said::{Said, Why};
use crate::spec::HealMode;
use crate::unit::Moment;
use crate::words::Words;

/// So many deaths in a row of the same kind within an hour, each of a run younger than [`YOUNG`], are a
/// crash loop, however patient its restart policy is: the taxonomy of causes draws the line there.
const LOOPS_AFTER: u32 = 8;

/// See [`LOOPS_AFTER`].
const YOUNG: Duration = Duration::from_mins(1);

/// What the incident of a death says about the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// The restart policy decides alone.
    Usual,
    /// Not before the diagnosis is there, or this moment.
    Judge(Moment),
    /// Not before this moment.
    Later(Moment),
}

impl Supervisor {
    /// A run ended that is to be started again: opens its incident, or adds to it.
    pub(super) fn note_crash(
        &mut self,
        id: InstanceId,
        run: RunId,
        death: &Death,
        known: Evidence,
    ) -> Advice {
        let name = self.spoken_name(id);
        let lived = known.uptime_millis.map(Duration::from_millis);
        let why = Why::Died { name, death: death.clone(), lived };
        let give_up_at = self.now + GATHER_WITHIN;
        let Some((number, is_new)) = self.crash_incident(id, death, &why) else {
            return Advice::Usual;
        };
        self.hand_over(id, number);
        let Some(incident) = self.incidents.get_mut(&number) else { return Advice::Usual };
        let pending = incident.pending.as_ref();
        let last = pending.map(|it| &**it).or(incident.evidence.as_ref());
        let same = last.is_some_and(|it| it.death.as_ref() == Some(death));
        let is_pending = pending.is_some();
        incident.deaths = if same { incident.deaths.saturating_add(1) } else { 1 };
        incident.instance = id;
        incident.suspects_until = None;
        let deaths = incident.deaths;
        let diagnosis = incident.diagnosis.clone().filter(|_| same);
        let (lately, is_hidden) = (known.deaths_last_hour, incident.hidden.is_some());
        if !is_new {
            self.say(number, Said::Again(why));
        }
        // What the host has no room for did not end.
        let is_loop = lived.is_none_or(|lived| lived < YOUNG) && !death.is_for_want_of_room();
        if deaths >= LOOPS_AFTER && lately >= LOOPS_AFTER && is_loop && !is_hidden {
            self.say_hidden(number, lately, true);
        }
        if !is_pending {
            self.ask_for_evidence(id, number, known, Some((run, death.clone())));
            self.set_stage(number, Stage::Gathering { give_up_at });
        }
        let only_looks = self.heal_mode(id) == HealMode::Observe;
        let app = &self.incidents[&number].app;
        let can_help = diagnosis.as_ref().is_some_and(|it| {
            self.can_raise(id, it.cause) || self.preparation(app, it, deaths).is_some()
        });
        let advice = match diagnosis {
            _ if only_looks || self.has_heir(id) => Advice::Usual,
            _ if is_pending => Advice::Judge(give_up_at),
            Some(it) if can_help || forbids_restart(&it) => Advice::Judge(give_up_at),
            Some(it) => {
                let pause = pause(&it, deaths, lived, self.least_uptime(id));
                pause.map_or(Advice::Usual, |pause| Advice::Later(self.now + pause))
            }
            None => Advice::Usual,
        };
        if let (Advice::Judge(_), Some(incident)) = (advice, self.incidents.get_mut(&number)) {
            incident.held.insert(id);
        }
        advice
    }

    /// What a check was the first to see was a death: as long as nothing was done about its silence,
    /// its end is what there is to explain.
    fn hand_over(&mut self, instance: InstanceId, death: IncidentId) {
        let Some(silent) = self.open_incident_of(instance, Trouble::Unresponsive) else { return };
        let incident = &self.incidents[&silent];
        if incident.instance == instance && incident.is_of_thought() {
            self.close(silent, Outcome::TakenOver, Why::DiedOf(death));
        }
    }

    /// The incident that a death belongs to, and whether it is new: an open one, or one that seemed
    /// to be over.
    fn crash_incident(
        &mut self,
        id: InstanceId,
        death: &Death,
        why: &Why,
    ) -> Option<(IncidentId, bool)> {
        let app = self.instances.get(&id)?.app.clone();
        let of_app = |it: &&Incident| it.app == app && it.trouble.is_deadly();
        let open = self.incidents.values().find(|it| of_app(it) && it.is_open());
        if let Some(open) = open {
            return Some((open.id, false));
        }
        if self.is_left_alone(id) {
            return None;
        }
        if let Some(part) = self.part_of_what_lasts(&app) {
            if let Some(incident) = self.incidents.get_mut(&part) {
                incident.resume(self.now);
                incident.trouble = Trouble::Died;
            }
            return Some((part, false));
        }
        let now = self.now;
        let came_back = |it: &&Incident| {
            let same = it.evidence.as_ref().is_some_and(|it| it.death.as_ref() == Some(death));
            of_app(it) && seemed_over(it, now) && same
        };
        let Some(back) = self.incidents.values().rev().find(came_back).map(|it| it.id) else {
            return Some((self.open(id, Trouble::Died, why.clone())?, true));
        };
        let incident = self.incidents.get_mut(&back)?;
        incident.reopen(now, why.clone());
        incident.trouble = Trouble::Died;
        if let Some(print) = incident.fingerprint.clone() {
            self.history.learn(print, Remedy::Restart, false, now);
            self.changed.history = true;
        }
        let often = incident.reopened;
        self.changed.incidents.insert(back);
        if often == HIDES_AFTER {
            self.say_hidden(back, often, false);
        }
        Some((back, true))
    }

    /// A person is told that starting it again does not mend it; the restart policy goes on.
    pub(super) fn say_hidden(&mut self, id: IncidentId, times: u32, lately: bool) {
        let said = Said::RestartHides { times, lately };
        let text = said.words();
        self.say(id, said);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.hidden = Some(text.english().to_owned());
        }
        self.say_of(id, Severity::Critical, &text);
    }

    /// How the runs of an instance end, and how often in a row they did, where that is often.
    pub(super) fn dies_often(&self, id: InstanceId) -> Option<(u32, Death)> {
        let instance = self.instances.get(&id)?;
        // Every view asks this of every app: hardly one of them has died so often.
        instance.deaths.get(OFTEN as usize - 1)?;
        let app = &instance.app;
        let of_it = |it: &&Incident| it.instance == id && it.app == *app && it.is_open();
        let mut deadly = self.incidents.values().filter(|it| it.trouble.is_deadly());
        let incident = deadly.find(of_it).filter(|it| it.deaths >= OFTEN)?;
        let death = incident.evidence.as_ref().and_then(|it| it.death.clone())?;
        Some((incident.deaths, death))
    }

    /// An instance's breaker opened.
    pub(super) fn open_crash_loop(&mut self, id: InstanceId, why: Words) {
        let died = self.open_incident_of(id, Trouble::Died);
        if let Some(incident) = self.open_incident_of(id, Trouble::CrashLoop).or(died) {
            self.tell(incident, why);
            if let Some(incident) = self.incidents.get_mut(&incident) {
                incident.trouble = Trouble::CrashLoop;
                incident.held.remove(&id);
            }
            return;
        }
        let known = self.known(id);
        let Some(incident) = self.open(id, Trouble::CrashLoop, why) else { return };
        let last = known.deaths.first().map(|past| past.death.clone());
        let run = self.instances.get(&id).and_then(|it| it.phase.run());
        self.ask_for_evidence(id, incident, known, run.zip(last));
        self.set_stage(incident, Stage::Gathering { give_up_at: self.now + GATHER_WITHIN });
    }

    /// Moves the incident of a death on as far as it goes now.
    pub(super) fn drive_crash(&mut self, id: IncidentId) {
        self.question_due(id);
        let incident = &self.incidents[&id];
        let (stage, app, applies) =
            (incident.stage.clone(), incident.app.clone(), incident.applies);
        if let Stage::Gathering { give_up_at } = stage {
            if self.has_evidence(id, give_up_at) && !self.ask_its_dependencies(id) {
                self.decide_crash(id);
            }
            return;
        }
        if let Stage::Asking { give_up_at } = stage {
            if !self.comes_of_a_dependency(id, give_up_at) {
                self.decide_crash(id);
            }
            return;
        }
        // What was said to be looked at until then is.
        let mut least = match stage {
            Stage::Verifying { until } => until,
            _ => Moment::default(),
        };
        if let Stage::WaitingForDependency { dependency } = &stage {
            let state = self.one_dependency_state(dependency, Moment::default());
            if let Dependency::Down { .. } = state {
                return self.join_its_cause(id, dependency);
            }
            self.say(id, Said::IsBack(dependency.clone()));
            least = self.now + STABLE_FOR;
        }
        if self.comes_of_what_is_suspected(id) {
            return;
        }
        if let Some(give_up_at) = applies {
            if self.now >= give_up_at {
                self.prepared(id, Err(Why::TookTooLong));
            }
            return;
        }
        let ids = self.instances_of(&app);
        if ids.iter().any(|it| self.comes_of_what_holds_it(id, *it)) {
            return;
        }
        let mut up_since = None;
        for instance_id in ids {
            let Some(instance) = self.instances.get(&instance_id) else { continue };
            match instance.phase {
                _ if instance.goal == Goal::Down => {}
                Phase::Running { since, .. } => up_since = up_since.max(Some(since)),
                Phase::Tripped { .. } => {
                    if !matches!(stage, Stage::AwaitingTrial | Stage::Escalated) {
                        self.set_stage(id, Stage::AwaitingTrial);
                    }
                    return;
                }
                Phase::Finished { .. } => {}
                // What was decided about it stands: it is about to be down.
                Phase::Stopping { .. } if stage == Stage::Escalated => return,
                _ if stage == Stage::AwaitingStart => return,
                _ => return self.set_stage(id, Stage::AwaitingStart),
            }
        }
        let Some(up_since) = up_since else {
            return self.close(id, Outcome::Recovered, Why::Finished);
        };
        let until = least.max(up_since + self.stable_span(&app));
        if self.now < until {
            let verifying = Stage::Verifying { until };
            if stage != verifying {
                self.set_stage(id, verifying);
            }
        } else if self.has_a_sick_replica(&app) {
            let later = matches!(stage, Stage::Verifying { until } if until > self.now);
            if !later {
                self.set_stage(id, Stage::Verifying { until: self.now + STABLE_FOR });
            }
        } else {
            let held = self.now.since(up_since);
            self.close(id, Outcome::Healed, Why::StartHeld(held));
        }
    }

    fn has_a_sick_replica(&self, app: &AppName) -> bool {
        self.instances_of(app).into_iter().any(|instance| {
            let check = self.checks.get(&CheckId::Instance(instance));
            check.is_some_and(|check| check.verdict == Some(Status::Unhealthy))
        })
    }

    /// How long a run must stay up until its start is believed.
    fn stable_span(&self, app: &AppName) -> Duration {
        let least = self.apps.get(app).map(|app| app.spec.restart.min_uptime);
        least.unwrap_or_default().max(STABLE_FOR)
    }

    pub(super) fn heal_mode(&self, id: InstanceId) -> HealMode {
        let app = self.instances.get(&id).and_then(|it| self.apps.get(&it.app));
        app.map(|app| app.spec.heal.mode).unwrap_or_default()
    }

    /// A start that waited for the diagnosis may be made, not before this moment.
    pub(super) fn let_start(&mut self, id: InstanceId, at: Moment) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Phase::Backoff { retry_at, held: false, .. } = &mut instance.phase else { return };
        *retry_at = at;
        self.touch(id);
        if at <= now {
            self.start_as_noted(id, true);
        }
    }
}
