//! What always holds, whatever the world does: checked around every step. The numbers are those of
//! the list at the end of the design.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zelador_core::effect::Effect;
use zelador_core::id::{IncidentId, InstanceId, RunId, Ticket};
use zelador_core::input::{Command, Fact, Input};
use zelador_core::instance::{BUDGET_WINDOW, Goal, HEALING_BUDGET, Phase};
use zelador_core::record::Record;
use zelador_core::spec::{AppSpec, OnDependencyDown};
use zelador_core::supervisor::{Deadline, InstanceView, Supervisor, View};
use zelador_core::unit::Moment;

use crate::guardian::Guardian;
use crate::script::DATABASE;
use crate::starts::Starts;

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: u8,
    pub what: String,
}

pub fn broken<T>(rule: u8, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { rule, what: what.into() })
}

/// Every command is answered once. Ours, beside the design's fourteen.
pub const ANSWERED_ONCE: u8 = 15;

/// `SIGKILL` is sent this long after the grace at the latest, and again this often.
const KILL_INTERVAL: Duration = Duration::from_secs(2);

/// The longest grace that a script gives.
pub const LONGEST_GRACE: Duration = Duration::from_secs(5);

/// What a rude but busy-free world adds to every way: late ticks, late facts, twice.
const DELAYS: Duration = Duration::from_secs(15);

/// What was true before a step.
pub struct Before {
    now: Moment,
    deadline: Option<(Moment, Deadline)>,
    /// The whole durable state, where the input concerns something that is over.
    frozen: Option<Vec<Record>>,
    database_known_down: bool,
}

/// Watches the supervisor.
pub struct Invariants {
    view: View,
    specs: BTreeMap<String, AppSpec>,
    apps_of: BTreeMap<InstanceId, String>,
    down_since: BTreeMap<InstanceId, Moment>,
    starts: Starts,
    attempts: BTreeMap<IncidentId, u32>,
    remedies: BTreeMap<InstanceId, Vec<Moment>>,
    /// Commands without an answer.
    tickets: BTreeMap<Ticket, Command>,
    ticks_in_a_row: usize,
    lenience: Duration,
}

impl Invariants {
    pub fn new(supervisor: &Supervisor) -> Self {
        Self {
            view: supervisor.view(),
            specs: BTreeMap::new(),
            apps_of: BTreeMap::new(),
            down_since: BTreeMap::new(),
            starts: Starts::default(),
            attempts: BTreeMap::new(),
            remedies: BTreeMap::new(),
            tickets: BTreeMap::new(),
            ticks_in_a_row: 0,
            lenience: DELAYS,
        }
    }

    /// The guardian stalls for so long: everything may be so much later.
    pub fn forgive(&mut self, span: Duration) {
        self.lenience = self.lenience.max(DELAYS + span);
    }

    /// What the world last heard about the app of an instance.
    pub fn app_of(&self, instance: InstanceId) -> String {
        self.apps_of.get(&instance).cloned().unwrap_or_default()
    }

    pub fn is_current(&self, run: RunId) -> bool {
        let successor = |it: &InstanceView| it.successor.map(|successor| successor.run);
        self.view.retiring.iter().any(|retiring| retiring.run == run)
            || self.view.instances.iter().any(|instance| {
                instance.phase.run() == Some(run) || successor(instance) == Some(run)
            })
    }

    pub fn unanswered(&self) -> usize {
        self.tickets.len()
    }

    pub fn before(&mut self, now: Moment, supervisor: &Supervisor, input: &Input) -> Before {
        if let Input::Command(ticket, command) = input {
            self.tickets.insert(*ticket, command.clone());
        }
        let old_run = run_of(input).is_some_and(|run| !self.is_current(run));
        Before {
            now,
            deadline: supervisor.next_deadline(),
            frozen: old_run.then(|| supervisor.durable()),
            database_known_down: database_known_down(&self.view),
        }
    }

    pub fn after(
        &mut self,
        before: Before,
        supervisor: &Supervisor,
        input: &Input,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        for effect in effects {
            if let Effect::Record(Record::App(spec)) = effect {
                self.specs.insert(spec.name.to_string(), (**spec).clone());
            }
        }
        let view = supervisor.view();
        for instance in &view.instances {
            self.apps_of.insert(instance.id, instance.app.clone());
        }
        deadlines_move_on(&before, supervisor.next_deadline(), input, &mut self.ticks_in_a_row)?;
        if let Some(frozen) = &before.frozen {
            old_facts_change_nothing(frozen, &supervisor.durable(), effects)?;
        }
        spawns_are_recorded(effects)?;
        stops_are_no_deaths(&self.view, &view, input)?;
        reloads_leave_nobody_alone(&self.view, &view)?;
        self.starts.note(before.now, &self.view, input, effects);
        self.starts.within_budget(before.now, &self.specs)?;
        self.remedies_within_budget(before.now, supervisor)?;
        one_open_incident(supervisor)?;
        if before.database_known_down && database_known_down(&view) {
            self.dependants_are_left_alone(input, effects)?;
        }
        self.answered_once(effects)?;
        self.note_goals(before.now, &view);
        self.view = view;
        Ok(())
    }

    fn note_goals(&mut self, now: Moment, view: &View) {
        let up: BTreeSet<InstanceId> =
            view.instances.iter().filter(|it| it.goal == Goal::Up).map(|it| it.id).collect();
        self.down_since.retain(|id, _| !up.contains(id));
        for id in self.apps_of.keys().filter(|id| !up.contains(id)) {
            self.down_since.entry(*id).or_insert(now);
        }
    }

    /// A new engine has read the records.
    pub fn engine_is_new(&mut self, now: Moment, supervisor: &Supervisor) {
        self.tickets.clear();
        self.starts.engine_is_new(now);
        self.down_since.values_mut().for_each(|since| *since = now);
        self.view = supervisor.view();
        self.attempts = supervisor.incidents().iter().map(|it| (it.id, it.attempts)).collect();
        for record in supervisor.durable() {
            if let Record::App(spec) = record {
                self.specs.insert(spec.name.to_string(), *spec);
            }
        }
    }

    /// Rule 1: a process begins.
    pub fn process_begins(
        &self,
        now: Moment,
        instance: InstanceId,
        run: RunId,
        guardian: &Guardian,
    ) -> Result<(), Violation> {
        if guardian.runs.contains_key(&run) {
            return broken(1, format!("{now}: run {run} is used twice"));
        }
        let known = self.view.instances.iter().find(|known| known.id == instance);
        let retires = |other| self.view.retiring.iter().any(|retiring| retiring.run == other);
        // A successor stands beside the run whose place it takes, and beside no other.
        let succeeds = known
            .filter(|it| it.successor.is_some_and(|successor| successor.run == run))
            .and_then(|it| it.phase.run());
        match guardian.living(instance).find(|other| Some(*other) != succeeds && !retires(*other)) {
            Some(other) => {
                broken(1, format!("{now}: run {run} of instance {instance} begins beside {other}"))
            }
            None => Ok(()),
        }
    }

    /// Rule 2: what is not wanted is gone in time.
    pub fn look_at_processes(
        &self,
        now: Moment,
        guardian: &Guardian,
        engine_is_there: bool,
    ) -> Result<(), Violation> {
        if !engine_is_there || self.down_since.is_empty() {
            return Ok(());
        }
        for (run, process) in guardian.runs.iter().filter(|(_, it)| it.is_alive() || it.children) {
            let Some(since) = self.down_since.get(&process.instance) else { continue };
            if now.since(*since) > LONGEST_GRACE + KILL_INTERVAL + self.lenience {
                let what = format!("{now}: run {run} is there, its instance is down since {since}");
                return broken(2, what);
            }
        }
        Ok(())
    }

    /// Rule 11, and four tries an incident at most.
    fn remedies_within_budget(
        &mut self,
        now: Moment,
        supervisor: &Supervisor,
    ) -> Result<(), Violation> {
        for incident in supervisor.incidents() {
            let known = self.attempts.insert(incident.id, incident.attempts).unwrap_or_default();
            if incident.attempts > 4 {
                return broken(11, format!("{now}: try {} of {}", incident.attempts, incident.id));
            }
            if incident.attempts > known {
                let remedies = self.remedies.entry(incident.instance).or_default();
                remedies.push(now);
                self.starts.remedy(incident.instance, now);
            }
        }
        for (instance, remedies) in &mut self.remedies {
            remedies.retain(|at| now.since(*at) < BUDGET_WINDOW);
            if remedies.len() > HEALING_BUDGET {
                return broken(11, format!("{now}: {} remedies of {instance}", remedies.len()));
            }
        }
        Ok(())
    }

    /// Rule 14. What was begun before the database was known to be down may be finished.
    fn dependants_are_left_alone(
        &self,
        input: &Input,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        if matches!(input, Input::Command(..)) {
            return Ok(());
        }
        // Somebody wants it replaced, and it is its turn now.
        let is_wished = |instance: &InstanceView| {
            let wish = |it: &Command| matches!(it, Command::Reload { .. }) && names(it, instance);
            self.tickets.values().any(wish)
        };
        let waits = |instance: &InstanceView| {
            let spec = self.specs.get(&instance.app);
            !is_wished(instance)
                && spec.is_some_and(|spec| {
                    spec.on_dependency_down == OnDependencyDown::Wait
                        && spec.depends_on.iter().any(|name| name == DATABASE)
                })
        };
        let known = |id| self.view.instances.iter().find(|it| it.id == id).filter(|it| waits(it));
        for effect in effects {
            let costs = match effect {
                Effect::Spawn { launch, .. } => known(launch.instance).is_some_and(|it| {
                    !matches!(it.phase, Phase::Stopping { .. } | Phase::Starting { .. })
                }),
                Effect::Terminate { run, .. } | Effect::Say { run, .. } => {
                    self.view.instances.iter().any(|it| {
                        waits(it)
                            && matches!(it.phase, Phase::Running { run: its, .. } if its == *run)
                    })
                }
                _ => false,
            };
            if costs {
                return broken(14, format!("{effect:?} while the database is known to be down"));
            }
        }
        Ok(())
    }

    fn answered_once(&mut self, effects: &[Effect]) -> Result<(), Violation> {
        for effect in effects {
            if let Effect::Reply(ticket, _) = effect
                && self.tickets.remove(ticket).is_none()
            {
                return broken(ANSWERED_ONCE, format!("ticket {ticket} is answered again"));
            }
        }
        Ok(())
    }

    /// Rule 10: what the records say is what is true.
    pub fn compare_records(
        &self,
        kept: &BTreeMap<String, Record>,
        supervisor: &Supervisor,
    ) -> Result<(), Violation> {
        records_agree(kept, &supervisor.durable())
    }
}

/// Rule 10. Records that were never written stand for what a new supervisor has.
pub fn records_agree(kept: &BTreeMap<String, Record>, durable: &[Record]) -> Result<(), Violation> {
    let mut missing: BTreeSet<&String> = kept.keys().collect();
    for record in durable {
        let key = record.key();
        missing.remove(&key);
        let same = match (kept.get(&key), record) {
            (Some(Record::Instance(kept)), Record::Instance(now)) => {
                let mut kept = kept.clone();
                kept.usage = None;
                kept == *now
            }
            (Some(kept), record) => kept == record,
            (None, Record::Counters(_) | Record::Settings(_)) => true,
            (None, _) => false,
        };
        if !same {
            return broken(10, format!("{:?} was kept, {record:?} is true", kept.get(&key)));
        }
    }
    match missing.first() {
        Some(key) => broken(10, format!("{key} was kept and is no more")),
        None => Ok(()),
    }
}

/// Rule 4: a tick at a deadline leaves a later one, or fewer of them.
fn deadlines_move_on(
    before: &Before,
    after: Option<(Moment, Deadline)>,
    input: &Input,
    ticks_in_a_row: &mut usize,
) -> Result<(), Violation> {
    let due = |deadline: &Option<(Moment, Deadline)>| {
        deadline.as_ref().is_some_and(|(at, _)| *at <= before.now)
    };
    if *input != Input::Tick || !due(&before.deadline) || !due(&after) {
        *ticks_in_a_row = 0;
        return Ok(());
    }
    *ticks_in_a_row += 1;
    if before.deadline == after || *ticks_in_a_row > 8 {
        return broken(4, format!("{}: {after:?} is due again", before.now));
    }
    Ok(())
}

/// Rule 5.
pub fn old_facts_change_nothing(
    before: &[Record],
    after: &[Record],
    effects: &[Effect],
) -> Result<(), Violation> {
    if before != after || !effects.is_empty() {
        return broken(5, format!("a fact about an old run had consequences: {effects:?}"));
    }
    Ok(())
}

/// Rule 8: the record of the run, and of the next run's number, comes before the process.
fn spawns_are_recorded(effects: &[Effect]) -> Result<(), Violation> {
    for (index, effect) in effects.iter().enumerate() {
        let Effect::Spawn { run, .. } = effect else { continue };
        let before = &effects[..index];
        let recorded = before
            .iter()
            .any(|effect| matches!(effect, Effect::Record(Record::Instance(it)) if it.has(*run)));
        let counted = before.iter().any(|effect| {
            matches!(effect, Effect::Record(Record::Counters(it)) if it.run > run.number())
        });
        if !recorded || !counted {
            return broken(8, format!("run {run} is started without a record"));
        }
    }
    Ok(())
}

/// Rule 7: the end of a run that was asked to end is no death.
fn stops_are_no_deaths(before: &View, after: &View, input: &Input) -> Result<(), Violation> {
    let Some(run) = run_of(input) else { return Ok(()) };
    let asked = |it: &&InstanceView| matches!(it.phase, Phase::Stopping { run: stopping, .. } if stopping == run);
    let Some(before) = before.instances.iter().find(asked) else { return Ok(()) };
    let Some(after) = after.instances.iter().find(|it| it.id == before.id) else { return Ok(()) };
    if after.unstable_restarts != before.unstable_restarts || after.deaths != before.deaths {
        return broken(7, format!("the end of run {run} was asked for, and counted: {input:?}"));
    }
    Ok(())
}

/// Rule 12: a run that was ready retires only when another one of its instance is ready.
pub fn reloads_leave_nobody_alone(before: &View, after: &View) -> Result<(), Violation> {
    for old in before.instances.iter().filter(|it| it.phase.is_ready()) {
        let retires = after.retiring.iter().any(|it| Some(it.run) == old.phase.run());
        let new = after.instances.iter().find(|it| it.id == old.id);
        if retires && !new.is_some_and(|new| new.phase.is_ready()) {
            return broken(12, format!("{} retires, and nobody is ready in its place", old.name));
        }
    }
    Ok(())
}

/// Rule 13.
fn one_open_incident(supervisor: &Supervisor) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for incident in supervisor.incidents().into_iter().filter(|it| it.is_open()) {
        if !seen.insert((incident.app.clone(), incident.trouble)) {
            let what = format!("{} has two open incidents: {}", incident.app, incident.trouble);
            return broken(13, what);
        }
    }
    Ok(())
}

/// The run that a fact is about.
fn run_of(input: &Input) -> Option<RunId> {
    match input {
        Input::Fact(
            Fact::Spawned { run, .. }
            | Fact::SpawnFailed { run, .. }
            | Fact::Ready { run }
            | Fact::Exited { run, .. }
            | Fact::Swept { run },
        ) => Some(*run),
        _ => None,
    }
}

fn database_known_down(view: &View) -> bool {
    let name = format!("database:{DATABASE}");
    let check = view.health.checks.iter().find(|check| check.component == name);
    check.is_some_and(|check| check.message == crate::world::REFUSED)
}

/// Whether a command names this instance.
pub fn names(command: &Command, instance: &InstanceView) -> bool {
    match command {
        Command::Declare { apps, .. } => {
            apps.iter().any(|it| it.spec.name.as_str() == instance.app)
        }
        Command::Start { selectors }
        | Command::Stop { selectors }
        | Command::Restart { selectors }
        | Command::Reload { selectors }
        | Command::Delete { selectors } => selectors.iter().any(|selector| {
            *selector == "all" || *selector == instance.app || *selector == instance.id.to_string()
        }),
        Command::CheckNow | Command::Shutdown => false,
    }
}
