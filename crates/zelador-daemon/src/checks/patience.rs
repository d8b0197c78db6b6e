//! How long one look may take, and how that is said.

use std::time::Duration;

use tokio::time::{self, Instant, error::Elapsed};

/// The time that one look has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    timeout: Duration,
    until: Instant,
}

impl Patience {
    /// Begins now.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, until: Instant::now() + timeout }
    }

    /// What is left of it.
    pub(super) fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Awaits `work`, but not longer than until the end.
    pub(super) async fn wait<T>(self, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        time::timeout_at(self.until, work).await
    }

    /// The whole time as a person says it: `3 s`.
    pub(super) fn timeout(self) -> Duration {
        self.timeout
    }
}
