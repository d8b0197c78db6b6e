//! Who hears of a trouble whose cause is told: the news of a database or an app that is down tell of what comes of it.
//!
//! Always holds: what needs a person is told by itself; whoever was told of a beginning is told of the end.

use super::Supervisor;
use super::dependencies::Dependency;
use super::notifying::{about_check, check_key};
use crate::check::Status;
use crate::effect::Severity;
use crate::id::{AppName, CheckId, IncidentId};
use crate::incident::{ComesOf, Incident, Stage, Trouble};
use crate::instance::Goal;
use crate::notify::{About, incident_key};
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// So many of those that need something are named in the news of its end.
const NAMED: usize = 5;

impl Supervisor {
    /// Notes that a trouble comes of a database or an app that is down.
    pub(super) fn blame(&mut self, id: IncidentId, dependency: &str) {
        if !self.is_database(dependency) && self.app_called(dependency).is_none() {
            return;
        }
        let told = self.desk.is_open(&check_key(&CheckId::Database(dependency.to_owned())));
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

    /// Whether the news of what is down tell of an incident too, or are about to; or it is not known yet what it comes
    /// of. Nobody is spared what needs a person, nor the end of what was told.
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
            let suspects = incident.suspects_until.is_some();
            return (asks || suspects) && self.could_come_of_a_dependency(incident);
        };
        let plan = &self.settings.notify;
        let of_cause = if self.is_database(&of.dependency) {
            let is_told = of.told || self.database_will_tell(&of.dependency);
            is_told.then(|| plan.targets(&about_check(None), Severity::Critical))
        } else {
            let app = self.app_called(&of.dependency).filter(|app| self.will_have_an_incident(app));
            app.map(|app| plan.targets(&about_app(app), Severity::Warning))
        };
        let mut of_incident = plan.targets(&incident.about(), Severity::Warning).into_iter();
        of_cause.is_some_and(|told| of_incident.all(|channel| told.contains(&channel)))
    }

    /// A database is down, and people hear of it.
    fn database_will_tell(&self, name: &str) -> bool {
        let state = self.one_database_state(name, Moment::default());
        let check = CheckId::Database(name.to_owned());
        matches!(state, Dependency::Down { .. }) && self.set_aside(&check).is_none()
    }

    /// The check of an app fails, though not often enough yet.
    fn will_have_an_incident(&self, app: &AppName) -> bool {
        self.instances.of_app(app).any(|it| {
            let check = self.checks.get(&CheckId::Instance(it.id));
            let last =
                check.and_then(|check| check.last.as_ref().map(|last| (check.verdict, last)));
            let fails = last.is_some_and(|(verdict, last)| {
                verdict != Some(Status::Unhealthy) && last.status == Status::Unhealthy
            });
            it.goal == Goal::Up && fails && !self.is_left_alone(it.id)
        })
    }

    /// The apps that need a database or an app and are to be up, for the news of its end; `None`: there are none.
    pub(super) fn who_needs(&self, name: &str) -> Option<Words> {
        let needs = self.apps.values().filter(|app| {
            app.spec.depends_on.iter().any(|needed| needed == name)
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
}

/// What is told of an app that fails is about this.
fn about_app(app: &AppName) -> About {
    let kind = Trouble::Unresponsive.to_string();
    About { kind, app: Some(app.to_string()), incident: None }
}
