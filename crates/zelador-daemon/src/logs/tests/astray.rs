//! Links, named pipes and second names where a log should be.

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::mpsc;

use rustix::fs::{CWD, Mode};
use zelador_core::spec::ROTATED_DATE;

use super::super::{LogEvent, tail};
use super::rig::{LIMIT, Pipes, Rig, rotated, until};

/// A folder that anybody may write.
fn shared(rig: &Rig) -> std::path::PathBuf {
    let folder = rig.path("shared");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    folder
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_symlink())
}

#[test]
fn a_link_that_anybody_may_have_laid_is_trouble_and_its_target_stays_as_it_is() {
    let rig = Rig::new();
    fs::write(rig.path("target"), "secret\n").unwrap();
    let log = shared(&rig).join("out.log");
    symlink(rig.path("target"), &log).unwrap();
    let mut runs = [rig.run(1, &["shared/out.log"], &["err.log"], false)];
    let logs = rig.logs(1, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("one\n");
    let LogEvent::Trouble { error, .. } =
        rig.expect(|event| matches!(event, LogEvent::Trouble { .. }))
    else {
        unreachable!()
    };
    assert!(error.contains("out.log is a link"), "{error}");
    let (told, failed) = mpsc::channel();
    logs.empty(vec![log.clone()], move |failed| told.send(failed).unwrap());
    assert_eq!(failed.recv().unwrap().len(), 1, "it is not emptied");
    assert!(tail(&log, 9, 1 << 20, ROTATED_DATE).is_err(), "it is not shown");
    logs.rotate_all(vec![log.clone()]);
    runs[0][1].write("err\n");
    until("the other stream goes on", || rig.text("err.log") == "err\n");
    assert_eq!((rig.text("target").as_str(), is_link(&log)), ("secret\n", true));
    fs::remove_file(&log).unwrap();
    rig.expect(|event| matches!(event, LogEvent::Recovered { .. }));
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("shared/out.log"), "one\n");
    logs.stop();
}

#[test]
fn a_second_name_of_a_file_is_no_log_where_anybody_may_have_given_it() {
    let rig = Rig::new();
    fs::write(rig.path("target"), "secret\n").unwrap();
    let log = shared(&rig).join("out.log");
    fs::hard_link(rig.path("target"), &log).unwrap();
    let mut runs = [rig.run(1, &["shared/out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("one\n");
    rig.expect(|event| matches!(event, LogEvent::Trouble { .. }));
    assert_eq!(rig.text("target"), "secret\n");
    fs::remove_file(&log).unwrap();
    rig.finish(&logs, &mut runs);
    logs.stop();
}

#[test]
fn a_log_behind_a_link_is_rotated_where_it_stands() {
    let rig = Rig::new();
    for folder in ["logs", "real"] {
        fs::create_dir(rig.path(folder)).unwrap();
    }
    let (link, real) = (rig.path("logs/app.log"), rig.path("real/mine.log"));
    symlink("../real/mine.log", &link).unwrap();
    let mut runs = [rig.run(1, &["logs/app.log"], &["err.log"], false)];
    let logs = rig.logs(1, 2, runs[0].iter().map(Pipes::source).collect());
    for line in ["one\n", "two\n", "three\n"] {
        runs[0][0].write(line);
        until("it is rotated away", || {
            !real.exists() && rig.read("real/mine.log").ends_with(line.as_bytes())
        });
    }
    rig.finish(&logs, &mut runs);
    until("the oldest is gone", || rotated(&real).len() == 2);
    assert!(is_link(&link), "the link is the operator's");
    assert_eq!(fs::read_dir(rig.path("logs")).unwrap().count(), 1, "nothing beside it");
    let lines = tail(&link, 9, 1 << 20, ROTATED_DATE).unwrap();
    assert_eq!(lines, ["two", "three"]);
    fs::write(&real, "closed\n").unwrap();
    logs.rotate_all(vec![link.clone()]);
    until("a closed one is rotated too", || {
        rig.read("real/mine.log").ends_with(b"closed\n") && !real.exists()
    });
    assert!(is_link(&link));
    logs.stop();
}

/// `/dev/stdout` leads through `/proc/self/fd`.
#[test]
fn what_leads_through_an_open_descriptor_is_written_and_never_renamed() {
    let rig = Rig::new();
    let file = fs::File::create(rig.path("stands.log")).unwrap();
    let link = rig.path("stdout");
    symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), &link).unwrap();
    let mut runs = [rig.run(1, &["stdout"], &["err.log"], false)];
    let logs = rig.logs(1, 2, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("one\n");
    runs[0][0].write("two\n");
    rig.finish(&logs, &mut runs);
    logs.rotate_all(vec![link.clone()]);
    logs.stop();
    assert_eq!(rig.text("stands.log"), "one\ntwo\n");
    assert!(is_link(&link), "it stays");
    assert_eq!(fs::read_dir(rig.folder.path()).unwrap().count(), 2, "nothing was renamed");
}

#[test]
fn a_named_pipe_has_no_lines_and_nobody_waits_for_it() {
    let rig = Rig::new();
    let pipe = rig.path("out.log");
    rustix::fs::mkfifoat(CWD, &pipe, Mode::from_raw_mode(0o600)).unwrap();
    let (told, answer) = mpsc::channel();
    std::thread::spawn(move || told.send(tail(&pipe, 9, 1 << 20, ROTATED_DATE)));
    let lines = answer.recv_timeout(LIMIT).expect("whoever writes to it is not waited for");
    assert!(lines.unwrap().is_empty());
}
