//! The standard input of an instance, for those who want to write to it.

use std::fmt;
use std::os::fd::OwnedFd;

use zelador_core::id::InstanceId;

use super::Driver;

/// Why nothing can be written to an instance.
#[derive(Debug)]
pub enum NoInput {
    /// Nobody runs.
    Down,
    /// It was started by a zelador that kept no pipe.
    NotOurs,
    /// No descriptor is left.
    Failed(std::io::Error),
}

impl fmt::Display for NoInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("it is not running, and nobody reads"),
            Self::NotOurs => {
                f.write_str("its standard input is not in zelador's hands; a restart changes that")
            }
            Self::Failed(error) => write!(f, "its standard input cannot be opened: {error}"),
        }
    }
}

impl Driver {
    /// Returns a duplicate of the write end of an instance's standard input; non-blocking.
    pub(super) fn standard_input(&self, of: InstanceId) -> Result<OwnedFd, NoInput> {
        let run = self.supervisor.run_of(of).ok_or(NoInput::Down)?;
        let input = self.native.standard_input(run).ok_or(NoInput::NotOurs)?;
        input.map_err(NoInput::Failed)
    }
}
