//! Files that are none: named pipes, as the output of a container is one.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use rustix::fs::{CWD, Mode};

use super::super::LogEvent;
use super::full::{fill, small_disk};
use super::rig::{LIMIT, Rig, until};

fn named_pipe(path: &Path) {
    rustix::fs::mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

/// Reads a named pipe to its end; told when `last` came.
fn reader(path: &Path, last: &'static str) -> (JoinHandle<String>, mpsc::Receiver<()>) {
    let (told, last_came) = mpsc::channel();
    let mut file = File::open(path).unwrap();
    let reading = std::thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            match file.read(&mut piece).unwrap() {
                0 => return String::from_utf8(all).unwrap(),
                bytes => all.extend_from_slice(&piece[..bytes]),
            }
            if all.ends_with(last.as_bytes()) {
                _ = told.send(());
            }
        }
    });
    (reading, last_came)
}

fn lines(count: u32) -> String {
    let lines = (0..count).map(|number| format!("{number:06} {}\n", "x".repeat(87)));
    lines.collect()
}

#[test]
fn what_a_named_pipe_takes_in_pieces_is_written_once() {
    let rig = Rig::new();
    named_pipe(&rig.path("out"));
    let mut runs = [rig.run(1, &["out"], &[], false)];
    let logs = rig.logs(1 << 20, 3, Vec::new());
    logs.attach(runs[0][0].source());
    runs[0][0].write("first\n");
    let (reading, last_came) = reader(&rig.path("out"), "last\n");
    runs[0][0].write(lines(5000));
    runs[0][0].write("last\n");
    last_came.recv_timeout(LIMIT).expect("all is read");
    rig.finish(&logs, &mut runs);
    logs.stop();
    assert!(reading.join().unwrap() == format!("first\n{}last\n", lines(5000)));
    let trouble = |event| matches!(event, LogEvent::Trouble { .. } | LogEvent::Recovered { .. });
    assert!(!rig.events.try_iter().any(trouble), "a reader that reads is no trouble");
}

#[test]
fn what_waits_for_the_reader_of_a_named_pipe_gets_through_once_it_reads() {
    let rig = Rig::new();
    named_pipe(&rig.path("out"));
    let mut runs = [rig.run(1, &["out"], &[], false)];
    let logs = rig.logs(1 << 20, 3, vec![runs[0][0].source()]);
    runs[0][0].write(lines(20_000)); // 1.9 MB: more than pipes and memory hold
    runs[0][0].write("last\n");
    rig.expect(|event| matches!(event, LogEvent::Trouble { .. }));
    rig.finish(&logs, &mut runs);
    let (reading, last_came) = reader(&rig.path("out"), "last\n");
    last_came.recv_timeout(LIMIT).expect("all is read");
    rig.expect(|event| matches!(event, LogEvent::Recovered { .. }));
    logs.stop();

    let text = reading.join().unwrap();
    let is_note = |line: &&str| line.starts_with("zelador: ");
    let note = text.lines().find(is_note).expect("one line says what is missing");
    let dropped: usize = note.split(' ').nth(1).unwrap().parse().unwrap();
    let whole = text.lines().filter(|line| line.len() == 94);
    let numbers: Vec<u32> = whole.map(|line| line[..6].parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "in order, none twice");
    assert_eq!(numbers.len() + dropped, 20_000, "present and dropped make all");
    // A line of which a part was in the pipe when the rest of it was dropped, and the last.
    assert!(text.lines().count() <= numbers.len() + 3, "nothing else is in it");
    drop(runs);
}

#[test]
fn a_named_pipe_beside_a_full_disk_has_every_line_once() {
    let rig = Rig::new();
    let disk = rig.path("disk");
    std::fs::create_dir(&disk).unwrap();
    if !small_disk(&disk) {
        println!("not run: mounting is not allowed here");
        return;
    }
    let ballast = disk.join("ballast");
    fill(&ballast);
    named_pipe(&rig.path("out"));
    let mut runs = [rig.run(1, &["out", "disk/out.log"], &[], false)];
    let logs = rig.logs(1 << 20, 3, Vec::new());
    logs.attach(runs[0][0].source());
    runs[0][0].write(lines(10));
    rig.expect(|event| matches!(event, LogEvent::Trouble { .. }));
    let (reading, last_came) = reader(&rig.path("out"), "last\n");
    runs[0][0].write("last\n");
    last_came.recv_timeout(LIMIT).expect("all is read");
    std::fs::remove_file(&ballast).unwrap();
    until("the file is written", || rig.text("disk/out.log").ends_with("last\n"));
    rig.finish(&logs, &mut runs);
    logs.stop();
    let wanted = format!("{}last\n", lines(10));
    assert_eq!((reading.join().unwrap(), rig.text("disk/out.log")), (wanted.clone(), wanted));
    _ = rustix::mount::unmount(&disk, rustix::mount::UnmountFlags::DETACH);
}
