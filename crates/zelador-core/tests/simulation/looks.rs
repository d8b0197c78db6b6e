//! What the supervisor looks at and what it believes of it, as counted from outside.

use std::collections::{BTreeMap, VecDeque};

use zelador_core::check::Status;
use zelador_core::effect::{Effect, Notice};
use zelador_core::id::{CheckId, InstanceId, ProbeId, RunId};
use zelador_core::input::{Fact, Input};
use zelador_core::instance::Phase;
use zelador_core::probe::Finding;
use zelador_core::spec::{AppSpec, HealthSpec};
use zelador_core::supervisor::{Supervisor, View};

use crate::rule::{Rule, Violation, broken};

/// What was seen of one check in the run that is up.
#[derive(Clone, Copy, Debug)]
struct Seen {
    run: RunId,
    /// Failures in a row, the latest last.
    failures: u32,
    /// The most of them in a row.
    most: u32,
    /// It was good once.
    good: bool,
}

/// The looks at runs.
#[derive(Default)]
pub struct Looks {
    under_way: BTreeMap<ProbeId, (CheckId, Option<RunId>)>,
    /// Those that the daemon has not ended with: neither answered nor left.
    asked: BTreeMap<ProbeId, (CheckId, RunId)>,
    seen: BTreeMap<CheckId, Seen>,
    /// How many results a check had, and after how many of them people heard of it.
    told: BTreeMap<CheckId, (u32, VecDeque<u32>)>,
}

/// Within so many results people hear of a check at most so often: of three changes, of the fourth that
/// it is flapping, and before them that it is steady again. Without the rule it would be eight times.
const TOLD_AT_MOST: (u32, usize) = (21, 5);

impl Looks {
    /// Whether this is the result of a look at a run that is up no more.
    pub fn is_old(&self, input: &Input, view: &View) -> bool {
        let Input::Fact(Fact::Looked { probe, .. }) = input else { return false };
        self.under_way.get(probe).is_some_and(|(check, run)| run_of(view, check) != *run)
    }

    /// A new engine counts failures anew, and knows which runs had started up.
    pub fn engine_is_new(&mut self) {
        let mut seen = std::mem::take(&mut self.seen);
        seen.values_mut().for_each(|seen| (seen.failures, seen.most) = (0, 0));
        *self = Self { seen, ..Self::default() };
    }

    /// Counts what a step brought, and looks whether more is believed than was seen.
    pub fn note(
        &mut self,
        (input, effects): (&Input, &[Effect]),
        supervisor: &Supervisor,
        view: &View,
        specs: &BTreeMap<String, AppSpec>,
    ) -> Result<(), Violation> {
        if let Input::Fact(Fact::Looked { probe, outcome }) = input
            && let Some((check, run)) = self.under_way.remove(probe)
        {
            let is_blind = matches!(outcome.finding, Finding::Unavailable { .. });
            let failed = (!is_blind).then(|| outcome.finding.failure().is_some());
            self.count(check, run, failed);
        }
        if let Input::Fact(Fact::Looked { probe, .. }) = input {
            self.asked.remove(probe);
        }
        let given_up: Vec<ProbeId> = self.under_way.keys().copied().collect();
        for probe in given_up.into_iter().filter(|it| supervisor.check_of(*it).is_none()) {
            if let Some((check, run)) = self.under_way.remove(&probe) {
                self.count(check, run, None);
            }
        }
        self.told_rarely(effects)?;
        for effect in effects {
            if let Effect::LeaveLook { probe } = effect {
                self.asked.remove(probe);
            }
            let Effect::Look { probe, .. } = effect else { continue };
            let Some(check) = supervisor.check_of(*probe) else { continue };
            let run = run_of(view, check);
            if let Some(run) = run {
                self.comes_after_startup(check, run, specs, view)?;
                self.asked.insert(*probe, (check.clone(), run));
            }
            self.under_way.insert(*probe, (check.clone(), run));
        }
        self.are_left(view)?;
        self.seen_often_enough(view, specs)
    }

    fn are_left(&self, view: &View) -> Result<(), Violation> {
        let is_over = |(check, run): &&(CheckId, RunId)| run_of(view, check) != Some(*run);
        match self.asked.values().find(is_over) {
            Some((check, run)) => {
                broken(Rule::LooksAreLeft, format!("{check:?} is asked, and run {run} is over"))
            }
            None => Ok(()),
        }
    }

    /// A look failed, was good, or (`None`) had no result, which says nothing.
    fn count(&mut self, check: CheckId, run: Option<RunId>, failed: Option<bool>) {
        self.told.entry(check.clone()).or_default().0 += 1;
        let Some(run) = run else { return };
        let new = Seen { run, failures: 0, most: 0, good: false };
        let seen = self.seen.entry(check.clone()).or_insert(new);
        if seen.run != run {
            *seen = new;
            self.told.remove(&check);
        }
        match failed {
            Some(true) => seen.failures += 1,
            Some(false) => seen.failures = 0,
            None => {}
        }
        seen.most = seen.most.max(seen.failures);
        seen.good |= failed == Some(false);
    }

    /// However often it comes and goes.
    fn told_rarely(&mut self, effects: &[Effect]) -> Result<(), Violation> {
        for effect in effects {
            let Effect::Notify(Notice { check: Some((check, _)), text, .. }) = effect else {
                continue;
            };
            let (results, told) = self.told.entry(check.clone()).or_default();
            told.push_back(*results);
            told.retain(|at| *results - at < TOLD_AT_MOST.0);
            if told.len() > TOLD_AT_MOST.1 {
                return broken(Rule::FlappingToldOnce, format!("{check:?}: {told:?}: {text}"));
            }
        }
        Ok(())
    }

    fn of_run(&self, check: &CheckId, run: RunId) -> Option<&Seen> {
        self.seen.get(check).filter(|seen| seen.run == run)
    }

    /// Until its startup probe was good once, a run is asked nothing else.
    fn comes_after_startup(
        &self,
        check: &CheckId,
        run: RunId,
        specs: &BTreeMap<String, AppSpec>,
        view: &View,
    ) -> Result<(), Violation> {
        let Some(instance) = check.instance() else { return Ok(()) };
        let startup = CheckId::Startup(instance);
        let gated = spec_of(view, specs, instance).is_some_and(|it| it.probes.startup.is_some());
        let is_up = self.of_run(&startup, run).is_some_and(|seen| seen.good);
        if gated && *check != startup && !is_up {
            return broken(Rule::StartupFirst, format!("{check:?} is looked at in run {run}"));
        }
        Ok(())
    }

    /// A run is unhealthy only after one of its probes has failed as often as its threshold says.
    fn seen_often_enough(
        &self,
        view: &View,
        specs: &BTreeMap<String, AppSpec>,
    ) -> Result<(), Violation> {
        for instance in &view.instances {
            let Phase::Running { run, .. } = instance.phase else { continue };
            let is_sick = instance.health.as_ref().is_some_and(|it| it.status == Status::Unhealthy);
            let Some(spec) = specs.get(&instance.app).filter(|_| is_sick) else { continue };
            let own = [
                (CheckId::Instance(instance.id), &spec.health),
                (CheckId::Startup(instance.id), &spec.probes.startup),
            ];
            let often_enough = |(check, health): &(CheckId, &Option<HealthSpec>)| {
                let most = self.of_run(check, run).map_or(0, |seen| seen.most);
                health.as_ref().is_some_and(|it| most >= it.cadence.failure_threshold)
            };
            if !own.iter().any(often_enough) {
                let what = format!("run {run} of {}: {:?}", instance.name, self.seen);
                return broken(Rule::SeenOftenEnough, what);
            }
        }
        Ok(())
    }
}

/// The run that a check of an instance is about.
pub fn run_of(view: &View, check: &CheckId) -> Option<RunId> {
    let id = check.instance()?;
    view.instances.iter().find(|it| it.id == id)?.phase.run()
}

fn spec_of<'a>(
    view: &View,
    specs: &'a BTreeMap<String, AppSpec>,
    id: InstanceId,
) -> Option<&'a AppSpec> {
    specs.get(&view.instances.iter().find(|it| it.id == id)?.app)
}
