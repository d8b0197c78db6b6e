//! Ports that apps could not get: who has them.

use super::Supervisor;
use crate::config::declared_port;
use crate::effect::Effect;
use crate::evidence::PortHolder;
use crate::id::InstanceId;
use crate::unit::{Moment, SECOND};
use crate::words::Words;

impl Supervisor {
    /// The port that an instance was told to use, as far as its environment says so.
    pub(super) fn port_of(&self, id: InstanceId) -> Option<u16> {
        let instance = self.instances.get(&id)?;
        let launch = &self.apps.get(&instance.app)?.spec.launch;
        let file = instance.file_env.as_ref();
        declared_port(&launch.env)
            .or_else(|| file.and_then(declared_port))
            .or_else(|| declared_port(&launch.inherited_env))
    }

    /// Asks whether the last run ended because its port was taken; once a second where it keeps
    /// ending.
    pub(super) fn ask_about_port(&mut self, id: InstanceId) {
        let (logs, port, now) = (self.logs_of(id), self.port_of(id), self.now);
        self.asked_ports.retain(|_, at| now.since(*at) < SECOND);
        if self.asked_ports.contains_key(&id) {
            return;
        }
        self.asked_ports.insert(id, now);
        self.effects.push(Effect::Explain { instance: id, died_at: now, logs, port });
    }

    /// A run ended because its port was taken.
    pub(super) fn port_taken(
        &mut self,
        id: InstanceId,
        died_at: Moment,
        mut holders: Vec<PortHolder>,
    ) {
        // What came after it cannot have been its cause: the next run of the same app, most likely.
        holders.retain(|holder| holder.started_at.is_none_or(|at| at < died_at));
        if holders.is_empty() {
            return;
        }
        for holder in &mut holders {
            holder.app = self.app_of_holder(holder);
        }
        let said: Vec<Words> = holders.iter().map(|holder| holder.spoken(died_at)).collect();
        let Some(instance) = self.instances.get_mut(&id) else {
            self.ignored += 1;
            return;
        };
        if let Some(death) = instance.deaths.iter_mut().find(|death| death.at == died_at) {
            death.explained = Some(Words::joined(&said, "; "));
            self.changed.instances.insert(id);
        }
    }

    /// The instance that a process belongs to, if it is one of this zelador.
    pub(super) fn app_of_holder(&self, holder: &PortHolder) -> Option<String> {
        let is_ours = holder.home.as_deref().is_some_and(|home| self.home.as_os_str() == home);
        let id = holder.run.filter(|_| is_ours).and_then(|run| self.runs.get(&run))?;
        Some(self.spoken_name(*id))
    }
}
