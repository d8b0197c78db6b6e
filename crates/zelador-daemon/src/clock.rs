//! The engine's clock: the wall clock read once at start, monotonic from there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use zelador_core::unit::Moment;

/// Tells the time as the core counts it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    epoch: Duration,
}

impl Clock {
    /// Returns a clock that agrees with the wall clock now.
    pub fn start() -> Self {
        Self { began: Instant::now(), epoch: wall() }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        Moment::from_epoch(self.epoch + self.began.elapsed())
    }

    /// The instant of a moment; now if it has passed.
    pub fn instant(&self, moment: Moment) -> Instant {
        Instant::now() + moment.since(self.now())
    }

    /// How far the wall clock is ahead of this one, in microseconds.
    pub fn wall_ahead_micros(&self) -> i64 {
        let ours = self.epoch + self.began.elapsed();
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        micros(wall()) - micros(ours)
    }
}

/// The wall clock; zero for a host whose clock is before 1970.
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
