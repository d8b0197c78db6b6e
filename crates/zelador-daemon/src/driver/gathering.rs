//! Evidence is gathered off the driver's thread, when [`zelador_core::gathering`] says so: where many services end
//! at once their successors come first, as nothing waits for evidence but what it decides on.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;
use zelador_core::effect::Place;
use zelador_core::gathering::{may_begin, patience};
use zelador_core::healing::Runtime;
use zelador_core::healing::host::Pressure;
use zelador_core::id::{IncidentId, RunId};
use zelador_core::input::{Fact, Input};
use zelador_core::launch::Launch;
use zelador_core::redact;

use super::{Driver, Message};
use crate::errno;
use crate::evidence::{self, Stream, Subject};

/// So many runs' places in the logs are remembered; the oldest are forgotten first.
const RUNS: usize = 4096;

/// Gathers, and tells.
type Gather = Box<dyn FnOnce() + Send>;

/// Evidence that is to be gathered, and how much of it is being gathered.
#[derive(Default)]
pub(crate) struct Gathering {
    waiting: VecDeque<(Instant, Gather)>,
    /// Each thread that gathers holds one more.
    under_way: Arc<()>,
}

impl Gathering {
    /// When the first one that waits has waited long enough.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|(since, _)| *since + patience(self.under_way()))
    }

    fn under_way(&self) -> usize {
        Arc::strong_count(&self.under_way) - 1
    }

    fn add(&mut self, gather: impl FnOnce() + Send + 'static) {
        self.waiting.push_back((Instant::now(), Box::new(gather)));
    }

    /// Takes what may be gathered now.
    fn next(&mut self, is_starting: impl Fn() -> bool) -> Option<Gather> {
        let (since, _) = self.waiting.front()?;
        if !may_begin(since.elapsed(), self.under_way(), is_starting()) {
            return None;
        }
        let (_, gather) = self.waiting.pop_front()?;
        let under_way = Arc::clone(&self.under_way);
        Some(Box::new(move || {
            gather();
            drop(under_way);
        }))
    }
}

/// How long the logs were when runs began, so that what an earlier run said is not taken for the words
/// of a later one.
#[derive(Debug, Default)]
pub(crate) struct LogStarts(BTreeMap<RunId, BTreeMap<PathBuf, u64>>);

impl LogStarts {
    /// A run is about to begin.
    pub(crate) fn note(&mut self, run: RunId, launch: &Launch) {
        let paths = launch.out.iter().chain(&launch.err);
        let starts = paths.map(|path| (path.clone(), length(path))).collect();
        self.0.insert(run, starts);
        while self.0.len() > RUNS {
            self.0.pop_first();
        }
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |known| known.len())
}

impl Driver {
    /// Gathers what can be known about a run that lives, or about one that ended.
    pub(crate) fn gather(
        &mut self,
        incident: IncidentId,
        (run, ended): (Option<RunId>, Option<RunId>),
        logs: (Option<PathBuf>, Option<PathBuf>),
        port: Option<u16>,
        written: Vec<PathBuf>,
        place: Place,
    ) {
        let out = logs.0.map(|path| (Stream::Out, path));
        let err = logs.1.map(|path| (Stream::Err, path));
        let logs: Vec<(Stream, PathBuf)> = out.into_iter().chain(err).collect();
        let known = run.or(ended).and_then(|run| self.log_starts.0.get(&run));
        let starts = known.cloned().unwrap_or_default();
        let memory = run.or(ended).map(|run| self.native.memory(run)).unwrap_or_default();
        let killed = ended.and_then(|run| self.native.killed(run));
        let run = run.and_then(|run| self.native.key(run));
        let subject = Subject {
            run,
            has_ended: ended.is_some(),
            logs,
            port,
            written,
            killed,
            memory,
            place,
            ..Subject::default()
        };
        let (now, sender) = (self.clock.now(), self.sender.clone());
        let asker = self.logs.asker();
        let date_format = self.supervisor.settings().rotation.date_format.clone();
        let secrets = self.supervisor.secrets_of(incident);
        self.gathering.add(move || {
            if let Some(ended) = ended {
                asker.catch_up(ended);
            }
            let tail = move |path: &Path, lines, bytes| {
                // A log that is shorter than it was has been renamed or emptied since.
                let own = starts.get(path).and_then(|start| length(path).checked_sub(*start));
                let most = own.map_or(bytes as u64, |own| own.min(bytes as u64));
                let mut tail = asker.tail(path, lines, most, &date_format)?;
                tail.iter_mut().for_each(|(line, _)| redact::known(line, &secrets));
                Ok(tail)
            };
            let evidence = evidence::gather(&subject, now, Arc::new(tail));
            let fact = Fact::Gathered { incident, evidence: Box::new(evidence) };
            _ = sender.blocking_send(Message::Input(Input::Fact(fact)));
        });
    }
}

impl Driver {
    /// Begins to gather what need not wait any longer.
    pub(super) fn begin_to_gather(&mut self) {
        while let Some(gather) = self.gathering.next(|| self.native.is_starting()) {
            self.tasks.spawn_blocking(gather);
        }
    }

    /// Has a runtime say more about itself; answered by `Dumped`.
    pub(crate) fn dump(
        &mut self,
        incident: IncidentId,
        pid: i32,
        runtime: Runtime,
        within: Duration,
    ) {
        let sender = self.sender.clone();
        // As a deed: a runtime takes its time.
        let begun = thread::Builder::new().name("dump".to_owned()).spawn(move || {
            let dump = evidence::dump::take(pid, runtime, within);
            let fact = Fact::Dumped { incident, dump };
            _ = sender.blocking_send(Message::Input(Input::Fact(fact)));
        });
        if let Err(error) = begun {
            self.facts.push(Fact::Dumped { incident, dump: Err(errno::said(&error)) });
        }
    }

    /// Finds the heaviest processes of the host; answered by `Surveyed`.
    pub(crate) fn survey(&mut self, of: Pressure) {
        let (now, sender) = (self.clock.now(), self.sender.clone());
        let home = self.home.path().display().to_string();
        self.tasks.spawn_blocking(move || {
            let processes = evidence::survey(of, &home, now).unwrap_or_else(|error| {
                tracing::warn!(%error, "the heaviest processes cannot be found");
                Vec::new()
            });
            let fact = Fact::Surveyed { of, processes };
            _ = sender.blocking_send(Message::Input(Input::Fact(fact)));
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn each_thread_that_gathers_counts_until_it_is_done() {
        let (done, ended) = mpsc::channel();
        let mut gathering = Gathering::default();
        for number in 0..4 {
            let done = done.clone();
            gathering.add(move || done.send(number).unwrap());
        }
        assert!(gathering.next(|| true).is_none(), "a process is being started");
        let (first, second) = (gathering.next(|| false).unwrap(), gathering.next(|| false));
        assert!(second.is_some() && gathering.next(|| false).is_none());
        first();
        assert_eq!(ended.try_recv(), Ok(0));
        let third = gathering.next(|| false);
        assert!(third.is_some() && gathering.next(|| false).is_none(), "there is room for one");
        assert_eq!(gathering.under_way(), 2);
    }
}
