//! Starting a process: the plan, made before; the child, which only calls the kernel.
//!
//! The guardian's memory is not copied (`clone.rs`) and the guardian waits until the child has executed
//! or failed, so the exact step and `errno` of a failure are left in memory. Always holds: the child
//! allocates nothing, takes no lock, calls no libc function that keeps state, and gets every descriptor
//! closed by CLOEXEC but the ones planned.

use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::{io, ptr};

use crate::capabilities::{drop_bounding, keep_capabilities};
use crate::clone;
use crate::limits::Nofile;
use crate::message::{Extras, Stage};
use crate::near::Near;
use crate::signals::{default_signals, die_with, live_on};

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
    /// The folder of its group in cgroup v2.
    pub group: Option<RawFd>,
    /// Further files `cgroup.procs`, open for writing.
    pub cgroups: &'a [RawFd],
    /// It needs a copy of only those of our descriptors that are below this number.
    pub copied: Option<RawFd>,
    /// Those of our descriptors that it closes before anything else. What may still be waiting to execute
    /// when we are killed must neither hold our lock nor keep our end of the link to the engine open.
    pub closed: &'a [RawFd],
    /// The child's descriptors: ours, and the number that it has there. None is overwritten before it
    /// was given its number.
    pub descriptors: &'a [(RawFd, RawFd)],
    pub extras: &'a Extras,
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

/// The variable whose value is the process's own number, when it is given without one.
const LISTEN_PID: &[u8] = b"LISTEN_PID=";

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
        let mut env = plan.env.map(pointers);
        // The child alone knows its number in time.
        let mut own_number = [0_u8; LISTEN_PID.len() + 12];
        own_number[..LISTEN_PID.len()].copy_from_slice(LISTEN_PID);
        let place = plan.env.and_then(|env| env.iter().position(|it| it.as_bytes() == LISTEN_PID));
        if let (Some(env), Some(place)) = (&mut env, place) {
            env[place] = own_number.as_ptr().cast();
        }
        unsafe extern "C" {
            static environ: *const *const libc::c_char;
        }
        let oom = plan.extras.oom.or(plan.oom).map(|score| score.to_string());
        let limit =
            plan.nofile.map(|one| libc::rlimit64 { rlim_cur: one.soft, rlim_max: one.hard });
        let near = Near::here();
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
            group: None,
            copied: plan.copied,
            closed: plan.closed,
            // SAFETY: only asks.
            guardian: unsafe { libc::getpid() },
            cgroups: plan.cgroups,
            descriptors: plan.descriptors,
            extras: plan.extras,
            own_number: own_number[LISTEN_PID.len()..].as_mut_ptr(),
            processors: near.as_ref().map(Near::everywhere),
            failure: None,
        };
        let stack = (self.0, STACK);
        let shared = clone::Files::shared(plan.copied.is_some());
        // SAFETY: the stack is mapped, writable, 16-byte aligned at its end, and used by nobody else
        // while this process waits; `child` and all it points to outlive the call; `enter` keeps to the
        // rules of the module header.
        let begun = unsafe {
            let born_there = plan.group.and_then(|group| {
                clone::child_in(group, shared, stack, enter, (&raw mut child).cast()).ok()
            });
            born_there.map_or_else(
                || {
                    // It enters by itself, and needs the descriptor for that.
                    child.group = plan.group;
                    child.copied = plan.copied.filter(|_| plan.group.is_none());
                    let shared = clone::Files::shared(child.copied.is_some());
                    clone::child(shared, stack, enter, (&raw mut child).cast())
                },
                Ok,
            )
        };
        let (pid, pidfd) = begun.map_err(|error| Failure::new(Stage::Fork, &error))?;
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
    /// The folder of the group that it is to enter, not being born there.
    group: Option<RawFd>,
    cgroups: &'a [RawFd],
    copied: Option<RawFd>,
    closed: &'a [RawFd],
    guardian: libc::pid_t,
    descriptors: &'a [(RawFd, RawFd)],
    extras: &'a Extras,
    /// Room for ten digits and a zero byte.
    own_number: *mut u8,
    /// The processors that it may run on, where it inherits fewer.
    processors: Option<&'a libc::cpu_set_t>,
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
    let extras = child.extras;
    // SAFETY: system calls with valid pointers only, as the caller promises.
    unsafe {
        if let Some(copied) = child.copied {
            let (first, last) = (copied as libc::c_uint, libc::c_uint::MAX);
            let unshare = libc::CLOSE_RANGE_UNSHARE;
            step!(Fork, libc::syscall(libc::SYS_close_range, first, last, unshare));
        }
        for number in child.closed {
            libc::close(*number);
        }
        // Nobody would know of what executes after our death: the next engine may have begun it anew.
        step!(Fork, die_with(child.guardian));
        if let Some(processors) = child.processors {
            // The guardian, too, which wakes as this executes: here it would interrupt us, wait itself for
            // what it asks about us, and leave the processor to others meanwhile.
            let (size, set) = (size_of::<libc::cpu_set_t>(), ptr::from_ref(processors));
            for process in [0, child.guardian] {
                libc::syscall(libc::SYS_sched_setaffinity, process, size, set);
            }
        }
        default_signals();
        write_number(child.own_number, libc::getpid().unsigned_abs());
        step!(Exec, libc::setsid());
        if let Some(score) = child.oom {
            // The score of the guardian must not shield its services; raising it is always allowed.
            let file = libc::open(OOM_PATH.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            let written = libc::write(file, score.as_ptr().cast(), score.len());
            if extras.oom.is_some() {
                step!(Oom, written);
            }
            libc::close(file);
        }
        if let Some(group) = child.group {
            let flags = libc::O_WRONLY | libc::O_CLOEXEC;
            let procs = libc::openat(group, c"cgroup.procs".as_ptr(), flags);
            step!(Cgroup, procs);
            step!(Cgroup, libc::write(procs, c"0".as_ptr().cast(), 1));
            libc::close(procs);
        }
        for cgroup in child.cgroups {
            step!(Cgroup, libc::write(*cgroup, c"0".as_ptr().cast(), 1));
        }
        if let Some(nice) = extras.nice {
            step!(Nice, libc::setpriority(libc::PRIO_PROCESS, 0, nice));
        }
        if let Some(io) = extras.io {
            /// This process: `IOPRIO_WHO_PROCESS`.
            const WHO: libc::c_int = 1;
            step!(Io, libc::syscall(libc::SYS_ioprio_set, WHO, 0, io));
        }
        if let Some(kept) = extras.capabilities {
            step!(Capabilities, drop_bounding(kept));
            if child.uid.is_some() {
                step!(Capabilities, libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0));
            }
        }
        if let Some(limit) = &child.limit {
            let limit = ptr::from_ref(limit);
            step!(Limits, libc::prlimit64(0, libc::RLIMIT_NOFILE, limit, ptr::null_mut()));
        }
        for limit in &extras.limits {
            let given = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
            let none = ptr::null_mut::<libc::rlimit64>();
            // The raw call: the number's type differs between libraries.
            step!(
                Limits,
                libc::syscall(libc::SYS_prlimit64, 0, limit.resource, &raw const given, none)
            );
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
        if let Some(kept) = extras.capabilities {
            step!(Capabilities, keep_capabilities(kept, child.uid.is_some_and(|uid| uid != 0)));
        }
        // A change of rights has taken it back.
        step!(Fork, die_with(child.guardian));
        if extras.no_new_privs {
            step!(Privileges, libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        }
        if let Some(mask) = extras.umask {
            libc::umask(mask);
        }
        if !child.cwd.is_null() {
            step!(Directory, libc::chdir(child.cwd));
        }
        for (from, to) in child.descriptors {
            if from == to {
                step!(Exec, libc::fcntl(*to, libc::F_SETFD, 0));
            } else {
                step!(Exec, libc::dup2(*from, *to));
            }
        }
        live_on();
        step!(Exec, libc::execve(child.program, child.argv, child.env));
    }
    Failure { stage: Stage::Exec, errno: libc::EINVAL }
}

/// Writes the digits of a number, and a zero byte after them.
///
/// # Safety
/// There is room for eleven bytes.
unsafe fn write_number(to: *mut u8, number: u32) {
    let mut digits = [0_u8; 10];
    let (mut left, mut count) = (number, 0);
    while count < digits.len() {
        digits[count] = b'0' + (left % 10) as u8;
        (left, count) = (left / 10, count + 1);
        if left == 0 {
            break;
        }
    }
    for place in 0..count {
        // SAFETY: at most ten digits, as the caller promises.
        unsafe { to.add(place).write_volatile(digits[count - 1 - place]) };
    }
    // SAFETY: as above.
    unsafe { to.add(count).write_volatile(0) };
}
