//! A child begins on the processor that its parent runs on, who waits for it.
//!
//! Left alone, the kernel puts a new process where it finds least to do: on a busy host behind another program that
//! has just begun its turn there. That takes some milliseconds, in which the guardian waits until the child has
//! executed, and with it everybody else's start; the guardian's own processor is free meanwhile. When the child
//! executes the kernel places it anew, wherever the guardian may run.

use std::mem;

/// This thread may run on one processor only until this is dropped.
#[derive(Debug)]
pub(crate) struct Near {
    everywhere: libc::cpu_set_t,
}

impl Near {
    /// Stays on this processor. `None` where there is no other, or where the kernel does not let us, as with more than
    /// 1,024 processors: then a child begins anywhere.
    pub fn here() -> Option<Self> {
        // SAFETY: the kernel writes into `everywhere` no more than its size; all zero is the empty set.
        unsafe {
            let mut everywhere: libc::cpu_set_t = mem::zeroed();
            let size = size_of::<libc::cpu_set_t>();
            if libc::sched_getaffinity(0, size, &raw mut everywhere) < 0
                || libc::CPU_COUNT(&everywhere) < 2
            {
                return None;
            }
            let mut here: libc::cpu_set_t = mem::zeroed();
            let number = usize::try_from(libc::sched_getcpu()).ok()?;
            if number >= libc::CPU_SETSIZE as usize {
                return None;
            }
            libc::CPU_SET(number, &mut here);
            let stays = libc::sched_setaffinity(0, size, &raw const here) == 0;
            stays.then_some(Self { everywhere })
        }
    }

    /// Where a child may run that was begun meanwhile.
    pub const fn everywhere(&self) -> &libc::cpu_set_t {
        &self.everywhere
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        // SAFETY: the set is ours. It was in force before; what a cpuset took away since, the kernel leaves out.
        unsafe {
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const self.everywhere);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> i32 {
        // SAFETY: as in `here`.
        unsafe {
            let mut set: libc::cpu_set_t = mem::zeroed();
            assert_eq!(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set), 0);
            libc::CPU_COUNT(&set)
        }
    }

    #[test]
    fn it_stays_where_it_is_and_not_for_longer() {
        let before = allowed();
        let near = Near::here();
        assert_eq!(near.is_some(), before > 1);
        assert_eq!(allowed(), 1);
        drop(near);
        assert_eq!(allowed(), before);
    }
}
