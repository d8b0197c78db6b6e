//! Node's IPC channel of every run that has one: JSON lines over a stream socket, both ways.
//!
//! [`speak`] is pure: lines to meanings and back. [`Channel`] is a task that reads and writes one
//! socket. [`port`] binds what the workers of a cluster share. Always holds: a line is taken from the
//! socket only when the driver has dealt with it, so an engine that is killed loses none; no line, and
//! nothing that waits to be sent, takes more than a bounded amount of memory.

mod channel;
mod port;
mod speak;

pub use channel::{Channel, Sayings, Speaker};
pub use port::bind;
pub use speak::{Heard, Query, acknowledge, answer, line, say};

/// The number of the service's end.
pub const DESCRIPTOR: u32 = 3;
