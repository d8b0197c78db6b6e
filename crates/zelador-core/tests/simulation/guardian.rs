//! The virtual processes, and what the guardian knows of them.

use std::collections::BTreeMap;
use std::time::Duration;

use zelador_core::death::Death;
use zelador_core::id::{InstanceId, RunId};
use zelador_core::input::KnownRun;
use zelador_core::probe::Finding;
use zelador_core::unit::{ByteSize, Moment, SECOND};

use crate::script::Behaviour;

/// One virtual process with its children.
#[derive(Clone, Debug)]
pub struct Process {
    pub instance: InstanceId,
    pub app: String,
    pub pid: i32,
    pub born: Moment,
    pub behaviour: Behaviour,
    /// How the main process ended.
    pub death: Option<Death>,
    /// Whether children are there.
    pub children: bool,
    /// It saw the database down, and will not get over it.
    pub poisoned: bool,
    /// An engine has recorded its end.
    pub recorded: bool,
    /// It was asked to end.
    pub asked: bool,
}

impl Process {
    pub fn is_alive(&self) -> bool {
        self.death.is_none()
    }

    pub fn is_hung(&self, now: Moment) -> bool {
        matches!(self.behaviour, Behaviour::HangsAfter(age) if now.since(self.born) >= age)
    }

    /// Whether it ends when the stop signal comes.
    pub fn listens(&self, now: Moment) -> bool {
        self.behaviour != Behaviour::Stubborn && !self.is_hung(now)
    }

    pub fn memory(&self, now: Moment) -> ByteSize {
        let age = now.since(self.born).as_secs();
        ByteSize::mebibytes(if self.behaviour == Behaviour::Leaky { 10 + age * 10 } else { 10 })
    }

    /// Whether it does its work for others.
    pub fn serves(&self, now: Moment) -> bool {
        self.is_alive() && !self.is_hung(now) && self.behaviour != Behaviour::Sick
    }

    /// What its own check finds; `needed_up`: the app that it needs serves.
    pub fn answer(&mut self, now: Moment, database_up: bool, needed_up: bool) -> Finding {
        let wrong = Finding::WrongAnswer { detail: zelador_core::words::quoted("HTTP 500") };
        if self.is_hung(now) {
            return Finding::TimedOut {
                detail: zelador_core::words::quoted("no answer within 1 s"),
            };
        }
        match self.behaviour {
            Behaviour::Sick => wrong,
            Behaviour::ComesAndGoes { until } if now.since(self.born) < until => {
                let is_bad = now.since(self.born).as_secs() / 25 % 2 == 1;
                let detail = zelador_core::words::quoted("HTTP 200");
                if is_bad { wrong } else { Finding::Answered { detail } }
            }
            Behaviour::Busy { until } if now.since(self.born) < until => {
                // Longer than anybody waits, once in a while.
                let wait = if now.since(self.born).as_secs().is_multiple_of(7) { 600 } else { 20 };
                let detail = zelador_core::words::quoted("HTTP 503");
                Finding::Busy { detail, retry_after: wait * SECOND }
            }
            Behaviour::SickWithDatabase if !database_up => wrong,
            Behaviour::SickWith(_) if !needed_up => wrong,
            Behaviour::SickForGoodWithDatabase if !database_up || self.poisoned => wrong,
            _ => Finding::Answered { detail: zelador_core::words::quoted("HTTP 200") },
        }
    }
}

/// What the guardian keeps, and how busy it is.
#[derive(Clone, Debug, Default)]
pub struct Guardian {
    pub runs: BTreeMap<RunId, Process>,
    /// Requests are carried out one after the other, none before this.
    pub busy_until: Moment,
    next_pid: i32,
}

impl Guardian {
    pub fn fork(
        &mut self,
        run: RunId,
        instance: InstanceId,
        app: String,
        behaviour: Behaviour,
        now: Moment,
    ) -> i32 {
        self.next_pid += 1;
        let pid = 1000 + self.next_pid;
        let process = Process {
            instance,
            app,
            pid,
            born: now,
            behaviour,
            death: None,
            children: behaviour == Behaviour::Forking,
            poisoned: false,
            recorded: false,
            asked: false,
        };
        self.runs.insert(run, process);
        pid
    }

    /// Whether a process of this app does its work.
    pub fn serves(&self, app: &str, now: Moment) -> bool {
        self.runs.values().any(|process| process.app == app && process.serves(now))
    }

    /// The runs of this instance whose main process lives.
    pub fn living(&self, instance: InstanceId) -> impl Iterator<Item = RunId> {
        let mine = move |process: &Process| process.instance == instance && process.is_alive();
        self.runs.iter().filter(move |(_, process)| mine(process)).map(|(run, _)| *run)
    }

    /// What it tells a new engine. A run is forgotten when its end was recorded and nothing of it
    /// is left (its log pipe is drained).
    pub fn inventory(&mut self) -> Vec<KnownRun> {
        self.runs.retain(|_, it| it.is_alive() || it.children || !it.recorded);
        let known = |(run, process): (&RunId, &Process)| KnownRun {
            run: *run,
            pid: process.pid,
            death: process.death.clone(),
            instance: Some(process.instance),
            asked: process.asked,
        };
        self.runs.iter().map(known).collect()
    }
}

/// How long after its birth a process of this kind ends of itself.
pub fn lifetime(behaviour: Behaviour, rng: &mut fastrand::Rng) -> Option<Duration> {
    match behaviour {
        Behaviour::Mortal(about) => Some(about.mul_f64(rng.f64() * 2.0)),
        Behaviour::Stillborn | Behaviour::Broken | Behaviour::Damaged | Behaviour::PortTaken => {
            Some(SECOND * rng.u32(0..60) / 1000)
        }
        Behaviour::Forking => Some(rng.u32(1..10) * SECOND),
        _ => None,
    }
}
