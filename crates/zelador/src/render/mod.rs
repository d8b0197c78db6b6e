//! What is shown, as text: views go in, text comes out. Nothing here reads or writes anything but
//! [`terminal`], which looks at stdout once, and [`jlist`], which looks for versions.

pub mod aside;
pub mod done;
pub mod health;
pub mod incidents;
pub mod inspect;
pub mod jlist;
pub mod list;
pub mod node_version;
pub mod notify;
pub mod order;
pub mod post_mortem;
pub mod resilience;
pub mod show;
pub mod terminal;
pub mod text;
pub mod words;

#[cfg(test)]
pub mod sample;
