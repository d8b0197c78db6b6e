//! Faults on real processes and real servers, and how zelador deals with them.
//!
//! A fault is an entry of the catalogue: what happens, and what is right then. [`play()`] makes a world for
//! each (an app that works, the servers it needs), does the fault, and lets zelador go on by itself; a
//! [`Verdict`] is made of zelador's own record (incidents, `events.jsonl`, what reached the person's
//! webhook) and of the world as it really is. One file a family; `bin/faults.rs` plays them and writes the
//! table in `docs/healing.md`.

mod crash;
mod database;
mod deploy;
mod hang;
mod judge;
mod limits;
mod memory;
mod network;
mod overload;
mod place;
mod play;
mod record;
mod runtimes;
mod several;
pub mod table;

pub use judge::{End, Verdict};
pub use place::{Place, Scene};
pub use play::play;

use std::time::Duration;

use zelador_api::Remedy;
use zelador_api::diagnosis::Cause;

/// One thing that can go wrong with a service.
#[derive(Debug)]
pub struct Fault {
    /// In one word; its app is called so too.
    pub name: &'static str,
    /// What happens, in a few words.
    pub what: &'static str,
    /// Makes the world of it, or says why it cannot be had on this host.
    pub stage: fn(&Place) -> Result<Scene, String>,
    /// What it may be taken for.
    pub causes: &'static [Cause],
    /// What may be advised or done.
    pub remedies: &'static [Remedy],
    /// What the evidence must show, beside what every incident has.
    pub shows: &'static [Part],
    /// How it must end.
    pub ends: Ends,
    /// Whether `./test` plays it.
    pub fast: bool,
}

/// How a fault must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The app does its work again, by zelador alone.
    Healed,
    /// The same, once what it needs is back; until then zelador waits.
    HealedOnceMended,
    /// A person is told, since nobody else can help.
    Told,
}

/// Something that evidence must show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// It ended with this code.
    Code(i32),
    /// It was ended by this signal.
    Signal(&'static str),
    /// The kernel ended it for memory.
    OutOfMemory,
    /// It could not be started.
    NeverStarted,
    /// A line that contains this.
    Line(&'static str),
    /// What its own check found.
    Probe,
    /// The state of its threads, and its descriptors.
    Threads,
    /// A volume that is full.
    FullVolume,
    /// Who holds its port.
    PortHolder,
}

/// How long a fault may take to its end; the slowest waits for a breaker.
pub const LIMIT: Duration = Duration::from_secs(90);

/// All of them, by family.
pub fn catalogue() -> Vec<(&'static str, &'static [Fault])> {
    vec![
        ("Crashes", crash::FAULTS),
        ("Memory", memory::FAULTS),
        ("Hangs", hang::FAULTS),
        ("Limits of the host", limits::FAULTS),
        ("Overload", overload::FAULTS),
        ("Deployment", deploy::FAULTS),
        ("PHP, Ruby, Java and Go", runtimes::FAULTS),
        ("Databases", database::FAULTS),
        ("Network", network::FAULTS),
        ("Again, and together", several::FAULTS),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn faults_have_names_of_their_own_and_say_what_is_right() {
        let all: Vec<&Fault> = catalogue().into_iter().flat_map(|(_, faults)| faults).collect();
        let names: BTreeSet<&str> = all.iter().map(|fault| fault.name).collect();
        assert!(all.len() >= 30 && names.len() == all.len(), "{names:?}");
        for fault in all {
            assert!(!fault.causes.is_empty() && !fault.remedies.is_empty(), "{}", fault.name);
        }
    }
}
