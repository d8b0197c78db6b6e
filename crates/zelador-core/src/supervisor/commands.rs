//! What people ask for: declarations, starts, stops, and when they get their answer.

use std::collections::BTreeSet;

use crate::config::Overlay;
use crate::effect::{Affected, Done, Effect, Refusal};
use crate::id::{AppName, CheckId, InstanceId, RunId, Ticket};
use crate::incident::Outcome;
use crate::input::{Command, Declaration};
use crate::instance::{Goal, Instance, Phase, Then};
use crate::spec::AppSpec;

use super::{App, Supervisor};

/// A command that waits for its answer.
pub(super) struct Pending {
    ticket: Ticket,
    waits: Vec<Wait>,
    /// Checks that are still being looked at.
    looks: BTreeSet<CheckId>,
    done: Done,
}

/// One instance that a command waits for.
struct Wait {
    id: InstanceId,
    app: AppName,
    /// The run that was current when the command came.
    before: Option<RunId>,
    wanted: Wanted,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Up,
    Down,
    Gone,
}

impl Supervisor {
    pub(super) fn command(&mut self, ticket: Ticket, command: Command) {
        let answer = match command {
            Command::CheckNow => {
                let looks = self.check_everything();
                self.pending.push(Pending {
                    ticket,
                    waits: Vec::new(),
                    looks,
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
            Command::Declare { apps, settings } => Ok(self.declare(apps, settings)),
            Command::Start { selectors } => self.select(&selectors).map(|ids| self.bring_up(&ids)),
            Command::Stop { selectors } => self.select(&selectors).map(|ids| self.bring_down(&ids)),
            Command::Restart { selectors } => {
                self.select(&selectors).map(|ids| self.restart_all(&ids))
            }
            Command::Delete { selectors } => self.select(&selectors).map(|ids| self.delete(&ids)),
        };
        match answer {
            Ok((waits, done)) => {
                self.changed.world = true;
                self.pending.push(Pending { ticket, waits, looks: BTreeSet::new(), done });
            }
            Err(refusal) => self.effects.push(Effect::Reply(ticket, Err(refusal))),
        }
    }

    fn declare(
        &mut self,
        apps: Vec<Declaration>,
        settings: Option<Box<Overlay>>,
    ) -> (Vec<Wait>, Done) {
        if let Some(settings) = settings {
            self.overlay = *settings;
            self.records.push(crate::record::Record::Settings(Box::new(self.overlay.clone())));
            self.settings_changed();
        }
        let (mut waits, mut done) = (Vec::new(), Done::default());
        for declaration in apps {
            self.declare_one(declaration, &mut waits, &mut done);
        }
        (waits, done)
    }

    fn declare_one(&mut self, declared: Declaration, waits: &mut Vec<Wait>, done: &mut Done) {
        let Declaration { mut spec, goal, replace } = declared;
        self.share_environment(&mut spec);
        let name = spec.name.clone();
        let goal = if spec.autostart { goal } else { Goal::Down };
        if let Some(app) = self.apps.get_mut(&name) {
            if !replace {
                done.notes.push(format!("{name} is in the list already: left as it is"));
                return;
            }
            let changed = !same_declaration(&app.spec, &spec);
            app.spec = spec;
            self.changed.apps.insert(name.clone());
            self.plan_cron(&name);
            self.scale(&name, goal, waits);
            for id in self.instances_of(&name) {
                if waits.iter().any(|wait| wait.id == id) {
                    continue;
                }
                let running = self.instances[&id].phase.run().is_some();
                if running && !changed {
                    let name = self.spoken_name(id);
                    done.notes.push(format!(
                        "{name} is up and its declaration did not change: left alone (`zelador restart {name}` restarts it)"
                    ));
                    continue;
                }
                self.rearm(id);
                waits.push(self.wait(id, Wanted::Up));
                self.restart_one(id);
            }
            return;
        }
        self.apps.insert(name.clone(), App { spec, cron_at: None });
        self.changed.apps.insert(name.clone());
        self.plan_cron(&name);
        self.scale(&name, goal, waits);
        if goal == Goal::Down {
            done.notes.push(format!("{name} is listed, and not started (autostart is off)"));
        }
    }

    /// Adds or removes instances until there are as many as declared.
    fn scale(&mut self, name: &AppName, goal: Goal, waits: &mut Vec<Wait>) {
        let wanted = self.apps[name].spec.instances;
        let present = self.instances_of(name);
        let index = |id: &InstanceId| self.instances[id].index;
        let surplus: Vec<InstanceId> =
            present.iter().filter(|id| index(id) >= wanted).copied().collect();
        let taken: BTreeSet<u32> = present.iter().map(index).collect();
        // What is added comes first: an app whose last instance goes is forgotten.
        for index in (0..wanted).filter(|index| !taken.contains(index)) {
            let id = InstanceId::new(self.counters.instance);
            self.counters.instance += 1;
            self.changed.counters = true;
            self.instances.insert(id, Instance::new(id, name.clone(), index, goal, self.now));
            self.add_check(id);
            self.touch(id);
            if goal == Goal::Up {
                waits.push(self.wait(id, Wanted::Up));
                self.start(id, false);
            }
        }
        for id in surplus {
            waits.push(self.wait(id, Wanted::Gone));
            self.remove_one(id);
        }
    }

    /// The declaration may have another check now.
    fn rearm(&mut self, id: InstanceId) {
        self.drop_check(id);
        self.add_check(id);
    }

    fn bring_up(&mut self, ids: &[InstanceId]) -> (Vec<Wait>, Done) {
        let (mut waits, mut done) = (Vec::new(), Done::default());
        for id in ids {
            if let Phase::Running { pid, .. } = self.instances[id].phase {
                let name = self.spoken_name(*id);
                done.notes.push(format!("{name} is up already (pid {pid})"));
                continue;
            }
            waits.push(self.wait(*id, Wanted::Up));
            self.restart_one(*id);
        }
        (waits, done)
    }

    fn restart_all(&mut self, ids: &[InstanceId]) -> (Vec<Wait>, Done) {
        let waits = ids.iter().map(|id| self.wait(*id, Wanted::Up)).collect();
        for id in ids {
            self.take_over(*id, "somebody restarted it");
            self.restart_one(*id);
        }
        (waits, Done::default())
    }

    fn bring_down(&mut self, ids: &[InstanceId]) -> (Vec<Wait>, Done) {
        let waits = ids.iter().map(|id| self.wait(*id, Wanted::Down)).collect();
        for id in ids {
            self.take_over(*id, "somebody stopped it");
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
            self.take_over(*id, "somebody removed it");
            self.remove_one(*id);
        }
        (waits, Done::default())
    }

    fn remove_one(&mut self, id: InstanceId) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.goal = Goal::Down;
        }
        if !self.terminate(id, Then::Remove) {
            self.remove(id);
        }
    }

    /// Brings an instance up anew, by a person's wish: what was before does not count.
    fn restart_one(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.goal = Goal::Up;
        instance.forgive();
        let was_up = instance.phase.run().is_some();
        if !was_up || !self.terminate(id, Then::Start) {
            // PM2 counts a restart of what was running, not a start of what was stopped.
            self.start(id, false);
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
    fn take_over(&mut self, id: InstanceId, why: &str) {
        let Some(app) = self.instances.get(&id).map(|instance| instance.app.clone()) else {
            return;
        };
        let now = self.now;
        for incident in self.incidents.values_mut() {
            if incident.is_open() && incident.app == app && incident.instance == id {
                incident.close(now, Outcome::TakenOver, why);
                self.changed.incidents.insert(incident.id);
            }
        }
    }

    /// The instances that the selectors name, each once.
    fn select(&self, selectors: &[String]) -> Result<Vec<InstanceId>, Refusal> {
        let mut found = Vec::new();
        for selector in selectors {
            let some = self.select_one(selector)?;
            found.extend(some.into_iter().filter(|id| !found.contains(id)).collect::<Vec<_>>());
        }
        Ok(found)
    }

    fn select_one(&self, selector: &str) -> Result<Vec<InstanceId>, Refusal> {
        if selector == "all" {
            let all: Vec<InstanceId> = self.instances.keys().copied().collect();
            return if all.is_empty() { Err(Refusal::Nothing) } else { Ok(all) };
        }
        // PM2: a name that looks like a number beats the number.
        if let Some(name) = AppName::new(selector).filter(|name| self.apps.contains_key(name)) {
            return Ok(self.instances_of(&name));
        }
        if let Some((name, index)) = selector.rsplit_once('/')
            && let (Some(name), Ok(index)) = (AppName::new(name), index.parse::<u32>())
        {
            let mut of_app = self.instances.values().filter(|instance| instance.app == name);
            if let Some(instance) = of_app.find(|instance| instance.index == index) {
                return Ok(vec![instance.id]);
            }
        }
        if let Some(id) = selector.parse().ok().map(InstanceId::new)
            && self.instances.contains_key(&id)
        {
            return Ok(vec![id]);
        }
        let nearest = self
            .apps
            .keys()
            .map(|name| (strsim::jaro_winkler(name.as_str(), selector), name))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name.to_string());
        Err(Refusal::Unknown { selector: selector.to_owned(), nearest })
    }

    fn wait(&self, id: InstanceId, wanted: Wanted) -> Wait {
        let instance = &self.instances[&id];
        Wait { id, app: instance.app.clone(), before: instance.phase.run(), wanted }
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
            waits.retain(|wait| match self.result_of(wait) {
                Some(affected) => {
                    pending.done.instances.push(affected);
                    false
                }
                None => true,
            });
            pending.waits = waits;
            if !pending.waits.is_empty() || !pending.looks.is_empty() {
                return true;
            }
            let mut done = std::mem::take(&mut pending.done);
            done.instances.sort_by_key(|affected| affected.id);
            self.effects.push(Effect::Reply(pending.ticket, Ok(done)));
            false
        });
        self.pending = open;
    }

    /// What became of an instance that a command waits for; `None` while it is open.
    fn result_of(&self, wait: &Wait) -> Option<Affected> {
        let says = |what: String, ok, help: Option<String>| {
            Some(Affected { id: wait.id, app: wait.app.to_string(), what, ok, help })
        };
        let Some(instance) = self.instances.get(&wait.id) else {
            let gone = wait.wanted == Wanted::Gone;
            let what = if gone { "removed" } else { "was removed meanwhile" };
            return says(what.to_owned(), wait.wanted != Wanted::Up, None);
        };
        let old = wait.before.is_some() && instance.phase.run() == wait.before;
        match (wait.wanted, &instance.phase) {
            (Wanted::Up, Phase::Running { pid, .. }) if !old => {
                let verb = if wait.before.is_some() { "restarted" } else { "started" };
                says(format!("{verb} (pid {pid})"), true, None)
            }
            (
                Wanted::Up,
                Phase::Backoff { .. } | Phase::Tripped { .. } | Phase::Finished { .. },
            ) => {
                let death = &instance.deaths.front()?.death;
                let help = match death {
                    crate::death::Death::NeverStarted(failure) => Some(failure.help().to_owned()),
                    _ => None,
                };
                let finished = matches!(instance.phase, Phase::Finished { .. }) && death.is_clean();
                says(format!("the process {death}"), finished, help)
            }
            (Wanted::Up, Phase::Stopped) => says("was stopped meanwhile".to_owned(), false, None),
            (Wanted::Down, phase) if !old && !matches!(phase, Phase::Stopping { .. }) => {
                says("stopped".to_owned(), true, None)
            }
            _ => None,
        }
    }
}

/// Whether two declarations ask for the same; from where the command was given does not count.
fn same_declaration(a: &AppSpec, b: &AppSpec) -> bool {
    let mut a = a.clone();
    a.launch.inherited_env.clone_from(&b.launch.inherited_env);
    a.source.clone_from(&b.source);
    a == *b
}
