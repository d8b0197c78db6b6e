//! What the screen knows: the last look at the engine, what was kept of the looks before, and what
//! the person at the keyboard has chosen.
//!
//! Always holds: what is chosen is an instance that is listed, as long as there is one; an instance
//! stays chosen by its number when the list changes around it.

use std::collections::{BTreeMap, VecDeque};

use jiff::tz::TimeZone;
use zelador_api::id::InstanceId;
use zelador_api::unit::{ByteSize, Moment, Percent};
use zelador_api::{AppView, Incident, InstanceView, Question, View};

use super::log::Log;
use crate::render::order::Order;

/// So many samples of each instance are kept: 5 minutes, at a look a second.
pub const SAMPLES_KEPT: usize = 300;

/// A message stands for so many looks: seconds.
pub const MESSAGE_STANDS: u32 = 8;

/// Everything that is drawn.
#[derive(Debug)]
pub struct State {
    /// Whether the engine answers.
    pub link: Link,
    /// The last look.
    pub view: View,
    /// The declarations that came with it, by number.
    pub apps: BTreeMap<InstanceId, AppView>,
    /// The latest first.
    pub incidents: Vec<Incident>,
    /// The host.
    pub host: Host,
    /// Shares of the host's processors, the latest last.
    pub host_cpu: VecDeque<f64>,
    /// What each instance used, the latest last.
    pub samples: BTreeMap<InstanceId, VecDeque<Sample>>,
    /// Which instance is chosen.
    pub chosen: Option<InstanceId>,
    /// The first row of the list that is shown.
    pub first_row: usize,
    /// The order of the list: a place in [`SORTS`].
    pub sort: usize,
    /// Whether that order is turned round.
    pub reversed: bool,
    /// Only what has this in its name, namespace or status.
    pub filter: String,
    /// What the keys go to.
    pub mode: Mode,
    /// What is shown of the chosen instance.
    pub pane: Pane,
    /// Whether the pane has the screen for itself.
    pub zoomed: bool,
    /// How far each pane with a beginning is scrolled, in lines.
    pub scrolled: BTreeMap<Pane, usize>,
    /// The log of the chosen instance.
    pub log: Log,
    /// What is said at the foot.
    pub message: Option<Message>,
    /// Columns and lines of the screen.
    pub size: (u16, u16),
    /// How things look.
    pub look: Look,
}

/// Whether the engine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It does.
    Up,
    /// It did not at the last look, and why.
    Lost(String),
}

/// What the keys go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The screen.
    Looking,
    /// The filter is being written; this was it before.
    Filtering(String),
    /// A question is being asked.
    Asking(Wish),
    /// The keys are explained.
    Help,
}

/// What is to be done once a person has said yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Something, to one instance.
    Act {
        /// What.
        verb: Verb,
        /// To which.
        id: InstanceId,
        /// How it is selected: `app/index`.
        selector: String,
        /// How it is called.
        name: String,
    },
    /// The question of an incident is answered.
    Answer {
        /// How.
        yes: bool,
        /// Which question.
        question: Question,
        /// Of which app.
        app: String,
    },
}

impl Wish {
    /// What is to be done, and to what, without a question mark.
    pub fn told(&self) -> String {
        match self {
            Self::Act { verb, name, .. } => format!("{} {name}", verb.name()),
            Self::Answer { yes, question, app } => {
                let word = if *yes { "approve" } else { "reject" };
                format!("{word} {} for {app}", question.remedy)
            }
        }
    }

    /// What it is about.
    pub fn name(&self) -> String {
        match self {
            Self::Act { name, .. } => name.clone(),
            Self::Answer { question, .. } => format!("incident {}", question.incident),
        }
    }
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Restart,
    Reload,
    Stop,
    Start,
    Delete,
}

impl Verb {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Delete => "delete",
        }
    }
}

/// What is shown below the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pane {
    Details,
    Logs,
    Incidents,
    Checks,
}

impl Pane {
    /// In the order of their titles.
    pub const ALL: [Self; 4] = [Self::Details, Self::Logs, Self::Incidents, Self::Checks];

    /// The one that is so many titles further on.
    pub fn further(self, by: usize) -> Self {
        let place = Self::ALL.iter().position(|it| *it == self).unwrap_or(0);
        Self::ALL[(place + by) % Self::ALL.len()]
    }
}

/// Orders of the list: what is shown, and what [`Order::read`] understands.
pub const SORTS: [(&str, &str); 6] = [
    ("id", "id:asc"),
    ("name", "name:asc"),
    ("cpu", "cpu:desc"),
    ("memory", "memory:desc"),
    ("uptime", "uptime:asc"),
    ("status", "status:asc"),
];

/// What one instance used at one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// 100 is one whole core.
    pub cpu: f64,
    /// Of the whole tree of processes.
    pub memory: ByteSize,
}

/// The host at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Host {
    /// How busy all processors were since the look before; `None` at the first look.
    pub cpu: Option<Percent>,
    /// Averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// All there is.
    pub memory_total: ByteSize,
    /// What programs can have without swapping.
    pub memory_available: ByteSize,
}

impl Host {
    /// What programs have.
    pub fn memory_used(&self) -> ByteSize {
        let used = self.memory_total.bytes().saturating_sub(self.memory_available.bytes());
        ByteSize::new(used)
    }
}

/// Something that is said at the foot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What.
    pub text: String,
    /// Whether it went wrong.
    pub is_error: bool,
    /// For so many looks it stands; `None`: until another takes its place.
    pub stands: Option<u32>,
}

/// How things look.
#[derive(Clone, Debug)]
pub struct Look {
    /// Whether colours are wanted.
    pub colours: bool,
    /// In which times are told.
    pub zone: TimeZone,
}

impl State {
    /// Returns the screen of a first look.
    pub fn new(looked: Looked, size: (u16, u16), look: Look) -> Self {
        let mut state = Self {
            link: Link::Up,
            view: looked.view.clone(),
            apps: BTreeMap::new(),
            incidents: Vec::new(),
            host: Host::default(),
            host_cpu: VecDeque::new(),
            samples: BTreeMap::new(),
            chosen: None,
            first_row: 0,
            sort: 0,
            reversed: false,
            filter: String::new(),
            mode: Mode::Looking,
            pane: Pane::Logs,
            zoomed: false,
            scrolled: BTreeMap::new(),
            log: Log::default(),
            message: None,
            size,
            look,
        };
        state.take(looked);
        state
    }

    /// Takes in a look at the engine.
    pub fn take(&mut self, looked: Looked) {
        let Looked { view, apps, incidents, host } = looked;
        self.link = Link::Up;
        self.samples.retain(|id, _| view.instances.iter().any(|it| it.id == *id));
        for instance in &view.instances {
            let usage = instance.usage.filter(|_| instance.pid.is_some()).unwrap_or_default();
            let sample = Sample { cpu: usage.cpu, memory: usage.memory };
            keep(self.samples.entry(instance.id).or_default(), sample);
        }
        if let Some(cpu) = host.cpu {
            keep(&mut self.host_cpu, cpu.value());
        }
        if let Some(apps) = apps {
            self.apps = apps.into_iter().map(|app| (app.instance.id, app)).collect();
        }
        if let Some(incidents) = incidents {
            self.incidents = incidents;
        }
        (self.view, self.host) = (view, host);
    }

    /// The instances that are listed, in the order of the list.
    pub fn listed(&self) -> Vec<&InstanceView> {
        let wanted = self.filter.to_lowercase();
        let has = |text: &str| wanted.is_empty() || text.to_lowercase().contains(&wanted);
        let matches = |it: &&InstanceView| has(&it.name) || has(&it.namespace) || has(&it.status);
        let mut listed: Vec<&InstanceView> = self.view.instances.iter().filter(matches).collect();
        if let Some(order) = Order::read(SORTS[self.sort].1) {
            order.sort_by(&mut listed, |instance| instance);
        }
        if self.reversed {
            listed.reverse();
        }
        listed
    }

    /// The instance that is chosen.
    pub fn instance(&self) -> Option<&InstanceView> {
        let chosen = self.chosen?;
        self.view.instances.iter().find(|it| it.id == chosen)
    }

    /// The declaration of the instance that is chosen.
    pub fn app(&self) -> Option<&AppView> {
        self.apps.get(&self.chosen?)
    }

    /// How many incidents are open.
    pub fn open_incidents(&self) -> usize {
        self.incidents.iter().filter(|incident| incident.is_open()).count()
    }

    /// What an incident asks a person: that of the chosen app, else the latest.
    pub fn asked(&self) -> Option<(&Incident, Question)> {
        let chosen = self.instance().map(|it| it.app.as_str());
        let all = || self.incidents.iter().filter_map(|it| Some((it, it.question()?)));
        all().find(|(it, _)| Some(it.app.as_str()) == chosen).or_else(|| all().next())
    }

    /// The moment of the last look.
    pub fn now(&self) -> Moment {
        self.view.at
    }
}

/// One look at the engine and the host.
#[derive(Clone, Debug)]
pub struct Looked {
    /// All instances, and how everything is.
    pub view: View,
    /// The declarations; `None`: as before.
    pub apps: Option<Vec<AppView>>,
    /// All incidents; `None`: as before.
    pub incidents: Option<Vec<Incident>>,
    /// The host.
    pub host: Host,
}

fn keep<T>(kept: &mut VecDeque<T>, new: T) {
    kept.push_back(new);
    while kept.len() > SAMPLES_KEPT {
        kept.pop_front();
    }
}
