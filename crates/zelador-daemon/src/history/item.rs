//! What is handed to the history's thread.

use zelador_core::history::retain::Retention;
use zelador_core::history::{Event, Metric, Trial};
use zelador_core::incident::Incident;
use zelador_core::unit::Moment;
use zelador_core::words::Words;

/// One thing to be kept.
#[derive(Clone, Debug)]
pub enum Item {
    /// What was measured at one moment.
    Sample(Sample),
    /// Something that happened.
    Event(Event),
    /// Something was tried, or a breaker turned.
    Trial(Trial),
    /// An incident as it is now.
    Incident(Box<Incident>),
    /// A command and who gave it.
    Audit(Audit),
    /// How much is kept from now on.
    Retention(Retention),
    /// Somebody who read the file found it damaged: is it?
    Doubt,
    /// A new file was begun in the place of a damaged one.
    Anew,
    /// Told when everything before it was written, or could not be.
    Flush(std::sync::mpsc::SyncSender<()>),
}

/// About what an incident takes, in bytes: evidence, diagnosis and story.
const INCIDENT: usize = 16 << 10;

/// About what the name of a series, or anything else, takes.
const SHORT: usize = 64;

impl Item {
    /// About how much memory it takes, in bytes.
    pub fn weight(&self) -> usize {
        match self {
            Self::Sample(sample) => {
                sample.values.len() * (SHORT + size_of::<(String, Metric, i64)>())
            }
            Self::Incident(_) => INCIDENT,
            _ => size_of::<Self>() + SHORT,
        }
    }
}

/// What was measured at one moment.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When.
    pub at: Moment,
    /// Of what (`host`, `app:NAME/INDEX`, `check:COMPONENT`), which, how much.
    pub values: Vec<(String, Metric, i64)>,
}

/// A command and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// When.
    pub at: Moment,
    /// `uid 1000`, `token`.
    pub who: String,
    /// `pid 4711 (zelador)`, an address.
    pub origin: String,
    /// `restart`.
    pub verb: String,
    /// `api, worker`.
    pub target: String,
    /// Whether it was done.
    pub ok: bool,
    /// What was answered, in short.
    pub result: Words,
}
