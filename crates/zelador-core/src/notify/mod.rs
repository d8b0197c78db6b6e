//! What people are told, where and when: channels, routes, and the desk that decides.
//!
//! Pure: notices and incidents go in, deliveries come out; how a delivery went goes in again. Always
//! holds: at most one parcel of a matter waits for a channel, and one delivery is under way on it; what
//! was not delivered is kept, over restarts too, until it is too old to be of use; a channel is told
//! the end of everything whose beginning it was told.

mod desk;
mod digest;
mod matter;
mod message;
mod parcel;
mod plan;
mod quiet;
mod route;
mod trouble;
mod view;
mod words;

pub use desk::{Desk, Post, Terms};
pub use matter::{About, Matter, Progress, Told};
pub use message::{DigestLine, Message, News, Tale, shortened, together};
pub use parcel::{Delivery, DeliveryId, DeliveryOutcome, Parcel, ParcelId};
pub use plan::{Channel, ChannelKind, Limit, MailTls, Plan, Secret, SlackTo, Template};
pub use quiet::QuietHours;
pub use route::{EVENT_KINDS, Route, is_kind};
pub(crate) use trouble::{channel_key, incident_key, undeliverable};
pub use view::{ChannelState, ChannelView, NotifyView};
pub use words::Language;

#[cfg(test)]
mod tests;
