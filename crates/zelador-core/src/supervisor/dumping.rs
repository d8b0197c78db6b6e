//! More evidence than is gathered by default, where a rule asks for it: what a runtime says about its own threads.
//!
//! Always holds: it is asked for before anything is done to the process, once in an incident, and not waited for longer
//! than [`DUMP_WITHIN`].

use super::Supervisor;
use crate::effect::Effect;
use crate::evidence::Dump;
use crate::healing::{DUMP_WITHIN, Runtime};
use crate::id::IncidentId;
use crate::incident::Stage;
use crate::words;
use crate::words::Words;

impl Supervisor {
    /// Asks for it, if the cause and the runtime call for that. False: nothing is awaited.
    pub(super) fn dump(&mut self, id: IncidentId) -> bool {
        let Some(incident) = self.incidents.get(&id) else { return false };
        let Some(app) = self.apps.get(&incident.app) else { return false };
        let Some(diagnosis) = &incident.diagnosis else { return false };
        let pid = self.instances.get(&incident.instance).and_then(|it| it.phase.pid());
        let (Some(runtime), Some(pid)) = (Runtime::to_ask(diagnosis.cause, &app.spec), pid) else {
            return false;
        };
        let timeout = DUMP_WITHIN;
        self.effects.push(Effect::Dump { incident: id, pid, runtime, timeout });
        self.set_stage(id, Stage::Dumping { give_up_at: self.now + timeout });
        true
    }

    /// It is there, or will not be.
    pub(super) fn dumped(&mut self, id: IncidentId, dump: Result<Dump, Words>) {
        let dumping = |it: &&mut crate::incident::Incident| {
            it.is_open() && matches!(it.stage, Stage::Dumping { .. })
        };
        let Some(incident) = self.incidents.get_mut(&id).filter(dumping) else {
            self.ignored += 1;
            return;
        };
        let told = match &dump {
            Ok(Dump { of, lines }) => {
                let count = lines.len();
                words!(
                    "more evidence: {of}, {count} lines",
                    "mais evidências: {of}, {count} linhas"
                )
            }
            Err(why) => {
                words!("no more evidence: {why}", "sem mais evidências: {why}", why = why)
            }
        };
        if let Some(evidence) = &mut incident.evidence {
            match dump {
                Ok(dump) => evidence.dumps.push(dump),
                Err(why) => evidence.missing.push(why),
            }
        }
        self.tell(id, told);
        self.ask_or_treat(id);
    }
}
