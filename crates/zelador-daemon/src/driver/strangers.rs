//! Processes that are no part of a run and write to its `NOTIFY_SOCKET` all the same, as everybody on the
//! host can: its name stands in `/proc/net/unix`.
//!
//! Always holds: one who goes on costs the driver nothing, and all together one line a minute in the log.

use std::time::Duration;

use tokio::time::Instant;
use zelador_core::id::RunId;

use super::notified::Sender;

/// How long a process that was found to be a stranger is taken for one without another look: shorter than
/// its number takes to belong to another.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// How often it is said.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// Those of one run.
pub(super) struct Strangers {
    run: RunId,
    /// The one that was found last, and when.
    last: Option<(Sender, Instant)>,
    said: Option<Instant>,
    /// Messages that were passed over since it was said.
    unsaid: u64,
}

impl Strangers {
    pub(super) fn of(run: RunId) -> Self {
        Self { run, last: None, said: None, unsaid: 0 }
    }

    /// Whether it was found to be one a moment ago.
    pub(super) fn has(&self, sender: Option<Sender>) -> bool {
        self.last.is_some_and(|(last, at)| Some(last) == sender && at.elapsed() < KNOWN_FOR)
    }

    /// A message of one that was not known.
    pub(super) fn found(&mut self, sender: Option<Sender>) {
        self.last = sender.map(|sender| (sender, Instant::now()));
        self.count(sender);
    }

    /// Counts a message, and says so when that is due.
    pub(super) fn count(&mut self, sender: Option<Sender>) {
        self.unsaid += 1;
        if self.said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
            self.said = Some(Instant::now());
            let (run, count) = (self.run, std::mem::take(&mut self.unsaid));
            tracing::warn!(
                %run, ?sender, count,
                "messages to NOTIFY_SOCKET of a process that is no part of the run: passed over"
            );
        }
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        if self.unsaid > 0 {
            let (run, count) = (self.run, self.unsaid);
            tracing::warn!(%run, count, "more such messages to NOTIFY_SOCKET were passed over");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stranger_is_known_for_a_second_and_said_once_a_minute() {
        let mut strangers = Strangers::of(RunId::new(7));
        let (one, other) = (Sender { pid: 10, uid: 33 }, Sender { pid: 11, uid: 33 });
        assert!(!strangers.has(Some(one)));
        strangers.found(Some(one));
        assert_eq!(strangers.unsaid, 0, "the first is said at once");
        assert!(strangers.has(Some(one)) && !strangers.has(Some(other)) && !strangers.has(None));
        for _ in 0..1000 {
            strangers.count(Some(one));
        }
        assert_eq!(strangers.unsaid, 1000);
        time::advance(KNOWN_FOR).await;
        assert!(!strangers.has(Some(one)), "its number may be another's now");
        time::advance(SAID_EVERY).await;
        strangers.found(Some(other));
        assert_eq!(strangers.unsaid, 0);
    }
}
