//! What the kernel says about memory that ran out: in the control group of a run, and in its log.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use zelador_core::unit::ByteSize;

use super::group::groups;
use super::kernel_log;

/// A limit above this is none: v1 says "no limit" by the largest number of whole pages.
const NO_LIMIT: u64 = 1 << 60;

/// The inode of the first namespace of process ids: `PROC_PID_INIT_INO` of Linux.
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFC;

/// What a control group counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Kills by the kernel since the group was made.
    pub kills: Option<u64>,
    /// The limit, where there is one.
    pub limit: Option<ByteSize>,
}

/// Reads a group of either version: `memory.events` and `memory.max`, or `memory.oom_control` and
/// `memory.limit_in_bytes`. What is not there stays unknown.
pub fn of_group(group: &Path) -> Counted {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let count = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
        line.trim().parse().ok()
    };
    let Some(kills) = read("memory.events").or_else(|| read("memory.oom_control")) else {
        // Its memory is not counted, which is told by one file as by five.
        return Counted::default();
    };
    let kills = count(kills);
    let limits = ["memory.max", "memory.high", "memory.limit_in_bytes"];
    let limits = limits.into_iter().filter_map(|name| read(name)?.trim().parse::<u64>().ok());
    let limit = limits.filter(|bytes| *bytes < NO_LIMIT).min().map(ByteSize::new);
    Counted { kills, limit }
}

/// The least limit of the groups that a process is in, `None`: this one, which is in the same container as one that
/// ended.
pub(super) fn limit_of_process(pid: Option<i32>) -> Option<ByteSize> {
    groups(pid, "memory").iter().filter_map(|group| of_group(group).limit).min()
}

/// Whether the kernel's log names this process as one that it killed for memory; `None`: the log may not be read, or
/// names processes by other numbers, as for a container.
pub fn is_named_by_kernel(pid: i32, limit: Instant) -> Option<bool> {
    let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
    if namespace != FIRST_NAMESPACE {
        return None;
    }
    kernel_log::about(pid, limit).map(|lines| !lines.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let group = |files: &[(&str, &str)]| {
            let path = tempfile::tempdir_in(folder.path()).unwrap().keep();
            files.iter().for_each(|(name, text)| fs::write(path.join(name), text).unwrap());
            of_group(&path)
        };
        let limit = |mebibytes: u64| Some(ByteSize::new(mebibytes << 20));
        let events = "low 0\nhigh 3\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n";
        let second = group(&[("memory.events", events), ("memory.max", "67108864\n")]);
        assert_eq!(second, Counted { kills: Some(1), limit: limit(64) });
        let free = group(&[("memory.events", "oom_kill 0\n"), ("memory.max", "max\n")]);
        assert_eq!(free, Counted { kills: Some(0), limit: None });
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n";
        let first =
            group(&[("memory.oom_control", control), ("memory.limit_in_bytes", "33554432\n")]);
        assert_eq!(first, Counted { kills: Some(2), limit: limit(32) });
        let most = [("memory.oom_control", ""), ("memory.limit_in_bytes", "9223372036854771712\n")];
        assert_eq!(group(&most), Counted::default());
    }
}
