//! Starting a process: the plan, made before; the child, which only calls the kernel.
//!
//! `clone` with `CLONE_VM | CLONE_VFORK`: the guardian's memory is not copied and the guardian waits
//! until the child has executed or failed, so the exact step and `errno` of a failure are left in
//! memory. Always holds: the child allocates nothing, takes no lock, calls no libc function that
//! keeps state, and gets every descriptor closed by CLOEXEC but the ones planned.

use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::{io, ptr};

use crate::limits::Nofile;
use crate::message::Stage;

/// Stack of the child, in bytes; it needs less than 2 KiB in a debug build.
const STACK: usize = 64 * 1024;

/// Where the child finds its own out-of-memory score.
const OOM_PATH: &std::ffi::CStr = c"/proc/self/oom_score_adj";

/// What the child shall be. Byte strings end with a zero byte already.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub program: &'a CString,
    pub argv: &'a [CString],
    /// `None`: the guardian's own.
    pub env: Option<&'a [CString]>,
    pub cwd: Option<&'a CString>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub groups: Option<&'a [u32]>,
    /// `None`: the guardian's own.
    pub nofile: Option<Nofile>,
    pub oom: Option<i32>,
    /// A `cgroup.procs`, open for writing.
    pub cgroup: Option<RawFd>,
    /// The child's descriptors 0, 1, 2, ...: none below its index, which would be overwritten before.
    pub descriptors: &'a [RawFd],
}

/// A started process.
#[derive(Debug)]
pub(crate) struct Started {
    pub pid: u32,
    pub pidfd: OwnedFd,
}

/// Where and why a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub stage: Stage,
    pub errno: i32,
}

impl Failure {
    /// Returns the failure of `stage` with the kernel's answer in `error`.
    pub fn new(stage: Stage, error: &io::Error) -> Self {
        Self { stage, errno: error.raw_os_error().unwrap_or(libc::EINVAL) }
    }
}

/// The memory the child runs on; one for all, since there is one child at a time.
#[derive(Debug)]
pub(crate) struct Stack(*mut libc::c_void);

impl Stack {
    /// Returns a stack whose lowest page faults, so that an overflow cannot reach other memory.
    pub fn new() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new anonymous mapping touches no other memory.
        let base = unsafe { libc::mmap(ptr::null_mut(), STACK, access, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self(base);
        // SAFETY: within the mapping just made; 64 KiB is at least one page everywhere.
        if unsafe { libc::mprotect(base, page_size().min(STACK / 2), libc::PROT_NONE) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stack)
    }

    /// Starts what `plan` says and returns once it has executed.
    ///
    /// # Errors
    /// The step that failed; no process is left in that case.
    pub fn start(&self, plan: &Plan) -> Result<Started, Failure> {
        let pointers = |strings: &[CString]| -> Vec<_> {
            strings.iter().map(|one| one.as_ptr()).chain([ptr::null()]).collect()
        };
        let argv = pointers(plan.argv);
        let env = plan.env.map(pointers);
        unsafe extern "C" {
            static environ: *const *const libc::c_char;
        }
        let oom = plan.oom.map(|score| score.to_string());
        let limit =
            plan.nofile.map(|one| libc::rlimit64 { rlim_cur: one.soft, rlim_max: one.hard });
        let mut child = Child {
            program: plan.program.as_ptr(),
            argv: argv.as_ptr(),
            // SAFETY: nobody changes the environment of the single-threaded guardian.
            env: env.as_ref().map_or_else(|| unsafe { environ }, Vec::as_ptr),
            cwd: plan.cwd.map_or(ptr::null(), |cwd| cwd.as_ptr()),
            uid: plan.uid,
            gid: plan.gid,
            groups: plan.groups,
            limit,
            oom: oom.as_deref().map(str::as_bytes),
            cgroup: plan.cgroup,
            descriptors: plan.descriptors,
            failure: None,
        };
        let mut pidfd: RawFd = -1;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        // SAFETY: the stack is mapped, writable, 16-byte aligned at its end, and used by nobody else
        // while this process waits (CLONE_VFORK); `child` and all it points to outlive the call;
        // `enter` keeps to the rules of the module header.
        let pid = unsafe {
            libc::clone(
                enter,
                self.0.byte_add(STACK),
                flags,
                (&raw mut child).cast(),
                &raw mut pidfd,
            )
        };
        if pid < 0 {
            return Err(Failure::new(Stage::Fork, &io::Error::last_os_error()));
        }
        // SAFETY: the kernel has just made this descriptor for us.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        // SAFETY: `child` is valid; volatile, because another process has written it.
        let Some(failure) = (unsafe { ptr::read_volatile(&raw const child.failure) }) else {
            return Ok(Started { pid: pid as u32, pidfd });
        };
        // It is at its `_exit`, so this wait takes microseconds.
        loop {
            // SAFETY: waits for our own child and stores nothing.
            let done = unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
            if done == pid || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return Err(failure);
            }
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and no child runs on it: `start` returns after it left.
        unsafe { libc::munmap(self.0, STACK) };
    }
}

fn page_size() -> usize {
    // SAFETY: only asks.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// The plan as the child reads it, and where it leaves its failure.
struct Child<'a> {
    program: *const libc::c_char,
    argv: *const *const libc::c_char,
    env: *const *const libc::c_char,
    cwd: *const libc::c_char,
    uid: Option<u32>,
    gid: Option<u32>,
    groups: Option<&'a [u32]>,
    limit: Option<libc::rlimit64>,
    oom: Option<&'a [u8]>,
    cgroup: Option<RawFd>,
    descriptors: &'a [RawFd],
    failure: Option<Failure>,
}

extern "C" fn enter(argument: *mut libc::c_void) -> libc::c_int {
    let child = argument.cast::<Child>();
    // SAFETY: `argument` is the `Child` that `start` owns; it waits, so nobody else touches it.
    unsafe {
        let failure = become_service(&*child);
        ptr::write_volatile(&raw mut (*child).failure, Some(failure));
        libc::_exit(127)
    }
}

/// Returns only when a step failed.
///
/// # Safety
/// In a child of `clone` only; all pointers of `child` are valid.
unsafe fn become_service(child: &Child) -> Failure {
    macro_rules! step {
        ($stage:ident, $call:expr) => {
            if $call < 0 {
                // libc's errno of this thread; the parent, which shares it, waits.
                return Failure { stage: Stage::$stage, errno: *libc::__errno_location() };
            }
        };
    }
    // SAFETY: system calls with valid pointers only, as the caller promises.
    unsafe {
        default_signals();
        step!(Exec, libc::setsid());
        if let Some(score) = child.oom {
            // The score of the guardian must not shield its services; raising it is always allowed.
            let file = libc::open(OOM_PATH.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            libc::write(file, score.as_ptr().cast(), score.len());
            libc::close(file);
        }
        if let Some(cgroup) = child.cgroup {
            step!(Cgroup, libc::write(cgroup, c"0".as_ptr().cast(), 1));
        }
        if let Some(limit) = &child.limit {
            let limit = ptr::from_ref(limit);
            step!(Limits, libc::prlimit64(0, libc::RLIMIT_NOFILE, limit, ptr::null_mut()));
        }
        // The raw calls: libc's change every thread of the process by signals.
        if let Some(groups) = child.groups {
            step!(Groups, libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()));
        }
        if let Some(gid) = child.gid {
            step!(Gid, libc::syscall(libc::SYS_setgid, gid));
        }
        if let Some(uid) = child.uid {
            step!(Uid, libc::syscall(libc::SYS_setuid, uid));
        }
        if !child.cwd.is_null() {
            step!(Directory, libc::chdir(child.cwd));
        }
        for (to, from) in child.descriptors.iter().enumerate() {
            let to = to as RawFd;
            if *from == to {
                step!(Exec, libc::fcntl(to, libc::F_SETFD, 0));
            } else {
                step!(Exec, libc::dup2(*from, to));
            }
        }
        step!(Exec, libc::execve(child.program, child.argv, child.env));
    }
    Failure { stage: Stage::Exec, errno: libc::EINVAL }
}

/// Sets every signal to its default and blocks none, in this order: a handler of the guardian must
/// never run on the child's stack.
///
/// # Safety
/// In a child of `clone` only.
unsafe fn default_signals() {
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
