//! A child begins on the processor that its parent runs on, who waits for it.
//!
//! Left alone, the kernel puts a new process where it finds least to do: on a busy host behind another program that
//! has just begun its turn there. That takes some milliseconds, in which the guardian waits until the child has
//! executed, and with it everybody else's start; the guardian's own processor is free meanwhile. The child lets both of
//! them run anywhere again before it executes: the kernel then places it anew, and wakes the guardian elsewhere.

use std::mem;

/// This thread may run on one processor only until this is dropped.
pub(crate) struct Near {
    everywhere: libc::cpu_set_t,
}

impl Near {
    /// Stays on this processor. `None` where there is no other, or where the kernel does not let us, as with more than
    /// 1,024 processors: then a child begins anywhere.
    pub fn here() -> Option<Self> {
        let allowed = allowed()?;
        let number = current().filter(|_| count(&allowed) > 1)?;
        // Nobody has left any out, so that none is left out later either: a cpuset may grow, a processor be added.
        allow(&all())?;
        let is_free = is_same(&self::allowed()?, &allowed);
        let near = Self { everywhere: if is_free { all() } else { allowed } };
        allow(&only(number)).map(|()| near)
    }

    /// Where a child may run that was begun meanwhile.
    pub const fn everywhere(&self) -> &libc::cpu_set_t {
        &self.everywhere
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        // It was in force before, so that it can be again.
        _ = allow(&self.everywhere);
    }
}

/// Where this thread may run now.
fn allowed() -> Option<libc::cpu_set_t> {
    let mut set = none();
    // SAFETY: the kernel writes no more than the size of `set`.
    let got = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    (got == 0).then_some(set)
}

/// Lets this thread run there; a cpuset may allow less of it.
fn allow(set: &libc::cpu_set_t) -> Option<()> {
    let set = std::ptr::from_ref(set);
    // SAFETY: the kernel reads no more than the size of `set`.
    let done = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set) };
    (done == 0).then_some(())
}

fn current() -> Option<usize> {
    // SAFETY: only asks.
    let number = usize::try_from(unsafe { libc::sched_getcpu() }).ok()?;
    (number < libc::CPU_SETSIZE as usize).then_some(number)
}

const fn none() -> libc::cpu_set_t {
    // SAFETY: a set of bits, all of them zero.
    unsafe { mem::zeroed() }
}

fn only(number: usize) -> libc::cpu_set_t {
    let mut set = none();
    // SAFETY: `current` keeps below the size of a set.
    unsafe { libc::CPU_SET(number, &mut set) };
    set
}

const fn all() -> libc::cpu_set_t {
    let mut set = none();
    // SAFETY: a set of bits, all of them one.
    unsafe { (&raw mut set).write_bytes(u8::MAX, 1) };
    set
}

fn count(set: &libc::cpu_set_t) -> i32 {
    // SAFETY: only counts.
    unsafe { libc::CPU_COUNT(set) }
}

fn is_same(one: &libc::cpu_set_t, other: &libc::cpu_set_t) -> bool {
    // SAFETY: only compares.
    unsafe { libc::CPU_EQUAL(one, other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_where_it_is_and_not_for_longer() {
        let before = allowed().unwrap();
        let near = Near::here();
        assert_eq!(near.is_some(), count(&before) > 1);
        assert_eq!(count(&allowed().unwrap()), 1);
        drop(near);
        assert!(is_same(&allowed().unwrap(), &before));
    }

    #[test]
    fn what_somebody_left_out_stays_left_out() {
        let before = allowed().unwrap();
        let mut fewer = before;
        let mut numbers = (0..libc::CPU_SETSIZE as usize).filter(|number| {
            // SAFETY: below the size of a set.
            unsafe { libc::CPU_ISSET(*number, &before) }
        });
        // SAFETY: as above.
        unsafe { libc::CPU_CLR(numbers.next().unwrap(), &mut fewer) };
        if count(&fewer) == 0 {
            return;
        }
        allow(&fewer).unwrap();
        drop(Near::here());
        assert!(is_same(&allowed().unwrap(), &fewer));
        allow(&before).unwrap();
    }
}
