//! Memory that only a start needed is given back.
//!
//! What a program executes once (its settings, its first list) stays mapped although nothing needs it any
//! more, and the allocator keeps what it was given for it. Always holds: nothing that was ever written is
//! dropped; what is dropped is still in the page cache, and comes back from there when it is touched.

use std::fs;

use rustix::mm::{Advice, madvise};

use crate::sparse;

/// Arenas of the allocator in an engine: its few threads seldom allocate at the same moment, and each
/// arena keeps what it once had. glibc's own limit is eight for each core.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 2;

/// Bounds the allocator's arenas; to be called before a second thread is there.
pub fn use_few_arenas() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number within the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// Gives back free memory of the allocator.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: returns free pages to the kernel; nothing that is in use is touched.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives back free memory of the allocator, and the pages of the executable that nobody looks at just
/// now. Takes some milliseconds: for a thread that nobody waits for. Whatever comes next has its pages to
/// fetch again: a death that followed was answered 20 ms later than others.
pub fn give_back() {
    trim();
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for (start, length) in clean(&smaps, give_back as *const () as usize) {
        sparse::map_one_by_one(start, length);
        // SAFETY: the mapping is of a file, cannot be written, and never was (it has no anonymous page),
        // so that every page comes back from the file as it is. Its address is the kernel's own word.
        // A kernel that does not want to keeps them mapped.
        let _ = unsafe { madvise(start as *mut _, length, Advice::LinuxDontNeed) };
    }
}

/// The mappings of the executable that hold code and constants: the one with the address `code`, and those
/// before it of the same file. What comes after it was relocated at the start, and is written.
fn clean(smaps: &str, code: usize) -> Vec<(usize, usize)> {
    struct Mapping<'a> {
        start: usize,
        end: usize,
        rights: &'a str,
        /// Device and inode.
        file: (&'a str, &'a str),
        written: bool,
    }
    let mut all: Vec<Mapping> = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        if let Some((start, end)) = first.split_once('-') {
            let hexadecimal = |text| usize::from_str_radix(text, 16).ok();
            let (Some(start), Some(end)) = (hexadecimal(start), hexadecimal(end)) else { continue };
            let rights = words.next().unwrap_or_default();
            let file = (words.nth(1).unwrap_or_default(), words.next().unwrap_or_default());
            // Until the kernel says that it is not.
            all.push(Mapping { start, end, rights, file, written: true });
        } else if let ("Anonymous:", Some(mapping)) = (first, all.last_mut()) {
            mapping.written = words.next() != Some("0");
        }
    }
    let Some(text) = all.iter().find(|it| (it.start..it.end).contains(&code)) else {
        return Vec::new();
    };
    let of_file =
        |it: &&Mapping| it.file == text.file && it.file.1 != "0" && it.start <= text.start;
    let plain = |it: &&Mapping| matches!(it.rights, "r-xp" | "r--p") && !it.written;
    all.iter().filter(of_file).filter(plain).map(|it| (it.start, it.end - it.start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
1000-3000 r--p 00000000 fe:00 77 /opt/zelador
Rss: 8 kB
Anonymous: 0 kB
3000-9000 r-xp 00002000 fe:00 77 /opt/zelador
Anonymous: 0 kB
9000-a000 r--p 00008000 fe:00 77 /opt/zelador
Anonymous: 4 kB
a000-b000 rw-p 00009000 fe:00 77 /opt/zelador
Anonymous: 4 kB
b000-c000 rw-p 00000000 00:00 0 [heap]
Anonymous: 4 kB
d000-e000 r-xp 00000000 fe:00 78 /lib/libc.so.6
Anonymous: 0 kB
";

    #[test]
    fn only_code_and_constants_that_were_never_written_are_dropped() {
        assert_eq!(clean(SMAPS, 0x3500), [(0x1000, 0x2000), (0x3000, 0x6000)]);
        // One that a debugger has written a breakpoint into.
        let written = SMAPS.replacen("Anonymous: 0 kB\n9000", "Anonymous: 4 kB\n9000", 1);
        assert_eq!(clean(&written, 0x3500), [(0x1000, 0x2000)]);
        assert_eq!(clean(SMAPS, 0xb500), [], "memory is no file");
        assert_eq!(clean("", 0x3500), []);
        assert_eq!(clean("1000-3000 r-xp 0 fe:00 77 /x\n", 0x1500), [], "not known to be clean");
    }

    #[test]
    fn what_was_given_back_comes_back() {
        let resident = || {
            let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
            let code = give_back as *const () as usize;
            let start = clean(&smaps, code).last().expect("this code is in a file").0;
            let line = smaps.lines().skip_while(|it| !it.starts_with(&format!("{start:x}-")));
            let rss = line.clone().find_map(|line| line.strip_prefix("Rss:")).unwrap();
            rss.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{after} KiB of {before} are left");
    }
}
