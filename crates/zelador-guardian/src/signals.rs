//! What a child does about signals: system calls only, as everything between `clone` and `execve`.

use std::ptr;

/// Has the calling process die with `guardian`, until [`live_on`]. Returns a negative number when that is
/// gone already.
///
/// # Safety
/// In a child of `clone` only.
pub(crate) unsafe fn die_with(guardian: libc::pid_t) -> libc::c_int {
    // SAFETY: changes only the calling process.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        if libc::getppid() == guardian { 0 } else { -1 }
    }
}

/// It outlives whoever began it from here on.
///
/// # Safety
/// In a child of `clone` only.
pub(crate) unsafe fn live_on() {
    // SAFETY: changes only the calling process.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, 0, 0, 0, 0) };
}

/// Sets every signal to its default and blocks none, in this order: a handler of the guardian must
/// never run on the child's stack.
///
/// # Safety
/// In a child of `clone` only.
pub(crate) unsafe fn default_signals() {
    /// The kernel's `sigset_t`, in bytes, on all architectures but MIPS.
    const SET: usize = 8;
    /// The kernel's `struct sigaction` is at most 32 bytes there; all zero is `SIG_DFL`.
    const DEFAULT: [u64; 4] = [0; 4];
    static EMPTY: u64 = 0;
    for signal in 1..=64 {
        // SAFETY: `DEFAULT` is readable. SIGKILL and SIGSTOP are refused, which is right.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT.as_ptr(),
                ptr::null_mut::<u64>(),
                SET,
            );
        }
    }
    // SAFETY: `EMPTY` is readable.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const EMPTY,
            ptr::null_mut::<u64>(),
            SET,
        );
    }
}
