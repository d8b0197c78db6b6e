//! What an app gets that does not say so itself, as far as it depends on who gives the command.

use std::path::PathBuf;
use std::time::Duration;

use crate::signal::Signal;
use crate::spec::Readiness;

/// What an app gets that says nothing about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The signal that asks for an end.
    pub signal: Signal,
    /// From the signal to `SIGKILL`.
    pub grace: Duration,
    /// Whether the message `shutdown` takes the signal's place.
    pub message: bool,
    /// How long a run may take to say that it is ready.
    pub ready_within: Duration,
    /// The variable with the replica's index.
    pub instance_var: String,
    /// The folder of a combined log that has no path (`log_file: true`).
    pub logs: PathBuf,
    /// Whether a field that nobody knows is a note instead of a mistake, as PM2 passes over it.
    pub lenient: bool,
}

impl Default for Defaults {
    /// Five seconds: PM2's 1600 ms cut off a server that finishes its requests.
    fn default() -> Self {
        Self {
            signal: Signal::INT,
            grace: Duration::from_secs(5),
            message: false,
            ready_within: Readiness::default().within,
            instance_var: "NODE_APP_INSTANCE".to_owned(),
            logs: PathBuf::from("logs"),
            lenient: false,
        }
    }
}

impl Defaults {
    /// `KILL_TIMEOUT` in PM2's constants.
    pub const PM2_GRACE: Duration = Duration::from_millis(1600);
}
