//! What reaches people: the desk is told of incidents as they are now, and of what was said besides.

use std::collections::BTreeSet;

use crate::check::Status;
use crate::effect::{Effect, Notice, Severity};
use crate::id::{CheckId, IncidentId};
use crate::incident::Incident;
use crate::notify::{
    About, Delivery, DeliveryId, DeliveryOutcome, Message, NotifyView, Plan, Post, Progress, Terms,
    channel_key, incident_key,
};
use crate::unit::Moment;
use crate::words;

use super::Supervisor;
use super::order::Deadline;

/// What the desk must know, borrowed beside it.
macro_rules! terms {
    ($supervisor:ident) => {{
        let quiet_until = $supervisor.quiet_until();
        Terms { now: $supervisor.now, plan: &$supervisor.settings.notify, quiet_until }
    }};
}

impl Supervisor {
    /// Tells the desk what this step brought, and has sent what is due.
    pub(super) fn tell_people(&mut self) {
        if !self.settings.notify.channels.is_empty() {
            let moved: Vec<IncidentId> = self.changed.incidents.iter().copied().collect();
            let apps: BTreeSet<String> = moved
                .iter()
                .filter_map(|id| self.incidents.get(id))
                .map(|incident| incident.app.to_string())
                .collect();
            let notices: Vec<Notice> = self
                .effects
                .iter()
                .filter_map(|effect| match effect {
                    Effect::Notify(notice) => Some(notice.clone()),
                    _ => None,
                })
                .collect();
            let all = std::mem::take(&mut self.desk_is_new).then(|| self.incidents.keys());
            let all: Vec<IncidentId> = all.into_iter().flatten().copied().collect();
            for id in moved.into_iter().chain(all) {
                let terms = terms!(self);
                let incident = self.incidents.get(&id);
                let muted = incident.is_some_and(|it| it.is_open() && it.muted);
                if let Some(channel) = incident.and_then(Incident::channel) {
                    // The desk tells of it by itself, to the others.
                    if muted {
                        self.desk.mute(&channel_key(channel));
                    }
                } else if muted {
                    self.desk.mute(&incident_key(id));
                } else if let Some(incident) = self.incidents.get(&id)
                    && (!incident.is_open() || self.maintenance_of(Some(&incident.app)).is_none())
                    && !self.is_told_by_its_cause(incident)
                {
                    self.desk.incident(terms, incident);
                    self.note_heard(id);
                }
            }
            for notice in notices {
                match &notice.check {
                    Some((check, status)) => self.post_check(check, *status, &notice),
                    // What is said about an app while an incident of it moves is part of that.
                    None if apps.contains(base(&notice.subject)) => {}
                    None if self.in_maintenance(&notice.subject) => {}
                    None => self.post_event(&notice),
                }
            }
            self.close_checks();
        }
        self.after_desk();
    }

    /// What is well again, or not looked at any more, although no notice says so: it was looked at by
    /// an engine before this one, or its app is gone.
    fn close_checks(&mut self) {
        for id in self.changed.checks.clone() {
            let key = check_key(&id);
            if !self.desk.is_open(&key) {
                continue;
            }
            let (is_over, text) = match self.checks.get(&id) {
                Some(check) => {
                    let told = check.told().map(|told| told.status);
                    (told == Some(Status::Healthy), words!("healthy", "saudável"))
                }
                None => (true, words!("not looked at any more", "não é mais verificado")),
            };
            if is_over {
                let terms = terms!(self);
                self.desk.end(terms, &key, &text);
            }
        }
    }

    fn after_desk(&mut self) {
        for delivery in self.desk.deliveries() {
            if self.may_deliver(delivery.id, &delivery.name) {
                self.effects.push(Effect::Deliver(Box::new(delivery)));
            }
        }
        let deadline = self.desk.deadline(&self.settings.notify);
        self.deadlines.set(Deadline::Desk, deadline);
    }

    fn post_event(&mut self, notice: &Notice) {
        let app = base(&notice.subject);
        let known = self.apps.keys().find(|name| name.as_str() == app);
        let about =
            About { kind: "app".to_owned(), app: known.map(ToString::to_string), incident: None };
        let post = Post {
            key: format!("event/{}", notice.subject),
            about,
            severity: notice.severity,
            progress: None,
            title: notice.subject.clone(),
            text: notice.text.told(self.settings.notify.language).to_owned(),
            story: Vec::new(),
            question: None,
            opened_at: self.now,
        };
        let terms = terms!(self);
        self.desk.post(terms, post);
    }

    fn post_check(&mut self, check: &CheckId, status: Status, notice: &Notice) {
        let app = match check {
            // An incident tells of it.
            CheckId::Instance(_) | CheckId::Startup(_) if status == Status::Unhealthy => return,
            _ => check.instance().and_then(|id| Some(self.instances.get(&id)?.app.to_string())),
        };
        let progress = match status {
            Status::Healthy => Progress::Closed,
            Status::Degraded | Status::Unhealthy => Progress::Opened,
        };
        // Busy processors do their work: nobody is woken for that.
        let severity = match (check, status) {
            (CheckId::Cpu, _) | (_, Status::Healthy | Status::Degraded) => Severity::Warning,
            (_, Status::Unhealthy) => Severity::Critical,
        };
        let language = self.settings.notify.language;
        let post = Post {
            key: check_key(check),
            about: about_check(app),
            severity,
            progress: Some(progress),
            title: self.spoken_check(check).told(language).to_owned(),
            text: notice.text.told(language).to_owned(),
            story: Vec::new(),
            question: None,
            opened_at: self.now,
        };
        let terms = terms!(self);
        self.desk.post(terms, post);
        if let CheckId::Database(name) = check {
            self.note_told(name);
        }
    }

    pub(super) fn delivered(&mut self, delivery: DeliveryId, outcome: DeliveryOutcome) {
        let on_its_way = self.desk.on_its_way(delivery);
        let Some((channel, before)) = on_its_way.map(|(name, before)| (name.to_owned(), before))
        else {
            self.ignored += 1;
            return;
        };
        let terms = terms!(self);
        self.desk.delivered(terms, delivery, outcome.clone());
        self.note_delivery(delivery, &channel, before, &outcome);
        self.note_channel(&channel, &outcome);
    }

    pub(super) fn desk_due(&mut self) {
        for id in self.desk.lost(self.now) {
            self.delivered(id, DeliveryOutcome::lost());
        }
        let terms = terms!(self);
        self.desk.tick(terms);
    }

    /// When the quiet hours end that it is now.
    pub(super) fn quiet_until(&self) -> Option<Moment> {
        self.settings.notify.quiet_until(self.now, self.clock_ahead, &self.zone)
    }

    /// Channels, routes and what is open.
    pub fn notify_view(&self) -> NotifyView {
        self.desk.view(&self.settings.notify, self.quiet_until())
    }

    /// A message by which somebody tries a channel, past the desk; `None`: there is no such channel.
    pub fn trial(&self, channel: &str) -> Option<Delivery> {
        let plan: &Plan = &self.settings.notify;
        let message: Message = plan.trial(channel, self.now);
        Some(Delivery {
            id: DeliveryId::MAX,
            name: channel.to_owned(),
            channel: plan.channels.get(channel)?.clone(),
            at: self.now,
            message,
            handle: None,
            host: plan.host.clone(),
            zone: plan.zone().map(str::to_owned),
            answers_at: None,
        })
    }
}

/// What is told of a check is about this; `app`: whose it is.
pub(super) fn about_check(app: Option<String>) -> About {
    About { kind: "check".to_owned(), app, incident: None }
}

/// What the matter of a check is called.
pub(super) fn check_key(id: &CheckId) -> String {
    format!("check/{}", id.key())
}

/// The app of `api/0`.
fn base(subject: &str) -> &str {
    subject.split_once('/').map_or(subject, |(app, _)| app)
}
