//! Process groups: what the quick road of a stop needs.

use rustix::process::{Pid, getpgid, test_kill_process_group};
use zelador_core::signal::Signal;

use super::find::find;
use super::kill::signal;
use super::tree::RunKey;

/// Whether no process is left in the group that `leader` led. A zombie still counts as one.
pub fn group_is_empty(leader: i32) -> bool {
    let Some(group) = Pid::from_raw(leader) else { return true };
    test_kill_process_group(group) == Err(rustix::io::Errno::SRCH)
}

/// Sends a signal to the processes of a run that have left its process group; the group itself
/// was signalled in one system call.
pub async fn signal_outside_group(run: &RunKey, wanted: Signal) {
    let members = match find(run).await {
        Ok(members) => members,
        Err(error) => return tracing::debug!(%error, "/proc cannot be read"),
    };
    let outside = |pid| {
        let group = Pid::from_raw(pid).and_then(|pid| getpgid(Some(pid)).ok());
        group.is_some_and(|group| Some(group.as_raw_nonzero().get()) != run.pgid)
    };
    for member in members.into_iter().filter(|member| outside(member.pid)) {
        if let Err(error) = signal(member, wanted) {
            tracing::debug!(pid = member.pid, %error, "a process cannot be signalled");
        }
    }
}

/// Whether any thread of a process has a child; true where the kernel does not tell.
pub fn has_children(pid: i32) -> bool {
    let threads = match std::fs::read_dir(format!("/proc/{pid}/task")) {
        Ok(threads) => threads,
        Err(error) => return error.kind() != std::io::ErrorKind::NotFound,
    };
    threads.flatten().any(|thread| {
        let children = std::fs::read(thread.path().join("children"));
        children.map_or(true, |children| !children.is_empty())
    })
}
