//! What happens, one event a change, for programs that listen.
//!
//! Pure: records and notices go in as they are kept and said, events come out; what an event says is
//! the difference between two records. Always holds: numbers of events only grow, also over engines,
//! since they are made of the time; no event has an environment, a command line or a line of a log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::effect::Notice;
use crate::id::{IncidentId, InstanceId};
use crate::instance::Phase;
use crate::record::Record;
use crate::unit::Moment;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since the Unix epoch, or one more than the event before.
    pub id: u64,
    /// When.
    pub at: Moment,
    /// `instance`, `instance-gone`, `incident`, `app`, `app-gone`, `notice`.
    pub kind: String,
    /// What.
    pub data: Value,
}

/// What was told last of everything.
#[derive(Debug, Default)]
pub struct Events {
    last: u64,
    instances: BTreeMap<InstanceId, Value>,
    incidents: BTreeMap<IncidentId, (String, usize)>,
}

impl Events {
    /// Knows what these records say already, and numbers from after `last` on.
    pub fn after(last: u64, records: &[Record]) -> Self {
        let mut events = Self { last, ..Self::default() };
        for record in records {
            _ = events.of(Moment::default(), record);
        }
        events.last = last;
        events
    }

    /// Returns what a record says that is new.
    pub fn of(&mut self, now: Moment, record: &Record) -> Option<Event> {
        let (kind, data) = match record {
            Record::Instance(instance) => {
                let data = json!({
                    "id": instance.id,
                    "app": instance.app,
                    "index": instance.index,
                    "phase": word(&instance.phase),
                    "pid": instance.phase.pid(),
                });
                if self.instances.get(&instance.id) == Some(&data) {
                    return None;
                }
                self.instances.insert(instance.id, data.clone());
                let mut data = data;
                if let Some(death) = instance.deaths.front() {
                    let at = death.at.to_string();
                    data["last_death"] = json!({ "at": at, "how": death.death.to_string() });
                }
                ("instance", data)
            }
            Record::InstanceGone(id) => {
                let before = self.instances.remove(id)?;
                ("instance-gone", json!({ "id": id, "app": before["app"] }))
            }
            Record::Incident(incident) => {
                let state = (incident.state(), incident.story.len());
                if self.incidents.get(&incident.id) == Some(&state) {
                    return None;
                }
                let told = self.incidents.insert(incident.id, state).map_or(0, |(_, told)| told);
                let news: Vec<&str> =
                    incident.story.iter().skip(told).map(|it| it.what.as_str()).collect();
                let data = json!({
                    "id": incident.id,
                    "app": incident.app,
                    "trouble": incident.trouble,
                    "state": incident.state(),
                    "open": incident.is_open(),
                    "news": news,
                });
                ("incident", data)
            }
            Record::IncidentGone(id) => {
                self.incidents.remove(id);
                return None;
            }
            Record::App(spec) => ("app", json!({ "app": spec.name })),
            Record::AppGone(name) => ("app-gone", json!({ "app": name })),
            _ => return None,
        };
        Some(self.event(now, kind, data))
    }

    /// Returns what was said in zelador's own log, as an event.
    pub fn notice(&mut self, now: Moment, notice: &Notice) -> Event {
        let Notice { severity, subject, text, .. } = notice;
        let data = json!({ "severity": severity, "subject": subject, "text": text.english() });
        self.event(now, "notice", data)
    }

    fn event(&mut self, now: Moment, kind: &str, data: Value) -> Event {
        self.last = now.as_micros().max(self.last + 1);
        Event { id: self.last, at: now, kind: kind.to_owned(), data }
    }
}

fn word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Stopped => "stopped",
        Phase::Starting { .. } => "starting",
        Phase::Running { .. } => "running",
        Phase::Stopping { .. } => "stopping",
        Phase::Backoff { .. } => "backoff",
        Phase::Tripped { .. } => "tripped",
        Phase::Finished { .. } => "finished",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Severity;
    use crate::id::{AppName, RunId};
    use crate::instance::{Goal, Instance};

    const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

    fn instance(phase: Phase) -> Record {
        let name = AppName::new("api").unwrap();
        let mut instance = Instance::new(InstanceId::new(0), name, 0, Goal::Up, NOW);
        instance.phase = phase;
        Record::Instance(Box::new(instance))
    }

    #[test]
    fn a_change_is_told_once_and_numbers_only_grow() {
        let mut events = Events::default();
        let starting = Phase::Starting { run: RunId::new(1), give_up_at: NOW };
        let first = events.of(NOW, &instance(starting.clone())).unwrap();
        assert_eq!((first.id, first.data["phase"].as_str()), (NOW.as_micros(), Some("starting")));
        assert_eq!(events.of(NOW, &instance(starting)), None);
        let second = events.of(NOW, &instance(Phase::Stopped)).unwrap();
        assert_eq!(second.id, first.id + 1, "in the same microsecond");
        let notice = Notice {
            severity: Severity::Info,
            subject: "api".to_owned(),
            text: crate::words::quoted("x"),
            check: None,
        };
        // The clock was set back.
        assert_eq!(events.notice(Moment::default(), &notice).id, second.id + 1);
        assert_eq!(
            events.of(NOW, &Record::InstanceGone(InstanceId::new(0))).unwrap().kind,
            "instance-gone"
        );
        let known = [instance(Phase::Stopped)];
        let mut after = Events::after(second.id + 9, &known);
        assert_eq!(after.of(NOW, &known[0]), None, "the engine before has told it");
        assert!(after.notice(NOW, &notice).id > second.id + 9);
    }
}
