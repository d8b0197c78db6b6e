//! How often an instance is started, counted from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use zelador_core::death::{Death, SpawnFailure};
use zelador_core::diagnosis::Cause;
use zelador_core::effect::Effect;
use zelador_core::evidence::PastDeath;
use zelador_core::healing::STABLE_FOR;
use zelador_core::id::InstanceId;
use zelador_core::input::{Command, Fact, Input};
use zelador_core::instance::Phase;
use zelador_core::spec::{AppSpec, HealMode};
use zelador_core::supervisor::{Supervisor, View};
use zelador_core::unit::{Moment, SECOND};

use crate::rule::{Rule, Violation, broken};
use crate::rules::names;

/// What bears on the starts of one instance.
#[derive(Default)]
struct Account {
    app: String,
    starts: Vec<Moment>,
    /// After these the whole budget is there again: a person's wish, a run that was long enough.
    renewals: Vec<Moment>,
    /// Each of these allows one start more: a remedy, the clock, a new engine.
    extras: Vec<Moment>,
    /// Deaths, since the last wish of a person, after which the breaker allowed another start.
    restarts: Vec<Moment>,
    /// The last wish of a person, or the last thing that somebody else did about it.
    touched: Option<Moment>,
    /// The last wish was a reload: when its turn comes, the rate begins anew once more.
    reloaded: bool,
}

/// The starts of all instances.
#[derive(Default)]
pub struct Starts {
    accounts: BTreeMap<InstanceId, Account>,
}

/// The `min_uptime` of every app in these stories.
const LONG_ENOUGH: Duration = SECOND;

/// The window where the breaker has no half-open state.
const WINDOW: Duration = Duration::from_mins(2);

impl Starts {
    pub fn note(
        &mut self,
        now: Moment,
        (before, after): (&View, &View),
        input: &Input,
        effects: &[Effect],
    ) {
        for instance in &before.instances {
            let account = self.accounts.entry(instance.id).or_default();
            if account.app != instance.app {
                *account = Account { app: instance.app.clone(), ..Account::default() };
            }
            let renewed = match (input, &instance.phase) {
                (Input::Command(_, command), _) => names(command, instance),
                (Input::Fact(Fact::Exited { run, .. }), Phase::Running { run: its, since, .. }) => {
                    run == its && now.since(*since) >= LONG_ENOUGH
                }
                (Input::Fact(Fact::Inventory { .. }), Phase::Running { .. }) => true,
                // An instance that lives long enough has its breaker closed, and may be sampled.
                (Input::Fact(Fact::Sampled { .. }), Phase::Running { since, .. }) => {
                    now.since(*since) >= LONG_ENOUGH
                }
                // The deadline at which a run has lived long enough.
                (Input::Tick, Phase::Running { since, .. }) => {
                    instance.unstable_restarts > 0 && now.since(*since) >= LONG_ENOUGH
                }
                _ => false,
            };
            if renewed {
                account.renewals.push(now);
            }
            if renewed && matches!(input, Input::Command(..)) {
                account.touched = Some(now);
            }
            // A rate begins anew with a person's wish; a reload comes true later, one by one.
            if let Input::Command(_, command) = input
                && renewed
            {
                account.restarts.clear();
                account.reloaded = matches!(command, Command::Reload { .. });
            }
            // The budget may be another one from here on, for every replica.
            if matches!(input, Input::Command(_, Command::Restart { change: Some(_), .. })) {
                account.restarts.clear();
                account.starts.clear();
            }
            if !account.reloaded && ends(input, &instance.phase) && is_to_start(after, instance.id)
            {
                account.restarts.push(now);
            }
            let stopped = |effect: &Effect| match effect {
                Effect::Terminate { run, .. } => instance.phase.run() == Some(*run),
                _ => false,
            };
            if *input == Input::Tick && effects.iter().any(stopped) {
                account.extras.push(now);
            }
        }
        for effect in effects {
            if let Effect::Spawn { launch, .. } = effect {
                self.accounts.entry(launch.instance).or_default().starts.push(now);
            }
        }
    }

    pub fn remedy(&mut self, instance: InstanceId, now: Moment) {
        let account = self.accounts.entry(instance).or_default();
        account.extras.push(now);
        account.touched = Some(now);
    }

    pub fn engine_is_new(&mut self, now: Moment) {
        for account in self.accounts.values_mut() {
            account.extras.push(now);
            account.touched = Some(now);
        }
    }

    /// Within `restart_window` an instance that ends is started again `max_restarts` times,
    /// if nobody asks for more.
    pub fn within_rate(
        &mut self,
        now: Moment,
        specs: &BTreeMap<String, AppSpec>,
    ) -> Result<(), Violation> {
        for (instance, account) in &mut self.accounts {
            let Some(spec) = specs.get(&account.app) else { continue };
            let Some(window) = spec.restart.restart_window else { continue };
            let recent = account.restarts.iter().filter(|at| now.since(**at) < window);
            let (count, allowed) = (recent.count(), spec.restart.max_restarts as usize);
            if count > allowed {
                let what = format!(
                    "{now}: instance {instance} is restarted {count} times within {window:?}, {allowed} are allowed"
                );
                return broken(Rule::RestartsWithinWindow, what);
            }
        }
        Ok(())
    }

    /// Whoever died three times in a row in the same way, for no known reason and after a while that its
    /// breaker calls long enough, is not started in the same breath.
    pub fn often_is_later(
        &self,
        now: Moment,
        input: &Input,
        supervisor: &Supervisor,
        specs: &BTreeMap<String, AppSpec>,
    ) -> Result<(), Violation> {
        if !matches!(input, Input::Fact(Fact::Exited { .. })) {
            return Ok(());
        }
        let is_explained = |app: &str| {
            let incidents = supervisor.incidents();
            let mut open = incidents.iter().filter(|it| it.app.as_str() == app && it.is_open());
            open.any(|it| it.diagnosis.as_ref().is_some_and(|it| it.cause != Cause::Unknown))
        };
        for instance in &supervisor.view().instances {
            let Some([last, middle, first]) = instance.deaths.first_chunk() else { continue };
            let Some(account) = self.accounts.get(&instance.id) else { continue };
            let Some(spec) = specs.get(&account.app) else { continue };
            let lived = Duration::from_millis(last.uptime_millis);
            // In a maintenance no incident is opened that could tell why.
            let is_healed = spec.heal.mode != HealMode::Observe && instance.set_aside.is_none();
            let is_alone = spec.instances == 1 && is_healed;
            let is_plain = |it: &PastDeath| {
                matches!(it.death, Death::Exited { code } if code != 0)
                    && Duration::from_millis(it.uptime_millis) < STABLE_FOR
            };
            let is_often = is_plain(last)
                && [middle, first].iter().all(|it| is_plain(it) && it.death == last.death)
                && last.at.since(middle.at) < STABLE_FOR
                && middle.at.since(first.at) < STABLE_FOR;
            let is_its_own = account.touched.is_none_or(|at| at < first.at);
            if last.at == now
                && is_alone
                && is_often
                && is_its_own
                && !is_explained(&account.app)
                && lived >= LONG_ENOUGH
                && matches!(instance.phase, Phase::Starting { .. })
            {
                let what = format!("{now}: {} died {:?}", instance.name, instance.deaths);
                return broken(Rule::OftenIsLater, what);
            }
        }
        Ok(())
    }

    /// What the host had no room for is not asked of it again in the same breath, and no restart hides anything.
    pub fn room_is_waited_for(
        now: Moment,
        (before, after): (&View, &View),
        input: &Input,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        let Input::Fact(Fact::SpawnFailed { run, failure: SpawnFailure::Other(_) }) = input else {
            return Ok(());
        };
        let is_refused =
            |phase: &Phase| matches!(phase, Phase::Starting { run: its, .. } if its == run);
        let Some(refused) = before.instances.iter().find(|it| is_refused(&it.phase)) else {
            return Ok(());
        };
        let is_asked = effects.iter().any(|effect| {
            matches!(effect, Effect::Spawn { launch, .. } if launch.instance == refused.id)
        });
        let next = after.instances.iter().find(|it| it.id == refused.id).map(|it| &it.phase);
        let is_soon =
            matches!(next, Some(Phase::Backoff { retry_at, .. }) if *retry_at < now + SECOND);
        let is_blamed = effects.iter().any(|effect| {
            matches!(effect, Effect::Notify(it) if it.text.english().contains("a restart only hides it"))
        });
        if is_asked || is_soon || is_blamed {
            let what = format!("{now}: {} was refused, and then is {next:?}", refused.name);
            return broken(Rule::RoomIsWaitedFor, what);
        }
        Ok(())
    }

    pub fn within_budget(
        &mut self,
        now: Moment,
        specs: &BTreeMap<String, AppSpec>,
    ) -> Result<(), Violation> {
        for (instance, account) in &mut self.accounts {
            let Some(spec) = specs.get(&account.app) else { continue };
            let window = spec.restart.half_open_after.unwrap_or(WINDOW);
            for moments in [&mut account.starts, &mut account.renewals, &mut account.extras] {
                moments.retain(|at| now.since(*at) < window);
            }
            let budget = spec.restart.max_restarts as usize + 1;
            let allowed = budget * (1 + account.renewals.len()) + account.extras.len();
            if account.starts.len() > allowed {
                let count = account.starts.len();
                let what = format!(
                    "{now}: instance {instance} is started {count} times, {allowed} are allowed"
                );
                return broken(Rule::StartsWithinBudget, what);
            }
        }
        Ok(())
    }
}

/// Whether the fact is the unwanted end of the run that an instance in this phase has.
fn ends(input: &Input, phase: &Phase) -> bool {
    let Input::Fact(Fact::Exited { run, .. } | Fact::SpawnFailed { run, .. }) = input else {
        return false;
    };
    matches!(phase, Phase::Running { run: its, .. } | Phase::Starting { run: its, .. } if its == run)
}

fn is_to_start(view: &View, id: InstanceId) -> bool {
    let instance = view.instances.iter().find(|instance| instance.id == id);
    instance.is_some_and(|it| matches!(it.phase, Phase::Starting { .. } | Phase::Backoff { .. }))
}
