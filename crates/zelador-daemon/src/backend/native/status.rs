//! Wait statuses and the kernel's out-of-memory counter, in the core's words.

use std::fs::File;
use std::os::unix::fs::FileExt;

use zelador_core::death::Death;
use zelador_core::signal::Signal;
use zelador_guardian::message::Ended;

/// Room for `/proc/vmstat`, in bytes: Linux 6.18 has 4 KiB of it.
const VMSTAT: usize = 8 << 10;

/// How a process ended by its raw wait status.
pub(super) fn death(ended: &Ended) -> Death {
    if !ended.known {
        return Death::Unknown;
    }
    let status = ended.status;
    if libc::WIFEXITED(status) {
        return Death::Exited { code: libc::WEXITSTATUS(status) };
    }
    let signal = u8::try_from(libc::WTERMSIG(status)).ok().and_then(Signal::new);
    match signal {
        Some(signal) => Death::Signaled { signal, core_dumped: libc::WCOREDUMP(status) },
        None => Death::Unknown,
    }
}

/// `/proc/vmstat`, kept open: it is looked at whenever something was killed.
#[derive(Debug, Default)]
pub(super) struct Vmstat(Option<File>);

impl Vmstat {
    /// How many processes the kernel has killed since boot because memory ran out, in the whole host
    /// and in all cgroups: `oom_kill` of `/proc/vmstat` (Linux 4.13).
    pub(super) fn oom_kills(&mut self) -> Option<u64> {
        if self.0.is_none() {
            self.0 = File::open("/proc/vmstat").ok();
        }
        // With room for all of it: the kernel adds everything up anew at each read.
        let mut text = [0; VMSTAT];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
        line.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_statuses_are_told_exactly() {
        let of = |status| death(&Ended { status, known: true, at_micros: 0 });
        assert_eq!(of(7 << 8), Death::Exited { code: 7 });
        let segv = Signal::new(11).unwrap();
        assert_eq!(of(11), Death::Signaled { signal: segv, core_dumped: false });
        assert_eq!(of(0x80 + 11), Death::Signaled { signal: segv, core_dumped: true });
        assert_eq!(death(&Ended { status: 0, known: false, at_micros: 0 }), Death::Unknown);
    }
}
