//! Whether a process is a run that outlived its guardian and its engine, although it does not say so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zelador_core::id::RunId;
use zelador_core::unit::Moment;

use crate::errno;
use crate::processes::Stat;

/// The record says when the engine learned of the start, and the clock may have been corrected a bit.
const STARTED_ABOUT: Duration = Duration::from_secs(3);

/// Whether the process with the recorded number is the run, although its mark cannot be read: programs
/// that set their title write over their environment.
pub(super) fn is_proven(process: &Stat, run: RunId, since: Option<Moment>) -> io::Result<bool> {
    let group = group_of(process.pid)?;
    let in_group = group.is_some_and(|group| {
        let place = group.parent().and_then(Path::file_name).unwrap_or_default();
        let is_ours = place.to_string_lossy().starts_with("zelador-");
        is_ours && group.file_name().is_some_and(|name| *name == *run.to_string())
    });
    let booted = booted()?;
    let when = || {
        let ticks = rustix::param::clock_ticks_per_second();
        let since_boot = Duration::from_millis(process.start_time.saturating_mul(1000) / ticks);
        let started = booted? + since_boot;
        let recorded = Duration::from_micros(since?.as_micros());
        Some(started.abs_diff(recorded) < STARTED_ABOUT)
    };
    Ok(in_group || when().unwrap_or(false))
}

/// When the host was booted, since the Unix epoch.
fn booted() -> io::Result<Option<Duration>> {
    let text = read(Path::new("/proc/stat"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    Ok(line.and_then(|line| line.trim().parse().ok()).map(Duration::from_secs))
}

/// The text of a file; empty where it cannot be read at all.
fn read(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if errno::is_want(&error) => Err(error),
        text => Ok(text.unwrap_or_default()),
    }
}

/// The control group of a process, if a zelador has made it.
pub(super) fn group_of(pid: i32) -> io::Result<Option<PathBuf>> {
    let own = read(Path::new(&format!("/proc/{pid}/cgroup")))?;
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::"));
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| place.split(' ').nth(4))?
    });
    let (Some(own), Some(mount)) = (own, mount) else { return Ok(None) };
    let group = Path::new(mount).join(own.trim_start_matches('/'));
    Ok((own.contains("/zelador-") && group.is_dir()).then_some(group))
}
