//! The supervisor: told the time and what happened, it answers with what to do.
//!
//! Always holds: never two live processes of one instance; records come before the effects that
//! rest on them; a fact about an old run changes nothing but a counter; handling a deadline moves
//! it on.

mod actions;
mod ahead;
mod asked;
mod calls;
mod change;
mod channels;
mod check_plan;
mod checks;
mod coming_up;
mod commands;
mod common_cause;
mod consulting;
mod crashes;
mod deaths;
mod declare;
mod deeds;
mod dependencies;
mod dumping;
mod era;
mod foreseeing;
mod foreseeing_disks;
mod full_disk;
mod gather;
mod heal;
mod health;
mod heartbeats;
mod held;
mod holding;
mod host;
mod instances;
mod leaving_down;
mod left_alone;
mod lifecycle;
mod look_calls;
mod maintenance;
mod next_start;
mod notified;
mod notifying;
mod order;
mod orders;
mod planned;
mod ports;
mod preparing;
mod prerequisites;
mod pulse;
mod raising;
mod recover;
mod reload;
mod remedy;
mod reopening;
mod reported;
mod resilience;
mod retiring;
mod scale;
mod select;
mod step;
mod stops;
mod together;
mod told_by_cause;
mod treat;
mod usual;
mod view;
mod waiting;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::breaker::Breakers;
use crate::check::{Check, Usual};
use crate::config::Overlay;
use crate::course::Course;
use crate::effect::{Effect, Notice, Severity};
use crate::evidence::Asked;
use crate::healing::History;
use crate::id::{AppName, CheckId, IncidentId, InstanceId, ProbeId, RunId};
use crate::incident::Incident;
use crate::input::ModuleSettings;
use crate::instance::{Instance, Retiring};
use crate::notify::Desk;
use crate::pulse::Pulse;
use crate::record::{Counters, Era, Record};
use crate::retry::Ledger;
use crate::spec::{AppSpec, Settings};
use crate::unit::Moment;
use crate::words::Words;

pub use heartbeats::Heard;
pub use left_alone::LeftAlone;
pub use maintenance::Aside;
pub use order::Deadline;
pub use remedy::OwnPolicies;
pub use resilience::{BreakerView, RetryView};
pub use view::{
    AppView, CheckView, GroupView, HealthView, IncidentView, InstanceView, Readiness, Saved,
    SimpleHealth, VerdictView, View,
};

use commands::Pending;
use order::Deadlines;
use reload::Reload;

/// What the supervisor is given once, because it may not ask the host for it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// `$ZELADOR_HOME`.
    pub home: PathBuf,
    /// The host's time zone, for cron.
    pub zone: TimeZone,
    /// Where its random numbers begin.
    pub seed: u64,
    /// The kernel's name for this boot of the host; empty: unknown.
    pub boot: String,
    /// When the engine before was last known to be up.
    pub last_up: Option<Moment>,
}

/// One app and what the supervisor knows about it as a whole.
#[derive(Clone, Debug)]
struct App {
    /// Apart: it is large, and a node of a map has room for twice as many as are in it.
    spec: Box<AppSpec>,
    /// When the clock asks for the next restart.
    cron_at: Option<Moment>,
}

/// Decides everything, does nothing.
pub struct Supervisor {
    home: PathBuf,
    zone: TimeZone,
    boot: String,
    last_up: Option<Moment>,
    era: Era,
    rng: fastrand::Rng,
    now: Moment,
    started_at: Moment,
    /// How far the wall clock is ahead of `now`, in microseconds.
    clock_ahead: i64,
    base: Overlay,
    overlay: Overlay,
    modules: ModuleSettings,
    settings: Settings,
    counters: Counters,
    ahead: ahead::Ahead,
    apps: BTreeMap<AppName, App>,
    instances: instances::Instances,
    retiring: BTreeMap<RunId, Retiring>,
    reloads: BTreeMap<AppName, Reload>,
    incidents: BTreeMap<IncidentId, Incident>,
    /// What was done to apps, and whether it helped.
    history: History,
    checks: BTreeMap<CheckId, Check>,
    probes: BTreeMap<ProbeId, CheckId>,
    next_probe: u64,
    /// When services called that call by themselves, now and by the records.
    heartbeats: BTreeMap<String, (Heard, Heard)>,
    /// Who asks to be left alone.
    left_alone: BTreeMap<CheckId, LeftAlone>,
    /// Who hears that this zelador lives.
    pulse: Option<Pulse>,
    /// What is muted, or in maintenance.
    aside: maintenance::Rests,
    /// What is usual of what is measured, by check and measure.
    usual: BTreeMap<String, Usual>,
    /// How pressed the host is.
    pressed: host::Pressures,
    calls: calls::Calls,
    ledger: Ledger,
    breakers: Breakers,
    runs: BTreeMap<RunId, InstanceId>,
    watches: BTreeMap<AppName, watching::Watch>,
    /// What runs used over their lives; not kept over a restart of zelador.
    courses: BTreeMap<RunId, Course>,
    /// How full file systems were lately; not kept either.
    disk_courses: foreseeing_disks::DiskCourses,
    /// What was asked for, of which instance, the latest first; not kept either.
    asked: BTreeMap<InstanceId, Vec<Asked>>,
    /// Who is told what.
    desk: Desk,
    /// The desk has not seen the incidents yet that an engine before this one left.
    desk_is_new: bool,
    /// Instances of which it was asked within the last second whether their port was taken.
    asked_ports: BTreeMap<InstanceId, Moment>,
    pending: Vec<Pending>,
    deadlines: Deadlines,
    stopping: bool,
    /// It is known which runs live. Before that nothing is started: what begins before the inventory is
    /// not in it, and would be started again.
    knows_runs: bool,
    /// Facts about runs and looks that are over.
    ignored: u64,
    left_out: Vec<String>,
    changed: Changed,
    /// Facts were heard that are not settled yet.
    unsettled: bool,
    records: Vec<Record>,
    effects: Vec<Effect>,
}

/// What the current step touched, so that it is recorded and its deadlines are set anew.
#[derive(Default)]
struct Changed {
    apps: BTreeSet<AppName>,
    instances: BTreeSet<InstanceId>,
    retiring: BTreeSet<RunId>,
    incidents: BTreeSet<IncidentId>,
    checks: BTreeSet<CheckId>,
    watches: BTreeSet<AppName>,
    counters: bool,
    history: bool,
    /// Something happened that an incident or a held instance may wait for.
    world: bool,
}

impl Supervisor {
    /// Returns a supervisor of nothing.
    pub fn new(surroundings: Surroundings, now: Moment) -> Self {
        let mut supervisor = Self {
            home: surroundings.home,
            zone: surroundings.zone,
            era: Era { boot: surroundings.boot.clone(), ended_at: None },
            boot: surroundings.boot,
            last_up: surroundings.last_up,
            rng: fastrand::Rng::with_seed(surroundings.seed),
            now,
            started_at: now,
            clock_ahead: 0,
            base: Overlay::default(),
            overlay: Overlay::default(),
            modules: ModuleSettings::default(),
            settings: Settings::default(),
            counters: Counters::default(),
            ahead: ahead::Ahead::default(),
            apps: BTreeMap::new(),
            instances: instances::Instances::default(),
            retiring: BTreeMap::new(),
            reloads: BTreeMap::new(),
            incidents: BTreeMap::new(),
            history: History::default(),
            checks: BTreeMap::new(),
            probes: BTreeMap::new(),
            next_probe: 0,
            heartbeats: BTreeMap::new(),
            left_alone: BTreeMap::new(),
            pulse: None,
            aside: maintenance::Rests::default(),
            usual: BTreeMap::new(),
            pressed: host::Pressures::new(),
            calls: calls::Calls::default(),
            ledger: Ledger::default(),
            breakers: Breakers::default(),
            runs: BTreeMap::new(),
            watches: BTreeMap::new(),
            courses: BTreeMap::new(),
            disk_courses: foreseeing_disks::DiskCourses::default(),
            asked: BTreeMap::new(),
            desk: Desk::default(),
            desk_is_new: true,
            asked_ports: BTreeMap::new(),
            pending: Vec::new(),
            deadlines: Deadlines::default(),
            stopping: false,
            knows_runs: true,
            ignored: 0,
            left_out: Vec::new(),
            changed: Changed::default(),
            unsettled: false,
            records: Vec::new(),
            effects: Vec::new(),
        };
        supervisor.plan_checks();
        supervisor.settle();
        supervisor.effects.clear();
        supervisor
    }

    /// Notes that an instance was touched, and that others may wait for that.
    fn touch(&mut self, id: InstanceId) {
        self.changed.instances.insert(id);
        self.changed.world = true;
    }

    /// Records that could not be read, by their keys: nothing is known of what was in them.
    pub fn leave_out(&mut self, keys: Vec<String>) {
        self.left_out = keys;
    }

    fn notify(&mut self, severity: Severity, subject: impl Into<String>, text: Words) {
        let subject = subject.into();
        let notice = Notice { severity, subject, text, check: None };
        self.effects.push(Effect::Notify(notice));
    }

    /// Lets apps that were declared from the same environment share one copy of it.
    fn share_environment(&self, spec: &mut AppSpec) {
        let same = |app: &&App| app.spec.launch.inherited_env == spec.launch.inherited_env;
        if let Some(other) = self.apps.values().find(same) {
            spec.launch.inherited_env = Arc::clone(&other.spec.launch.inherited_env);
        }
    }

    /// The instances of an app, in the order of their index.
    fn instances_of(&self, app: &AppName) -> Vec<InstanceId> {
        let mut found: Vec<&Instance> = self.instances.of_app(app).collect();
        found.sort_by_key(|instance| instance.index);
        found.into_iter().map(|instance| instance.id).collect()
    }

    /// The instance as people call it: the app's name, with the index where there are several.
    fn spoken_name(&self, id: InstanceId) -> String {
        let Some(instance) = self.instances.get(&id) else { return format!("instance {id}") };
        match self.apps.get(&instance.app) {
            Some(app) if app.spec.instances > 1 => format!("{}/{}", instance.app, instance.index),
            _ => instance.app.to_string(),
        }
    }
}
