//! What becomes of the apps' output.

use std::fs;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use zelador_testbed::home::{alive, text, until};

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
