//! What the user wrote, checked: a tree read from any file format goes in, apps and settings come
//! out, or every mistake in it at once.
//!
//! Pure: files are read by the caller, who hands in the tree ([`Node`]), the folder, the inherited
//! environment and the number of processors. Always holds: what comes out needs no further check,
//! and no mistake shows a password.

mod amount;
mod app;
mod change;
mod defaults;
mod dependencies;
mod diagnosis;
mod ecosystem;
mod environment;
mod fields;
mod heal;
mod health;
mod interpreter;
mod launch;
mod limits;
mod logs;
mod maintenance;
mod measured;
mod mistake;
mod modules;
mod mounts;
mod named;
mod names;
mod node;
mod notify;
mod overlay;
mod place;
mod pressure;
mod probe;
mod protocol;
mod pulse;
mod resilience;
mod rotation;
mod settings;
mod shell;
mod sites;
mod watch;

pub use crate::watch::absolute;
pub use amount::span;
pub use change::{Change, EnvDifference, change, differing_fields};
pub use defaults::Defaults;
pub use ecosystem::{Context, Declared, check, check_settings, script_app};
pub use environment::port as declared_port;
pub use interpreter::is_node;
pub use mistake::{Mistake, Mistakes, Note};
pub use modules::{
    LOGROTATE, ModuleConf, NoSettings, SettingError, SettingName, masked as masked_settings,
};
pub use node::{Key, Node, Position, Value};
pub use notify::NotifyOverlay;
pub use overlay::{CadenceOverlay, DatabaseOverlay, NamedOverlay, Overlay, Switch};
pub use rotation::LogsOverlay;
pub use shell::words as shell_words;

#[cfg(test)]
mod tests;
