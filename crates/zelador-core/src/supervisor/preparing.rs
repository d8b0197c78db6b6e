//! What is done between a death and the next start: a limit is raised, room is made, a command of the
//! user's is run. Only where the guard lets it, and whatever comes of it: the start is made.

use crate::diagnosis::Diagnosis;
use crate::healing::guard::Ruling;
use crate::healing::raise::raise;
use crate::healing::{Remedy, ladder};
use crate::id::{AppName, IncidentId};
use crate::incident::{Stage, TryResult};
use crate::said::{Said, Why};
use crate::words::Words;

use super::Supervisor;

impl Supervisor {
    /// It died of a limit, again: the next start would end in the same way, so the limit is raised before.
    pub(super) fn raise_before_start(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let Some(app) = self.apps.get(&incident.app) else { return };
        let cause = incident.diagnosis.as_ref().map(|it| it.cause);
        if cause.and_then(|cause| raise(cause, &app.spec)).is_none() {
            return;
        }
        if self.may_prepare(id, &Remedy::RaiseLimitAndRestart) {
            self.note_try(id, &Remedy::RaiseLimitAndRestart, false);
            self.raise_limit(id);
        }
    }

    /// It died because its disk is full, or of something that a declared command is for: that is done
    /// before the next start. True: the starts that are held wait for it.
    pub(super) fn prepare_start(&mut self, id: IncidentId) -> bool {
        let Some(incident) = self.incidents.get(&id) else { return false };
        let Some(diagnosis) = &incident.diagnosis else { return false };
        let Some(remedy) = self.preparation(&incident.app, diagnosis, incident.deaths) else {
            return false;
        };
        // Another instance died meanwhile.
        if incident.applies.is_some() {
            return true;
        }
        if !self.may_prepare(id, &remedy) {
            return false;
        }
        self.note_try(id, &remedy, false);
        self.do_deed(id, &remedy);
        self.incidents.get(&id).is_some_and(|it| it.applies.is_some())
    }

    /// What is done before the start after so many deaths in a row of this cause.
    pub(super) fn preparation(
        &self,
        app: &AppName,
        diagnosis: &Diagnosis,
        deaths: u32,
    ) -> Option<Remedy> {
        // A command may take its time, and what has been started again at once would run beside it.
        let of_death = |it: &Remedy| match it {
            Remedy::FreeDisk => true,
            Remedy::Command(_) => deaths > 1,
            _ => false,
        };
        ladder(diagnosis, &self.apps.get(app)?.spec).into_iter().find(of_death)
    }

    /// What was to be done before the next start is done, or is not: the start is made in any case.
    pub(super) fn prepared(&mut self, id: IncidentId, result: Result<Words, Why>) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.applies = None;
        let mut held = std::mem::take(&mut incident.held);
        held.insert(incident.instance);
        let failed = match result {
            Ok(said) => {
                self.say(id, Said::Done(said));
                None
            }
            Err(why) => {
                self.end_last_try(id);
                Some(why)
            }
        };
        self.set_stage(id, Stage::AwaitingStart);
        held.into_iter().for_each(|it| self.let_start(it, self.now));
        if let Some(why) = failed {
            self.escalate(id, why);
        }
    }

    /// Whether the guard lets that be done before the next start; what it says else is part of the story.
    fn may_prepare(&mut self, id: IncidentId, remedy: &Remedy) -> bool {
        // It was done before, and that was not enough.
        self.end_last_try(id);
        match self.ruling_before_start(id, remedy) {
            Some(Ruling::Go) => return true,
            Some(Ruling::Ask { .. }) if self.is_rejected(id, remedy) => {}
            Some(Ruling::Ask { why }) => {
                if let Some(incident) = self.incidents.get_mut(&id) {
                    incident.proposal = Some(remedy.clone());
                }
                let remedy = remedy.clone();
                self.say(id, Said::Proposes { remedy, why: why.into(), incident: id });
            }
            Some(Ruling::WouldHave) => self.say(id, Said::WouldHaveTried(remedy.clone())),
            Some(Ruling::Wait { why, .. } | Ruling::Refuse { why }) => {
                self.say(id, Said::Refused { remedy: remedy.clone(), why: why.into() });
            }
            None => {}
        }
        false
    }

    fn end_last_try(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let Some(last) = incident.tries.last_mut().filter(|it| it.result.is_none()) else { return };
        last.result = Some(TryResult::NoEffect);
        self.end_use(id, false);
        self.changed.history = true;
    }
}
