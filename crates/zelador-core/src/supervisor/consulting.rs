//! When a language model is asked about an incident, and what becomes of its word.
//!
//! Always holds: it is asked only where a model is set and the rules are unsure, contradict each other or what was tried
//! failed; once for each fingerprint, and not again within an hour where nothing came of it; nobody waits longer than
//! [`WAIT`]; and its word adds no remedy that risks more than what the rules would do.

use std::time::Duration;

use super::Supervisor;
use super::dependencies::Dependency;
use crate::diagnosis::consult::{Advice, WhyAsk, advised, reason_to_ask_about};
use crate::effect::Effect;
use crate::healing::case::snapshot;
use crate::healing::{Remedy, Risk, ladder};
use crate::id::IncidentId;
use crate::incident::{Consulted, Incident, Stage};
use crate::said::Said;
use crate::spec::OnDependencyDown;
use crate::unit::Moment;
use crate::words::Words;

/// How long a treatment waits for the model at most; what it says later is told, and counts for what comes then. Ours: a
/// hosted model answers within a few seconds, and an app that is sick should not wait for more.
const WAIT: Duration = Duration::from_secs(10);

/// A model that had nothing to say about a trouble is asked about it again after this time: what kept it from answering is
/// over by then, as a rule.
const ASKED_AGAIN_AFTER: Duration = Duration::from_hours(1);

impl Supervisor {
    /// Why a model should be asked about an incident; `None`: it need not, or nobody can be asked.
    pub(super) fn reason_to_consult(&self, id: IncidentId) -> Option<WhyAsk> {
        self.settings.advisor.as_ref()?;
        let incident = self.incidents.get(&id).filter(|it| it.consulted.is_none())?;
        reason_to_ask_about(incident.diagnosis.as_ref()?)
    }

    /// Asks, or takes what was said about the same trouble before. False: nothing is awaited.
    pub(super) fn consult(&mut self, id: IncidentId, why: WhyAsk) -> bool {
        let Some(spec) = &self.settings.advisor else { return false };
        let (model, patience) = (spec.model.clone(), spec.timeout.min(WAIT));
        let Some(incident) = self.incidents.get(&id) else { return false };
        let Some(evidence) = &incident.evidence else { return false };
        let evidence = Box::new(snapshot(evidence));
        let waits = !incident.trouble.is_deadly();
        if let Some(known) = self.known_advice(incident) {
            self.say(id, Said::AsksModel { why, model, within: None });
            let said = match known {
                Consulted::Said(advice) => Some(advice),
                Consulted::Asked { .. } | Consulted::Silent => None,
            };
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.consulted = Some(said.clone().map_or(Consulted::Silent, Consulted::Said));
            }
            said.iter().for_each(|advice| self.take_in(id, advice));
            return false;
        }
        self.say(id, Said::AsksModel { why, model, within: Some(patience) });
        self.effects.push(Effect::Consult { incident: id, evidence });
        let (at, give_up_at) = (self.now, self.now + patience);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.consulted = Some(Consulted::Asked { at });
            incident.asked_about.clone_from(&incident.fingerprint);
        }
        if waits {
            self.set_stage(id, Stage::Consulting { give_up_at });
        }
        waits
    }

    /// What was asked or said about this trouble, in this incident or another one.
    fn known_advice(&self, incident: &Incident) -> Option<Consulted> {
        let print = incident.fingerprint.as_ref()?;
        let same =
            self.incidents.values().rev().filter(|it| it.asked_about.as_ref() == Some(print));
        let counts = |it: &Incident| match &it.consulted {
            Some(Consulted::Said(_)) => true,
            Some(_) => self.now.since(it.opened_at) < ASKED_AGAIN_AFTER,
            None => false,
        };
        same.filter(|it| counts(it)).find_map(|it| it.consulted.clone())
    }

    /// The model answered, or will not.
    pub(super) fn advised(&mut self, id: IncidentId, advice: Result<Advice, Words>) {
        let asked = |it: &&mut Incident| matches!(it.consulted, Some(Consulted::Asked { .. }));
        let Some(incident) = self.incidents.get_mut(&id).filter(asked) else {
            self.ignored += 1;
            return;
        };
        let is_open = incident.is_open();
        let waits = matches!(incident.stage, Stage::Consulting { .. });
        incident.consulted = Some(match &advice {
            Ok(advice) => Consulted::Said(advice.clone()),
            Err(_) => Consulted::Silent,
        });
        self.changed.incidents.insert(id);
        if !is_open {
            return;
        }
        match advice {
            Ok(advice) => self.take_in(id, &advice),
            Err(why) => self.say(id, Said::NoAdvice(Some(why))),
        }
        if waits {
            self.go_on(id);
        }
    }

    /// The treatment goes on where it waited for the model: at its begin, or after all was tried.
    pub(super) fn go_on(&mut self, id: IncidentId) {
        let Some(app) = self.incidents.get(&id).map(|it| it.app.clone()) else { return };
        // Whatever it needs may have gone down meanwhile.
        let wait = self.policy(&app) == OnDependencyDown::Wait;
        let down = match self.dependency_state(&app, Moment::default()) {
            Dependency::Down { name, .. } if wait => Some(name),
            _ => None,
        };
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let was_tried = incident.current.is_some();
        match down {
            Some(name) if was_tried && !incident.ladder.is_empty() => {
                incident.current = Some(incident.ladder.remove(0));
                self.wait_for(id, name);
            }
            Some(name) if !was_tried => self.wait_for(id, name),
            _ if was_tried => self.next_rung(id),
            _ => self.begin_treatment(id, false),
        }
    }

    /// Tells what was said, and takes it for what it is worth.
    fn take_in(&mut self, id: IncidentId, advice: &Advice) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let (Some(by_rules), Some(evidence)) = (&incident.diagnosis, &incident.evidence) else {
            return;
        };
        let Some(app) = self.apps.get(&incident.app) else { return };
        let merged = advised(by_rules, advice, &snapshot(evidence));
        let (before, tried) = (ladder(by_rules, &app.spec), &incident.tries);
        let riskiest = before.iter().map(Remedy::risk).max().unwrap_or(Risk::None);
        let mut more = ladder(&merged, &app.spec);
        more.retain(|it| {
            let is_new = !before.contains(it) && tried.iter().all(|done| done.remedy != *it);
            is_new && it.risk() > Risk::None && it.risk() <= riskiest
        });
        let said = Said::Advice {
            cause: advice.cause,
            confidence: advice.confidence,
            reason: advice.reason.clone(),
            more: more.clone(),
        };
        self.say(id, said);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.diagnosis = Some(merged);
            // After all was tried: what is left to try.
            if incident.current.is_some() && !incident.trouble.is_deadly() {
                incident.ladder.extend(more);
            }
        }
    }
}
