//! The sentences of a story: what happened as values, told in any language that there is.
//!
//! Pure: a sentence and a language go in, words come out. Always holds: the English ones are what is
//! kept, logged and sent to programs; texts of others (a check's message, the reason of a rule, a
//! program's own words) are told as they are in every language.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::death::Death;
use crate::diagnosis::Cause;
use crate::diagnosis::consult::WhyAsk;
use crate::healing::raise::{Bound, Raise};
use crate::healing::{Objection, Remedy};
use crate::id::IncidentId;
use crate::incident::{Outcome, TryResult};
use crate::notify::Language;
use crate::unit::{ByteSize, spoken};
use crate::words::{Words, counted, quoted};

mod english;
mod look;
mod portuguese;
mod words;

pub use look::Look;
pub(crate) use look::amount;

/// One sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// It was noticed.
    Detected(Why),
    /// It happened again.
    Again(Why),
    /// It had seemed to be over.
    CameBack(Why),
    /// Evidence is there.
    Evidence {
        /// How long that took.
        took: Duration,
        /// How many lines of logs.
        lines: usize,
        /// How many threads.
        threads: usize,
        /// How many deaths before.
        deaths: usize,
        /// What it used: memory, and hundredths of a core.
        usage: Option<(ByteSize, f64)>,
        /// How many descriptors were open.
        descriptors: Option<u64>,
    },
    /// None came.
    NoEvidence,
    /// It is known what it is.
    Diagnosis {
        /// What.
        cause: Cause,
        /// How sure, from 0 to 1.
        confidence: f64,
        /// Why.
        because: Vec<Words>,
        /// What helps.
        remedy: Remedy,
    },
    /// It is what it was.
    SameDiagnosis(Cause),
    /// What can be tried, one after the other.
    Ladder {
        /// What.
        remedies: Vec<Remedy>,
        /// The order is that of what helped before.
        learned: bool,
    },
    /// A remedy must wait.
    NotNow {
        /// Which.
        remedy: Remedy,
        /// Why.
        #[serde(deserialize_with = "why")]
        why: Why,
    },
    /// A person is asked.
    Asks {
        /// For what.
        remedy: Remedy,
        /// Why.
        #[serde(deserialize_with = "why")]
        why: Why,
        /// By which number it is answered.
        incident: IncidentId,
        /// How long the question stands.
        within: Duration,
    },
    /// A process of somebody else's has its port.
    Holder {
        /// Who.
        holder: Words,
        /// By which number it is answered.
        incident: IncidentId,
    },
    /// It is only told what would be done.
    WouldHaveTried(Remedy),
    /// It would have been left down.
    WouldHaveLeftDown,
    /// One more death of that kind, and it is left down.
    StartCannotHelp,
    /// The guard says no.
    Refused {
        /// To what.
        remedy: Remedy,
        /// Why.
        #[serde(deserialize_with = "why")]
        why: Why,
    },
    /// A remedy would be next before the next start, and a person may say yes to it.
    Proposes {
        /// Which.
        remedy: Remedy,
        /// Why a person.
        why: Why,
        /// By which number it is answered.
        incident: IncidentId,
    },
    /// It must wait for the end of the maintenance.
    InMaintenance {
        /// Which remedy.
        remedy: Remedy,
        /// For how long still.
        rest: Duration,
    },
    /// A limit is raised.
    Raised(Raise),
    /// It is as before, from the next start on.
    Lowered(Bound),
    /// A language model is asked.
    AsksModel {
        /// Why.
        why: WhyAsk,
        /// Which.
        model: String,
        /// How long it has; `None`: it was asked about the same before.
        within: Option<Duration>,
    },
    /// It will not answer.
    NoAdvice(Option<Words>),
    /// It answered.
    Advice {
        /// What it takes it for.
        cause: Cause,
        /// How sure it is, from 0 to 1.
        confidence: f64,
        /// Why, in its words.
        reason: String,
        /// What can be tried for it, too.
        more: Vec<Remedy>,
    },
    /// The runtime was asked for what it does, and is silent.
    RuntimeIsSilent,
    /// A remedy is tried.
    Try {
        /// Which try.
        number: u32,
        /// What.
        remedy: Remedy,
        /// It is the same as before.
        again: bool,
    },
    /// It did not help.
    TryFailed {
        /// Which try.
        number: u32,
        /// It made it worse.
        result: TryResult,
        /// Why.
        why: Why,
    },
    /// A pause before the next try.
    NextTry(Duration),
    /// What was done.
    Done(Words),
    /// A remedy was taken back.
    TakenBack,
    /// The new run is up; its check has this long.
    Restarted {
        /// Its process.
        pid: i32,
        /// How long.
        within: Duration,
    },
    /// Its check is good; it must stay so for this long.
    MustHold(Duration),
    /// It did not stay so.
    DidNotHold,
    /// Its restart policy is at work.
    PolicyIsAtWork,
    /// What it needs is down.
    WaitingFor(String),
    /// Another incident tells of the same.
    PartOf {
        /// Which.
        incident: IncidentId,
        /// What is down.
        dependency: String,
    },
    /// Another app suffers from the same.
    AlsoSuffers {
        /// Which.
        app: String,
        /// Its incident.
        incident: IncidentId,
    },
    /// What it needs is back.
    IsBack(String),
    /// It is sick all the same.
    StaysSick(Words),
    /// What it needs is nothing that zelador can look at: it is given this long.
    WaitsUnseen(Duration),
    /// Its check comes and goes.
    Flaps,
    /// It is sick all the same after that.
    WaitingWasNoHelp(Words),
    /// It comes back again and again.
    RestartHides {
        /// How often.
        times: u32,
        /// Within an hour; else each time with the same end.
        lately: bool,
    },
    /// A fact that is only told.
    Told(Words),
    /// A person is needed.
    Escalated(Why),
    /// A person said no.
    No(Remedy),
    /// A person said yes.
    Yes(Remedy),
    /// A person wants to hear no more.
    Muted,
    /// It is over.
    Closed {
        /// How.
        outcome: Outcome,
        /// After how long.
        after: Duration,
        /// Why.
        why: Why,
    },
}

/// Reads a reason; before reasons were kept as values they were text.
fn why<'de, D: Deserializer<'de>>(from: D) -> Result<Why, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kept {
        Value(Why),
        Text(String),
    }
    Ok(match Kept::deserialize(from)? {
        Kept::Value(why) => why,
        Kept::Text(text) => Why::Text(quoted(text)),
    })
}

/// A reason, as part of a sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// What a check, a rule or a command says.
    Text(Words),
    /// The guard's.
    Objection(Objection),
    /// A run ended.
    Died {
        /// Whose, like `api/0`.
        name: String,
        /// How.
        death: Death,
        /// After how long.
        lived: Option<Duration>,
    },
    /// Its own check is not good.
    CheckIsUnhealthy {
        /// Whose, like `api/0`.
        name: String,
        /// What it found.
        message: Words,
    },
    /// Its own check is good again.
    CheckIsGood,
    /// Its start held for so long.
    StartHeld(Duration),
    /// It finished.
    Finished,
    /// Somebody stopped it.
    Stopped,
    /// It was removed.
    Removed,
    /// It died, which another incident is about.
    DiedOf(IncidentId),
    /// Nobody answered.
    NobodyAnswered,
    /// Nothing is known.
    CauseUnknown,
    /// Nothing that may be done would help.
    NothingToDo,
    /// It is down again.
    DoesNotStayUp,
    /// It took too long.
    TookTooLong,
    /// So many restarts are all that may be made within an hour.
    BudgetSpent(usize),
    /// What its restart policy did was no help.
    PolicyDoesNotHelp(Box<Why>),
    /// Everything was tried.
    NothingHelped(Vec<(usize, Remedy, Option<TryResult>)>),
    /// A start would change nothing.
    NoUseToStart {
        /// Because of this.
        cause: Cause,
        /// When one is tried all the same.
        trial_in: Option<Duration>,
    },
}

impl From<Words> for Why {
    fn from(words: Words) -> Self {
        Self::Text(words)
    }
}

impl From<Objection> for Why {
    fn from(objection: Objection) -> Self {
        Self::Objection(objection)
    }
}

impl Said {
    /// The sentence in every language.
    pub fn words(&self) -> Words {
        Words::new(self.told(Language::En), self.told(Language::Pt))
    }

    /// The sentence in a language.
    pub fn told(&self, language: Language) -> String {
        match language {
            Language::En => english::sentence(self),
            Language::Pt => portuguese::sentence(self),
        }
    }
}

impl Why {
    /// The reason in every language.
    pub fn words(&self) -> Words {
        Words::new(self.told(Language::En), self.told(Language::Pt))
    }

    /// The reason in a language.
    pub fn told(&self, language: Language) -> String {
        match language {
            Language::En => english::reason(self),
            Language::Pt => portuguese::reason(self),
        }
    }
}

/// Log lines, threads and earlier deaths, as evidence counts them; of threads and deaths, that there are some.
fn counts(lines: usize, threads: usize, deaths: usize) -> Words {
    let lines = counted(lines, ("log line", "log lines"), ("linha de log", "linhas de log"));
    let others = [
        (threads, ("thread", "threads"), ("thread", "threads")),
        (deaths, ("death before", "deaths before"), ("morte anterior", "mortes anteriores")),
    ];
    let others = others.into_iter().filter(|(count, ..)| *count > 0);
    let others = others.map(|(count, english, portuguese)| counted(count, english, portuguese));
    Words::joined(&[lines].into_iter().chain(others).collect::<Vec<_>>(), ", ")
}

/// A span with the decimal sign of the language.
pub(crate) fn span(language: Language, span: Duration) -> String {
    comma(language, spoken(span))
}

/// An amount, written with a point, with the decimal sign of the language.
pub(crate) fn comma(language: Language, amount: String) -> String {
    match language {
        Language::En => amount,
        Language::Pt => amount.replace('.', ","),
    }
}

#[cfg(test)]
mod tests;
