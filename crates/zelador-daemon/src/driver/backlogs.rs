//! What waits for logs that cannot be written: the guardian keeps it for the next engine.

use std::io;
use std::os::fd::OwnedFd;

use super::Driver;
use super::stowed::Stowed;
use crate::backend::native::Native;
use crate::logs::Memory;

/// What waited for logs in the engine before, each with its number.
pub(super) fn left_behind(native: &Native) -> Vec<(u64, OwnedFd)> {
    let read = |name: &Vec<u8>| match Stowed::read(name) {
        Some(Stowed::Backlog { backlog }) => Some((backlog, native.stowed(name)?.try_clone())),
        _ => None,
    };
    let told = |(number, memory): (u64, io::Result<OwnedFd>)| {
        let failed = |error| tracing::error!(%error, "lines that wait for a log cannot be read");
        Some((number, memory.map_err(failed).ok()?))
    };
    native.stowed_names().filter_map(read).filter_map(told).collect()
}

impl Driver {
    /// Has the guardian keep what is going to wait for a log.
    pub(super) fn keep_backlog(&mut self, memory: Memory) {
        let name = Stowed::Backlog { backlog: memory.number }.bytes();
        if let Err(error) = self.native.stow(&name, &memory.descriptor) {
            tracing::error!(%error, "lines that wait for a log would be lost with the engine");
        }
        self.unkept.push(memory);
        self.confirm_backlogs();
    }

    /// Tells the logs what the guardian has: what was sent to it is there, whatever becomes of the engine.
    pub(super) fn confirm_backlogs(&mut self) {
        if !self.native.is_behind() {
            self.unkept.drain(..).for_each(|memory| memory.confirm());
        }
    }

    /// Nothing waits in that memory any more.
    pub(super) fn forget_backlog(&mut self, number: u64) {
        self.native.discard(&Stowed::Backlog { backlog: number }.bytes());
    }
}
