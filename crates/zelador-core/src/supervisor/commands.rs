//! What people ask for: declarations, starts, stops, and when they get their answer.

use std::collections::BTreeSet;

use crate::effect::{Affected, Done, Effect, Refusal};
use crate::id::{AppName, CheckId, InstanceId, RunId, Ticket};
use crate::incident::Outcome;
use crate::input::Command;
use crate::instance::{Cause, Goal, Instance, Phase, Then};
use crate::words;
use crate::words::Words;

use super::Supervisor;
use super::actions::Calls;
use super::maintenance::nobody;
use super::order::Deadline;

/// A command that waits for its answer.
pub(super) struct Pending {
    pub(super) ticket: Ticket,
    pub(super) waits: Vec<Wait>,
    /// Checks that are still being looked at.
    pub(super) looks: BTreeSet<CheckId>,
    /// Answers of apps that are still to come, and when they are not waited for any more.
    pub(super) calls: Option<Calls>,
    pub(super) done: Done,
}

/// One instance that a command waits for.
pub(super) struct Wait {
    pub(super) id: InstanceId,
    pub(super) app: AppName,
    /// The run that was current when the command came.
    before: Option<RunId>,
    wanted: Wanted,
    /// It was looked at, and nothing but a change of its own instance can answer it.
    rests: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Up,
    /// Up by another run than before, and nothing of a reload left to do.
    Replaced,
    Down,
    Gone,
}

impl Pending {
    /// An instance will not become what was wanted.
    pub(super) fn give_up(&mut self, id: InstanceId, wanted: Wanted, affected: &Affected) {
        let before = self.waits.len();
        self.waits.retain(|wait| wait.id != id || wait.wanted != wanted);
        if self.waits.len() < before {
            self.done.instances.push(affected.clone());
        }
    }
}

impl Supervisor {
    pub(super) fn command(&mut self, ticket: Ticket, command: Command) {
        let (by, command) = match command {
            Command::By { who, command } => (Some(who), *command),
            other => (None, other),
        };
        self.note_asked(by, &command);
        let answer = match command {
            // It was taken apart above, and is not nested: whoever takes it in sees to that.
            Command::By { command, .. } => return self.command(ticket, *command),
            Command::CheckNow => {
                let looks = self.check_everything();
                self.pending.push(Pending {
                    ticket,
                    waits: Vec::new(),
                    looks,
                    calls: None,
                    done: Done::default(),
                });
                return;
            }
            Command::Shutdown => {
                self.stopping = true;
                let all: Vec<InstanceId> = self.instances.keys().copied().collect();
                Ok(self.delete(&all))
            }
            _ if self.stopping => Err(Refusal::Stopping),
            Command::Incident { id, order, question, by } => {
                self.order_incident(id, order, question, by).map(|done| (Vec::new(), done))
            }
            Command::Report { selectors, what, by } => {
                self.report(&selectors, &what, by).map(|done| (Vec::new(), done))
            }
            Command::Declare { apps, settings, unchanged } => {
                self.declare(apps, settings, unchanged)
            }
            Command::Start { selectors } => self.select(&selectors).map(|ids| self.bring_up(&ids)),
            Command::Stop { selectors } => self.select(&selectors).map(|ids| self.bring_down(&ids)),
            Command::Restart { selectors, change } => match change.filter(|it| !it.is_empty()) {
                Some(change) => self.restart_changed(&selectors, &change),
                None => self.select(&selectors).map(|ids| self.restart_all(&ids)),
            },
            Command::Trigger { selectors, action, param } => {
                if let Err(refusal) = self.trigger(ticket, &selectors, &action, param.as_deref()) {
                    self.effects.push(Effect::Reply(ticket, Err(refusal)));
                }
                return;
            }
            Command::Reload { selectors, change } => match change.filter(|it| !it.is_empty()) {
                Some(change) => self.reload_changed(&selectors, &change),
                None => self.select(&selectors).and_then(|ids| self.reload(&ids)),
            },
            Command::Delete { selectors } => self.select(&selectors).map(|ids| self.delete(&ids)),
            Command::Scale { selectors, to, surplus } => self.scale_apps(&selectors, to, surplus),
            Command::Maintenance { selectors, lasts, by } => {
                self.order_maintenance(&selectors, lasts, by).map(|done| (Vec::new(), done))
            }
            Command::Mute { check, muted, lasts, by } => {
                let by = muted.then(|| by.unwrap_or_else(nobody));
                self.order_mute(&check, by, lasts).map(|done| (Vec::new(), done))
            }
            Command::Breaker { target, operation, order } => self
                .order_breaker(&target, operation.as_deref(), order)
                .map(|done| (Vec::new(), done)),
            Command::Reset { selectors } => self.select(&selectors).map(|ids| self.reset(&ids)),
            Command::Signal { selectors, signal } => {
                self.select(&selectors).map(|ids| self.signal(&ids, signal))
            }
        };
        match answer {
            Ok((waits, done)) => {
                self.changed.world = true;
                let looks = BTreeSet::new();
                self.pending.push(Pending { ticket, waits, looks, calls: None, done });
            }
            Err(refusal) => self.effects.push(Effect::Reply(ticket, Err(refusal))),
        }
    }

    fn bring_up(&mut self, ids: &[InstanceId]) -> (Vec<Wait>, Done) {
        let (mut waits, mut done) = (Vec::new(), Done::default());
        let needed = self.stopped_prerequisites(ids);
        for id in &needed {
            done.notes.push(format!("{} is started too: it is needed", self.spoken_name(*id)));
        }
        for id in needed.iter().chain(ids) {
            if let Phase::Running { pid, .. } = self.instances[id].phase {
                let name = self.spoken_name(*id);
                done.notes.push(format!("{name} is up already (pid {pid})"));
                continue;
            }
            waits.push(self.wait(*id, Wanted::Up));
            self.restart_one(*id, asked("start"));
        }
        (waits, done)
    }

    pub(super) fn restart_all(&mut self, ids: &[InstanceId]) -> (Vec<Wait>, Done) {
        let waits = ids.iter().map(|id| self.wait(*id, Wanted::Up)).collect();
        for id in ids {
            self.take_over(*id, &words!("somebody restarted it", "alguém o reiniciou"));
            self.restart_one(*id, asked("restart"));
        }
        (waits, Done::default())
    }

    fn bring_down(&mut self, ids: &[InstanceId]) -> (Vec<Wait>, Done) {
        let waits = ids.iter().map(|id| self.wait(*id, Wanted::Down)).collect();
        for id in ids {
            self.take_over(*id, &words!("somebody stopped it", "alguém o parou"));
            let Some(instance) = self.instances.get_mut(id) else { continue };
            instance.goal = Goal::Down;
            if !self.terminate(*id, Then::Stay) {
                self.put_down(*id);
            }
        }
        (waits, Done::default())
    }

    fn delete(&mut self, ids: &[InstanceId]) -> (Vec<Wait>, Done) {
        let waits = ids.iter().map(|id| self.wait(*id, Wanted::Gone)).collect();
        for id in ids {
            self.take_over(*id, &words!("somebody removed it", "alguém o removeu"));
            self.remove_one(*id);
        }
        (waits, Done::default())
    }

    pub(super) fn remove_one(&mut self, id: InstanceId) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.goal = Goal::Down;
        }
        if !self.terminate(id, Then::Remove) {
            self.remove(id);
        }
    }

    /// Brings an instance up anew, by a person's wish: what was before does not count.
    pub(super) fn restart_one(&mut self, id: InstanceId, cause: Cause) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.goal = Goal::Up;
        instance.forgive();
        let was_up = instance.phase.run().is_some();
        if !was_up || !self.restart_because(id, cause.clone()) {
            // PM2 counts a restart of what was running, not a start of what was stopped.
            self.start(id, cause);
        }
    }

    /// An instance without a process is not wanted any more.
    fn put_down(&mut self, id: InstanceId) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.phase = Phase::Stopped;
            self.touch(id);
        }
    }

    /// A person acts on an app that the healer is busy with: the healer lets go.
    pub(super) fn take_over(&mut self, id: InstanceId, why: &Words) {
        let Some(app) = self.instances.get(&id).map(|instance| instance.app.clone()) else {
            return;
        };
        let now = self.now;
        self.end_reload(id, why);
        for incident in self.incidents.values_mut() {
            if incident.is_open() && incident.app == app && incident.instance == id {
                incident.close(now, Outcome::TakenOver, why.clone());
                self.changed.incidents.insert(incident.id);
            }
        }
    }

    pub(super) fn wait(&self, id: InstanceId, wanted: Wanted) -> Wait {
        let instance = &self.instances[&id];
        Wait { id, app: instance.app.clone(), before: instance.phase.run(), wanted, rests: false }
    }

    /// A look is done: whoever waits for it waits for one thing less.
    pub(super) fn looked_at(&mut self, check: &CheckId) {
        for pending in &mut self.pending {
            pending.looks.remove(check);
        }
    }

    /// Answers the commands that have come true, or cannot any more.
    pub(super) fn answer_pending(&mut self) {
        let mut open = std::mem::take(&mut self.pending);
        open.retain_mut(|pending| {
            let mut waits = std::mem::take(&mut pending.waits);
            waits.retain_mut(|wait| {
                if wait.rests && self.is_untouched(wait.id) {
                    return true;
                }
                let result = self.result_of(wait);
                wait.rests = result.is_none() && !self.depends_on_others(wait);
                let is_open = result.is_none();
                pending.done.instances.extend(result);
                is_open
            });
            pending.waits = waits;
            let calls = pending.calls.as_ref().is_some_and(|calls| !calls.open.is_empty());
            if !pending.waits.is_empty() || !pending.looks.is_empty() || calls {
                return true;
            }
            self.deadlines.set(Deadline::Command(pending.ticket), None);
            let mut done = std::mem::take(&mut pending.done);
            done.instances.sort_by_key(|affected| affected.id);
            self.effects.push(Effect::Reply(pending.ticket, Ok(done)));
            false
        });
        self.pending = open;
    }

    /// Whether the step changed nothing of an instance. A thousand may be waited for, and each of them
    /// takes several steps.
    fn is_untouched(&self, id: InstanceId) -> bool {
        self.changed.retiring.is_empty() && !self.changed.instances.contains(&id)
    }

    /// Whether what a command waits for may come true although nothing of its instance changes.
    fn depends_on_others(&self, wait: &Wait) -> bool {
        let held =
            |instance: &Instance| matches!(instance.phase, Phase::Backoff { held: true, .. });
        wait.wanted == Wanted::Replaced || self.instances.get(&wait.id).is_none_or(|it| held(it))
    }

    /// What became of an instance that a command waits for; `None` while it is open.
    fn result_of(&self, wait: &Wait) -> Option<Affected> {
        let says = |what: Words, ok, help: Option<String>| {
            Some(Affected { id: wait.id, app: wait.app.to_string(), what, ok, help })
        };
        let Some(instance) = self.instances.get(&wait.id) else {
            let gone = wait.wanted == Wanted::Gone;
            if gone && self.has_company(wait.id) {
                return None;
            }
            let what = if gone {
                words!("removed", "removido")
            } else {
                words!("was removed meanwhile", "foi removido entretanto")
            };
            return says(what, wait.wanted != Wanted::Up, None);
        };
        if wait.wanted == Wanted::Replaced && self.is_reloading(wait.id) {
            return None;
        }
        let old = wait.before.is_some() && instance.phase.run() == wait.before;
        match (wait.wanted, &instance.phase) {
            (Wanted::Replaced, phase)
                if !old && phase.is_ready() && instance.successor.is_none() =>
            {
                let pid = phase.pid().unwrap_or_default();
                says(words!("reloaded (pid {pid})", "recarregado (pid {pid})"), true, None)
            }
            (Wanted::Up, Phase::Running { pid, ready_by: None, .. }) if !old => {
                let what = if wait.before.is_some() {
                    words!("restarted (pid {pid})", "reiniciado (pid {pid})")
                } else {
                    words!("started (pid {pid})", "iniciado (pid {pid})")
                };
                says(what, true, None)
            }
            (Wanted::Up | Wanted::Replaced, Phase::Backoff { held: true, .. })
                if !instance.died_last() =>
            {
                let obstacle = self.obstacle(wait.id).filter(|obstacle| !obstacle.passes)?;
                let name = obstacle.name;
                let is_app = AppName::new(&name).is_some_and(|name| self.apps.contains_key(&name));
                let tells = if is_app { format!("show {name}") } else { "health".to_owned() };
                let help = format!("`zelador {tells}` tells more; it starts when that is over");
                says(obstacle.said, false, Some(help))
            }
            (
                Wanted::Up | Wanted::Replaced,
                Phase::Backoff { .. } | Phase::Tripped { .. } | Phase::Finished { .. },
            ) => {
                let death = &instance.deaths.front()?.death;
                let help = match death {
                    crate::death::Death::NeverStarted(failure) => Some(failure.help().to_owned()),
                    _ => None,
                };
                let finished = matches!(instance.phase, Phase::Finished { .. }) && death.is_clean();
                let what = words!("the process {death}", "o processo {death}", death = death);
                says(what, finished, help)
            }
            (Wanted::Up | Wanted::Replaced, Phase::Stopped) => {
                says(words!("was stopped meanwhile", "foi parado entretanto"), false, None)
            }
            (Wanted::Down, phase)
                if !old
                    && !matches!(phase, Phase::Stopping { .. })
                    && !self.has_company(wait.id) =>
            {
                says(words!("stopped", "parado"), true, None)
            }
            _ => None,
        }
    }
}

/// Somebody asked for it, with this verb.
pub(super) fn asked(verb: &str) -> Cause {
    Cause::Asked { verb: verb.to_owned() }
}
