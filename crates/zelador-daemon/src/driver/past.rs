//! What becomes part of the history: samples at an even pace, and what records and verdicts tell.

use std::collections::BTreeSet;

use zelador_core::aside::{How, SetAside};
use zelador_core::check::Status;
use zelador_core::history::{Event, Kind, Metric};
use zelador_core::instance::{Cause, Goal, Phase};
use zelador_core::record::Record;
use zelador_core::supervisor::{HealthView, InstanceView, View};
use zelador_core::unit::Moment;
use zelador_core::words;
use zelador_guardian::thrift;

use super::Driver;
use crate::history::{Item, Sample};

impl Driver {
    /// Hands over what everything is at now, and which verdicts have changed.
    pub(super) fn sample_for_history(&mut self) {
        let now = self.clock.now();
        self.supervisor.tell_time(now);
        let view = self.supervisor.view();
        self.tell_verdicts(now, &view.health);
        self.archive.keep(Item::Sample(Sample { at: now, values: numbers(&view) }));
        self.leave_a_damaged_file(now);
        drop(view);
        // A look at everything, as every large answer since the last one, leaves holes behind that the
        // allocator keeps: with ten thousand checks more than what is in use.
        self.tasks.spawn_blocking(thrift::trim);
    }

    /// A history that was damaged while it was in use costs the past, and nothing else: it is set aside,
    /// and the state goes on in a new one.
    fn leave_a_damaged_file(&mut self, now: Moment) {
        if self.history.is_damaged() || self.archive.is_damaged() {
            self.begin_history_anew(now, "the history is damaged");
        }
    }

    /// The same for a file that somebody has removed, or put another one in the place of.
    pub(super) fn leave_a_removed_file(&mut self) {
        if self.history.is_removed() {
            self.begin_history_anew(self.clock.now(), "the history was removed");
        }
    }

    fn begin_history_anew(&mut self, now: Moment, why: &str) {
        if self.history.is_frozen() {
            // What is left of the state is not what is to come back.
            return;
        }
        let mut state = self.supervisor.durable();
        state.sort_by_key(Record::key);
        match self.history.begin_anew(state, now) {
            Ok(Some(aside)) => {
                tracing::error!(path = %aside.display(), "{why}: what is there was set aside, and another one begun");
            }
            Ok(None) => tracing::error!("{why}: another one is begun"),
            Err(error) => return tracing::error!(%error, "{why}"),
        }
        self.archive.begin_anew();
    }

    fn tell_verdicts(&mut self, now: Moment, health: &HealthView) {
        let mut verdicts = std::mem::take(&mut self.verdicts);
        for check in &health.checks {
            let Some(before) = verdicts.get_mut(&check.component) else {
                verdicts.insert(check.component.clone(), check.status);
                continue;
            };
            if std::mem::replace(before, check.status) != check.status {
                let text = words!(
                    "{status}: {message}",
                    "{status}: {message}",
                    status = check.status,
                    message = check.words(),
                );
                let event = Event::new(now, Kind::Verdict, text).of(&check.component);
                self.archive.keep(Item::Event(event));
            }
        }
        // All that there are are in it now: some are gone only if it has more.
        if verdicts.len() > health.checks.len() {
            let known: BTreeSet<&str> =
                health.checks.iter().map(|check| check.component.as_str()).collect();
            verdicts.retain(|name, _| known.contains(name.as_str()));
        }
        self.verdicts = verdicts;
    }

    /// Hands over what these records tell.
    pub(crate) fn remember(&mut self, now: Moment, records: &[Record]) {
        let mut items = Vec::new();
        for record in records {
            items.extend(self.journal.tell(now, record).into_iter().map(Item::Event));
            items.extend(self.trials.tell(now, record).into_iter().map(Item::Trial));
            if let Record::Incident(incident) = record {
                items.push(Item::Incident(incident.clone()));
            }
        }
        self.archive.keep_all(items);
    }
}

/// The numbers of everything.
pub fn numbers(view: &View) -> Vec<(String, Metric, i64)> {
    let mut values = Vec::new();
    for instance in &view.instances {
        let subject = format!("app:{}/{}", instance.app, instance.index);
        let mut add = |metric, value| values.push((subject.clone(), metric, value));
        if let Some(usage) = instance.usage.filter(|_| instance.pid.is_some()) {
            add(Metric::Memory, whole(usage.memory.bytes()));
            add(Metric::Cpu, (usage.cpu * 10.0).round() as i64);
            add(Metric::Threads, usage.threads.into());
            if let Some(descriptors) = usage.descriptors {
                add(Metric::Descriptors, descriptors.into());
            }
        }
        add(Metric::Restarts, instance.restarts.into());
        if let Some(up) = is_up(instance) {
            add(Metric::Up, thousandths(up));
        }
    }
    for check in &view.health.checks {
        let subject = format!("check:{}", check.component);
        // An app's own check is in what its app is.
        if !check.component.starts_with("app:") && !is_worked_on(check.set_aside.as_ref()) {
            let up = thousandths(check.status != Status::Unhealthy);
            values.push((subject.clone(), Metric::Up, up));
        }
        // Whether a process is there is known without a look.
        if !check.took.is_zero() {
            values.push((subject, Metric::Latency, whole(check.took.as_micros() as u64)));
        }
    }
    values
}

/// Whether it does what it is there for; `None`: that is not asked of it now.
fn is_up(instance: &InstanceView) -> Option<bool> {
    let is_over = matches!(instance.phase, Phase::Finished { .. });
    if instance.goal == Goal::Down || is_over || is_worked_on(instance.set_aside.as_ref()) {
        return None;
    }
    let is_ready = instance.phase.is_ready();
    if !is_ready && comes_up_anew(instance) {
        return None;
    }
    let is_sick = instance.health.as_ref().is_some_and(|it| it.status == Status::Unhealthy);
    Some(is_ready && !is_sick)
}

/// Whether it was not up before because nobody wanted that.
fn comes_up_anew(instance: &InstanceView) -> bool {
    let is_asked = instance.last_start.as_ref().is_some_and(|start| match &start.cause {
        Cause::Declared | Cause::Scaled => true,
        Cause::Asked { verb } => verb == "start",
        _ => false,
    });
    is_asked && matches!(instance.phase, Phase::Starting { .. } | Phase::Running { .. })
}

/// Whether somebody works on it: what that costs is planned.
fn is_worked_on(aside: Option<&SetAside>) -> bool {
    aside.is_some_and(|aside| aside.how == How::Maintenance)
}

fn thousandths(up: bool) -> i64 {
    if up { 1000 } else { 0 }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An instance as the API tells it.
    fn instance(phase: &Value, more: &Value) -> InstanceView {
        let mut view = json!({
            "id": 0, "app": "api", "index": 0, "name": "api", "goal": "up", "phase": phase, "status": "online",
            "pid": null, "restarts": 0, "unstable_restarts": 0, "created_at": Moment::default(), "started_at": null,
            "usage": null, "health": null, "deaths": [], "backoff": null,
        });
        view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(view).expect("an instance")
    }

    #[test]
    fn only_what_was_wanted_and_nobody_works_on_counts_as_down() {
        let starting = json!({ "phase": "starting", "run": 1, "give_up_at": Moment::default() });
        let running = json!({ "phase": "running", "run": 1, "pid": 9, "since": Moment::default() });
        let backoff = json!({ "phase": "backoff", "retry_at": Moment::default(), "held": false });
        let begun =
            |cause: Value| json!({ "last_start": { "at": Moment::default(), "cause": cause } });
        let declared = begun(json!({ "cause": "declared" }));
        let died = begun(json!({ "cause": "died", "death": { "how": "exited", "code": 1 } }));
        let restarted = begun(json!({ "cause": "asked", "verb": "restart" }));
        let aside = json!({ "set_aside": { "how": "maintenance", "until": null, "by": null } });
        let muted = json!({ "set_aside": { "how": "muted", "until": null, "by": null } });
        let up = |phase: &Value, more: &Value| is_up(&instance(phase, more));
        assert_eq!(up(&running, &declared), Some(true));
        assert_eq!(up(&starting, &declared), None, "it was never up");
        assert_eq!(up(&backoff, &declared), Some(false), "and does not come up");
        assert_eq!(up(&starting, &died), Some(false));
        assert_eq!(up(&starting, &restarted), Some(false), "it was up");
        assert_eq!(up(&backoff, &aside), None);
        assert_eq!(up(&backoff, &muted), Some(false), "nobody works on it");
        assert_eq!(up(&running, &json!({ "goal": "down" })), None);
    }

    #[test]
    fn what_needs_no_look_has_no_latency() {
        let took = |millis: u64| std::time::Duration::from_millis(millis);
        let check = |component: &str, millis| json!({ "component": component, "status": "healthy", "message": "", "took": took(millis), "at": Moment::default() });
        let health = json!({
            "overall": "healthy", "checks": [check("app:api", 0), check("app:web", 7)],
            "uptime": took(0), "at": Moment::default(),
        });
        let view = json!({
            "at": Moment::default(), "started_at": Moment::default(), "instances": [], "health": health,
            "ignored_facts": 0,
        });
        let view: View = serde_json::from_value(view).expect("a view");
        assert_eq!(numbers(&view), [("check:app:web".to_owned(), Metric::Latency, 7000)]);
    }
}
