//! What waits for a file that cannot be written, and engines that end meanwhile.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;

use super::super::backlog::Backlog;
use super::super::{Adopted, LogEvent, Memory, pipe};
use super::full::{fill, small_disk};
use super::kill::{dead, finish, start_engine, start_with_backlog};
use super::rig::{Rig, rotation, until};

fn lines(from: u32, to: u32) -> String {
    let lines = (from..to).map(|number| format!("{number:06} {}\n", "x".repeat(92)));
    lines.collect()
}

fn kept(event: &LogEvent) -> Option<Memory> {
    if let LogEvent::Keep { memory } = event { Some(memory.clone()) } else { None }
}

#[test]
fn what_waits_for_a_file_outlives_the_engine() {
    let rig = Rig::new();
    std::fs::write(rig.path("closed"), "").unwrap();
    let mut runs = [rig.run(1, &["closed/out.log"], &[], false)];
    let logs = rig.logs(1 << 30, 3, vec![runs[0][0].source()]);
    runs[0][0].write("first\n");
    let memory = kept(&rig.expect(|event| kept(event).is_some())).unwrap();
    rig.finish(&logs, &mut runs);
    logs.stop();

    let backlogs = vec![(memory.number, memory.descriptor.try_clone().unwrap())];
    let logs = rig.logs_adopting(rotation(1 << 30, 3), Adopted { backlogs, sources: Vec::new() });
    std::fs::remove_file(rig.path("closed")).unwrap();
    rig.expect(|event| *event == LogEvent::Forget { number: memory.number });
    assert_eq!(rig.text("closed/out.log"), "first\n");
    logs.stop();
}

#[test]
fn nothing_waits_in_memory_before_the_guardian_has_it() {
    let rig = Rig::new();
    std::fs::write(rig.path("closed"), "").unwrap();
    let mut runs = [rig.run(1, &["closed/out.log"], &[], false)];
    runs[0][0].write("first\n");
    runs[0][0].write = None;
    let sources = vec![runs[0][0].source()];
    let logs = rig.logs_behind(rotation(1 << 30, 3), Adopted { sources, ..Adopted::default() });
    logs.finish(runs[0][0].run);
    let memory = kept(&rig.expect(|event| kept(event).is_some())).unwrap();
    // As an engine that is killed, it has done nothing more.
    logs.stop();
    let left = Backlog::take_over(memory.descriptor.try_clone().unwrap()).unwrap();
    assert!(left.backlog.is_empty(), "it would be lost with the engine");
    assert!(rig.events.try_iter().all(|event| !matches!(event, LogEvent::Drained { .. })));

    let logs = rig.logs(1 << 30, 3, vec![runs[0][0].source()]);
    std::fs::remove_file(rig.path("closed")).unwrap();
    rig.finish(&logs, &mut runs);
    until("it to be written", || rig.text("closed/out.log") == "first\n");
    logs.stop();
}

#[test]
fn the_next_engine_says_what_was_dropped_before_it() {
    let rig = Rig::new();
    std::fs::write(rig.path("closed"), "").unwrap();
    let mut runs = [rig.run(1, &["closed/out.log"], &[], false)];
    let logs = rig.logs(1 << 30, 3, vec![runs[0][0].source()]);
    runs[0][0].write(lines(0, 20_000)); // 2 MB: more than may wait
    let memory = kept(&rig.expect(|event| kept(event).is_some())).unwrap();
    rig.finish(&logs, &mut runs);
    logs.stop();

    std::fs::remove_file(rig.path("closed")).unwrap();
    let backlogs = vec![(memory.number, memory.descriptor.try_clone().unwrap())];
    let logs = rig.logs_adopting(rotation(1 << 30, 3), Adopted { backlogs, sources: Vec::new() });
    rig.expect(|event| matches!(event, LogEvent::Recovered { .. }));
    logs.stop();
    let text = rig.text("closed/out.log");
    let (note, rest) = text.split_once('\n').unwrap();
    let dropped: u32 = note.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(note.ends_with("(Not a directory (os error 20))"), "{note}");
    assert!(rest == lines(dropped, 20_000), "{dropped} dropped, and the rest is there");
}

#[test]
fn what_waits_is_written_as_far_as_the_disk_has_room() {
    let rig = Rig::new();
    if !small_disk(rig.folder.path()) {
        println!("not run: mounting is not allowed here");
        return;
    }
    let ballast = rig.path("ballast");
    fill(&ballast);
    let mut runs = [rig.run(1, &["out.log"], &[], false)];
    let logs = rig.logs(1 << 30, 3, vec![runs[0][0].source()]);
    runs[0][0].write(lines(0, 5000)); // 500 kB
    rig.expect(|event| matches!(event, LogEvent::Trouble { .. }));
    rig.finish(&logs, &mut runs);
    let length = std::fs::metadata(&ballast).unwrap().len();
    File::options().write(true).open(&ballast).unwrap().set_len(length - 230_000).unwrap();
    until("the room is used", || rig.text("out.log").len() > 220_000);
    let text = rig.text("out.log");
    assert!(lines(0, 5000).starts_with(&text) && text.ends_with('\n'), "in whole lines");
    std::fs::remove_file(&ballast).unwrap();
    rig.expect(|event| matches!(event, LogEvent::Recovered { .. }));
    assert!(rig.text("out.log") == lines(0, 5000));
    logs.stop();
    _ = rustix::mount::unmount(rig.folder.path(), rustix::mount::UnmountFlags::DETACH);
}

/// The memory in which a live engine keeps what waits, once it has one.
fn memory_of(engine: &Child) -> File {
    let folder = format!("/proc/{}/fd", engine.id());
    let mut found = None;
    until("lines wait", || {
        let descriptors = std::fs::read_dir(&folder).unwrap().flatten();
        let is_memory = |path: &std::path::PathBuf| {
            std::fs::read_link(path)
                .is_ok_and(|link| link.to_string_lossy().starts_with("/memfd:zelador-log"))
        };
        let path = descriptors.map(|descriptor| descriptor.path()).find(is_memory);
        found = path.and_then(|path| File::options().read(true).write(true).open(path).ok());
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn an_engine_may_die_at_every_step_while_lines_wait_and_the_next_one_too() {
    const ADDING: [&str; 7] =
        ["begun:1", "appending:1", "adding:1", "written:1", "taking:2", "taken:1", "ended:1"];
    const WRITING_OUT: [&str; 4] =
        ["writing out:1", "appending:1", "nearly written out:2", "written out:1"];
    let killed = |engine: Child| finish(engine).signal() == Some(libc::SIGKILL);
    for adding in ADDING {
        for writing_out in WRITING_OUT {
            let rig = Rig::new();
            std::fs::write(rig.path("closed"), "").unwrap();
            let mut runs = [rig.run(1, &["closed/out.log", "all.log"], &[], true)];
            runs[0][0].write(lines(0, 500));
            let mut engine = start_engine(&[&runs[0][0]], 1 << 30, None);
            let memory = memory_of(&engine);
            until("they are written, and wait", || {
                rig.read("all.log").len() == 500 * 125
                    && memory.metadata().unwrap().len() > 500 * 125
                    && pipe::level(&runs[0][0].hold_read) == 0
            });
            engine.kill().unwrap();
            dead(engine);

            runs[0][0].write(lines(500, 3000));
            runs[0][0].write = None;
            let pipes = [&runs[0][0]];
            let start = |crash| start_with_backlog(&pipes, crash, &memory);
            assert!(killed(start(Some(adding))), "{adding} was reached");
            assert!(!killed(start(None)));
            std::fs::remove_file(rig.path("closed")).unwrap();
            assert!(killed(start(Some(writing_out))), "{writing_out} was reached");
            assert!(!killed(start(None)));
            for name in ["closed/out.log", "all.log"] {
                let text = super::rig::undated(&rig.text(name));
                assert!(text == lines(0, 3000), "{name}: {adding}, {writing_out}");
            }
        }
    }
}
