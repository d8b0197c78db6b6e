//! Asks the guardian for a process, and takes over what it has begun.

use std::os::fd::OwnedFd;

use zelador_core::death::SpawnFailure;
use zelador_core::id::RunId;
use zelador_core::input::Fact;
use zelador_core::launch::Launch;
use zelador_core::words::Words;
use zelador_guardian::message::{Stage, ToGuardian};
use zelador_guardian::{Descriptors, Kept};

use crate::logs::Logs;
use crate::processes::cgroup;

use super::sources::{Label, sources_of};
use super::{Handed, Heard, Native, Run, launch};

impl Native {
    pub(super) fn spawned(
        &mut self,
        run: RunId,
        pid: u32,
        start_time: u64,
        descriptors: Descriptors,
        logs: &Logs,
    ) -> Heard {
        let Some(state) = self.runs.get_mut(&run) else { return Heard::Nothing };
        state.request = None;
        state.kept.pid = pid;
        state.kept.start_time = start_time;
        state.kept.leads_group = true;
        for source in sources_of(run, &descriptors, &state.kept.label) {
            logs.attach(source);
        }
        state.kept.descriptors = descriptors;
        Heard::Fact(Fact::Spawned { run, pid: i32::try_from(pid).unwrap_or_default() })
    }

    /// There is no process, nor will there be one.
    pub(super) fn not_spawned(&mut self, run: RunId, stage: Stage, errno: i32) -> Heard {
        let state = self.runs.remove(&run);
        if let Some(group) = state.as_ref().and_then(|state| state.group.as_ref()) {
            cgroup::remove(group);
        }
        let intent = state.map(|state| state.intent).unwrap_or_default();
        let failure = launch::failure(stage, errno, &intent);
        Heard::Fact(Fact::SpawnFailed { run, failure })
    }

    /// Asks for a process; a failure that shows before the guardian is asked is returned.
    /// Returns what is not held of its limits; empty: nothing.
    pub fn spawn(
        &mut self,
        run: RunId,
        launch: &Launch,
        handed: Handed,
    ) -> Result<Vec<Words>, SpawnFailure> {
        let label = serde_json::to_vec(&Label::of(launch)).unwrap_or_default();
        let mut request = launch::request(launch, label.clone(), &handed)?;
        self.last_run = self.last_run.max(Some(run));
        let folder = self.make_group(run);
        request.cgroup = folder.is_some();
        let group = self.groups.as_ref().filter(|_| folder.is_some()).map(|it| it.path(run));
        let held = self.controllers.hold(run, &launch.limits, group.as_deref());
        request.extras.cgroups = held.enter.len() as u8;
        let kept = Kept {
            run: run.number(),
            pid: 0,
            start_time: 0,
            label,
            ended: None,
            linger: false,
            foreign: false,
            leads_group: true,
            descriptors: Descriptors::default(),
        };
        let intent = launch::Refused::of(launch);
        let passed: Vec<OwnedFd> =
            folder.into_iter().chain(held.enter).chain(handed.descriptors).collect();
        // A request with more than its group is not made again without.
        let again = request.cgroup && passed.len() == 1;
        let state = Run {
            kept,
            group,
            request: again.then(|| Box::new(request.clone())),
            intent,
            killed: false,
            death: None,
            recorded: false,
            drained: false,
        };
        self.runs.insert(run, state);
        self.link.send_with(ToGuardian::Spawn { run: run.number(), launch: request }, passed);
        Ok(held.not_held)
    }
}
