//! One trouble of one app, from its detection to its end: the record that a person reads.
//!
//! Always holds: an incident that comes back is opened again, not doubled; its story only grows, and
//! never past [`STORY_KEPT`].

mod round;
mod stage;
mod tried;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::diagnosis::Diagnosis;
use crate::evidence::Evidence;
use crate::healing::raise::Raise;
use crate::healing::{Learned, Remedy};
use crate::id::{AppName, IncidentId, InstanceId};
use crate::notify::Language;
use crate::said::{Said, Why};
use crate::unit::{ByteSize, Moment};
use crate::words;
use crate::words::Words;

pub use stage::{Outcome, Stage, Trouble};
pub use tried::{Consulted, Try, TryResult};

/// One sentence of the story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Moment,
    /// What happened, or was decided and why, in English.
    pub what: String,
    /// The same as values; `None`: it is of before they were kept, and is told as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
}

impl Entry {
    /// The sentence in a language.
    pub fn told(&self, language: Language) -> String {
        self.said.as_ref().map_or_else(|| self.what.clone(), |said| said.told(language))
    }
}

/// The most sentences a story has; the first ones and the latest are kept.
pub const STORY_KEPT: usize = 200;

/// One trouble of one app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// Whose.
    pub app: AppName,
    /// Which replica was the first to show it.
    pub instance: InstanceId,
    /// What kind.
    pub trouble: Trouble,
    /// When it was detected.
    pub opened_at: Moment,
    /// When it was over.
    pub closed_at: Option<Moment>,
    /// What is being done.
    pub stage: Stage,
    /// Tries so far.
    pub attempts: u32,
    /// What was gathered before anything was done.
    pub evidence: Option<Evidence>,
    /// What it was taken for.
    pub diagnosis: Option<Diagnosis>,
    /// What happened, oldest first.
    pub story: Vec<Entry>,
    /// What was known at once, while the rest is being gathered.
    #[serde(default)]
    pub pending: Option<Box<Evidence>>,
    /// Deaths in a row of the same kind.
    #[serde(default)]
    pub deaths: u32,
    /// Replicas whose next start waits for the diagnosis.
    #[serde(default)]
    pub held: BTreeSet<InstanceId>,
    /// What tells this trouble from others, over all incidents.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// How often it came back after it had seemed to be over.
    #[serde(default)]
    pub reopened: u32,
    /// When it did so last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopened_at: Option<Moment>,
    /// The remedy that is considered or applied.
    #[serde(default)]
    pub current: Option<Remedy>,
    /// What can be tried after it.
    #[serde(default)]
    pub ladder: Vec<Remedy>,
    /// What was tried, and what came of it.
    #[serde(default)]
    pub tries: Vec<Try>,
    /// What could be done if a person says yes.
    #[serde(default)]
    pub proposal: Option<Remedy>,
    /// Until when that stands; `None`: as long as the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_until: Option<Moment>,
    /// What a person said no to: it is not proposed again.
    #[serde(default)]
    pub rejected: Vec<Remedy>,
    /// Why a person should look although it is started again each time; that was told.
    #[serde(default)]
    pub hidden: Option<String>,
    /// When it asked for that, or for a yes to what is considered.
    #[serde(default)]
    pub asked_at: Option<Moment>,
    /// Nobody wants to hear of it any more.
    #[serde(default)]
    pub muted: bool,
    /// Who said so, as the audit calls them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_by: Option<String>,
    /// The incident whose trouble this one comes of.
    #[serde(default)]
    pub part_of: Option<IncidentId>,
    /// The database or app whose being down this comes of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comes_of: Option<ComesOf>,
    /// What its app depends on may turn out to be down until then: people are not told of it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspects_until: Option<Moment>,
    /// People were told of it by itself, so they are told of its end and its return.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub heard: bool,
    /// Something is done before the next start: when that is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies: Option<Moment>,
    /// What became of the question to a language model; `None`: nobody asked.
    #[serde(default)]
    pub consulted: Option<Consulted>,
    /// The fingerprint that the question was about; later deaths may have another one.
    #[serde(default)]
    pub asked_about: Option<String>,
    /// Incidents before it with the same fingerprint, the latest first.
    #[serde(default)]
    pub earlier: Vec<IncidentId>,
    /// The limit that was raised last for it.
    #[serde(default)]
    pub raised: Option<Raise>,
    /// What is believed of the remedies against this trouble.
    #[serde(default)]
    pub learned: Vec<Learned>,
    /// Other apps that wait for the same.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sufferers: BTreeSet<AppName>,
    /// Its check is good again: until when it must stay so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Holds>,
    /// Its app is in maintenance, and nothing is done until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests_until: Option<Moment>,
}

/// What was sick is well again, and must stay so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holds {
    /// Until then.
    pub until: Moment,
    /// What it used when that began.
    pub memory: Option<ByteSize>,
}

/// The database or app whose being down a trouble comes of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComesOf {
    /// Which one.
    pub dependency: String,
    /// Whether people were told that it is down: then they know of this trouble.
    pub told: bool,
}

/// So many earlier incidents are named.
pub const EARLIER_NAMED: usize = 5;

impl Incident {
    /// Whose an incident is that is none of an app: a number that no instance gets.
    pub const HOST: InstanceId = InstanceId::new(u32::MAX);
    /// What stands in the place of the app then.
    pub const HOST_NAME: &str = "the host";
    /// What stands before the name of a channel in the place of the app, as in breakers and retries.
    pub const CHANNEL: &str = "notify:";

    /// Returns one that was detected at this moment, without a story.
    pub fn new(
        id: IncidentId,
        app: AppName,
        instance: InstanceId,
        trouble: Trouble,
        at: Moment,
    ) -> Self {
        Self {
            id,
            app,
            instance,
            trouble,
            opened_at: at,
            closed_at: None,
            stage: Stage::Escalated,
            attempts: 0,
            evidence: None,
            diagnosis: None,
            story: Vec::new(),
            pending: None,
            deaths: 0,
            held: BTreeSet::new(),
            fingerprint: None,
            reopened: 0,
            reopened_at: None,
            current: None,
            ladder: Vec::new(),
            tries: Vec::new(),
            proposal: None,
            proposed_until: None,
            rejected: Vec::new(),
            hidden: None,
            asked_at: None,
            muted: false,
            muted_by: None,
            part_of: None,
            comes_of: None,
            suspects_until: None,
            heard: false,
            applies: None,
            consulted: None,
            asked_about: None,
            earlier: Vec::new(),
            raised: None,
            learned: Vec::new(),
            sufferers: BTreeSet::new(),
            holds: None,
            rests_until: None,
        }
    }

    /// It had seemed to be over, and came back.
    pub fn reopen(&mut self, at: Moment, why: impl Into<Why>) {
        self.say(at, Said::CameBack(why.into()));
        self.closed_at = None;
        self.reopened_at = Some(at);
        self.reopened = self.reopened.saturating_add(1);
    }

    /// What it was part of lasts, and its app has ended again: it goes on.
    pub fn resume(&mut self, at: Moment) {
        self.closed_at = None;
        self.part_of = None;
        self.pending = None;
        self.heard = false;
        self.reopened_at = Some(at);
    }

    /// The channel of notices that it is about.
    pub fn channel(&self) -> Option<&str> {
        let name = self.app.as_str().strip_prefix(Self::CHANNEL);
        name.filter(|_| self.trouble == Trouble::Channel)
    }

    /// Returns whether it is not over.
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// Whether it is still being found out what to do, and nothing was done.
    pub fn is_of_thought(&self) -> bool {
        let thinks = matches!(
            self.stage,
            Stage::Gathering { .. }
                | Stage::Asking { .. }
                | Stage::Dumping { .. }
                | Stage::Consulting { .. }
        );
        thinks && self.round().is_empty()
    }

    /// Adds a fact to the story that is only told.
    pub fn tell(&mut self, at: Moment, words: Words) {
        self.say(at, Said::Told(words));
    }

    /// Adds a sentence to the story.
    pub fn say(&mut self, at: Moment, said: Said) {
        self.add(Entry { at, what: said.told(Language::En), said: Some(said) });
    }

    fn add(&mut self, entry: Entry) {
        if self.story.len() >= STORY_KEPT {
            self.story.remove(STORY_KEPT / 2);
        }
        self.story.push(entry);
    }

    /// Ends it.
    pub fn close(&mut self, at: Moment, outcome: Outcome, why: impl Into<Why>) {
        if !self.is_open() {
            return;
        }
        let after = at.since(self.opened_at);
        self.say(at, Said::Closed { outcome, after, why: why.into() });
        self.stage = Stage::Closed { outcome };
        self.holds = None;
        self.proposed_until = None;
        self.suspects_until = None;
        self.closed_at = Some(at);
    }

    /// When it wants to be called, whatever else happens.
    pub fn deadline(&self) -> Option<Moment> {
        let of_stage = match self.stage {
            Stage::Gathering { give_up_at }
            | Stage::Asking { give_up_at }
            | Stage::Dumping { give_up_at }
            | Stage::Consulting { give_up_at }
            | Stage::Applying { give_up_at, .. } => Some(give_up_at),
            Stage::Rechecking { until } | Stage::AwaitingApproval { until } => Some(until),
            Stage::Verifying { until } => Some(self.holds.map_or(until, |holds| holds.until)),
            Stage::Pausing { retry_at } => Some(retry_at),
            Stage::WaitingForDependency { .. }
            | Stage::AwaitingStart
            | Stage::Observing
            | Stage::AwaitingTrial
            | Stage::Escalated
            | Stage::Closed { .. } => None,
        };
        let others = [self.applies, self.proposed_until, self.suspects_until];
        of_stage.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// Its state in one or two words, in English: `healed`, `verifying`, `escalated`.
    pub fn state(&self) -> String {
        self.state_words().english().to_owned()
    }

    /// Its state in one or two words.
    pub fn state_words(&self) -> Words {
        match &self.stage {
            Stage::Gathering { .. } => words!("gathering evidence", "reunindo evidências"),
            Stage::Asking { .. } => words!("asking dependencies", "consultando dependências"),
            Stage::Dumping { .. } => {
                words!("gathering more evidence", "reunindo mais evidências")
            }
            Stage::Consulting { .. } => words!("asking a model", "consultando um modelo"),
            Stage::WaitingForDependency { dependency } => {
                words!("waiting for {dependency}", "aguardando {dependency}")
            }
            Stage::Rechecking { .. } => words!("rechecking", "verificando de novo"),
            Stage::Pausing { .. } => words!("pausing", "em pausa"),
            Stage::Applying { .. } => match &self.current {
                Some(remedy) if !remedy.restarts() => {
                    words!("applying: {remedy}", "aplicando: {remedy}", remedy = remedy)
                }
                _ => words!("restarting", "reiniciando"),
            },
            Stage::AwaitingApproval { .. } => match &self.current {
                Some(remedy) => words!("asks: {remedy}?", "pergunta: {remedy}?", remedy = remedy),
                None => words!("asks", "pergunta"),
            },
            Stage::Observing => words!("observing", "observando"),
            Stage::Verifying { .. } => words!("verifying", "confirmando"),
            Stage::AwaitingStart => words!("awaiting start", "aguardando início"),
            Stage::AwaitingTrial => words!("awaiting trial", "aguardando teste"),
            Stage::Escalated => words!("escalated", "uma pessoa é necessária"),
            Stage::Closed { outcome } => outcome.words(),
        }
    }
}
