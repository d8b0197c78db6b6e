//! What people and programs asked zelador for, of one instance: who, what and when.

use serde::{Deserialize, Serialize};

use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// One wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When.
    pub at: Moment,
    /// Who, as the audit calls them; `None`: that is not known.
    pub by: Option<String>,
    /// For what: `restart`, `signal SIGTERM`.
    pub what: String,
}

impl Asked {
    /// Says it in words, as seen at `now`: `ana asked for `restart` 3 s before`.
    pub fn words(&self, now: Moment) -> Words {
        let what = &self.what;
        match &self.by {
            Some(by) => words!(
                "{by} asked for `{what}` {ago} before",
                "{by} pediu `{what}` {ago} antes",
                ago = now.since(self.at),
            ),
            None => words!(
                "somebody asked for `{what}` {ago} before",
                "alguém pediu `{what}` {ago} antes",
                ago = now.since(self.at),
            ),
        }
    }
}
