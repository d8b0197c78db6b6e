//! Whether runs ended with zelador or with the host: nothing was wrong with them.
//!
//! Always holds: what ended so is no death, counts for no limit, opens no incident, and is started again.

use crate::effect::Effect;
use crate::id::{InstanceId, RunId};
use crate::instance::Cause;
use crate::launch::pid_path;
use crate::record::{Era, Record};

use super::Supervisor;

impl Supervisor {
    /// Zelador is asked to end, and will stop everything.
    pub(super) fn end_era(&mut self) {
        // The engine before may have been told already.
        self.era.ended_at.get_or_insert(self.now);
        self.records.push(Record::Era(self.era.clone()));
    }

    /// Another engine begins. Returns why what is gone has ended, unless nobody knows.
    pub(super) fn begin_era(&mut self) -> Option<Cause> {
        let now = Era { boot: self.boot.clone(), ended_at: None };
        if now == self.era {
            return None;
        }
        self.records.push(Record::Era(now.clone()));
        let before = std::mem::replace(&mut self.era, now);
        let is_known = !before.boot.is_empty() && !self.boot.is_empty();
        match before.ended_at {
            ended_at if is_known && before.boot != self.boot => {
                Some(Cause::HostRestarted { ended_at: ended_at.or(self.last_up) })
            }
            Some(ended_at) => Some(Cause::ZeladorRestarted { ended_at }),
            None => None,
        }
    }

    /// The run of an instance is gone, and that is why: another one begins.
    pub(super) fn resume(&mut self, id: InstanceId, run: RunId, why: &Cause) {
        self.runs.remove(&run);
        self.end_check(id);
        let ended_at = why.ended_at().unwrap_or(self.now);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.keep_footing(ended_at);
        instance.usage = None;
        if let Some(app) = self.apps.get(&instance.app) {
            self.effects.push(Effect::RemovePid { path: pid_path(&app.spec, id, &self.home) });
        }
        self.verify_anew(id, run);
        self.note_cause(id, why.clone());
        self.start_as_noted(id, false);
    }
}
