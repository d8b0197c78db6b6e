//! Declarations: what is new, what changed, how many instances there are to be.

use super::commands::{Wait, Wanted};
use super::{App, Supervisor};
use crate::config::Overlay;
use crate::effect::Done;
use crate::id::{AppName, InstanceId};
use crate::input::Declaration;
use crate::instance::{Goal, Instance};
use crate::spec::AppSpec;
use std::collections::BTreeSet;

impl Supervisor {
    pub(super) fn declare(
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
}

/// Whether two declarations ask for the same; from where the command was given does not count.
fn same_declaration(a: &AppSpec, b: &AppSpec) -> bool {
    let mut a = a.clone();
    a.launch.inherited_env.clone_from(&b.launch.inherited_env);
    a.source.clone_from(&b.source);
    a == *b
}
