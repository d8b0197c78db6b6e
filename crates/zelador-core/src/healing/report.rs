//! What the healer achieved over a span of time.
//!
//! Pure: incidents go in, counts and sums come out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Learned;
use crate::incident::{Incident, Outcome, Stage, Trouble};
use crate::unit::Moment;

/// How long a person would have taken to notice and act; what is saved is told against this. Ours: a
/// page at night is acknowledged in about that time.
pub const A_PERSON_TAKES: Duration = Duration::from_mins(15);

/// A check whose verdicts went away by themselves so often is noisy.
const NOISY: usize = 3;

/// A trouble that a restart ended so often is hidden by it.
const HIDDEN: usize = 3;

/// What was achieved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// From when on.
    pub since: Moment,
    /// Until when.
    pub until: Moment,
    /// How many incidents there were.
    pub incidents: usize,
    /// Ended by a remedy.
    pub healed: usize,
    /// Ended by themselves.
    pub recovered: usize,
    /// Ended by a person.
    pub taken_over: usize,
    /// Open, and a person was told.
    pub escalated: usize,
    /// Open otherwise.
    pub under_way: usize,
    /// How long apps were in trouble, all incidents together.
    pub downtime: Duration,
    /// How much longer what was healed would have lasted, had it waited for a person.
    pub saved: Duration,
    /// Those of each app, the worst first.
    pub apps: Vec<OfApp>,
    /// Apps whose checks cry wolf, and how often.
    pub noisy: Vec<(String, usize)>,
    /// What restarts only hide: the app, the cause in words, how often.
    pub hidden: Vec<(String, String, usize)>,
    /// What was learned about the troubles of these incidents, by app and cause.
    #[serde(default)]
    pub learned: Vec<LearnedOf>,
}

/// How likely remedies are to help an app against a cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LearnedOf {
    /// Which app.
    pub app: String,
    /// The cause in words.
    pub cause: String,
    /// What was seen of each remedy, the likeliest to help first.
    pub remedies: Vec<Learned>,
}

/// The part of one app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OfApp {
    /// Which one.
    pub app: String,
    /// How many incidents.
    pub incidents: usize,
    /// How many of them were healed.
    pub healed: usize,
    /// How long it was in trouble.
    pub downtime: Duration,
}

/// Sums up the incidents that were open between the two moments.
pub fn report<'a>(
    incidents: impl IntoIterator<Item = &'a Incident>,
    since: Moment,
    until: Moment,
) -> Report {
    let mut report = Report { since, until, ..Report::default() };
    let mut apps: BTreeMap<String, OfApp> = BTreeMap::new();
    let mut noisy: BTreeMap<String, usize> = BTreeMap::new();
    let mut same: BTreeMap<(String, String), (String, usize)> = BTreeMap::new();
    let mut latest: BTreeMap<(String, String), &Incident> = BTreeMap::new();
    for incident in incidents {
        let end = incident.closed_at.unwrap_or(until).min(until);
        if end < since || incident.opened_at > until {
            continue;
        }
        let lasted = end.since(incident.opened_at.max(since));
        let app = incident.app.to_string();
        let of_app = apps.entry(app.clone()).or_default();
        of_app.app.clone_from(&app);
        of_app.incidents += 1;
        of_app.downtime += lasted;
        report.incidents += 1;
        report.downtime += lasted;
        if let Some(print) = incident.fingerprint.clone() {
            let known = latest.entry((app.clone(), print)).or_insert(incident);
            if known.opened_at < incident.opened_at {
                *known = incident;
            }
        }
        match incident.stage {
            Stage::Closed { outcome: Outcome::Healed } => {
                report.healed += 1;
                of_app.healed += 1;
                report.saved += A_PERSON_TAKES.saturating_sub(lasted);
            }
            Stage::Closed { outcome: Outcome::Recovered } => {
                report.recovered += 1;
                if incident.trouble == Trouble::Unresponsive {
                    *noisy.entry(app.clone()).or_default() += 1;
                }
            }
            Stage::Closed { outcome: Outcome::TakenOver } => report.taken_over += 1,
            Stage::Escalated => report.escalated += 1,
            _ => report.under_way += 1,
        }
        let times = seemed_healed(incident);
        if let (1.., Some(print), Some(said)) = (times, &incident.fingerprint, &incident.diagnosis)
        {
            let known = same.entry((app, print.clone()));
            known.or_insert_with(|| (said.cause.to_string(), 0)).1 += times;
        }
    }
    report.apps = apps.into_values().collect();
    report.apps.sort_by_key(|it| std::cmp::Reverse(it.downtime));
    report.noisy = noisy.into_iter().filter(|(_, times)| *times >= NOISY).collect();
    let often = same.into_iter().filter(|(_, (_, times))| *times >= HIDDEN);
    report.hidden = often.map(|((app, _), (cause, times))| (app, cause, times)).collect();
    report.learned = learned(latest.into_values());
    report
}

/// How often what was done about an incident seemed to have helped; each time but the last it came back, or is open.
fn seemed_healed(incident: &Incident) -> usize {
    let is_healed = matches!(incident.stage, Stage::Closed { outcome: Outcome::Healed });
    let died = matches!(incident.trouble, Trouble::Died | Trouble::CrashLoop);
    let was_treated = is_healed || died || !incident.tries.is_empty();
    let came_back = if was_treated { incident.reopened as usize } else { 0 };
    usize::from(is_healed) + came_back
}

/// Adds up what the last incident of each trouble knew, by app and cause: the same cause may have shown itself by
/// different lines.
fn learned<'a>(incidents: impl Iterator<Item = &'a Incident>) -> Vec<LearnedOf> {
    let mut known: BTreeMap<(String, String), Vec<Learned>> = BTreeMap::new();
    for incident in incidents.filter(|it| !it.learned.is_empty()) {
        let Some(said) = &incident.diagnosis else { continue };
        let of_cause = known.entry((incident.app.to_string(), said.cause.to_string())).or_default();
        for new in &incident.learned {
            match of_cause.iter_mut().find(|it| it.remedy == new.remedy) {
                Some(it) => it.seen = it.seen.plus(new.seen),
                None => of_cause.push(new.clone()),
            }
        }
    }
    let likeliest = |mut remedies: Vec<Learned>| {
        remedies.sort_by(|a, b| b.seen.mean().total_cmp(&a.seen.mean()));
        remedies
    };
    known
        .into_iter()
        .map(|((app, cause), remedies)| LearnedOf { app, cause, remedies: likeliest(remedies) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Cause, Diagnosis};
    use crate::healing::{Beta, Remedy};
    use crate::id::{AppName, IncidentId, InstanceId};

    const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

    fn incident(number: u64, outcome: Outcome) -> Incident {
        let at = NOW + Duration::from_mins(10 * number);
        let app = AppName::new("api").unwrap();
        let (id, instance) = (IncidentId::new(number), InstanceId::new(0));
        let mut incident = Incident::new(id, app, instance, Trouble::Unresponsive, at);
        incident.diagnosis = Some(Diagnosis {
            cause: Cause::DeadlockOrHang,
            confidence: 0.8,
            because: crate::diagnosis::Reasons::default(),
            remedy: Remedy::Restart,
            hypotheses: Vec::new(),
        });
        incident.fingerprint = Some("f".to_owned());
        incident.close(at + Duration::from_mins(1), outcome, crate::words::quoted("why"));
        incident
    }

    #[test]
    fn what_is_healed_again_and_again_is_named_and_so_is_what_goes_away_by_itself() {
        let healed = (0..3).map(|number| incident(number, Outcome::Healed));
        let recovered = (3..6).map(|number| incident(number, Outcome::Recovered));
        let all: Vec<Incident> = healed.chain(recovered).collect();
        let said = report(&all, NOW, NOW + Duration::from_hours(2));
        assert_eq!((said.incidents, said.healed, said.recovered), (6, 3, 3));
        assert_eq!(said.downtime, Duration::from_mins(6));
        assert_eq!(said.saved, Duration::from_mins(3 * 14));
        assert_eq!(said.noisy, [("api".to_owned(), 3)]);
        assert_eq!(said.hidden, [("api".to_owned(), "it hangs".to_owned(), 3)]);
        assert_eq!(said.learned, [], "nothing was seen of any remedy");
        let nothing = report(&all, NOW + Duration::from_hours(5), NOW + Duration::from_hours(6));
        assert_eq!(nothing.incidents, 0);
    }

    #[test]
    fn what_came_back_often_is_named_although_it_is_open() {
        let mut open = incident(0, Outcome::Healed);
        for _ in 0..3 {
            open.reopen(NOW, crate::words::quoted("again"));
            open.close(NOW, Outcome::Healed, crate::words::quoted("why"));
        }
        open.reopen(NOW, crate::words::quoted("again"));
        open.stage = Stage::Escalated;
        let hidden = |it: &Incident| report([it], NOW, NOW + Duration::from_hours(2)).hidden;
        assert_eq!(hidden(&open), [], "nothing was done about it: it came and went by itself");
        open.trouble = Trouble::Died;
        assert_eq!(hidden(&open), [("api".to_owned(), "it hangs".to_owned(), 4)]);
    }

    #[test]
    fn what_was_learned_is_told_once_for_each_cause_as_the_last_incident_knew_it() {
        let seen = |remedy, good, bad| Learned { remedy, seen: Beta { good, bad, at: NOW } };
        let mut all: Vec<Incident> =
            (0..3).map(|number| incident(number, Outcome::Healed)).collect();
        all[0].learned = vec![seen(Remedy::Restart, 1.0, 0.0)];
        all[1].learned = vec![seen(Remedy::Reload, 0.0, 1.0), seen(Remedy::Restart, 2.0, 0.0)];
        all[2].fingerprint = Some("the same cause by another line".to_owned());
        all[2].learned = vec![seen(Remedy::Restart, 1.0, 1.0)];
        let said = report(&all, NOW, NOW + Duration::from_hours(2));
        let expected = LearnedOf {
            app: "api".to_owned(),
            cause: "it hangs".to_owned(),
            remedies: vec![seen(Remedy::Restart, 3.0, 1.0), seen(Remedy::Reload, 0.0, 1.0)],
        };
        assert_eq!(said.learned, [expected]);
    }
}
