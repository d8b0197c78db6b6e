//! What a look means: facts and thresholds go in, a status with its reason comes out, and a
//! verdict that changes only after enough equal results.
//!
//! Always holds: one odd result never changes a verdict whose threshold is above 1; every status
//! carries a sentence that says what it rests on.

use serde::{Deserialize, Serialize};

use crate::id::ProbeId;
use crate::notify::Language;
use crate::probe::Finding;
use crate::retry::{Retry, RetryPolicy};
use crate::said::Look;
use crate::unit::Moment;
use crate::words::{Words, quoted};
use std::collections::VecDeque;
use std::time::Duration;

/// How something is. Ordered: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As it should be.
    Healthy,
    /// It works, worse than it should.
    Degraded,
    /// It does not work.
    Unhealthy,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// The last result of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// What this one look amounts to.
    pub status: Status,
    /// Why, in one sentence, in English.
    pub message: String,
    /// The same as values; `None`: they are words of somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Box<Look>>,
    /// How long the look took.
    pub took: Duration,
    /// When it was finished.
    pub at: Moment,
}

impl CheckResult {
    /// What a look of that kind amounts to.
    pub fn new(status: Status, look: Look, took: Duration, at: Moment) -> Self {
        let message = look.told(Language::En);
        let is_quoted = matches!(&look, Look::Text(words) if words.is_quoted());
        let said = (!is_quoted).then(|| Box::new(look));
        Self { status, message, said, took, at }
    }

    /// Whether the look itself was not possible.
    pub fn is_blind(&self) -> bool {
        matches!(self.said.as_deref(), Some(Look::CannotLook(_)))
    }

    /// Why, as values.
    pub fn look(&self) -> Look {
        self.said.as_deref().cloned().unwrap_or_else(|| Look::Text(quoted(&self.message)))
    }

    /// Why, in every language.
    pub fn words(&self) -> Words {
        let pt = self.said.as_ref().map(|look| look.told(Language::Pt));
        pt.map_or_else(|| quoted(&self.message), |pt| Words::new(self.message.clone(), pt))
    }

    /// Why, in a language.
    pub fn told(&self, language: Language) -> String {
        self.said.as_ref().map_or_else(|| self.message.clone(), |look| look.told(language))
    }
}

/// A check with its verdict so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What is looked at.
    pub plan: Box<CheckPlan>,
    /// The status after debouncing; `None` before the first result.
    pub verdict: Option<Status>,
    /// The last look.
    pub last: Option<CheckResult>,
    /// What the last look found.
    pub finding: Option<Finding>,
    /// Results in a row that were not unhealthy.
    pub good_in_row: u32,
    /// The looks that changed the verdict, with the verdict that followed, oldest first.
    pub changes: VecDeque<CheckResult>,
    /// When to look next.
    pub next_at: Moment,
    /// What is looked at asks to be left alone until then.
    pub not_before: Option<Moment>,
    /// The look under way and when it is given up.
    pub under_way: Option<(ProbeId, Moment)>,
    /// The mounts that were beyond a limit when file systems were last looked at, and how.
    mounts_beyond: Vec<(String, Status)>,
    /// Results that differ from the verdict to the same side: in a row, or the latest of all where
    /// the cadence looks at so many.
    streak: Vec<Status>,
    /// Looks since somebody began to wait for this check, which come as far apart as the mission's
    /// general retries (1, 2, 4 … 32 s); `None`: nobody waits.
    pub hurried: Option<u32>,
    /// The attempts that failed, since the last that worked.
    pub retry: Option<Retry>,
    /// Whether the verdict comes and goes.
    pub flap: Flap,
}

/// The most changes of a verdict that are kept of one check.
const CHANGES_KEPT: usize = 20;

/// How much longer than its timeout a look may stay unanswered before it counts as lost.
pub const LOST_AFTER: Duration = Duration::from_secs(5);

impl Check {
    /// Returns a check that is due at `first_at`.
    pub fn new(plan: impl Into<Box<CheckPlan>>, first_at: Moment) -> Self {
        Self {
            plan: plan.into(),
            verdict: None,
            last: None,
            finding: None,
            good_in_row: 0,
            // Most checks never have a second one; four places would be made.
            changes: VecDeque::with_capacity(1),
            next_at: first_at,
            not_before: None,
            under_way: None,
            mounts_beyond: Vec::new(),
            streak: Vec::new(),
            hurried: None,
            retry: None,
            flap: Flap::default(),
        }
    }

    /// How it is, as it is told: by its verdict, and that this comes and goes where it does; `None`
    /// before the first verdict.
    pub fn told(&self) -> Option<CheckResult> {
        let (status, last) = (self.verdict?, self.last.as_ref()?);
        if !self.flap.flaps() {
            return Some(CheckResult { status, ..last.clone() });
        }
        let (changes, looks) = self.flap.changes();
        let look = Look::Flaps { changes, looks, own: Box::new(last.look()) };
        Some(CheckResult::new(status.max(Status::Degraded), look, last.took, last.at))
    }

    /// What the next look is judged by.
    pub fn before(&self) -> Before<'_> {
        Before { verdict: self.verdict, beyond: &self.mounts_beyond }
    }

    /// When this check wants to be called: to look, or to give a look up.
    pub fn deadline(&self) -> Moment {
        self.under_way.map_or(self.due_at(), |(_, give_up_at)| give_up_at)
    }

    /// When to look next, somebody's own wish apart.
    pub fn due_at(&self) -> Moment {
        self.not_before.map_or(self.next_at, |at| at.max(self.next_at))
    }

    /// Begins a look.
    pub fn begin(&mut self, probe: ProbeId, now: Moment) {
        self.under_way = Some((probe, now + self.plan.cadence.timeout + LOST_AFTER));
        let interval = match self.hurried {
            Some(looks) => {
                self.hurried = Some(looks.saturating_add(1));
                let hurried = RetryPolicy::general().delay(looks.saturating_add(1));
                self.plan.cadence.interval.min(hurried)
            }
            None => self.plan.cadence.interval,
        };
        self.next_at = now + interval;
    }

    /// Asks for a look as soon as possible, and for shorter intervals until [`Self::relax`].
    pub fn hurry(&mut self, now: Moment) {
        if self.hurried.is_none() {
            self.hurried = Some(0);
            self.next_at = now;
        }
    }

    /// Nobody waits for this check any more.
    pub fn relax(&mut self) {
        self.hurried = None;
    }

    /// Forgets what was seen, as for a new run.
    pub fn reset(&mut self, first_at: Moment) {
        *self = Self {
            hurried: self.hurried,
            changes: std::mem::take(&mut self.changes),
            ..Self::new(self.plan.clone(), first_at)
        };
    }

    /// Notes how it is told to be, after that changed.
    pub fn note_change(&mut self) {
        let Some(told) = self.told() else { return };
        if self.changes.len() >= CHANGES_KEPT {
            self.changes.pop_front();
        }
        self.changes.push_back(told);
    }

    /// The same of a startup probe: it becomes unhealthy only after its failure threshold, from the
    /// very first result on; the first good one ends it, since nobody asks a second time. A look that
    /// was not possible says neither.
    pub fn take_startup(&mut self, result: CheckResult) -> Option<(Option<Status>, Status)> {
        if result.is_blind() {
            self.under_way = None;
            self.last = Some(result);
            return None;
        }
        if result.status != Status::Unhealthy {
            self.streak.clear();
            self.under_way = None;
            self.good_in_row = self.good_in_row.saturating_add(1);
            let (before, after) = (self.verdict.replace(result.status), result.status);
            self.last = Some(result);
            return (before != Some(after)).then_some((before, after));
        }
        if self.verdict.is_none() {
            self.under_way = None;
            self.last = Some(result);
            self.good_in_row = 0;
            self.streak.push(Status::Unhealthy);
            if self.streak.len() < self.plan.cadence.failure_threshold as usize {
                return None;
            }
            self.streak.clear();
            self.verdict = Some(Status::Unhealthy);
            return Some((None, Status::Unhealthy));
        }
        self.take(result)
    }

    /// Takes in a result; returns the verdict before and after when it changed.
    pub fn take(&mut self, result: CheckResult) -> Option<(Option<Status>, Status)> {
        self.under_way = None;
        let status = result.status;
        if let Some(mounts) = result.mounts_beyond() {
            self.mounts_beyond = mounts;
        }
        self.last = Some(result);
        self.good_in_row =
            if status == Status::Unhealthy { 0 } else { self.good_in_row.saturating_add(1) };
        let before = self.verdict;
        // A run is taken to be well until enough looks say otherwise, as Kubernetes has it. Of
        // everything else the first result is all that is known.
        if before.is_none() && (status == Status::Healthy || self.plan.id.instance().is_none()) {
            self.streak.clear();
            self.verdict = Some(status);
            return Some((None, status));
        }
        let verdict = before.unwrap_or(Status::Healthy);
        let (worse, counted) = match self.plan.cadence.within {
            Some(window) => {
                self.streak.push(status);
                // A window may have become smaller; none is too small for the look of now.
                let surplus = self.streak.len().saturating_sub(window.max(1) as usize);
                self.streak.drain(..surplus);
                let is_worse = |it: &&Status| **it > verdict;
                let worse = self.streak.iter().filter(is_worse).count();
                let better = self.streak.iter().filter(|it| **it < verdict).count();
                let failing = worse >= self.plan.cadence.failure_threshold as usize;
                (failing, if failing { worse } else { better })
            }
            None => {
                if status == verdict {
                    self.streak.clear();
                    return None;
                }
                let worse = status > verdict;
                if self.streak.first().is_some_and(|first| (*first > verdict) != worse) {
                    self.streak.clear();
                }
                self.streak.push(status);
                (worse, self.streak.len())
            }
        };
        let needed = if worse {
            self.plan.cadence.failure_threshold
        } else {
            self.plan.cadence.success_threshold
        };
        if counted < needed as usize {
            return None;
        }
        self.streak.retain(|it| if worse { *it > verdict } else { *it < verdict });
        // The result nearest to the old verdict: what all of the streak agree on at least.
        let agreed = if worse { self.streak.iter().min() } else { self.streak.iter().max() };
        let changed = agreed.copied().unwrap_or(status);
        self.streak.clear();
        self.verdict = Some(changed);
        Some((before, changed))
    }
}

mod flap;
mod judge;
mod plan;
mod usual;
mod volumes;

pub use flap::Flap;
pub use judge::{breached, judge, judge_by, measures_of};
pub use plan::{CheckPlan, CheckTarget, plans};
pub use usual::{Band, LEARN_EVERY, Usual};
pub use volumes::{Before, limit_of_mount};

#[cfg(test)]
mod tests;
