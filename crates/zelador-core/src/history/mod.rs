//! What is kept of the past: how numbers are summed up, packed and let go, and what a change of
//! state is called.
//!
//! Pure: samples, ages and records go in; summaries, bytes, decisions and events come out.

pub mod block;
pub mod forecast;
pub mod journal;
mod kind;
pub mod metric;
pub mod retain;
pub mod rollup;
pub mod tier;
pub mod trials;

pub use forecast::{Forecast, forecast, slows_down};
pub use journal::{Event, Journal};
pub use kind::Kind;
pub use metric::Metric;
pub use rollup::Rollup;
pub use tier::Tier;
pub use trials::{Trial, Trials, Turn};
