//! When things are looked at, and what becomes of a result.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::breaker::Denied;
use crate::check::{Check, CheckTarget, Status, judge_by};
use crate::effect::{Effect, Notice, Severity};
use crate::healing::VERIFY_EVERY;
use crate::id::{CheckId, InstanceId, ProbeId};
use crate::incident::Stage;
use crate::instance::Phase;
use crate::probe::{Finding, ProbeOutcome};
use crate::spec::ProbeTarget;
use crate::words;
use crate::words::{Words, quoted};

use super::Supervisor;
use super::check_plan::{NEVER, own_checks};

impl Supervisor {
    /// Looks at everything that can be looked at; returns what is being looked at.
    pub(super) fn check_everything(&mut self) -> BTreeSet<CheckId> {
        // What rests is not looked at: a run that is not up, a probe that waits for another.
        let active = |id: &&CheckId| match id.instance() {
            Some(instance) => match self.instances[&instance].phase {
                Phase::Running { since, .. } => {
                    let rests = self.checks[*id].next_at == NEVER;
                    let is_young = self.now < since + self.start_period(instance, id);
                    let waits = rests && self.waits_for_startup(instance);
                    !is_young && !waits
                }
                _ => false,
            },
            None => self.checks[*id].plan.target.heartbeat().is_none(),
        };
        let mut all: BTreeSet<CheckId> = self.checks.keys().filter(active).cloned().collect();
        for id in &all {
            if self.checks[id].under_way.is_none() {
                self.look(id, true);
            }
        }
        // What was known at once, or may not be looked at, brings no answer to wait for.
        all.retain(|id| self.checks[id].under_way.is_some());
        all
    }

    /// How old a run must be before this check of it is looked at.
    fn start_period(&self, instance: InstanceId, id: &CheckId) -> Duration {
        let app = self.instances.get(&instance).and_then(|it| self.apps.get(&it.app));
        let own = app.and_then(|app| own_checks(instance, &app.spec).find(|(it, _)| it == id));
        own.map_or(Duration::ZERO, |(_, spec)| spec.start_period)
    }

    /// Handles the deadline of a check: a look is due, or one was lost.
    pub(super) fn check_due(&mut self, id: &CheckId) {
        let now = self.now;
        let Some(check) = self.checks.get_mut(id) else { return };
        match check.under_way {
            Some((probe, give_up_at)) if now >= give_up_at => {
                self.probes.remove(&probe);
                self.effects.push(Effect::LeaveLook { probe });
                let took = check.plan.cadence.timeout;
                let detail = words!("no result within {t}", "nenhum resultado em {t}", t = took);
                let outcome = ProbeOutcome { finding: Finding::Unavailable { detail }, took };
                self.conclude(id, &outcome);
            }
            None if now >= check.due_at() => self.look(id, false),
            _ => {}
        }
    }

    /// Has it looked at, if its breaker permits that or a person asks for it.
    fn look(&mut self, id: &CheckId, asked: bool) {
        let probe = ProbeId::new(self.next_probe);
        self.next_probe += 1;
        if let Err(denied) = self.may_look(id, probe, asked) {
            return self.not_looked(id, denied);
        }
        let focused = id.instance().is_some_and(|instance| self.is_focused(instance));
        let filled = self.filled_target(id);
        let heard = self.heard_beat(id);
        let Some(check) = self.checks.get_mut(id) else { return };
        check.begin(probe, self.now);
        if focused {
            check.next_at = check.next_at.min(self.now + VERIFY_EVERY);
        }
        let target = filled.unwrap_or_else(|| check.plan.target.clone());
        let timeout = check.plan.cadence.timeout;
        if let Some(finding) = heard {
            self.changed.checks.insert(id.clone());
            return self.conclude(id, &ProbeOutcome { finding, took: Duration::ZERO });
        }
        self.probes.insert(probe, id.clone());
        self.changed.checks.insert(id.clone());
        self.effects.push(Effect::Look { probe, target, timeout });
    }

    /// A breaker forbids a look for now.
    fn not_looked(&mut self, id: &CheckId, denied: Denied) {
        let Some(check) = self.checks.get_mut(id) else { return };
        self.changed.checks.insert(id.clone());
        check.next_at = self.now + check.plan.cadence.interval;
        match denied {
            Denied::Open { wait } => check.next_at = self.now + wait,
            Denied::TrialUnderWay | Denied::Full { .. } => {}
            Denied::ForcedOpen => {
                let detail = words!(
                    "its breaker is kept open by a person",
                    "o disjuntor é mantido aberto por uma pessoa",
                );
                let finding = Finding::Unavailable { detail };
                self.conclude(id, &ProbeOutcome { finding, took: Duration::ZERO });
            }
        }
    }

    /// The target of a look with what only the supervisor knows: which process, which logs.
    fn filled_target(&self, id: &CheckId) -> Option<CheckTarget> {
        let CheckTarget::App(probe) = &self.checks.get(id)?.plan.target else { return None };
        let instance = self.instances.get(&id.instance()?)?;
        match &**probe {
            ProbeTarget::Process => Some(CheckTarget::Process {
                pid: instance.phase.pid()?,
                usage: instance.usage,
                restarts: instance
                    .deaths
                    .iter()
                    .filter(|past| self.now.since(past.at) < RESTARTS_WITHIN)
                    .count() as u32,
            }),
            ProbeTarget::Log { paths, pattern } if paths.is_empty() => {
                let spec = &self.apps.get(&instance.app)?.spec;
                let (out, err) = crate::launch::log_paths(spec, instance.id, &self.home);
                let paths = [out, err].into_iter().flatten().collect();
                let probe = ProbeTarget::Log { paths, pattern: pattern.clone() };
                Some(CheckTarget::App(Arc::new(probe)))
            }
            _ => None,
        }
    }

    /// Whether the healer, or a start, waits for this instance's verdict.
    pub(super) fn is_focused(&self, id: InstanceId) -> bool {
        let by_healer = self.incidents.values().any(|incident| {
            incident.is_open()
                && incident.instance == id
                && matches!(
                    incident.stage,
                    Stage::Applying { .. } | Stage::Verifying { .. } | Stage::Rechecking { .. }
                )
        });
        by_healer || self.is_awaited(id) || self.is_sick_and_may_recover(id)
    }

    fn is_sick_and_may_recover(&self, id: InstanceId) -> bool {
        let check = self.checks.get(&CheckId::Instance(id));
        check.is_some_and(|it| it.verdict == Some(Status::Unhealthy)) && self.may_recover(id)
    }

    /// Takes in the result of a look.
    pub(super) fn looked(&mut self, probe: ProbeId, outcome: &ProbeOutcome) {
        let check = self.probes.remove(&probe);
        let current = |id: &CheckId| {
            self.checks.get(id).and_then(|check| check.under_way).is_some_and(|(it, _)| it == probe)
        };
        match check.filter(current) {
            Some(id) => self.conclude(&id, outcome),
            None => self.ignored += 1,
        }
    }

    fn conclude(&mut self, id: &CheckId, outcome: &ProbeOutcome) {
        let Some(check) = self.checks.get_mut(id) else { return };
        let probe = check.under_way.map(|(probe, _)| probe);
        let component = self.component(id);
        let usual = |measure: &str| self.usual_of(&component, measure);
        let result = match self.checks.get(id) {
            Some(check) => judge_by(&check.plan, check.before(), outcome, self.now, usual),
            None => return,
        };
        let Some(check) = self.checks.get_mut(id) else { return };
        check.finding = Some(outcome.finding.clone());
        check.not_before = outcome.finding.asks_to_wait().map(|wait| self.now + wait);
        let message = result.words();
        let good = result.status != Status::Unhealthy && !result.is_blind();
        let change = match id {
            // One failure is none: a run that starts fails until it is there.
            CheckId::Startup(_) => check.take_startup(result),
            _ => check.take(result),
        };
        let flaps = check.verdict.and_then(|verdict| check.flap.take(verdict));
        self.changed.checks.insert(id.clone());
        // Nothing waits for a check with a name.
        self.changed.world |= !matches!(id, CheckId::Named(_));
        self.note_wish(id);
        self.note_look(id, probe, outcome);
        self.note_pressure(id, &outcome.finding);
        self.foresee_disks(id, &outcome.finding);
        self.learn(id, &outcome.finding);
        self.looked_at(id);
        if let (CheckId::Startup(instance), true) = (id, good) {
            self.started_up(*instance);
        }
        if let CheckId::Startup(instance) | CheckId::Ready(instance) = id {
            self.note_proven(*instance);
        }
        if change.is_none() && flaps.is_none() {
            return;
        }
        let Some(check) = self.checks.get_mut(id) else { return };
        check.note_change();
        let is_flapping = check.flap.flaps();
        if self.set_aside(id).is_some() {
            return;
        }
        // What comes and goes is told once, and what was well from the first look on is no news.
        let is_no_news = is_flapping || matches!(change, None | Some((None, Status::Healthy)));
        if flaps.is_some() || !is_no_news {
            self.say_of_check(id, flaps == Some(false));
        }
        if let (Some(instance), Some(true)) = (id.instance(), flaps) {
            self.say_that_it_flaps(instance);
        }
        let Some((_, after)) = change else { return };
        match (id, after) {
            (CheckId::Instance(instance) | CheckId::Startup(instance), Status::Unhealthy) => {
                self.open_unresponsive(*instance, message);
            }
            (CheckId::Disk, Status::Unhealthy) => self.open_full_disk(message),
            _ => {}
        }
    }

    /// Tells people how a check is, `again`: after it had come and gone.
    fn say_of_check(&mut self, id: &CheckId, again: bool) {
        let Some(told) = self.checks.get(id).and_then(Check::told) else { return };
        let (subject, status, message) = (self.spoken_check(id), told.status, told.words());
        let message = match id {
            CheckId::Database(name) if status == Status::Unhealthy => match self.who_needs(name) {
                Some(who) => Words::joined(&[message, who], "; "),
                None => message,
            },
            _ => message,
        };
        let severity = match status {
            Status::Healthy => Severity::Info,
            Status::Degraded | Status::Unhealthy => Severity::Warning,
        };
        let text = if again {
            words!(
                "{subject} is steady again: {status}: {message}",
                "{subject} está estável de novo: {status}: {message}",
                subject = subject,
                status = status,
                message = message,
            )
        } else {
            words!(
                "{subject} is {status}: {message}",
                "{subject} está {status}: {message}",
                subject = subject,
                status = status,
                message = message,
            )
        };
        let (check, subject) = (Some((id.clone(), status)), self.component(id));
        self.effects.push(Effect::Notify(Notice { severity, subject, text, check }));
    }

    /// Looks at what held instances and incidents wait for more often than usual.
    pub(super) fn hurry_dependencies(&mut self) {
        if self.checks.range(CheckId::of_databases()).next().is_none() {
            return;
        }
        let awaited = self.awaited_databases();
        for (id, check) in self.checks.range_mut(CheckId::of_databases()) {
            let CheckId::Database(name) = id else { continue };
            let before = check.hurried.is_some();
            if awaited.contains(name) {
                check.hurry(self.now);
            } else {
                check.relax();
            }
            if before != check.hurried.is_some() {
                self.changed.checks.insert(id.clone());
            }
        }
    }

    /// What a check is called in a sentence: `host memory`, `database main`, `api/0`.
    pub(super) fn spoken_check(&self, id: &CheckId) -> Words {
        let is_of_host = |name: &String| {
            let target = self.checks.get(&CheckId::Named(name.clone())).map(|it| &it.plan.target);
            matches!(target, Some(CheckTarget::Host(_)))
        };
        match id {
            CheckId::Memory => words!("host memory", "memória do servidor"),
            CheckId::Cpu => words!("host CPU", "CPU do servidor"),
            CheckId::Disk => words!("host disk", "disco do servidor"),
            CheckId::Database(name) => words!("database {name}", "banco de dados {name}"),
            CheckId::Named(name) if is_of_host(name) => words!("host {name}", "{name} do servidor"),
            CheckId::Named(name) => quoted(name),
            CheckId::Instance(instance) => quoted(self.spoken_name(*instance)),
            CheckId::Startup(instance) => {
                let name = self.spoken_name(*instance);
                words!("startup of {name}", "início de {name}")
            }
            CheckId::Ready(instance) => {
                let name = self.spoken_name(*instance);
                words!("readiness of {name}", "prontidão de {name}")
            }
        }
    }

    /// What a check is called on every surface: `memory`, `database:main`, `app:api/0`.
    pub(super) fn component(&self, id: &CheckId) -> String {
        match id {
            CheckId::Memory => "memory".to_owned(),
            CheckId::Cpu => "cpu".to_owned(),
            CheckId::Disk => "disk".to_owned(),
            CheckId::Database(name) => format!("database:{name}"),
            CheckId::Named(name) => name.clone(),
            CheckId::Instance(instance) => format!("app:{}", self.spoken_name(*instance)),
            CheckId::Startup(instance) => format!("app:{} startup", self.spoken_name(*instance)),
            CheckId::Ready(instance) => format!("app:{} readiness", self.spoken_name(*instance)),
        }
    }
}

/// How far back restarts count for a check of processes.
const RESTARTS_WITHIN: Duration = Duration::from_mins(10);
