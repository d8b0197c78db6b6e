//! A query that nobody waits for any more is ended on the server, too: dropping the connection alone
//! leaves it at work there.

use std::pin::Pin;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time;

/// How long the server is asked to end it: the look is over already.
const WITHIN: Duration = Duration::from_secs(2);

/// What asks the server. On the heap: it is seldom needed, and would be part of every look.
pub(super) type End = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Ends a query on the server when it is dropped before [`Withdraw::answered`].
pub(super) struct Withdraw(Option<End>);

impl Withdraw {
    /// Returns one that does this.
    pub(super) fn new(end: End) -> Self {
        Self(Some(end))
    }

    /// The query was answered: nothing is left to end.
    pub(super) fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Withdraw {
    fn drop(&mut self) {
        // Without a runtime the engine is ending, and its connections end with it.
        if let (Some(end), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(time::timeout(WITHIN, end));
        }
    }
}
