//! Notices: channels, routes, and a try.

use serde::{Deserialize, Serialize};

pub use zelador_core::effect::Severity;
pub use zelador_core::notify::{ChannelState, ChannelView, DeliveryOutcome, NotifyView, Route};

/// Which channel is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Its name.
    pub channel: String,
}
