//! Troubles of several apps that come of one database: one incident stands for the cause, and people are told of
//! the cause once.
//!
//! Always holds: what ended for another reason, or whose database is up, has an incident of its own, and people
//! hear of it; whoever was told of a beginning is told of the end.

use super::Supervisor;
use super::dependencies::Dependency;
use super::notifying::{about_check, check_key};
use crate::diagnosis::{Case, Cause, Diagnosis, diagnose};
use crate::effect::Severity;
use crate::healing::case::{by_rules, can_come_of_a_dependency};
use crate::id::{CheckId, IncidentId, InstanceId};
use crate::incident::{ComesOf, Incident, Outcome, Stage, Trouble};
use crate::instance::{Goal, Phase};
use crate::notify::incident_key;
use crate::said::Said;
use crate::spec::OnDependencyDown;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// So many of those that need a database are named in the news of its end.
const NAMED: usize = 5;

/// What evidence says of what an app can have died of.
#[derive(Clone, Debug, PartialEq)]
enum Reading {
    /// A cause that has nothing to do with what it depends on.
    OfItsOwn,
    /// A dependency that is down can be it.
    Dependency(Box<Diagnosis>),
    /// It does not tell.
    Nothing,
}

impl Supervisor {
    /// Whether an incident is to wait for a look at the databases of its app before it is known what it is.
    fn could_come_of_a_database(&self, incident: &Incident) -> bool {
        let of_app =
            matches!(incident.trouble, Trouble::Unresponsive) || incident.trouble.is_deadly();
        of_app
            && self.policy(&incident.app) == OnDependencyDown::Wait
            && self.has_database(&incident.app)
    }

    /// All evidence of a death is there: are the databases of the app to be asked before anything is decided?
    pub(super) fn ask_its_databases(&mut self, id: IncidentId) -> bool {
        let incident = &self.incidents[&id];
        if !self.could_come_of_a_database(incident) || self.read(incident) == Reading::OfItsOwn {
            return false;
        }
        let app = incident.app.clone();
        let give_up_at = self.now + self.dependency_patience(&app);
        if self.database_state(&app, self.died_at(incident.instance)) == Dependency::Unknown {
            self.look_at_databases(&app);
        }
        self.set_stage(id, Stage::Asking { give_up_at });
        true
    }

    /// Its databases are asked: returns whether they are, or its death comes of one of them.
    pub(super) fn comes_of_a_database(&mut self, id: IncidentId, give_up_at: Moment) -> bool {
        let incident = &self.incidents[&id];
        let mut state = self.database_state(&incident.app, self.died_at(incident.instance));
        if state == Dependency::Unknown {
            if self.now < give_up_at {
                return true;
            }
            // No fresh look came: what was seen last is the best that is known.
            state = self.database_state(&incident.app, Moment::default());
        }
        match state {
            Dependency::Down { name, message } => self.stand_or_join(id, name, &message),
            Dependency::Up | Dependency::Unknown => false,
        }
    }

    /// What waits for its start waits for a database that is down, however late that was seen.
    pub(super) fn comes_of_what_holds_it(&mut self, id: IncidentId, instance: InstanceId) -> bool {
        let incident = &self.incidents[&id];
        let held = matches!(self.instances[&instance].phase, Phase::Backoff { held: true, .. });
        let known = incident.diagnosis.as_ref().map(|it| it.cause);
        let may = known.is_some_and(|it| it == Cause::Unknown || can_come_of_a_dependency(it));
        if !held || !may || !self.could_come_of_a_database(incident) {
            return false;
        }
        match self.database_state(&incident.app, Moment::default()) {
            Dependency::Down { name, message } => self.stand_or_join(id, name, &message),
            Dependency::Up | Dependency::Unknown => false,
        }
    }

    /// A database that is down explains a death: an incident that is open stands for that, or this one does.
    fn stand_or_join(&mut self, id: IncidentId, dependency: String, message: &Words) -> bool {
        let incident = &self.incidents[&id];
        let diagnosis = match self.read(incident) {
            Reading::OfItsOwn => return false,
            Reading::Dependency(diagnosis) => *diagnosis,
            Reading::Nothing => diagnose(&Case {
                finding: None,
                evidence: incident.evidence.as_ref(),
                dependency: Some((&dependency, message)),
                policy: OnDependencyDown::Wait,
                over: None,
            }),
        };
        let app = incident.app.clone();
        self.diagnosed(id, diagnosis);
        let first = self.standing_for(&dependency).find(|it| it.id != id).map(|it| it.id);
        match first {
            Some(first) => {
                self.say(first, Said::AlsoSuffers { app: app.to_string(), incident: id });
                if let Some(incident) = self.incidents.get_mut(&first) {
                    incident.sufferers.insert(app);
                }
                self.join(id, first, &dependency);
            }
            None => {
                self.say(id, Said::WaitingFor(dependency.clone()));
                self.blame(id, &dependency);
                self.set_stage(id, Stage::WaitingForDependency { dependency });
            }
        }
        let held = self.incidents.get_mut(&id).map(|it| std::mem::take(&mut it.held));
        held.into_iter().flatten().for_each(|it| self.let_start(it, self.now));
        true
    }

    /// What its evidence says of what it can have died of.
    fn read(&self, incident: &Incident) -> Reading {
        let Some(evidence) = &incident.evidence else { return Reading::Nothing };
        let read = by_rules(evidence, &self.settings.rules);
        match read.cause {
            Cause::Unknown => Reading::Nothing,
            cause if can_come_of_a_dependency(cause) => Reading::Dependency(Box::new(read)),
            _ => Reading::OfItsOwn,
        }
    }

    /// The open incidents that stand for a dependency that is down: the first one tells of all.
    pub(super) fn standing_for(&self, dependency: &str) -> impl Iterator<Item = &Incident> {
        self.incidents.values().filter(move |it| {
            let waits = matches!(&it.stage, Stage::WaitingForDependency { dependency: other } if other == dependency);
            let blames = it.comes_of.as_ref().is_some_and(|it| it.dependency == dependency);
            (waits || blames) && it.is_open() && it.part_of.is_none()
        })
    }

    /// An incident is over as such: another one stands for its cause.
    pub(super) fn join(&mut self, id: IncidentId, first: IncidentId, dependency: &str) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.part_of = Some(first);
        }
        let why = words!(
            "it is part of incident {first}: {dependency} is down",
            "faz parte do incidente {first}: {dependency} está fora do ar",
        );
        self.close(id, Outcome::TakenOver, why);
    }

    /// Notes that a trouble comes of a database, where the dependency is one.
    pub(super) fn blame(&mut self, id: IncidentId, dependency: &str) {
        let check = CheckId::Database(dependency.to_owned());
        if !self.checks.contains_key(&check) {
            return;
        }
        let told = self.desk.is_open(&check_key(&check));
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.comes_of = Some(ComesOf { dependency: dependency.to_owned(), told });
            self.changed.incidents.insert(id);
        }
    }

    /// It has a cause of its own after all.
    pub(super) fn blame_nobody(&mut self, id: IncidentId) {
        let blames = self.incidents.get_mut(&id).is_some_and(|it| it.comes_of.take().is_some());
        if blames {
            self.changed.incidents.insert(id);
        }
    }

    /// People were told that a database is down: that tells of every incident that comes of it.
    pub(super) fn note_told(&mut self, database: &str) {
        if !self.desk.is_open(&check_key(&CheckId::Database(database.to_owned()))) {
            return;
        }
        for incident in self.incidents.values_mut().filter(|it| it.is_open()) {
            if let Some(of) = incident.comes_of.as_mut().filter(|of| of.dependency == database)
                && !std::mem::replace(&mut of.told, true)
            {
                self.changed.incidents.insert(incident.id);
            }
        }
    }

    /// People are told of an incident by itself.
    pub(super) fn note_heard(&mut self, id: IncidentId) {
        if let Some(incident) = self.incidents.get_mut(&id).filter(|it| it.is_open() && !it.heard) {
            incident.heard = true;
            self.changed.incidents.insert(id);
        }
    }

    /// Whether the news that a database is down tell of an incident too, or are about to; or it is not known yet
    /// what it comes of. Nobody is spared what needs a person, nor the end of what was told.
    pub(super) fn is_told_by_its_cause(&self, incident: &Incident) -> bool {
        let needs_a_person =
            matches!(incident.stage, Stage::Escalated | Stage::AwaitingApproval { .. })
                || incident.hidden.is_some()
                || incident.question().is_some();
        let heard = incident.heard || self.desk.is_open(&incident_key(incident.id));
        if needs_a_person || heard {
            return false;
        }
        let Some(of) = &incident.comes_of else {
            let asks = matches!(incident.stage, Stage::Gathering { .. } | Stage::Asking { .. });
            return asks && self.could_come_of_a_database(incident);
        };
        let check = CheckId::Database(of.dependency.clone());
        let (plan, about) = (&self.settings.notify, about_check(None));
        let of_cause = plan.targets(&about, Severity::Critical);
        let mut of_incident = plan.targets(&incident.about(), Severity::Warning).into_iter();
        let is_down = || {
            let state = self.one_database_state(&of.dependency, Moment::default());
            matches!(state, Dependency::Down { .. }) && self.set_aside(&check).is_none()
        };
        (of.told || is_down()) && of_incident.all(|channel| of_cause.contains(&channel))
    }

    /// The apps that need a database and are to be up, for the news of its end; `None`: there are none.
    pub(super) fn who_needs(&self, database: &str) -> Option<Words> {
        let needs = self.apps.values().filter(|app| {
            app.spec.depends_on.iter().any(|name| name == database)
                && self.instances.of_app(&app.spec.name).any(|it| it.goal == Goal::Up)
        });
        let names: Vec<&str> = needs.map(|app| app.spec.name.as_str()).collect();
        let (named, more) = names.split_at(names.len().min(NAMED));
        let (named, more) = (named.join(", "), more.len());
        match (names.len(), more) {
            (0, _) => None,
            (_, 0) => Some(words!("needed by {named}", "necessário para {named}")),
            _ => Some(words!(
                "needed by {named} and {more} more",
                "necessário para {named} e mais {more}",
            )),
        }
    }

    /// When the last run of an instance ended.
    fn died_at(&self, id: InstanceId) -> Moment {
        let last = self.instances.get(&id).and_then(|it| it.deaths.front());
        last.map_or(self.now, |death| death.at)
    }
}
