//! What apps tell about themselves, and the actions that they offer.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::custom::Told;
use crate::effect::{Affected, Done, Effect, Refusal, Say};
use crate::id::{InstanceId, RunId, Ticket};
use crate::instance::{Instance, Phase};
use crate::words;
use crate::words::quoted;

use super::Supervisor;
use super::commands::Pending;
use super::order::Deadline;

/// How long an action may take to answer: longer than a heap snapshot of a large service.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Actions that a run may offer; what follows is not kept.
const MOST_ACTIONS: usize = 100;

/// Metrics that a run may tell; what follows is not kept.
const MOST_METRICS: usize = 200;

/// Answers that a command waits for.
pub(super) struct Calls {
    action: String,
    pub(super) open: BTreeSet<RunId>,
}

impl Supervisor {
    /// A run said something about itself.
    pub(super) fn told(&mut self, run: RunId, told: Told) {
        let Some(id) = self.runs.get(&run).copied() else {
            self.ignored += 1;
            return;
        };
        match told {
            Told::Reply { action, text } => self.answered(id, run, &action, &text),
            Told::Metrics(metrics) => {
                if let Some(instance) = self.current_mut(id, run) {
                    instance.metrics = metrics.into_iter().take(MOST_METRICS).collect();
                }
            }
            Told::Action(action) => {
                let Some(instance) = self.instances.get_mut(&id) else { return };
                let current = instance.is_current(run);
                let actions = match &mut instance.successor {
                    Some(successor) if successor.run == run => &mut successor.actions,
                    _ if current => &mut instance.actions,
                    _ => return,
                };
                actions.retain(|known| known.name != action.name);
                if actions.len() < MOST_ACTIONS {
                    actions.push(action);
                }
                self.changed.instances.insert(id);
            }
        }
    }

    fn current_mut(&mut self, id: InstanceId, run: RunId) -> Option<&mut Instance> {
        self.instances.get_mut(&id).map(Box::as_mut).filter(|instance| instance.is_current(run))
    }

    /// Somebody wants an action done by every one of these that offers it.
    pub(super) fn trigger(
        &mut self,
        ticket: Ticket,
        selectors: &[String],
        action: &str,
        param: Option<&str>,
    ) -> Result<(), Refusal> {
        let ids = self.select(selectors)?;
        let offers = |id: &InstanceId| {
            let instance = self.instances.get(id)?;
            let Phase::Running { run, .. } = instance.phase else { return None };
            instance.actions.iter().any(|offered| offered.name == action).then_some(run)
        };
        let open: BTreeSet<RunId> = ids.iter().filter_map(offers).collect();
        if open.is_empty() {
            let chosen = ids.iter().filter_map(|id| self.instances.get(id));
            let known: BTreeSet<String> = chosen
                .flat_map(|instance| instance.actions.iter().map(|offered| offered.name.clone()))
                .collect();
            let names: BTreeSet<String> = ids.iter().map(|id| self.spoken_name(*id)).collect();
            let apps = names.into_iter().collect::<Vec<_>>().join(", ");
            let (action, known) = (action.to_owned(), known.into_iter().collect());
            return Err(Refusal::NoAction { apps, action, known });
        }
        for run in &open {
            let (action, param) = (action.to_owned(), param.map(str::to_owned));
            self.effects.push(Effect::Say { run: *run, say: Say::Act { action, param } });
        }
        self.deadlines.set(Deadline::Command(ticket), Some(self.now + ANSWER_WITHIN));
        let calls = Some(Calls { action: action.to_owned(), open });
        let (waits, looks) = (Vec::new(), BTreeSet::new());
        self.pending.push(Pending { ticket, waits, looks, calls, done: Done::default() });
        Ok(())
    }

    /// An action has answered.
    fn answered(&mut self, id: InstanceId, run: RunId, action: &str, text: &str) {
        let Some(app) = self.instances.get(&id).map(|instance| instance.app.to_string()) else {
            return;
        };
        for pending in &mut self.pending {
            let Some(calls) = &mut pending.calls else { continue };
            if calls.action == action && calls.open.remove(&run) {
                let (app, what) = (app.clone(), quoted(text));
                pending.done.instances.push(Affected { id, app, what, ok: true, help: None });
            }
        }
    }

    /// Whoever has not answered yet will not.
    pub(super) fn command_due(&mut self, ticket: Ticket) {
        self.deadlines.set(Deadline::Command(ticket), None);
        for pending in self.pending.iter_mut().filter(|pending| pending.ticket == ticket) {
            let Some(calls) = &mut pending.calls else { continue };
            for run in std::mem::take(&mut calls.open) {
                let Some(id) = self.runs.get(&run).copied() else { continue };
                let Some(instance) = self.instances.get(&id) else { continue };
                let action = &calls.action;
                let what = words!(
                    "no answer from `{action}` within {t}",
                    "sem resposta de `{action}` em {t}",
                    t = ANSWER_WITHIN,
                );
                let app = instance.app.to_string();
                pending.done.instances.push(Affected { id, app, what, ok: false, help: None });
            }
        }
    }
}
