//! Wrong tokens in the audit: whoever may do nothing can send as many as they like, and each row is kept.
//!
//! Always holds: a source has two rows a minute at most, the first wrong token at once and a count of the
//! others at its end; and of so many sources that they are no persons one has the rows of all.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::mpsc;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use zelador_core::words;

use crate::server::asker::Asker;
use crate::server::{Failure, Handle};

/// For how long they are counted together.
const MINUTE: Duration = Duration::from_mins(1);

/// The most sources that are told apart within one.
const SOURCES: usize = 16;

/// How many may wait to be counted.
const WAITING: usize = 64;

/// Why whoever gave it is turned down.
pub(super) fn refused() -> Failure {
    let error = words!("that is not the token", "esse não é o token");
    Failure { status: StatusCode::UNAUTHORIZED, error, help: None }
}

/// The task that notes them.
pub(super) struct WrongTokens {
    handle: Handle,
    given: mpsc::Receiver<Asker>,
    counted: Counted,
}

/// Those of the minute that runs: by source, with how many there were beside the first.
#[derive(Default)]
struct Counted {
    by_source: BTreeMap<String, (Asker, u64)>,
    ends: Option<Instant>,
}

impl WrongTokens {
    /// Returns the task, and where it is told of each.
    pub(super) fn new(handle: Handle) -> (Self, mpsc::Sender<Asker>) {
        let (teller, given) = mpsc::channel(WAITING);
        (Self { handle, given, counted: Counted::default() }, teller)
    }

    /// Runs until it is cancelled.
    pub(super) async fn run(mut self, closing: CancellationToken) {
        loop {
            let ends = self.counted.ends;
            let end = async {
                match ends {
                    Some(at) => time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = closing.cancelled() => break,
                () = end => self.tell(),
                Some(asker) = self.given.recv() => {
                    if let Some(first) = self.counted.add(asker, Instant::now()) {
                        self.note(&first, &refused());
                    }
                }
            }
        }
        self.tell();
    }

    /// The minute is over.
    fn tell(&mut self) {
        for (asker, more) in self.counted.end() {
            let error = words!(
                "that is not the token, {more} more times within a minute",
                "esse não é o token, mais {more} vezes em um minuto",
            );
            self.note(&asker, &Failure { error, ..refused() });
        }
    }

    fn note(&self, asker: &Asker, failure: &Failure) {
        self.handle.audit(asker, "login", String::new(), Err(failure));
    }
}

impl Counted {
    /// Counts one; returns it when it is the first of its source.
    fn add(&mut self, asker: Asker, now: Instant) -> Option<Asker> {
        self.ends.get_or_insert(now + MINUTE);
        let mut source = asker.source().to_owned();
        if !self.by_source.contains_key(&source) && self.by_source.len() >= SOURCES {
            source = self.by_source.keys().next().cloned().unwrap_or_default();
        }
        match self.by_source.get_mut(&source) {
            Some((_, more)) => {
                *more += 1;
                None
            }
            None => {
                self.by_source.insert(source, (asker.clone(), 0));
                Some(asker)
            }
        }
    }

    /// Those that were counted and not told.
    fn end(&mut self) -> Vec<(Asker, u64)> {
        let Self { by_source, .. } = std::mem::take(self);
        by_source.into_values().filter(|(_, more)| *more > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_two_rows_a_minute_and_a_crowd_as_many_as_sixteen() {
        let now = Instant::now();
        let mut counted = Counted::default();
        let from = |host: usize, port: usize| Asker::remote(format!("10.0.0.{host}:{port}"));
        assert!(counted.add(from(1, 1), now).is_some());
        for port in 2..=600 {
            assert!(counted.add(from(1, port), now).is_none(), "{port}");
        }
        assert!(counted.add(from(2, 1), now).is_some(), "another source");
        let more = counted.end();
        assert_eq!(more.len(), 1, "of one there is nothing more to tell");
        assert_eq!((more[0].0.source(), more[0].1), ("10.0.0.1", 599));
        assert!(counted.add(from(1, 7), now).is_some(), "another minute");
        let rows = (1..=200).filter(|host| counted.add(from(*host, 1), now).is_some()).count();
        assert_eq!(rows, SOURCES - 1);
        assert_eq!(counted.end().iter().map(|(_, more)| more).sum::<u64>(), 201 - SOURCES as u64);
    }
}
