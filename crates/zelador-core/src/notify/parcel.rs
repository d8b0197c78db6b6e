//! What is on its way to a channel.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::plan::Channel;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// One message that waits for a channel.
pub type ParcelId = u64;

/// One try to send something. Never reused, so that a late answer is recognised.
pub type DeliveryId = u64;

/// A message that waits for a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parcel {
    /// Its number.
    pub id: ParcelId,
    /// For which channel.
    pub channel: String,
    /// What it says.
    pub message: Message,
    /// Not before this.
    pub due: Moment,
    /// Quiet hours hold it back: it comes in a digest.
    pub held: bool,
    /// When it was written first.
    pub since: Moment,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Which one.
    pub id: DeliveryId,
    /// The channel's name.
    pub name: String,
    /// The channel.
    pub channel: Channel,
    /// When it is sent.
    pub at: Moment,
    /// What it says.
    pub message: Message,
    /// By what the channel knows the first message of the matter.
    pub handle: Option<String>,
    /// What this host is called, if the settings say so.
    pub host: Option<String>,
    /// The name of the time zone of those who are told; `None`: the host's.
    pub zone: Option<String>,
    /// Where links that answer a question begin; `None`: nobody answers by this channel.
    pub answers_at: Option<String>,
}

/// How a delivery went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It is there; by this the channel knows it.
    Delivered {
        /// By what the message can be changed or answered.
        handle: Option<String>,
    },
    /// It may work later.
    Failed {
        /// Why not, without secrets.
        reason: Words,
        /// The channel asked for this pause.
        retry_after: Option<Duration>,
    },
    /// This message will never be taken.
    Refused {
        /// Why not, without secrets.
        reason: Words,
    },
}

impl DeliveryOutcome {
    /// Nothing was heard of it.
    pub fn lost() -> Self {
        Self::Failed { reason: words!("no answer", "sem resposta"), retry_after: None }
    }
}
