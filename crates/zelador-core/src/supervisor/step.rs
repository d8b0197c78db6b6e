//! One step: what happened is taken in, what follows is settled, what changed is recorded.

use crate::check::Check;
use crate::effect::Effect;
use crate::id::AppName;
use crate::incident::Incident;
use crate::input::{Fact, Input};
use crate::instance::Retiring;
use crate::record::Record;
use crate::unit::Moment;

use super::{Deadline, Supervisor, watching};

impl Supervisor {
    /// Takes in one input at `now`; returns what must be done, in order.
    pub fn step(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        self.note_input(now, input);
        self.settle_heard()
    }

    /// Changes what the input is about, and nothing that only follows from it.
    pub(super) fn note_input(&mut self, now: Moment, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Command(ticket, command) => self.command(ticket, command),
            Input::Fact(fact) => self.fact(fact),
            Input::Tick => self.tick(),
        }
    }

    /// Tells the time without anything having happened, so that a view shows it.
    pub fn tell_time(&mut self, now: Moment) {
        self.now = self.now.max(now);
    }

    /// When to call `step` with [`Input::Tick`] if nothing else happens, and why.
    pub fn next_deadline(&self) -> Option<(Moment, Deadline)> {
        self.deadlines.first()
    }

    fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::Inventory { runs } => self.take_inventory(&runs),
            Fact::AskedToEnd => self.end_era(),
            Fact::Spawned { run, pid } => self.spawned(run, pid),
            Fact::EnvRead { run, env } => self.env_read(run, env),
            Fact::SpawnFailed { run, failure } => self.spawn_failed(run, failure),
            Fact::Ready { run, by } => self.said_ready(run, by),
            Fact::Notified { run, said } => self.notified(run, *said),
            Fact::Listened { run, waits } => self.listened(run, waits),
            Fact::NotLimited { run, why } => self.not_limited(run, &why),
            Fact::Told { run, told } => self.told(run, told),
            Fact::Exited { run, death } => self.exited(run, death),
            Fact::Swept { run } => self.swept(run),
            Fact::Looked { probe, outcome } => self.looked(probe, &outcome),
            Fact::Heartbeat { name } => self.heartbeat(name),
            Fact::CallWanted { call, wanted } => self.call_wanted(call, *wanted),
            Fact::CallRepeated { call } => self.call_repeated(call),
            Fact::CallEnded { call, took, failed } => self.call_ended(call, took, failed),
            Fact::CallDropped { call } => self.call_dropped(call),
            Fact::Attempted { operation, attempt } => self.attempted(&operation, attempt),
            Fact::Sampled { usages } => self.sampled(&usages),
            Fact::PortTaken { instance, died_at, holders } => {
                self.port_taken(instance, died_at, holders);
            }
            Fact::Gathered { incident, evidence } => self.gathered(incident, *evidence),
            Fact::Dumped { incident, dump } => self.dumped(incident, dump),
            Fact::Advised { incident, advice } => self.advised(incident, advice),
            Fact::Surveyed { of, processes } => self.surveyed(of, &processes),
            Fact::Applied { incident, result } => self.applied(incident, result),
            Fact::Watching { app, folders } => self.watches_folders(&app, folders),
            Fact::CannotWatch { app, reason } => self.cannot_watch(&app, &reason),
            Fact::FilesChanged { app, paths, more } => self.files_changed(&app, &paths, more),
            Fact::Delivered { delivery, outcome } => self.delivered(delivery, outcome),
            Fact::Pinged { id, went } => self.pinged(id, went),
            Fact::ClockJumped { ahead_micros } => {
                self.clock_ahead = ahead_micros;
                let apps: Vec<AppName> = self.apps.keys().cloned().collect();
                apps.iter().for_each(|app| self.plan_cron(app));
                self.plan_maintenance();
            }
            Fact::BaseSettings(base) => {
                self.base = *base;
                self.settings_changed();
            }
            Fact::ModuleSettings(modules) => {
                self.modules = *modules;
                self.settings_changed();
            }
            Fact::Layers { base, modules } => {
                (self.base, self.modules) = (*base, *modules);
                self.settings_changed();
            }
        }
    }

    /// Handles every deadline that has passed.
    fn tick(&mut self) {
        for deadline in self.deadlines.due(self.now) {
            match deadline {
                Deadline::Instance(id) => self.instance_due(id),
                Deadline::Retiring(run) => self.retiring_due(run),
                Deadline::Check(id) => self.check_due(&id),
                Deadline::Command(ticket) => self.command_due(ticket),
                Deadline::Cron(app) => self.cron_due(&app),
                Deadline::Watch(app) => self.watch_due(&app),
                Deadline::Desk => self.desk_due(),
                Deadline::Pulse => self.pulse_due(),
                Deadline::Ledger => self.ledger_due(),
                Deadline::Maintenance => self.plan_maintenance(),
                Deadline::Incident(id) => {
                    self.changed.incidents.insert(id);
                    self.changed.world = true;
                }
            }
        }
    }

    /// Brings everything that depends on what the step touched up to date, until nothing moves.
    pub(super) fn settle(&mut self) {
        let changed = self.changed.apps.iter().filter_map(|name| self.apps.get(name));
        if changed.into_iter().any(|app| !app.spec.maintenance.is_empty()) {
            self.plan_maintenance();
        }
        // Every round moves an incident to a later stage, or starts or stops an instance; a handful of
        // rounds is the longest chain there is.
        for _ in 0..16 {
            if !self.knows_runs || !std::mem::take(&mut self.changed.world) {
                break;
            }
            self.drive_reloads();
            self.drive_incidents();
            self.drive_stops();
            // Last: whether what a start needs is about to end is known by now.
            self.release_held();
        }
        self.plan_watches();
        self.hurry_dependencies();
        self.answer_pending();
        self.tell_people();
        self.refresh_deadlines();
        self.write_records();
    }

    /// Sets the deadlines of everything that was touched anew.
    pub(super) fn refresh_deadlines(&mut self) {
        self.plan_ledger();
        for id in &self.changed.instances {
            let deadline = self.instances.get(id).and_then(|instance| {
                let app = self.apps.get(&instance.app)?;
                instance.deadline(app.spec.restart.min_uptime)
            });
            self.deadlines.set(Deadline::Instance(*id), deadline);
        }
        for run in &self.changed.retiring {
            let deadline = self.retiring.get(run).map(Retiring::deadline);
            self.deadlines.set(Deadline::Retiring(*run), deadline);
        }
        for id in &self.changed.incidents {
            let deadline = self.incidents.get(id).and_then(Incident::deadline);
            self.deadlines.set(Deadline::Incident(*id), deadline);
        }
        for id in std::mem::take(&mut self.changed.checks) {
            let deadline = self.checks.get(&id).map(Check::deadline);
            self.deadlines.set(Deadline::Check(id), deadline);
        }
        for name in std::mem::take(&mut self.changed.watches) {
            let deadline = self.watches.get(&name).and_then(watching::Watch::deadline);
            self.deadlines.set(Deadline::Watch(name), deadline);
        }
        for name in &self.changed.apps {
            let deadline = self.apps.get(name).and_then(|app| app.cron_at);
            self.deadlines.set(Deadline::Cron(name.clone()), deadline);
        }
    }

    /// Writes a record for everything that was touched.
    fn write_records(&mut self) {
        if std::mem::take(&mut self.changed.counters) {
            self.records.push(Record::Counters(self.counters));
        }
        if std::mem::take(&mut self.changed.history) {
            self.records.push(Record::History(Box::new(self.history.clone())));
        }
        for name in std::mem::take(&mut self.changed.apps) {
            self.records.push(match self.apps.get(&name) {
                Some(app) => Record::App(app.spec.clone()),
                None => Record::AppGone(name),
            });
        }
        for id in std::mem::take(&mut self.changed.instances) {
            self.records.push(match self.instances.get(&id) {
                Some(instance) => Record::Instance(instance.clone()),
                None => Record::InstanceGone(id),
            });
        }
        for run in std::mem::take(&mut self.changed.retiring) {
            self.records.push(match self.retiring.get(&run) {
                Some(retiring) => Record::Retiring(Box::new(retiring.clone())),
                None => Record::Retired(run),
            });
        }
        for id in std::mem::take(&mut self.changed.incidents) {
            self.records.push(match self.incidents.get(&id) {
                Some(incident) => Record::Incident(Box::new(incident.clone())),
                None => Record::IncidentGone(id),
            });
        }
        self.records.extend(self.desk.changes());
    }
}
