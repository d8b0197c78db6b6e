//! What commands do to the list, in a world where every process starts and ends at once.

#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that fails")]

mod change;
mod delays;
mod foreseen;
mod foreseen_disk;
mod full_disk;
mod looks;
mod policies;
mod prepared;
mod recovered;
mod reported;
mod restarts;
mod scale;
mod sequence;
mod taken_port;
mod together;
mod watchdog;
mod world;
