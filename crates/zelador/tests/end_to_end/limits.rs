//! What the kernel holds an app to, seen from inside of it.

use std::fs;
use std::path::Path;

use zelador_testbed::home::{text, until};

use crate::zelador;

#[test]
fn a_process_has_the_limits_that_its_app_declares() {
    let zelador = zelador();
    let root = rustix::process::geteuid().is_root();
    let more =
        if root { ", groups: ['daemon'], capabilities: ['CAP_NET_BIND_SERVICE']" } else { "" };
    zelador.start(&format!(
        "{{ name: 'svc', script: 'bash', interpreter: 'none',
            args: ['-c', 'cat /proc/self/limits > limits; cat /proc/self/oom_score_adj > oom; umask > umask; nice > nice; ionice > io; cat /proc/self/status > status.new; mv status.new status; exec sleep 1000'],
            limits: {{ nofile: 4096, nproc: 5000, core: 0, as: '4G', nice: 5, ionice: 'idle', oomScoreAdj: 500, umask: '027', noNewPrivs: true{more} }} }}"
    ));
    let read = |name: &str| text(zelador.app().join(name));
    until("its status", || read("status").contains("Seccomp"));
    let limits: Vec<Vec<String>> = read("limits")
        .lines()
        .map(|line| {
            line.split("  ").map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
        })
        .collect();
    let of = |name: &str| {
        let found = limits.iter().find(|line| line[0] == name).unwrap();
        (found[1].clone(), found[2].clone())
    };
    let both = |limit: &str| (limit.to_owned(), limit.to_owned());
    assert_eq!(of("Max open files"), both("4096"));
    assert_eq!(of("Max processes"), both("5000"));
    assert_eq!(of("Max core file size"), both("0"));
    assert_eq!(of("Max address space"), both("4294967296"));
    assert_eq!(
        (read("oom").trim(), read("umask").trim(), read("nice").trim()),
        ("500", "0027", "5")
    );
    assert_eq!(read("io").trim(), "idle");
    let status = read("status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().to_owned()
    };
    assert_eq!(field("NoNewPrivs:"), "1");
    if root {
        for set in ["CapBnd:", "CapPrm:", "CapEff:"] {
            assert_eq!(field(set), "0000000000000400", "{set}");
        }
        assert_eq!(field("Groups:"), "1", "the group `daemon` alone");
    }
}

#[test]
fn another_user_keeps_the_capability_that_it_needs() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let zelador = zelador();
    let out = tempfile::tempdir().unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(out.path(), everybody).unwrap();
    zelador.start(&format!(
        "{{ name: 'svc', script: 'bash', interpreter: 'none', uid: 'nobody', cwd: '{0}',
            args: ['-c', 'cat /proc/self/status > s; mv s status; exec sleep 1000'], limits: {{ capabilities: ['NET_BIND_SERVICE'] }} }}",
        out.path().display()
    ));
    let status = || text(out.path().join("status"));
    until("its status", || !status().is_empty());
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert!(status().contains(&format!("{set}\t0000000000000400")), "{}", status());
    }
    assert!(status().contains("Uid:\t65534"), "{}", status());
}

#[test]
fn what_zelador_may_not_set_or_nobody_knows_is_told_with_what_is_allowed() {
    let zelador = zelador();
    for (limits, part) in [
        ("nofile: 'many'", "limits.nofile: found \"many\", allowed: a whole number"),
        ("nofiles: 1", "did you mean `nofile`?"),
        ("umask: 27", "limits.umask: found 27, allowed: octal text"),
        ("capabilities: ['NET_BIND_SERVCE']", "did you mean `NET_BIND_SERVICE`?"),
        ("cpu: 0", "limits.cpu: found 0, allowed: processors from 0.01 to 4096"),
        ("memory: '100'", "limits.memory: found \"100\", allowed: 1048576 bytes or more"),
        ("as: 0", "limits.as: found 0, allowed: "),
        ("nofile: 5e9", "limits.nofile: found 5000000000, allowed: a whole number from 8 to "),
        (
            "memory: '1G', memory_high: '2G'",
            "limits.memory_high: found \"2G\", allowed: no more than",
        ),
        ("ionice: 'best-effort:9'", "limits.ionice"),
        // More than any kernel lets anybody open.
        ("nofile: 4294967295", "limits"),
    ] {
        zelador.write(
            "ecosystem.config.js",
            &format!("module.exports = {{ apps: [{{ name: 'svc', script: 'sleep', args: '1000', limits: {{ {limits} }} }}] }}"),
        );
        let said = zelador.run(&["start", "ecosystem.config.js"]);
        assert_eq!(said.code, 1, "{limits}");
        let all = format!("{}{}", said.out, said.err);
        assert!(all.contains(part), "{limits}: {all}");
    }
}

/// Whether this host has a controller for whole trees, of whichever version.
fn has_controller(name: &str) -> bool {
    let own = Path::new("/sys/fs/cgroup").join(name);
    let unified = text("/sys/fs/cgroup/cgroup.controllers");
    rustix::process::geteuid().is_root()
        && (own.join("cgroup.procs").exists() || unified.split_whitespace().any(|it| it == name))
}

#[test]
fn a_process_above_its_memory_is_killed_and_reported_as_out_of_memory() {
    let zelador = zelador();
    zelador.write(
        "eats.js",
        "const all = []; setInterval(() => all.push(Buffer.alloc(8 << 20, 1)), 5);",
    );
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'eats', script: 'eats.js', autorestart: false, limits: { memory: '96M', cpu: 1.5 } }] }",
    );
    zelador.run(&["start", "ecosystem.config.js"]);
    if !has_controller("memory") {
        let shown = zelador.ok(&["show", "eats"]).out;
        assert!(shown.contains("`memory` is not held"), "{shown}");
        return;
    }
    let deaths = || zelador.ok(&["show", "eats"]).out;
    until("its end", || deaths().contains("was killed because memory ran out"));
}

#[test]
fn what_forks_without_end_stays_within_its_number_of_processes() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'forks', script: 'bash', interpreter: 'none', limits: { pids: 30 },
           args: ['-c', 'for i in $(seq 200); do sleep 1000 & done; wait'] }",
    );
    if !has_controller("pids") {
        assert!(zelador.ok(&["show", "forks"]).out.contains("`pids` is not held"));
        return;
    }
    let log = zelador.home().join("logs/forks-error.log");
    until("the kernel to refuse one", || text(&log).contains("Resource temporarily unavailable"));
    let main = zelador.pid("forks");
    let children = text(format!("/proc/{main}/task/{main}/children"));
    let count = children.split_whitespace().count();
    assert!((20..30).contains(&count), "{count} children");
    zelador.ok(&["stop", "forks"]);
    assert_eq!(zelador.status("forks"), "stopped");
}
