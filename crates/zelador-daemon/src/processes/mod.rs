//! What the process table says: who belongs to a run, what a run uses, and how a run is ended.
//!
//! `/proc` goes in; facts and signals come out. What is not `async` blocks for as long as a pass over
//! `/proc` takes (5 to 15 µs a process) and belongs on the blocking pool.

pub mod cgroup;
pub mod controllers;
mod find;
mod group;
pub(crate) mod kill;
mod member;
mod sampler;
mod snapshot;
mod stat;
mod tree;

pub use group::{group_is_empty, has_children, signal_outside_group};
pub use kill::{member, signal, sweep};
pub use member::{catches, is_member};
pub use sampler::Sampler;
pub use snapshot::{Processes, snapshot};
pub use stat::{Stat, stat};
pub use tree::{RunKey, mark_of, variable_of};

#[cfg(test)]
pub(crate) mod fixture;
