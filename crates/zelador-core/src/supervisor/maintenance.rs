//! What is set aside: checks that are muted, apps and hosts in maintenance.
//!
//! What is set aside is looked at, shown and kept up as ever: what dies is restarted. But it opens no
//! incident, no remedy is applied to it, people are told nothing, and it does not count for the whole.
//! When it is over, what is bad then is told. Always holds: what is set aside for a time is not so
//! longer than that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Supervisor;
use super::order::Deadline;
use super::planned::shift;
use crate::aside::{Held, How, NOBODY, SetAside};
use crate::check::{Check, Status};
use crate::effect::{Done, Effect, Notice, Refusal, Severity};
use crate::id::{AppName, CheckId, IncidentId, InstanceId};
use crate::incident::Stage;
use crate::record::Record;
use crate::spec::{InWindow, Window};
use crate::unit::{Moment, spoken};
use crate::words;

/// What people set aside; it outlives the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Aside {
    /// Everything is in maintenance until then.
    pub whole: Option<Held<Moment>>,
    /// Apps are, until then.
    pub apps: BTreeMap<AppName, Held<Moment>>,
    /// Checks that are muted, by what they are called; `None`: until they are unmuted.
    pub muted: BTreeMap<String, Held<Option<Moment>>>,
}

/// The same, with what the clock sets aside.
#[derive(Debug, Default)]
pub(super) struct Rests {
    pub(super) by_people: Aside,
    /// Windows that are open: of everything, of apps.
    whole: Option<Moment>,
    apps: BTreeMap<AppName, Moment>,
    /// When the next one opens or ends.
    next: Option<Moment>,
    /// What was set aside when this was looked at last.
    checks: BTreeSet<CheckId>,
}

impl Rests {
    /// What outlives the engine, if there is something.
    pub(super) fn record(&self) -> Option<Record> {
        let people = &self.by_people;
        (*people != Aside::default()).then(|| Record::Aside(Box::new(people.clone())))
    }
}

impl Supervisor {
    /// The maintenance of an app, or of everything, that ends last.
    pub(super) fn maintenance_of(&self, app: Option<&AppName>) -> Option<SetAside> {
        let (aside, people) = (&self.aside, &self.aside.by_people);
        let windows = [aside.whole, app.and_then(|app| aside.apps.get(app).copied())];
        let words = [people.whole.as_ref(), app.and_then(|app| people.apps.get(app))];
        let by_clock = windows.into_iter().flatten().map(|until| (until, None));
        let by_people = words.into_iter().flatten().map(|held| (held.until, Some(&held.by)));
        let last = by_clock.chain(by_people).max_by_key(|(until, _)| *until);
        let (until, by) = last.filter(|(until, _)| *until > self.now)?;
        Some(SetAside { how: How::Maintenance, until: Some(until), by: by.cloned() })
    }

    /// The same of the app that a notice is about.
    pub(super) fn in_maintenance(&self, subject: &str) -> bool {
        let app = subject.split_once('/').map_or(subject, |(app, _)| app);
        let app = AppName::new(app).filter(|name| self.apps.contains_key(name));
        self.maintenance_of(app.as_ref()).is_some()
    }

    /// Whether, and why, a check is set aside.
    pub(super) fn set_aside(&self, id: &CheckId) -> Option<SetAside> {
        let app = id.instance().and_then(|id| Some(&self.instances.get(&id)?.app));
        if let Some(maintenance) = self.maintenance_of(app) {
            return Some(maintenance);
        }
        let muted = &self.aside.by_people.muted;
        if muted.is_empty() {
            return None;
        }
        let of_app = app.map(|app| format!("app:{app}"));
        let names = [Some(self.component(id)), of_app];
        let held = names.into_iter().flatten().find_map(|name| muted.get(&name))?;
        let is_over = held.until.is_some_and(|until| until <= self.now);
        let (how, until, by) = (How::Muted, held.until, Some(held.by.clone()));
        (!is_over).then_some(SetAside { how, until, by })
    }

    /// Whether nothing is to be begun about an instance: its app is in maintenance, or its check is
    /// muted.
    pub(super) fn is_left_alone(&self, id: InstanceId) -> bool {
        self.set_aside(&CheckId::Instance(id)).is_some()
    }

    /// A person begins or ends a maintenance.
    pub(super) fn order_maintenance(
        &mut self,
        selectors: &[String],
        lasts: Option<Duration>,
        by: Option<String>,
    ) -> Result<Done, Refusal> {
        let until = lasts.map(|lasts| self.now + lasts);
        let by = by.unwrap_or_else(nobody);
        let held = until.map(|until| Held { until, by });
        let mut done = Done::default();
        let whole = selectors.is_empty();
        let mut apps = BTreeSet::new();
        if !whole {
            let ids = self.select(selectors)?;
            apps.extend(ids.iter().filter_map(|id| Some(self.instances.get(id)?.app.clone())));
        }
        if whole {
            let before = std::mem::replace(&mut self.aside.by_people.whole, held.clone());
            done.notes.push(match (until, before) {
                (Some(until), _) => {
                    format!("everything is in maintenance for {}", spoken(until.since(self.now)))
                }
                (None, Some(_)) => "the maintenance is over".to_owned(),
                (None, None) => "there was no maintenance to end".to_owned(),
            });
        }
        for app in apps {
            let before = match held.clone() {
                Some(held) => self.aside.by_people.apps.insert(app.clone(), held),
                None => self.aside.by_people.apps.remove(&app),
            };
            done.notes.push(match (until, before) {
                (Some(until), _) => {
                    format!("{app} is in maintenance for {}", spoken(until.since(self.now)))
                }
                (None, Some(_)) => format!("the maintenance of {app} is over"),
                (None, None) => format!("{app} was in no maintenance that could be ended"),
            });
            if until.is_none() && self.maintenance_of(Some(&app)).is_some() {
                done.notes.push(format!("{app}: a window of its declaration is still open"));
            }
        }
        self.keep_aside();
        self.plan_maintenance();
        Ok(done)
    }

    /// A person mutes a check; without `by`: unmutes it.
    pub(super) fn order_mute(
        &mut self,
        check: &str,
        by: Option<String>,
        lasts: Option<Duration>,
    ) -> Result<Done, Refusal> {
        let known = self.muteable();
        let was = self.aside.by_people.muted.contains_key(check);
        if !was && !known.contains(check) {
            let nearest = crate::select::nearest(check, known.iter().map(String::as_str));
            let help = match nearest {
                Some(name) => words!("did you mean `{name}`?", "você quis dizer `{name}`?"),
                None => words!(
                    "`zelador health` shows what is looked at",
                    "`zelador health` mostra o que é verificado",
                ),
            };
            return Err(Refusal::NotPossible {
                reason: words!(
                    "nothing that is looked at is called `{check}`",
                    "nada do que é verificado se chama `{check}`",
                ),
                help: Some(help),
            });
        }
        let mut done = Done::default();
        let until = lasts.map(|lasts| self.now + lasts);
        let muting = &mut self.aside.by_people.muted;
        if let Some(by) = by {
            muting.insert(check.to_owned(), Held { until, by });
            let span = lasts.map(|lasts| format!(" for {}", spoken(lasts))).unwrap_or_default();
            done.notes.push(format!("{check} is muted{span}"));
        } else {
            let gone = muting.remove(check).is_some();
            done.notes.push(if gone {
                format!("{check} is heard again")
            } else {
                format!("{check} was not muted")
            });
        }
        self.keep_aside();
        self.plan_maintenance();
        Ok(done)
    }

    /// What can be muted: checks by what they are called, and apps as a whole.
    fn muteable(&self) -> BTreeSet<String> {
        let checks = self.checks.keys().map(|id| self.component(id));
        checks.chain(self.apps.keys().map(|app| format!("app:{app}"))).collect()
    }

    fn keep_aside(&mut self) {
        self.records.push(self.aside.record().unwrap_or(Record::AsideGone));
    }

    /// Finds out which windows are open and when that changes next; what was set aside and is not any
    /// more is told if it is bad.
    pub(super) fn plan_maintenance(&mut self) {
        self.forget_what_is_over();
        let windows = |windows: &[Window]| {
            let wall = shift(self.now, self.clock_ahead);
            let found = windows.iter().filter_map(|it| it.at(wall, &self.zone));
            let (mut open, mut next) = (None::<Moment>, None::<Moment>);
            for place in found {
                match place {
                    InWindow::Until(until) => open = open.max(Some(until)),
                    InWindow::Before(begin) => next = Some(earlier(next, begin)),
                }
            }
            let here = |moment: Moment| shift(moment, -self.clock_ahead).max(self.now + TICK);
            (open.map(here), next.map(here))
        };
        let (whole, mut next) = windows(&self.settings.maintenance);
        let mut apps = BTreeMap::new();
        for (name, app) in &self.apps {
            if app.spec.maintenance.is_empty() {
                continue;
            }
            let (open, begins) = windows(&app.spec.maintenance);
            apps.extend(open.map(|until| (name.clone(), until)));
            next = begins.map(|begins| earlier(next, begins)).or(next);
        }
        let people = &self.aside.by_people;
        let ends = whole
            .into_iter()
            .chain(apps.values().copied())
            .chain(people.whole.iter().map(|held| held.until))
            .chain(people.apps.values().map(|held| held.until))
            .chain(people.muted.values().filter_map(|held| held.until));
        for end in ends {
            next = Some(earlier(next, end));
        }
        self.aside.whole = whole;
        self.aside.apps = apps;
        self.aside.next = next;
        self.deadlines.set(Deadline::Maintenance, next);
        self.tell_what_came_back();
    }

    fn forget_what_is_over(&mut self) {
        let (now, people) = (self.now, &mut self.aside.by_people);
        let before = people.clone();
        people.whole = people.whole.take().filter(|held| held.until > now);
        let known = &self.apps;
        people.apps.retain(|app, held| held.until > now && known.contains_key(app));
        people.muted.retain(|_, held| held.until.is_none_or(|until| until > now));
        if *people != before {
            self.keep_aside();
        }
    }

    fn tell_what_came_back(&mut self) {
        let aside: BTreeSet<CheckId> =
            self.checks.keys().filter(|id| self.set_aside(id).is_some()).cloned().collect();
        let before = std::mem::replace(&mut self.aside.checks, aside);
        let back: Vec<CheckId> = before.difference(&self.aside.checks).cloned().collect();
        if back.is_empty() {
            return;
        }
        self.changed.world = true;
        for id in &back {
            let told = self.checks.get(id).and_then(Check::told);
            let Some(told) = told.filter(|told| told.status != Status::Healthy) else { continue };
            let text = words!(
                "{subject} is {status} now that it is heard again: {message}",
                "{subject} está {status} agora que volta a ser ouvido: {message}",
                subject = self.spoken_check(id),
                status = told.status,
                message = told.words(),
            );
            let subject = self.component(id);
            let check = Some((id.clone(), told.status));
            let severity = Severity::Warning;
            self.effects.push(Effect::Notify(Notice { severity, subject, text, check }));
        }
        let apps: BTreeSet<&AppName> =
            back.iter().filter_map(|id| Some(&self.instances.get(&id.instance()?)?.app)).collect();
        let waiting: Vec<IncidentId> = self
            .incidents
            .values()
            .filter(|it| it.is_open() && apps.contains(&it.app))
            .map(|it| it.id)
            .collect();
        for id in waiting {
            let now = self.now;
            let Some(incident) = self.incidents.get_mut(&id) else { continue };
            if incident.rests_until.take().is_some()
                && matches!(incident.stage, Stage::Pausing { .. })
            {
                incident.stage = Stage::Pausing { retry_at: now };
            }
            // The desk compares it with what was told before.
            self.changed.incidents.insert(id);
        }
    }
}

/// Who wanted it when nobody says.
pub(super) fn nobody() -> String {
    NOBODY.to_owned()
}

/// Handling a deadline moves it on, however the clock was set.
const TICK: Duration = Duration::from_millis(1);

fn earlier(known: Option<Moment>, other: Moment) -> Moment {
    known.map_or(other, |known| known.min(other))
}
