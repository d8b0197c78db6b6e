//! Descriptors beside the pipes: channels of runs, and what the guardian keeps for later engines.

use std::io;
use std::os::fd::OwnedFd;

use zelador_core::id::RunId;
use zelador_guardian::message::ToGuardian;

use super::Native;
use crate::aside::Aside;

/// What is kept for services leaves room for so many runs more: one that ends is replaced before the guardian
/// forgets it.
const SPARE_RUNS: u64 = 4;

impl Native {
    /// A duplicate of our end of a run's channel; `None`: it has none.
    pub fn channel(&self, run: RunId) -> Option<io::Result<OwnedFd>> {
        let channel = self.runs.get(&run)?.kept.descriptors.channel.as_ref()?;
        Some(channel.try_clone())
    }

    /// A duplicate of the write end of a run's standard input; `None`: it has none.
    pub fn standard_input(&self, run: RunId) -> Option<io::Result<OwnedFd>> {
        let input = self.runs.get(&run)?.kept.descriptors.input.as_ref()?;
        Some(input.try_clone())
    }

    /// The runs whose main process lives.
    pub fn live_runs(&self) -> Vec<RunId> {
        let live = self.runs.iter().filter(|(_, state)| state.death.is_none());
        live.map(|(run, _)| *run).collect()
    }

    /// Whether anything is stowed.
    pub fn has_stowed(&self) -> bool {
        !self.stowed.is_empty()
    }

    /// The names of what is stowed.
    pub fn stowed_names(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.stowed.keys()
    }

    /// What is stowed under a name.
    pub fn stowed(&self, name: &[u8]) -> Option<&OwnedFd> {
        self.stowed.get(name)
    }

    /// Whether a service may have one more descriptor kept: not where those that are there could not be
    /// started again for it.
    pub fn has_room_to_keep(&self) -> bool {
        let (runs, stowed) = (self.runs.len() as u64, self.stowed.len() as u64);
        zelador_guardian::has_room(self.nofile.1, runs + SPARE_RUNS, stowed + 1)
    }

    /// Has the guardian keep a duplicate of a descriptor until it is discarded.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn stow(&mut self, name: &[u8], descriptor: &OwnedFd) -> io::Result<()> {
        let (ours, theirs) = (descriptor.try_clone()?, descriptor.try_clone()?);
        self.stowed.insert(name.to_owned(), ours);
        self.link.send_with(ToGuardian::Stow { name: name.to_owned() }, vec![theirs]);
        Ok(())
    }

    /// Closes what is stowed under a name, here and at the guardian's.
    pub fn discard(&mut self, name: &[u8]) {
        let aside = self.aside.clone();
        self.discard_by(&aside, name);
    }

    /// The same for what a source of its own had kept.
    pub fn discard_by(&mut self, aside: &Aside, name: &[u8]) {
        aside.close(self.stowed.remove(name).into_iter().collect());
        self.link.send(ToGuardian::Discard { name: name.to_owned() });
    }

    /// Whether a run belongs to another user than zelador.
    pub fn has_another_user(&self, run: RunId) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Some(state) = self.runs.get(&run) else { return true };
        let owner = std::fs::metadata(format!("/proc/{}", state.kept.pid)).map(|it| it.uid());
        owner.map_or(true, |owner| owner != rustix::process::geteuid().as_raw())
    }
}
