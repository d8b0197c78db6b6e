//! What becomes of rotated logs: by number, size, clock and name; compressed, and killed at it.

use std::collections::BTreeSet;
use std::fs::{File, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use zelador_core::spec::{CronPattern, Keep};
use zelador_core::unit::ByteSize;

use super::super::keeper;
use super::super::names::Names;
use super::super::plan::Plan;
use super::super::{LogEvent, Rotation};
use super::kill::{dead, finish, start_compressing};
use super::rig::{Pipes, Rig, read_compressed, rotated, rotation, until};

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn logs_are_rotated_by_default_at_ten_mebibytes() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let sources = runs[0].iter().map(Pipes::source).collect();
    let logs = rig.logs_rotated(Rotation::default(), sources);
    let line = format!("{}\n", "x".repeat(1023));
    for _ in 0..25 {
        runs[0][0].write(line.repeat(1024));
    }
    rig.finish(&logs, &mut runs);
    assert_eq!(rotated(&rig.path("out.log")).len(), 2);
    assert_eq!(rig.read("out.log").len(), 25 << 20);
    logs.stop();
}

#[test]
fn rotation_loses_no_line_while_the_app_writes() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let plan = Rotation { keep: Keep::All, compress: true, ..rotation(20_000, 0) };
    let logs = rig.logs_rotated(plan, runs[0].iter().map(Pipes::source).collect());
    let line = |number: u32| format!("{number:06} {}\n", "y".repeat((number % 90) as usize));
    for number in 0..30_000 {
        runs[0][0].write(line(number));
    }
    rig.finish(&logs, &mut runs);
    until("all are compressed", || rotated(&rig.path("out.log")).is_empty());
    let wanted: String = (0..30_000).map(line).collect();
    assert!(rig.text("out.log") == wanted, "every line, once, in order");
    // How often depends on how much is read at once.
    assert!(names_in(rig.folder.path()).len() > 4);
    logs.stop();
}

#[test]
fn rotated_files_are_limited_in_total_bytes() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let most = Some(ByteSize::new(5000));
    let plan = Rotation { keep: Keep::All, max_total_size: most, ..rotation(1000, 0) };
    let logs = rig.logs_rotated(plan, runs[0].iter().map(Pipes::source).collect());
    for number in 0..50 {
        runs[0][0].write(format!("{number:0>999}\n"));
        let last = format!("{number}\n");
        until("it is rotated away", || {
            !rig.path("out.log").exists() && rig.read("out.log").ends_with(last.as_bytes())
        });
    }
    rig.finish(&logs, &mut runs);
    until("the oldest are gone", || rig.read("out.log").len() <= 5000);
    let text = rig.text("out.log");
    let numbers: Vec<&str> = text.lines().map(|line| line.trim_start_matches('0')).collect();
    assert_eq!(numbers, ["45", "46", "47", "48", "49"]);
    logs.stop();
}

#[test]
fn what_is_rotated_is_compressed_with_its_date_and_mode_and_the_names_go_on() {
    let rig = Rig::new();
    let path = rig.path("out.log");
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let format = "YYYY".to_owned();
    let plan = Rotation { compress: true, date_format: format, ..rotation(10, 3) };
    let logs = rig.logs_rotated(plan, runs[0].iter().map(Pipes::source).collect());
    let own = || Names::new("YYYY").own(&path).rotated;
    for number in 0..5_usize {
        runs[0][0].write(format!("line {number:05}\n"));
        until("it is compressed", || {
            let last =
                own().pop().and_then(|last| last.compressed.filter(|_| last.plain.is_none()));
            last.is_some_and(|last| {
                read_compressed(&last).unwrap() == format!("line {number:05}\n").as_bytes()
            })
        });
    }
    rig.finish(&logs, &mut runs);
    let names: Vec<_> = own().iter().map(|it| (it.number, it.plain.is_some())).collect();
    assert_eq!(names, [(2, false), (3, false), (4, false)], "no name is used again");
    let last = std::fs::metadata(own()[2].compressed.as_ref().unwrap()).unwrap();
    assert_eq!(last.permissions().mode() & 0o777, 0o640);
    assert!(last.mtime() > 1_700_000_000);
    assert_eq!(names_in(rig.folder.path()).len(), 3, "and nothing else");
    logs.stop();
}

#[test]
fn an_engine_that_is_killed_while_it_compresses_leaves_one_whole_copy_of_each() {
    for point in ["compressing:1", "compressing:3", "compressed:1", "named:1", "named:2"] {
        let rig = Rig::new();
        let runs = [rig.run(1, &["out.log"], &[], false)];
        let pipes: Vec<&Pipes> = runs.iter().flatten().collect();
        let lines: Vec<String> =
            (0..9_000).map(|n| format!("{n:05} {}\n", "z".repeat(60))).collect();
        let lines = lines.concat();
        let killed = start_compressing(&pipes, 150_000, Some(point));
        runs[0][0].write(&lines);
        assert_eq!(dead(killed).signal(), Some(libc::SIGKILL), "{point} was reached");
        let next = start_compressing(&pipes, 150_000, None);
        until("all of it is there once", || {
            let names = names_in(rig.folder.path());
            let done = |name: &String| name == "out.log" || name.ends_with(".log.gz");
            names.len() >= 2 && names.iter().all(done) && rig.read("out.log").len() == lines.len()
        });
        assert!(rig.text("out.log") == lines, "{point}");
        assert!(finish(next).success());
    }
}

#[test]
fn the_clock_rotates_what_is_not_empty_also_of_apps_that_are_down() {
    let rig = Rig::new();
    std::fs::write(rig.path("down.log"), "from before\n").unwrap();
    std::fs::write(rig.path("empty.log"), "").unwrap();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let at = Some(CronPattern::new("* * * * * *").unwrap());
    let plan = Rotation { at, ..rotation(1 << 20, 9) };
    let logs = rig.logs_rotated(plan, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("one\n");
    until("it is written", || rig.read("out.log") == b"one\n");
    rig.expect(|event| *event == LogEvent::Due);
    let paths = ["down.log", "empty.log", "out.log", "none.log"].map(|name| rig.path(name));
    logs.rotate_all(paths.to_vec());
    until("they are rotated", || {
        rotated(&rig.path("out.log")).len() + rotated(&rig.path("down.log")).len() == 2
    });
    assert_eq!(std::fs::metadata(rig.path("empty.log")).unwrap().len(), 0);
    rig.expect(|event| *event == LogEvent::Due);
    logs.rotate_all(paths.to_vec());
    runs[0][0].write("two\n");
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("out.log"), "one\ntwo\n");
    assert!(!rig.path("down.log").exists() && rotated(&rig.path("empty.log")).is_empty());
    logs.stop();
}

#[test]
fn the_clock_tears_no_line() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 30, 9, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write(vec![b'x'; 3 << 20]);
    until("pieces of it are written", || !rig.read("out.log").is_empty());
    logs.rotate_all(Vec::new());
    runs[0][0].write("\nnext\n");
    rig.finish(&logs, &mut runs);
    let old = rotated(&rig.path("out.log"));
    let old = std::fs::read(&old[0]).unwrap();
    assert_eq!(old.iter().position(|byte| *byte == b'\n'), Some(3 << 20), "the line is whole");
    assert!(rig.text("out.log").ends_with("\nnext\n"));
    logs.stop();
}

#[test]
fn with_dates_that_do_not_sort_the_time_of_writing_tells_the_order() {
    let rig = Rig::new();
    let path = rig.path("api.log");
    for (age, name) in
        [(1, "api__01-03-2026.log"), (2, "api__28-02-2026.log.gz"), (3, "api__15-01-2026.1.log")]
    {
        std::fs::write(rig.path(name), name).unwrap();
        let file = File::options().write(true).open(rig.path(name)).unwrap();
        let at = SystemTime::now() - Duration::from_secs(age * 86_400);
        file.set_times(FileTimes::new().set_modified(at)).unwrap();
    }
    let date_format = "DD-MM-YYYY".to_owned();
    keeper::prune(&path, &Plan::new(Rotation { date_format, ..rotation(1, 2) }));
    let left = ["api__01-03-2026.log", "api__28-02-2026.log.gz"].map(str::to_owned);
    assert_eq!(names_in(rig.folder.path()), BTreeSet::from(left));
}

#[test]
fn names_have_the_date_of_the_time_zone_that_was_asked_for() {
    let zones = ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Nowhere/At_All"].map(|zone| {
        let zone = Some(zone.to_owned());
        Plan::new(Rotation { zone, ..Rotation::default() }).now()
    });
    let hours = |at: usize| zones[at].offset().seconds() / 3600;
    assert_eq!((hours(0), hours(1)), (14, -11));
    assert_eq!(
        zones[2].time_zone(),
        &jiff::tz::TimeZone::system(),
        "an unknown one is no reason to stop"
    );
}

#[test]
fn a_log_that_is_flushed_while_the_app_writes_goes_on_with_whole_lines() {
    let rig = Rig::new();
    let path = rig.path("out.log");
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], true)];
    let logs = rig.logs(1 << 30, 3, runs[0].iter().map(Pipes::source).collect());
    let writer = runs[0][0].write.take().unwrap();
    let said = std::thread::spawn(move || {
        use std::io::Write;
        (0..40_000_u32).for_each(|number| writeln!(&writer, "{number:07}").unwrap());
    });
    for _ in 0..20 {
        let before = std::fs::metadata(&path).map_or(0, |now| now.len());
        let (told, failed) = std::sync::mpsc::channel();
        logs.empty(vec![path.clone()], move |failed| told.send(failed).unwrap());
        assert!(failed.recv().unwrap().is_empty());
        until("something new is written", || {
            let now = std::fs::metadata(&path).map_or(0, |now| now.len());
            said.is_finished() || (now > 0 && now != before)
        });
    }
    said.join().unwrap();
    rig.finish(&logs, &mut runs);
    let text = super::rig::undated(&rig.text("out.log"));
    let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    let wanted: Vec<u32> = (numbers.first().copied().unwrap_or(40_000)..40_000).collect();
    assert_eq!(numbers, wanted, "from some line on to the last one, none torn, none missing");
    logs.stop();
}

#[test]
fn json_lines_stay_whole_across_rotation_long_lines_and_any_bytes() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log", "all.log"], &["all.log"], true)];
    runs[0].iter_mut().for_each(|pipes| pipes.json = true);
    let plan = Rotation { keep: Keep::All, ..rotation(30_000, 0) };
    let logs = rig.logs_rotated(plan, runs[0].iter().map(Pipes::source).collect());
    let long = "€".repeat(1_200_000);
    for number in 0..2000 {
        runs[0][number % 2].write(format!("{number} \"quoted\" \u{1}\n"));
        if number == 1000 {
            runs[0][0].write(b"\xff\xfe bytes\n");
            runs[0][0].write(&long);
            runs[0][0].write("\n");
        }
    }
    runs[0][0].write("no end");
    rig.finish(&logs, &mut runs);
    let parsed = |name: &str| -> Vec<serde_json::Value> {
        rig.text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (mut whole, mut lines) = (String::new(), Vec::new());
    for object in parsed("out.log") {
        assert_eq!((&object["type"], &object["process_id"]), (&"out".into(), &7.into()));
        assert_eq!(object["timestamp"].as_str().unwrap().len(), "2026-01-01 00:00:00.000".len());
        whole.push_str(object["message"].as_str().unwrap());
        if object.get("partial").is_none() {
            lines.push(std::mem::take(&mut whole));
        }
    }
    let mut wanted: Vec<String> =
        (0..2000).step_by(2).map(|number| format!("{number} \"quoted\" \u{1}")).collect();
    wanted.splice(501..501, ["\u{fffd}\u{fffd} bytes".to_owned(), long]);
    wanted.push("no end".to_owned());
    assert!(lines == wanted, "every line is an object of its own");
    let of = |kind: &str| parsed("all.log").iter().filter(|line| line["type"] == kind).count();
    assert_eq!(of("err"), 1000);
    logs.stop();
}
