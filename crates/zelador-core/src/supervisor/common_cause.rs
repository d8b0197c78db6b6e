//! Troubles of several apps that come of one thing that they need, a database or another app: one incident stands for
//! the cause.
//!
//! Always holds: what ended for another reason, or needs nothing that is down or fell with it, has an incident of its
//! own.

use std::time::Duration;

use super::Supervisor;
use super::dependencies::Dependency;
use crate::diagnosis::{Case, Cause, Diagnosis, diagnose};
use crate::healing::case::{by_rules, can_come_of_a_dependency};
use crate::id::{AppName, IncidentId, InstanceId};
use crate::incident::{Incident, Outcome, Stage};
use crate::instance::Phase;
use crate::said::Said;
use crate::spec::OnDependencyDown;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// What falls within this time of a death that says so of what it needs is what it fell with: a server that ends still
/// answers a look while it closes its connections, and a probe has a timeout.
const FALLS_WITHIN: Duration = Duration::from_secs(5);

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
    /// Whether an incident is to wait for a look at what its app needs before it is known what it is.
    pub(super) fn could_come_of_a_dependency(&self, incident: &Incident) -> bool {
        let app = &incident.app;
        let needs = || self.has_database(app) || self.apps_needed_by(app).next().is_some();
        incident.trouble.is_outage() && self.policy(app) == OnDependencyDown::Wait && needs()
    }

    /// All evidence of a death is there: is what the app needs to be asked before anything is decided?
    pub(super) fn ask_its_dependencies(&mut self, id: IncidentId) -> bool {
        let incident = &self.incidents[&id];
        if !self.could_come_of_a_dependency(incident) || self.read(incident) == Reading::OfItsOwn {
            return false;
        }
        let app = incident.app.clone();
        let give_up_at = self.now + self.dependency_patience(&app);
        if self.dependency_state(&app, self.died_at(incident.instance)) == Dependency::Unknown {
            self.look_at_dependencies(&app);
        }
        self.set_stage(id, Stage::Asking { give_up_at });
        true
    }

    /// What it needs is asked: returns whether it is, or its death comes of that.
    pub(super) fn comes_of_a_dependency(&mut self, id: IncidentId, give_up_at: Moment) -> bool {
        let incident = &self.incidents[&id];
        let mut state = self.dependency_state(&incident.app, self.died_at(incident.instance));
        if state == Dependency::Unknown {
            if self.now < give_up_at {
                return true;
            }
            // No fresh look came: what was seen last is the best that is known.
            state = self.dependency_state(&incident.app, Moment::default());
        }
        self.comes_of_what_fell(id, state)
    }

    /// What says that something it needs had gone may be the first to know: for a while that is looked at again,
    /// counted from its first death, so that one that keeps ending is told of.
    pub(super) fn suspect_dependencies(&mut self, id: IncidentId) {
        let incident = &self.incidents[&id];
        let until = incident.began_at() + FALLS_WITHIN;
        let says_so =
            incident.diagnosis.as_ref().is_some_and(|it| can_come_of_a_dependency(it.cause));
        let may = says_so && self.now < until && self.could_come_of_a_dependency(incident);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.suspects_until = may.then_some(until);
        }
    }

    /// Whether what was suspected has come true.
    pub(super) fn comes_of_what_is_suspected(&mut self, id: IncidentId) -> bool {
        let incident = &self.incidents[&id];
        let Some(until) = incident.suspects_until else { return false };
        // What a person was told of as such stays.
        let may = incident.stage != Stage::Escalated;
        let state = self.dependency_state(&incident.app, Moment::default());
        if may && self.comes_of_what_fell(id, state) {
            return true;
        }
        let is_over = self.now >= until || !may;
        if let Some(incident) = self.incidents.get_mut(&id).filter(|_| is_over) {
            incident.suspects_until = None;
            self.changed.incidents.insert(id);
        }
        false
    }

    fn comes_of_what_fell(&mut self, id: IncidentId, state: Dependency) -> bool {
        match state {
            Dependency::Down { name, message } => self.stand_or_join(id, name, &message),
            Dependency::Up | Dependency::Unknown => match self.fell_with(&self.incidents[&id]) {
                Some(name) => self.stand_or_join(id, name, &Words::default()),
                None => false,
            },
        }
    }

    /// An app that another one needs and that ended at the same time, although it may be up again, where the
    /// evidence says that it is such a thing that was missed.
    fn fell_with(&self, incident: &Incident) -> Option<String> {
        let died_at = self.died_at(incident.instance);
        let fell = |name: &&AppName| {
            let ends = self.instances.of_app(name).filter_map(|it| it.deaths.front());
            let near = ends.into_iter().any(|it| {
                it.at.since(died_at) <= FALLS_WITHIN && died_at.since(it.at) <= FALLS_WITHIN
            });
            near && self.trouble_of(name).is_some_and(|it| it.id != incident.id)
        };
        let name = self.apps_needed_by(&incident.app).find(fell)?;
        matches!(self.read(incident), Reading::Dependency(_)).then(|| name.to_string())
    }

    /// What waits for its start waits for something that is down, however late that was seen.
    pub(super) fn comes_of_what_holds_it(&mut self, id: IncidentId, instance: InstanceId) -> bool {
        let incident = &self.incidents[&id];
        let held = matches!(self.instances[&instance].phase, Phase::Backoff { held: true, .. });
        let known = incident.diagnosis.as_ref().map(|it| it.cause);
        let may = known.is_some_and(|it| it == Cause::Unknown || can_come_of_a_dependency(it));
        if !held || !may || !self.could_come_of_a_dependency(incident) {
            return false;
        }
        match self.dependency_state(&incident.app, Moment::default()) {
            Dependency::Down { name, message } => self.stand_or_join(id, name, &message),
            Dependency::Up | Dependency::Unknown => false,
        }
    }

    /// Something that is down explains a death: an incident that is open stands for that, or this one does.
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
        self.diagnosed(id, diagnosis);
        match self.stands_for(&dependency, |it| it.id != id) {
            Some(first) => self.join(id, first, &dependency),
            None => {
                self.say(id, Said::WaitingFor(dependency.clone()));
                self.blame(id, &dependency);
                self.set_stage(id, Stage::WaitingForDependency { dependency });
            }
        }
        let held = self.incidents.get_mut(&id).map(|it| {
            it.suspects_until = None;
            std::mem::take(&mut it.held)
        });
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

    /// The open incident that stands for something that is down: that of an app itself, else the first that waits.
    pub(super) fn stands_for(
        &self,
        dependency: &str,
        may: impl Fn(&Incident) -> bool,
    ) -> Option<IncidentId> {
        let app = self.app_called(dependency).filter(|_| !self.is_database(dependency));
        let of_app = app.and_then(|app| self.trouble_of(app)).into_iter();
        of_app.chain(self.standing_for(dependency)).find(|it| may(it)).map(|it| it.id)
    }

    /// The open incident of an app that serves nobody, or the one that this is part of, while that is dealt with.
    fn trouble_of(&self, app: &AppName) -> Option<&Incident> {
        let open = || self.incidents.values().filter(|it| it.is_open());
        let own = open().find(|it| it.app == *app && it.trouble.is_outage());
        let is_dealt_with = |it: &&Incident| {
            let rests = [Stage::Escalated, Stage::Observing].contains(&it.stage);
            !rests && !matches!(it.stage, Stage::AwaitingApproval { .. })
        };
        let of_another = |it: &&Incident| it.sufferers.contains(app) && is_dealt_with(it);
        own.or_else(|| open().find(of_another))
    }

    /// The open incidents that wait for something that is down: the first one tells of all.
    fn standing_for(&self, dependency: &str) -> impl Iterator<Item = &Incident> {
        self.incidents.values().filter(move |it| {
            let waits = matches!(&it.stage, Stage::WaitingForDependency { dependency: other } if other == dependency);
            let blames = it.comes_of.as_ref().is_some_and(|it| it.dependency == dependency);
            (waits || blames) && it.is_open() && it.part_of.is_none()
        })
    }

    /// An incident is over as such: another one stands for its cause, and for what was part of it.
    pub(super) fn join(&mut self, id: IncidentId, first: IncidentId, dependency: &str) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.part_of = Some(first);
        let (app, sufferers) = (incident.app.clone(), incident.sufferers.clone());
        for part in self.incidents.values_mut().filter(|it| it.part_of == Some(id)) {
            part.part_of = Some(first);
            self.changed.incidents.insert(part.id);
        }
        let Some(standing) = self.incidents.get_mut(&first) else { return };
        let own = standing.app.clone();
        standing.sufferers.extend(sufferers.into_iter().filter(|it| *it != own));
        if app != own && standing.sufferers.insert(app.clone()) {
            self.say(first, Said::AlsoSuffers { app: app.to_string(), incident: id });
        }
        self.changed.incidents.insert(first);
        let why = words!(
            "it is part of incident {first}: {dependency} went down",
            "faz parte do incidente {first}: {dependency} caiu",
        );
        self.close(id, Outcome::TakenOver, why);
    }

    /// What waits for an app that has an incident by now, or is part of one, is part of that.
    pub(super) fn join_its_cause(&mut self, id: IncidentId, dependency: &str) {
        let incident = &self.incidents[&id];
        let may = incident.trouble.is_outage() && incident.part_of.is_none();
        let app = self.app_called(dependency).filter(|_| may && !self.is_database(dependency));
        let cause = app.and_then(|app| self.trouble_of(app));
        if let Some(first) = cause.filter(|it| it.app != incident.app).map(|it| it.id) {
            self.join(id, first, dependency);
        }
    }

    /// The incident of an app's last end, where it is part of one that lasts and is about what the app needs.
    pub(super) fn part_of_what_lasts(&self, app: &AppName) -> Option<IncidentId> {
        let mut ends = self.incidents.values().rev();
        let last = ends.find(|it| it.app == *app && it.trouble.is_deadly())?;
        let cause = self.incidents.get(&last.part_of?).filter(|it| it.is_open())?;
        (cause.app != *app && self.needs(app, &cause.app)).then_some(last.id)
    }

    /// When the last run of an instance ended.
    fn died_at(&self, id: InstanceId) -> Moment {
        let last = self.instances.get(&id).and_then(|it| it.deaths.front());
        last.map_or(self.now, |death| death.at)
    }
}
