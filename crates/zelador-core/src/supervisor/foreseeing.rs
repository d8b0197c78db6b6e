//! Memory that comes to its limit before anything fails: foretold, and what is gentle done about it.
//!
//! Always holds: nothing is foretold from less than ten minutes, of less than half of the limit, or of what slows down; no
//! process is ended for a forecast while it is busy, unless the limit is at hand; what is no longer
//! foretold is over.

use std::time::Duration;

use super::Supervisor;
use crate::diagnosis::{Cause, Diagnosis, Reasons};
use crate::healing::{GATHER_WITHIN, Remedy};
use crate::history::{forecast, slows_down};
use crate::id::{IncidentId, InstanceId};
use crate::incident::{Incident, Outcome, Stage, Trouble};
use crate::instance::Phase;
use crate::said::Said;
use crate::unit::{ByteSize, Moment};
use crate::words;
use crate::words::Words;

/// What is farther away is no news. Ours: an hour is what a person needs to look at it.
const HORIZON: Duration = Duration::from_hours(1);

/// From less nothing is foretold: a program that warms up grows too.
pub(super) const LEAST_SEEN: Duration = Duration::from_mins(10);

/// A process is ended for it from this long before on, where it does little.
const RESTARTS_FROM: Duration = Duration::from_mins(15);

/// From this long before on, whatever it does: better now than in the middle of a later request.
const AT_HAND: Duration = Duration::from_mins(2);

/// Below so much of one core, in percent, an app does little.
const DOES_LITTLE: f64 = 10.0;

/// How often it is looked whether it does little.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What the numbers say.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outlook {
    /// There are too few of them.
    Unknown,
    /// No limit is near.
    Clear,
    /// It comes to its limit.
    Near { used: ByteSize, limit: ByteSize, reached_in: Duration },
}

impl Supervisor {
    /// A run was sampled: does its memory come to its limit soon?
    pub(super) fn foresee(&mut self, id: InstanceId) {
        let Some(limit) = self.memory_bound(id) else { return };
        let half = limit.bytes() / 2;
        let used = self.instances.get(&id).and_then(|it| it.usage).map(|it| it.memory.bytes());
        if let Some(open) = self.open_incident_of(id, Trouble::Forecast) {
            self.changed.world |= self.incidents[&open].instance == id;
            return;
        }
        let is_sick = self.incidents.values().any(|it| it.is_open() && it.instance == id);
        if is_sick || used.is_none_or(|used| used < half) {
            return;
        }
        let Outlook::Near { used, limit, reached_in } = self.outlook(id) else { return };
        let why = foretold(used, limit, reached_in);
        let Some(incident) = self.open(id, Trouble::Forecast, why) else { return };
        let known = self.known(id);
        self.ask_for_evidence(id, incident, known, None);
        self.set_stage(incident, Stage::Gathering { give_up_at: self.now + GATHER_WITHIN });
    }

    /// The memory at which an instance is restarted, or killed by the kernel.
    fn memory_bound(&self, id: InstanceId) -> Option<ByteSize> {
        let spec = &self.apps.get(&self.instances.get(&id)?.app)?.spec;
        spec.max_memory.into_iter().chain(spec.limits.memory).min()
    }

    /// What the later half of a run's samples says, those before the last forecast was over left out: what
    /// slows down is not foretold by how it began.
    fn outlook(&self, id: InstanceId) -> Outlook {
        let known = self.instances.get(&id).and_then(|it| it.phase.run());
        let course = known.and_then(|run| self.courses.get(&run));
        let (Some(course), Some(limit)) = (course, self.memory_bound(id)) else {
            return Outlook::Unknown;
        };
        let of_it = |it: &&Incident| it.trouble == Trouble::Forecast && it.instance == id;
        let over = self.incidents.values().filter(of_it).filter_map(|it| it.closed_at);
        let after = over.max().unwrap_or_default();
        let samples = course.samples();
        let samples = &samples[samples.partition_point(|(at, _)| *at <= after)..];
        let (Some((first, _)), Some((last, usage))) = (samples.first(), samples.last()) else {
            return Outlook::Unknown;
        };
        if last.since(*first) < LEAST_SEEN {
            return Outlook::Unknown;
        }
        let later = samples[samples.len() / 2..].iter();
        let points: Vec<(u64, i64)> = later
            .map(|(at, usage)| {
                let memory = i64::try_from(usage.memory.bytes()).unwrap_or(i64::MAX);
                (at.since(Moment::default()).as_secs(), memory)
            })
            .collect();
        let bound = i64::try_from(limit.bytes()).unwrap_or(i64::MAX);
        match reached(&points, bound) {
            Some(reached_in) => Outlook::Near { used: usage.memory, limit, reached_in },
            None => Outlook::Clear,
        }
    }

    /// Moves a forecast on as far as it goes now.
    pub(super) fn drive_forecast(&mut self, id: IncidentId, stage: Stage) {
        let incident = &self.incidents[&id];
        let (instance, opened_at) = (incident.instance, incident.opened_at);
        let outlook = self.outlook(instance);
        let is_new = match self.instances[&instance].phase {
            Phase::Running { since, .. } => since > opened_at,
            _ => true,
        };
        let acts = matches!(stage, Stage::Applying { .. } | Stage::Verifying { .. });
        if is_new && !acts {
            let over =
                words!("the run that it was about is over", "a execução de que tratava acabou");
            return self.close(id, Outcome::Recovered, over);
        }
        match stage {
            Stage::Gathering { give_up_at } => {
                if self.has_evidence(id, give_up_at) {
                    self.treat_forecast(id, outlook);
                }
            }
            Stage::Pausing { .. }
            | Stage::AwaitingApproval { .. }
            | Stage::Observing
            | Stage::Escalated
                if outlook == Outlook::Clear =>
            {
                let gone = words!(
                    "its memory does not come to its limit any more, as far as can be foretold",
                    "a memória dele já não chega ao limite, até onde se pode prever",
                );
                self.close(id, Outcome::Recovered, gone);
            }
            // A pause here waits for a quiet moment, not for a dependency.
            Stage::Pausing { retry_at } if self.now >= retry_at => self.resume_treatment(id),
            Stage::Pausing { .. } => {}
            _ => {
                let good = self.is_relieved(id);
                self.drive_on(id, stage, good);
            }
        }
    }

    fn treat_forecast(&mut self, id: IncidentId, outlook: Outlook) {
        let Outlook::Near { used, limit, reached_in } = outlook else {
            let gone = words!("it is not foretold any more", "já não é previsto");
            return self.close(id, Outcome::Recovered, gone);
        };
        let because = Reasons(vec![foretold(used, limit, reached_in)]);
        // What a line says of the time to come is never certain.
        let (cause, confidence, remedy) = (Cause::MemoryLeak, 0.6, Remedy::Restart);
        let diagnosis = Diagnosis { cause, confidence, because, remedy, hypotheses: Vec::new() };
        self.diagnosed(id, diagnosis);
        self.begin_treatment(id, false);
    }

    /// What was done helped: a new run is at work, or a tenth of the memory is free again.
    fn is_relieved(&self, id: IncidentId) -> bool {
        let incident = &self.incidents[&id];
        let Some(last) = incident.round().last() else { return false };
        if last.remedy.restarts() {
            return self.works(incident.instance);
        }
        let before = incident.evidence.as_ref().and_then(|it| it.usage).map(|it| it.memory);
        let now = self.instances[&incident.instance].usage.map(|it| it.memory);
        let freed = before.zip(now).map(|(before, now)| now.bytes() <= before.bytes() / 10 * 9);
        freed == Some(true)
    }

    /// Until when a process is not ended for a forecast; `None`: it may be, or that is not what is wished.
    pub(super) fn awaits_a_quiet_moment(
        &mut self,
        id: IncidentId,
        remedy: &Remedy,
    ) -> Option<Moment> {
        let ends = remedy.restarts() && *remedy != Remedy::Reload;
        let incident = self.incidents.get(&id).filter(|it| it.trouble == Trouble::Forecast)?;
        let instance = incident.instance;
        let reached_in = match self.outlook(instance) {
            Outlook::Near { reached_in, .. } => reached_in,
            // It is over, or an engine has just begun and is about to know.
            Outlook::Unknown | Outlook::Clear => HORIZON,
        };
        let usage = self.instances.get(&instance)?.usage;
        let does_little = usage.is_none_or(|it| it.cpu < DOES_LITTLE);
        let may = reached_in <= AT_HAND || (reached_in <= RESTARTS_FROM && does_little);
        if may || !ends {
            return None;
        }
        let why = words!(
            "it is done in a quiet moment, {from} before the limit at the earliest, and {at_hand} before \
             it in any case",
            "é feito num momento calmo, {from} antes do limite no mínimo, e {at_hand} antes dele de \
             qualquer modo",
            from = RESTARTS_FROM,
            at_hand = AT_HAND,
        );
        let said = Said::NotNow { remedy: remedy.clone(), why: why.into() };
        // It is said once, however often it is looked.
        if self.incidents[&id].story.last().is_none_or(|it| it.said.as_ref() != Some(&said)) {
            self.say(id, said);
        }
        Some(self.now + LOOK_AGAIN)
    }
}

/// When points (seconds, value) come to a limit that is near; `None`: that cannot be said, or they do not.
pub(super) fn reached(points: &[(u64, i64)], bound: i64) -> Option<Duration> {
    let found = forecast(points, bound).map(|found| found.reached_in);
    found.filter(|reached_in| *reached_in <= HORIZON && !slows_down(points))
}

fn foretold(used: ByteSize, limit: ByteSize, reached_in: Duration) -> Words {
    words!(
        "its memory, {used} now, comes to its limit of {limit} in {span}, if it goes on like this",
        "a memória dele, {used} agora, chega ao limite de {limit} em {span}, se continuar assim",
        used = used,
        limit = limit,
        span = reached_in,
    )
}
