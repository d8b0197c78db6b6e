//! What the checks of the host found at their last look, as gauges.
//!
//! Always holds: what is not looked at, or could not be, has none, and no look is made for them. There are
//! as many as file systems that are looked at, and 18 for pressure at most.

use prometheus_client::registry::Unit;
use zelador_core::check::CheckTarget;
use zelador_core::probe::{Finding, Measure, Volume};
use zelador_core::spec::{HostMeter, Scarce};
use zelador_core::supervisor::Supervisor;

use super::{Book, Gauges, Labels};

/// What was looked at, and what was found.
pub(super) fn found(supervisor: &Supervisor) -> Vec<(CheckTarget, Finding)> {
    let all = supervisor.host_findings();
    all.map(|(target, finding)| (target.clone(), finding.clone())).collect()
}

/// Puts it into the book.
pub(super) fn host(book: &mut Book, found: &[(CheckTarget, Finding)]) {
    let disks = Disks::in_book(book);
    let pressure = book.gauges(
        "zelador_host_pressure",
        "The share of the time in which something (some) or everything (full) waited for it",
        Some(ratio()),
    );
    for (target, finding) in found {
        match (target, finding) {
            (_, Finding::Memory { used, total }) => {
                let of = Some(Unit::Bytes);
                let (used, total) = (used.bytes() as f64, total.bytes() as f64);
                book.number(
                    "zelador_host_memory_used",
                    "Memory of the host in use",
                    of.clone(),
                    used,
                );
                book.number("zelador_host_memory_size", "Memory of the host", of, total);
            }
            (_, Finding::Cpu { busy, cores }) => {
                let of = Some(Unit::Other("cores".into()));
                let all = f64::from(*cores);
                let used = busy.value() / 100.0 * all;
                book.number(
                    "zelador_host_cpu_used",
                    "Busy processors of the host",
                    of.clone(),
                    used,
                );
                book.number("zelador_host_cpu_size", "Processors of the host", of, all);
            }
            (_, Finding::Disks { volumes } | Finding::Inodes { volumes }) => disks.set(volumes),
            (CheckTarget::Host(meter), Finding::Measured { measures, .. }) => match meter {
                HostMeter::Pressure(resource) => press(&pressure, *resource, measures),
                meter => single(book, meter, measures),
            },
            _ => {}
        }
    }
}

fn ratio() -> Unit {
    Unit::Other("ratio".into())
}

/// Of each file system.
struct Disks {
    used: Gauges,
    available: Gauges,
    inodes_used: Gauges,
    inodes_available: Gauges,
}

impl Disks {
    fn in_book(book: &mut Book) -> Self {
        let of = || Some(Unit::Bytes);
        Self {
            used: book.gauges("zelador_host_disk_used", "In use, of a file system", of()),
            available: book.gauges(
                "zelador_host_disk_available",
                "What an ordinary user may still write to a file system",
                of(),
            ),
            inodes_used: book.gauges("zelador_host_inodes_used", "In use, of a file system", None),
            inodes_available: book.gauges(
                "zelador_host_inodes_available",
                "What a file system has left",
                None,
            ),
        }
    }

    fn set(&self, volumes: &[Volume]) {
        for volume in volumes {
            let labels = Labels::new(vec![("mount", volume.mount.clone())]);
            let set = |gauges: &Gauges, value: u64| gauges.get_or_create(&labels).set(value as f64);
            set(&self.used, volume.used.bytes());
            set(&self.available, volume.available.bytes());
            if let Some(inodes) = volume.inodes {
                set(&self.inodes_used, inodes.used);
                set(&self.inodes_available, inodes.free);
            }
        }
    }
}

/// What a meter measures besides: one number.
fn single(book: &mut Book, meter: &HostMeter, measures: &[Measure]) {
    let [measure] = measures else { return };
    let share = measure.value / 100.0;
    match meter {
        HostMeter::Load => {
            let help = "Processes that want a processor, for each core, in the last minute";
            book.number("zelador_host_load_per_core", help, None, measure.value);
        }
        HostMeter::Swap => {
            book.number("zelador_host_swap_used", "Swap in use", Some(ratio()), share);
        }
        HostMeter::Descriptors => {
            let help = "Open files, of the most that the kernel allows";
            book.number("zelador_host_descriptors_used", help, Some(ratio()), share);
        }
        HostMeter::Clock => {
            let help = "How far the clock may be off";
            book.number("zelador_host_clock_error", help, Some(Unit::Seconds), measure.value);
        }
        HostMeter::Network(_) | HostMeter::Inodes | HostMeter::Pressure(_) => {}
    }
}

/// `some avg10` and its like: the share of the last 10 s.
fn press(gauges: &Gauges, resource: Scarce, measures: &[Measure]) {
    for measure in measures {
        let Some((kind, seconds)) = measure.name.split_once(" avg") else { continue };
        let labels = Labels::new(vec![
            ("kind", kind.to_owned()),
            ("resource", resource.word().to_owned()),
            ("window", format!("{seconds}s")),
        ]);
        gauges.get_or_create(&labels).set(measure.value / 100.0);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use zelador_core::probe::{Inodes, Unit as Of};
    use zelador_core::unit::{ByteSize, Percent};
    use zelador_core::words::quoted;

    use super::*;

    fn told(found: &[(CheckTarget, Finding)]) -> Vec<String> {
        let (mut book, mut text) = (Book::default(), String::new());
        host(&mut book, found);
        encode(&mut text, &book.0).unwrap();
        let mut lines: Vec<String> =
            text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn measured(name: &str, value: f64) -> Finding {
        let measures = vec![Measure::new(name, value, Of::Percent)];
        Finding::Measured { detail: quoted(name), measures }
    }

    #[test]
    fn what_is_looked_at_is_told_in_base_units_each_file_system_by_itself() {
        let size = ByteSize::new;
        let volume = |mount: &str, inodes| Volume {
            mount: mount.to_owned(),
            used: size(30),
            available: size(70),
            inodes,
        };
        let counted = Some(Inodes { used: 5, free: 95 });
        let volumes = vec![volume("/", counted), volume("/srv/data", None)];
        let busy = Percent::new(25.0).unwrap();
        let of = |meter| CheckTarget::Host(meter);
        let found = vec![
            (CheckTarget::Memory, Finding::Memory { used: size(600), total: size(1000) }),
            (CheckTarget::Cpu, Finding::Cpu { busy, cores: 8 }),
            (CheckTarget::Disk, Finding::Disks { volumes: volumes.clone() }),
            (of(HostMeter::Inodes), Finding::Inodes { volumes }),
            (of(HostMeter::Swap), measured("swap", 50.0)),
            (of(HostMeter::Descriptors), measured("descriptors", 10.0)),
            (of(HostMeter::Load), measured("load", 1.5)),
            (of(HostMeter::Clock), measured("clock", 0.25)),
            (of(HostMeter::Pressure(Scarce::Cpu)), measured("some avg10", 12.5)),
            (of(HostMeter::Pressure(Scarce::Io)), measured("full avg300", 1.0)),
        ];
        let pressure = "zelador_host_pressure_ratio";
        let expected = [
            "zelador_host_clock_error_seconds 0.25",
            "zelador_host_cpu_size_cores 8.0",
            "zelador_host_cpu_used_cores 2.0",
            "zelador_host_descriptors_used_ratio 0.1",
            "zelador_host_disk_available_bytes{mount=\"/\"} 70.0",
            "zelador_host_disk_available_bytes{mount=\"/srv/data\"} 70.0",
            "zelador_host_disk_used_bytes{mount=\"/\"} 30.0",
            "zelador_host_disk_used_bytes{mount=\"/srv/data\"} 30.0",
            "zelador_host_inodes_available{mount=\"/\"} 95.0",
            "zelador_host_inodes_used{mount=\"/\"} 5.0",
            "zelador_host_load_per_core 1.5",
            "zelador_host_memory_size_bytes 1000.0",
            "zelador_host_memory_used_bytes 600.0",
            &format!("{pressure}{{kind=\"full\",resource=\"io\",window=\"300s\"}} 0.01"),
            &format!("{pressure}{{kind=\"some\",resource=\"cpu\",window=\"10s\"}} 0.125"),
            "zelador_host_swap_used_ratio 0.5",
        ];
        assert_eq!(told(&found), expected);
    }

    #[test]
    fn what_could_not_be_looked_at_is_not_told() {
        let blind = || Finding::Unavailable { detail: quoted("no /proc") };
        let found = vec![
            (CheckTarget::Memory, blind()),
            (CheckTarget::Host(HostMeter::Load), blind()),
            (CheckTarget::Host(HostMeter::Swap), Finding::Answered { detail: quoted("no swap") }),
        ];
        assert_eq!(told(&found), Vec::<String>::new());
    }
}
