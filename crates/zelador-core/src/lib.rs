//! Decides: the pure supervisor of zelador.
//!
//! Told the time and what happened, it answers with what to do. It has no clock, does no I/O and
//! draws no randomness that it was not handed, so any story can be replayed bit for bit.

pub mod aside;
pub mod batch;
pub mod breaker;
pub mod check;
pub mod chronicle;
pub mod config;
pub mod course;
pub mod cron;
pub mod custom;
pub mod date;
pub mod death;
pub mod diagnosis;
pub mod dotenv;
pub mod effect;
pub mod event;
pub mod evidence;
pub mod footing;
pub mod gathering;
pub mod healing;
pub mod history;
pub mod id;
pub mod identity;
pub mod incident;
pub mod input;
pub mod instance;
pub mod launch;
pub mod notify;
pub mod probe;
pub mod pulse;
pub mod question;
pub mod record;
pub mod redact;
pub mod retry;
pub mod said;
pub mod sd_notify;
pub mod select;
pub mod signal;
pub mod spec;
pub mod supervisor;
pub mod tail;
pub mod unit;
pub mod unseen;
pub mod watch;
pub mod words;
