//! The virtual world: owns time and processes, performs what the supervisor decides, and tells it
//! what came of it, rudely.

mod perform;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zelador_core::death::Death;
use zelador_core::diagnosis::Cause;
use zelador_core::effect::Effect;
use zelador_core::id::{CallId, InstanceId, RunId};
use zelador_core::input::{Fact, Input, ReadyBy};
use zelador_core::record::{Era, Record};
use zelador_core::signal::Signal;
use zelador_core::supervisor::{Deadline, Supervisor};
use zelador_core::unit::{Moment, SECOND};

use crate::guardian::Guardian;
use crate::host_model::HostModel;
use crate::invariants::Invariants;
use crate::post::Post;
use crate::pulse::Ear;
use crate::rule::{Rule, Violation, broken};
use crate::rules;
use crate::script::{Behaviour, Event, Loss, Script, surroundings};
use crate::trace::{fnv, short};

/// What is going to happen.
#[derive(Clone, Debug)]
pub enum Happening {
    /// The guardian or a task of the engine says something; what an engine that is gone was told is lost.
    Tell {
        fact: Fact,
        engine: u32,
    },
    /// The guardian carries out a request to start a process.
    Fork {
        run: RunId,
        instance: InstanceId,
    },
    /// A process says that it is ready.
    Says {
        run: RunId,
    },
    /// The guardian sends the stop signal.
    Signal {
        run: RunId,
    },
    /// A main process ends.
    Die {
        run: RunId,
        death: Death,
    },
    /// The engine looks whether anything of a run is left, and kills it when it is time.
    Sweep {
        run: RunId,
        kill_at: Moment,
        engine: u32,
    },
    /// The engine samples.
    Sample {
        engine: u32,
    },
    /// A fact about something that is over, or never was.
    Rumour,
    Script(Event),
    EngineBack,
}

/// Changes what the supervisor decided, to see whether anybody notices.
pub type Sabotage = Box<dyn FnMut(Moment, &mut Vec<Effect>)>;

pub struct World {
    pub now: Moment,
    pub supervisor: Supervisor,
    pub watch: Invariants,
    pub post: Post,
    pub ear: Ear,
    pub guardian: Guardian,
    pub kept: BTreeMap<String, Record>,
    pub database_up: bool,
    pub behaviours: BTreeMap<String, Behaviour>,
    pub rudeness: u8,
    /// What the model takes everything for; `None`: for anything.
    pub model: Option<Cause>,
    /// The last line of an app's log.
    pub says: BTreeMap<String, String>,
    pub sabotage: Option<Sabotage>,
    pub trace: Option<Vec<String>>,
    pub steps: u64,
    /// Every effect of the whole story, hashed.
    pub digest: u64,
    /// What was done, for stories: spawns, stop signals, kills.
    pub done: Vec<(Moment, String)>,
    pub rng: fastrand::Rng,
    pub queue: BTreeMap<(Moment, u64), Happening>,
    next_number: u64,
    pub next_ticket: u64,
    pub engine: u32,
    pub engine_is_there: bool,
    /// Which boot of the host this is.
    pub boot: u32,
    /// The processes that are missing ended with zelador or with the host.
    pub ended_with_all: bool,
    /// Runs that were there before their record was.
    pub heirs_found: usize,
    /// A step is going to be the engine's last, and it is back after this time.
    pub doomed: Option<(Loss, Duration)>,
    last_told: BTreeMap<RunId, Moment>,
    /// The instances about which something was heard that is not settled.
    changed: BTreeSet<InstanceId>,
    /// The instance whose check is due in this step.
    pub looking_at: Option<InstanceId>,
    /// The host's memory and processors, where a story is about them.
    pub host: Option<HostModel>,
}

/// When every story begins.
pub const DAWN: Moment = Moment::from_micros(1_700_000_000_000_000);

impl World {
    pub fn new(script: &Script) -> Self {
        let supervisor = Supervisor::new(surroundings(script.seed, 0), DAWN);
        // As an engine writes it when it was given its first inventory.
        let era = Record::Era(Era { boot: surroundings(0, 0).boot, ended_at: None });
        let mut world = Self {
            now: DAWN,
            watch: Invariants::new(&supervisor),
            post: Post::default(),
            ear: Ear::new(DAWN),
            supervisor,
            model: None,
            says: BTreeMap::new(),
            guardian: Guardian::default(),
            kept: BTreeMap::from([(era.key(), era)]),
            database_up: true,
            behaviours: BTreeMap::new(),
            rudeness: script.rudeness,
            sabotage: None,
            trace: None,
            steps: 0,
            digest: 0,
            done: Vec::new(),
            rng: fastrand::Rng::with_seed(script.seed ^ 0x5eed),
            queue: BTreeMap::new(),
            next_number: 0,
            next_ticket: 0,
            engine: 0,
            engine_is_there: true,
            boot: 0,
            ended_with_all: false,
            heirs_found: 0,
            doomed: None,
            last_told: BTreeMap::new(),
            changed: BTreeSet::new(),
            looking_at: None,
            host: None,
        };
        for (spec, behaviour) in &script.apps {
            world.behaviours.insert(spec.name.to_string(), *behaviour);
        }
        for (after, event) in &script.events {
            world.at(DAWN + *after, Happening::Script(event.clone()));
        }
        world.at(DAWN + SECOND, Happening::Sample { engine: 0 });
        if script.rudeness == 2 {
            world.at(DAWN + SECOND, Happening::Rumour);
        }
        let fact = Fact::BaseSettings(Box::new(crate::script::settings()));
        world.at(DAWN, Happening::Tell { fact, engine: 0 });
        world
    }

    pub fn at(&mut self, moment: Moment, happening: Happening) {
        self.queue.insert((moment, self.next_number), happening);
        self.next_number += 1;
    }

    /// Lets the world turn until this moment.
    pub fn run_until(&mut self, end: Moment) -> Result<(), Violation> {
        while self.turn(end)? {}
        self.now = self.now.max(end);
        Ok(())
    }

    /// One event or tick; false when nothing is left before `end`.
    pub fn turn(&mut self, end: Moment) -> Result<bool, Violation> {
        let event = self.queue.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.supervisor.next_deadline().map(|(at, _)| at);
        let tick = deadline.filter(|_| self.engine_is_there).map(|at| at.max(self.now));
        match (event, tick) {
            (event, Some(tick)) if tick <= end && event.is_none_or(|event| tick < event) => {
                let late = if self.rudeness > 0 { self.rng.u64(0..5_000) } else { 0 };
                self.now = self.now.max(tick + Duration::from_micros(late));
                self.looking_at = match self.supervisor.next_deadline() {
                    Some((_, Deadline::Check(check))) => check.instance(),
                    _ => None,
                };
                self.step(Input::Tick)?;
                self.looking_at = None;
            }
            (Some(event), _) if event <= end => {
                let Some((_, happening)) = self.queue.pop_first() else { return Ok(false) };
                self.now = self.now.max(event);
                self.happen(happening)?;
            }
            _ => return Ok(false),
        }
        self.watch.look_at_processes(self.now, &self.guardian, self.engine_is_there)?;
        Ok(true)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Tell { fact, engine } => {
                if engine != self.engine || !self.engine_is_there {
                    return Ok(());
                }
                self.tell_at_once(fact)?;
            }
            Happening::Fork { run, instance } => self.fork(run, instance)?,
            Happening::Says { run } => {
                let lives =
                    self.guardian.runs.get(&run).is_some_and(crate::guardian::Process::is_alive);
                if lives {
                    self.tell(run, Fact::Ready { run, by: ReadyBy::Listening });
                }
            }
            Happening::Signal { run } => {
                let listens = self.guardian.runs.get(&run).is_some_and(|it| it.listens(self.now));
                if listens {
                    let death = Death::Signaled { signal: Signal::INT, core_dumped: false };
                    let at = self.now + self.span(0..300);
                    self.at(at, Happening::Die { run, death });
                }
            }
            Happening::Die { run, death } => self.die(run, death),
            Happening::Sweep { run, kill_at, engine } => self.sweep(run, kill_at, engine),
            Happening::Sample { engine } => self.sample(engine)?,
            Happening::Rumour => self.rumour()?,
            Happening::Script(event) => self.play(event)?,
            Happening::EngineBack => self.engine_back()?,
        }
        Ok(())
    }

    /// Asks the supervisor, checks what it says, and does it.
    pub fn step(&mut self, input: Input) -> Result<(), Violation> {
        self.step_after(Vec::new(), input)
    }

    /// The same with facts that are heard along with the last input: starts that are ahead of their records are
    /// done at once, all the rest when everything is settled, records first.
    pub fn step_after(&mut self, heard: Vec<Fact>, last: Input) -> Result<(), Violation> {
        let mut effects = Vec::new();
        let alone = heard.is_empty();
        for fact in heard {
            self.hear(fact, &mut effects)?;
        }
        match last {
            Input::Fact(fact) if !alone => {
                self.hear(fact, &mut effects)?;
                self.settle_heard(&mut effects)?;
            }
            last => {
                let input = last.clone();
                effects.extend(self.ask(&last, |it, now| it.step(now, input))?);
            }
        }
        // A start that is ahead is done at once; nothing can come between it and what follows here.
        let (ahead, rest): (Vec<_>, Vec<_>) = effects.into_iter().partition(Effect::is_ahead);
        let (records, rest): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|effect| matches!(effect, Effect::Record(_)));
        let any_ahead = ahead.len();
        let effects: Vec<_> = ahead.into_iter().chain(records).chain(rest).collect();
        rules::spawns_are_recorded(&effects)?;
        rules::who_is_killed_was_asked(&effects, &self.supervisor, &self.guardian)?;
        let last = match self.doomed {
            Some((Loss::AheadOfRecord, away)) if any_ahead > 0 => Some((any_ahead, away)),
            Some((Loss::InStep, away)) => Some((self.rng.usize(0..=effects.len()), away)),
            _ => None,
        };
        let performed = last.map_or(effects.len(), |(performed, _)| performed);
        for effect in effects.into_iter().take(performed) {
            self.perform(effect);
        }
        if let Some((_, away)) = last {
            self.doomed = None;
            self.lose_engine(away);
        } else if self.steps.is_multiple_of(32) {
            self.watch.compare_records(&self.kept, &self.supervisor)?;
        }
        Ok(())
    }

    /// One of several facts.
    fn hear(&mut self, fact: Fact, effects: &mut Vec<Effect>) -> Result<(), Violation> {
        if !self.supervisor.may_hear(&fact) {
            self.settle_heard(effects)?;
        }
        let before = self.watch.phases();
        effects.extend(self.ask(&Input::Fact(fact.clone()), |it, now| it.hear(now, fact.clone()))?);
        for (instance, phase) in self.watch.phases() {
            if before.get(&instance) != Some(&phase) && !self.changed.insert(instance) {
                let what = format!("instance {instance} twice at once, then by {fact:?}");
                return broken(Rule::ChangesAreRecorded, what);
            }
        }
        Ok(())
    }

    /// What follows from all of them is no consequence of the last: it stands beside something that nobody
    /// waits for.
    fn settle_heard(&mut self, effects: &mut Vec<Effect>) -> Result<(), Violation> {
        self.changed.clear();
        let nothing = Input::Fact(Fact::CallDropped { call: CallId::new(u64::MAX) });
        effects.extend(self.ask(&nothing, |it, _| it.settle_heard())?);
        Ok(())
    }

    /// What the supervisor decides on one input, checked.
    fn ask(
        &mut self,
        input: &Input,
        decide: impl FnOnce(&mut Supervisor, Moment) -> Vec<Effect>,
    ) -> Result<Vec<Effect>, Violation> {
        self.steps += 1;
        let before = self.watch.before(self.now, &self.supervisor, input);
        let mut effects = decide(&mut self.supervisor, self.now);
        if let Some(sabotage) = &mut self.sabotage {
            sabotage(self.now, &mut effects);
        }
        if let Some(trace) = &mut self.trace {
            let at = self.now.since(DAWN).as_secs_f64();
            trace.push(format!("{at:10.3} {input:?}"));
            trace.extend(effects.iter().map(|effect| format!("{:>14} {}", "->", short(effect))));
        }
        for effect in &effects {
            self.digest = fnv(self.digest, &format!("{effect:?}"));
        }
        self.watch.after(before, &self.supervisor, input, &effects)?;
        self.post.note(self.now, input, &effects)?;
        self.ear.note(self.now, input, &effects)?;
        Ok(effects)
    }

    /// From here on everything is kind, and everything new behaves.
    pub fn calm(&mut self) {
        self.rudeness = 0;
        self.doomed = None;
        self.set_database(true);
        self.behaviours.values_mut().for_each(|behaviour| *behaviour = Behaviour::Good);
    }

    pub fn engine_is_there(&self) -> bool {
        self.engine_is_there
    }

    /// The guardian tells something about a run: in order for each run, late and twice.
    pub fn tell(&mut self, run: RunId, fact: Fact) {
        let mut at = self.now + self.span(0..20);
        if self.rudeness > 0 && self.rng.u8(0..10) == 0 {
            at = at + self.span(0..3_000);
        }
        let last = self.last_told.entry(run).or_default();
        at = at.max(*last);
        *last = at;
        self.say(at, fact, false);
    }

    pub fn say(&mut self, at: Moment, fact: Fact, may_be_lost: bool) {
        let engine = self.engine;
        if may_be_lost && self.rudeness == 2 && self.rng.u8(0..30) == 0 {
            return;
        }
        if self.rudeness > 0 && self.rng.u8(0..10) == 0 {
            let again = at + self.span(0..5_000);
            self.at(again, Happening::Tell { fact: fact.clone(), engine });
        }
        self.at(at, Happening::Tell { fact, engine });
    }

    pub fn span(&mut self, millis: std::ops::Range<u64>) -> Duration {
        Duration::from_micros(self.rng.u64(millis.start * 1000..millis.end * 1000))
    }
}

/// What the check of a database that is down says.
pub const REFUSED: &str = "the database refuses";
