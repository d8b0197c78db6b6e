//! The host's memory and processors.
//!
//! `/proc/meminfo` and `/proc/stat` are answered by the kernel from memory and cannot hang.

use std::fs;
use std::time::Duration;

use tokio::time::{self, Instant};
use zelador_core::probe::{Finding, ProbeOutcome};
use zelador_core::unit::{ByteSize, Percent};
use zelador_core::words;
use zelador_core::words::Words;

use crate::errno;

/// The shortest span over which the processors' share means something: 20 clock ticks a core.
const SHORTEST_SPAN: Duration = Duration::from_millis(200);

/// Looks at the host's memory.
pub(super) fn memory() -> Finding {
    match fs::read_to_string("/proc/meminfo") {
        Ok(text) => memory_in(&text).unwrap_or_else(|| Finding::Unavailable {
            detail: words!(
                "/proc/meminfo has no MemTotal and MemAvailable",
                "/proc/meminfo não tem MemTotal nem MemAvailable",
            ),
        }),
        Err(error) => Finding::Unavailable { detail: errno::said_of("/proc/meminfo", &error) },
    }
}

fn memory_in(text: &str) -> Option<Finding> {
    let kibibytes = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    let total = kibibytes("MemTotal:")?;
    let used = total.saturating_sub(kibibytes("MemAvailable:")?);
    Some(Finding::Memory { used: ByteSize::new(used << 10), total: ByteSize::new(total << 10) })
}

/// Measures the processors from one look to the next.
#[derive(Debug, Default)]
pub struct CpuMeter {
    last: Option<(Instant, Ticks)>,
}

impl CpuMeter {
    /// Returns a meter that has not looked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the busy share since the last look; over the next 200 ms if there was none, or less
    /// than 200 ms ago.
    pub async fn look(&mut self) -> ProbeOutcome {
        let begin = Instant::now();
        let finding = self.measure().await.unwrap_or_else(|detail| Finding::Unavailable { detail });
        ProbeOutcome { finding, took: begin.elapsed() }
    }

    async fn measure(&mut self) -> Result<Finding, Words> {
        let (at, before) = match self.last {
            Some(last) => last,
            None => *self.last.insert((Instant::now(), Ticks::read()?)),
        };
        time::sleep_until(at + SHORTEST_SPAN).await;
        let now = Ticks::read()?;
        self.last = Some((Instant::now(), now));
        // A clock that stood still or went back, as iowait may: nothing was busy.
        let all = now.all.saturating_sub(before.all);
        let busy = all.saturating_sub(now.idle.saturating_sub(before.idle));
        Ok(Finding::Cpu { busy: Percent::of(busy, all), cores: now.cores })
    }
}

/// Time of all processors together since boot, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    all: u64,
    idle: u64,
    cores: u32,
}

impl Ticks {
    fn read() -> Result<Self, Words> {
        let text = fs::read_to_string("/proc/stat");
        let text = text.map_err(|error| errno::said_of("/proc/stat", &error))?;
        Self::parse(&text).ok_or_else(|| {
            words!("/proc/stat has no line `cpu`", "/proc/stat não tem a linha `cpu`")
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let number = |field: &str| field.parse::<u64>().ok();
        // user nice system idle iowait irq softirq steal; what follows (guests) is part of user.
        let ticks: Vec<u64> = line.split_ascii_whitespace().take(8).map_while(number).collect();
        let idle = ticks.get(3)? + ticks.get(4).copied().unwrap_or(0);
        let cores = text.lines().filter(|line| is_core(line)).count() as u32;
        Some(Self { all: ticks.iter().sum(), idle, cores: cores.max(1) })
    }
}

fn is_core(line: &str) -> bool {
    line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn memory_in_use_is_what_is_not_available() {
        let text = "MemTotal:    1000 kB\nMemFree:   100 kB\nMemAvailable:   400 kB\n";
        let (used, total) = (ByteSize::new(600 << 10), ByteSize::new(1000 << 10));
        assert_eq!(memory_in(text), Some(Finding::Memory { used, total }));
        assert_eq!(memory_in("MemTotal: 1000 kB\n"), None);
        let Finding::Memory { used, total } = memory() else { panic!("this host has memory") };
        assert!(used.bytes() > 0 && used < total);
    }

    #[test]
    fn waiting_for_a_device_is_not_busy_and_guests_count_once() {
        let text = "cpu  10 20 30 40 50 5 5 5 7 7\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 5\n";
        assert_eq!(Ticks::parse(text), Some(Ticks { all: 165, idle: 90, cores: 2 }));
        assert_eq!(Ticks::parse("cpu  1 2\n"), None);
    }

    #[tokio::test]
    async fn a_busy_thread_is_seen() {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || while !stopped.load(Ordering::Relaxed) {});
        let outcome = CpuMeter::new().look().await;
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        let Finding::Cpu { busy, cores } = outcome.finding else { panic!("{outcome:?}") };
        assert!(outcome.took >= SHORTEST_SPAN, "{outcome:?}");
        assert!(cores >= 1);
        assert!(busy.value() > 50.0 / f64::from(cores), "{busy} of {cores} cores");
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_look_measures_since_the_first() {
        let mut meter = CpuMeter::new();
        meter.look().await;
        time::sleep(Duration::from_secs(30)).await; // virtual
        assert_eq!(meter.look().await.took, Duration::ZERO);
        assert_eq!(meter.look().await.took, SHORTEST_SPAN, "too soon after the last");
    }
}
