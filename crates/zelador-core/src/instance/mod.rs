//! One replica of an app: its goal, its phase and its history.

pub mod breaker;
pub mod cause;
pub mod phase;
pub mod reload;
pub mod restart;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use breaker::{Breaker, Ruling};
pub use cause::{Cause, Start};
pub use phase::{Phase, Then};
pub use reload::{Retiring, Successor};

use crate::custom::{Action, Metrics};
use crate::evidence::PastDeath;
use crate::footing::Footing;
use crate::healing::STABLE_FOR;
use crate::id::{AppName, InstanceId, RunId};
use crate::probe::Usage;
use crate::spec::Environment;
use crate::unit::Moment;

/// What is wanted of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// A process.
    Up,
    /// No process.
    Down,
}

/// How many deaths an instance remembers.
pub const DEATHS_KEPT: usize = 10;

/// Remedies by the healer that an instance may get within [`BUDGET_WINDOW`]: two whole rounds of
/// one try and three retries. More than that hides a fault that a person must see.
pub const HEALING_BUDGET: usize = 8;

/// The window of [`HEALING_BUDGET`].
pub const BUDGET_WINDOW: Duration = Duration::from_hours(1);

/// What a run said of itself by `sd_notify`, and what became of its limits. Kept over the end of an engine
/// is what the next one would wrong the run without.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// For people.
    #[serde(skip)]
    pub status: Option<String>,
    /// It is reloading its configuration.
    #[serde(skip)]
    pub reloading: bool,
    /// It is about to end.
    #[serde(skip)]
    pub stopping: bool,
    /// How often it says that it is alive, where it has changed that itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<Duration>,
    /// Until when it asked not to be missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excused_until: Option<Moment>,
    /// When it must have said so again. Not kept: some say it many times a second.
    #[serde(skip)]
    pub alive_by: Option<Moment>,
    /// The time has passed once, and something that it said waits to be taken in.
    #[serde(skip)]
    pub is_waited_for: bool,
    /// The process that was started, where another one has been its main process since (`MAINPID`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_pid: Option<i32>,
    /// Limits that this host cannot hold, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_limited: Option<String>,
}

impl Spoken {
    /// What is kept over the end of an engine.
    pub fn kept(&self) -> Self {
        Self {
            status: None,
            reloading: false,
            stopping: false,
            alive_by: None,
            is_waited_for: false,
            ..self.clone()
        }
    }

    /// Whether nothing of it is kept.
    pub fn is_fleeting(&self) -> bool {
        self.kept() == Self::default()
    }

    /// In a few words; `None`: it has said nothing.
    pub fn text(&self) -> Option<String> {
        let doing = match (self.stopping, self.reloading) {
            (true, _) => Some("stopping"),
            (false, true) => Some("reloading"),
            (false, false) => None,
        };
        let status = self.status.as_deref().filter(|status| !status.is_empty());
        let parts: Vec<&str> = doing.into_iter().chain(status).collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    }
}

/// One replica of an app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// PM2's `pm_id`.
    pub id: InstanceId,
    /// Whose replica.
    pub app: AppName,
    /// Which one, from 0 on (PM2: `NODE_APP_INSTANCE`).
    pub index: u32,
    /// What is wanted.
    pub goal: Goal,
    /// Where it is.
    pub phase: Phase,
    /// The run that takes the current one's place, during a reload.
    #[serde(default)]
    pub successor: Option<Successor>,
    /// Whether the current run has said that it is ready.
    #[serde(default)]
    pub said_ready: bool,
    /// Whether the probes of the current run let it take work when they were asked last: an engine that
    /// takes over need not find that out anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proven: bool,
    /// What the current run offers to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// What the current run tells about itself; not kept over a restart of zelador, it tells again.
    #[serde(skip)]
    pub metrics: Metrics,
    /// Whether it may be started again.
    pub breaker: Breaker,
    /// The delay before the last start, while an exponential backoff is under way.
    pub backoff: Option<Duration>,
    /// Starts after the first one, since it was declared or reset.
    pub restarts: u32,
    /// When it was declared.
    pub created_at: Moment,
    /// When the last run came up.
    pub started_at: Option<Moment>,
    /// Why it was started last, or is about to be.
    #[serde(default)]
    pub last_start: Option<Start>,
    /// What the current run stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footing: Option<Footing>,
    /// What the last run stood on that was good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<Footing>,
    /// The last deaths, the latest first.
    pub deaths: VecDeque<PastDeath>,
    /// When the healer restarted it, oldest first, within [`BUDGET_WINDOW`].
    pub healed_at: Vec<Moment>,
    /// What the files of `env_file` said at the last start; not kept, so that no secret is.
    #[serde(skip)]
    pub file_env: Option<Environment>,
    /// What the current run said of itself.
    #[serde(default, skip_serializing_if = "Spoken::is_fleeting")]
    pub spoken: Spoken,
    /// The last sample of what it uses; not kept over a restart of zelador.
    #[serde(skip)]
    pub usage: Option<Usage>,
}

impl Instance {
    /// The process that was started, whichever is its main process by now.
    pub fn first_pid(&self) -> Option<i32> {
        let pid = self.phase.pid()?;
        Some(self.spoken.first_pid.unwrap_or(pid))
    }

    /// Its run has ended: what it stood on is good where it lived long.
    pub(crate) fn keep_footing(&mut self, ended_at: Moment) {
        if self.started_at.is_some_and(|at| ended_at.since(at) >= STABLE_FOR) {
            self.good = self.footing.take().or(self.good.take());
        }
    }

    /// Returns a new instance that is wanted as `goal` says and has no process yet.
    pub fn new(id: InstanceId, app: AppName, index: u32, goal: Goal, now: Moment) -> Self {
        Self {
            id,
            app,
            index,
            goal,
            phase: Phase::Stopped,
            successor: None,
            said_ready: false,
            proven: false,
            actions: Vec::new(),
            metrics: Metrics::new(),
            breaker: Breaker::default(),
            backoff: None,
            restarts: 0,
            created_at: now,
            started_at: None,
            last_start: None,
            footing: None,
            good: None,
            deaths: VecDeque::new(),
            healed_at: Vec::new(),
            file_env: None,
            spoken: Spoken::default(),
            usage: None,
        }
    }

    /// Returns whether `run` is the run that has, or is about to have, a process.
    pub fn is_current(&self, run: RunId) -> bool {
        self.phase.run() == Some(run)
    }

    /// Returns whether `run` is the current one or its successor.
    pub fn has(&self, run: RunId) -> bool {
        self.is_current(run)
            || self.successor.as_ref().is_some_and(|successor| successor.run == run)
    }

    /// Returns whether the start that is to come follows a death.
    pub fn died_last(&self) -> bool {
        self.last_start.as_ref().is_some_and(|start| matches!(start.cause, Cause::Died { .. }))
    }

    /// Returns whether it is about to be removed: it counts no more as a replica.
    pub fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Stopping { then: Then::Remove, .. })
    }

    /// When this instance wants to be called, whatever else happens.
    pub fn deadline(&self, min_uptime: Duration) -> Option<Moment> {
        let own = match &self.phase {
            Phase::Starting { give_up_at, .. } => Some(*give_up_at),
            // A run that has lived long enough closes the breaker.
            Phase::Running { since, ready_by, .. } => {
                let settled = self.breaker.can_close().then(|| *since + min_uptime);
                settled.into_iter().chain(*ready_by).chain(self.spoken.alive_by).min()
            }
            Phase::Stopping { kill_at, .. } => Some(*kill_at),
            Phase::Backoff { retry_at, held: false, .. } => Some(*retry_at),
            Phase::Tripped { trial_at } => *trial_at,
            Phase::Stopped | Phase::Backoff { .. } | Phase::Finished { .. } => None,
        };
        own.into_iter().chain(self.successor.as_ref().map(|successor| successor.give_up_at)).min()
    }

    /// Notes a death in the history.
    pub fn remember(&mut self, death: PastDeath) {
        self.deaths.push_front(death);
        self.deaths.truncate(DEATHS_KEPT);
        self.usage = None;
        self.actions.clear();
        self.metrics.clear();
    }

    /// A person asked for a start: what went wrong before does not count any more.
    pub fn forgive(&mut self) {
        self.breaker = Breaker::default();
        self.backoff = None;
    }

    /// Counts restarts and short runs from 0 on, as if it were declared now.
    pub fn reset(&mut self, now: Moment) {
        self.forgive();
        self.restarts = 0;
        self.created_at = now;
    }

    /// Returns whether the healer may restart it once more, and notes that it does.
    pub fn spend_healing(&mut self, now: Moment) -> bool {
        self.healed_at.retain(|at| now.since(*at) < BUDGET_WINDOW);
        let allowed = self.healed_at.len() < HEALING_BUDGET;
        if allowed {
            self.healed_at.push(now);
        }
        allowed
    }
}
