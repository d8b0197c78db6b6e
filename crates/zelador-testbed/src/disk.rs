//! Small disks, which a test can fill: a tmpfs each, in mounts that nobody else sees.

use std::path::Path;
use std::process::Command;

use rustix::thread::UnshareFlags;

/// Gives this thread, and all that it starts, mounts of their own: they are gone with the last of them.
///
/// # Errors
/// That cannot be: why.
pub fn own_mounts() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root may mount a disk".to_owned());
    }
    // SAFETY: the namespace of mounts is unshared; no descriptor is.
    let own = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) };
    own.map_err(|error| format!("no mounts of its own can be had: {error}"))?;
    run(Command::new("mount").args(["--make-rprivate", "/"]))
}

/// Puts a disk with these options of tmpfs (`size=2M,nr_inodes=64`) in the place of a folder; after
/// [`own_mounts`] only.
///
/// # Errors
/// That cannot be: why.
pub fn mount(folder: &Path, options: &str) -> Result<(), String> {
    run(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder))
}

fn run(mount: &mut Command) -> Result<(), String> {
    let said = mount.output().map_err(|error| format!("mount: {error}"))?;
    let why = || format!("mount: {}", String::from_utf8_lossy(&said.stderr).trim());
    said.status.success().then_some(()).ok_or_else(why)
}
