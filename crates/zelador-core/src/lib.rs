//! Decides: the pure supervisor of zelador.
//!
//! Told the time and what happened, it answers with what to do. It has no clock, does no I/O and
//! draws no randomness that it was not handed, so any story can be replayed bit for bit.

pub mod cron;
pub mod death;
pub mod evidence;
pub mod id;
pub mod probe;
pub mod redact;
pub mod signal;
pub mod spec;
pub mod unit;
