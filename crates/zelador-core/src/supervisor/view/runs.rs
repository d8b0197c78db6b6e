//! Which runs there are, and whose.

use crate::id::{AppName, CheckId, InstanceId, ProbeId, RunId};
use crate::instance::Phase;
use crate::spec::SocketSpec;

use super::Supervisor;

impl Supervisor {
    /// Whose run this is.
    pub fn app_of(&self, run: RunId) -> Option<AppName> {
        Some(self.instances.get(self.runs.get(&run)?)?.app.clone())
    }

    /// The main process of a current run: the one that was started, or that it has named since.
    pub fn main_pid_of(&self, run: RunId) -> Option<i32> {
        let instance = self.instances.get(self.runs.get(&run)?)?;
        instance.phase.pid().filter(|_| instance.is_current(run))
    }

    /// Of which instance this is the run, and of which app.
    pub fn instance_of(&self, run: RunId) -> Option<(AppName, InstanceId)> {
        let instance = self.instances.get(self.runs.get(&run)?)?;
        Some((instance.app.clone(), instance.id))
    }

    /// Which check a look under way belongs to.
    pub fn check_of(&self, probe: ProbeId) -> Option<&CheckId> {
        self.probes.get(&probe)
    }

    /// The socket in this place of an app's declaration.
    pub fn socket_at(&self, app: &AppName, index: usize) -> Option<&SocketSpec> {
        self.apps.get(app)?.spec.sockets.get(index)
    }

    /// Whether an app declares a socket that listens there with these permissions (`None`: the usual ones).
    pub fn has_socket(&self, app: &AppName, listen: &str, mode: Option<u32>) -> bool {
        let sockets = self.apps.get(app).into_iter().flat_map(|app| &app.spec.sockets);
        sockets
            .into_iter()
            .any(|socket| socket.listen.to_string() == listen && socket.unusual_mode() == mode)
    }

    /// The run of an instance whose process is up.
    pub fn run_of(&self, id: InstanceId) -> Option<RunId> {
        match self.instances.get(&id)?.phase {
            Phase::Running { run, .. } => Some(run),
            _ => None,
        }
    }

    /// How many processes of an app are up, those included whose place was taken.
    pub fn live_runs_of(&self, app: &AppName) -> usize {
        let mine = self.runs.values().filter_map(|id| self.instances.get(id));
        mine.filter(|instance| instance.app == *app).count()
    }

    /// Whether an app has, or is about to have, a process that may want its ports.
    pub fn wants_ports(&self, app: &AppName) -> bool {
        self.retiring.values().any(|retiring| retiring.app == *app)
            || self.instances.values().filter(|instance| instance.app == *app).any(|instance| {
                let waits = matches!(instance.phase, Phase::Backoff { .. });
                instance.phase.run().is_some() || waits
            })
    }

    /// The runs that have a process, and of which nobody knows yet what they use.
    pub fn unsampled_runs(&self) -> Vec<RunId> {
        let new = self.instances.values().filter(|instance| instance.usage.is_none());
        let run = |phase: &Phase| match phase {
            Phase::Running { run, .. } => Some(*run),
            _ => None,
        };
        new.filter_map(|instance| run(&instance.phase)).collect()
    }

    /// The runs that have a process, with its pid: what the sampler looks at.
    pub fn live_runs(&self) -> Vec<(RunId, i32)> {
        let run = |phase: &Phase| match phase {
            Phase::Running { run, pid, .. } => Some((*run, *pid)),
            _ => None,
        };
        self.instances.values().filter_map(|instance| run(&instance.phase)).collect()
    }
}
