//! Remedies that are done outside of the lives of processes: hooks, declared commands, room on the
//! disk, the holder of a port, a replica more.

use std::time::Duration;

use super::Supervisor;
use crate::effect::{Deed, Effect};
use crate::healing::{APPLY_WITHIN, Remedy, garbage_hook};
use crate::id::{AppName, IncidentId};
use crate::incident::{Stage, Trouble};
use crate::instance::Goal;
use crate::said::{Said, Why};
use crate::spec::{HOOK_WITHIN, Hook};
use crate::words;
use crate::words::Words;

/// How long a signal or a command has to show that it helped, where the app has no check of its own:
/// as long as a restart has.
const SHOWS_WITHIN: Duration = Duration::from_secs(30);

impl Supervisor {
    /// Does a remedy that ends no process of the app.
    pub(super) fn do_deed(&mut self, id: IncidentId, remedy: &Remedy) {
        let incident = &self.incidents[&id];
        let name = incident.app.clone();
        let run = self.instances.get(&incident.instance).and_then(|it| it.phase.run());
        let verifying = Stage::Verifying { until: self.now + self.shows_span(id) };
        let (deed, timeout) = match self.hook_of(&name, remedy) {
            Some(Hook::Signal(signal)) => {
                self.effects.extend(run.map(|run| Effect::Signal { run, signal }));
                return self.set_stage(id, verifying);
            }
            Some(Hook::Runtime) => {
                let pid = self.instances.get(&incident.instance).and_then(|it| it.phase.pid());
                (pid.map(|pid| Deed::Collect { pid }), HOOK_WITHIN)
            }
            Some(Hook::Off) => (None, HOOK_WITHIN),
            Some(Hook::Command(line)) => {
                let argv = ["sh", "-c", &line].map(str::to_owned).to_vec();
                (Some(self.command_deed(id, argv)), HOOK_WITHIN)
            }
            None if *remedy == Remedy::ScaleOut => {
                if !self.may_grow(id) {
                    return self.failed(
                        id,
                        words!(
                            "it has as many instances as it may have",
                            "já tem todas as instâncias que pode ter",
                        ),
                    );
                }
                self.add_replica(&name);
                return self.set_stage(id, verifying);
            }
            None => self.deed_of(id, remedy),
        };
        let Some(deed) = deed else {
            return self.failed(
                id,
                words!(
                    "there is nothing that it could be done to",
                    "não há nada em que isso pudesse ser feito",
                ),
            );
        };
        let give_up_at = self.now + timeout + APPLY_WITHIN;
        self.effects.push(Effect::Apply { incident: id, deed: Box::new(deed), timeout });
        self.set_stage(id, Stage::Applying { run, give_up_at });
        // Whatever its instances do meanwhile.
        if let Some(incident) = self.incidents.get_mut(&id).filter(|it| it.trouble.is_deadly()) {
            incident.applies = Some(give_up_at);
        }
    }

    fn hook_of(&self, app: &AppName, remedy: &Remedy) -> Option<Hook> {
        let spec = &self.apps.get(app)?.spec;
        let hooks = &spec.heal.hooks;
        match remedy {
            Remedy::CollectGarbage => garbage_hook(spec),
            Remedy::ClearCache => hooks.clear_cache.clone(),
            Remedy::Reconnect => hooks.reconnect.clone(),
            _ => None,
        }
    }

    fn deed_of(&self, id: IncidentId, remedy: &Remedy) -> (Option<Deed>, Duration) {
        let incident = &self.incidents[&id];
        let heal = &self.apps[&incident.app].spec.heal;
        match remedy {
            Remedy::Command(command) => match heal.commands.get(command) {
                Some(command) => {
                    let argv = command.run.iter().map(|word| self.filled(id, word)).collect();
                    (Some(self.command_deed(id, argv)), command.timeout)
                }
                None => (None, HOOK_WITHIN),
            },
            Remedy::FreeDisk => {
                let (logs, caches) = (self.log_files(None), heal.caches.clone());
                (Some(Deed::FreeDisk { logs, caches, on: None }), HOOK_WITHIN)
            }
            Remedy::KillPortHolder => {
                let holders = incident.evidence.as_ref().map(|it| it.port_holders.as_slice());
                let mut holders = holders.unwrap_or_default().iter();
                let end = holders.find_map(|holder| {
                    let (pid, started_at) = (holder.pid?, holder.started_at);
                    Some(Deed::End { pid, started_at })
                });
                (end, HOOK_WITHIN)
            }
            _ => (None, HOOK_WITHIN),
        }
    }

    /// A deed was done, or could not be.
    pub(super) fn applied(&mut self, id: IncidentId, result: Result<Words, Words>) {
        let applying = |it: &&crate::incident::Incident| {
            it.is_open() && (matches!(it.stage, Stage::Applying { .. }) || it.applies.is_some())
        };
        let Some(incident) = self.incidents.get(&id).filter(applying) else {
            self.ignored += 1;
            return;
        };
        let of_disk = match incident.trouble {
            Trouble::HostDisk => true,
            Trouble::Forecast => incident.instance == crate::incident::Incident::HOST,
            _ => false,
        };
        if of_disk {
            return self.disk_deed_done(id, result);
        }
        if incident.trouble.is_deadly() {
            return self.prepared(id, result.map_err(Why::from));
        }
        match result {
            Ok(said) => {
                self.say(id, Said::Done(said));
                let until = self.now + self.shows_span(id);
                self.set_stage(id, Stage::Verifying { until });
            }
            Err(why) => self.not_applied(id, why),
        }
    }

    pub(super) fn shows_span(&self, id: IncidentId) -> Duration {
        match self.verify_span(self.incidents[&id].instance) {
            span if span.is_zero() => SHOWS_WITHIN,
            span => span,
        }
    }

    fn command_deed(&self, id: IncidentId, argv: Vec<String>) -> Deed {
        let incident = &self.incidents[&id];
        let launch = &self.apps[&incident.app].spec.launch;
        let mut env = launch.inherited_env.as_ref().clone();
        env.extend(launch.env.clone());
        env.insert("ZELADOR_PID".to_owned(), self.filled(id, "{pid}"));
        env.insert("ZELADOR_APP".to_owned(), incident.app.to_string());
        let (uid, gid) = (launch.uid.clone(), launch.gid.clone());
        Deed::Command { argv, cwd: launch.cwd.clone(), env, uid, gid }
    }

    /// A word of a command with its parameters.
    fn filled(&self, id: IncidentId, word: &str) -> String {
        let incident = &self.incidents[&id];
        let instance = self.instances.get(&incident.instance);
        let pid = instance.and_then(|it| it.phase.pid()).unwrap_or_default();
        let port = self.port_of(incident.instance).unwrap_or_default();
        word.replace("{app}", incident.app.as_str())
            .replace("{instance}", &incident.instance.to_string())
            .replace("{pid}", &pid.to_string())
            .replace("{port}", &port.to_string())
    }

    /// Whether the app of an incident may have one instance more.
    pub(super) fn may_grow(&self, id: IncidentId) -> bool {
        let app = self.incidents.get(&id).and_then(|it| self.apps.get(&it.app));
        app.is_some_and(|app| app.spec.may_grow())
    }

    fn add_replica(&mut self, name: &AppName) {
        if let Some(app) = self.apps.get_mut(name) {
            app.spec.instances += 1;
            self.changed.apps.insert(name.clone());
        }
        self.scale(name, Goal::Up, &mut Vec::new());
    }

    /// Takes back what made it worse.
    pub(super) fn undo(&mut self, id: IncidentId, remedy: &Remedy) {
        let name = self.incidents[&id].app.clone();
        let app = self.apps.get_mut(&name).filter(|app| app.spec.instances > 1);
        let Some(app) = app.filter(|_| *remedy == Remedy::ScaleOut) else { return };
        app.spec.instances -= 1;
        self.changed.apps.insert(name.clone());
        self.say(id, Said::TakenBack);
        self.scale(&name, Goal::Up, &mut Vec::new());
    }
}
