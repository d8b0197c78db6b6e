//! What is said of how zelador dealt with a fault, from its record and from the world as it is.

use std::time::Duration;

use zelador_api::diagnosis::Cause;
use zelador_api::evidence::Evidence;
use zelador_api::unit::Moment;
use zelador_api::{Death, Incident, Outcome, Remedy, Stage, TryResult};

use super::record::Happened;
use super::{Ends, Fault, Part};

/// A run must stay up this long after a death before it counts as healed: `STABLE_FOR` of docs/healing.md.
const STABLE: Duration = Duration::from_secs(10);

/// On a busy machine the event of a start comes so much after the start that it tells of.
const TOLD_LATE: Duration = Duration::from_millis(500);

/// From this share on a volume is full, in percent.
const FULL: f64 = 95.0;

/// Where no start can help, the first death costs one start, since nothing is known yet.
const STARTS_IN_VAIN: usize = 1;

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The app does its work again, and zelador says so.
    Healed(Duration),
    /// A person knows.
    Told(Duration),
    /// Neither, within [`super::LIMIT`].
    Neither,
}

/// What was seen of one fault.
pub(super) struct Seen {
    /// The incidents since the fault.
    pub incidents: Vec<Incident>,
    /// The first of them as it was when zelador had made up its mind: what comes later, as what it
    /// waits for being back, is no part of that evidence.
    pub decided: Option<Incident>,
    /// The events since the fault.
    pub events: Vec<Happened>,
    /// When the fault was done.
    pub injected: Moment,
    /// How it ended.
    pub end: End,
    /// Zelador said "healed" while the app did not do its work.
    pub falsely_healed: bool,
    /// What the world says was damaged.
    pub harm: Vec<String>,
}

/// What is said of one fault.
#[derive(Debug)]
pub struct Verdict {
    /// Of which.
    pub fault: &'static Fault,
    /// From the fault to its detection.
    pub detected: Option<Duration>,
    /// What the evidence lacks.
    pub lacks: Vec<String>,
    /// What it was taken for at last, and how surely.
    pub cause: Option<(Cause, f64)>,
    /// Whether every incident of it was taken for something right.
    pub cause_is_right: bool,
    /// What was advised, and what was tried.
    pub remedies: Vec<Remedy>,
    /// Whether all of that is right, or at least does no harm.
    pub remedy_is_right: bool,
    /// From the detection to the first thing that was done about it.
    pub begun: Option<Duration>,
    /// Whether it was the end of a run.
    pub is_death: bool,
    /// How it ended.
    pub end: End,
    /// Whether what was healed had been verified first.
    pub is_verified: bool,
    /// Zelador said "healed" while the app did not do its work.
    pub falsely_healed: bool,
    /// What was done that must not be.
    pub harm: Vec<String>,
    /// What zelador's incidents tell, the oldest first.
    pub story: Vec<String>,
}

impl Verdict {
    /// Whether everything is as it must be.
    pub fn is_good(&self) -> bool {
        self.complaints().is_empty()
    }

    /// What is not as it must be.
    pub fn complaints(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.detected.is_none() {
            said.push("not detected".to_owned());
        }
        said.extend(self.lacks.iter().map(|what| format!("evidence lacks {what}")));
        if !self.cause_is_right {
            said.push(format!("taken for {:?}", self.cause));
        }
        if !self.remedy_is_right {
            said.push(format!("remedies {:?}", self.remedies));
        }
        if !self.ended_right() {
            said.push(format!("ended as {:?}", self.end));
        }
        if !self.is_verified {
            said.push("healed without verification".to_owned());
        }
        if self.falsely_healed {
            said.push("falsely said to be healed".to_owned());
        }
        said.extend(self.harm.iter().cloned());
        said
    }

    /// Whether it was healed where that can be, and a person told where not.
    pub fn ended_right(&self) -> bool {
        match self.fault.ends {
            Ends::Healed | Ends::HealedOnceMended => matches!(self.end, End::Healed(_)),
            Ends::Told => matches!(self.end, End::Told(_)),
        }
    }
}

/// Judges.
pub(super) fn judge(fault: &'static Fault, seen: Seen) -> Verdict {
    let Seen { incidents, decided, events, injected, end, falsely_healed, mut harm } = seen;
    let first = incidents.first();
    let found = incidents.iter().filter_map(|it| it.diagnosis.as_ref());
    let mut remedies: Vec<Remedy> = found.clone().map(|it| it.remedy.clone()).collect();
    let tried = incidents.iter().flat_map(|it| &it.tries).map(|it| it.remedy.clone());
    remedies.extend(tried);
    remedies.dedup();
    let is_right = |it: &Remedy| fault.remedies.contains(it) || is_harmless(it);
    let starts = starts(&events, fault.name);
    let opened = first.map(|it| it.opened_at);
    let begins = |it: &Remedy| it.restarts() || matches!(it, Remedy::FreeDisk | Remedy::ScaleOut);
    let in_vain = !fault.remedies.iter().any(begins);
    let again = starts.iter().filter(|at| opened.is_some_and(|opened| **at >= opened)).count();
    if in_vain && again > STARTS_IN_VAIN {
        harm.push(format!("started {again} times, where no start can help"));
    }
    let told = incidents.iter().flat_map(|it| &it.story);
    let story = told.map(|it| format!("{} {}", it.at, it.what)).collect();
    Verdict {
        fault,
        detected: opened.map(|at| at.since(injected)),
        lacks: decided.as_ref().or(first).map_or_else(Vec::new, |it| lacks(fault, it)),
        cause: found.clone().next_back().map(|it| (it.cause, it.confidence)),
        cause_is_right: found.clone().count() > 0
            && found.clone().all(|it| fault.causes.contains(&it.cause)),
        remedy_is_right: !remedies.is_empty() && remedies.iter().all(is_right),
        begun: first.and_then(|it| begun(it, &events, fault.name)),
        is_death: first.is_some_and(|it| it.trouble.is_deadly()),
        is_verified: !matches!(end, End::Healed(_)) || is_verified(&incidents, &starts),
        remedies,
        end,
        falsely_healed,
        harm,
        story,
    }
}

/// Nothing is touched by these.
fn is_harmless(remedy: &Remedy) -> bool {
    matches!(remedy, Remedy::NotifyOnly | Remedy::None | Remedy::WaitForDependency)
}

/// When runs of the app came up.
fn starts(events: &[Happened], app: &str) -> Vec<Moment> {
    let phases = events.iter().filter_map(|it| Some((it.at, it.phase_of(app)?)));
    let mut came_up = Vec::new();
    let mut last = "running";
    for (at, phase) in phases {
        if phase == "running" && last != "running" {
            came_up.push(at);
        }
        last = phase;
    }
    came_up
}

/// From the detection to the first thing that was done: a try, or what the restart policy did.
fn begun(incident: &Incident, events: &[Happened], app: &str) -> Option<Duration> {
    let tried = incident.tries.first().map(|it| it.at);
    let waited = incident.story.iter().find(|it| it.what.starts_with("waiting for"));
    let acted = events.iter().find(|it| {
        let phase = it.phase_of(app);
        it.at >= incident.opened_at && matches!(phase, Some("running" | "tripped" | "backoff"))
    });
    let acted = acted.filter(|_| incident.trouble.is_deadly()).map(|it| it.at);
    let at = [tried, waited.map(|it| it.at), acted].into_iter().flatten().min()?;
    Some(at.since(incident.opened_at))
}

/// Whether what was healed was looked at long enough before that was said.
fn is_verified(incidents: &[Incident], starts: &[Moment]) -> bool {
    incidents.iter().all(|incident| {
        let Some(closed) = incident.closed_at else { return true };
        if incident.trouble.is_deadly() {
            let last = starts.iter().rev().find(|at| **at <= closed);
            return last.is_some_and(|at| closed.since(*at) + TOLD_LATE >= STABLE);
        }
        // Without a remedy there is nothing but its own check, which is good again.
        let recovered = incident.stage == Stage::Closed { outcome: Outcome::Recovered };
        recovered || incident.tries.last().is_some_and(|it| it.result == Some(TryResult::Healed))
    })
}

/// What the evidence of an incident lacks.
fn lacks(fault: &Fault, incident: &Incident) -> Vec<String> {
    let Some(evidence) = &incident.evidence else { return vec!["everything".to_owned()] };
    let mut lacks: Vec<String> = evidence.missing.iter().map(ToString::to_string).collect();
    // A check may be the first to see that a program dies: what the dead cannot tell is no gap.
    let told = lacks.len();
    lacks.retain(|what| !(what.starts_with("process: ") && what.contains(" ended")));
    let has_ended = lacks.len() < told;
    if evidence.volumes.is_empty() {
        lacks.push("its volumes".to_owned());
    }
    match &evidence.death {
        Some(Death::NeverStarted(_)) => {}
        Some(_) if evidence.uptime_millis.is_none() => lacks.push("its uptime".to_owned()),
        None if !has_ended && !shows(evidence, Part::Threads) => {
            lacks.push("its threads".to_owned());
        }
        None if !shows(evidence, Part::Probe) => lacks.push("its check".to_owned()),
        Some(_) | None => {}
    }
    let parts = fault.shows.iter().filter(|part| !shows(evidence, **part));
    lacks.extend(parts.map(|part| format!("{part:?}")));
    lacks
}

fn shows(evidence: &Evidence, part: Part) -> bool {
    let mut lines = evidence.out_tail.iter().chain(&evidence.err_tail);
    match (part, &evidence.death) {
        (Part::Code(code), Some(Death::Exited { code: seen })) => *seen == code,
        (Part::Signal(name), Some(Death::Signaled { signal, .. })) => signal.to_string() == name,
        (Part::OutOfMemory, Some(Death::OutOfMemory))
        | (Part::NeverStarted, Some(Death::NeverStarted(_))) => true,
        (Part::Line(words), _) => lines.any(|line| line.contains(words)),
        (Part::Probe, _) => evidence.probe.as_ref().is_some_and(|it| !it.message.is_empty()),
        (Part::Threads, _) => !evidence.threads.is_empty() && evidence.descriptors.is_some(),
        (Part::FullVolume, _) => evidence.volumes.iter().any(|it| it.fullness() >= FULL),
        (Part::PortHolder, _) => evidence.port_holders.iter().any(|it| it.pid.is_some()),
        (Part::Code(_) | Part::Signal(_) | Part::OutOfMemory | Part::NeverStarted, _) => false,
    }
}
