//! Files that cannot be written.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::UnshareFlags;

use super::super::{LogEvent, pipe};
use super::rig::{Pipes, Rig, until};

/// Puts a small file system over `path`, seen by this thread and those it starts. Returns false
/// where that is not allowed.
pub fn small_disk(path: &std::path::Path) -> bool {
    // SAFETY: the namespace of mounts is unshared; no descriptor is.
    let unshared = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) };
    unshared.is_ok()
        && rustix::mount::mount_change(
            "/",
            MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
        )
        .is_ok()
        && rustix::mount::mount("none", path, "tmpfs", MountFlags::empty(), c"size=4m").is_ok()
}

/// Takes all the room there is.
pub fn fill(ballast: &std::path::Path) {
    use std::io::Write;
    let mut ballast = std::fs::File::create(ballast).unwrap();
    while ballast.write(&[1; 4096]).is_ok() {}
}

fn is_trouble(event: &LogEvent) -> bool {
    matches!(event, LogEvent::Trouble { .. })
}

fn is_recovery(event: &LogEvent) -> bool {
    matches!(event, LogEvent::Recovered { .. })
}

#[test]
fn a_full_disk_harms_no_service_and_what_is_dropped_is_counted() {
    let rig = Rig::new();
    if !small_disk(rig.folder.path()) {
        println!("not run: mounting is not allowed here");
        return;
    }
    std::fs::write(rig.path("ballast"), vec![1; 3_900_000]).unwrap();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], true)];
    let logs = rig.logs(1 << 30, 3, runs[0].iter().map(Pipes::source).collect());
    let write = |from: u32, to: u32| {
        let lines = (from..to).map(|number| format!("{number:07} {}\n", "x".repeat(91)));
        lines.for_each(|line| runs[0][0].write(line));
    };
    write(0, 5000);
    let trouble = rig.expect(is_trouble);
    let LogEvent::Trouble { error, .. } = trouble else { unreachable!() };
    assert!(error.contains("No space left"), "{error}");
    let written = rig.text("out.log");
    assert!(written.is_empty() || written.ends_with('\n'), "no torn line");
    write(5000, 100_000); // 10 MB: more than pipes and memory hold
    let written = rig.text("out.log");
    assert!(written.is_empty() || written.ends_with('\n'), "still no torn line");
    std::fs::remove_file(rig.path("ballast")).unwrap();
    rig.expect(is_recovery);
    write(100_000, 100_010);
    rig.finish(&logs, &mut runs);

    let text = rig.text("out.log");
    // More than one where a little room was left: each says what is missing before it.
    let notes: Vec<&str> = text.lines().filter(|line| line.starts_with("zelador: ")).collect();
    assert!(!notes.is_empty() && notes.iter().all(|note| note.contains("No space left")));
    let dropped_of = |note: &&str| note.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
    let dropped: usize = notes.iter().map(dropped_of).sum();
    let lines = text.lines().filter(|line| !line.starts_with("zelador: "));
    let numbers: Vec<u32> = lines
        .map(|line| {
            assert_eq!(line.len(), super::rig::DATE_LENGTH + 99, "{line}");
            line[25..32].parse().unwrap()
        })
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "in order, none twice");
    assert_eq!(numbers.len() + dropped, 100_010, "present and dropped make all");
    assert_eq!(numbers.last(), Some(&100_009));
    logs.stop();
    _ = rustix::mount::unmount(rig.folder.path(), UnmountFlags::DETACH);
}

#[test]
fn while_the_pipe_has_room_nothing_is_dropped() {
    let rig = Rig::new();
    let folder = rig.path("closed");
    std::fs::write(&folder, "a file where a folder should be").unwrap();
    let mut runs = [rig.run(1, &["closed/out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("one\n");
    rig.expect(is_trouble);
    runs[0][0].write("two\n");
    runs[0][1].write("err\n");
    until("the other stream goes on", || rig.read("err.log") == b"err\n");
    std::fs::remove_file(&folder).unwrap();
    rig.expect(is_recovery);
    until("both are written", || rig.read("closed/out.log") == b"one\ntwo\n");
    rig.finish(&logs, &mut runs);
    assert!(rig.events.try_recv().is_err(), "told once");
    logs.stop();
}

#[test]
fn a_sick_combined_file_does_not_hold_up_the_stream_s_own() {
    let rig = Rig::new();
    std::fs::write(rig.path("closed"), "").unwrap();
    let mut runs = [rig.run(1, &["out.log", "closed/all.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("one\n");
    until("it is written", || rig.read("out.log") == b"one\n");
    rig.expect(is_trouble);
    std::fs::remove_file(rig.path("closed")).unwrap();
    rig.expect(is_recovery);
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("closed/all.log"), "one\n");
    logs.stop();
}

#[test]
fn a_device_without_space_keeps_the_run_no_longer_than_it_lives() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &[], &["err.log"], false)];
    runs[0][0].sinks = vec!["/dev/full".into()];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("x\n".repeat(3 << 20)); // 6 MiB
    rig.expect(is_trouble);
    rig.finish(&logs, &mut runs);
    assert_eq!(pipe::level(&runs[0][0].pipe) + pipe::level(&runs[0][0].hold_read), 0);
    logs.stop();
}

#[test]
fn a_folder_that_may_not_be_written_is_trouble_until_it_may() {
    // SAFETY: asks for a number.
    if unsafe { libc::geteuid() } == 0 {
        return; // root may write everywhere
    }
    let rig = Rig::new();
    let closed = rig.path("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
    let mut runs = [rig.run(1, &["closed/out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("one\n");
    rig.expect(is_trouble);
    std::fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    rig.expect(is_recovery);
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("closed/out.log"), "one\n");
    logs.stop();
}
