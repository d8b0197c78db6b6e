//! The latest calls, by number or by time, with totals that are always up to date.
//!
//! Always holds: totals are those of what is kept; no more is kept than the window says.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::unit::Moment;

/// What the rates are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// The latest so many calls; at most 1,000.
    Count(u32),
    /// The calls of so long, to the second; at most an hour.
    Time(Duration),
}

impl Window {
    /// The most calls that are kept: a bound to the memory of one breaker.
    pub const MOST_CALLS: u32 = 1_000;
    /// The same of seconds.
    pub const MOST_SECONDS: u64 = 3_600;
}

/// Calls of one second, or one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket {
    second: u64,
    calls: u32,
    failed: u32,
    slow: u32,
}

/// The calls within the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recent {
    window: Window,
    buckets: VecDeque<Bucket>,
    total: Bucket,
}

impl Recent {
    pub(super) fn new(window: Window) -> Self {
        Self { window, buckets: VecDeque::new(), total: Bucket::default() }
    }

    /// Calls, of them failed, of them slow.
    pub(super) fn totals(&self) -> (u32, u32, u32) {
        (self.total.calls, self.total.failed, self.total.slow)
    }

    pub(super) fn take(&mut self, now: Moment, failed: bool, slow: bool) {
        self.forget_old(now);
        let second = now.as_micros() / 1_000_000;
        let (failed, slow) = (u32::from(failed), u32::from(slow));
        match self.window {
            Window::Count(most) => {
                while self.buckets.len() >= most.clamp(1, Window::MOST_CALLS) as usize {
                    self.drop_oldest();
                }
                self.buckets.push_back(Bucket { second, calls: 1, failed, slow });
            }
            Window::Time(_) => match self.buckets.back_mut() {
                // A clock that goes back counts into the latest second there is.
                Some(last) if last.second >= second => {
                    last.calls += 1;
                    last.failed += failed;
                    last.slow += slow;
                }
                _ => self.buckets.push_back(Bucket { second, calls: 1, failed, slow }),
            },
        }
        self.total.calls += 1;
        self.total.failed += failed;
        self.total.slow += slow;
    }

    /// Forgets what the window no longer holds.
    pub(super) fn forget_old(&mut self, now: Moment) {
        let Window::Time(span) = self.window else { return };
        let seconds = span.as_secs().clamp(1, Window::MOST_SECONDS);
        let now = now.as_micros() / 1_000_000;
        while self.buckets.front().is_some_and(|oldest| oldest.second + seconds <= now) {
            self.drop_oldest();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.window);
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.buckets.pop_front() {
            self.total.calls -= oldest.calls;
            self.total.failed -= oldest.failed;
            self.total.slow -= oldest.slow;
        }
    }
}
