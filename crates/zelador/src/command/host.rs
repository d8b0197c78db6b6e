//! `slist`: the host that zelador lives on, as the kernel tells it.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use zelador_api::unit::{ByteSize, spoken};
use zelador_api::{HealthView, route};

use super::Context;
use super::health::pretty;
use crate::failure::Failure;
use crate::output;
use crate::render::text;

/// What is shown of a host.
#[derive(Debug, Serialize)]
pub struct Host {
    name: String,
    kernel: String,
    uptime_seconds: u64,
    processors: usize,
    /// Averages over 1, 5 and 15 minutes.
    load: [f64; 3],
    memory_total: ByteSize,
    /// What programs can have without swapping.
    memory_available: ByteSize,
    swap_total: ByteSize,
    swap_free: ByteSize,
    processes: usize,
    disks: Vec<Disk>,
    network: Vec<Interface>,
    /// What zelador's own looks at the host say, when it is running.
    checks: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct Disk {
    folder: String,
    total: ByteSize,
    available: ByteSize,
}

#[derive(Debug, Serialize)]
struct Interface {
    name: String,
    received: ByteSize,
    sent: ByteSize,
}

/// Shows the host.
pub fn slist(context: &Context, json: bool) -> Result<ExitCode, Failure> {
    let host = look(context);
    let shown = if json { pretty(&host)? } else { shown(&host) };
    output::answer(&shown)?;
    Ok(ExitCode::SUCCESS)
}

/// Looks at the host; what cannot be read is empty.
pub fn look(context: &Context) -> Host {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let line = |path: &str| read(path).trim().to_owned();
    let numbers = |path: &str| -> Vec<f64> {
        read(path).split_whitespace().map_while(|word| word.parse().ok()).collect()
    };
    let meminfo = read("/proc/meminfo");
    let memory = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        ByteSize::new(kibibytes.unwrap_or(0) << 10)
    };
    let load = numbers("/proc/loadavg");
    let average = |index: usize| load.get(index).copied().unwrap_or(0.0);
    let is_process = |entry: &fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()))
    };
    let processes = fs::read_dir("/proc").map(|all| all.flatten().filter(is_process).count());
    // A file system that does not answer must not keep anybody: only these two are asked.
    let folders = ["/".to_owned(), context.home.path().display().to_string()];
    Host {
        name: line("/proc/sys/kernel/hostname"),
        kernel: line("/proc/sys/kernel/osrelease"),
        uptime_seconds: numbers("/proc/uptime").first().copied().unwrap_or(0.0) as u64,
        processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        load: [average(0), average(1), average(2)],
        memory_total: memory("MemTotal:"),
        memory_available: memory("MemAvailable:"),
        swap_total: memory("SwapTotal:"),
        swap_free: memory("SwapFree:"),
        processes: processes.unwrap_or(0),
        disks: folders.into_iter().filter_map(disk).collect(),
        network: read("/proc/net/dev").lines().filter_map(interface).collect(),
        checks: checks(context),
    }
}

fn disk(folder: String) -> Option<Disk> {
    let found = rustix::fs::statvfs(folder.as_str()).ok()?;
    let size = |blocks: u64| ByteSize::new(blocks.saturating_mul(found.f_frsize));
    Some(Disk { folder, total: size(found.f_blocks), available: size(found.f_bavail) })
}

/// One line of `/proc/net/dev`; the loopback is of no interest.
fn interface(line: &str) -> Option<Interface> {
    let (name, numbers) = line.split_once(':')?;
    let numbers: Vec<u64> = numbers.split_whitespace().map_while(|it| it.parse().ok()).collect();
    let name = name.trim().to_owned();
    let (received, sent) = (ByteSize::new(*numbers.first()?), ByteSize::new(*numbers.get(8)?));
    (name != "lo").then_some(Interface { name, received, sent })
}

fn checks(context: &Context) -> Vec<(String, String)> {
    let Ok(health) = context.engine.get::<HealthView>(route::HEALTH) else { return Vec::new() };
    let own = health.checks.into_iter();
    let own = own.filter(|check| ["memory", "cpu", "disk"].contains(&check.component.as_str()));
    own.map(|check| (check.component, format!("{}: {}", check.status, check.message))).collect()
}

/// Returns the host in lines of `name  value`.
pub fn shown(host: &Host) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    row("host", format!("{}, Linux {}", host.name, host.kernel));
    row("uptime", spoken(Duration::from_secs(host.uptime_seconds)));
    row("processors", host.processors.to_string());
    let [one, five, fifteen] = host.load;
    row("load", format!("{one:.2}, {five:.2}, {fifteen:.2} (over 1, 5, 15 minutes)"));
    row("memory", format!("{} of {} available", host.memory_available, host.memory_total));
    row("swap", format!("{} of {} free", host.swap_free, host.swap_total));
    row("processes", host.processes.to_string());
    for disk in &host.disks {
        row("disk", format!("{}: {} of {} available", disk.folder, disk.available, disk.total));
    }
    for interface in &host.network {
        let Interface { name, received, sent } = interface;
        row("network", format!("{name}: {received} received, {sent} sent since boot"));
    }
    for (component, said) in &host.checks {
        row(&format!("check of {component}"), said.clone());
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(String, String)| format!("{name:width$}  {}", text::plain(value));
    rows.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_read_and_the_loopback_is_not() {
        let line = "  eth0: 1048576 10 0 0 0 0 0 0 2048 5 0 0 0 0 0 0";
        let found = interface(line).unwrap();
        assert_eq!((found.name.as_str(), found.received.bytes()), ("eth0", 1_048_576));
        assert_eq!(found.sent.bytes(), 2048);
        assert!(interface("    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0").is_none());
        assert!(interface("Inter-|   Receive").is_none());
    }
}
