//! `clone` as a service is begun with: our memory is shared, we wait until it executes, it is born in
//! its control group.
//!
//! Moving a process into a group afterwards, by `cgroup.procs`, makes the kernel wait until every
//! processor has passed a quiet point: 5 to 25 ms on a quiet host, more than all the rest of a restart.
//! `CLONE_INTO_CGROUP` (Linux 5.7) of `clone3` costs nothing. libc has no function for `clone3`, and a
//! child on a stack of its own cannot return from one: hence the few instructions below.

use std::os::fd::RawFd;
use std::{io, ptr};

/// What the child runs; it never returns.
pub(crate) type Entry = extern "C" fn(*mut libc::c_void) -> libc::c_int;

/// Our table of descriptors, as a child has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// A copy.
    Copied,
    /// The same, until it takes a copy of what it needs; it may change nothing before.
    Shared,
}

impl Files {
    /// Returns which, by whether it is shared.
    pub fn shared(is_shared: bool) -> Self {
        if is_shared { Self::Shared } else { Self::Copied }
    }

    const fn flag(self) -> libc::c_int {
        match self {
            Self::Copied => 0,
            Self::Shared => libc::CLONE_FILES,
        }
    }
}

/// What else is shared with the child, that we wait, and what we get.
const FLAGS: libc::c_int = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;

/// Begins a child on a stack of `size` bytes from `base` and returns once it has executed or ended: its
/// number and its pidfd.
///
/// # Errors
/// The kernel's.
///
/// # Safety
/// The stack is mapped, writable, and its end aligned to 16 bytes; nobody else uses it. `enter` does
/// with `argument` and with our memory only what we, who wait, can bear.
pub(crate) unsafe fn child(
    files: Files,
    (base, size): (*mut libc::c_void, usize),
    enter: Entry,
    argument: *mut libc::c_void,
) -> io::Result<(libc::pid_t, RawFd)> {
    let mut pidfd: RawFd = -1;
    let flags = FLAGS | files.flag();
    // SAFETY: as the caller promises.
    let pid = unsafe { libc::clone(enter, base.byte_add(size), flags, argument, &raw mut pidfd) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok((pid, pidfd)) }
}

/// The same, born in the control group (cgroup v2) whose folder is `group`.
///
/// # Errors
/// The kernel's: it knows no `clone3` (before 5.3, or hidden by a container's filter), not this flag
/// (before 5.7), or the group does not take it. No child was begun then.
///
/// # Safety
/// As for `child`.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn child_in(
    group: RawFd,
    files: Files,
    (base, size): (*mut libc::c_void, usize),
    enter: Entry,
    argument: *mut libc::c_void,
) -> io::Result<(libc::pid_t, RawFd)> {
    use std::arch::asm;
    /// `CLONE_INTO_CGROUP`; libc's constant has too few bits.
    const INTO_CGROUP: u64 = 0x2_0000_0000;

    let mut pidfd: RawFd = -1;
    // SAFETY: all of it are numbers, for which zero means "none".
    let mut wanted: libc::clone_args = unsafe { std::mem::zeroed() };
    wanted.flags = (FLAGS & !libc::SIGCHLD | files.flag()) as u64 | INTO_CGROUP;
    wanted.exit_signal = libc::SIGCHLD as u64;
    wanted.pidfd = ptr::from_mut(&mut pidfd).expose_provenance() as u64;
    wanted.stack = base.expose_provenance() as u64;
    wanted.stack_size = size as u64;
    wanted.cgroup = group as u64;
    let answer: libc::c_long;
    // SAFETY: the kernel reads `wanted` and writes `pidfd`. In the child, whose answer is zero and whose
    // stack pointer is the aligned end of the caller's stack, `enter` is called and never returns; we go
    // on behind it, with what a system call leaves.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => answer,
            in("rdi") &raw mut wanted,
            in("rsi") size_of::<libc::clone_args>(),
            in("r12") enter,
            in("r13") argument,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    match libc::pid_t::try_from(answer) {
        Ok(pid) if pid > 0 => Ok((pid, pidfd)),
        _ => Err(io::Error::from_raw_os_error(answer.unsigned_abs() as i32)),
    }
}

/// The instructions for other processors are not written: none was there to try them.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) unsafe fn child_in(
    _group: RawFd,
    _files: Files,
    _stack: (*mut libc::c_void, usize),
    _enter: Entry,
    _argument: *mut libc::c_void,
) -> io::Result<(libc::pid_t, RawFd)> {
    Err(io::ErrorKind::Unsupported.into())
}
