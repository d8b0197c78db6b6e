//! Properties of the host that the kernel tells: swap, inodes, open files, load, clock, network,
//! pressure; and what the processes of a run have open.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use zelador_core::probe::{Finding, Measure, Unit, Usage};
use zelador_core::spec::HostMeter;
use zelador_core::unit::{ByteSize, Percent};
use zelador_core::words;
use zelador_core::words::{Decimal, Words};

use super::disk;
use super::patience::Patience;
use super::pressure;
use crate::errno;

/// Looks once; `paths` are where zelador and the apps write.
pub(super) async fn look(meter: &HostMeter, paths: Vec<PathBuf>, patience: Patience) -> Finding {
    let found = match meter {
        HostMeter::Swap => swap(),
        HostMeter::Descriptors => descriptors(),
        HostMeter::Load => load(),
        HostMeter::Clock => clock(),
        HostMeter::Network(interface) => Ok(network(interface)),
        HostMeter::Pressure(resource) => Ok(pressure::look(*resource)),
        HostMeter::Inodes => return disk::inodes(paths, patience).await,
    };
    found.unwrap_or_else(|detail| Finding::Unavailable { detail })
}

fn read(path: &str) -> Result<String, Words> {
    fs::read_to_string(path).map_err(|error| errno::said_of(path, &error))
}

fn share(name: &str, part: u64, whole: u64) -> Vec<Measure> {
    vec![Measure::new(name, Percent::of(part, whole).value(), Unit::Percent)]
}

fn swap() -> Result<Finding, Words> {
    swap_in(&read("/proc/meminfo")?)
}

/// Pages that wait for their disk count as in use, as `free` and `/proc/swaps` count them.
fn swap_in(text: &str) -> Result<Finding, Words> {
    let kibibytes = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    let total = kibibytes("SwapTotal:").ok_or_else(|| {
        words!("/proc/meminfo has no SwapTotal", "/proc/meminfo não tem SwapTotal")
    })?;
    let used = total.saturating_sub(kibibytes("SwapFree:").unwrap_or(total));
    if total == 0 {
        return Ok(Finding::Answered {
            detail: words!("this host has no swap", "este servidor não tem swap"),
        });
    }
    let (said, of) = (ByteSize::new(used << 10), ByteSize::new(total << 10));
    let detail = words!(
        "{said} of {of} swap in use",
        "{said} de {of} de swap em uso",
        said = said,
        of = of,
    );
    Ok(Finding::Measured { detail, measures: share("swap", used, total) })
}

fn descriptors() -> Result<Finding, Words> {
    let path = "/proc/sys/fs/file-nr";
    let text = read(path)?;
    let numbers: Vec<u64> =
        text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [used, _, most] = numbers[..] else {
        return Err(words!("{path} has not three numbers", "{path} não tem três números"));
    };
    let detail = words!(
        "{used} files open, of at most {most}",
        "{used} arquivos abertos, de no máximo {most}",
    );
    Ok(Finding::Measured { detail, measures: share("descriptors", used, most) })
}

fn load() -> Result<Finding, Words> {
    let text = read("/proc/loadavg")?;
    let first = text.split_ascii_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    let load = first.ok_or_else(|| {
        words!("/proc/loadavg begins with no number", "/proc/loadavg não começa com um número")
    })?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let detail = words!(
        "load {load} on {cores} cores",
        "carga {load} em {cores} núcleos",
        load = Decimal(load, 2),
    );
    let measures = vec![Measure::new("load", load / cores as f64, Unit::Count)];
    Ok(Finding::Measured { detail, measures })
}

/// What the kernel knows of its clock: whether something keeps it right, and how far it may be off.
fn clock() -> Result<Finding, Words> {
    // SAFETY: all zeroes is a valid `timex`, and means "change nothing".
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a whole `timex`; without modes the call only reads.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    if answer < 0 {
        return Err(errno::said_of("adjtimex", &std::io::Error::last_os_error()));
    }
    let synchronised = answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0;
    let nanos = state.status & libc::STA_NANO != 0;
    let offset = state.offset.unsigned_abs() as f64 / if nanos { 1e9 } else { 1e6 };
    // `esterror` is in microseconds.
    let off = offset.max(state.esterror.unsigned_abs() as f64 / 1e6);
    if !synchronised {
        return Ok(Finding::Impaired {
            detail: words!(
                "nothing keeps the clock right (no NTP, or not yet)",
                "nada mantém o relógio certo (sem NTP, ou ainda não)",
            ),
        });
    }
    let detail = words!(
        "the clock is right within {t}",
        "o relógio está certo com erro de até {t}",
        t = std::time::Duration::from_secs_f64(off),
    );
    let measures = vec![Measure::new("clock", off, Unit::Seconds)];
    Ok(Finding::Measured { detail, measures })
}

/// Errors and drops of an interface at the last look. Global, because looks have nothing else in
/// common; one entry an interface.
static LINES: Mutex<BTreeMap<String, (Instant, u64)>> = Mutex::new(BTreeMap::new());

fn network(interface: &str) -> Finding {
    let folder = Path::new("/sys/class/net").join(interface);
    if interface.contains('/') || !folder.exists() {
        let detail = words!("there is no interface {interface}", "não há interface {interface}");
        return Finding::Refused { detail };
    }
    let word = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let state = word("operstate");
    // `unknown` is what loopback and tunnels say while they work.
    if !matches!(state.trim(), "up" | "unknown") {
        let state = state.trim();
        let detail =
            words!("interface {interface} is {state}", "a interface {interface} está {state}");
        return Finding::WrongAnswer { detail };
    }
    let number = |name: &str| word(&format!("statistics/{name}")).trim().parse().unwrap_or(0_u64);
    let bad: u64 =
        ["rx_errors", "tx_errors", "rx_dropped", "tx_dropped"].map(number).into_iter().sum();
    let up = words!("interface {interface} is up", "a interface {interface} está no ar");
    let now = Instant::now();
    let mut lines = LINES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = lines.insert(interface.to_owned(), (now, bad));
    let Some((at, earlier)) = before else {
        return Finding::Answered { detail: up };
    };
    let span = now.duration_since(at).as_secs_f64().max(0.001);
    let rate = bad.saturating_sub(earlier) as f64 * 60.0 / span;
    let measures = vec![Measure::new("errors", rate, Unit::PerMinute)];
    Finding::Measured { detail: up, measures }
}

/// What the processes of a run use.
pub(super) fn process(pid: i32, usage: Option<Usage>, restarts: u32) -> Finding {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        return Finding::Refused {
            detail: words!("there is no process {pid}", "não há processo {pid}"),
        };
    };
    let field = |name: &str| -> Option<f64> {
        status.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
    };
    let mut measures = vec![Measure::new("restarts", f64::from(restarts), Unit::Count)];
    if let Some(usage) = usage {
        measures.push(Measure::new("memory", usage.memory.bytes() as f64, Unit::Bytes));
        measures.push(Measure::new("cpu", usage.cpu, Unit::Percent));
        measures.push(Measure::new("processes", f64::from(usage.processes), Unit::Count));
    }
    let of_tree = usage.map(|usage| f64::from(usage.threads)).filter(|threads| *threads > 0.0);
    let threads = of_tree.or_else(|| field("Threads:"));
    measures.extend(threads.map(|it| Measure::new("threads", it, Unit::Count)));
    let open = fs::read_dir(format!("/proc/{pid}/fd")).map(|entries| entries.count() as u64);
    let limit = fs::read_to_string(format!("/proc/{pid}/limits")).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    });
    if let (Ok(open), Some(limit)) = (open, limit) {
        measures.extend(share("descriptors", open, limit));
    }
    let said: Vec<Words> = measures
        .iter()
        .filter(|measure| measure.name != "restarts" || restarts > 0)
        .map(Measure::words)
        .collect();
    Finding::Measured { detail: Words::joined(&said, ", "), measures }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn this_host_answers_every_question() {
        for meter in [
            HostMeter::Swap,
            HostMeter::Inodes,
            HostMeter::Descriptors,
            HostMeter::Load,
            HostMeter::Clock,
            HostMeter::Network("lo".to_owned()),
        ] {
            let paths = vec![std::env::temp_dir(), PathBuf::from("/")];
            let found = look(&meter, paths, Patience::new(Duration::from_secs(20))).await;
            let told = matches!(
                found,
                Finding::Measured { .. }
                    | Finding::Inodes { .. }
                    | Finding::Answered { .. }
                    | Finding::Impaired { .. }
            );
            assert!(told, "{meter:?}: {found:?}");
        }
        let none = HostMeter::Network("none0".to_owned());
        let found = look(&none, Vec::new(), Patience::new(Duration::from_secs(20))).await;
        assert!(matches!(found, Finding::Refused { .. }), "{found:?}");
    }

    fn only_measure(found: &Finding) -> (&str, f64) {
        let Finding::Measured { measures, .. } = found else { panic!("{found:?}") };
        let [measure] = &measures[..] else { panic!("{measures:?}") };
        assert_eq!(measure.unit, Unit::Percent);
        (&measure.name, measure.value)
    }

    #[test]
    fn swap_is_what_is_not_free_of_all() {
        let text = "MemTotal: 9 kB\nSwapCached: 7 kB\nSwapTotal:    4096 kB\nSwapFree:  1024 kB\n";
        let found = swap_in(text).unwrap();
        assert_eq!(only_measure(&found), ("swap", 75.0));
        let Finding::Measured { detail, .. } = &found else { unreachable!() };
        assert_eq!(detail.english(), "3.0 MB of 4.0 MB swap in use");
        let none = swap_in("SwapTotal: 0 kB\nSwapFree: 0 kB\n").unwrap();
        assert!(matches!(none, Finding::Answered { .. }), "{none:?}");
        assert!(swap_in("MemTotal: 9 kB\n").is_err());
    }

    #[test]
    fn swap_of_this_host_is_as_proc_swaps_says() {
        // Its columns: name, type, size, used (in KiB), priority.
        let swaps = || {
            let text = fs::read_to_string("/proc/swaps").unwrap();
            let areas = text.lines().skip(1).map(|line| {
                let column = |index| line.split_ascii_whitespace().nth(index);
                let number = |index| column(index).and_then(|it| it.parse::<u64>().ok()).unwrap();
                (number(2), number(3))
            });
            areas.fold((0, 0), |all, area| (all.0 + area.0, all.1 + area.1))
        };
        // Others swap meanwhile: one look of many must agree.
        let agrees = |_| {
            let (total, used) = swaps();
            let found = swap().unwrap();
            if total == 0 {
                return matches!(found, Finding::Answered { .. });
            }
            (only_measure(&found).1 - Percent::of(used, total).value()).abs() < 0.1
        };
        assert!((0..1_000).any(agrees), "{:?} {:?}", swaps(), swap());
    }

    #[test]
    fn open_files_of_this_host_are_as_proc_says() {
        let number = |path: &str, index| {
            let text = fs::read_to_string(path).unwrap();
            text.split_ascii_whitespace().nth(index).unwrap().parse::<u64>().unwrap()
        };
        // Others open files meanwhile: one look of many must agree.
        let agrees = |_| {
            let open = number("/proc/sys/fs/file-nr", 0);
            let most = number("/proc/sys/fs/file-max", 0);
            let found = descriptors().unwrap();
            let Finding::Measured { detail, .. } = &found else { panic!("{found:?}") };
            let said = format!("{open} files open, of at most {most}");
            only_measure(&found) == ("descriptors", Percent::of(open, most).value())
                && detail.english() == said
        };
        assert!((0..1_000).any(agrees), "{:?}", descriptors());
    }

    #[test]
    fn a_process_is_measured() {
        let own = std::process::id() as i32;
        let usage =
            Usage { memory: ByteSize::mebibytes(5), cpu: 12.0, processes: 3, ..Usage::default() };
        let usage = Usage { threads: 4711, ..usage };
        let Finding::Measured { measures, detail } = process(own, Some(usage), 2) else {
            panic!("this process is there")
        };
        for name in ["restarts", "memory", "cpu", "threads", "descriptors"] {
            assert!(measures.iter().any(|measure| measure.name == name), "{name}: {detail}");
        }
        let threads = measures.iter().find(|measure| measure.name == "threads");
        assert_eq!(threads.map(|it| it.value), Some(4711.0), "those of its children too");
        assert!(matches!(process(i32::MAX, None, 0), Finding::Refused { .. }));
    }
}
