//! What the engine answers when it cannot do what was asked.

use serde::{Deserialize, Serialize};

/// An error as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}")]
pub struct Problem {
    /// What is wrong: lower case, no full stop.
    pub error: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Problem {
    /// Returns a problem without advice.
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), help: None }
    }
}
