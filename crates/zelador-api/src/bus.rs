//! What happens and what apps say, as it comes; and what is said to an app over its channel.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zelador_core::event::Event;
use zelador_core::id::{AppName, InstanceId};
use zelador_core::unit::Moment;

/// One line of [`crate::route::BUS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heard {
    /// Something happened.
    Happened(Event),
    /// An app said something over its channel.
    Said(Said),
}

/// What an app said over its channel (`process.send` of Node).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// Which instance.
    pub id: InstanceId,
    /// Of which app.
    pub app: AppName,
    /// When.
    pub at: Moment,
    /// What.
    pub message: Value,
}

/// What an instance is to hear over its channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saying {
    /// Which one.
    pub instance: InstanceId,
    /// What: any JSON, which Node hands to `process.on('message')`.
    pub message: Value,
}
