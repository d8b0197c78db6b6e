//! Engines that are killed, at random and at every step, while services write.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zelador_core::spec::Keep;
use zelador_core::unit::ByteSize;

use super::super::{Adopted, LogEvent, Logs, Rotation, RunId, Source, Stream, pipe};
use super::rig::{Pipes, Rig, style, undated, until};

const SOURCES: &str = "ZELADOR_TEST_SOURCES";
const MAX_SIZE: &str = "ZELADOR_TEST_MAX_SIZE";
const COMPRESS: &str = "ZELADOR_TEST_COMPRESS";
const BACKLOGS: &str = "ZELADOR_TEST_BACKLOGS";

/// The engine: this test executable again, with descriptors of the test. Does nothing otherwise.
#[test]
fn engine_process() {
    let Ok(described) = std::env::var(SOURCES) else { return };
    let sources: Vec<Source> = described.lines().map(described_source).collect();
    let runs: Vec<RunId> = sources.iter().map(|source| source.run).collect();
    let max_size = std::env::var(MAX_SIZE).unwrap().parse().unwrap();
    let compress = std::env::var(COMPRESS).is_ok();
    let max_size = ByteSize::new(max_size);
    let rotation = Rotation { max_size, keep: Keep::All, compress, ..Rotation::default() };
    let backlogs = std::env::var(BACKLOGS).unwrap_or_default();
    let backlogs = backlogs.split_terminator('|').map(|number| (0, inherited(number))).collect();
    let adopted = Adopted { sources, backlogs };
    let (sender, events) = mpsc::channel();
    let logs = Logs::start(rotation, None, adopted, move |event| {
        if let LogEvent::Keep { memory } = &event {
            memory.confirm();
        }
        sender.send(event).unwrap();
    })
    .unwrap();
    if std::io::stdin().read_exact(&mut [0]).is_err() {
        std::process::exit(1); // the test is gone
    }
    for run in runs {
        logs.finish(run);
        while events.recv().unwrap() != (LogEvent::Drained { run }) {}
    }
    logs.stop();
    std::process::exit(0);
}

fn described_source(line: &str) -> Source {
    let mut words = line.split('|');
    let mut next = || words.next().unwrap();
    let run = RunId::new(next().parse().unwrap());
    let stream = if next() == "Out" { Stream::Out } else { Stream::Err };
    let style = style(next() == "true", next() == "true", stream);
    let mut owned = || Arc::new(inherited(next()));
    let (pipe, hold_read, hold_write, state) = (owned(), owned(), owned(), owned());
    let sinks = words.map(PathBuf::from).collect();
    Source { run, stream, pipe, hold_read, hold_write, state, sinks, style, module: false }
}

fn inherited(number: &str) -> OwnedFd {
    // SAFETY: inherited from the test under this number, and described to nobody else.
    unsafe { OwnedFd::from_raw_fd(number.parse::<RawFd>().unwrap()) }
}

fn describe(pipes: &[&Pipes]) -> (String, Vec<Source>) {
    let mut text = String::new();
    // The descriptors of each source are its own: an engine closes them one by one.
    let sources: Vec<Source> = pipes.iter().map(|pipes| pipes.source()).collect();
    for (source, pipes) in sources.iter().zip(pipes) {
        let fds = [&source.pipe, &source.hold_read, &source.hold_write, &source.state];
        let fds = fds.map(|fd| fd.as_raw_fd().to_string()).join("|");
        let (run, stream, dated, json) = (source.run, source.stream, pipes.dated, pipes.json);
        write!(text, "{run}|{stream:?}|{dated}|{json}|{fds}").unwrap();
        for sink in &source.sinks {
            write!(text, "|{}", sink.display()).unwrap();
        }
        text.push('\n');
    }
    (text, sources)
}

pub fn start_engine(pipes: &[&Pipes], max_size: u64, crash: Option<&str>) -> Child {
    start(pipes, max_size, crash, |_| ())
}

/// The same for an engine that compresses what it rotates.
pub fn start_compressing(pipes: &[&Pipes], max_size: u64, crash: Option<&str>) -> Child {
    start(pipes, max_size, crash, |engine| _ = engine.env(COMPRESS, "1"))
}

/// The same for an engine that takes over what waits for a file.
pub fn start_with_backlog(pipes: &[&Pipes], crash: Option<&str>, backlog: &File) -> Child {
    // Its number is another one than those of the sources: they are still open.
    let backlog = backlog.try_clone().unwrap();
    rustix::io::fcntl_setfd(&backlog, rustix::io::FdFlags::empty()).unwrap();
    let number = backlog.as_raw_fd().to_string();
    start(pipes, 1 << 30, crash, |engine| _ = engine.env(BACKLOGS, number))
}

fn start(
    pipes: &[&Pipes],
    max_size: u64,
    crash: Option<&str>,
    also: impl FnOnce(&mut Command),
) -> Child {
    let (described, sources) = describe(pipes);
    let inherited: Vec<RawFd> = sources
        .iter()
        .flat_map(|source| [&source.pipe, &source.hold_read, &source.hold_write, &source.state])
        .map(AsRawFd::as_raw_fd)
        .collect();
    let mut engine = Command::new(std::env::current_exe().unwrap());
    engine.args(["--exact", "logs::tests::kill::engine_process", "--nocapture"]);
    engine.env(SOURCES, described).env(MAX_SIZE, max_size.to_string());
    also(&mut engine);
    if let Some(crash) = crash {
        engine.env("ZELADOR_TEST_CRASH", crash);
    }
    engine.stdin(Stdio::piped()).stdout(Stdio::null());
    // SAFETY: `fcntl` may be called between fork and exec.
    unsafe {
        engine.pre_exec(move || {
            for fd in &inherited {
                libc::fcntl(*fd, libc::F_SETFD, 0);
            }
            Ok(())
        });
    }
    engine.spawn().unwrap()
}

/// Tells the engine to finish; returns how it ended.
pub fn finish(mut engine: Child) -> ExitStatus {
    // It may be dead already.
    _ = engine.stdin.take().unwrap().write_all(b"f");
    engine.wait().unwrap()
}

/// Waits for the end of an engine that is not told to finish; returns how it ended.
pub fn dead(mut engine: Child) -> ExitStatus {
    let orders = engine.stdin.take(); // waiting would close it, which is an order too
    let status = engine.wait().unwrap();
    drop(orders);
    status
}

/// Small, quick and good enough to choose moments; the seed makes a failure repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// The line with this number of a writer: what is written and what must be found.
fn line(writer: u64, number: u64, longest: u64) -> String {
    let length = Random((number + 1) * 7919 + writer).below(200);
    let length = if number % 97 == 96 { length * longest / 200 } else { length };
    format!("w{writer} {number:07} {}\n", "x".repeat(length as usize))
}

/// Writes numbered lines in pieces of all sizes until told to stop; returns how many.
fn write_lines(mut to: File, writer: u64, longest: u64, seed: u64, stop: &AtomicBool) -> u64 {
    let mut random = Random(seed + writer * 1013);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut batch = String::new();
        for _ in 0..=random.below(40) {
            batch.push_str(&line(writer, number, longest));
            number += 1;
        }
        let mut rest = batch.as_bytes();
        while !rest.is_empty() {
            let piece = (1 + random.below(5000) as usize).min(rest.len());
            to.write_all(&rest[..piece]).unwrap();
            rest = &rest[piece..];
        }
        if random.below(3) == 0 {
            std::thread::sleep(Duration::from_micros(random.below(3000)));
        }
    }
    number
}

fn assert_lines_of(writer: u64, text: &str, count: u64, longest: u64) {
    let prefix = format!("w{writer} ");
    let mut number = 0;
    for found in text.split_inclusive('\n').filter(|found| found.starts_with(&prefix)) {
        let wanted = line(writer, number, longest);
        let short = |text: &str| text.chars().take(40).collect::<String>();
        assert!(found == wanted, "w{writer}: {:?} instead of {:?}", short(found), short(&wanted));
        number += 1;
    }
    assert_eq!(number, count, "lines of writer {writer}");
}

#[test]
fn no_line_is_lost_doubled_or_torn_when_the_engine_is_killed_all_the_time() {
    const KILLS: u32 = 60;
    const SHORT: u64 = 6000;
    const LONG: u64 = 1_500_000; // longer than a hold pipe can be
    let seed = std::env::var("ZELADOR_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed: u64 = seed.unwrap_or_else(|| u64::from(now.subsec_nanos()) | 1);
    println!("ZELADOR_TEST_SEED={seed}");

    let rig = Rig::new();
    let mut runs = [
        rig.run(1, &["own-out.log", "all.log"], &["own-err.log", "all.log"], false),
        rig.run(2, &["merged.log"], &["merged.log"], true),
        rig.run(3, &["merged.log"], &["dated.log"], true),
        rig.run(4, &["long.log"], &["long-dated.log"], false),
    ];
    runs[3][1].dated = true;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for (index, pipes) in runs.iter_mut().flatten().enumerate() {
        let (to, stop) = (pipes.write.take().unwrap(), Arc::clone(&stop));
        let (writer, longest) = (index as u64, if index < 6 { SHORT } else { LONG });
        writers.push(std::thread::spawn(move || write_lines(to, writer, longest, seed, &stop)));
    }
    let pipes: Vec<&Pipes> = runs.iter().flatten().collect();
    let mut random = Random(seed);
    for _ in 0..KILLS {
        let mut engine = start_engine(&pipes, 256 << 10, None);
        std::thread::sleep(Duration::from_micros(5_000 + random.below(60_000)));
        engine.kill().unwrap();
        assert_eq!(dead(engine).signal(), Some(libc::SIGKILL));
    }
    stop.store(true, Ordering::Relaxed);
    let last = start_engine(&pipes, 256 << 10, None);
    let counts: Vec<u64> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    assert!(finish(last).success());

    let plain: [(&str, &[u64], u64, bool); 7] = [
        ("own-out.log", &[0], SHORT, false),
        ("own-err.log", &[1], SHORT, false),
        ("all.log", &[0, 1], SHORT, false),
        ("merged.log", &[2, 3, 4], SHORT, true),
        ("dated.log", &[5], SHORT, true),
        ("long.log", &[6], LONG, false),
        ("long-dated.log", &[7], LONG, true),
    ];
    for (name, of, longest, dated) in plain {
        let text = if dated { undated(&rig.text(name)) } else { rig.text(name) };
        for writer in of {
            assert_lines_of(*writer, &text, counts[*writer as usize], longest);
        }
        let expected: u64 = of.iter().map(|writer| counts[*writer as usize]).sum();
        assert_eq!(text.lines().count() as u64, expected, "nothing else is in {name}");
    }
    let files = std::fs::read_dir(rig.folder.path()).unwrap().count();
    let lines: u64 = counts.iter().sum();
    println!("{KILLS} kills, {lines} lines, {files} files");
    assert!(files > 14, "files were rotated");
}

#[test]
fn an_engine_may_die_at_every_step_and_the_next_one_too() {
    const POINTS: [&str; 9] = [
        "filled:1",
        "begun:1",
        "appending:1",
        "appending:3",
        "written:1",
        "taking:2",
        "taken:1",
        "ended:1",
        "renamed:1",
    ];
    let killed = |crash: Option<&str>, pipes: &[&Pipes]| {
        finish(start_engine(pipes, 150_000, crash)).signal() == Some(libc::SIGKILL)
    };
    for first in POINTS {
        for second in POINTS {
            let rig = Rig::new();
            let mut runs = [
                rig.run(1, &["out.log", "all.log"], &["all.log"], true),
                rig.run(2, &["plain.log"], &["plain.log"], false),
            ];
            for (writer, pipes) in runs.iter_mut().flatten().enumerate() {
                let mut lines: String = (0..1500).map(|n| line(writer as u64, n, 2000)).collect();
                lines.pop(); // the last one is not finished
                pipes.write(&lines);
                pipes.write = None;
            }
            let pipes: Vec<&Pipes> = runs.iter().flatten().collect();
            assert!(killed(Some(first), &pipes), "{first} was reached");
            killed(Some(second), &pipes);
            assert!(!killed(None, &pipes));
            let read = |name, of: &[u64], dated: bool| {
                let text = if dated { undated(&rig.text(name)) } else { rig.text(name) };
                for writer in of {
                    assert_lines_of(*writer, &text, 1500, 2000);
                }
                assert_eq!(text.lines().count(), 1500 * of.len(), "{name}: {first}, {second}");
            };
            read("out.log", &[0], true);
            read("all.log", &[0, 1], true);
            read("plain.log", &[2, 3], false);
        }
    }
}

#[test]
fn an_engine_may_die_while_it_writes_pieces_of_a_long_line() {
    for point in ["begun:1", "appending:1", "written:1", "taking:2", "taken:1", "ended:1"] {
        let rig = Rig::new();
        let mut runs = [rig.run(1, &["out.log"], &[], true)];
        let mut to = runs[0][0].write.take().unwrap();
        let text = format!("{}\nnext\n", "x".repeat(2_500_000));
        let wanted = text.clone();
        let writer = std::thread::spawn(move || to.write_all(text.as_bytes()).unwrap());
        let pipes: Vec<&Pipes> = runs.iter().flatten().collect();
        let killed = dead(start_engine(&pipes, 1 << 30, Some(point)));
        assert_eq!(killed.signal(), Some(libc::SIGKILL), "{point} was reached");
        let last = start_engine(&pipes, 1 << 30, None);
        writer.join().unwrap();
        assert!(finish(last).success());
        assert!(undated(&rig.text("out.log")) == wanted, "{point}");
    }
}

#[test]
fn an_engine_may_die_while_it_puts_tiny_writes_together_and_the_next_one_too() {
    const POINTS: [&str; 4] = ["copied:1", "taking:2", "emptied:1", "put back:1"];
    for first in POINTS {
        for second in POINTS {
            let rig = Rig::new();
            let mut runs = [rig.run(1, &["out.log"], &[], false)];
            let mut dots = 0;
            for crash in [first, second] {
                let mut engine = start_engine(&[&runs[0][0]], 1 << 30, Some(crash));
                let mut is_dead = || engine.try_wait().unwrap().is_some();
                for _ in 0..100 {
                    runs[0][0].write(".");
                    dots += 1;
                    let fetched = || pipe::level(&runs[0][0].pipe) == 0;
                    until("the dot is fetched, or the engine dead", || fetched() || is_dead());
                }
                assert_eq!(dead(engine).signal(), Some(libc::SIGKILL), "{crash} was reached");
            }
            runs[0][0].write = None;
            assert!(finish(start_engine(&[&runs[0][0]], 1 << 30, None)).success());
            assert!(rig.text("out.log") == format!("{}\n", ".".repeat(dots)), "{first}, {second}");
        }
    }
}
