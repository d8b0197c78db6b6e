//! What becomes of the apps' output.

use std::fs;
use std::io::Write;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::Signal;
use zelador_testbed::home::{alive, kill, text, until};

use crate::monit::Screen;
use crate::zelador;

#[test]
fn a_flood_without_line_ends_costs_no_memory_and_no_byte() {
    let zelador = zelador();
    zelador.start("{ name: 'flood', script: 'sh', args: ['-c', 'head -c 50000000 /dev/zero | tr \"\\\\0\" x; echo; exec sleep 1000'] }");
    let log = zelador.home().join("logs/flood-out.log");
    let folder = zelador.home().join("logs");
    let total = || -> u64 {
        let files =
            fs::read_dir(&folder).map(|it| it.flatten().collect::<Vec<_>>()).unwrap_or_default();
        let own = |it: &&fs::DirEntry| it.file_name().to_string_lossy().starts_with("flood-");
        files.iter().filter(own).filter_map(|it| it.metadata().ok()).map(|it| it.len()).sum()
    };
    until("all of it to be written", || total() >= 50_000_001);
    assert_eq!(total(), 50_000_001, "{} and its rotated ones", log.display());
    let status = text(format!("/proc/{}/status", zelador.roles().0));
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 64 * 1024, "the engine needed {kib} KiB at the most");
}

#[test]
fn a_full_disk_stops_no_service_and_what_it_says_is_written_when_there_is_room() {
    let zelador = zelador();
    let disk = zelador.app().join("disk");
    fs::create_dir(&disk).unwrap();
    let options = c"size=256k";
    if let Err(error) = mount("tmpfs", &disk, "tmpfs", MountFlags::empty(), Some(options)) {
        eprintln!("skipped: a tmpfs cannot be mounted here: {error}");
        return;
    }
    let guard = Mounted(disk.clone());
    fs::write(disk.join("ballast"), vec![0_u8; 200 * 1024]).unwrap();
    zelador.write(
        "talk.js",
        "let n = 0; setInterval(() => console.log('line ' + ++n + ' ' + 'x'.repeat(1000)), 5)",
    );
    zelador.start("{ name: 'talk', script: 'talk.js', out_file: './disk/out.log' }");
    let pid = zelador.pid("talk");
    until("the disk to be full", || {
        text(zelador.home().join("zelador.log")).contains("cannot be written")
    });
    assert!(alive(pid));
    fs::remove_file(disk.join("ballast")).unwrap();
    until("the log to be written again", || {
        text(zelador.home().join("zelador.log")).contains("is written again")
    });
    assert_eq!(zelador.pid("talk"), pid);
    zelador.ok(&["delete", "talk"]);
    let lines = text(disk.join("out.log"));
    let whole =
        lines.lines().filter(|line| line.starts_with("line ")).all(|line| line.ends_with('x'));
    assert!(whole, "no line is torn");
    drop(guard);
}

#[test]
fn what_waits_for_a_full_disk_is_lost_with_no_engine_and_what_is_dropped_is_counted() {
    const LINES: usize = 6000;
    let zelador = zelador();
    let disk = zelador.app().join("disk");
    fs::create_dir(&disk).unwrap();
    let options = c"size=16m";
    if let Err(error) = mount("tmpfs", &disk, "tmpfs", MountFlags::empty(), Some(options)) {
        eprintln!("skipped: a tmpfs cannot be mounted here: {error}");
        return;
    }
    let guard = Mounted(disk.clone());
    let mut ballast = fs::File::create(disk.join("ballast")).unwrap();
    while ballast.write(&[0; 4096]).is_ok() {}
    zelador.write(
        "talk.js",
        "const { writeFileSync } = require('fs'); let n = 0; setInterval(() => {
           for (let i = 0; i < 20 && n < 6000; i++) console.log('line ' + ++n + ' ' + 'x'.repeat(1000));
           writeFileSync('said', String(n));
         }, 10)",
    );
    zelador.start("{ name: 'talk', script: 'talk.js', out_file: './disk/out.log' }");
    let said = |lines: usize| {
        until("it to say more", || {
            text(zelador.app().join("said")).parse().is_ok_and(|said: usize| said >= lines)
        });
    };
    said(2500); // more than fits into the pipe
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    said(4000);
    zelador.ok(&["upgrade"]);
    said(LINES);
    drop(ballast);
    fs::remove_file(disk.join("ballast")).unwrap();
    let log = || text(disk.join("out.log"));
    until("all to be written", || log().contains(&format!("line {LINES} ")));
    let text = log();
    let notes = text.lines().filter_map(|line| line.strip_prefix("zelador: "));
    let dropped = notes.map(|note| note.split(' ').next().unwrap().parse::<usize>().unwrap());
    let numbers: Vec<usize> = text
        .lines()
        .filter_map(|line| line.strip_prefix("line ")?.strip_suffix(&"x".repeat(1000)))
        .map(|number| number.trim_end().parse().unwrap())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "in order, none twice");
    assert_eq!(numbers.len() + dropped.sum::<usize>(), LINES, "present and dropped make all");
    drop(guard);
}

/// A mount that is taken away again.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn logs_are_shown_by_app_and_stream() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'a', script: 'sh', args: ['-c', 'echo good; echo bad >&2; exec sleep 1000'] }",
    );
    let logs = |more: &[&str]| zelador.ok(&[&["logs", "a", "--nostream"], more].concat()).out;
    until("both lines", || logs(&[]).contains("good") && logs(&[]).contains("bad"));
    assert!(!logs(&["--err"]).contains("good") && !logs(&["--out"]).contains("bad"));
    assert!(logs(&["--raw", "--out"]).lines().any(|line| line == "good"));
}

#[test]
fn logs_are_narrowed_by_time_pattern_and_level_and_what_is_wrong_is_said() {
    let zelador = zelador();
    zelador.write(
        "say.sh",
        "now=$(date -u +%Y-%m-%dT%H:%M:%SZ)\n\
         echo '2001-01-01T00:00:00Z INFO Ancient'; echo \"$now INFO Fresh\"\n\
         echo \"$now WARN careful\"; echo 'oh no' >&2; exec sleep 1000",
    );
    zelador.start("{ name: 'a', script: 'sh', args: 'say.sh' }");
    let words = ["Ancient", "Fresh", "careful", "oh no"];
    let shown = |more: &[&str]| {
        let out = zelador.ok(&[&["logs", "a", "--nostream"], more].concat()).out;
        words.iter().copied().filter(|word| out.contains(word)).collect::<Vec<_>>()
    };
    until("all lines", || shown(&[]).len() == words.len());
    assert_eq!(shown(&["--since", "1h", "--out"]), ["Fresh", "careful"]);
    assert_eq!(shown(&["--since", "2000-12-31 14:30", "--out"]), words[..3]);
    assert_eq!(
        shown(&["--grep", "fresh|oh"]),
        ["Fresh", "oh no"],
        "small letters mean capitals too"
    );
    assert_eq!(shown(&["--grep", "FRESH"]), Vec::<&str>::new());
    assert_eq!(shown(&["--level", "warn"]), ["careful", "oh no"]);
    assert_eq!(shown(&["--level", "ERROR"]), ["oh no"]);
    assert_eq!(shown(&["--since", "1h", "--grep", "e", "--level", "info", "--out"]), words[1..3]);
    // The last line that fits, wherever it lies.
    assert_eq!(shown(&["--lines", "1", "--grep", "ancient", "--out"]), ["Ancient"]);
    for (option, value, allowed) in [
        ("--since", "yesterdayish", "allowed: a span like `10m`"),
        ("--since", "25:00", "a time of today like `14:30`"),
        ("--grep", "([", "allowed: a regular expression (found unclosed character class)"),
        ("--level", "loud", "error"),
        ("--lines", "many", "allowed: a whole number"),
    ] {
        let wrong = zelador.run(&["logs", "a", "--nostream", option, value]);
        let said = &wrong.err;
        assert_ne!(wrong.code, 0, "{option} {value}");
        assert!([option, value, allowed].iter().all(|it| said.contains(it)), "{said}");
        assert_eq!(wrong.out, "", "nothing is shown by mistake");
    }
}

#[test]
fn each_of_several_apps_has_a_colour_of_its_own_on_a_terminal() {
    let zelador = zelador();
    let app = |name: &str| {
        format!(
            "{{ name: '{name}', script: 'sh', args: ['-c', 'echo says-{name}; exec sleep 1000'] }}"
        )
    };
    zelador.start(&[app("ant"), app("bee"), app("cat")].join(","));
    let all = || zelador.ok(&["logs", "--nostream"]).out;
    until("all lines", || all().matches("says-").count() == 3);
    assert!(!all().contains('\u{1b}'), "a pipe has no colours");
    let mut screen = Screen::of(&zelador, &["logs", "--nostream", "--out"]);
    ["ant", "bee", "cat"].iter().for_each(|name| screen.until(&format!("says-{name}")));
    let shown = screen.shown.screen();
    let colour = |name: &str| {
        let place = |row| {
            let text = shown.contents_between(row, 0, row, 80);
            text.contains(&format!("says-{name}")).then_some(row)
        };
        let row = (0..24).find_map(place).expect("it is shown");
        shown.cell(row, 0).expect("it is there").fgcolor()
    };
    let colours = ["ant", "bee", "cat"].map(colour);
    assert!(colours.iter().all(|it| *it != vt100::Color::Default), "{colours:?}");
    assert!(colours[0] != colours[1] && colours[1] != colours[2] && colours[0] != colours[2]);
}
