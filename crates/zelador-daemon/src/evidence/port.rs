//! Who has the port that an app could not get.
//!
//! The last lines of an app go in; when they say that a port is taken, the process that listens on it
//! comes out. A pass over the descriptors of all processes, bounded in time, and only made when a line
//! gives reason to.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use zelador_core::evidence::PortHolder;
use zelador_core::id::RunId;
use zelador_core::unit::Moment;

use crate::processes::{mark_of, stat};

/// How many processes that share a port are named: workers of a cluster all have it.
const NAMED: usize = 4;

/// How many of the last lines are read for it.
const LINES: usize = 40;

/// How many lines after the one that says so may carry the port: Node prints an object.
const NEAR: usize = 8;

/// What programs say, in lower case: Node, libc and all that pass its words on, gunicorn, Spring and
/// Next.js, bun.
const SAID: [&str; 5] =
    ["eaddrinuse", "address already in use", "connection in use:", "already in use", "is port "];

/// Returns the port that these lines say is taken; `declared` is the one that the app was told to
/// use, for programs that do not say which. The latest line counts.
pub fn taken(lines: &[String], declared: Option<u16>) -> Option<u16> {
    let lines = &lines[lines.len().saturating_sub(LINES)..];
    let lower: Vec<String> = lines.iter().map(|line| line.to_ascii_lowercase()).collect();
    let says = |line: &str| {
        let is_about_ports = |word: &str| match word {
            // These alone may be about anything.
            "already in use" => line.contains("port"),
            "is port " => line.contains("in use?"),
            _ => true,
        };
        SAID.iter().filter(|word| line.contains(**word)).any(|word| is_about_ports(word))
    };
    let at = lower.iter().rposition(|line| says(line))?;
    // The line itself, then what follows, then what led to it: a trace is printed in between.
    let after = lower[at + 1..].iter().take(NEAR);
    let before = lower[at.saturating_sub(NEAR)..at].iter().rev();
    let named =
        port_in(&lower[at]).or_else(|| after.clone().find_map(|line| port_after_word(line)));
    let named = named.or_else(|| before.clone().find_map(|line| port_after_word(line)));
    named.or(declared)
}

/// A port in a line that says so: behind an address in quotes, behind the word `port`, or at the end
/// of an address.
fn port_in(line: &str) -> Option<u16> {
    let quoted = || {
        let mut quotes = line.match_indices("', ").chain(line.match_indices("\", "));
        quotes.find_map(|(at, _)| leading_port(&line[at + 3..]))
    };
    let addressed = || line.split_whitespace().rev().find_map(port_of_address);
    quoted().or_else(|| port_after_word(line)).or_else(addressed)
}

/// The port of `127.0.0.1:80`, `:80`, `:::80`, `[::1]:80`, `localhost:80`; not the minutes of a date.
fn port_of_address(word: &str) -> Option<u16> {
    let word = word.trim_end_matches([':', ',', ')', ';', '.']).trim_start_matches('(');
    let (host, port) = word.rsplit_once(':')?;
    let is_date = host.starts_with(|c: char| c.is_ascii_digit()) && !host.contains('.');
    let is_host = host.chars().all(|c| c == ':') || host.starts_with('[') || !host.contains(':');
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (is_host && !is_date).then_some(port)
}

fn leading_port(text: &str) -> Option<u16> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok().filter(|port| *port > 0)
}

fn port_after_word(line: &str) -> Option<u16> {
    line.match_indices("port").find_map(|(at, word)| {
        leading_port(line[at + word.len()..].trim_start_matches([' ', ':', '=', '\'', '"']))
    })
}

/// Returns who listens on a port; nobody may be found, for it may be free again by now.
pub fn holders(port: u16, now: Moment, limit: Instant) -> Vec<PortHolder> {
    let sockets = listening(port);
    if sockets.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let wanted: BTreeSet<String> =
        sockets.iter().map(|socket| format!("socket:[{}]", socket.inode)).collect();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    // Whoever opened a socket mostly has it still, so the processes of that user come first.
    let users: BTreeSet<u32> = sockets.iter().map(|socket| socket.user).collect();
    let user_of = |pid: &i32| fs::metadata(format!("/proc/{pid}")).ok().map(|it| it.uid());
    let (near, far): (Vec<i32>, Vec<i32>) =
        pids.partition(|pid| user_of(pid).is_some_and(|user| users.contains(&user)));
    let pids = near.into_iter().chain(far);
    let mut is_late = false;
    for pid in pids {
        is_late = Instant::now() >= limit;
        if found.len() >= NAMED || is_late {
            break;
        }
        if has_one(pid, &wanted) {
            found.extend(of_process(port, pid, now));
        }
    }
    if found.is_empty() {
        // After a look at all of them it belongs to somebody whose descriptors zelador may not see.
        let user = (!is_late).then_some(sockets[0].user);
        found.push(PortHolder { port, user, ..PortHolder::default() });
    }
    found
}

/// The TCP ports that a process listens on.
pub fn listened(pid: i32) -> BTreeSet<u16> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    let own: BTreeSet<u64> = targets
        .filter_map(|target| {
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect();
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let lines = tables.iter().flatten().flat_map(|table| table.lines().skip(1));
    let port_of = |line: &str| {
        let hex = line.split_ascii_whitespace().nth(1)?.rsplit_once(':')?.1;
        let port = u16::from_str_radix(hex, 16).ok()?;
        socket_in(line, port).filter(|socket| own.contains(&socket.inode)).map(|_| port)
    };
    lines.filter_map(port_of).collect()
}

struct Socket {
    inode: u64,
    user: u32,
}

/// The sockets of this host that listen on a port.
fn listening(port: u16) -> Vec<Socket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let lines = tables.iter().flatten().flat_map(|table| table.lines().skip(1));
    lines.filter_map(|line| socket_in(line, port)).collect()
}

/// The socket of a line of `/proc/net/tcp`, if it listens on this port.
fn socket_in(line: &str, port: u16) -> Option<Socket> {
    /// `TCP_LISTEN` of the kernel.
    const LISTENING: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let user = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    let (_, hex) = local.rsplit_once(':')?;
    let is_it = state == LISTENING && u16::from_str_radix(hex, 16) == Ok(port);
    is_it.then_some(Socket { inode, user })
}

fn has_one(pid: i32, wanted: &BTreeSet<String>) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| target.to_str().is_some_and(|target| wanted.contains(target)))
}

/// When a process was started, as seen at `now`; `None`: there is none.
///
/// # Errors
/// It is not known whether there is one.
pub fn started_at(pid: i32, now: Moment) -> io::Result<Option<Moment>> {
    Ok(stat(pid)?.and_then(|stat| age(stat.start_time)).map(|age| now - age))
}

fn of_process(port: u16, pid: i32, now: Moment) -> Option<PortHolder> {
    let stat = stat(pid).ok()??;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let age = age(stat.start_time);
    let run = mark_of(&stat).ok()?.and_then(|mark| {
        let (run, home) = mark.split_once('@')?;
        Some((RunId::new(run.parse().ok()?), home.to_owned()))
    });
    let (run, home) = run.unzip();
    Some(PortHolder {
        port,
        pid: Some(pid),
        name: name.trim_end().to_owned(),
        started_at: age.map(|age| now - age),
        run,
        home,
        app: None,
        user: None,
    })
}

/// How long a process has been there, by its start in clock ticks since boot.
fn age(start_time: u64) -> Option<Duration> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split(' ').next()?.parse().ok()?;
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    let started = start_time as f64 / ticks as f64;
    Duration::try_from_secs_f64((uptime - started).max(0.0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_in_what_programs_say() {
        for (said, declared, expected) in [
            ("Error: listen EADDRINUSE: address already in use :::3000", None, Some(3000)),
            ("Error: listen EADDRINUSE: address already in use 127.0.0.1:8080", None, Some(8080)),
            (
                "  code: 'EADDRINUSE',\n  errno: -98,\n  syscall: 'listen',\n  address: '::',\n  port: 4000\n}",
                None,
                Some(4000),
            ),
            ("OSError: [Errno 98] Address already in use", Some(5000), Some(5000)),
            ("OSError: [Errno 98] Address already in use", None, None),
            (
                "[Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use",
                None,
                Some(8000),
            ),
            ("[ERROR] Connection in use: ('0.0.0.0', 8001)", None, Some(8001)),
            ("panic: listen tcp :8082: bind: address already in use", None, Some(8082)),
            (
                "Error: Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }",
                Some(9000),
                Some(9000),
            ),
            ("bind() to 0.0.0.0:81 failed (98: Address already in use)", None, Some(81)),
            ("Web server failed to start. Port 8083 was already in use.", None, Some(8083)),
            (
                "Address already in use - bind(2) for \"127.0.0.1\" port 3001 (Errno::EADDRINUSE)",
                None,
                Some(3001),
            ),
            ("Failed to start server. Is port 3002 in use?", None, Some(3002)),
            ("Error: listen EADDRINUSE: address already in use /tmp/x.sock", None, None),
            ("2026-11-24 04:00:12: OSError: [Errno 98] Address already in use", Some(7), Some(7)),
            ("2026-11-24T04:30: address already in use", None, None),
            (
                "2026-11-24 04:00:12: Error: listen EADDRINUSE: address already in use [::1]:3003",
                None,
                Some(3003),
            ),
            ("the name ana is already in use", Some(1), None),
            ("listening on port 3000", Some(3000), None),
            ("", Some(3000), None),
        ] {
            let lines: Vec<String> = said.lines().map(str::to_owned).collect();
            assert_eq!(taken(&lines, declared), expected, "{said}");
        }
    }

    #[test]
    fn the_holder_of_a_port_is_this_very_process() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let now = Moment::from_micros(1_700_000_000_000_000);
        let limit = Instant::now() + Duration::from_secs(10);
        let found = holders(port, now, limit);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(found.iter().any(|holder| holder.pid == Some(own)), "{found:?}");
        assert!(found.iter().all(|holder| holder.port == port && !holder.name.is_empty()));
        let started = found[0].started_at.unwrap();
        assert!(now.since(started) < Duration::from_mins(10), "{found:?}");
        drop(listener);
        assert_eq!(holders(port, now, limit), []);
    }
}
