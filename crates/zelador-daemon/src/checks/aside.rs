//! Work that may hang in the kernel: a file system of a server that is gone, for one.
//!
//! Each piece has a thread of its own, so that hung ones can neither fill the runtime's blocking
//! pool nor keep the runtime from ending. Always holds: at most [`AT_ONCE`] threads wait for the
//! same thing, however often it is looked at; the other looks wait for one of them, as long as their
//! patience lasts.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::{Notify, oneshot};
use zelador_core::words;
use zelador_core::words::Words;

use super::patience::Patience;
use crate::errno;

/// One hanging, and one to find out that it still hangs.
const AT_ONCE: u32 = 2;

/// How many threads are busy with what. Global, because the threads outlive whoever began them.
static BUSY: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

/// A thread has done its work.
static FREED: Notify = Notify::const_new();

/// Why the work gave no result.
#[derive(Debug)]
pub(super) enum NotDone {
    /// It takes longer than the patience lasts.
    Late,
    /// Earlier looks at the same thing have not returned yet.
    StillBusy,
    /// It could not be begun, or broke down.
    Failed(Words),
}

/// Does the work on a thread of its own. `name` says what it is about.
pub(super) async fn aside<T: Send + 'static>(
    name: String,
    patience: Patience,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotDone> {
    let busy = patience.wait(place(&name)).await.map_err(|_| NotDone::StillBusy)?;
    let (answer, answered) = oneshot::channel();
    let thread = std::thread::Builder::new().name("aside".to_owned()).spawn(move || {
        let result = work();
        drop(busy);
        // Nobody listens any more when the look was dropped.
        let _ = answer.send(result);
    });
    thread.map_err(|error| NotDone::Failed(errno::said(&error)))?;
    match patience.wait(answered).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) => {
            Err(NotDone::Failed(words!("the look broke down", "a verificação foi interrompida")))
        }
        Err(_) => Err(NotDone::Late),
    }
}

/// Waits until another thread may work on this.
async fn place(name: &str) -> Busy {
    loop {
        // Before it is tried, so that a place that becomes free meanwhile is not missed.
        let freed = FREED.notified();
        if let Some(busy) = Busy::begin(name) {
            return busy;
        }
        freed.await;
    }
}

/// One thread that is busy, for as long as this value lives.
struct Busy(String);

impl Busy {
    fn begin(name: &str) -> Option<Self> {
        let mut all = BUSY.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = all.entry(name.to_owned()).or_default();
        if *count >= AT_ONCE {
            return None;
        }
        *count += 1;
        Some(Self(name.to_owned()))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut all = BUSY.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.0);
            }
        }
        drop(all);
        FREED.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn hanging_work_is_left_behind_and_does_not_pile_up() {
        let short = || Patience::new(Duration::from_millis(20));
        let mut releases = Vec::new();
        for _ in 0..AT_ONCE {
            let (release, released) = mpsc::channel::<()>();
            releases.push(release);
            let hung = aside("hung".to_owned(), short(), move || released.recv()).await;
            assert!(matches!(hung, Err(NotDone::Late)), "{hung:?}");
        }
        let third = aside("hung".to_owned(), short(), || ()).await;
        assert!(matches!(third, Err(NotDone::StillBusy)), "{third:?}");
        drop(releases);
        let long = Patience::new(Duration::from_secs(20));
        while matches!(aside("hung".to_owned(), long, || ()).await, Err(NotDone::StillBusy)) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn looks_at_the_same_thing_at_the_same_time_wait_for_each_other() {
        let long = Patience::new(Duration::from_secs(20));
        let (first, first_ends) = mpsc::channel::<()>();
        let (second, second_ends) = mpsc::channel::<()>();
        let (one, other, third, ()) = tokio::join!(
            aside("shared".to_owned(), long, move || first_ends.recv().is_err()),
            aside("shared".to_owned(), long, move || second_ends.recv().is_err()),
            aside("shared".to_owned(), long, || true),
            async { drop((first, second)) },
        );
        assert!(matches!((one, other, third), (Ok(true), Ok(true), Ok(true))));
    }

    #[tokio::test]
    async fn work_that_panics_is_reported() {
        let patience = Patience::new(Duration::from_secs(20));
        let broken = aside("broken".to_owned(), patience, || panic!("on purpose")).await;
        assert!(matches!(broken, Err::<(), _>(NotDone::Failed(_))));
        aside("broken".to_owned(), patience, || ()).await.expect("its place is free again");
    }
}
