//! Apps and replicas that come while logs are followed: their lines are shown, too.
//!
//! Always holds: what stood in a file before the logs were followed is not told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zelador_api::{View, route};

use super::super::Context;
use super::sources::{Source, sources_of_list};
use crate::cli::Logs;
use crate::tail::Tail;

/// From one look at the list to the next.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Who was there, and how long the files were.
pub struct Newcomers<'a> {
    context: &'a Context,
    asked: &'a Logs,
    lengths: BTreeMap<PathBuf, u64>,
    there: BTreeSet<u32>,
    looked_at: Instant,
}

impl<'a> Newcomers<'a> {
    /// Begins: what the folder of logs holds now is old.
    pub fn new(context: &'a Context, asked: &'a Logs) -> Self {
        let lengths = lengths(&context.home.logs());
        Self { context, asked, lengths, there: BTreeSet::new(), looked_at: Instant::now() }
    }

    /// Returns the files of those who have come since the last look.
    pub fn come(&mut self, known: &[(Source, Tail)]) -> Vec<(Source, Tail)> {
        if self.asked.own || self.looked_at.elapsed() < LOOK_EVERY {
            return Vec::new();
        }
        self.looked_at = Instant::now();
        // An engine that is being replaced is back at the next look.
        let Ok(view) = self.context.engine.get_within::<View>(route::VIEW, LOOK_EVERY) else {
            return Vec::new();
        };
        let there: BTreeSet<u32> = view.instances.iter().map(|it| it.id.number()).collect();
        if there == self.there {
            return Vec::new();
        }
        let Ok(sources) = sources_of_list(self.context, self.asked) else { return Vec::new() };
        self.there = there;
        let is_new = |source: &Source| known.iter().all(|(other, _)| other.path != source.path);
        let begun = |source: Source| {
            let before = self.lengths.get(&source.path).copied().unwrap_or_default();
            let tail = Tail::after(&source.path, before).ok()?;
            Some((source, tail))
        };
        sources.into_iter().filter(is_new).filter_map(begun).collect()
    }
}

fn lengths(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.len()))).collect()
}
