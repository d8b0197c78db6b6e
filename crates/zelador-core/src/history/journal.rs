//! What a change of state is called: records go in as they are kept, events come out.
//!
//! Always holds: the same record twice tells nothing the second time; a run begins, comes up and ends
//! at most once each.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::death::Death;
use crate::id::{AppName, IncidentId, InstanceId, RunId};
use crate::incident::{Incident, Stage};
use crate::instance::{Cause, Instance, Phase, Start};
use crate::record::Record;
use crate::unit::Moment;
use crate::words;
use crate::words::{Words, quoted};
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// What kind.
    pub kind: Kind,
    /// To which app, or which component of which check.
    pub app: Option<String>,
    /// To which replica.
    pub instance: Option<InstanceId>,
    /// To which run.
    pub run: Option<RunId>,
    /// In which incident.
    pub incident: Option<IncidentId>,
    /// In words.
    pub text: Words,
    /// How long what ended had lasted.
    pub lasted: Option<Duration>,
}

impl Event {
    /// Returns an event about nothing in particular.
    pub fn new(at: Moment, kind: Kind, text: Words) -> Self {
        Self { at, kind, app: None, instance: None, run: None, incident: None, text, lasted: None }
    }

    /// The same about an app.
    pub fn of(self, app: &str) -> Self {
        Self { app: Some(app.to_owned()), ..self }
    }
}

/// What was seen last of everything.
#[derive(Debug, Default)]
pub struct Journal {
    apps: BTreeMap<AppName, u64>,
    instances: BTreeMap<InstanceId, Seen>,
    /// With how many tries each was seen.
    incidents: BTreeMap<IncidentId, (Stance, usize)>,
    retired: BTreeSet<RunId>,
}

/// How a run ended, to stand alone.
fn ended(death: &Death) -> Words {
    words!("{death}", "{death}", death = death)
}

#[derive(Debug, Default)]
struct Seen {
    begun: Option<RunId>,
    up: Option<RunId>,
    ended: Option<RunId>,
    /// The run that had the process last, and since when.
    last: Option<(RunId, Moment)>,
    death_at: Option<Moment>,
    tripped: bool,
    finished: bool,
    held: bool,
    /// When the next start was to be.
    retry_at: Option<Moment>,
    /// The run that was up and not ready yet.
    unready: Option<RunId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stance {
    Open,
    Escalated,
    Closed,
}

impl Journal {
    /// Takes in a record; returns what happened.
    pub fn tell(&mut self, now: Moment, record: &Record) -> Vec<Event> {
        match record {
            Record::App(spec) => {
                let print = fingerprint(spec);
                let kind = match self.apps.insert(spec.name.clone(), print) {
                    None => Kind::Declared,
                    Some(before) if before != print => Kind::Changed,
                    Some(_) => return Vec::new(),
                };
                let version = spec.launch.script.clone();
                vec![Event::new(now, kind, quoted(version)).of(spec.name.as_str())]
            }
            Record::AppGone(name) => {
                let known = self.apps.remove(name).is_some();
                let gone = Event::new(now, Kind::Removed, Words::default()).of(name.as_str());
                known.then_some(gone).into_iter().collect()
            }
            Record::Instance(instance) => self.instance(now, instance),
            Record::InstanceGone(id) => {
                let seen = self.instances.remove(id);
                seen.and_then(|seen| seen.left(now, *id)).into_iter().collect()
            }
            Record::Retiring(retiring) => {
                let Some(death) = &retiring.death else { return Vec::new() };
                if !self.retired.insert(retiring.run) {
                    return Vec::new();
                }
                vec![Event {
                    instance: Some(retiring.instance),
                    run: Some(retiring.run),
                    ..Event::new(now, Kind::Stopped, ended(death)).of(retiring.app.as_str())
                }]
            }
            Record::Retired(run) => {
                self.retired.remove(run);
                Vec::new()
            }
            Record::Incident(incident) => self.incident(now, incident),
            Record::IncidentGone(id) => {
                self.incidents.remove(id);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn instance(&mut self, now: Moment, instance: &Instance) -> Vec<Event> {
        let seen = self.instances.entry(instance.id).or_default();
        let event = |kind, run: Option<RunId>, text: Words| Event {
            instance: Some(instance.id),
            run,
            ..Event::new(now, kind, text).of(instance.app.as_str())
        };
        let mut told = Vec::new();
        let lasted = |seen: &Seen| seen.last.map(|(_, since)| now.since(since));
        // A death that nobody asked for; one that was asked for stands in the phase only.
        if let Some(past) = instance.deaths.front().filter(|past| seen.death_at < Some(past.at)) {
            seen.death_at = Some(past.at);
            let run = seen.last.map(|(run, _)| run).filter(|run| seen.ended != Some(*run));
            seen.ended = run.or(seen.ended);
            let all: Vec<Words> =
                std::iter::once(ended(&past.death)).chain(past.explained.clone()).collect();
            told.push(Event {
                at: past.at,
                lasted: Some(Duration::from_millis(past.uptime_millis)),
                ..event(Kind::Died, run, Words::joined(&all, "; "))
            });
        }
        if let Phase::Stopping { run, death: Some(death), .. } = &instance.phase
            && seen.ended != Some(*run)
        {
            seen.ended = Some(*run);
            let lasted = lasted(seen);
            told.push(Event { lasted, ..event(Kind::Stopped, Some(*run), ended(death)) });
        }
        let run = instance.phase.run();
        if let Some((last, since)) = seen.last
            && run != Some(last)
            && seen.ended != Some(last)
        {
            // Whatever it was, that run has no process any more.
            seen.ended = Some(last);
            let lasted = lasted(seen);
            // The cause of the start after it, not of its own.
            let after = |start: &&Start| run.is_some() || start.at > since;
            let cause = instance.last_start.as_ref().filter(after).map(|start| &start.cause);
            let with_all = cause.filter(|cause| cause.is_end_of_all());
            let ended = match (&instance.phase, with_all) {
                (Phase::Finished { death }, _) => {
                    Event { lasted, ..event(Kind::Stopped, Some(last), ended(death)) }
                }
                (_, Some(cause)) => {
                    // After a loss of power nobody may know when that was.
                    let known = cause.ended_at().filter(|at| since <= *at);
                    let lasted = known.map(|at| at.since(since));
                    let at = known.unwrap_or(now);
                    Event { at, lasted, ..event(Kind::Stopped, Some(last), cause.words()) }
                }
                _ => Event { lasted, ..event(Kind::Stopped, Some(last), Words::default()) },
            };
            // A run whose place was taken ends later, and says so itself.
            told.extend((run.is_none() || !self.retired.contains(&last)).then_some(ended));
        }
        let tripped = matches!(instance.phase, Phase::Tripped { .. });
        if tripped && !seen.tripped {
            let why = match (instance.breaker.short_runs, instance.deaths.front()) {
                (0, Some(past)) => ended(&past.death),
                _ => instance.breaker.short_runs_told(),
            };
            told.push(event(Kind::Tripped, None, why));
        }
        seen.tripped = tripped;
        told.extend(seen.waits(now, &instance.phase).map(|(kind, text)| event(kind, None, text)));
        let begun = instance.successor.as_ref().map(|successor| successor.run).or(run);
        if let Some(begun) = begun.filter(|begun| seen.begun < Some(*begun)) {
            seen.begun = Some(begun);
            let cause = instance.last_start.as_ref().map(|start| &start.cause);
            let text = cause.map(Cause::words).unwrap_or_default();
            told.push(event(Kind::Begun, Some(begun), text));
        }
        if let Phase::Running { run, pid, since, ready_by } = &instance.phase {
            seen.last = Some((*run, *since));
            if seen.up < Some(*run) {
                seen.up = Some(*run);
                told.push(event(Kind::Up, Some(*run), quoted(format!("pid {pid}"))));
            }
            let was_unready = seen.unready == Some(*run);
            seen.unready = ready_by.map(|_| *run);
            if was_unready && ready_by.is_none() {
                let ready = event(Kind::Ready, Some(*run), Words::default());
                told.push(Event { lasted: Some(now.since(*since)), ..ready });
            }
        }
        told
    }

    fn incident(&mut self, now: Moment, incident: &Incident) -> Vec<Event> {
        let stance = if !incident.is_open() {
            Stance::Closed
        } else if incident.stage == Stage::Escalated {
            Stance::Escalated
        } else {
            Stance::Open
        };
        let tries = incident.tries.len();
        let before = self.incidents.insert(incident.id, (stance, tries));
        let (before, tried) = (before.map(|it| it.0), before.map_or(0, |it| it.1));
        let event = |at, kind, text: Words| Event {
            instance: Some(incident.instance),
            incident: Some(incident.id),
            ..Event::new(at, kind, text).of(incident.app.as_str())
        };
        let mut told = Vec::new();
        if before.is_none() {
            told.push(event(incident.opened_at, Kind::Opened, incident.trouble.words()));
        }
        told.extend(incident.tries.iter().skip(tried).map(|it| {
            event(it.at, Kind::Remedy, words!("{remedy}", "{remedy}", remedy = it.remedy))
        }));
        if before == Some(stance) {
            return told;
        }
        match stance {
            Stance::Open => {}
            Stance::Escalated => {
                told.push(event(now, Kind::Escalated, incident.trouble.words()));
            }
            Stance::Closed => {
                let at = incident.closed_at.unwrap_or(now);
                let lasted = at.since(incident.opened_at);
                let text = words!(
                    "{state} after {lasted}",
                    "{state} após {lasted}",
                    state = incident.state_words(),
                    lasted = lasted,
                );
                told.push(Event { lasted: Some(lasted), ..event(at, Kind::Closed, text) });
            }
        }
        told
    }
}

/// A start that comes sooner follows at once, for who reads what happened.
const SOON: Duration = Duration::from_secs(1);

impl Seen {
    /// That it waits for its next start, or that there is none.
    fn waits(&mut self, now: Moment, phase: &Phase) -> Option<(Kind, Words)> {
        let finished = matches!(phase, Phase::Finished { .. });
        let (retry_at, held) = match phase {
            Phase::Backoff { retry_at, held, .. } => (Some(*retry_at), *held),
            _ => (None, false),
        };
        let was_finished = std::mem::replace(&mut self.finished, finished);
        let was_held = std::mem::replace(&mut self.held, held);
        let before = std::mem::replace(&mut self.retry_at, retry_at);
        let wait = retry_at.filter(|at| !held && before != Some(*at)).map(|at| at.since(now));
        match phase {
            Phase::Finished { death } if !was_finished => Some((Kind::Finished, ended(death))),
            Phase::Backoff { .. } if held && !was_held => Some((Kind::Held, Words::default())),
            _ => wait.filter(|wait| *wait >= SOON).map(|wait| {
                let text = words!("next start in {t}", "próximo início em {t}", t = wait);
                (Kind::Waiting, text)
            }),
        }
    }

    /// The instance was removed while a run of it was not known to have ended.
    fn left(self, now: Moment, id: InstanceId) -> Option<Event> {
        let (run, since) = self.last.filter(|(run, _)| self.ended != Some(*run))?;
        let ended = Event::new(now, Kind::Stopped, Words::default());
        Some(Event { instance: Some(id), run: Some(run), lasted: Some(now.since(since)), ..ended })
    }
}

/// Tells two declarations apart: FNV-1a of what would be written of it.
fn fingerprint(spec: &crate::spec::AppSpec) -> u64 {
    let written = serde_json::to_vec(spec).unwrap_or_default();
    written.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
