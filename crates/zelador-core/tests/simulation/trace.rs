//! What happened, in few words: for the reader of a story, and for a digest of it.

use zelador_core::effect::Effect;
use zelador_core::record::Record;

pub fn fnv(digest: u64, text: &str) -> u64 {
    text.bytes().fold(digest ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// An effect without what is too long to read.
pub fn short(effect: &Effect) -> String {
    match effect {
        Effect::Spawn { run, launch, .. } => format!("Spawn {run} of instance {}", launch.instance),
        Effect::Record(Record::Instance(it)) => {
            format!("{} {:?} {:?} {:?}", it.id, it.goal, it.phase, it.breaker)
        }
        Effect::Record(Record::Incident(it)) => format!("incident {} {:?}", it.id, it.stage),
        Effect::Record(record) => format!("Record {}", record.key()),
        Effect::Configure(_) => "Configure".to_owned(),
        other => format!("{other:?}"),
    }
}
