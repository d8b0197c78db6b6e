//! How the host is at the moment: load, memory, and who waits for what.

use std::fs;
use std::sync::LazyLock;

use zelador_core::evidence::HostSeen;
use zelador_core::unit::ByteSize;

/// How many there are for us. To find out costs the kernel more than all the rest: some twenty files of control groups.
static PROCESSORS: LazyLock<u32> = LazyLock::new(|| {
    let known = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(known).unwrap_or(u32::MAX)
});

/// Reads it; `None` where `/proc` does not say.
pub(super) fn now() -> Option<HostSeen> {
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    Some(HostSeen {
        load: load.split(' ').next()?.parse().ok()?,
        processors: *PROCESSORS,
        available: kibibytes(&memory, "MemAvailable:")?,
        memory: kibibytes(&memory, "MemTotal:")?,
        pressure: pressure(),
    })
}

fn kibibytes(text: &str, name: &str) -> Option<ByteSize> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(ByteSize::new(number << 10))
}

fn pressure() -> Option<[f64; 3]> {
    let of = |what: &str| {
        let text = fs::read_to_string(format!("/proc/pressure/{what}")).ok()?;
        some(&text)
    };
    Some([of("cpu")?, of("memory")?, of("io")?])
}

/// `some avg10=1.50 avg60=…`.
fn some(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some avg10="))?;
    line.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_tells_how_it_is() {
        let host = now().expect("Linux has /proc");
        assert!(host.processors >= 1 && host.load >= 0.0);
        assert!(host.available <= host.memory && host.memory > ByteSize::new(0));
        let text = "some avg10=1.50 avg60=0.10 avg300=0.00 total=1\nfull avg10=9.00 total=2\n";
        assert_eq!(some(text), Some(1.5));
    }
}
