//! When something that is waited for began to move.
//!
//! What a library connects with cannot be watched from outside, but what it waits for first is the
//! connection: its first wake is the moment when that was there.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

#[derive(Default)]
struct FirstWake {
    at: OnceLock<Instant>,
    of: AtomicWaker,
}

impl Wake for FirstWake {
    fn wake(self: Arc<Self>) {
        self.at.get_or_init(Instant::now);
        self.of.wake();
    }
}

/// Awaits `work`; returns also when it was first woken, where it had to wait at all.
pub(super) async fn with_first_wake<T>(work: impl Future<Output = T>) -> (T, Option<Instant>) {
    let first = Arc::new(FirstWake::default());
    let waker = Waker::from(Arc::clone(&first));
    let mut work = pin!(work);
    let done = poll_fn(|outer| {
        first.of.register(outer.waker());
        work.as_mut().poll(&mut Context::from_waker(&waker))
    });
    (done.await, first.at.get().copied())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_wait_counts_and_no_later_one() {
        let begin = Instant::now();
        let (done, first) = with_first_wake(async {
            sleep(Duration::from_secs(1)).await;
            sleep(Duration::from_secs(5)).await;
            7
        })
        .await;
        assert_eq!((done, begin.elapsed().as_secs()), (7, 6));
        assert_eq!(first.map(|at| at.duration_since(begin).as_secs()), Some(1));
        assert_eq!(with_first_wake(async { 8 }).await, (8, None), "it did not have to wait");
    }
}
