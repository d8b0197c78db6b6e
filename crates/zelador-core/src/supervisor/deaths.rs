//! What follows when a run ends that nobody asked to end: the breaker counts, the restart policy gives
//! the delay.

use super::Supervisor;
use super::crashes::Advice;
use crate::death::{Death, SpawnFailure};
use crate::effect::Severity;
use crate::evidence::PastDeath;
use crate::id::{InstanceId, RunId};
use crate::instance::{Breaker, Cause, Goal, Phase, Ruling};
use crate::spec::{OnDependencyDown, RestartPolicy};
use crate::words;
use crate::words::{Words, times};
use std::time::Duration;

/// How long a start waits that the host had no room for: asked again at once, all tries that there are would be
/// over within an instant. runit and s6 wait as long between starts.
const ROOM_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A program that cannot get its port ends this soon after its start.
const STARTING: Duration = Duration::from_secs(30);

impl Supervisor {
    /// A run ended that nobody asked to end.
    pub(super) fn died(&mut self, id: InstanceId, run: RunId, death: Death) {
        let now = self.now;
        let mut known = self.known(id);
        self.end_check(id);
        let uptime = self.remember_death(id, death.clone());
        known.deaths_last_hour = known.deaths_last_hour.saturating_add(1);
        if self.promote_early(id) {
            return;
        }
        let before = self.instances.get(&id).and_then(|it| it.last_start.clone());
        self.note_cause(id, Cause::Died { death: death.clone() });
        let name = self.spoken_name(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        let policy = &app.spec.restart;
        let finished = death.code().is_some_and(|code| policy.stop_exit_codes.contains(&code));
        if matches!(death, Death::NeverStarted(_)) {
            self.runs.remove(&run);
        }
        self.changed.instances.insert(id);
        self.changed.world = true;
        if !policy.autorestart || finished || instance.goal == Goal::Down {
            instance.phase = Phase::Finished { death };
            instance.last_start = before; // no start follows
            return;
        }
        if uptime >= crate::instance::restart::RESET_AFTER {
            instance.backoff = None;
        }
        // Nothing that a second start could change.
        let hopeless = matches!(
            death,
            Death::NeverStarted(
                SpawnFailure::ProgramNotFound(_)
                    | SpawnFailure::NoSuchVersion { .. }
                    | SpawnFailure::NotExecutable { .. }
                    | SpawnFailure::Directory { .. }
                    | SpawnFailure::User { .. }
                    | SpawnFailure::EnvFile { .. }
            )
        );
        let ruling = instance.breaker.after_death(policy, now, uptime, hopeless);
        // Work that was finished is no trouble, however often it is begun again; an end that nobody
        // saw, as when the host went down, tells nothing about the app.
        let advice = if death.is_clean() || death == Death::Unknown {
            Advice::Usual
        } else {
            self.note_crash(id, run, &death, known)
        };
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(app) = self.apps.get(&instance.app) else { return };
        let policy = &app.spec.restart;
        match ruling {
            Ruling::Open(open) => {
                instance.phase = Phase::Tripped { trial_at: open.map(|open| now + open) };
                let why = why_open(&instance.breaker, policy, &death);
                self.tripped(id, &words!("{name} {why}", "{name} {why}", why = why), &name, open);
            }
            Ruling::Closed => {
                let delay = policy.delay.next(instance.backoff);
                if matches!(policy.delay, crate::spec::RestartDelay::Exponential(_)) {
                    instance.backoff = Some(delay);
                }
                let delay =
                    if death.is_for_want_of_room() { delay.max(ROOM_AGAIN_AFTER) } else { delay };
                let (waits, name) = (app.spec.on_dependency_down, app.spec.name.clone());
                let held = waits == OnDependencyDown::Wait && self.has_database(&name);
                let retry_at = match advice {
                    Advice::Usual => now + delay,
                    Advice::Judge(at) | Advice::Later(at) => at.max(now + delay),
                };
                if self.has_heir(id) || (retry_at == now && !held) {
                    self.follows_at_once(id);
                    self.start_as_noted(id, true);
                } else if let Some(instance) = self.instances.get_mut(&id) {
                    instance.phase = Phase::Backoff { retry_at, held, fresh: false };
                }
            }
        }
    }

    /// The breaker opened.
    fn tripped(&mut self, id: InstanceId, why: &Words, name: &str, open: Option<Duration>) {
        let next = match open {
            Some(open) => words!("one trial start in {t}", "um início de teste em {t}", t = open),
            None => {
                words!("it stays down until somebody starts it", "fica parado até alguém o iniciar")
            }
        };
        let why = Words::joined(&[why.clone(), next], "; ");
        self.notify(Severity::Warning, name.to_owned(), why.clone());
        self.open_crash_loop(id, why);
    }

    /// Notes how the current run ended; returns how long it had lived.
    fn remember_death(&mut self, id: InstanceId, death: Death) -> Duration {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&id) else { return Duration::ZERO };
        let born = match instance.phase {
            Phase::Running { since, .. } => Some(since),
            _ => None,
        };
        let uptime = born.map_or(Duration::ZERO, |since| now.since(since));
        let uptime_millis = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX);
        let is_failure = matches!(death, Death::Exited { code } if code != 0);
        instance.remember(PastDeath { at: now, death, uptime_millis, explained: None });
        if is_failure && uptime < STARTING {
            self.ask_about_port(id);
        }
        uptime
    }
}

/// Why the breaker is open, to stand after the name of an instance.
fn why_open(breaker: &Breaker, policy: &RestartPolicy, death: &Death) -> Words {
    match (death, policy.restart_window) {
        (Death::NeverStarted(_), _) => words!("{death}", "{death}", death = death),
        (_, Some(window)) if breaker.short_runs < policy.max_restarts => {
            words!(
                "was restarted {often} within {t}, at last it {death}",
                "foi reiniciado {often} em {t}; por último, {death}",
                often = times(breaker.restarted_at.len()),
                t = window,
                death = death,
            )
        }
        _ if breaker.short_runs == 1 => words!(
            "ended soon after its start: it {death}",
            "terminou logo após iniciar: {death}",
            death = death,
        ),
        _ => {
            let short_runs = breaker.short_runs;
            words!(
                "ended {short_runs} times in a row soon after its start, at last it {death}",
                "terminou {short_runs} vezes seguidas logo após iniciar; por último, {death}",
                death = death,
            )
        }
    }
}
