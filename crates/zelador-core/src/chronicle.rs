//! What happens to apps, in the lines of PM2's own log, for the tools that search it.
//!
//! Pure: records go in as they are kept, lines come out; what a line says is the difference between
//! two records of an instance. Always holds: a run is said to start, to be online and to end at most
//! once each; a line about an end has PM2's form, and after it in words what really happened, since
//! PM2's form cannot tell a crash from a stop.

use std::collections::{BTreeMap, BTreeSet};

use crate::death::Death;
use crate::id::{AppName, InstanceId, RunId};
use crate::instance::{Cause, Instance, Phase, Start};
use crate::record::Record;
use crate::spec::{AppSpec, ExecMode};
use crate::unit::Moment;

/// What was seen last of everything.
#[derive(Debug, Default)]
pub struct Chronicle {
    apps: BTreeMap<AppName, App>,
    instances: BTreeMap<InstanceId, Seen>,
    /// Runs whose place was taken, and whose end was said.
    retired: BTreeSet<RunId>,
}

#[derive(Debug, Default)]
struct App {
    script: String,
    mode: ExecMode,
}

/// What was said about an instance.
#[derive(Debug, Default)]
struct Seen {
    started: Option<RunId>,
    online: Option<RunId>,
    stopping: Option<(RunId, Option<i32>)>,
    ended: Option<RunId>,
    death_at: Option<Moment>,
    waits_until: Option<Moment>,
    tripped: bool,
    cause: Option<Start>,
}

impl Chronicle {
    /// Takes in a record; returns what there is to say about it.
    pub fn tell(&mut self, now: Moment, record: &Record) -> Vec<String> {
        match record {
            Record::App(spec) => {
                self.apps.insert(spec.name.clone(), App::of(spec));
            }
            Record::AppGone(name) => {
                self.apps.remove(name);
            }
            Record::InstanceGone(id) => {
                let seen = self.instances.remove(id);
                return seen.and_then(|seen| killed(seen.stopping)).into_iter().collect();
            }
            Record::Instance(instance) => return self.instance(now, instance),
            Record::Retiring(retiring) => {
                let death = retiring.death.as_ref();
                let death = death.filter(|_| self.retired.insert(retiring.run));
                let line = |death| {
                    format!("App [{}:_old_{}] {}", retiring.app, retiring.instance, ended(death))
                };
                return death.map(line).into_iter().collect();
            }
            Record::Retired(run) => {
                self.retired.remove(run);
            }
            _ => {}
        }
        Vec::new()
    }

    fn instance(&mut self, now: Moment, instance: &Instance) -> Vec<String> {
        let seen = self.instances.entry(instance.id).or_default();
        let unknown = App::default();
        let app = self.apps.get(&instance.app).unwrap_or(&unknown);
        let name = format!("App [{}:{}]", instance.app, instance.id);
        let mut said = Vec::new();
        let run = instance.phase.run();
        if let Phase::Stopping { run, pid, death, .. } = &instance.phase {
            if seen.stopping.is_none_or(|(known, _)| known != *run) {
                said.push(format!("Stopping app:{} id:{}", instance.app, instance.id));
                seen.stopping = Some((*run, *pid));
            }
            if let Some(death) = death.as_ref().filter(|_| seen.ended != Some(*run)) {
                seen.ended = Some(*run);
                said.push(format!("{name} {}", ended(death)));
            }
        } else if let Some(line) = killed(seen.stopping.take()) {
            said.push(line);
        }
        // A death that nobody asked for; one that was asked for stands in the phase only.
        if let Some(past) = instance.deaths.front().filter(|past| seen.death_at < Some(past.at)) {
            seen.death_at = Some(past.at);
            said.push(format!("{name} {}", ended(&past.death)));
        }
        match &instance.phase {
            Phase::Backoff { retry_at, held: false, .. } if seen.waits_until != Some(*retry_at) => {
                seen.waits_until = Some(*retry_at);
                let delay = retry_at.since(now).as_millis();
                if delay > 0 {
                    said.push(format!("{name} will restart in {delay}ms"));
                }
            }
            Phase::Tripped { .. } if !seen.tripped => {
                let (script, short) = (&app.script, instance.breaker.short_runs);
                said.push(format!(
                    "Script {script} had too many unstable restarts ({short}). Stopped. \"errored\""
                ));
            }
            _ => {}
        }
        seen.tripped = matches!(instance.phase, Phase::Tripped { .. });
        if instance.last_start != seen.cause {
            seen.cause.clone_from(&instance.last_start);
            said.extend(instance.last_start.as_ref().and_then(|start| because(instance, start)));
        }
        let begun = instance.successor.as_ref().map(|successor| successor.run).or(run);
        if let Some(begun) = begun.filter(|begun| seen.started < Some(*begun)) {
            seen.started = Some(begun);
            said.push(format!("{name} starting in -{} mode-", mode(app.mode)));
        }
        if let Some(run) = run.filter(|run| instance.phase.is_ready() && seen.online < Some(*run)) {
            seen.online = Some(run);
            said.push(format!("{name} online"));
        }
        said
    }
}

impl App {
    fn of(spec: &AppSpec) -> Self {
        let harmless = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        Self { script: spec.launch.script.chars().map(harmless).collect(), mode: spec.mode }
    }
}

fn mode(mode: ExecMode) -> &'static str {
    match mode {
        ExecMode::Fork => "fork",
        ExecMode::Cluster => "cluster",
    }
}

fn killed(stopped: Option<(RunId, Option<i32>)>) -> Option<String> {
    let (_, pid) = stopped?;
    Some(format!("pid={} msg=process killed", pid?))
}

/// PM2's form, then the truth. PM2 says code 0 of a death by a signal, and `SIGINT` where there was
/// no signal.
fn ended(death: &Death) -> String {
    let (code, signal) = match death {
        Death::NeverStarted(_) => return death.to_string(),
        Death::Exited { code } => (*code, "SIGINT".to_owned()),
        Death::Signaled { signal, .. } => (0, signal.to_string()),
        Death::OutOfMemory => (0, "SIGKILL".to_owned()),
        Death::StartTimedOut | Death::Unknown => (0, "SIGINT".to_owned()),
    };
    format!("exited with code [{code}] via signal [{signal}] (the process {death})")
}

/// What PM2 says when it restarts something by itself.
fn because(instance: &Instance, start: &Start) -> Option<String> {
    match &start.cause {
        Cause::Memory { used, limit } => Some(format!(
            "[PM2][WORKER] Process {} restarted because it exceeds --max-memory-restart value \
             (current_memory={} max_memory_limit={} [octets])",
            instance.id,
            used.bytes(),
            limit.bytes()
        )),
        Cause::FilesChanged { changed } => {
            Some(format!("Change detected for app {} - restarting: {changed}", instance.app))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::PastDeath;
    use crate::instance::{Goal, Then};
    use crate::signal::Signal;

    const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

    struct Story {
        chronicle: Chronicle,
        instance: Instance,
        log: Vec<String>,
        tick: u64,
    }

    impl Story {
        fn new() -> Self {
            let name = AppName::new("api").expect("a name");
            let instance = Instance::new(InstanceId::new(0), name, 0, Goal::Up, NOW);
            Self { chronicle: Chronicle::default(), instance, log: Vec::new(), tick: 0 }
        }

        fn record(&mut self) {
            self.tick += 1;
            let now = Moment::from_micros(NOW.as_micros() + self.tick);
            let record = Record::Instance(Box::new(self.instance.clone()));
            self.log.extend(self.chronicle.tell(now, &record));
            // The same once more has nothing new.
            assert_eq!(self.chronicle.tell(now, &record), Vec::<String>::new());
        }

        fn phase(&mut self, phase: Phase) {
            self.instance.phase = phase;
            self.record();
        }

        fn up(&mut self, run: u64) {
            self.phase(Phase::Starting { run: RunId::new(run), give_up_at: NOW });
            let since = NOW;
            self.phase(Phase::Running { run: RunId::new(run), pid: 41, since, ready_by: None });
        }

        fn dies(&mut self, death: Death) {
            let at = Moment::from_micros(NOW.as_micros() + self.tick);
            self.instance.remember(PastDeath { at, death, uptime_millis: 5, explained: None });
        }
    }

    #[test]
    fn a_life_is_told_in_pm2s_lines() {
        let mut story = Story::new();
        story.up(1);
        story.dies(Death::Exited { code: 7 });
        story.up(2);
        story.dies(Death::Signaled { signal: Signal::KILL, core_dumped: false });
        let retry_at = NOW + std::time::Duration::from_millis(150);
        story.phase(Phase::Backoff { retry_at, held: false, fresh: false });
        story.up(3);
        story.dies(Death::OutOfMemory);
        story.instance.breaker.short_runs = 3;
        story.phase(Phase::Tripped { trial_at: None });
        story.up(4);
        let stopping = |death| Phase::Stopping {
            waits: false,
            run: RunId::new(4),
            pid: Some(41),
            kill_at: NOW,
            then: Then::Stay,
            death,
        };
        story.phase(stopping(None));
        story.phase(stopping(Some(Death::Exited { code: 0 })));
        story.phase(Phase::Stopped);
        insta::assert_snapshot!(story.log.join("\n"));
    }
}
