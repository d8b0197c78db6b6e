//! What always holds, whatever the world does: checked around every step.

mod remedies;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zelador_core::check::Status;
use zelador_core::effect::Effect;
use zelador_core::healing::guard::APP_BUDGET;
use zelador_core::id::{IncidentId, InstanceId, RunId, Ticket};
use zelador_core::input::{Command, Input};
use zelador_core::instance::{Goal, HEALING_BUDGET, Phase};
use zelador_core::record::Record;
use zelador_core::spec::{AppSpec, Condition};
use zelador_core::supervisor::{Deadline, InstanceView, Supervisor, View};
use zelador_core::unit::Moment;

use crate::alone::Alone;
use crate::cause::{one_for_the_app, one_for_the_cause};
use crate::disks::Disks;
use crate::grows::grows_within_its_maximum;
use crate::guardian::Guardian;
use crate::holders::Holders;
use crate::looks::Looks;
use crate::rule::{Rule, Violation, broken};
use crate::rules::{
    ahead_of_something, database_known_down, deadlines_move_on, deaths_are_treated_once,
    healed_has_held, old_facts_change_nothing, one_open_incident, records_agree,
    reloads_leave_nobody_alone, run_of, stops_are_no_deaths,
};
use crate::sequence::{starts_are_in_order, stops_are_in_order};
use crate::starts::Starts;

/// `SIGKILL` is sent this long after the grace at the latest, and again this often.
const KILL_INTERVAL: Duration = Duration::from_secs(2);

/// The longest grace that a script gives.
pub const LONGEST_GRACE: Duration = Duration::from_secs(5);

/// So many apps stop one after the other at most: each needs the next one.
const LONGEST_CHAIN: u32 = 3;

/// What a rude but busy-free world adds to every way: late ticks, late facts, twice.
const DELAYS: Duration = Duration::from_secs(15);

/// What was true before a step.
pub struct Before {
    pub now: Moment,
    pub deadline: Option<(Moment, Deadline)>,
    /// The whole durable state, where the input concerns something that is over.
    frozen: Option<Vec<Record>>,
    database_known_down: bool,
}

impl Before {
    /// A step at this moment, when this was the next deadline.
    pub fn at(now: Moment, deadline: Option<(Moment, Deadline)>) -> Self {
        Self { now, deadline, frozen: None, database_known_down: false }
    }
}

/// Somebody wants it started, and it only waited for another app.
fn was_asked_for(held: &InstanceView) -> bool {
    let by_itself = held.last_start.as_ref().is_some_and(|it| it.cause.is_automatic());
    matches!(held.phase, Phase::Backoff { held: true, .. }) && !by_itself
}

/// No limit is raised above its ceiling, nor without one.
pub fn below_the_ceilings(now: Moment, spec: &AppSpec) -> Result<(), Violation> {
    let ceiling = |limit| spec.heal.ceilings.get(limit).copied().unwrap_or_default();
    match spec.raised.iter().find(|(limit, raised)| **raised > ceiling(limit)) {
        Some((limit, raised)) => {
            broken(Rule::BelowCeilings, format!("{now}: {limit} of {}: {raised}", spec.name))
        }
        None => Ok(()),
    }
}

/// Watches the supervisor.
pub struct Invariants {
    view: View,
    specs: BTreeMap<String, AppSpec>,
    apps_of: BTreeMap<InstanceId, String>,
    down_since: BTreeMap<InstanceId, Moment>,
    starts: Starts,
    attempts: BTreeMap<IncidentId, u32>,
    /// How many remedies an instance may get within [`BUDGET_WINDOW`].
    pub remedies_allowed: usize,
    /// How many incidents may use one remedy on one app within [`BUDGET_SPAN`].
    pub uses_allowed: usize,
    remedies: BTreeMap<InstanceId, Vec<Moment>>,
    /// Commands without an answer.
    tickets: BTreeMap<Ticket, Command>,
    ticks_in_a_row: usize,
    lenience: Duration,
    /// When the model was asked about a fingerprint.
    consulted: BTreeMap<String, Moment>,
    pub looks: Looks,
    alone: Alone,
    disks: Disks,
    holders: Holders,
    /// The incidents that were open before this step.
    open_before: BTreeSet<IncidentId>,
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
            remedies_allowed: HEALING_BUDGET,
            uses_allowed: APP_BUDGET,
            remedies: BTreeMap::new(),
            tickets: BTreeMap::new(),
            ticks_in_a_row: 0,
            lenience: DELAYS,
            consulted: BTreeMap::new(),
            looks: Looks::default(),
            alone: Alone::default(),
            disks: Disks::default(),
            holders: Holders::default(),
            open_before: BTreeSet::new(),
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
        let successor = |it: &InstanceView| it.successor.as_ref().map(|successor| successor.run);
        self.view.retiring.iter().any(|retiring| retiring.run == run)
            || self.view.instances.iter().any(|instance| {
                instance.phase.run() == Some(run) || successor(instance) == Some(run)
            })
    }

    /// How far every instance is.
    pub fn phases(&self) -> BTreeMap<InstanceId, Phase> {
        self.view.instances.iter().map(|it| (it.id, it.phase.clone())).collect()
    }

    /// Whether what a held instance needs will never be as far as that in a kind world.
    pub fn waits_in_vain(&self, view: &View, held: &InstanceView) -> bool {
        let Some(spec) = self.specs.get(&held.app) else { return false };
        let needed = |it: &&InstanceView| it.goal == Goal::Up && spec.depends_on.contains(&it.app);
        view.instances.iter().filter(needed).any(|it| match &it.phase {
            Phase::Tripped { trial_at: None } => true,
            Phase::Finished { death } => !death.is_clean(),
            Phase::Backoff { held: true, .. } => self.waits_in_vain(view, it),
            // Nothing of a kind world ends by itself, and what is sick for good has no remedy.
            phase => match spec.condition_of(&it.app) {
                Condition::Completed => phase.is_ready(),
                Condition::Healthy => {
                    it.health.as_ref().is_some_and(|it| it.status == Status::Unhealthy)
                }
                Condition::Started | Condition::Ready => false,
            },
        })
    }

    pub fn unanswered(&self) -> usize {
        self.tickets.len()
    }

    pub fn before(&mut self, now: Moment, supervisor: &Supervisor, input: &Input) -> Before {
        if let Input::Command(ticket, command) = input {
            self.tickets.insert(*ticket, command.clone());
        }
        let old_run = run_of(input).is_some_and(|run| !self.is_current(run))
            || self.looks.is_old(input, &self.view);
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
            match effect {
                Effect::Record(Record::App(spec)) => {
                    below_the_ceilings(before.now, spec)?;
                    let known = self.specs.get(spec.name.as_str());
                    grows_within_its_maximum(before.now, known, spec, input)?;
                    self.specs.insert(spec.name.to_string(), (**spec).clone());
                }
                Effect::Record(Record::AppGone(name)) => _ = self.specs.remove(name.as_str()),
                _ => {}
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
        Starts::room_is_waited_for(before.now, (&self.view, &view), input, effects)?;
        ahead_of_something(input, effects)?;
        stops_are_no_deaths(&self.view, &view, input)?;
        reloads_leave_nobody_alone(&self.view, &view)?;
        starts_are_in_order(&view, &self.specs, effects)?;
        stops_are_in_order(before.now, (&self.view, &view), &self.specs, effects)?;
        self.starts.note(before.now, (&self.view, &view), input, effects);
        self.starts.often_is_later(before.now, input, supervisor, &self.specs)?;
        self.starts.within_rate(before.now, &self.specs)?;
        self.starts.within_budget(before.now, &self.specs)?;
        self.remedies_within_budget(before.now, supervisor)?;
        self.uses_within_budget(before.now, supervisor)?;
        self.consults_are_rare(before.now, supervisor, effects)?;
        one_open_incident(&supervisor.incidents())?;
        one_for_the_cause(before.now, &supervisor.incidents(), &view, &self.specs)?;
        one_for_the_app(before.now, &supervisor.incidents(), &view, &self.specs)?;
        healed_has_held(before.now, &self.open_before, &supervisor.incidents(), &view)?;
        self.open_before =
            supervisor.incidents().iter().filter(|it| it.is_open()).map(|it| it.id).collect();
        deaths_are_treated_once(&supervisor.incidents(), &view)?;
        if before.database_known_down && database_known_down(&view) {
            self.dependants_are_left_alone(input, effects)?;
        }
        self.answered_once(effects)?;
        self.looks.note((input, effects), supervisor, &view, &self.specs)?;
        self.alone.note(before.now, (input, effects), supervisor, &view)?;
        self.disks.note(before.now, (input, effects), &supervisor.incidents())?;
        self.holders.note(before.now, input, &supervisor.incidents())?;
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
        self.looks.engine_is_new();
        self.alone.engine_is_new(&supervisor.durable());
        self.disks.engine_is_new();
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

    /// A process begins.
    pub fn process_begins(
        &self,
        now: Moment,
        instance: InstanceId,
        run: RunId,
        guardian: &Guardian,
    ) -> Result<(), Violation> {
        if guardian.runs.contains_key(&run) {
            return broken(Rule::OneProcess, format!("{now}: run {run} is used twice"));
        }
        let known = self.view.instances.iter().find(|known| known.id == instance);
        let retires = |other| self.view.retiring.iter().any(|retiring| retiring.run == other);
        // A successor stands beside the run whose place it takes, and beside no other.
        let succeeds = known
            .filter(|it| it.successor.as_ref().is_some_and(|successor| successor.run == run))
            .and_then(|it| it.phase.run());
        match guardian.living(instance).find(|other| Some(*other) != succeeds && !retires(*other)) {
            Some(other) => broken(
                Rule::OneProcess,
                format!("{now}: run {run} of instance {instance} begins beside {other}"),
            ),
            None => Ok(()),
        }
    }

    /// What is not wanted is gone in time.
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
            if now.since(*since) > LONGEST_CHAIN * (LONGEST_GRACE + KILL_INTERVAL) + self.lenience {
                let what = format!("{now}: run {run} is there, its instance is down since {since}");
                return broken(Rule::DownStaysDown, what);
            }
        }
        Ok(())
    }

    fn answered_once(&mut self, effects: &[Effect]) -> Result<(), Violation> {
        for effect in effects {
            if let Effect::Reply(ticket, _) = effect
                && self.tickets.remove(ticket).is_none()
            {
                return broken(Rule::AnsweredOnce, format!("ticket {ticket} is answered again"));
            }
        }
        Ok(())
    }

    /// What the records say is what is true.
    pub fn compare_records(
        &self,
        kept: &BTreeMap<String, Record>,
        supervisor: &Supervisor,
    ) -> Result<(), Violation> {
        records_agree(kept, &supervisor.durable())
    }
}
