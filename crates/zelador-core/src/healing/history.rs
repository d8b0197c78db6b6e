//! What was done to apps and whether it helped: the memory of the guard, and of the order in which
//! remedies are tried.
//!
//! Pure. Per fingerprint and remedy two counts are kept, of successes and of failures, which fade with
//! time; what is believed of a remedy is the mean of the Beta distribution that they make with one
//! success and one failure before any was seen. Always holds: a bounded number of uses and
//! fingerprints is kept, the latest.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Remedy;
use crate::breaker::{Breaker, BreakerPolicy, Call, Denied};
use crate::id::{AppName, IncidentId};
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// So many uses are remembered: far more than any budget counts.
const USES_KEPT: usize = 200;

/// So many fingerprints are remembered.
const FINGERPRINTS_KEPT: usize = 500;

/// After this time what was learned counts half: a deploy or two.
const HALF_LIFE: Duration = Duration::from_hours(24 * 14);

/// One use of a remedy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// When.
    pub at: Moment,
    /// On which app.
    pub app: AppName,
    /// What.
    pub remedy: Remedy,
    /// For which incident.
    pub incident: IncidentId,
    /// The fingerprint of the trouble.
    pub fingerprint: Option<String>,
    /// Whether it helped; `None`: that is not known yet, or never will be.
    pub helped: Option<bool>,
}

/// What was seen of one remedy against one trouble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beta {
    /// Successes, faded.
    pub good: f64,
    /// Failures, faded.
    pub bad: f64,
    /// When the last one was seen.
    pub at: Moment,
}

impl Beta {
    /// How likely it is to help, from 0 to 1; a half where nothing was seen.
    pub fn mean(&self) -> f64 {
        (1.0 + self.good) / (2.0 + self.good + self.bad)
    }

    /// Says it in words: `67 % likely to help (1 time it did, 0 times it did not)`.
    pub fn spoken(&self) -> Words {
        let times = |count: f64| match count.round() as u64 {
            1 => words!("1 time", "1 vez"),
            count => words!("{count} times", "{count} vezes"),
        };
        let percent = self.mean() * 100.0;
        words!(
            "{percent:.0} % likely to help ({good} it did, {bad} it did not)",
            "{percent:.0} % de chance de ajudar ({good} ajudou, {bad} não)",
            good = times(self.good),
            bad = times(self.bad),
        )
    }

    /// What was seen of the same remedy against two troubles.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let (good, bad) = (self.good + other.good, self.bad + other.bad);
        Self { good, bad, at: self.at.max(other.at) }
    }

    fn see(&mut self, helped: bool, now: Moment) {
        let faded = 0.5_f64.powf(now.since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64());
        let (good, bad) = if helped { (1.0, 0.0) } else { (0.0, 1.0) };
        // To a thousandth: what is read back from a record is exactly what was written.
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        let (good, bad) = (self.good * faded + good, self.bad * faded + bad);
        *self = Self { good: round(good), bad: round(bad), at: now };
    }
}

/// One remedy against one trouble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Which remedy.
    pub remedy: Remedy,
    /// What was seen of it.
    pub seen: Beta,
}

impl Learned {
    /// The remedy, and what was seen of it.
    pub fn words(&self) -> Words {
        let Self { remedy, seen } = self;
        words!("{remedy}: {seen}", "{remedy}: {seen}", remedy = remedy, seen = seen.spoken())
    }
}

/// The memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    used: Vec<Use>,
    learned: BTreeMap<String, Vec<Learned>>,
    breakers: BTreeMap<String, Breaker>,
}

impl History {
    /// A remedy is about to be used.
    pub fn begin(
        &mut self,
        app: &AppName,
        remedy: &Remedy,
        incident: IncidentId,
        fingerprint: Option<String>,
        at: Moment,
    ) {
        let (app, remedy) = (app.clone(), remedy.clone());
        self.used.push(Use { at, app, remedy, incident, fingerprint, helped: None });
        let surplus = self.used.len().saturating_sub(USES_KEPT);
        self.used.drain(..surplus);
    }

    /// It is known whether the last use for an incident helped.
    pub fn end(
        &mut self,
        incident: IncidentId,
        helped: bool,
        now: Moment,
        policy: impl FnOnce(&AppName) -> BreakerPolicy,
    ) {
        let open = |it: &&mut Use| it.incident == incident && it.helped.is_none();
        let Some(last) = self.used.iter_mut().rev().find(open) else { return };
        last.helped = Some(helped);
        let took = now.since(last.at);
        let (fingerprint, remedy) = (last.fingerprint.clone(), last.remedy.clone());
        let key = key(&last.app, &remedy);
        let policy = policy(&last.app);
        let breaker = self.breakers.entry(key).or_insert_with(|| Breaker::new(policy.clone()));
        if *breaker.policy() != policy {
            breaker.set_policy(policy);
        }
        if let Ok(permit) = breaker.ask(now) {
            let call = if helped { Call::worked(took) } else { Call::failed(took) };
            breaker.report(now, permit, call);
        }
        if let Some(fingerprint) = fingerprint {
            self.learn(fingerprint, remedy, helped, now);
        }
    }

    /// Notes whether a remedy helped against a trouble.
    pub fn learn(&mut self, fingerprint: String, remedy: Remedy, helped: bool, now: Moment) {
        let of_trouble = self.learned.entry(fingerprint).or_default();
        match of_trouble.iter_mut().find(|it| it.remedy == remedy) {
            Some(known) => known.seen.see(helped, now),
            None => {
                let mut seen = Beta { at: now, ..Beta::default() };
                seen.see(helped, now);
                of_trouble.push(Learned { remedy, seen });
            }
        }
        while self.learned.len() > FINGERPRINTS_KEPT {
            let latest = |seen: &Vec<Learned>| seen.iter().map(|it| it.seen.at).max();
            let oldest = self.learned.iter().min_by_key(|(_, seen)| latest(seen));
            let Some(oldest) = oldest.map(|(print, _)| print.clone()) else { return };
            self.learned.remove(&oldest);
        }
    }

    /// What was learned about a trouble.
    pub fn learned(&self, fingerprint: &str) -> &[Learned] {
        self.learned.get(fingerprint).map(Vec::as_slice).unwrap_or_default()
    }

    /// Orders remedies by what was learned about a trouble; where nothing was, they stay as they are.
    pub fn order(&self, fingerprint: &str, ladder: &mut [Remedy]) {
        let known = self.learned(fingerprint);
        let belief = |remedy: &Remedy| {
            let seen = known.iter().find(|it| it.remedy == *remedy);
            seen.map_or_else(|| Beta::default().mean(), |it| it.seen.mean())
        };
        ladder.sort_by(|a, b| belief(b).total_cmp(&belief(a)));
    }

    /// How often a remedy was used on an app within the span before `now`.
    pub fn uses(&self, app: &AppName, remedy: &Remedy, now: Moment, span: Duration) -> usize {
        let recent = self.used.iter().filter(|it| now.since(it.at) < span);
        recent.filter(|it| it.app == *app && it.remedy == *remedy).count()
    }

    /// How often any remedy was used on any app within the span before `now`.
    pub fn uses_of_all(&self, now: Moment, span: Duration) -> usize {
        self.used.iter().filter(|it| now.since(it.at) < span).count()
    }

    /// How often a trouble was healed within the span before `now`.
    pub fn healed_same(&self, fingerprint: &str, now: Moment, span: Duration) -> usize {
        let recent = self.used.iter().filter(|it| now.since(it.at) < span);
        let same = recent.filter(|it| it.fingerprint.as_deref() == Some(fingerprint));
        same.filter(|it| it.helped == Some(true)).count()
    }

    /// When a remedy was used last on an app.
    pub fn last_use(&self, app: &AppName, remedy: &Remedy) -> Option<Moment> {
        let last = self.used.iter().rev().find(|it| it.app == *app && it.remedy == *remedy);
        last.map(|it| it.at)
    }

    /// How long a remedy is not used on an app because it did not help; `None`: it may be.
    pub fn breaker_wait(&self, app: &AppName, remedy: &Remedy, now: Moment) -> Option<Duration> {
        let mut breaker = self.breakers.get(&key(app, remedy))?.clone();
        match breaker.ask(now) {
            Err(Denied::Open { wait }) => Some(wait),
            _ => None,
        }
    }

    /// The breaker of every remedy that was used: its app, its words, and itself.
    pub fn breakers(&self) -> impl Iterator<Item = (&str, &str, &Breaker)> {
        self.breakers.iter().filter_map(|(key, breaker)| {
            let (app, remedy) = key.rsplit_once(": ")?;
            Some((app, remedy, breaker))
        })
    }

    /// Closes the breakers of an app's remedies, or of one of them; returns which.
    pub fn reset_breakers(&mut self, app: &str, remedy: Option<&str>) -> Vec<String> {
        let wanted = |(of, what, _): &(&str, &str, &Breaker)| {
            *of == app && remedy.is_none_or(|it| it == *what)
        };
        let found: Vec<String> =
            self.breakers().filter(wanted).map(|(_, what, _)| what.to_owned()).collect();
        for what in &found {
            self.breakers.remove(&format!("{app}: {what}"));
        }
        found
    }

    /// An app is called otherwise from now on; what was done to it stays done.
    pub fn rename(&mut self, from: &AppName, to: &AppName) {
        for it in self.used.iter_mut().filter(|it| it.app == *from) {
            it.app = to.clone();
            if let Some(breaker) = self.breakers.remove(&key(from, &it.remedy)) {
                self.breakers.insert(key(to, &it.remedy), breaker);
            }
        }
    }

    /// The last uses, the oldest first.
    pub fn used(&self) -> &[Use] {
        &self.used
    }
}

fn key(app: &AppName, remedy: &Remedy) -> String {
    format!("{app}: {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

    #[test]
    fn what_helped_comes_first_and_what_did_not_comes_last() {
        let mut history = History::default();
        history.learn("leak".to_owned(), Remedy::CollectGarbage, false, NOW);
        history.learn("leak".to_owned(), Remedy::Restart, true, NOW);
        let usual = [Remedy::CollectGarbage, Remedy::ClearCache, Remedy::Restart];
        let mut ladder = usual.clone();
        history.order("leak", &mut ladder);
        assert_eq!(ladder, [Remedy::Restart, Remedy::ClearCache, Remedy::CollectGarbage]);
        let mut other = usual.clone();
        history.order("another trouble", &mut other);
        assert_eq!(other, usual);
    }

    #[test]
    fn what_was_learned_fades() {
        let mut beta = Beta { at: NOW, ..Beta::default() };
        beta.see(true, NOW);
        assert!((beta.mean() - 2.0 / 3.0).abs() < 1e-9);
        beta.see(false, NOW + HALF_LIFE * 4);
        assert!(beta.mean() < 0.36, "an old success counts a sixteenth: {}", beta.mean());
    }

    #[test]
    fn three_failures_in_a_row_close_the_way_for_a_while() {
        let (app, mut history) = (AppName::new("api").unwrap(), History::default());
        for number in 0..3 {
            let id = IncidentId::new(number);
            history.begin(&app, &Remedy::Restart, id, None, NOW);
            history.end(id, false, NOW, |_| BreakerPolicy::remedy());
        }
        assert!(history.breaker_wait(&app, &Remedy::Restart, NOW).is_some());
        assert_eq!(history.breaker_wait(&app, &Remedy::Reload, NOW), None);
        let later = NOW + Duration::from_hours(2);
        assert_eq!(history.breaker_wait(&app, &Remedy::Restart, later), None);
    }

    #[test]
    fn a_bounded_number_of_troubles_is_remembered() {
        let mut history = History::default();
        for number in 0..600_u64 {
            let at = NOW + Duration::from_secs(number);
            history.learn(format!("{number:03}"), Remedy::Restart, true, at);
        }
        assert_eq!(history.learned.len(), FINGERPRINTS_KEPT);
        assert!(history.learned("000").is_empty() && !history.learned("599").is_empty());
    }
}
