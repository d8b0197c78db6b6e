//! What the host is at, for the history: its own meter, so that no check is needed for it.

use std::path::Path;

use rustix::fs::statvfs;
use zelador_core::history::Metric;

/// The subject of what concerns the host.
const HOST: &str = "host";

/// Measures from one sample to the next.
#[derive(Debug, Default)]
pub struct HostMeter {
    /// All processors' time and their idle time at the last sample, in clock ticks.
    before: Option<(u64, u64)>,
}

impl HostMeter {
    /// Adds what the host is at; what cannot be read is left out.
    pub fn measure(&mut self, beside: &Path, values: &mut Vec<(String, Metric, i64)>) {
        let mut add = |metric, value: Option<i64>| {
            values.extend(value.map(|value| (HOST.to_owned(), metric, value)));
        };
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kibibytes = |name: &str| -> Option<i64> {
            let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_ascii_whitespace().next()?.parse().ok()
        };
        let total = kibibytes("MemTotal:");
        let used = total.zip(kibibytes("MemAvailable:")).map(|(total, free)| (total - free) << 10);
        add(Metric::Memory, used);
        add(Metric::MemoryTotal, total.map(|total| total << 10));
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        add(Metric::Cpu, self.busy(&stat));
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|first| first.parse::<f64>().ok());
        add(Metric::Load, load.map(|load| (load * 1000.0) as i64));
        let disk = beside.parent().and_then(|folder| statvfs(folder).ok());
        add(
            Metric::Disk,
            disk.and_then(|disk| {
                let used = disk.f_blocks.checked_sub(disk.f_bfree)?;
                let all = used + disk.f_bavail;
                (all > 0).then(|| (used * 1000 / all) as i64)
            }),
        );
    }

    /// Thousandths of a core that were busy since the last sample.
    fn busy(&mut self, stat: &str) -> Option<i64> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> =
            line.split_ascii_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
        let cores = stat.lines().filter(|line| line.starts_with("cpu")).count().saturating_sub(1);
        let (all, idle) = (ticks.iter().sum::<u64>(), ticks.get(3)? + ticks.get(4).unwrap_or(&0));
        let (all_before, idle_before) = self.before.replace((all, idle))?;
        let span = all.checked_sub(all_before).filter(|span| *span > 0)?;
        let busy = span.saturating_sub(idle.saturating_sub(idle_before));
        Some((busy * 1000 * cores.max(1) as u64 / span) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_two_cores_is_one_core() {
        let mut meter = HostMeter::default();
        assert_eq!(meter.busy("cpu  10 0 10 80 0 0 0 0\ncpu0 1\ncpu1 1\n"), None);
        assert_eq!(meter.busy("cpu  60 0 60 180 0 0 0 0\ncpu0 1\ncpu1 1\n"), Some(1000));
    }

    #[test]
    fn this_host_has_memory_and_a_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut values = Vec::new();
        HostMeter::default().measure(&folder.path().join("history.db"), &mut values);
        let value = |wanted| values.iter().find(|(_, metric, _)| *metric == wanted).unwrap().2;
        assert!(value(Metric::Memory) > 0 && value(Metric::Memory) < value(Metric::MemoryTotal));
        assert!((0..=1000).contains(&value(Metric::Disk)));
    }
}
