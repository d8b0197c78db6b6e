//! Rule 3: how often an instance is started, counted from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use zelador_core::effect::Effect;
use zelador_core::id::InstanceId;
use zelador_core::input::{Fact, Input};
use zelador_core::instance::Phase;
use zelador_core::spec::AppSpec;
use zelador_core::supervisor::View;
use zelador_core::unit::{Moment, SECOND};

use crate::invariants::{Violation, broken};
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
    pub fn note(&mut self, now: Moment, before: &View, input: &Input, effects: &[Effect]) {
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
        self.accounts.entry(instance).or_default().extras.push(now);
    }

    pub fn engine_is_new(&mut self, now: Moment) {
        self.accounts.values_mut().for_each(|account| account.extras.push(now));
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
                return broken(3, what);
            }
        }
        Ok(())
    }
}
