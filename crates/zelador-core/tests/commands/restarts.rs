//! What follows a death, against a plain model of PM2's rules.
//!
//! The model is PM2's restart engine as its users know it. Two rules differ here on purpose: short runs
//! count in a row however long the loop takes (PM2 counts only within `min_uptime × max_restarts` of the
//! first start, so that a slow loop never ends), and a long run begins the count anew.

use std::time::Duration;

use proptest::prelude::*;
use zelador_core::death::Death;
use zelador_core::input::Unchanged;
use zelador_core::instance::Phase;
use zelador_core::spec::{HealMode, RestartDelay, RestartPolicy};

use crate::world::{World, app};

/// Where PM2's model of an app is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Its process is up.
    Online,
    /// It starts after this many milliseconds.
    WaitingRestart(u64),
    /// It ended for good.
    Stopped,
    /// It failed too often.
    Errored,
}

/// PM2's restart engine; times in milliseconds since the first start.
struct Pm2 {
    policy: RestartPolicy,
    /// What is different here.
    ours: bool,
    started: u64,
    unstable: u32,
    delay_before: u64,
    restarts: u32,
}

impl Pm2 {
    fn new(policy: &RestartPolicy, ours: bool) -> Self {
        let policy = policy.clone();
        Self { policy, ours, started: 0, unstable: 0, delay_before: 0, restarts: 0 }
    }

    /// The process ends at `now` with an exit code.
    fn exit(&mut self, now: u64, code: i32) -> Status {
        if !self.policy.autorestart || self.policy.stop_exit_codes.contains(&code) {
            return Status::Stopped;
        }
        let millis = |span: Duration| span.as_millis() as u64;
        let (min_uptime, uptime) = (millis(self.policy.min_uptime), now - self.started);
        let is_short = uptime < min_uptime;
        let within = now < min_uptime * u64::from(self.policy.max_restarts);
        if is_short && (within || self.ours) {
            self.unstable += 1;
        } else if self.ours && !is_short {
            self.unstable = 0;
        }
        if self.unstable >= self.policy.max_restarts {
            return Status::Errored;
        }
        if uptime >= 30_000 {
            self.delay_before = 0;
        }
        let delay = match self.policy.delay {
            RestartDelay::None => 0,
            RestartDelay::Fixed(delay) => millis(delay),
            RestartDelay::Exponential(first) if self.delay_before == 0 => millis(first),
            RestartDelay::Exponential(_) => (self.delay_before * 3 / 2).min(15_000),
        };
        self.delay_before = delay;
        self.restarts += 1;
        self.started = now + delay;
        if delay == 0 { Status::Online } else { Status::WaitingRestart(delay) }
    }
}

/// A world with one app, and when it began.
struct Stage {
    world: World,
    begun: zelador_core::unit::Moment,
}

impl Stage {
    fn new(policy: &RestartPolicy) -> Self {
        let mut spec = app(vec![("name", "api".into())]);
        // Healing may have a start wait for the sake of its cause.
        spec.heal.mode = HealMode::Observe;
        spec.restart = policy.clone();
        let mut world = World::new();
        world.declare(spec, Unchanged::LeaveAlone);
        let begun = world.now;
        Self { world, begun }
    }

    fn status(&self) -> Status {
        let api = &self.world.list()[0];
        match api.phase {
            Phase::Backoff { retry_at, .. } => {
                let wait = retry_at.since(self.world.now);
                Status::WaitingRestart(u64::try_from(wait.as_millis()).unwrap())
            }
            Phase::Tripped { .. } => Status::Errored,
            Phase::Finished { .. } => Status::Stopped,
            _ => Status::Online,
        }
    }

    fn restarts(&self) -> u32 {
        self.world.list()[0].restarts
    }

    fn now(&self) -> u64 {
        u64::try_from(self.world.now.since(self.begun).as_millis()).unwrap()
    }

    /// Lets the process live for `uptime` milliseconds and end with a code.
    fn live(&mut self, uptime: u64, code: i32) {
        self.world.wait(Duration::from_millis(uptime));
        let run = self.world.list()[0].phase.run().expect("it is up");
        self.world.die(run, Death::Exited { code });
    }
}

fn policies() -> impl Strategy<Value = RestartPolicy> {
    let delay = prop_oneof![
        Just(RestartDelay::None),
        (1_u64..4000).prop_map(|it| RestartDelay::Fixed(Duration::from_millis(it))),
        (1_u64..4000).prop_map(|it| RestartDelay::Exponential(Duration::from_millis(it))),
    ];
    let codes = prop_oneof![Just(vec![]), Just(vec![0]), Just(vec![0, 3])];
    (any::<bool>(), 0_u32..6, 100_u64..3000, delay, codes).prop_map(
        |(never, max_restarts, min_uptime, delay, stop_exit_codes)| RestartPolicy {
            autorestart: !never || max_restarts > 0,
            max_restarts,
            min_uptime: Duration::from_millis(min_uptime),
            delay,
            stop_exit_codes,
            half_open_after: None,
            restart_window: None,
        },
    )
}

proptest! {
    #[test]
    fn what_follows_a_death_is_what_pm2_does(
        policy in policies(),
        lives in prop::collection::vec((0_u64..40_000, 0_i32..5), 1..40),
        hurried in any::<bool>(),
    ) {
        let mut stage = Stage::new(&policy);
        let (mut ours, mut pm2) = (Pm2::new(&policy, true), Pm2::new(&policy, false));
        let mut is_pm2s = true;
        for (uptime, code) in lives {
            // Runs that are all short are what a crash loop looks like.
            let uptime = if hurried { uptime % 120 } else { uptime };
            stage.live(uptime, code);
            let now = stage.now();
            let expected = ours.exit(now, code);
            prop_assert_eq!(stage.status(), expected);
            // Where neither of the two differences has a say, it is PM2 to the letter.
            let short = uptime < policy.min_uptime.as_millis() as u64;
            let in_window = now < policy.min_uptime.as_millis() as u64 * u64::from(policy.max_restarts);
            is_pm2s &= (short && in_window) || (!short && pm2.unstable == 0);
            // PM2 gives up on the first end of any length where no restart is allowed.
            is_pm2s |= policy.max_restarts == 0;
            if is_pm2s {
                prop_assert_eq!(expected, pm2.exit(now, code));
            }
            match expected {
                Status::Online => {}
                Status::WaitingRestart(delay) => stage.world.wait(Duration::from_millis(delay)),
                Status::Stopped | Status::Errored => {
                    stage.world.wait(Duration::from_hours(3));
                    prop_assert_eq!(stage.status(), expected, "nothing starts it again");
                    prop_assert_eq!(stage.restarts(), ours.restarts);
                    return Ok(());
                }
            }
            prop_assert_eq!(stage.status(), Status::Online);
            prop_assert_eq!(stage.restarts(), ours.restarts);
        }
    }
}
