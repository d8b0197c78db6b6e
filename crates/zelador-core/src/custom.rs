//! What apps tell about themselves over Node's channel: metrics, and actions that a person can call.
//!
//! The shapes are those that `@pm2/io` sends, so that an app written for PM2 needs no change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A value that an app tells about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// A number, or text such as `12.5`.
    pub value: serde_json::Value,
    /// What it is measured in.
    #[serde(default)]
    pub unit: Option<String>,
    /// What kind it is, in the words of the one who sends it.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Whether it is meant to be drawn over time.
    #[serde(default)]
    pub historic: bool,
}

impl Metric {
    /// Its value with what it is measured in, as text.
    pub fn shown(&self) -> String {
        let value = self.value.as_str().map_or_else(|| self.value.to_string(), str::to_owned);
        let unit = self.unit.as_deref().unwrap_or_default();
        format!("{value} {unit}").trim_end().to_owned()
    }
}

/// Metrics, by name.
pub type Metrics = BTreeMap<String, Metric>;

/// Something that an app offers to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// How it is called.
    #[serde(rename = "action_name")]
    pub name: String,
    /// How many parameters its function has.
    #[serde(default)]
    pub arity: u32,
}

/// What an app said.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Its metrics are now these.
    Metrics(Metrics),
    /// It offers an action.
    Action(Action),
    /// An action that was called has answered.
    Reply {
        /// Which action.
        action: String,
        /// What it returned, as JSON.
        text: String,
    },
}
