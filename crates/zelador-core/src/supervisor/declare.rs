//! Declarations: what is new, what changed, how many instances there are to be.

use super::change::spoken_differences;
use super::commands::{Wait, Wanted};
use super::{App, Supervisor};
use crate::config::Overlay;
use crate::effect::{Done, Refusal};
use crate::id::InstanceId;
use crate::input::{Declaration, Unchanged};
use crate::instance::{Cause, Goal};
use crate::spec::AppSpec;
use crate::words;

impl Supervisor {
    pub(super) fn declare(
        &mut self,
        apps: Vec<Declaration>,
        settings: Option<Box<Overlay>>,
        unchanged: Unchanged,
    ) -> Result<(Vec<Wait>, Done), Refusal> {
        if let Some(way) = self.circle(apps.iter().map(|declared| &declared.spec)) {
            let first = way.first().cloned();
            let way: Vec<String> = way.into_iter().chain(first).collect();
            let (needs, precisa) = (way.join(" needs "), way.join(" precisa de "));
            return Err(Refusal::NotPossible {
                reason: words!(
                    "a circle of `depends_on`: {needs}",
                    "um círculo de `depends_on`: {precisa}"
                ),
                help: Some(words!(
                    "remove one of these names from a `depends_on`",
                    "retire um destes nomes de um `depends_on`",
                )),
            });
        }
        if let Some(settings) = settings {
            self.overlay = *settings;
            self.records.push(crate::record::Record::Settings(Box::new(self.overlay.clone())));
            self.settings_changed();
        }
        let (mut waits, mut done) = (Vec::new(), Done::default());
        for declaration in apps {
            self.declare_one(declaration, unchanged, &mut waits, &mut done);
        }
        Ok((waits, done))
    }

    fn declare_one(
        &mut self,
        declared: Declaration,
        unchanged: Unchanged,
        waits: &mut Vec<Wait>,
        done: &mut Done,
    ) {
        let Declaration { mut spec, goal, replace } = declared;
        self.share_environment(&mut spec);
        if let Some(app) = self.apps.get(&spec.name) {
            // What was raised stays, as long as what it was raised from is declared as before.
            let same =
                app.spec.limits == spec.limits && app.spec.heal.ceilings == spec.heal.ceilings;
            if same && app.spec.launch.interpreter_args == spec.launch.interpreter_args {
                spec.raised.clone_from(&app.spec.raised);
            }
        }
        let name = spec.name.clone();
        let goal = if spec.autostart { goal } else { Goal::Down };
        if let Some(app) = self.apps.get(&name) {
            if !replace {
                done.notes.push(format!("{name} is in the list already: left as it is"));
                return;
            }
            let changed = !same_declaration(&app.spec, &spec);
            if changed || unchanged != Unchanged::LeaveAlone {
                done.notes.extend(spoken_differences(&app.spec, &spec));
            }
            let old = app.spec.clone();
            self.forget_pid_files(&old, &spec);
            if let Some(app) = self.apps.get_mut(&name) {
                *app.spec = spec;
            }
            self.changed.apps.insert(name.clone());
            self.plan_cron(&name);
            self.scale(&name, goal, waits);
            let mut to_reload = Vec::new();
            for id in self.staying(&name) {
                if waits.iter().any(|wait| wait.id == id) {
                    continue;
                }
                let running = self.instances[&id].phase.run().is_some();
                if running && !changed && unchanged == Unchanged::LeaveAlone {
                    let name = self.spoken_name(id);
                    done.notes.push(format!(
                        "{name} is up and its declaration did not change: left alone (`zelador restart {name}` restarts it)"
                    ));
                    continue;
                }
                self.rearm(id);
                if running && unchanged == Unchanged::Reload {
                    to_reload.push(id);
                    continue;
                }
                waits.push(self.wait(id, Wanted::Up));
                let cause = if changed {
                    Cause::Redeclared
                } else {
                    Cause::Asked { verb: "restart".to_owned() }
                };
                self.take_over(
                    id,
                    &words!("somebody declared it anew", "alguém o declarou de novo"),
                );
                self.restart_one(id, cause);
            }
            match self.reload(&to_reload) {
                Ok((more, _)) => waits.extend(more),
                Err(refusal) => done.notes.push(refusal.to_string()),
            }
            return;
        }
        self.apps.insert(name.clone(), App { spec: Box::new(spec), cron_at: None });
        self.changed.apps.insert(name.clone());
        self.plan_cron(&name);
        self.scale(&name, goal, waits);
        if goal == Goal::Down {
            done.notes.push(format!("{name} is listed, and not started (autostart is off)"));
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
