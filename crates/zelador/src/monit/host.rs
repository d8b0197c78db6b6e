//! The host, as the kernel tells it at each look.

use std::fs;

use zelador_api::unit::{ByteSize, Percent};

use super::state::Host;

/// Looks at the host again and again.
#[derive(Debug, Default)]
pub struct Looks {
    /// Ticks of all processors at the last look: busy, and all.
    ticks: Option<(u64, u64)>,
}

impl Looks {
    /// Looks at the host; what cannot be read is zero.
    pub fn look(&mut self) -> Host {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let ticks = ticks(&read("/proc/stat"));
        let cpu = match (self.ticks, ticks) {
            (Some(before), Some(now)) => share(before, now),
            _ => None,
        };
        self.ticks = ticks;
        let (memory_total, memory_available) = memory(&read("/proc/meminfo"));
        Host { cpu, load: load(&read("/proc/loadavg")), memory_total, memory_available }
    }
}

/// How busy the processors were between two looks.
fn share(before: (u64, u64), now: (u64, u64)) -> Option<Percent> {
    let (busy, all) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
    (all > 0).then(|| Percent::of(busy.min(all), all))
}

/// The ticks of the line `cpu` of `/proc/stat`: busy, and all. Guests are in `user` already.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|it| it.parse().ok()).collect();
    let all = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4).copied().unwrap_or(0);
    Some((u64::saturating_sub(all, idle), all))
}

fn memory(meminfo: &str) -> (ByteSize, ByteSize) {
    let of = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        ByteSize::new(kibibytes.unwrap_or(0) << 10)
    };
    (of("MemTotal:"), of("MemAvailable:"))
}

fn load(loadavg: &str) -> [f64; 3] {
    let mut words = loadavg.split_whitespace().map(|word| word.parse().unwrap_or(0.0));
    [(); 3].map(|()| words.next().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_understood() {
        let stat = "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3 4\n";
        assert_eq!(ticks(stat), Some((150, 1000)));
        assert_eq!(share((100, 900), (150, 1000)), Some(Percent::of(50, 100)));
        assert_eq!(share((100, 900), (100, 900)), None);
        assert_eq!(
            load("0.52 0.40 0.33 1/234 5678\n").map(|it| it.to_string()),
            ["0.52", "0.4", "0.33"]
        );
        let (total, available) =
            memory("MemTotal: 2048 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\n");
        assert_eq!((total, available), (ByteSize::mebibytes(2), ByteSize::mebibytes(1)));
        assert_eq!((ticks(""), memory("").0), (None, ByteSize::new(0)));
        assert_eq!(load("").map(|it| it.to_string()), ["0", "0", "0"]);
    }
}
