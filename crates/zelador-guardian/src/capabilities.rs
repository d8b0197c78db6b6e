//! What a child may still do of what root may: system calls only, as everything between `clone` and `execve`.

/// Takes all other capabilities out of what this process and its children can ever get. Returns a
/// negative number when the kernel refuses.
///
/// # Safety
/// In a child of `clone` only.
pub(crate) unsafe fn drop_bounding(kept: u64) -> libc::c_int {
    for number in (0..64_u64).filter(|number| kept >> number & 1 == 0) {
        // SAFETY: changes only the rights of the calling process.
        unsafe {
            if libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) < 0 {
                // Beyond the last capability that this kernel knows.
                return if *libc::__errno_location() == libc::EINVAL { 0 } else { -1 };
            }
        }
    }
    0
}

/// Leaves the calling process only these of its capabilities; `ambient`: what it executes has them
/// too, although it is not root.
///
/// # Safety
/// In a child of `clone` only.
pub(crate) unsafe fn keep_capabilities(kept: u64, ambient: bool) -> libc::c_long {
    /// `_LINUX_CAPABILITY_VERSION_3`, and this process.
    const HEADER: [u32; 2] = [0x2008_0522, 0];
    // Effective, permitted, inheritable; the lower halves first.
    let mut data = [0_u32; 6];
    // SAFETY: header and data have the kernel's layout and live as long as the calls.
    unsafe {
        if libc::syscall(libc::SYS_capget, HEADER.as_ptr(), data.as_mut_ptr()) < 0 {
            return -1;
        }
        for half in 0..2 {
            let has = data[half * 3 + 1] & (kept >> (32 * half)) as u32;
            data[half * 3..half * 3 + 3].fill(has);
        }
        if libc::syscall(libc::SYS_capset, HEADER.as_ptr(), data.as_ptr()) < 0 {
            return -1;
        }
        let has = u64::from(data[1]) | u64::from(data[4]) << 32;
        for number in (0..64_u64).filter(|number| ambient && has >> number & 1 == 1) {
            if libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0 {
                return -1;
            }
        }
    }
    0
}
