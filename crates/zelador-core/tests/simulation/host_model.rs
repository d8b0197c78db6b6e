//! A host whose memory and processors our apps and others use, in the virtual world.

use std::collections::BTreeMap;

use zelador_core::check::CheckTarget;
use zelador_core::effect::Deed;
use zelador_core::evidence::{Heavy, HeavyThread};
use zelador_core::healing::host::Pressure;
use zelador_core::id::{IncidentId, RunId};
use zelador_core::input::Fact;
use zelador_core::probe::Finding;
use zelador_core::unit::{ByteSize, Moment, Percent};

use crate::disks::DiskModel;
use crate::world::{DAWN, World};

pub const GIGABYTE: u64 = 1 << 30;

/// What an app of this host holds, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Holds {
    pub now: u64,
    /// What is left after a garbage collection, after its caches are cleared, of a new process.
    pub after_gc: u64,
    pub after_cache: u64,
    pub fresh: u64,
    /// Processor share; 100 is a core.
    pub cpu: f64,
}

/// A host of 16 GB and four cores.
#[derive(Clone, Debug, Default)]
pub struct HostModel {
    /// What processes hold that are none of zelador's.
    pub others: u64,
    pub others_cpu: f64,
    pub apps: BTreeMap<String, Holds>,
    /// Its file systems, by where they are mounted; none: nobody looks at them.
    pub disks: BTreeMap<String, DiskModel>,
    /// What was done, in order: `look`, `gc api`, `cache api`, `start api`.
    pub done: Vec<(Moment, String)>,
}

const TOTAL: u64 = 16 * GIGABYTE;
const CORES: u32 = 4;

impl HostModel {
    fn used(&self) -> u64 {
        (self.others + self.apps.values().map(|it| it.now).sum::<u64>()).min(TOTAL)
    }

    fn busy(&self) -> f64 {
        let all = self.others_cpu + self.apps.values().map(|it| it.cpu).sum::<f64>();
        (all / f64::from(CORES)).min(100.0)
    }

    /// The share of what is used that an app holds, in percent.
    pub fn share(&self, app: &str) -> f64 {
        self.apps[app].now as f64 / self.used() as f64 * 100.0
    }

    fn note(&mut self, now: Moment, what: String) {
        self.done.push((now, what));
    }
}

impl World {
    /// What a look at the host finds; `None`: this world has no host.
    pub fn find_host(&mut self, target: &CheckTarget) -> Option<Finding> {
        let now = self.now;
        let host = self.host.as_mut()?;
        match target {
            CheckTarget::Memory => {
                host.note(now, "look".to_owned());
                let (used, total) = (ByteSize::new(host.used()), ByteSize::new(TOTAL));
                Some(Finding::Memory { used, total })
            }
            CheckTarget::Cpu => {
                let busy = Percent::new(host.busy()).unwrap_or_default();
                Some(Finding::Cpu { busy, cores: CORES })
            }
            _ => None,
        }
    }

    /// The heaviest processes are asked for.
    pub fn survey(&mut self, of: Pressure) {
        let Some(host) = self.host.clone() else { return };
        let heavy = |pid, name: &str, cpu, memory, run: Option<RunId>| Heavy {
            pid,
            name: name.to_owned(),
            cpu,
            memory: ByteSize::new(memory),
            started_at: Some(DAWN),
            run,
            threads: vec![HeavyThread { name: name.to_owned(), cpu }],
        };
        let mut processes = vec![heavy(2, "mysqld", host.others_cpu, host.others, None)];
        for (run, process) in &self.guardian.runs {
            if let Some(holds) = host.apps.get(&process.app).filter(|_| process.is_alive()) {
                processes.push(heavy(100, &process.app, holds.cpu, holds.now, Some(*run)));
            }
        }
        let at = self.now + self.span(500..900);
        self.say(at, Fact::Surveyed { of, processes }, true);
    }

    /// A hook is run.
    pub fn host_hook(&mut self, incident: IncidentId, deed: &Deed) {
        self.free_disk(deed);
        let Some(name) = self.supervisor.incident(incident).map(|it| it.app.to_string()) else {
            return;
        };
        let now = self.now;
        let Some(host) = self.host.as_mut() else { return };
        let Deed::Command { argv, .. } = deed else { return };
        let Some(holds) = host.apps.get_mut(&name) else { return };
        let word = argv.last().cloned().unwrap_or_default();
        holds.now = holds.now.min(if word == "gc" { holds.after_gc } else { holds.after_cache });
        host.note(now, format!("{word} {name}"));
    }

    /// A new process of an app.
    pub fn host_start(&mut self, name: &str) {
        let now = self.now;
        let Some(host) = self.host.as_mut() else { return };
        if let Some(holds) = host.apps.get_mut(name) {
            let first = !host.done.iter().any(|(_, what)| *what == format!("start {name}"));
            if !first {
                holds.now = holds.now.min(holds.fresh);
                holds.cpu = holds.cpu.min(10.0);
            }
            host.note(now, format!("start {name}"));
        }
    }
}
