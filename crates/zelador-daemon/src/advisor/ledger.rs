//! What the model answered, and how much of the day's tokens is used: a small file that outlives the engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zelador_core::diagnosis::consult::{Advice, mask};
use zelador_core::diagnosis::{Answer, Snapshot};
use zelador_core::spec::AdvisorSpec;
use zelador_core::unit::Moment;

/// So many answers are kept, the oldest go first.
const KEPT: usize = 500;

/// One day, in seconds.
const DAY: u64 = 86_400;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// Days since the epoch, in UTC.
    day: u64,
    /// Tokens of that day.
    tokens: u64,
    /// Counts answers.
    next: u64,
    answers: BTreeMap<String, (u64, Advice)>,
}

/// The file, open.
pub struct Ledger {
    file: PathBuf,
    kept: Kept,
}

impl Ledger {
    /// Opens it; one that cannot be read begins anew.
    pub fn open(file: &Path) -> Self {
        let kept = std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { file: file.to_owned(), kept: kept.unwrap_or_default() }
    }

    /// What was answered before.
    pub fn answer(&self, fingerprint: &str) -> Option<Advice> {
        self.kept.answers.get(fingerprint).map(|(_, advice)| advice.clone())
    }

    /// Keeps an answer.
    pub fn keep(&mut self, fingerprint: String, advice: Advice) {
        self.kept.next += 1;
        self.kept.answers.insert(fingerprint, (self.kept.next, advice));
        if self.kept.answers.len() > KEPT {
            let oldest = self.kept.answers.iter().min_by_key(|(_, (number, _))| *number);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.kept.answers.remove(&key);
            }
        }
        self.write();
    }

    /// Whether so many tokens more are within the budget of the day.
    pub fn allows(&mut self, now: Moment, tokens: u64, budget: u64) -> bool {
        self.turn(now);
        self.kept.tokens.saturating_add(tokens) <= budget
    }

    /// Counts tokens.
    pub fn spend(&mut self, now: Moment, tokens: u64) {
        self.turn(now);
        self.kept.tokens = self.kept.tokens.saturating_add(tokens);
        self.write();
    }

    fn turn(&mut self, now: Moment) {
        let day = now.since(Moment::default()).as_secs() / DAY;
        if day != self.kept.day {
            (self.kept.day, self.kept.tokens) = (day, 0);
        }
    }

    /// Replaces the file at once; a disk that is full costs the next engine its memory, and nothing more.
    fn write(&self) {
        let Ok(text) = serde_json::to_vec(&self.kept) else { return };
        let beside = self.file.with_extension("new");
        let written =
            std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &self.file));
        if let Err(error) = written {
            tracing::warn!(%error, "what the advisor said cannot be kept");
        }
    }
}

/// What a trouble has in common with the same one at another time: how it ended, and its last lines without numbers.
pub fn fingerprint(spec: &AdvisorSpec, snapshot: &Snapshot, answer: &Answer) -> String {
    let shape = |line: &String| -> String {
        let plain = mask(line);
        plain.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).take(200).collect()
    };
    let last: Vec<String> = snapshot
        .log_tail
        .iter()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(4)
        .map(shape)
        .collect();
    let what = format!(
        "{}|{:?}|{:?}|{:?}|{:?}",
        spec.model, snapshot.exit_code, snapshot.signal, answer.best.cause, last
    );
    format!("{:016x}", fnv(what.as_bytes()))
}

/// FNV-1a, 64 bits: the same for ever, unlike the standard library's.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
