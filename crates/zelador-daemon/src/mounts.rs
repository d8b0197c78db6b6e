//! What is mounted, as `/proc/self/mountinfo` tells: `proc_pid_mountinfo(5)`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The file that tells.
pub const MOUNTS: &str = "/proc/self/mountinfo";

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is.
    pub point: PathBuf,
    /// The file system's name: `ext4`, `nfs4`, `fuse.sshfs`.
    pub kind: String,
}

/// Returns all mounts, in the order in which they were made.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Mount> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        // Fields: id, parent, device, root, mount point, options, optional fields, `-`, type, …
        let point = fields.nth(4)?;
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        Some(Mount {
            point: OsString::from_vec(unescaped(point)).into(),
            kind: String::from_utf8_lossy(kind).into_owned(),
        })
    })
}

/// Whether a file system belongs to a server, or to a program that may be hung: whoever enters it then waits in the
/// kernel, where no signal ends that.
fn is_far(kind: &str) -> bool {
    // Those of Linux, and what third parties ship: `man 8 mount`, `ls /lib/modules/*/kernel/fs`.
    const FAR: [&str; 15] = [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse",
        "fuseblk",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "orangefs",
        "smb3",
    ];
    FAR.contains(&kind) || kind.starts_with("fuse.")
}

/// The mounts of this host that may hang, as they are now.
pub struct FarMounts {
    /// Tells of changes; `None`: it could not be opened yet.
    told: Option<File>,
    points: Vec<PathBuf>,
}

impl FarMounts {
    /// Reads them.
    pub fn read() -> Self {
        let told = File::open(MOUNTS).ok();
        let mut found = Self { told, points: Vec::new() };
        found.read_again();
        found
    }

    /// The mount that may hang whoever enters one of these paths; links on the way are not followed.
    pub fn on_the_way<'a>(&mut self, paths: impl Iterator<Item = &'a Path>) -> Option<PathBuf> {
        if self.told.is_none() {
            *self = Self::read();
        } else if self.has_changed() {
            self.read_again();
        }
        if self.points.is_empty() {
            return None;
        }
        let innermost = |path: &Path| {
            let above = self.points.iter().filter(|point| path.starts_with(point));
            above.max_by_key(|point| point.as_os_str().len()).cloned()
        };
        paths.into_iter().find_map(innermost)
    }

    /// By the descriptor that tells of changes: a change is told once, and there may be no other by then.
    fn read_again(&mut self) {
        let Some(told) = &mut self.told else { return };
        let mut text = Vec::new();
        if told.rewind().and_then(|()| told.read_to_end(&mut text)).is_err() {
            return;
        }
        let far = parse(&text).filter(|mount| is_far(&mount.kind));
        self.points = far.map(|mount| mount.point).collect();
    }

    /// Whether something was mounted or taken away since this was asked last.
    fn has_changed(&self) -> bool {
        let Some(told) = &self.told else { return false };
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut polled = [PollFd::new(told, PollFlags::PRI | PollFlags::ERR)];
        poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }
}

/// Blanks and backslashes are written as octal numbers.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let number = after
            .get(..3)
            .filter(|_| byte == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        plain.push(number.unwrap_or(byte));
        rest = if number.is_some() { &after[3..] } else { after };
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn they_are_read_where_no_descriptor_is_left_to_open_anything() {
        let mut told = tempfile::tempfile().unwrap();
        told.write_all(b"37 35 0:5 / /far rw - nfs4 h:/ rw\n").unwrap();
        let mut known = FarMounts { told: Some(told), points: Vec::new() };
        for _ in 0..2 {
            known.read_again();
            let found = known.on_the_way([Path::new("/far/a")].into_iter());
            assert_eq!(found.as_deref(), Some(Path::new("/far")));
        }
    }

    #[test]
    fn mount_points_with_blanks_are_read() {
        let text = b"36 35 98:0 /root /mnt/a\\040b\\134 rw shared:7 - ext3 /dev/x rw\n\
            37 35 0:5 / / rw - fuse.sshfs h:/ rw\n";
        let found: Vec<_> = parse(text).map(|it| (it.point, it.kind)).collect();
        assert_eq!(
            found,
            [
                (PathBuf::from("/mnt/a b\\"), "ext3".to_owned()),
                (PathBuf::from("/"), "fuse.sshfs".to_owned())
            ]
        );
    }
}
