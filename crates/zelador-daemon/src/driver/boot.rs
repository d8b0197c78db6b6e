//! How a zelador that begins with the host brings its list up, and when it says that it has.
//!
//! The list of before the end (the history) comes back by itself, also after a loss of power. What
//! was saved and is not in it is added: once in each boot of the host, and whenever the list is
//! empty. So nothing that was saved is missing after a reboot, and what was deleted since does not
//! rise again because a guardian was killed.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use tokio::time::Instant;
use zelador_api::saved::{self, SavedError};
use zelador_core::input::{Command, Declaration, Input, Unchanged};
use zelador_core::supervisor::View;

use super::Driver;

/// How long the list may take to come up before the host is told that it is: units that wait for
/// zelador must not wait for one app. Below `TimeoutStartSec` of the unit.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// Changes with each boot of the host, and of a container that boots a system of its own.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// This boot; empty where the kernel does not tell.
pub(super) fn id() -> String {
    fs::read_to_string(BOOT_ID).unwrap_or_default().trim_end().to_owned()
}

impl Driver {
    /// Brings the list up; how it went is told when it has settled.
    pub(super) fn resurrect(&mut self) {
        self.booting = Some(Instant::now() + READY_WITHIN);
        let boot = id();
        let before = fs::read_to_string(self.home.booted()).unwrap_or_default();
        if !wants_saved(self.supervisor.view().instances.is_empty(), before.trim_end(), &boot) {
            return;
        }
        match saved::read(&self.home.dump()) {
            Ok(found) => {
                for wrong in &found.instead_of {
                    tracing::error!(taken = %found.path.display(), "saved list: {wrong}");
                }
                let add = |app| Declaration { replace: false, ..app };
                let apps = found.saved.apps.into_iter().map(add).collect();
                let unchanged = Unchanged::LeaveAlone;
                let ticket = self.ticket(None);
                let declare = Command::Declare { apps, settings: None, unchanged };
                self.step(Input::Command(ticket, declare));
            }
            Err(SavedError::Missing(_)) => tracing::info!("no list was saved"),
            Err(error) => tracing::error!(%error, "the saved list cannot be read"),
        }
        if let Err(error) = fs::write(self.home.booted(), boot) {
            tracing::warn!(%error, "it cannot be noted that the saved list was brought up");
        }
    }

    /// Brings up what was saved when the services are gone that a damaged history no longer knows: nobody can tell
    /// which app was whose, and a double is worse than a restart.
    pub(super) fn replace_lost_list(&mut self) {
        if self.is_list_lost && self.native.live_runs().is_empty() {
            self.is_list_lost = false;
            tracing::error!("the services of a lost list are ended; what was saved is started");
            self.resurrect();
        }
    }

    /// Says once that the list is up: when everything has settled, or when it is time.
    pub(super) fn tell_when_booted(&mut self) {
        let Some(until) = self.booting else { return };
        if self.supervisor.is_settled() || Instant::now() >= until {
            self.booting = None;
            let status = summary(&self.supervisor.view());
            tracing::info!("the list is up: {status}");
            self.native.ready(&status);
        }
    }
}

/// Whether the saved list is to be added to the list that came back.
fn wants_saved(list_is_empty: bool, added_in: &str, boot: &str) -> bool {
    list_is_empty || boot.is_empty() || added_in != boot
}

/// How many instances are in which state: `3 instances: 2 online, 1 stopped`.
fn summary(view: &View) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for instance in &view.instances {
        *counts.entry(instance.status.as_str()).or_default() += 1;
    }
    let states: Vec<String> =
        counts.into_iter().map(|(status, count)| format!("{count} {status}")).collect();
    match view.instances.len() {
        0 => "no apps".to_owned(),
        1 => format!("1 instance: {}", states.join(", ")),
        all => format!("{all} instances: {}", states.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::wants_saved;

    #[test]
    fn the_saved_list_is_added_once_a_boot_and_to_an_empty_list() {
        assert!(wants_saved(false, "", "b1"), "the first boot");
        assert!(!wants_saved(false, "b1", "b1"), "a killed guardian");
        assert!(wants_saved(false, "b1", "b2"), "a reboot");
        assert!(wants_saved(true, "b1", "b1"), "after `kill`");
        assert!(wants_saved(false, "", ""), "a host that does not tell");
    }
}
