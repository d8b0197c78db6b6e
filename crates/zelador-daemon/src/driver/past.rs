//! What becomes part of the history: samples at an even pace, and what records and verdicts tell.

use std::collections::BTreeSet;

use zelador_core::history::{Event, Kind, Metric};
use zelador_core::instance::{Goal, Phase};
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
        if !self.history.is_damaged() && !self.archive.is_damaged() {
            return;
        }
        let mut state = self.supervisor.durable();
        state.sort_by_key(Record::key);
        match self.history.begin_anew(state, now) {
            Ok(aside) => {
                tracing::error!(path = %aside.display(), "the history is damaged: set aside, begun anew");
                self.archive.begin_anew();
            }
            Err(error) => tracing::error!(%error, "the history is damaged"),
        }
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
            add(Metric::Up, if up { 1000 } else { 0 });
        }
    }
    for check in &view.health.checks {
        let subject = format!("check:{}", check.component);
        values.push((subject, Metric::Latency, whole(check.took.as_micros() as u64)));
    }
    values
}

/// Whether it does what it is there for; `None`: nothing is wanted of it.
fn is_up(instance: &InstanceView) -> Option<bool> {
    if instance.goal == Goal::Down || matches!(instance.phase, Phase::Finished { .. }) {
        return None;
    }
    let is_sick = instance
        .health
        .as_ref()
        .is_some_and(|health| health.status == zelador_core::check::Status::Unhealthy);
    Some(instance.phase.is_ready() && !is_sick)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
