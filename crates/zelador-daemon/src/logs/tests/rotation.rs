//! Files that are renamed, deleted, cut or moved away.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::super::plan::Plan;
use super::super::{Adopted, Logs, keeper};
use super::rig::{Pipes, Rig, rotated, rotation, until};

#[test]
fn rotated_files_make_up_the_whole_log_and_the_oldest_go_none_overwrites_another() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["api.log"], &["err.log"], false)];
    let logs = rig.logs(1000, 5, runs[0].iter().map(Pipes::source).collect());
    for number in 0..20 {
        let line = format!("{number:0>999}\n"); // exactly one file each
        runs[0][0].write(&line);
        until("it is rotated away", || {
            !rig.path("api.log").exists() && rig.read("api.log").ends_with(line.as_bytes())
        });
    }
    runs[0][0].write("rest\n");
    rig.finish(&logs, &mut runs);
    until("the oldest are gone", || rotated(&rig.path("api.log")).len() == 5);
    let text = rig.text("api.log");
    let numbers: Vec<&str> = text.lines().map(|line| line.trim_start_matches('0')).collect();
    assert_eq!(
        numbers,
        ["15", "16", "17", "18", "19", "rest"],
        "same seconds, nothing overwritten"
    );
    logs.stop();
}

#[test]
fn retention_of_api_deletes_no_file_of_my_api() {
    let rig = Rig::new();
    let date = "2026-01-01_00-00-00";
    let own = [format!("api__{date}.log"), format!("api__{date}.1.log")];
    let packed = format!("api__{date}.3.log.gz");
    std::fs::write(rig.path(&packed), "x").unwrap();
    let others = [
        format!("my-api__{date}.log"),
        format!("api__x__{date}.log"),
        format!("api__{date}.log.bz2"),
        format!("api__{date}.gz.log"),
        format!("api__{date}.01.log"),
        format!("api__{date}x.log"),
        format!("api__{date}"),
        "api__2026-1-01_00-00-00.log".to_owned(),
        "api.log".to_owned(),
        "api__.log".to_owned(),
    ];
    own.iter().chain(&others).for_each(|name| std::fs::write(rig.path(name), "x").unwrap());
    let found = rotated(&rig.path("api.log"));
    assert_eq!(found, own.clone().map(|name| rig.path(&name)));
    keeper::prune(&rig.path("api.log"), &Plan::new(rotation(1, 0)));
    let left: BTreeSet<String> = std::fs::read_dir(rig.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, BTreeSet::from(others));
}

#[test]
fn a_name_sorts_last_also_when_the_clock_was_set_back() {
    let rig = Rig::new();
    let path = rig.path("api.log");
    std::fs::write(rig.path("api__2099-01-01_00-00-00.9.log"), "old\n").unwrap();
    let mut runs = [rig.run(1, &["api.log"], &["err.log"], false)];
    let logs = rig.logs(1, 9, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("new\n");
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("api.log"), "old\nnew\n");
    assert!(rig.path("api__2099-01-01_00-00-00.10.log").exists() && !path.exists());
    logs.stop();
}

#[test]
fn writing_goes_on_after_the_file_was_truncated_or_deleted() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    let path = rig.path("out.log");
    let say = |text: &str, whole: &str| {
        runs[0][0].write(text);
        until(text, || std::fs::read_to_string(&path).is_ok_and(|now| now == whole));
    };
    say("one\n", "one\n");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    say("two\n", "two\n");
    std::fs::remove_file(&path).unwrap();
    say("three\n", "three\n");
    std::fs::write(&path, "torn by a loss of power").unwrap();
    say("five\n", "torn by a loss of power\nfive\n");
    rig.finish(&logs, &mut runs);
    logs.stop();
}

#[test]
fn a_device_is_never_renamed() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    runs[0][0].sinks = vec!["/dev/null".into()];
    let logs = rig.logs(1, 0, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("gone\n");
    rig.finish(&logs, &mut runs);
    assert!(rig.events.try_recv().is_err(), "no trouble");
    assert!(std::fs::metadata("/dev/null").unwrap().len() == 0);
    logs.stop();
}

#[test]
fn a_changed_rotation_counts_from_the_next_line_on() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("one\n");
    until("it is written", || rig.read("out.log") == b"one\n");
    logs.set_rotation(rotation(2, 3));
    runs[0][0].write("two\n");
    rig.finish(&logs, &mut runs);
    assert_eq!(rotated(&rig.path("out.log")).len(), 1);
    logs.stop();
}

const OWN_LOG: &str = "ZELADOR_TEST_OWN_LOG";

/// A process whose output goes to its own log. Does nothing otherwise.
#[test]
fn process_with_its_own_log() {
    let Some(path) = std::env::var_os(OWN_LOG).map(PathBuf::from) else { return };
    let say = |text: &str| std::io::stderr().write_all(text.as_bytes()).unwrap();
    say("0123456789\n");
    let logs =
        Logs::start(rotation(10, 3), Some(path.clone()), Adopted::default(), |_| ()).unwrap();
    until("it is rotated", || std::fs::metadata(&path).is_ok_and(|now| now.len() == 0));
    logs.stop();
    say("new\n");
    std::process::exit(0);
}

#[test]
fn the_own_log_is_rotated_and_written_on() {
    let rig = Rig::new();
    let path = rig.path("zelador.log");
    let log = std::fs::File::options().append(true).create(true).open(&path).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "logs::tests::rotation::process_with_its_own_log", "--nocapture"])
        .env(OWN_LOG, &path)
        .stdout(Stdio::null())
        .stderr(log)
        .status();
    assert!(status.unwrap().success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\n");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600, "nobody else reads it");
    assert!(rig.text("zelador.log").contains("0123456789\n"));
}
