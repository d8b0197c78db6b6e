//! What services write, and what stands in the files.

use std::time::{SystemTime, UNIX_EPOCH};

use zelador_core::spec::ROTATED_DATE;
use zelador_core::unit::Moment;

use super::super::arrival::TOGETHER;
use super::super::{LogEvent, RunId, pipe, tail};
use super::rig::{Pipes, Rig, undated, until};

#[test]
fn lines_of_both_streams_go_to_their_files_and_the_combined_one() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["sub/deeper/out.log", "all.log"], &["err.log", "all.log"], false)];
    let logs = rig.logs(1 << 20, 3, Vec::new());
    runs[0].iter().for_each(|pipes| logs.attach(pipes.source()));
    runs[0][0].write("one\ntwo\n");
    until("out is written", || rig.path("all.log").exists() && rig.text("all.log").len() == 8);
    runs[0][1].write("three\nno end");
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("sub/deeper/out.log"), "one\ntwo\n");
    assert_eq!(rig.text("err.log"), "three\nno end\n");
    assert_eq!(rig.text("all.log"), "one\ntwo\nthree\nno end\n");
    logs.stop();
}

#[test]
fn an_unfinished_line_waits_and_survives_the_engine() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], true)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("first\nhalf a ");
    until("the first line is written", || rig.read("out.log").ends_with(b"first\n"));
    logs.stop();
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("line\n");
    until("the line is written", || rig.read("out.log").ends_with(b"half a line\n"));
    rig.finish(&logs, &mut runs);
    assert_eq!(undated(&rig.text("out.log")), "first\nhalf a line\n");
    logs.stop();
}

#[test]
fn a_flood_without_line_ends_is_written_in_pieces_and_nothing_is_added() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], true)];
    let logs = rig.logs(1 << 30, 3, runs[0].iter().map(Pipes::source).collect());
    let flood: Vec<u8> = (0..20_000_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
    runs[0][0].write(&flood);
    runs[0][0].write("\nnext\n");
    rig.finish(&logs, &mut runs);
    let text = undated(&rig.text("out.log"));
    assert!(text.as_bytes()[..flood.len()] == flood);
    assert_eq!(&text[flood.len()..], "\nnext\n");
    logs.stop();
}

#[test]
fn a_flood_in_pieces_ends_with_one_line_end() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 30, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write(vec![b'x'; 5 << 20]);
    rig.finish(&logs, &mut runs);
    let text = rig.text("out.log");
    assert_eq!((text.len(), text.find('\n')), ((5 << 20) + 1, Some(5 << 20)));
    logs.stop();
}

#[test]
fn many_tiny_writes_without_a_line_end_lose_nothing() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 30, 3, runs[0].iter().map(Pipes::source).collect());
    for dot in 0..2000 {
        runs[0][0].write(".");
        if dot % 3 == 0 {
            // Each of them gets a page of the hold pipe for itself.
            until("the dot is fetched", || pipe::level(&runs[0][0].pipe) == 0);
        }
    }
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("out.log"), format!("{}\n", ".".repeat(2000)));
    logs.stop();
}

#[test]
fn binary_output_is_written_as_it_is() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 30, 3, runs[0].iter().map(Pipes::source).collect());
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let mut bytes: Vec<u8> = (0..3_000_000).map(|_| next()).collect();
    bytes.push(b'\n');
    runs[0][0].write(&bytes);
    rig.finish(&logs, &mut runs);
    assert!(rig.read("out.log") == bytes);
    logs.stop();
}

#[test]
fn a_line_in_pieces_is_not_continued_by_another_stream() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["all.log"], &["all.log"], false)];
    let logs = rig.logs(1 << 30, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write(vec![b'x'; 3 << 20]);
    until("a piece is written", || !rig.read("all.log").is_empty());
    runs[0][1].write("a line\n");
    until("the line is written", || rig.read("all.log").ends_with(b"a line\n"));
    runs[0][0].write("\nanother\n");
    rig.finish(&logs, &mut runs);
    let text = rig.text("all.log");
    assert_eq!(text.lines().filter(|line| *line == "a line").count(), 1);
    assert_eq!(text.bytes().filter(|byte| *byte == b'x').count(), 3 << 20);
    assert!(text.ends_with("\nanother\n"));
    logs.stop();
}

#[test]
fn a_line_of_many_tiny_writes_is_not_torn_by_another_stream() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["all.log"], &["all.log"], false)];
    let logs = rig.logs(1 << 30, 3, runs[0].iter().map(Pipes::source).collect());
    for _ in 0..600 {
        runs[0][0].write(".");
        until("the dot is fetched", || pipe::level(&runs[0][0].pipe) == 0);
    }
    runs[0][1].write("a line\n");
    until("the line is written", || rig.text("all.log").ends_with("a line\n"));
    runs[0][0].write("\n");
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("all.log"), format!("a line\n{}\n", ".".repeat(600)));
    assert!(pipe::capacity(&runs[0][0].hold_write) <= 64 << 10, "no larger hold pipe was needed");
    logs.stop();
}

#[test]
fn two_runs_write_whole_lines_into_one_file() {
    let rig = Rig::new();
    let mut runs = [1, 2].map(|run| rig.run(run, &["one.log"], &["one.log"], true));
    let logs = rig.logs(1 << 30, 3, Vec::new());
    runs.iter().flatten().for_each(|pipes| logs.attach(pipes.source()));
    std::thread::scope(|scope| {
        for (writer, pipes) in runs.iter().flatten().enumerate() {
            scope.spawn(move || {
                (0..20_000).for_each(|number| pipes.write(format!("w{writer} {number:05}\n")));
            });
        }
    });
    rig.finish(&logs, &mut runs);
    let text = undated(&rig.text("one.log"));
    assert_eq!(text.lines().count(), 80_000);
    for writer in 0..4 {
        let own = format!("w{writer} ");
        let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(&own)).collect();
        let wanted: Vec<String> = (0..20_000).map(|number| format!("{number:05}")).collect();
        assert_eq!(found, wanted);
    }
    logs.stop();
}

#[test]
fn a_run_without_files_is_read_and_forgotten() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &[], &[], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write(vec![b'x'; 10 << 20]);
    rig.finish(&logs, &mut runs);
    logs.finish(RunId::new(77));
    rig.expect(|event| *event == LogEvent::Drained { run: RunId::new(77) });
    logs.stop();
}

#[test]
fn who_catches_up_with_a_run_that_ended_finds_its_last_words() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("works\n");
    runs[0][1].write("Error: lost"); // nobody ends that line
    logs.asker().catch_up(runs[0][0].run);
    assert_eq!(
        (rig.text("out.log").as_str(), rig.text("err.log").as_str()),
        ("works\n", "Error: lost\n")
    );
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("err.log"), "Error: lost\n", "once");
    logs.asker().catch_up(runs[0][0].run);
    logs.stop();
}

#[test]
fn a_surviving_grandchild_does_not_keep_a_finished_run() {
    let rig = Rig::new();
    let runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("said\n");
    logs.finish(runs[0][0].run); // the write ends are still open
    rig.expect(|event| matches!(event, LogEvent::Drained { .. }));
    assert_eq!(rig.text("out.log"), "said\n");
    logs.stop();
}

#[test]
fn a_service_that_closes_its_output_costs_nothing_and_is_finished_later() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    runs[0][0].write("last words");
    runs[0][0].write = None;
    until("they are written", || rig.read("out.log") == b"last words\n");
    rig.finish(&logs, &mut runs);
    assert_eq!(rig.text("out.log"), "last words\n");
    logs.stop();
}

#[test]
fn an_output_that_is_closed_while_the_hold_pipe_has_no_place_left_has_ended() {
    let rig = Rig::new();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    for _ in 0..pipe::capacity(&runs[0][0].hold_write) / 4096 {
        runs[0][0].write(".");
        until("the dot is fetched", || pipe::level(&runs[0][0].pipe) == 0);
    }
    runs[0][0].write = None;
    until("the line is written", || rig.text("out.log") == format!("{}\n", ".".repeat(16)));
    rig.finish(&logs, &mut runs);
    logs.stop();
}

#[test]
fn the_tail_is_cut_lossy_and_reaches_into_the_renamed_log() {
    let rig = Rig::new();
    let path = rig.path("out.log");
    assert!(tail(&path, 5, 1 << 20, ROTATED_DATE).is_err());
    std::fs::write(rig.path("out__2026-01-01_00-00-00.log"), "oldest\n").unwrap();
    std::fs::write(rig.path("out__2026-01-02_00-00-00.log"), "old\nolder\n").unwrap();
    assert_eq!(tail(&path, 5, 1 << 20, ROTATED_DATE).unwrap(), ["oldest", "old", "older"]);
    let mut long = b"a\n\xff\xfeb\r\n\n".to_vec();
    long.extend(vec![b'y'; 200_000]);
    long.extend(b"\nend");
    std::fs::write(&path, long).unwrap();
    let lines = tail(&path, 6, 1 << 20, ROTATED_DATE).unwrap();
    assert_eq!(lines[..3], ["older", "a", "\u{fffd}\u{fffd}b"]);
    assert_eq!((lines[3].as_str(), lines[5].as_str()), ("", "end"));
    assert_eq!(lines[4], format!("{} … (cut)", "y".repeat(4096)));
    assert_eq!(tail(&path, 1, 1 << 20, ROTATED_DATE).unwrap(), ["end"]);
    assert_eq!(tail(&path, 0, 1 << 20, ROTATED_DATE).unwrap(), [""; 0]);
    let bounded = tail(&path, 6, 1000, ROTATED_DATE).unwrap();
    assert_eq!((bounded.len(), bounded[0].len()), (2, 996));
    let many: Vec<String> = (0..100_000).map(|number| format!("line {number}\n")).collect();
    std::fs::write(&path, many.concat()).unwrap();
    let wanted: Vec<String> = (80_000..100_000).map(|number| format!("line {number}")).collect();
    assert_eq!(tail(&path, 20_000, 1 << 20, ROTATED_DATE).unwrap(), wanted);
}

#[test]
fn of_the_lines_that_this_engine_wrote_it_is_known_when_they_came_also_after_the_run() {
    let wall = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Moment::from_epoch(now)
    };
    let rig = Rig::new();
    std::fs::write(rig.path("out.log"), "before\n").unwrap();
    let mut runs = [rig.run(1, &["out.log"], &["err.log"], false)];
    let logs = rig.logs(1 << 20, 3, runs[0].iter().map(Pipes::source).collect());
    let asker = logs.asker();
    let lines = || asker.tail(&rig.path("out.log"), 9, 1 << 20, ROTATED_DATE).unwrap();
    let begin = wall();
    runs[0][0].write("one\n");
    until("the line is written", || rig.text("out.log").ends_with("one\n"));
    // What comes sooner shares its time.
    let written = wall();
    until("the next one comes later", || wall() > written + 5 * TOGETHER);
    let between = wall();
    runs[0][0].write("two\n");
    until("the next is written", || rig.text("out.log").ends_with("two\n"));
    rig.finish(&logs, &mut runs);
    let told = |what: &str| {
        // A thread that gets no processor for 50 ms is not waited for.
        until(what, || lines().iter().skip(1).all(|(_, at)| at.is_some()));
        let known = lines();
        assert_eq!(
            known.iter().map(|(line, _)| line.as_str()).collect::<Vec<_>>(),
            ["before", "one", "two"]
        );
        let [before, one, two] = [0, 1, 2].map(|index| known[index].1);
        assert_eq!(before, None, "{what}");
        let (one, two) = (one.expect(what), two.expect(what));
        assert!(
            begin <= one && one <= between && between <= two && two <= wall(),
            "{what}: {known:?}"
        );
    };
    told("while the file may be open");
    logs.empty(Vec::new(), |_| ()); // a round of the thread: files that nobody uses are closed in it
    told("afterwards");
    logs.rotate_all(vec![rig.path("out.log")]);
    until("it is renamed", || !rig.path("out.log").exists());
    let known = lines();
    assert_eq!(known.len(), 3);
    assert!(known.iter().all(|(_, at)| at.is_none()), "of a renamed log none is known: {known:?}");
    logs.stop();
    assert_eq!(asker.tail(&rig.path("out.log"), 9, 1 << 20, ROTATED_DATE).unwrap().len(), 3);
}
