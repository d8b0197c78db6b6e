//! Incidents that a person opens: something is wrong, whatever the checks say.
//!
//! Always holds: evidence is gathered and read as for every other one, and what would be done is proposed;
//! nothing is done before a person says yes, and what the checks find good ends nothing.

use super::Supervisor;
use super::maintenance::nobody;
use crate::aside::asker_words;
use crate::effect::{Done, Refusal, Severity};
use crate::healing::guard::Ruling;
use crate::healing::{GATHER_WITHIN, Remedy, Risk};
use crate::id::{CheckId, IncidentId, InstanceId};
use crate::incident::{Outcome, Stage, Trouble};
use crate::instance::{Goal, Phase};
use crate::redact;
use crate::said::{Said, Why};
use crate::words;
use crate::words::{Words, quoted};

/// So many characters of what a person says are kept: a paragraph.
const WORDS_KEPT: usize = 500;

impl Supervisor {
    /// A person says that something is wrong with apps.
    pub(super) fn report(
        &mut self,
        selectors: &[String],
        what: &str,
        by: Option<String>,
    ) -> Result<Done, Refusal> {
        let said: String = what.trim().chars().take(WORDS_KEPT).collect();
        if said.is_empty() {
            let reason = words!(
                "an incident needs words that say what is wrong, and there are none",
                "um incidente precisa de palavras que digam o que há, e não há nenhuma",
            );
            let help = r#"`zelador incident open api "answers are slow"`"#;
            return Err(Refusal::NotPossible { reason, help: Some(quoted(help)) });
        }
        let said = redact::text(&said);
        let apps = self.select_apps(selectors)?;
        let chosen = self.select(selectors)?;
        let mut done = Done::default();
        for app in apps {
            let its = chosen.iter().copied().filter(|id| self.instances[id].app == app);
            let wanted = its.filter(|id| self.instances[id].goal == Goal::Up);
            let up = |id: &InstanceId| matches!(self.instances[id].phase, Phase::Running { .. });
            let wanted: Vec<InstanceId> = wanted.collect();
            let Some(id) = wanted.iter().copied().find(up).or(wanted.first().copied()) else {
                let reason = words!(
                    "{app} is stopped: there is nothing to find out about it",
                    "{app} está parado: não há o que descobrir sobre ele",
                );
                let help = words!("start it first", "inicie-o antes");
                return Err(Refusal::NotPossible { reason, help: Some(help) });
            };
            let by = by.clone().unwrap_or_else(nobody);
            let why = words!("{by} says: {said}", "{by} diz: {said}", by = asker_words(&by));
            let open = self.open_incident_of(id, Trouble::Reported);
            let Some(number) = self.open_of(app.clone(), id, Trouble::Reported, why.clone()) else {
                if let Some(open) = open {
                    self.tell(open, why);
                    done.notes
                        .push(format!("incident {open} of {app} is open already: noted there"));
                }
                continue;
            };
            let known = self.known(id);
            self.ask_for_evidence(id, number, known, None);
            self.set_stage(number, Stage::Gathering { give_up_at: self.now + GATHER_WITHIN });
            done.notes.push(format!(
                "incident {number} of {app}: evidence is being gathered; `zelador incident show {number}`"
            ));
        }
        Ok(done)
    }

    /// Moves one on as far as it goes now.
    pub(super) fn drive_reported(&mut self, id: IncidentId, stage: Stage) {
        let good = self.works(self.incidents[&id].instance);
        self.drive_on(id, stage, good);
    }

    /// Whether an instance is up, and its own check, where it has one, is good.
    pub(super) fn works(&self, id: InstanceId) -> bool {
        let own = [CheckId::Instance(id), CheckId::Startup(id)];
        let is_looked_at = own.iter().any(|id| self.checks.contains_key(id));
        let is_up = matches!(self.instances[&id].phase, Phase::Running { .. });
        is_up && (!is_looked_at || self.is_good(id))
    }

    /// It is known what may be wrong: the first remedy that the guard would let through is proposed.
    pub(super) fn propose(&mut self, id: IncidentId, rungs: Vec<Remedy>) {
        let decides = words!(
            "a person opened this incident, and a person decides",
            "uma pessoa abriu este incidente, e uma pessoa decide",
        );
        self.set_stage(id, Stage::Observing);
        for remedy in rungs.into_iter().filter(|it| it.risk() != Risk::None) {
            match self.ruling(id, &remedy, true) {
                Some(Ruling::Refuse { why }) => {
                    self.say(id, Said::Refused { remedy, why: why.into() });
                }
                Some(Ruling::WouldHave) => return self.say(id, Said::WouldHaveTried(remedy)),
                _ => {
                    let why = Why::Text(decides.clone());
                    let said = Said::Proposes { remedy: remedy.clone(), why, incident: id };
                    let text = said.words();
                    self.say(id, said);
                    if let Some(incident) = self.incidents.get_mut(&id) {
                        incident.proposal = Some(remedy);
                        incident.ask(self.now);
                    }
                    return self.say_of(id, Severity::Warning, &text);
                }
            }
        }
        let nothing = words!(
            "there is nothing to propose: a person closes it with `zelador incident close {id}`",
            "não há o que propor: uma pessoa o encerra com `zelador incident close {id}`",
        );
        self.tell(id, nothing);
    }

    /// A person says that it is over.
    pub(super) fn close_reported(
        &mut self,
        id: IncidentId,
        by: Option<String>,
    ) -> Result<Done, Refusal> {
        let known = self.incidents.get(&id).map(|it| (it.trouble, it.is_open(), it.state_words()));
        let refuse =
            |reason: Words, help: Words| Err(Refusal::NotPossible { reason, help: Some(help) });
        match known {
            Some((Trouble::Reported, true, _)) => {}
            Some((_, false, state)) => {
                let over = words!(
                    "incident {id} is over: {state}",
                    "o incidente {id} já acabou: {state}",
                    state = state,
                );
                let help = words!(
                    "`zelador incidents` shows which are open",
                    "`zelador incidents` mostra quais estão abertos",
                );
                return refuse(over, help);
            }
            other => {
                let trouble = other.map(|(trouble, ..)| trouble.words()).unwrap_or_default();
                let seen = words!(
                    "incident {id} ({trouble}) is about what zelador sees by itself, and ends when that \
                     is over: only one that a person opened is closed by a person",
                    "o incidente {id} ({trouble}) é sobre o que o zelador vê por conta própria, e acaba \
                     quando isso acabar: só um que uma pessoa abriu é encerrado por uma pessoa",
                    trouble = trouble,
                );
                let help = words!(
                    "`zelador incident mute {id}` ends its notices",
                    "`zelador incident mute {id}` encerra os avisos dele",
                );
                return refuse(seen, help);
            }
        }
        let by = by.unwrap_or_else(nobody);
        let why = words!("{by} closed it", "{by} o encerrou", by = asker_words(&by));
        self.close(id, Outcome::TakenOver, why);
        Ok(Done { notes: vec![format!("incident {id} is closed")], ..Done::default() })
    }
}
